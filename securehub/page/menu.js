// A button with a menu of what can be done.

import { button, el } from "./dom.js";

/** @param choices: of each, what is shown and what it does. */
export function menu(name, choices, properties = {}) {
  const opener = button("⋯", () => (list ? close() : open()), { "aria-label": name, "aria-haspopup": "menu", "aria-expanded": "false", class: "opener", ...properties });
  // Safari would take the focus away at a press, and close the menu before it hears of the click.
  const element = el("span", { class: "has-menu", on: { keydown, focusout: leave, mousedown: (event) => event.preventDefault() } }, opener);
  let list = null; // while it is open

  function open() {
    const items = choices.map(([label, act]) => button(label, () => {
      close();
      act();
    }, { role: "menuitem", tabindex: "-1" }));
    // Where there is more room.
    const up = opener.getBoundingClientRect().top > innerHeight / 2;
    list = el("div", { class: up ? "menu up" : "menu", role: "menu", "aria-label": name }, items);
    element.append(list);
    opener.setAttribute("aria-expanded", "true");
    document.addEventListener("pointerdown", leave);
    items[0].focus();
  }

  function close() {
    const had = list.contains(document.activeElement);
    document.removeEventListener("pointerdown", leave);
    opener.setAttribute("aria-expanded", "false");
    const closed = list;
    list = null;
    if (had) opener.focus({ preventScroll: true });
    closed.remove();
  }

  /** The focus goes elsewhere, or somebody points there; on some phones that leaves the focus where it is. */
  function leave(event) {
    if (list && !element.contains(event.type === "focusout" ? event.relatedTarget : event.target)) close();
  }

  function keydown(event) {
    if (!list) return;
    const items = [...list.children];
    const at = items.indexOf(document.activeElement);
    const to = { ArrowDown: (at + 1) % items.length, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (to !== undefined) items.at(to).focus();
    else if (event.key === "Escape" || event.key === "Tab") close();
    else return;
    event.stopPropagation();
    // From the button Tab goes on as ever.
    if (event.key !== "Tab") event.preventDefault();
  }

  return element;
}
