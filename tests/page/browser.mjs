// As much of a browser as the page's script needs: its storage, its timers, WebSockets that the test holds the other end of, and elements.

class Storage {
  constructor() {
    this.items = new Map();
  }
  getItem(name) {
    return this.items.get(name) ?? null;
  }
  setItem(name, value) {
    this.items.set(name, String(value));
  }
  clear() {
    this.items.clear();
  }
}

export const sockets = [];

class Socket {
  static OPEN = 1;
  constructor() {
    this.said = [];
    this.readyState = 0;
    sockets.push(this);
  }
  send(message) {
    this.said.push(JSON.parse(message));
  }
  get closed() {
    return this.readyState > 1;
  }
  close() {
    if (this.closed) return;
    this.readyState = 2;
    queueMicrotask(() => this.drop());
  }
  /** What was asked last for a method. */
  asked(method) {
    return this.said.findLast((each) => each.method === method);
  }
  tell(message) {
    this.onmessage?.({ data: JSON.stringify(message) });
    return turn();
  }
  answer(method, result) {
    return this.tell({ jsonrpc: "2.0", id: this.asked(method).id, result });
  }
  event(method, params) {
    return this.tell({ jsonrpc: "2.0", method, params });
  }
  open() {
    this.readyState = 1;
    this.onopen();
    return turn();
  }
  drop() {
    this.readyState = 3;
    this.onclose?.();
    return turn();
  }
}

const timers = new Map();
let number = 0;

/** All that waits for a time happens now: of those that waited when this was called. */
export async function elapse() {
  const due = [...timers];
  timers.clear();
  for (const [, { act }] of due) act();
  await turn();
}

/** How long the first of all that waits for a time has to wait. */
export const due = () => Math.min(...[...timers.values()].map(({ wait }) => wait));

const parts = new Map();

/** What the window hears, by its name; of each event the last that was asked for. */
const listeners = new Map();

/** Something happens to the window: that the device is online, say. */
export async function happen(event) {
  listeners.get(event)?.({});
  await turn();
}

/** A browser in which nothing has happened. */
export function begin() {
  timers.clear();
  parts.clear();
  localStorage.clear();
  sessionStorage.clear();
  sockets.length = 0;
  document.activeElement = document.body;
}

/** All that waits for nothing but its turn. */
export async function turn() {
  for (let each = 0; each < 50; each += 1) await null;
}

/** A text is a string among the children; whatever has the focus loses it when it is taken away, as in a browser. */
export class Element extends EventTarget {
  constructor(tag) {
    super();
    this.tag = tag;
    this.attributes = new Map();
    this.children = [];
    this.parent = null;
    this.isTaken = false;
    this.classList = { add() {}, remove() {}, toggle() {} };
    this.value = "";
    this.scrollHeight = this.scrollTop = this.clientHeight = 0;
  }
  setAttribute(name, value) {
    this.attributes.set(name, String(value));
  }
  getAttribute(name) {
    return this.attributes.get(name) ?? null;
  }
  hasAttribute(name) {
    return this.attributes.has(name);
  }
  removeAttribute(name) {
    this.attributes.delete(name);
  }
  append(...children) {
    for (const each of children) this.insertBefore(each, null);
  }
  insertBefore(child, next) {
    child.remove?.();
    this.children.splice(next === null ? this.children.length : this.children.indexOf(next), 0, child);
    if (child instanceof Element) Object.assign(child, { parent: this, isTaken: false });
  }
  remove() {
    if (this.contains(document.activeElement)) document.activeElement = document.body;
    if (this.parent) this.parent.children.splice(this.parent.children.indexOf(this), 1);
    Object.assign(this, { parent: null, isTaken: true });
  }
  replaceChildren(...children) {
    for (const each of [...this.children]) each.remove?.();
    this.children = [];
    this.append(...children);
  }
  contains(other) {
    return other === this || this.children.some((each) => each.contains?.(other));
  }
  get firstChild() {
    return this.children[0] ?? null;
  }
  get nextSibling() {
    return this.parent?.children[this.parent.children.indexOf(this) + 1] ?? null;
  }
  /** What nobody has put anywhere is what a test looks at. */
  get isConnected() {
    return this.parent?.isConnected ?? !this.isTaken;
  }
  get hidden() {
    return this.hasAttribute("hidden");
  }
  set hidden(hidden) {
    if (hidden) this.setAttribute("hidden", "");
    else this.removeAttribute("hidden");
  }
  get type() {
    return this.getAttribute("type");
  }
  get id() {
    return this.getAttribute("id");
  }
  matches() {
    return false;
  }
  get required() {
    return this.hasAttribute("required");
  }
  /** Of selectors it knows lists of tags, of classes, and of attributes that are there. */
  querySelectorAll(selectors) {
    const matches = (element, each) =>
      each === element.tag ||
      (each[0] === "." && (element.getAttribute("class") ?? "").split(" ").includes(each.slice(1))) ||
      (each[0] === "[" && element.hasAttribute(each.slice(1, -1)));
    const is = (element) => selectors.split(", ").some((each) => matches(element, each));
    const within = (element) => element.children.filter((each) => each instanceof Element).flatMap((each) => [...(is(each) ? [each] : []), ...within(each)]);
    return within(this);
  }
  querySelector(selectors) {
    return this.querySelectorAll(selectors)[0] ?? null;
  }
  set textContent(text) {
    this.replaceChildren(text);
  }
  get textContent() {
    return this.children.map((each) => each.textContent ?? each).join("");
  }
  focus() {
    document.activeElement = this;
  }
  scrollIntoView() {}
  getBoundingClientRect() {
    return { top: 0 };
  }
  reset() {
    for (const each of this.querySelectorAll("input, textarea, select")) each.value = "";
  }
  requestSubmit() {
    this.dispatchEvent(new Event("submit"));
  }
}

Object.assign(globalThis, {
  localStorage: new Storage(),
  sessionStorage: new Storage(),
  WebSocket: Socket,
  addEventListener: (event, listener) => listeners.set(event, listener),
  matchMedia: () => ({ matches: document.byTouch }),
  scrollTo() {},
  innerHeight: 900,
  location: { host: "hub.example", hash: "" },
  document: {
    createElement: (tag) => new Element(tag),
    // What the page is made of stands in index.html.
    getElementById: (id) => parts.get(id) ?? parts.set(id, new Element("div")).get(id),
    addEventListener() {},
    removeEventListener() {},
    hidden: false,
    byTouch: false,
    // It has what nobody has put anywhere.
    body: Object.assign(new Element("body"), { contains: () => true }),
    activeElement: null,
  },
  setTimeout: (act, wait = 0) => timers.set(++number, { act, wait }) && number,
  requestAnimationFrame: (act) => setTimeout(act),
  clearTimeout: (which) => void timers.delete(which),
});
// Node has one of its own, which cannot be assigned to.
Object.defineProperty(globalThis, "navigator", { value: {} });
