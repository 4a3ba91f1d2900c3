// Rooms and direct conversations, as the page shows them.

import assert from "node:assert";
import { elapse, turn } from "./browser.mjs";
import { again, chatting, last, loggedIn, message, named, play, refuse, script } from "./world.mjs";

const { chat } = await script("chat");

await play({
  async "a room that is looked at is as it is at the hub when the connection is back, with what was changed and removed"() {
    let view = null;
    const hub = await loggedIn("alice", { event: (method, params) => view.event(method, params, true), back: () => view.back() });
    view = chat({ hub, username: "alice", roles: ["member"], show() {} });
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
    const view = chat({ hub, username: "alice", roles: ["member"], show() {} });
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
    view = chat({ hub, username: "alice", roles: ["member"], show() {} });
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
    view = chat({ hub, username: "alice", roles: ["member"], show() {} });
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

  async "a room is the same one whatever capitals its address has"() {
    const { view, open } = await chatting();
    await open("lobby", [message(1)]);
    view.show("Lobby");
    assert.equal(view.element.querySelector(".rooms").children.length, 1);
    assert.ok(view.element.textContent.includes("number 1."));
  },

  async "a room that was joined in another tab is in the list"() {
    const { view } = await chatting();
    await last().event("chat.joined", { room: "garden", username: "bob" });
    await last().event("chat.joined", { room: "lobby", username: "alice" });
    await elapse();
    await last().answer("chat.rooms", { items: [{ room: "lobby", topic: "", operator: false }] });
    await last().answer("chat.conversations", { items: [] });
    await last().answer("chat.unread", { items: [] });
    assert.deepEqual(view.element.querySelector(".rooms").children.map((each) => each.textContent), ["lobby"]);
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
    await write("one");
    view.element.querySelector("textarea").value = "two";
    await refuse("chat.say", "you are muted");
    assert.equal(written(), "one\ntwo");
    assert.ok(view.element.textContent.includes("you are muted"));
    await write("three");
    await open("@carol");
    await refuse("chat.say", "you are muted");
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
    await refuse("chat.log", "there is no member nobody");
    assert.ok(begin.textContent.includes("there is no member nobody"));
    assert.deepEqual(went, []);
    view.show("@nobody");
    await refuse("chat.log", "there is no member nobody");
    assert.equal(view.element.querySelector("ul").children.length, 0);
  },
});
