// What the page's script does when connections are lost, answers do not come, and others are in other tabs.

import assert from "node:assert";
import { due, elapse, happen, sockets, turn } from "./browser.mjs";
import { again, last, loggedIn, out, play, script } from "./world.mjs";

const { Hub, memory } = await script("hub");

await play({
  async "what the hub could not read is refused to whoever asked it"() {
    const hub = await loggedIn("alice");
    const long = hub.write("chat.say", { room: "lobby", text: "x".repeat(20_000) });
    const next = hub.ask("hub.whoami");
    await last().tell({ jsonrpc: "2.0", id: null, error: { code: -32000, message: "too long", data: { code: "line-too-long" } } });
    await assert.rejects(long, { code: "line-too-long" });
    await last().answer("hub.whoami", { username: "alice" });
    assert.equal((await next).username, "alice");
    await again();
    await last().answer("auth.resume", { username: "alice", resume: "alice-2" });
    assert.equal(last().asked("chat.say"), undefined);
  },

  async "what waits is asked again with its key"() {
    const hub = await loggedIn("alice");
    const paid = hub.write("ledger.transfer", { to: "bob", amount: "1" });
    const { key } = last().asked("ledger.transfer").params;
    await again();
    await last().answer("auth.resume", { username: "alice", resume: "alice-2" });
    assert.equal(memory.token, "alice-2");
    assert.equal(last().asked("ledger.transfer").params.key, key);
    await last().answer("ledger.transfer", { transfer: 1 });
    assert.equal((await paid).transfer, 1);
  },

  async "what may have been done longer ago than the hub knows its key is not asked again, and what was never asked is"() {
    const hub = await loggedIn("alice");
    const paid = hub.write("ledger.transfer", { to: "bob", amount: "1" });
    await last().drop();
    const said = hub.write("chat.say", { room: "lobby", text: "Hello." });
    const { now } = Date;
    Date.now = () => now() + 24 * 3_600_000;
    try {
      await elapse();
      await last().open();
      await last().answer("auth.resume", { username: "alice", resume: "alice-2" });
    } finally {
      Date.now = now;
    }
    await assert.rejects(paid, /whether it was done/);
    assert.equal(last().asked("ledger.transfer"), undefined);
    await last().answer("chat.say", { seq: 1 });
    assert.equal((await said).seq, 1);
  },

  async "nobody goes on as somebody else who has logged in in another tab"() {
    const hub = await loggedIn("alice", { stay: true });
    const paid = hub.write("ledger.transfer", { to: "carol", amount: "1" });
    localStorage.setItem("token", "bob-1");
    await again();
    await last().answer("auth.resume", { username: "bob", resume: "bob-2" });
    await assert.rejects(paid);
    assert.equal(last().asked("ledger.transfer"), undefined);
    assert.ok(last().closed);
    assert.equal(out.length, 1);
    assert.equal(memory.token, "bob-2");
    await elapse();
    assert.equal(sockets.length, 2);
  },

  async "a login of the tab stays one, whoever stays logged in on the device, and forgets only itself"() {
    const hub = await loggedIn("alice");
    localStorage.setItem("token", "bob-1");
    await again();
    assert.equal(last().asked("auth.resume").params.token, "alice-1");
    await last().answer("auth.resume", { username: "alice", resume: "alice-2" });
    const left = hub.leave();
    await last().answer("auth.logout", {});
    await left;
    assert.equal(sessionStorage.getItem("token"), null);
    assert.equal(localStorage.getItem("token"), "bob-1");
  },

  async "a login that is taken up and never answered is tried again"() {
    await loggedIn("alice");
    await again();
    const silent = last();
    await elapse();
    assert.ok(silent.closed);
    await elapse();
    assert.notEqual(last(), silent);
    await last().open();
    assert.equal(last().asked("auth.resume").params.token, "alice-1");
  },

  async "who logs out while it connects can log in again"() {
    const hub = await loggedIn("alice");
    await last().drop();
    await elapse();
    assert.equal(sockets.length, 2);
    await assert.rejects(hub.leave());
    assert.equal(memory.token, null);
    const entering = hub.enter("auth.login", { username: "bob" }, false);
    for (let each = 0; each < 5; each += 1) await null;
    await last().open();
    await last().answer("auth.login", { username: "bob", resume: "bob-1" });
    assert.equal((await entering).username, "bob");
    assert.equal(sockets.length, 3);
  },

  async "a connection that is lost while other tabs have their turn is not taken for one"() {
    let release = null;
    navigator.locks = { request: async (name, ...more) => (name === "resume" ? more.at(-1)().then(() => new Promise((resolve) => (release = resolve))) : more.at(-1)()) };
    try {
      await loggedIn("alice");
      await again();
      const gone = last();
      await gone.answer("auth.resume", { username: "alice", resume: "alice-2" });
      await gone.drop();
      release();
      await elapse();
      await elapse();
      assert.notEqual(last(), gone);
    } finally {
      delete navigator.locks;
    }
  },

  async "a connection that died while the device slept is noticed when somebody looks, or asks"() {
    const states = [];
    const hub = await loggedIn("alice", { state: (text) => states.push(text) });
    const slept = last();
    hub.heard = 0;
    await happen("online");
    assert.ok(slept.asked("hub.ping"));
    await elapse();
    assert.ok(slept.closed);
    await elapse();
    await last().open();
    await last().answer("auth.resume", { username: "alice", resume: "alice-2" });
    const asked = hub.write("ledger.transfer", { to: "bob", amount: "1" });
    assert.ok(hub.owes);
    await turn();
    assert.ok(due() <= 5000);
    await elapse();
    assert.equal(states.at(-1), "The hub does not answer yet…");
    await last().answer("ledger.transfer", { transfer: 1 });
    await asked;
    assert.equal(states.at(-1), "");
    assert.ok(!hub.owes);
    await happen("offline");
    assert.equal(states.at(-1), "This device is offline.");
    await happen("online");
    await last().tell({ jsonrpc: "2.0", id: last().asked("hub.ping").id, result: {} });
    assert.equal(states.at(-1), "");
  },

  async "nothing is said of a connection that nobody has"() {
    const states = [];
    const hub = new Hub("wss://hub.example/ws", { state: (text) => states.push(text), event() {}, back() {}, out() {} });
    const entering = hub.enter("auth.login", { username: "alice" }, false);
    await last().open();
    await elapse();
    assert.equal(states.at(-1), "The hub does not answer yet…");
    await last().drop();
    await assert.rejects(entering);
    assert.equal(states.at(-1), "");
  },

  async "a double of a tab leaves its login to the other one"() {
    const held = new Set();
    navigator.locks = {
      async request(name, ...more) {
        if (held.has(name)) throw new Error("it was waited for long enough");
        if (name !== "resume") held.add(name);
        return more.at(-1)();
      },
    };
    try {
      await loggedIn("alice");
      const double = new Hub("wss://hub.example/ws", { state() {}, event() {}, back() {}, out() {} });
      await assert.rejects(double.resume(), { message: "Your login is that of another tab. Log in here, too." });
      assert.equal(memory.token, null);
      assert.equal(sockets.length, 1);
      await loggedIn("alice", { stay: true });
      const other = new Hub("wss://hub.example/ws", { state() {}, event() {}, back() {}, out() {} });
      other.resume();
      await turn();
      await last().open();
      assert.equal(last().asked("auth.resume").params.token, "alice-1");
    } finally {
      delete navigator.locks;
    }
  },
});
