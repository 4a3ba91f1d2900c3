// What the page's script does when connections are lost, answers do not come, and others are in other tabs. The argument is where it lies.

import assert from "node:assert";
import { pathToFileURL } from "node:url";
import { Element, begin, due, elapse, happen, sockets, turn } from "./browser.mjs";

const at = (name) => import(pathToFileURL(`${process.argv[2]}/${name}.js`));
const { Hub, memory } = await at("hub");
const { chat } = await at("chat");
const { commands } = await at("commands");
const { market } = await at("market");
const { noticeOf } = await at("notices");
const { support } = await at("support");
const { Pages, actor, form, keep, problemLine, redraw, soon } = await at("dom");

const last = () => sockets.at(-1);
const out = [];

async function loggedIn(username, { stay = false, state = () => {}, event = () => {}, back = () => {} } = {}) {
  const hub = new Hub("wss://hub.example/ws", { state, event, back: () => back(), out: (why) => out.push(why) });
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

const message = (seq, more) => ({ room: "lobby", seq, from: "bob", text: `number ${seq}.`, at: "2026-11-19T18:02:00Z", ...more });

/** Somebody who looks at their rooms: the view, where it went, and what it has to write in. */
async function chatting(username = "alice") {
  const went = [];
  const notices = [];
  let view = null;
  const hub = await loggedIn(username, { event: (method, params) => view.event(method, params, true), back: () => view.back() });
  view = chat({ hub, username, show: (where) => went.push(where), notice: (text) => notices.push(text) });
  const open = async (room, items = []) => {
    const shown = view.show(room);
    await last().answer("chat.log", { items, more: false });
    await shown;
    await elapse();
  };
  const write = async (text) => {
    view.element.querySelector("textarea").value = text;
    view.element.querySelectorAll("form").at(-1).requestSubmit();
    await turn();
  };
  return { hub, view, went, notices, open, write, written: () => view.element.querySelector("textarea").value };
}

/** Answer all that was asked with what there is for it, until nothing more is asked. */
async function answerAll(results) {
  const answered = new Set();
  for (let open = true; open;) {
    open = last().said.filter((each) => each.method in results && !answered.has(each.id)).length > 0;
    for (const { id, method } of [...last().said]) {
      if (!(method in results) || answered.has(id)) continue;
      answered.add(id);
      await last().tell({ jsonrpc: "2.0", id, result: results[method] });
    }
  }
}

/** The hub says no to what was asked last for a method. */
const refuse = (method, text, code = "conflict") => last().tell({ jsonrpc: "2.0", id: last().asked(method).id, error: { code: -32000, message: text, data: { code } } });

const named = (element, text) => element.querySelectorAll("button").find((each) => each.textContent === text);

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

  async "a room that is looked at is as it is at the hub when the connection is back, with what was changed and removed"() {
    let view = null;
    const hub = await loggedIn("alice", { event: (method, params) => view.event(method, params, true), back: () => view.back() });
    view = chat({ hub, username: "alice", show() {} });
    const shown = view.show("lobby");
    await last().answer("chat.log", { items: [message(2), message(1)], more: false });
    await shown;
    await last().event("chat.message", message(3));
    await again();
    await last().answer("auth.resume", { username: "alice", resume: "alice-2" });
    await last().answer("chat.rooms", { items: [{ room: "lobby", topic: "" }] });
    await last().answer("chat.conversations", { items: [] });
    await last().answer("chat.unread", { items: [] });
    await last().answer("chat.log", { items: [message(5), message(4), message(3, { text: "", removed: "mona" }), message(2, { text: "another text" })], more: true });
    await last().event("chat.message", message(6));
    await elapse();
    const { textContent } = view.element;
    for (const each of ["another text", "removed by mona", "number 4.", "number 5.", "number 6."]) assert.ok(textContent.includes(each), each);
    for (const each of ["number 1.", "number 2.", "number 3."]) assert.ok(!textContent.includes(each), each);
  },

  async "direct conversations are listed though nothing is unread there, as the hub knows them"() {
    const hub = await loggedIn("alice");
    const view = chat({ hub, username: "alice", show() {} });
    const shown = view.show("");
    await last().answer("chat.rooms", { items: [] });
    await last().answer("chat.conversations", { items: [{ room: "@bob", unread: 0 }] });
    await last().answer("chat.unread", { items: [{ room: "@carol", unread: 2 }] });
    await shown;
    const { textContent } = view.element;
    for (const each of ["@bob", "@carol", "2"]) assert.ok(textContent.includes(each), each);
  },

  async "a room that was not looked at is asked for when it is, without gaps"() {
    let view = null;
    const hub = await loggedIn("alice", { event: (method, params) => view.event(method, params, true) });
    view = chat({ hub, username: "alice", show() {} });
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
    const { view, went, open } = await chatting();
    await open("lobby");
    named(view.element, "Leave").dispatchEvent(new Event("click"));
    view.show("garden");
    await last().answer("chat.part", {});
    assert.deepEqual(went, []);
    assert.ok(view.element.textContent.includes("garden"));
  },

  async "what one did by a command is seen when one is back in the room"() {
    const { view, open } = await chatting();
    await open("lobby", [message(2), message(1)]);
    view.hide();
    await open("lobby", [message(2, { text: "", removed: "alice" }), message(1)]);
    assert.ok(view.element.textContent.includes("removed by alice"));
    assert.ok(!view.element.textContent.includes("number 2."));
  },

  async "Enter sends; on a phone it begins a line, which nothing else does there"() {
    const press = (view) => view.element.querySelector("textarea").dispatchEvent(Object.assign(new Event("keydown", { cancelable: true }), { key: "Enter" }));
    const atDesk = await chatting();
    await atDesk.open("lobby");
    assert.equal(press(atDesk.view), false);
    document.byTouch = true;
    try {
      const onPhone = await chatting();
      await onPhone.open("lobby");
      assert.equal(press(onPhone.view), true);
      assert.notEqual(document.activeElement.tag, "textarea");
    } finally {
      document.byTouch = false;
    }
  },

  async "a button that was needed no more does not take the focus with it"() {
    const { view } = await chatting();
    const shown = view.show("lobby");
    await last().answer("chat.log", { items: [message(3)], more: true });
    await shown;
    const older = named(view.element, "Older");
    older.focus();
    older.dispatchEvent(new Event("click"));
    await last().answer("chat.log", { items: [message(2), message(1)], more: false });
    assert.ok(older.hidden);
    assert.equal(document.activeElement, view.element.querySelector("ol"));
    const pages = new Pages({ load: async ({ before }) => ({ items: [before ? 1 : 2], more: !before }), id: (before) => ({ before }), show: (items) => items.join(" ") });
    await pages.first();
    pages.more.focus();
    await pages.next();
    assert.equal(pages.place.textContent, "2 1");
    assert.equal(document.activeElement, pages.place);
  },

  async "a room is the same one whatever capitals its address has"() {
    const { view, open } = await chatting();
    await open("lobby", [message(1)]);
    view.show("Lobby");
    assert.equal(view.element.querySelector(".rooms").children.length, 1);
    assert.ok(view.element.textContent.includes("number 1."));
  },

  async "what was read elsewhere is asked for once, however much it was"() {
    const { view } = await chatting();
    for (let seq = 1; seq <= 3; seq += 1) await last().event("chat.message", message(seq));
    const before = last().said.length;
    for (let seq = 1; seq <= 3; seq += 1) await last().event("chat.marked", { room: "lobby", seq });
    await elapse();
    assert.deepEqual(last().said.slice(before).map(({ method }) => method).filter((each) => each.startsWith("chat.")), ["chat.unread"]);
    await last().answer("chat.unread", { items: [] });
    assert.ok(!view.element.textContent.includes("unread"));
  },

  async "what was begun in one room is not said in another"() {
    const { view, open, written } = await chatting();
    await open("lobby");
    view.element.querySelector("textarea").value = "half a thought";
    await open("@carol");
    assert.equal(written(), "");
    view.hide();
    await open("lobby");
    assert.equal(written(), "half a thought");
  },

  async "on a bad line one goes on writing, and sees what is on its way"() {
    const { view, open, write, written } = await chatting();
    await open("lobby", [message(1)]);
    await last().drop();
    await write("one");
    assert.equal(written(), "");
    await write("two");
    const shown = view.element.querySelector("ol").textContent;
    assert.ok(shown.indexOf("one") < shown.indexOf("two") && shown.includes("on its way"));
    await elapse();
    await last().open();
    await last().answer("auth.resume", { username: "alice", resume: "alice-2" });
    const said = last().said.filter((each) => each.method === "chat.say");
    assert.deepEqual(said.map((each) => each.params.text), ["one", "two"]);
    for (const [place, { id }] of said.entries()) await last().tell({ jsonrpc: "2.0", id, result: { seq: 2 + place, at: "2026-11-19T18:02:00Z" } });
    assert.ok(!view.element.textContent.includes("on its way"));
    assert.equal(view.element.querySelectorAll("li").filter((each) => each.textContent.includes("two")).length, 1);
  },

  async "what is refused is there to be mended, in front of what was written since"() {
    const { view, open, write, written, notices } = await chatting();
    await open("lobby");
    const refuse = (text) => last().tell({ jsonrpc: "2.0", id: last().asked("chat.say").id, error: { code: -32000, message: text, data: { code: "forbidden" } } });
    await write("one");
    view.element.querySelector("textarea").value = "two";
    await refuse("you are muted");
    assert.equal(written(), "one\ntwo");
    assert.ok(view.element.textContent.includes("you are muted"));
    await write("three");
    await open("@carol");
    await refuse("you are muted");
    assert.equal(written(), "");
    assert.deepEqual(notices, ["lobby: you are muted"]);
    await open("lobby");
    assert.equal(written(), "three");
  },

  async "what was refused stands in the order in which it was written"() {
    const { view, open, write, written } = await chatting();
    await open("lobby");
    await write("one");
    await write("two");
    view.element.querySelector("textarea").value = "three";
    for (const { id } of last().said.filter((each) => each.method === "chat.say")) {
      await last().tell({ jsonrpc: "2.0", id, error: { code: -32000, message: "you are muted", data: { code: "forbidden" } } });
    }
    assert.equal(written(), "one\ntwo\nthree");
    await write("one, two, three");
    await write("four");
    await open("@carol");
    for (const { id } of last().said.filter((each) => each.method === "chat.say").slice(2)) {
      await last().tell({ jsonrpc: "2.0", id, error: { code: -32000, message: "you are muted", data: { code: "forbidden" } } });
    }
    await open("lobby");
    assert.equal(written(), "one, two, three\nfour");
  },

  async "what was on its way when somebody logged out is told to nobody"() {
    const { hub, view, open, write, notices } = await chatting();
    await open("lobby");
    await write("one");
    view.hide();
    const left = hub.leave();
    await last().answer("auth.logout", {});
    await left;
    await turn();
    assert.deepEqual(notices, []);
  },

  async "older messages are not put before others than those that they were asked for"() {
    const { view, open } = await chatting();
    const shown = view.show("lobby");
    await last().answer("chat.log", { items: [message(60)], more: true });
    await shown;
    named(view.element, "Older").dispatchEvent(new Event("click"));
    const asked = last().asked("chat.log").id;
    view.hide();
    await open("lobby", [message(90), message(89)]);
    await last().tell({ jsonrpc: "2.0", id: asked, result: { items: [message(59), message(58)], more: true } });
    assert.ok(!view.element.textContent.includes("number 59."));
  },

  async "of a room only what is new is drawn, and said to who cannot see it"() {
    const { view, open } = await chatting();
    await open("lobby", [message(2), message(1)]);
    const spoken = () => view.element.querySelectorAll("[aria-live]").at(-1).textContent;
    assert.equal(spoken(), "");
    const [first] = view.element.querySelector("ol").children;
    await last().event("chat.message", message(3));
    await elapse();
    assert.equal(view.element.querySelector("ol").children[0], first);
    assert.equal(spoken(), "bob: number 3.");
    for (let seq = 4; seq < 20; seq += 1) await last().event("chat.message", message(seq));
    await elapse();
    assert.equal(spoken(), "16 new messages");
    await last().event("chat.edited", { room: "lobby", seq: 1, text: "another text", at: "2026-11-19T18:03:00Z" });
    assert.ok(view.element.querySelector("ol").children[0].textContent.includes("another text"));
  },

  async "whom one cannot write to is said where the name was written, and stands in no list"() {
    const { view, went } = await chatting();
    const [begin] = view.element.querySelectorAll("form");
    begin.querySelector("input").value = " @Nobody ";
    begin.requestSubmit();
    await turn();
    assert.equal(last().asked("chat.log").params.room, "@nobody");
    await last().tell({ jsonrpc: "2.0", id: last().asked("chat.log").id, error: { code: -32000, message: "there is no member nobody", data: { code: "not-found" } } });
    assert.ok(begin.textContent.includes("there is no member nobody"));
    assert.deepEqual(went, []);
    view.show("@nobody");
    await last().tell({ jsonrpc: "2.0", id: last().asked("chat.log").id, error: { code: -32000, message: "there is no member nobody", data: { code: "not-found" } } });
    assert.equal(view.element.querySelector("ul").children.length, 0);
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

  async "a button that waits keeps the focus, and is not pressed twice"() {
    let release = null;
    let pressed = 0;
    const pay = actor("Pay", () => new Promise((resolve) => (pressed += 1, release = resolve)), problemLine());
    const press = () => pay.dispatchEvent(new Event("click"));
    press();
    press();
    assert.equal(pressed, 1);
    assert.ok(!pay.hasAttribute("disabled") && pay.hasAttribute("aria-disabled"));
    release();
    await turn();
    press();
    assert.equal(pressed, 2);
  },

  async "a form says that it waits, and keeps what is written meanwhile"() {
    let answer = null;
    const made = form({ label: "Pay", fields: [{ name: "to", label: "To" }], submit: () => new Promise((resolve, reject) => (answer = { resolve, reject })) });
    const send = async (to) => {
      made.inputs.to.value = to;
      made.element.requestSubmit();
      await turn();
      await elapse();
      assert.ok(made.element.textContent.includes("Waiting for the hub"));
    };
    await send("bob");
    made.inputs.to.value = "carol";
    answer.resolve("Paid.");
    await turn();
    assert.equal(made.inputs.to.value, "carol");
    await send("dave");
    answer.resolve("Paid.");
    await turn();
    assert.equal(made.inputs.to.value, "");
    await send("erin");
    answer.reject(Object.assign(new Error("to: there is no member erin"), { told: true }));
    await turn();
    assert.ok(!made.element.textContent.includes("Waiting") && made.element.textContent.includes("there is no member erin"));
    assert.equal(document.activeElement, made.inputs.to);
  },

  async "the next payment is from the same account"() {
    const made = form({ label: "Pay", fields: [{ name: "to", label: "To" }, { name: "from", label: "From", kind: "choice", options: [], stays: true }], submit: () => "Paid." });
    made.inputs.to.value = "bob";
    made.inputs.from.value = "999000000000000027";
    made.element.requestSubmit();
    await turn();
    assert.deepEqual([made.inputs.to.value, made.inputs.from.value], ["", "999000000000000027"]);
  },

  async "a case is not about an order whose number was not understood"() {
    const hub = await loggedIn("alice");
    const view = support({ hub, username: "alice", roles: ["member"] });
    view.show("");
    const asks = view.element.querySelector("form");
    asks.querySelector("textarea").value = "It never came.";
    asks.querySelector("input").value = "twelve";
    asks.requestSubmit();
    await turn();
    assert.equal(last().asked("support.ask"), undefined);
    assert.equal(document.activeElement, asks.querySelector("input"));
  },

  async "of a long answer a screen reader is told that it is there"() {
    const hub = await loggedIn("alice");
    const view = commands({ hub });
    view.show("ledger.history");
    await last().answer("rpc.discover", { methods: [{ name: "ledger.history", summary: "List.", params: [], "x-access": "members" }] });
    view.element.querySelectorAll("form").at(-1).requestSubmit();
    await turn();
    await last().answer("ledger.history", { items: [{ transfer: 1, memo: "for lunch" }] });
    const said = view.element.querySelectorAll("[role]").filter((each) => each.getAttribute("role") === "status").map((each) => each.textContent);
    assert.deepEqual(said, ["Done; the answer is below."]);
    assert.ok(view.element.textContent.includes("for lunch"));
  },

  async "what is drawn anew keeps the focus on what is called the same"() {
    const place = new Element("div");
    const made = (text) => {
      const element = new Element("a");
      element.append(text);
      return element;
    };
    redraw(place, made("one"), made("two"));
    place.children[1].focus();
    redraw(place, made("two"), made("three"));
    assert.equal(document.activeElement, place.children[0]);
    redraw(place, made("four"));
    assert.equal(document.activeElement, place);
    const list = new Element("ul");
    const show = ({ name, unread }) => {
      const item = new Element("li");
      item.append(made(`${name} ${unread}`));
      return item;
    };
    keep(list, [{ name: "a", unread: 0 }, { name: "b", unread: 0 }], ({ name }) => name, show);
    const [, kept] = list.children;
    list.children[0].children[0].focus();
    keep(list, [{ name: "c", unread: 0 }, { name: "b", unread: 0 }, { name: "a", unread: 1 }], ({ name }) => name, show);
    assert.deepEqual(list.children.map((each) => each.textContent), ["c 0", "b 0", "a 1"]);
    assert.equal(list.children[1], kept);
    assert.equal(document.activeElement, list.children[2].children[0]);
  },

  async "what happens all the time is told of all the same"() {
    let told = 0;
    const tell = soon(() => (told += 1));
    for (let each = 0; each < 3; each += 1) tell();
    await elapse();
    assert.equal(told, 1);
    tell();
    await elapse();
    assert.equal(told, 2);
  },

  async "a seller takes the next step of an order where it is listed"() {
    const hub = await loggedIn("sam");
    const view = market({ hub, username: "sam", roles: ["member", "seller"] });
    const queued = { order: 7, at: "2026-11-19T18:02:00Z", status: "placed", customer: "alice", deliver_to: "Room 5", note: "", items: [{ sku: "coffee", quantity: 2 }] };
    const results = { "orders.catalog": { items: [] }, "orders.list": { items: [] }, "loyalty.card": { points: 0, tier: "bronze", order_count: 0, rewards: [] }, "orders.queue": { items: [queued] } };
    view.show();
    await answerAll(results);
    assert.ok(view.element.textContent.includes("2 coffee"));
    named(view.element, "Accept").dispatchEvent(new Event("click"));
    const { order, status } = last().asked("orders.advance").params;
    assert.deepEqual([order, status], [7, "accepted"]);
    await last().answer("orders.advance", {});
    await answerAll({ ...results, "orders.queue": { items: [{ ...queued, status: "accepted" }] } });
    assert.ok(named(view.element, "Prepare"));
    assert.equal(market({ hub, username: "bob", roles: ["member"] }).element.textContent.includes("Orders with you"), false);
  },

  async "what is put into the basket is said, and what it costs is asked with reward and code"() {
    const hub = await loggedIn("alice");
    const view = market({ hub, username: "alice", roles: ["member"] });
    const coffee = { sku: "coffee", name: "Coffee", seller: "sam", price: "3.50", currency: "USD", stock: 9, tags: [] };
    view.show();
    await answerAll({ "orders.catalog": { items: [coffee] }, "orders.list": { items: [] }, "loyalty.card": { points: 0, tier: "bronze", order_count: 0, rewards: [] } });
    for (let each = 0; each < 2; each += 1) named(view.element, "Add").dispatchEvent(new Event("click"));
    assert.ok(view.element.textContent.includes("2 × Coffee in the basket."));
    const quantity = view.element.querySelectorAll("input").find((each) => each.getAttribute("class") === "few");
    quantity.focus();
    quantity.value = "3";
    quantity.dispatchEvent(new Event("change"));
    assert.equal(document.activeElement, quantity);
    const code = view.element.querySelectorAll("input").find((each) => each.getAttribute("name") === "code");
    code.value = "AUTUMN";
    code.dispatchEvent(new Event("change"));
    await elapse();
    assert.deepEqual(last().asked("orders.place").params, { items: [{ sku: "coffee", quantity: 3 }], code: "AUTUMN", try: true });
  },

  async "an agent answers in the cases of others, and asks in their own"() {
    const hub = await loggedIn("ada");
    const badges = [];
    const view = support({ hub, username: "ada", roles: ["member", "agent"], badge: (name, count) => badges.push(count) });
    const log = { items: [{ seq: 1, from: "bob", text: "Help!", at: "2026-11-19T18:02:00Z" }] };
    const write = async (text) => {
      view.element.querySelector("textarea").value = text;
      view.element.querySelector("form").requestSubmit();
      await turn();
    };
    view.show("2");
    await answerAll({ "support.show": { ticket: 2, customer: "bob", status: "waiting", position: 1, agent: "", stars: 0 }, "support.log": log });
    assert.ok(view.element.textContent.includes("of bob, waiting"));
    assert.ok(!named(view.element, "Take").hidden);
    assert.equal(last().asked("support.read"), undefined);
    await write("We look into it.");
    assert.equal(last().asked("support.reply").params.ticket, 2);
    view.show("3");
    await answerAll({ "support.show": { ticket: 3, customer: "ada", status: "open", position: null, agent: "otto", stars: 0 }, "support.log": log });
    assert.ok(named(view.element, "Take").hidden && named(view.element, "Close").hidden);
    assert.equal(last().asked("support.read").params.ticket, 3);
    await write("Thank you.");
    assert.equal(last().asked("support.ask").params.ticket, 3);
    view.event("support.unread", { tickets: [{ ticket: 3, unread: 2 }] }, false);
    assert.equal(badges.at(-1), 2);
    view.show("4");
    await answerAll({ "support.show": { ticket: 4, customer: "bob", status: "open", position: null, agent: "otto", stars: 0 }, "support.log": log });
    assert.ok(view.element.querySelector("form").hidden);
    view.show("999");
    await last().tell({ jsonrpc: "2.0", id: last().asked("support.show").id, error: { code: -32000, message: "there is no ticket 999", data: { code: "not-found" } } });
    assert.ok(view.element.textContent.includes("there is no ticket 999"));
  },

  async "what was begun in a case is there when one comes back to it"() {
    const hub = await loggedIn("alice");
    const view = support({ hub, username: "alice", roles: ["member"] });
    const field = () => view.element.querySelector("textarea");
    const fill = () => answerAll({ "support.show": { customer: "alice", status: "open", position: null, agent: "otto", stars: 0 }, "support.log": { items: [] }, "support.read": {}, "support.tickets": { items: [] } });
    view.show("1");
    await fill();
    field().value = "half a thought";
    view.show("2");
    assert.equal(field().value, "");
    await fill();
    view.show("");
    await fill();
    view.show("1");
    await fill();
    assert.equal(field().value, "half a thought");
    view.element.querySelector("form").requestSubmit();
    await turn();
    view.show("2");
    await fill();
    const read = () => last().said.filter((each) => each.method === "support.read" && each.params.ticket === 1).length;
    const before = read();
    await last().answer("support.ask", {});
    await elapse();
    await fill();
    assert.equal(read(), before);
    view.show("1");
    assert.equal(field().value, "");
  },

  async "what was said in a case is not there to be said again because it could not be shown"() {
    const hub = await loggedIn("alice");
    const view = support({ hub, username: "alice", roles: ["member"] });
    const shown = { customer: "alice", status: "open", position: null, agent: "otto", stars: 0 };
    view.show("1");
    await answerAll({ "support.show": shown, "support.log": { items: [] }, "support.read": {} });
    const field = view.element.querySelector("textarea");
    field.value = "Thank you.";
    view.element.querySelector("form").requestSubmit();
    await turn();
    await last().answer("support.ask", {});
    await elapse();
    await last().answer("support.show", shown);
    await last().answer("support.log", { items: [] });
    await last().tell({ jsonrpc: "2.0", id: last().asked("support.read").id, error: { code: -32000, message: "the disk is full", data: { code: "unavailable" } } });
    assert.equal(field.value, "");
    assert.ok(view.element.textContent.includes("the disk is full"));
  },

  async "what is refused is told of where one is meanwhile, and stands where it was written"() {
    const hub = await loggedIn("alice");
    const notices = [];
    const view = support({ hub, username: "alice", roles: ["member"], notice: (...said) => notices.push(said) });
    const shown = { "support.show": { customer: "alice", status: "open", position: null, agent: "otto", stars: 0 }, "support.log": { items: [] }, "support.read": {} };
    const reply = async () => {
      view.element.querySelector("textarea").value = "Thank you.";
      view.element.querySelector("form").requestSubmit();
      await turn();
    };
    view.show("1");
    await answerAll(shown);
    await reply();
    await refuse("support.ask", "case 1 is closed");
    assert.deepEqual(notices, []);
    await reply();
    view.show("2");
    await refuse("support.ask", "case 1 is closed");
    assert.deepEqual(notices, [["Case 1: case 1 is closed", "support/1"]]);
    view.show("1");
    assert.equal(view.element.querySelector("textarea").value, "Thank you.");
    assert.ok(view.element.textContent.includes("case 1 is closed"));
  },

  async "another version of the hub offers its page, and what happened to one is nothing for whoever comes next"() {
    await import(`${pathToFileURL(`${process.argv[2]}/app.js`)}?anew`);
    const [main, notices] = ["main", "notices"].map((id) => document.getElementById(id));
    main.querySelector("input").value = "alice";
    main.querySelector("form").requestSubmit();
    await turn();
    await last().open();
    await last().answer("auth.login", { username: "alice", resume: "alice-1" });
    await last().answer("hub.whoami", { username: "alice", roles: ["member"], account: "999000000000000027" });
    await last().answer("hub.version", { version: "1.0.0" });
    await last().event("ledger.received", { from_name: "bob", amount: "1.00", currency: "USD", memo: "for lunch" });
    assert.ok(notices.textContent.includes("bob paid you 1.00 USD: for lunch"));
    await again();
    await last().answer("auth.resume", { username: "alice", resume: "alice-2" });
    await last().answer("hub.version", { version: "1.1.0" });
    assert.ok(named(notices, "Load its page"));
    document.getElementById("logout").dispatchEvent(new Event("click"));
    await turn();
    await last().answer("auth.logout", {});
    assert.equal(notices.textContent, "");
    assert.ok(named(main, "Log in"));
  },

  async "a notice says in words what happened"() {
    assert.deepEqual(noticeOf("support.waiting", { waiting: 4, since: "2026-11-19T18:02:00Z" }, { username: "ada" }), ["4 cases wait for an agent", "support"]);
    assert.deepEqual(noticeOf("ledger.reversed", { transfer: 4, of: 3, to_name: "bob", amount: "1.00", currency: "USD", reason: "twice", balance: "0.00" }, { username: "ada" }),
      ["1.00 USD that you had received went back to bob: twice", "money"]);
    assert.deepEqual(noticeOf("dice.rolled", { sides: 6, by: "bob", note: "" }, { username: "ada" }), ["dice.rolled: sides 6, by bob"]);
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
};

for (const [name, test] of Object.entries(tests)) {
  begin();
  out.length = 0;
  let said = "it waits for something that never comes";
  test().then(() => (said = ""), (error) => (said = error.stack));
  for (let each = 0; each < 10_000 && said; each += 1) await new Promise(setImmediate);
  if (said) {
    console.error(`${name}: ${said}`);
    process.exitCode = 1;
  }
}
