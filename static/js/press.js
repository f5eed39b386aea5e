// Presses the one button of a page that says so (data-press): the server only says it for links old enough that no
// mail scanner is behind the visit (semantics 1.4). A person sees the button go down; coming back does not press again.
(() => {
  "use strict";
  const form = document.querySelector("form[data-press]");
  const how = performance.getEntriesByType("navigation")[0];
  if (!form || document.visibilityState !== "visible" || (how && how.type === "back_forward")) return;
  const button = form.querySelector("button");
  setTimeout(() => {
    if (form.dataset.pressed) return;
    form.dataset.pressed = "yes";
    form.requestSubmit(button);
  }, 600);
  form.addEventListener("submit", () => { form.dataset.pressed = "yes"; });
})();
