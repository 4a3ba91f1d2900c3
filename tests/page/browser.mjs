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
  for (const [, act] of due) act();
  await turn();
}

/** A browser in which nothing has happened. */
export function begin() {
  timers.clear();
  localStorage.clear();
  sessionStorage.clear();
  sockets.length = 0;
}

/** All that waits for nothing but its turn. */
export async function turn() {
  for (let each = 0; each < 50; each += 1) await null;
}

class Element extends EventTarget {
  constructor() {
    super();
    this.attributes = new Map();
    this.children = [];
    this.classList = { add() {}, remove() {}, toggle() {} };
    this.hidden = false;
    this.value = "";
    this.scrollHeight = this.scrollTop = this.clientHeight = 0;
  }
  setAttribute(name, value) {
    this.attributes.set(name, String(value));
  }
  removeAttribute(name) {
    this.attributes.delete(name);
  }
  append(...children) {
    this.children.push(...children);
  }
  replaceChildren(...children) {
    this.children = children;
  }
  get required() {
    return this.attributes.has("required");
  }
  set textContent(text) {
    this.children = [text];
  }
  get textContent() {
    return this.children.map((each) => each.textContent ?? each).join("");
  }
  focus() {}
  reset() {}
}

Object.assign(globalThis, {
  localStorage: new Storage(),
  sessionStorage: new Storage(),
  WebSocket: Socket,
  addEventListener() {},
  document: { createElement: () => new Element(), addEventListener() {}, hidden: false },
  setTimeout: (act) => timers.set(++number, act) && number,
  requestAnimationFrame: (act) => setTimeout(act),
  clearTimeout: (which) => void timers.delete(which),
});
// Node has one of its own, which cannot be assigned to.
Object.defineProperty(globalThis, "navigator", { value: {} });
