/* One email of a series: a word before unsaved work is lost, and on a small screen the view comes to the eye. */
"use strict";

(() => {
  const form = document.querySelector("[data-words]");
  if (!form) return;
  const look = document.querySelector(".step-look");
  const empty = look.querySelector(".is-empty"); // small on a phone, until there is something to see
  empty?.classList.add("is-waiting");
  let clean = !("unsaved" in form.dataset); // words that were refused are kept nowhere yet

  form.addEventListener("input", () => {
    clean = false;
  });
  form.addEventListener("submit", (event) => {
    if (event.submitter?.formTarget !== "look") {
      clean = true;
      return;
    }
    empty?.classList.remove("is-waiting");
    const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    look.scrollIntoView({ block: "nearest", behavior: calm ? "auto" : "smooth" });
  });
  window.addEventListener("beforeunload", (event) => {
    if (!clean) event.preventDefault();
  });
})();
