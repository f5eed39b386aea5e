/* Shows the email with its new words beside the old one without a press; and says that a change is being made, which
   takes seconds where many readers move. Pressed twice it is sent once (the server would make it once anyway). */
"use strict";

for (const form of document.querySelectorAll("form[data-show]")) {
  form.hidden = true;
  form.submit();
}

for (const form of document.querySelectorAll("form[data-once]")) {
  const news = form.querySelector("[data-news]");
  let sent = false;
  const mark = (busy) => {
    sent = busy;
    form.setAttribute("aria-busy", String(busy));
    for (const button of form.querySelectorAll("button[type=submit]")) button.setAttribute("aria-disabled", String(busy));
    news.textContent = busy ? news.dataset.news : "";
  };
  form.addEventListener("submit", (event) => {
    if (sent) event.preventDefault();
    else mark(true);
  });
  // Coming back, the browser may show the page as it was left.
  window.addEventListener("pageshow", (event) => event.persisted && mark(false));
}
