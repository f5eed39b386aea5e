/* The tools above the text of an email: they type what one could type by hand. */
"use strict";

(() => {
  const field = document.querySelector("[data-writing]");
  if (!field) return;
  const body = field.querySelector("textarea");

  /* Typing through the browser's own command keeps Ctrl+Z working; setting the value alone would not. */
  function type(words, from, to) {
    body.focus();
    body.setSelectionRange(from, to);
    if (!document.execCommand("insertText", false, words)) {
      body.setRangeText(words, from, to, "end");
      body.dispatchEvent(new Event("input", { bubbles: true }));
    }
  }

  function wrap(mark) {
    const [from, to] = [body.selectionStart, body.selectionEnd];
    const words = body.value.slice(from, to) || "words";
    type(mark + words + mark, from, to);
    body.setSelectionRange(from + mark.length, from + mark.length + words.length);
  }

  function beginLines(mark) {
    const from = body.value.lastIndexOf("\n", body.selectionStart - 1) + 1;
    const to = body.selectionEnd;
    const lines = body.value.slice(from, to).split("\n");
    type(lines.map((line, number) => (mark === "1. " ? `${number + 1}. ` : mark) + line).join("\n"), from, to);
  }

  function link() {
    const [from, to] = [body.selectionStart, body.selectionEnd];
    const words = body.value.slice(from, to) || "words";
    type(`[${words}](https://)`, from, to);
    const end = from + words.length + 3 + "https://".length;
    body.setSelectionRange(end - "https://".length, end);
  }

  function insert(words, alone) {
    if (!alone) return type(words, body.selectionStart, body.selectionEnd);
    const end = body.value.indexOf("\n", body.selectionEnd);
    const at = end < 0 ? body.value.length : end; // below the line one is in, never inside a word
    const before = body.value.slice(0, at);
    const after = body.value.slice(at);
    const gap = (text, end) => (!text || text.endsWith("\n\n") ? "" : text.endsWith("\n") ? "\n" : end);
    const below = after.startsWith("\n\n") || !after ? "" : after.startsWith("\n") ? "\n" : "\n\n";
    return type(gap(before, "\n\n") + words + below, at, at);
  }

  const tools = field.querySelector(".writing-tools");
  tools.hidden = false;
  tools.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const { wrap: mark, line, insert: words } = button.dataset;
    if (mark) wrap(mark);
    else if (line) beginLines(line);
    else if ("link" in button.dataset) link();
    else insert(words, "block" in button.dataset);
  });
  field.querySelector("[data-move]").addEventListener("change", (event) => {
    if (event.target.value) insert(`![](figure:${event.target.value})`, true);
    event.target.value = "";
  });
  body.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
    const action = { b: () => wrap("**"), i: () => wrap("*"), k: link }[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action();
  });
})();
