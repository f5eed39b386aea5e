// On the page that says "being made": asks every three seconds whether it is, and then shows it.
(() => {
  "use strict";
  const BEING_MADE = 503;
  const ask = async () => {
    try {
      const answer = await fetch(location.href, { method: "HEAD", cache: "no-store" });
      if (answer.status !== BEING_MADE && answer.status !== 429) return location.reload();
    } catch { /* no network for a moment: ask again */ }
    setTimeout(ask, 3000);
  };
  setTimeout(ask, 3000);
})();
