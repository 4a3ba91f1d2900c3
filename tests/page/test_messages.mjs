// What can be done with a message where it stands.

import assert from "node:assert";
import { elapse, turn } from "./browser.mjs";
import { chatting, last, message, named, play, refuse } from "./world.mjs";

const press = (element, key, more) => element.dispatchEvent(Object.assign(new Event("keydown", { cancelable: true }), { key, ...more }));
const click = (element) => element.dispatchEvent(new Event("click"));
const item = (view, seq) => view.element.querySelector("ol").children.find((each) => each.textContent.includes(`message ${seq}`));
const opener = (view, seq) => item(view, seq).querySelector("[aria-haspopup]");

/** What the menu of a message has. */
function choices(view, seq) {
  click(opener(view, seq));
  const found = item(view, seq).querySelectorAll("[role]").filter((each) => each.getAttribute("role") === "menuitem").map((each) => each.textContent);
  click(opener(view, seq));
  return found;
}

/** Choose something in the menu of a message; the form that asks more. */
function choose(view, seq, what) {
  click(opener(view, seq));
  click(named(item(view, seq), what));
  return item(view, seq).querySelector("form");
}

async function send(form) {
  form.requestSubmit();
  await turn();
}

const own = (seq, more) => message(seq, { from: "alice", ...more });

await play({
  async "one's own message is changed where it stands"() {
    const { view, open } = await chatting();
    await open("lobby", [message(2), own(1)]);
    const form = choose(view, 1, "Edit");
    const field = form.querySelector("textarea");
    assert.equal(document.activeElement, field);
    assert.equal(field.value, "number 1.");
    assert.ok(!item(view, 1).textContent.includes("number 1."));
    field.value = "another text";
    assert.equal(press(field, "Enter"), false);
    await turn();
    const { room, seq, text, key } = last().asked("chat.edit").params;
    assert.deepEqual([room, seq, text], ["lobby", 1, "another text"]);
    assert.ok(key);
    await last().answer("chat.edit", {});
    assert.ok(item(view, 1).textContent.includes("another text") && item(view, 1).textContent.includes("changed"));
    assert.equal(document.activeElement, opener(view, 1));
    assert.equal(view.element.querySelector("[aria-live]").textContent, "Message 1 is changed.");
  },

  async "a message that was not changed after all is not asked to be, and Escape gives up"() {
    const { view, open } = await chatting();
    await open("lobby", [own(1)]);
    await send(choose(view, 1, "Edit"));
    assert.equal(item(view, 1).querySelector("form"), null);
    const form = choose(view, 1, "Edit");
    form.querySelector("textarea").value = "another text";
    press(form, "Escape", { isComposing: true });
    assert.ok(item(view, 1).querySelector("form"));
    press(form, "Escape");
    assert.ok(item(view, 1).textContent.includes("number 1."));
    assert.equal(document.activeElement, opener(view, 1));
    assert.equal(last().asked("chat.edit"), undefined);
  },

  async "the arrow up in an empty field changes what one has said last, and leads back"() {
    const { view, open } = await chatting();
    const receipt = { from: "alice", to: "bob", amount: "1.00", currency: "USD", transfer: 1 };
    await open("lobby", [message(5), own(4, { text: "", removed: "mona" }), own(3, { receipt }), own(2), own(1)]);
    const compose = view.element.querySelectorAll("textarea").at(-1);
    compose.focus();
    compose.value = "half a thought";
    assert.equal(press(compose, "ArrowUp"), true);
    compose.value = "";
    assert.equal(press(compose, "ArrowUp"), false);
    const form = item(view, 2).querySelector("form");
    assert.equal(document.activeElement, form.querySelector("textarea"));
    compose.focus();
    press(compose, "ArrowUp");
    assert.equal(document.activeElement, form.querySelector("textarea"));
    press(form, "Escape");
    assert.equal(document.activeElement, compose);
    await open("@carol", []);
    assert.equal(press(compose, "ArrowUp"), true);
  },

  async "what is refused is said in the message, and what is written there stays, whatever happens meanwhile"() {
    const { view, open, notices } = await chatting();
    await open("lobby", [own(1)]);
    const form = choose(view, 1, "Edit");
    const field = form.querySelector("textarea");
    field.value = "another text";
    await last().event("chat.edited", { room: "lobby", seq: 1, from: "alice", text: "from a phone", at: "2026-11-19T18:03:00Z" });
    assert.equal(document.activeElement, field);
    await send(form);
    await refuse("chat.edit", "you are muted in lobby");
    assert.ok(item(view, 1).textContent.includes("you are muted in lobby"));
    await send(form);
    await open("@carol", []);
    await refuse("chat.edit", "you are muted in lobby");
    assert.deepEqual(notices, ["lobby: you are muted in lobby"]);
    view.hide();
    await open("lobby", [own(1, { text: "", removed: "mona", reason: "too loud" })]);
    assert.equal(item(view, 1).querySelector("textarea").value, "another text");
    assert.ok(item(view, 1).textContent.includes("removed by mona: too loud"));
    press(form, "Escape");
    assert.ok(item(view, 1).textContent.includes("removed by mona: too loud"));
  },

  async "what is written while a change waits for its answer is there to be saved, too"() {
    const { view, open } = await chatting();
    await open("lobby", [own(1)]);
    const form = choose(view, 1, "Edit");
    const field = form.querySelector("textarea");
    field.value = "one";
    await send(form);
    field.value = "one, two";
    await last().answer("chat.edit", {});
    assert.equal(field.value, "one, two");
    await send(form);
    assert.equal(last().asked("chat.edit").params.text, "one, two");
    await last().answer("chat.edit", {});
    assert.ok(item(view, 1).textContent.includes("one, two"));
  },

  async "a removal asks first, and Enter alone removes nothing"() {
    const { view, open } = await chatting();
    await open("lobby", [own(2), own(1)]);
    choose(view, 1, "Remove…");
    assert.equal(document.activeElement, named(item(view, 1), "Cancel"));
    click(document.activeElement);
    assert.ok(item(view, 1).textContent.includes("number 1."));
    const form = choose(view, 1, "Remove…");
    assert.equal(form.querySelector("input"), null);
    form.focus();
    await send(form);
    await last().answer("chat.remove", {});
    assert.ok(item(view, 1).textContent.includes("removed by alice"));
    assert.equal(opener(view, 1), null);
    assert.equal(document.activeElement, view.element.querySelector("ol"));
  },

  async "whoever keeps order removes the messages of others and says why, as soon as they may and no longer"() {
    const { view, open } = await chatting();
    const fill = async (operator) => {
      await last().answer("chat.rooms", { items: [{ room: "lobby", topic: "", operator }] });
      await last().answer("chat.conversations", { items: [{ room: "@bob" }] });
      await last().answer("chat.unread", { items: [] });
    };
    await open("lobby", [message(1)]);
    assert.deepEqual(choices(view, 1), ["Report…"]);
    await fill(true);
    assert.deepEqual(choices(view, 1), ["Report…", "Remove…"]);
    const form = choose(view, 1, "Remove…");
    assert.equal(document.activeElement, form.querySelector("input"));
    form.querySelector("input").value = "too loud";
    await send(form);
    const { room, seq, reason } = last().asked("chat.remove").params;
    assert.deepEqual([room, seq, reason], ["lobby", 1, "too loud"]);
    await last().answer("chat.remove", {});
    assert.ok(item(view, 1).textContent.includes("removed by alice: too loud"));
    assert.deepEqual(choices(view, 1), ["Report…"]);
    await last().event("chat.message", message(2));
    await elapse();
    assert.deepEqual(choices(view, 2), ["Report…", "Remove…"]);
    await last().event("chat.moderated", { room: "lobby", act: "dismiss", by: "mona", username: "alice" });
    assert.deepEqual(choices(view, 2), ["Report…"]);
    await last().event("chat.moderated", { room: "lobby", act: "appoint", by: "mona", username: "alice" });
    assert.deepEqual(choices(view, 2), ["Report…", "Remove…"]);
    await open("@bob", [message(1)]);
    assert.deepEqual(choices(view, 1), ["Report…"]);
  },

  async "a moderator keeps order in every room, and between two nobody does"() {
    const { view, open } = await chatting({ roles: ["member", "moderator"] });
    await open("lobby", [message(1)]);
    assert.deepEqual(choices(view, 1), ["Report…", "Remove…"]);
    await open("@bob", [message(1)]);
    assert.deepEqual(choices(view, 1), ["Report…"]);
  },

  async "a report says why, and that it was made"() {
    const { view, open, notices } = await chatting();
    await open("@bob", [message(1)]);
    const form = choose(view, 1, "Report…");
    form.querySelector("input").value = "rude";
    await send(form);
    const { room, seq, reason } = last().asked("chat.report").params;
    assert.deepEqual([room, seq, reason], ["@bob", 1, "rude"]);
    await last().answer("chat.report", { report: 1 });
    assert.deepEqual(notices, ["The moderators will look at message 1 of bob."]);
    assert.equal(item(view, 1).querySelector("form"), null);
  },

  async "the menus are reached by the keyboard: one by Tab, the others by the arrows"() {
    const { view, open } = await chatting({ roles: ["member", "moderator"] });
    await open("lobby", [message(3), own(2), message(1)]);
    const reached = () => [1, 2, 3].filter((seq) => opener(view, seq).getAttribute("tabindex") === "0");
    assert.deepEqual(reached(), [3]);
    const list = view.element.querySelector("ol");
    const walk = (from, key) => list.dispatchEvent(Object.defineProperty(Object.assign(new Event("keydown", { cancelable: true }), { key }), "target", { value: from }));
    opener(view, 3).focus();
    assert.equal(walk(opener(view, 3), "ArrowUp"), false);
    assert.equal(document.activeElement, opener(view, 2));
    assert.deepEqual(reached(), [2]);
    walk(opener(view, 2), "Home");
    assert.equal(document.activeElement, opener(view, 1));
    assert.equal(walk(opener(view, 1), "ArrowUp"), true);
    click(opener(view, 1));
    assert.equal(opener(view, 1).getAttribute("aria-expanded"), "true");
    assert.equal(document.activeElement.textContent, "Report…");
    const menu = opener(view, 1).parent;
    for (const [key, shown] of [["ArrowDown", "Remove…"], ["ArrowDown", "Report…"], ["ArrowUp", "Remove…"], ["Home", "Report…"], ["End", "Remove…"]]) {
      press(menu, key);
      assert.equal(document.activeElement.textContent, shown);
    }
    press(menu, "Escape");
    assert.equal(opener(view, 1).getAttribute("aria-expanded"), "false");
    assert.equal(document.activeElement, opener(view, 1));
    click(opener(view, 1));
    menu.dispatchEvent(Object.assign(new Event("focusout"), { relatedTarget: list }));
    assert.equal(opener(view, 1).getAttribute("aria-expanded"), "false");
  },

  async "what somebody writes in a message stays in sight while others speak"() {
    const { view, open } = await chatting();
    await open("lobby", [message(2), own(1)]);
    const list = view.element.querySelector("ol");
    const form = choose(view, 1, "Edit");
    Object.assign(list, { scrollHeight: 1000, clientHeight: 400, scrollTop: 600 });
    await last().event("chat.message", message(3));
    await elapse();
    assert.equal(list.scrollTop, 600);
    press(form, "Escape");
    await last().event("chat.message", message(4));
    await elapse();
    assert.equal(list.scrollTop, 1000);
  },
});
