/* On the page of an email that is being sent: looks every three seconds how far it is. Without it, reloading shows it. */
"use strict";

(() => {
  const card = document.querySelector("[data-progress]");
  const place = card?.querySelector("[data-progress-now]");
  if (!place) return;
  const EVERY = 3000; // milliseconds; the server counts nothing for an answer
  const shown = () => place.querySelector("[data-state]");
  const before = shown().dataset;
  const asked = () => card.querySelector("details[open]") !== null; // somebody is about to press a button

  async function look() {
    try {
      const answer = await fetch(card.dataset.progress, { cache: "no-store" });
      if (answer.ok && !answer.redirected) show(await answer.text());
    } catch { /* no network for a moment: look again */ }
    setTimeout(next, EVERY);
  }

  function show(html) {
    const fresh = new DOMParser().parseFromString(html, "text/html").querySelector("[data-state]");
    if (!fresh || place.contains(document.activeElement)) return;
    const { state, live } = fresh.dataset;
    // Another state has other buttons; the whole page has to be new then.
    if ((state !== before.state || live !== before.live) && !asked()) location.reload();
    else place.replaceChildren(fresh);
  }

  const next = () => (document.hidden ? setTimeout(next, EVERY) : look());
  setTimeout(next, EVERY);
})();
