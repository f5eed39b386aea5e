/* The desk where emails are written: a live view, and a word before unsaved work is lost. */
"use strict";

(() => {
  const form = document.querySelector("[data-desk]");
  if (!form) return;
  const find = (what) => form.querySelector(what);
  const body = form.elements.body;
  const LATER = 500; // milliseconds after the last key: soon enough to feel live, late enough not to ask at every letter

  /* The live view */
  const [frame, problem, inbox, text] = ["[data-frame]", "[data-problem]", "[data-inbox]", "[data-text]"].map(find);
  let asked = 0;

  function paragraph(words, strong) {
    const made = document.createElement("p");
    const inside = strong ? made.appendChild(document.createElement("strong")) : made;
    inside.textContent = words;
    return made;
  }

  function tell(found) {
    const notes = found.notes || [];
    problem.hidden = !found.problem && !notes.length;
    problem.classList.toggle("is-note", !found.problem);
    problem.replaceChildren(...notes.map((note) => paragraph(note)));
    if (!found.problem) return;
    problem.append(paragraph(found.problem, true));
    for (const words of [found.means, found.remedy]) if (words) problem.append(paragraph(words));
    if (found.line) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "button quiet";
      button.textContent = `Go to line ${found.line}`;
      button.addEventListener("click", () => goTo(found.line));
      problem.append(button);
    }
  }

  function goTo(line) {
    const lines = body.value.split("\n");
    const from = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
    body.focus();
    body.setSelectionRange(from, from + (lines[line - 1] || "").length);
    body.scrollTop = (body.scrollHeight * Math.max(line - 4, 0)) / lines.length;
  }

  /* A new frame for each view: the old one stays until the new one is there, and the Back button is not filled up. */
  function show() {
    const old = frame.querySelectorAll("iframe");
    const fresh = old[0].cloneNode(false);
    fresh.removeAttribute("src");
    fresh.name = `desk-frame-${asked}`;
    fresh.classList.add("is-coming");
    frame.append(fresh);
    const post = document.createElement("form");
    post.method = "post";
    post.action = form.dataset.preview;
    post.target = fresh.name;
    post.hidden = true;
    for (const [name, value] of new FormData(form)) {
      const field = document.createElement("textarea");
      field.name = name;
      field.value = value;
      post.append(field);
    }
    document.body.append(post);
    post.submit();
    post.remove();
    fresh.addEventListener("load", () => {
      fresh.classList.remove("is-coming");
      for (const gone of old) gone.remove();
    });
  }

  async function look(isFirst) {
    const mine = ++asked;
    let found;
    try {
      const answer = await fetch(form.dataset.check, { method: "POST", body: new FormData(form) });
      if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
      found = await answer.json();
    } catch {
      found = { problem: "The view cannot be made right now.", remedy: "Your words are still here; save them in a moment." };
    }
    if (mine !== asked) return;
    tell(found);
    if (found.problem) return;
    inbox.hidden = false;
    inbox.querySelector("[data-subject]").textContent = found.subject;
    inbox.querySelector("[data-preheader]").textContent = found.preheader;
    text.textContent = found.text;
    if (!isFirst) show(); // the first frame came with the page
  }

  const tabs = find(".tabs");
  tabs.hidden = false;
  tabs.addEventListener("click", (event) => {
    const chosen = event.target.closest("button");
    if (!chosen) return;
    for (const tab of tabs.children) tab.setAttribute("aria-pressed", String(tab === chosen));
    text.hidden = chosen.dataset.look !== "text";
    frame.hidden = !text.hidden;
    frame.classList.toggle("is-phone", chosen.dataset.look === "phone");
  });

  /* Counting, and unsaved work */
  const count = find("[data-count]");
  const saved = find("[data-saved]");
  let clean = true;
  let timer = 0;

  function measure() {
    count.textContent = `${form.elements.subject.value.length} characters.`;
  }

  function changed() {
    measure();
    clearTimeout(timer);
    timer = setTimeout(look, LATER);
  }

  form.addEventListener("input", (event) => {
    if (event.target.name !== "reader" && !("move" in event.target.dataset)) {
      clean = false;
      saved.textContent = "Not saved yet";
    }
    changed();
  });
  form.addEventListener("submit", (event) => {
    clean = clean || event.submitter?.name === "then";
  });
  window.addEventListener("beforeunload", (event) => {
    if (!clean) event.preventDefault();
  });
  find("[data-refresh]").hidden = true;
  measure();
  look(true);
})();
