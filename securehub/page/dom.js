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
  const made = button(label, async () => {
    made.disabled = true;
    say(problem, "");
    try {
      await act();
    } catch (error) {
      say(problem, reason(error));
    } finally {
      made.disabled = false;
    }
  }, properties);
  return made;
}

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

let labels = 0;

/** A field of a form: its label, its input, a hint, and the place where the hub's refusal of it is said. */
function field({ name, label, kind = "text", hint, options, required, ...attributes }) {
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
  return { name, input, more, hint: hint ?? "", row };
}

/**
 * A form that asks the hub. What it refuses is said beside the field that it is about, or else beside the button.
 *
 * `submit` gets the values by name, without those left empty, and may return a text that says what came of it.
 */
export function form({ fields, label, submit, keeps = false, ...properties }) {
  const made = fields.map(field);
  const problem = problemLine();
  const done = el("p", { class: "done", role: "status", hidden: true });
  const send = el("button", { type: "submit" }, label);
  const element = el("form", { novalidate: true, ...properties }, made.map((each) => each.row), el("div", { class: "buttons" }, send), problem, done);
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
    each.input.focus();
  };
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (send.disabled) return;
    clear();
    const values = {};
    for (const each of made) {
      if (each.input.type === "checkbox") values[each.name] = each.input.checked;
      else if (each.input.value !== "") values[each.name] = each.input.value;
      else if (each.input.required && !each.row.hidden) return refuse(each, "This is needed.");
    }
    send.disabled = true;
    try {
      const told = await submit(values);
      if (!keeps) element.reset();
      say(done, told ?? "");
    } catch (error) {
      const text = reason(error);
      const meant = made.find((each) => !each.row.hidden && text.startsWith(`${each.name}: `));
      if (meant) refuse(meant, text.slice(meant.name.length + 2));
      else say(problem, text);
    } finally {
      send.disabled = false;
    }
  });
  const inputs = Object.fromEntries(made.map((each) => [each.name, each.input]));
  return { element, inputs, rows: Object.fromEntries(made.map((each) => [each.name, each.row])), clear, problem };
}

/** A table. A column is [heading, what a row shows in it, whether it is a number]. On a phone its rows are blocks, and so it says its roles. */
export function table(caption, columns, rows, none) {
  if (!rows.length) return el("p", { class: "none" }, none);
  const cell = (role, heading, numeric) => ({ role, "data-heading": heading || null, class: numeric ? "number" : null });
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    el("table", { role: "table" },
      el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, columns.map(([heading, , numeric]) => el("th", cell("columnheader", null, numeric), heading)))),
      el("tbody", { role: "rowgroup" }, rows.map((row) => el("tr", { role: "row" }, columns.map(([heading, shows, numeric]) => el("td", cell("cell", heading, numeric), shows(row) ?? "")))))));
}

const LONG = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const SHORT = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });

/** A time of the hub's, as it is where the reader is; only the hour if it is of today. */
export function time(at) {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return at;
  const today = date.toDateString() === new Date().toDateString();
  return el("time", { datetime: at, title: LONG.format(date) }, (today ? SHORT : LONG).format(date));
}

/** A list that grows to its end: pages of what the hub lists, newest first, with a button for the next one. */
export class Pages {
  constructor({ load, show, id }) {
    this.load = load;
    this.show = show;
    this.id = id;
    this.items = [];
    this.problem = problemLine();
    this.place = el("div");
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
    const id = (item) => JSON.stringify(this.id(item));
    const place = page.items.length ? this.items.findIndex((each) => id(each) === id(page.items.at(-1))) : -1;
    const kept = place < 0 ? [] : this.items.slice(place + 1);
    this.items = [];
    this.add({ items: [...page.items, ...kept], more: kept.length ? !this.more.hidden : page.more });
  }

  async next() {
    const asked = this.asked;
    const page = await this.load(this.id(this.items.at(-1)));
    if (asked === this.asked) this.add(page);
  }

  add(page) {
    this.items.push(...page.items);
    this.more.hidden = !page.more;
    this.place.replaceChildren(this.show(this.items));
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

/** Only the last of many calls in a short time. */
export function soon(act, milliseconds = 150) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(act, milliseconds);
  };
}
