/* The steps of a series by hand: drag a step by its handle, or take it with Enter and move it with the arrow keys.
   Where it is put down, the form that moves it is sent; without this script there are buttons for the same. */
"use strict";

(() => {
  const list = document.querySelector("[data-line]");
  const mover = document.querySelector("[data-mover]");
  const news = document.querySelector("[data-news]");
  if (!list || !mover || list.children.length < 2) return;
  const EDGE = 90; // pixels from the window's edge at which the page scrolls along; a phone's head has 64
  const steps = () => [...list.children];
  // Coming back from the page of an edit, the browser may show the order that was only tried.
  window.addEventListener("pageshow", (event) => event.persisted && window.location.reload());
  const place = (step) => steps().indexOf(step) + 1;
  let held = null; // { step, from }: what is in the hand, and the place it was taken from

  function say(words) {
    news.textContent = words;
  }

  function take(step) {
    held = { step, from: place(step) };
    step.classList.add("is-held");
    list.classList.add("is-busy");
  }

  function letGo() {
    held.step.classList.remove("is-held");
    held.step.style.transform = "";
    list.classList.remove("is-busy");
    held = null;
  }

  /* The others go round it: the step itself stays in the page, and keeps the pointer and the focus. */
  function up(step) {
    step.after(step.previousElementSibling);
  }

  function down(step) {
    step.before(step.nextElementSibling);
  }

  function putBack() {
    const { step, from } = held;
    while (place(step) > from) up(step);
    while (place(step) < from) down(step);
    letGo();
  }

  function putDown() {
    const { step, from } = held;
    const to = place(step);
    letGo();
    if (to === from) return;
    say(`${step.dataset.named}: going to place ${to}…`);
    mover.elements.step.value = step.dataset.step;
    mover.elements.to.value = to;
    mover.submit();
  }

  /* By pointer: the step follows the finger, and the others make room where its edge has passed their middle. */
  function middle(step) {
    const box = step.getBoundingClientRect();
    return box.top + box.height / 2;
  }

  function follow() {
    const { step, y, grip } = held;
    const top = y - grip;
    while (step.previousElementSibling && top < middle(step.previousElementSibling)) up(step);
    while (step.nextElementSibling && top + step.offsetHeight > middle(step.nextElementSibling)) down(step);
    step.style.transform = "";
    step.style.transform = `translateY(${top - step.getBoundingClientRect().top}px)`;
  }

  /* Near the window's edge the page goes along, for as long as the finger stays there. */
  function scroll() {
    if (!held) return;
    const way = held.y < EDGE ? -1 : held.y > window.innerHeight - EDGE ? 1 : 0;
    if (way) {
      window.scrollBy({ top: way * 10, behavior: "instant" });
      follow();
    }
    requestAnimationFrame(scroll);
  }

  function drag(handle, step) {
    handle.addEventListener("pointerdown", (event) => {
      if (event.button || held) return;
      event.preventDefault();
      handle.focus();
      handle.setPointerCapture(event.pointerId);
      take(step);
      held.y = event.clientY;
      held.grip = event.clientY - step.getBoundingClientRect().top;
      scroll();
    });
    handle.addEventListener("pointermove", (event) => {
      if (!held || !handle.hasPointerCapture(event.pointerId)) return;
      held.y = event.clientY;
      follow();
    });
    handle.addEventListener("pointerup", () => held && putDown());
    handle.addEventListener("pointercancel", () => held && putBack());
  }

  /* By keyboard */
  function keys(handle, step) {
    handle.addEventListener("keydown", (event) => {
      const mine = held && held.step === step;
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        if (mine) return putDown();
        take(step);
        return say(`${step.dataset.named} is in your hand, at place ${place(step)} of ${steps().length}. Arrow keys move it, Enter puts it down, Escape puts it back.`);
      }
      if (!mine) return undefined;
      if (event.key === "Escape") {
        putBack();
        return say("Back where it was; nothing is changed.");
      }
      if (!event.key.startsWith("Arrow")) return undefined;
      event.preventDefault();
      if (event.key === "ArrowUp" && step.previousElementSibling) up(step);
      if (event.key === "ArrowDown" && step.nextElementSibling) down(step);
      step.scrollIntoView({ block: "nearest" });
      return say(`Place ${place(step)} of ${steps().length}.`);
    });
    handle.addEventListener("blur", () => held && held.step === step && putBack());
  }

  for (const step of steps()) {
    const handle = document.createElement("button");
    handle.type = "button";
    handle.className = "line-tool line-handle";
    handle.title = "Drag, or press Enter and use the arrow keys";
    handle.setAttribute("aria-label", `Take ${step.dataset.named}`);
    handle.innerHTML = list.parentElement.querySelector("[data-grip]").innerHTML;
    step.querySelector(".line-tools").prepend(handle);
    drag(handle, step);
    keys(handle, step);
  }

  /* Only one menu is open at a time, and a press elsewhere or Escape closes it. */
  const menus = () => [...list.querySelectorAll("details[open]")];
  document.addEventListener("click", (event) => {
    for (const menu of menus()) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of menus()) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
})();
