// What the page's script does when connections are lost, answers do not come, and others are in other tabs. The argument is where it lies.

import assert from "node:assert";
import { pathToFileURL } from "node:url";
import { begin, elapse, sockets } from "./browser.mjs";

const at = (name) => import(pathToFileURL(`${process.argv[2]}/${name}.js`));
const { Hub, memory } = await at("hub");
const { chat } = await at("chat");

const last = () => sockets.at(-1);
const out = [];

async function loggedIn(username, { stay = false, event = () => {}, back = () => {} } = {}) {
  const hub = new Hub("wss://hub.example/ws", { state() {}, event, back: () => back(), out: (why) => out.push(why) });
  const entering = hub.enter("auth.login", { username }, stay);
  await last().open();
  await last().answer("auth.login", { username, resume: `${username}-1` });
  await entering;
  return hub;
}

/** The connection is lost, and comes back as far as the login. */
async function again() {
  await last().drop();
  await elapse();
  await last().open();
}

const tests = {
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
    navigator.locks = { request: (_, act) => act().then(() => new Promise((resolve) => (release = resolve))) };
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

  async "a room that is looked at misses nothing, though others speak before it has caught up"() {
    let view = null;
    const hub = await loggedIn("alice", { event: (method, params) => view.event(method, params, true), back: () => view.back() });
    view = chat({ hub, username: "alice", show() {} });
    const message = (seq) => ({ room: "lobby", seq, from: "bob", text: `number ${seq}`, at: "2026-11-19T18:02:00Z" });
    const shown = view.show("lobby");
    await last().answer("chat.log", { items: [message(2), message(1)], more: false });
    await shown;
    await last().event("chat.message", message(3));
    await again();
    await last().answer("auth.resume", { username: "alice", resume: "alice-2" });
    await last().event("chat.message", message(9));
    await last().answer("chat.rooms", { items: [{ room: "lobby", topic: "" }] });
    await last().answer("chat.unread", { items: [] });
    assert.equal(last().asked("chat.join").params.since, 3);
  },

  async "a room that was not looked at is asked for when it is, without gaps"() {
    let view = null;
    const hub = await loggedIn("alice", { event: (method, params) => view.event(method, params, true) });
    view = chat({ hub, username: "alice", show() {} });
    const message = (seq) => ({ room: "lobby", seq, from: "bob", text: `number ${seq}`, at: "2026-11-19T18:02:00Z" });
    await last().event("chat.message", message(1));
    const shown = view.show("lobby");
    await last().answer("chat.log", { items: [message(60), message(59)], more: true });
    await shown;
    const texts = () => view.element.textContent;
    assert.ok(texts().includes("number 59") && !texts().includes("number 1 "));
    assert.ok(!/number 1(?!\d)/.test(texts()));
  },

  async "of thousands of messages some are kept, and they are drawn together"() {
    let view = null;
    const hub = await loggedIn("alice", { event: (method, params) => view.event(method, params, true) });
    view = chat({ hub, username: "alice", show() {} });
    const message = (seq) => ({ room: "lobby", seq, from: "bob", text: `number ${seq}.`, at: "2026-11-19T18:02:00Z" });
    const shown = view.show("lobby");
    await last().answer("chat.log", { items: [message(1)], more: false });
    await shown;
    for (let seq = 2; seq <= 3000; seq += 1) last().event("chat.message", message(seq));
    assert.ok(!view.element.textContent.includes("number 2."));
    await elapse();
    const drawn = view.element.textContent.match(/number \d+\./g);
    assert.equal(drawn.at(-1), "number 3000.");
    assert.ok(drawn.length <= 1000 && drawn.length >= 500);
    assert.ok(view.element.textContent.includes("Older"));
  },

  async "leaving a room leaves that one, whatever is looked at when the answer comes"() {
    let view = null;
    const went = [];
    const hub = await loggedIn("alice");
    view = chat({ hub, username: "alice", show: (where) => went.push(where) });
    view.show("lobby");
    await last().answer("chat.log", { items: [], more: false });
    const find = (element, text) => (element.textContent === text && element.attributes ? element : (element.children ?? []).map((each) => find(each, text)).find(Boolean));
    find(view.element, "Leave").dispatchEvent(new Event("click"));
    view.show("garden");
    await last().answer("chat.part", {});
    assert.deepEqual(went, []);
    assert.ok(view.element.textContent.includes("garden"));
  },
};

for (const [name, test] of Object.entries(tests)) {
  begin();
  out.length = 0;
  let said = "it waits for something that never comes";
  test().then(() => (said = ""), (error) => (said = error.stack));
  for (let each = 0; each < 20; each += 1) await new Promise(setImmediate);
  if (said) {
    console.error(`${name}: ${said}`);
    process.exitCode = 1;
  }
}
