// The connection to the hub: JSON-RPC over a WebSocket, which comes back by itself.

const PATIENCE = 20_000; // for an answer to a ping, and for a connection
const QUIET = 45_000; // after so long without a word, it is seen whether the connection still lives
const DUE = 5_000; // the same where an answer is waited for
const RELOADED = 2_000; // in which a tab that is reloaded is gone
const SLOWEST = 30_000; // between two tries to connect
const KNOWN = 23 * 3_600_000; // the hub knows a key for a day; what was asked with it longer ago would be done once more

/** The hub says no. */
export class Refusal extends Error {
  constructor({ message, data }) {
    super(message);
    this.told = true;
    this.code = data?.code ?? "internal";
    this.data = data ?? {};
  }
}

/** The connection was lost, and nobody knows whether it was done. */
export class Lost extends Error {
  constructor(message = "The connection was lost before an answer came.") {
    super(message);
    this.told = true;
  }
}

/**
 * Where the token is kept that stands for the login: in this tab, or on this device if the person asked to stay logged in. A login of the tab
 * comes first: somebody else may have asked to stay logged in meanwhile, in another tab.
 */
export const memory = {
  get place() {
    return sessionStorage.getItem("token") === null && localStorage.getItem("token") !== null ? localStorage : sessionStorage;
  },
  get token() {
    return this.place.getItem("token");
  },
  begin(token, stay) {
    sessionStorage.clear();
    const place = stay ? localStorage : sessionStorage;
    place.clear();
    place.setItem("token", token);
    if (!stay) place.setItem("tab", crypto.randomUUID());
  },
  /**
   * Whether this tab is the one that has its login, and not a double that somebody has made of it, who finds the token of the other: it would be
   * used twice, which ends the login of both. A tab that was reloaded is soon gone.
   */
  own() {
    if (this.place !== sessionStorage || !navigator.locks) return true;
    return new Promise((resolve) => {
      const kept = () => resolve(true) ?? new Promise(() => {});
      navigator.locks.request(`tab/${sessionStorage.getItem("tab")}`, { signal: AbortSignal.timeout(RELOADED) }, kept).catch(() => resolve(false));
    });
  },
  keep(token) {
    this.place.setItem("token", token);
  },
  forget() {
    this.place.clear();
  },
};

/**
 * `on.state(text)`: what to say of the connection; empty if all is well. `on.event(method, params)`: an event. `on.back()`: it was lost, and
 * is there again. `on.out(reason)`: the login is over.
 */
export class Hub {
  constructor(url, on) {
    this.url = url;
    this.on = on;
    this.socket = null;
    this.ready = null;
    this.waiting = new Map();
    this.number = 0;
    this.wait = 1000;
    this.loggedIn = false;
    this.username = null;
    this.heard = 0; // when something came last
    this.said = ""; // of the connection
    addEventListener("online", () => this.wake());
    addEventListener("offline", () => this.ready && this.tell("This device is offline."));
    document.addEventListener("visibilitychange", () => !document.hidden && this.wake());
  }

  /** Whether something waits that would be done, and that nobody would hear of if the page went. */
  get owes() {
    return [...this.waiting.values()].some((each) => each.writes);
  }

  /** Somebody is there, or the line is: see whether the connection lives, as one that went while this device slept was never closed. */
  wake() {
    if (!this.loggedIn) return;
    if (this.ready) {
      if (this.said || Date.now() - this.heard > DUE) this.check(2 * DUE);
    } else if (!this.connecting) this.retry();
  }

  /**
   * Ask the hub. What has a key, or only looks, is asked again when the connection is lost before an answer came; with the key it happens once
   * all the same, as long as the hub knows that. `once` is for what may not be asked again.
   */
  async ask(method, params = {}, { once = false } = {}) {
    if (!this.loggedIn) await this.connect();
    return new Promise((resolve, reject) => {
      const id = ++this.number;
      const message = JSON.stringify({ jsonrpc: "2.0", id, method, params });
      const asked = { method, message, once, writes: "key" in params, since: null, resolve, reject };
      this.waiting.set(id, asked);
      if (this.ready) {
        this.send(asked);
        if (this.waiting.size === 1) this.listen();
      } else if (once) this.waiting.delete(id) && reject(new Lost());
    });
  }

  /** @param asked: what waits for its answer; `since` is when it was asked first. */
  send(asked) {
    asked.since ??= Date.now();
    this.socket.send(asked.message);
  }

  /** Ask for something that changes something, under a key of its own if it has none. */
  write(method, params = {}) {
    return this.ask(method, { key: crypto.randomUUID(), ...params });
  }

  /** Log in, or become a member, and stay so whatever happens to the connection. */
  async enter(method, params, stay) {
    const result = await this.ask(method, params, { once: true });
    memory.begin(result.resume, stay);
    memory.own();
    this.loggedIn = true;
    this.username = result.username;
    return result;
  }

  /** Go on with the login of before, if there is one; whether there was. */
  async resume() {
    if (memory.token === null) return false;
    if (!(await memory.own())) {
      memory.forget();
      throw new Lost("Your login is that of another tab. Log in here, too.");
    }
    this.loggedIn = true;
    try {
      await this.connect();
    } catch (error) {
      if (!this.loggedIn) return false;
      this.later(error);
      await new Promise((resolve) => (this.whenBack = resolve));
    }
    return this.loggedIn;
  }

  async leave() {
    try {
      await this.ask("auth.logout", {}, { once: true });
    } finally {
      // Without a connection, too: nobody else is to go on from here.
      this.over("");
    }
  }

  tell(text) {
    this.said = text;
    this.on.state(text);
  }

  connect() {
    this.connecting ??= this.open().finally(() => (this.connecting = null));
    return this.connecting;
  }

  async open() {
    if (this.ready) return;
    clearTimeout(this.timer);
    if (this.loggedIn) this.tell("Connecting…");
    const socket = new WebSocket(this.url);
    this.socket = socket;
    await new Promise((resolve, reject) => {
      const late = setTimeout(() => socket.close(), PATIENCE);
      socket.onopen = () => clearTimeout(late) || resolve();
      socket.onclose = () => clearTimeout(late) || reject(new Lost("The hub cannot be reached."));
    });
    socket.onmessage = (event) => this.take(JSON.parse(event.data));
    socket.onclose = () => this.lost(socket);
    if (this.loggedIn) await this.comeBack(socket);
    // It may have been lost, or somebody may have logged out, while other tabs had their turn.
    if (socket !== this.socket || socket.readyState !== WebSocket.OPEN) throw new Lost();
    this.ready = true;
    this.wait = 1000;
    this.tell("");
    for (const [id, asked] of this.waiting) {
      if (asked.writes && asked.since !== null && Date.now() - asked.since > KNOWN) {
        this.waiting.delete(id);
        asked.reject(new Lost("The connection was lost for a day. Look whether it was done before you ask again."));
      } else this.send(asked);
    }
    this.listen();
    this.whenBack?.();
  }

  /** Take up the login again. Tabs that share one do so one after the other: each use of a token makes a new one. */
  async comeBack(socket) {
    const resume = async () => {
      if (socket !== this.socket) throw new Lost();
      const token = memory.token;
      if (token === null) throw new Refusal({ message: "You have logged out in another tab.", data: { code: "bad-credentials" } });
      const id = ++this.number;
      let late;
      const result = await new Promise((resolve, reject) => {
        late = setTimeout(() => reject(new Lost()), PATIENCE);
        this.waiting.set(id, { once: true, resolve, reject });
        socket.send(JSON.stringify({ jsonrpc: "2.0", id, method: "auth.resume", params: { token } }));
      }).finally(() => clearTimeout(late) || this.waiting.delete(id));
      memory.keep(result.resume);
      this.username ??= result.username;
      if (result.username === this.username) return;
      // What waits here is not theirs to do, and the token theirs to keep.
      this.end("Somebody else has logged in here, in another tab.");
      throw new Lost();
    };
    try {
      await (navigator.locks ? navigator.locks.request("resume", resume) : resume());
    } catch (error) {
      if (error instanceof Refusal && error.code === "bad-credentials") this.over(memory.token === null ? error.message : "Your login here is over.");
      if (error instanceof Refusal && error.code === "locked") this.over(error.message);
      socket.onclose = null;
      socket.close();
      throw error;
    }
  }

  take(message) {
    this.heard = Date.now();
    if (this.ready && this.said) this.tell("");
    this.understand(message);
    this.listen();
  }

  understand(message) {
    if (message.method) {
      this.on.event(message.method, message.params);
      return;
    }
    // What the hub could not read it answers without a number. As answers come in order, it was the oldest.
    const id = message.id ?? this.waiting.keys().next().value;
    const asked = this.waiting.get(id);
    if (!asked) return;
    this.waiting.delete(id);
    if (message.error) {
      const refusal = new Refusal(message.error);
      asked.reject(refusal);
      if (refusal.code === "not-logged-in" && this.loggedIn) this.over("Your login here is over.");
      return;
    }
    // A new password brings a new token; the one of before is good no more.
    if (asked.method === "auth.passwd") memory.keep(message.result.resume);
    asked.resolve(message.result);
    if (asked.method === "auth.logout") this.over("");
  }

  /** A connection that is gone without a word is noticed, and not only when somebody wants something. */
  listen() {
    clearTimeout(this.quiet);
    if (this.ready) this.quiet = setTimeout(() => this.check(this.waiting.size ? QUIET : PATIENCE), this.waiting.size ? DUE : QUIET);
  }

  /** See whether the connection lives: it is lost if nothing comes in so long. A long answer over a bad line takes its time. */
  check(patience) {
    clearTimeout(this.quiet);
    if (this.waiting.size) this.tell("The hub does not answer yet…");
    const { socket } = this;
    this.quiet = setTimeout(() => this.lost(socket), patience);
    socket.send(JSON.stringify({ jsonrpc: "2.0", id: ++this.number, method: "hub.ping" }));
  }

  lost(socket) {
    if (socket !== this.socket) return;
    socket.onclose = socket.onmessage = null;
    socket.close();
    clearTimeout(this.quiet);
    const wasReady = this.ready;
    this.ready = null;
    for (const [id, { once, reject }] of this.waiting) {
      if (once || !this.loggedIn) this.waiting.delete(id) && reject(new Lost());
    }
    if (!this.loggedIn) this.tell("");
    else if (wasReady) this.later();
  }

  later(error) {
    this.tell(error instanceof Refusal ? `${error.message}; trying again…` : "Not connected; trying again…");
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.retry(), this.wait * (0.75 + Math.random() / 2));
    this.wait = Math.min(this.wait * 2, SLOWEST);
  }

  retry() {
    clearTimeout(this.timer);
    this.connect().then(() => this.on.back(), (error) => this.loggedIn && this.later(error));
  }

  over(reason) {
    if (!this.loggedIn) return;
    memory.forget();
    this.end(reason);
  }

  end(reason) {
    this.loggedIn = false;
    this.username = null;
    clearTimeout(this.timer);
    clearTimeout(this.quiet);
    for (const { reject } of this.waiting.values()) reject(new Lost());
    this.waiting.clear();
    const socket = this.socket;
    this.ready = this.socket = null;
    if (socket) {
      // Its end is still heard: something may wait for its beginning.
      socket.onmessage = null;
      socket.close();
    }
    this.tell("");
    this.on.out(reason);
    this.whenBack?.();
  }
}
