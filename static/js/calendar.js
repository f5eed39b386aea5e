/* On the calendar while the days ahead are worked out: asks for a little more until all is, then shows it.
   Without it, reloading the page does the same. */
"use strict";

(() => {
  const card = document.querySelector("[data-ahead]");
  if (!card) return;
  const PAUSE = 150; // milliseconds between two pieces of work, so that other pages get their turn
  const LATER = 3000; // after something went wrong
  const bar = card.querySelector("progress");
  const words = card.querySelector("[data-share]");
  const form = card.querySelector("form");

  async function work() {
    let wait = PAUSE;
    try {
      const answer = await fetch(card.dataset.ahead, { method: "POST", body: new FormData(form) });
      if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
      const found = await answer.json();
      bar.value = found.share;
      words.textContent = String(found.share);
      if (found.done) return location.reload();
    } catch {
      wait = LATER; // no network for a moment, or a busy database
    }
    return setTimeout(next, wait);
  }

  const next = () => (document.hidden ? setTimeout(next, LATER) : work());
  next();
})();
