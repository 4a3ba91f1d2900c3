// Cases, for those who ask and those who answer.

import assert from "node:assert";
import { elapse, turn } from "./browser.mjs";
import { answerAll, last, loggedIn, named, play, refuse, script } from "./world.mjs";

const { support } = await script("support");

await play({
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
    await refuse("support.show", "there is no ticket 999");
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
    await refuse("support.read", "the disk is full");
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
});
