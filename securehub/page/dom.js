// What is shown: elements, forms and tables. Text is set as text, always; nothing here or elsewhere reads markup.

/** An element. Its properties are attributes, but for `on`, which has listeners by event. */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else if (value === null || value === undefined || value === false) {
      continue;
    } else {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function button(label, act, properties = {}) {
  return el("button", { type: "button", ...properties, on: { click: act } }, label);
}

/** A button that asks the hub, shows in `problem` what it refuses, and cannot be pressed twice meanwhile. */
export function actor(label, act, problem, properties = {}) {
  const made = button(label, () => waiting([made], async () => {
    say(problem, "");
    try {
      await act();
    } catch (error) {
      say(problem, reason(error));
    }
  }), properties);
  return made;
}

/** Do something, unless its buttons wait for it already. They are not disabled meanwhile: one would lose the focus, and whoever has no mouse their place. */
async function waiting(buttons, act) {
  if (isWaiting(buttons[0])) return;
  for (const each of buttons) each.setAttribute("aria-disabled", "true");
  try {
    await act();
  } finally {
    for (const each of buttons) each.removeAttribute("aria-disabled");
  }
}

/** Whether the focus may be moved in `place`: not if somebody is writing elsewhere by now. Around it there may be what Safari gives it to at a click. */
export const isFree = (place) => document.activeElement.contains(place) || place.contains(document.activeElement);

const isWaiting = (pressed) => pressed.hasAttribute("aria-disabled");

/** Where a refusal is said, for screen readers, too. */
export function problemLine() {
  return el("p", { class: "problem", role: "alert", hidden: true });
}

export function say(line, text) {
  line.textContent = text;
  line.hidden = !text;
}

export function reason(error) {
  if (!error.told) console.error(error);
  return error.message;
}

const SLOW = 1_000; // milliseconds after which a form says that it waits

let labels = 0;

/** A field of a form: its label, its input, a hint, and the place where the hub's refusal of it is said. */
function field({ name, label, kind = "text", hint, options, required, stays, ...attributes }) {
  const id = `field-${++labels}`;
  const described = { id, name, required, "aria-describedby": `${id}-more`, ...attributes };
  let input;
  if (kind === "choice") {
    input = el("select", described, options.map(([value, text]) => el("option", { value }, text)));
  } else if (kind === "lines") {
    input = el("textarea", { rows: 3, ...described });
  } else if (kind === "tick") {
    input = el("input", { type: "checkbox", ...described });
  } else {
    input = el("input", { type: kind, autocomplete: "off", ...described });
  }
  const more = el("span", { id: `${id}-more`, class: "hint" }, hint ?? "");
  const caption = el("label", { for: id }, label);
  const row = kind === "tick" ? el("div", { class: "field tick" }, input, caption, more) : el("div", { class: "field" }, caption, input, more);
  return { name, input, more, hint: hint ?? "", row, stays };
}

/**
 * A form that asks the hub. What it refuses is said beside the field that it is about, or else beside the button.
 *
 * `submit` gets the values by name, without those left empty, and may return a text that says what came of it. `missed` is told of a refusal that
 * comes when the form is not looked at any more. `cancel` gives it up, as long as nothing is on its way: there is a button for that, and Escape.
 */
export function form({ fields, label, submit, missed, cancel, keeps = false, ...properties }) {
  const made = fields.map(field);
  const problem = problemLine();
  const done = el("p", { class: "done", role: "status", hidden: true });
  const send = el("button", { type: "submit" }, label);
  // What is on its way will be done, whatever is shown.
  const giveUp = () => isWaiting(send) || cancel?.();
  const buttons = cancel ? [send, button("Cancel", giveUp, { class: "quiet" })] : [send];
  const element = el("form", { novalidate: true, ...properties }, made.map((each) => each.row), el("div", { class: "buttons" }, buttons), problem, done);
  const clear = () => {
    say(problem, "");
    say(done, "");
    for (const each of made) {
      each.input.removeAttribute("aria-invalid");
      each.more.classList.remove("problem");
      each.more.textContent = each.hint;
    }
  };
  const refuse = (each, text) => {
    each.input.setAttribute("aria-invalid", "true");
    each.more.classList.add("problem");
    each.more.textContent = text;
    if (isFree(element)) each.input.focus();
  };
  const ask = async () => {
    clear();
    const values = {};
    for (const each of made) {
      if (each.input.type === "checkbox") values[each.name] = each.input.checked;
      else if (each.input.value !== "") values[each.name] = each.input.value;
      else if (each.input.required && !each.row.hidden) return refuse(each, "This is needed.");
    }
    const sent = made.map((each) => each.input.value);
    const slow = setTimeout(() => say(done, "Waiting for the hub…"), SLOW);
    try {
      const told = await submit(values);
      // What was typed while it waited is not for this one.
      if (!keeps && made.every((each, place) => each.input.value === sent[place])) {
        element.reset();
        for (const [place, each] of made.entries()) if (each.stays) each.input.value = sent[place];
      }
      for (const [place, each] of made.entries()) if (each.input.type === "password" && each.input.value === sent[place]) each.input.value = "";
      say(done, told ?? "");
    } catch (error) {
      say(done, "");
      const text = reason(error);
      const meant = made.find((each) => !each.row.hidden && text.startsWith(`${each.name}: `));
      const told = meant ? text.slice(meant.name.length + 2) : text;
      if (meant) refuse(meant, told);
      else say(problem, told);
      if (!element.isConnected) missed?.(told);
      else if (element.contains(document.activeElement)) (meant?.more ?? problem).scrollIntoView({ block: "nearest" });
    } finally {
      clearTimeout(slow);
    }
  };
  element.addEventListener("submit", (event) => {
    event.preventDefault();
    waiting(buttons, ask);
  });
  element.addEventListener("keydown", (event) => event.key === "Escape" && !event.isComposing && giveUp());
  const inputs = Object.fromEntries(made.map((each) => [each.name, each.input]));
  return { element, inputs, rows: Object.fromEntries(made.map((each) => [each.name, each.row])), clear, problem, cancel: buttons[1] };
}

/** Whether the keyboard is on the screen, where Enter is the only way to begin a line. */
export const byTouch = () => matchMedia("(pointer: coarse)").matches;

/** Let Enter send what is written in a field of several lines, while Shift and Enter begin a line. */
export function sendsByEnter(form, input) {
  if (byTouch()) return;
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
}

/** A table. A column is [heading, what a row shows in it, whether it is a number]. On a phone its rows are blocks, and so it says its roles. */
export function table(caption, columns, rows, none) {
  if (!rows.length) return el("p", { class: "none" }, none);
  const cell = (role, numeric) => ({ role, class: numeric ? "number" : null });
  // What says itself what it is needs no heading on a phone.
  const headed = (content, heading) => (String(content.textContent ?? content).startsWith(heading) ? null : heading);
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    el("table", { role: "table" },
      el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, columns.map(([heading, , numeric]) => el("th", cell("columnheader", numeric), heading)))),
      el("tbody", { role: "rowgroup" }, rows.map((row) => el("tr", { role: "row" }, columns.map(([heading, shows, numeric]) => {
        const content = shows(row) ?? "";
        return el("td", { ...cell("cell", numeric), "data-heading": headed(content, heading) }, content);
      }))))));
}

/** Show something else in `place`. The focus goes to what is called the same there, or else to `place` itself: it is lost with what had it. */
export function redraw(place, ...children) {
  const had = place.contains(document.activeElement) ? nameOf(document.activeElement) : null;
  place.replaceChildren(...children);
  if (had === null) return;
  const same = [...place.querySelectorAll("a, button, input, select, [tabindex]")].find((each) => nameOf(each) === had);
  if (!same) place.setAttribute("tabindex", "-1");
  (same ?? place).focus({ preventScroll: true });
}

const nameOf = (element) => element.getAttribute("aria-label") ?? element.textContent;

/**
 * Show `items` in `place`, one element each, and leave those alone that are as they were: what is marked in them stays so, and a screen reader
 * where it reads.
 */
export function keep(place, items, id, show) {
  const before = keptIn.get(place) ?? new Map();
  const now = new Map();
  const focused = document.activeElement;
  for (const item of items) {
    const [key, says] = [id(item), JSON.stringify(item)];
    const old = before.get(key);
    now.set(key, old?.says === says ? old : { says, had: old?.element.contains(focused), element: show(item) });
  }
  keptIn.set(place, now);
  for (const [key, { element }] of before) if (now.get(key)?.element !== element) element.remove();
  let next = place.firstChild;
  for (const each of now.values()) {
    if (each.element === next) next = next.nextSibling;
    else place.insertBefore(each.element, next);
    // What had it may stand in the new one, too.
    if (each.had) (each.element.contains(focused) ? focused : each.element.querySelector("a, button") ?? place).focus({ preventScroll: true });
    each.had = false;
  }
}

const keptIn = new WeakMap();

const LONG = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const SHORT = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });

/** A time of the hub's, as it is where the reader is; only the hour if it is of today. */
export function time(at) {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return at;
  const today = date.toDateString() === new Date().toDateString();
  return el("time", { datetime: at, title: LONG.format(date) }, (today ? SHORT : LONG).format(date));
}

/**
 * A list that grows to its end: pages of what the hub lists, in its order, with a button for the next one. A list of which the hub looks
 * through much says itself where to go on, as there may be nothing in a page; all others go on behind their last item.
 */
export class Pages {
  constructor({ load, show, id }) {
    this.load = load;
    this.show = show;
    this.id = id;
    this.items = [];
    this.behind = null;
    this.problem = problemLine();
    this.place = el("div", { tabindex: "-1" });
    this.more = actor("More", () => this.next(), this.problem, { class: "quiet", hidden: true });
    this.element = el("div", {}, this.place, this.more, this.problem);
    this.asked = 0;
  }

  /** Begin anew. */
  async first() {
    const asked = ++this.asked;
    const page = await this.load({});
    if (asked !== this.asked) return;
    this.items = [];
    this.add(page);
  }

  /** Something has changed: load the newest again, and keep what was shown behind them. */
  async again() {
    const asked = ++this.asked;
    const page = await this.load({});
    if (asked !== this.asked) return;
    const place = page.items.length ? this.items.findIndex((each) => this.id(each) === this.id(page.items.at(-1))) : -1;
    const kept = place < 0 ? [] : this.items.slice(place + 1);
    this.items = [];
    this.add(kept.length ? { items: [...page.items, ...kept], more: !this.more.hidden, next: this.behind } : page);
  }

  async next() {
    const asked = this.asked;
    const page = await this.load({ before: this.behind });
    if (asked !== this.asked) return;
    this.add(page);
    if (this.more.hidden) this.place.focus({ preventScroll: true });
  }

  add(page) {
    this.items.push(...page.items);
    this.behind = page.next ?? (this.items.length ? this.id(this.items.at(-1)) : null);
    this.more.hidden = !page.more;
    const shown = this.show(this.items);
    if (shown !== this.place.firstChild) redraw(this.place, shown);
  }
}

/** Once for all calls before the next frame; on a page that nobody sees, once it is seen. */
export function drawing(act) {
  let waits = false;
  return () => {
    if (waits) return;
    waits = true;
    requestAnimationFrame(() => {
      waits = false;
      act();
    });
  };
}

/** Once for all calls in a short time; also where they never end. */
export function soon(act, milliseconds = 150) {
  let waits = false;
  return () => {
    if (waits) return;
    waits = true;
    setTimeout(() => {
      waits = false;
      act();
    }, milliseconds);
  };
}
