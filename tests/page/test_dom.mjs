// What the views are made of.

import assert from "node:assert";
import { Element, elapse, turn } from "./browser.mjs";
import { chatting, last, message, named, play, script } from "./world.mjs";

const { Pages, actor, form, keep, problemLine, redraw, soon } = await script("dom");

await play({
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
    const pages = new Pages({ load: async ({ before }) => ({ items: [before ? 1 : 2], more: !before }), id: (item) => item, show: (items) => items.join(" ") });
    await pages.first();
    pages.more.focus();
    await pages.next();
    assert.equal(pages.place.textContent, "2 1");
    assert.equal(document.activeElement, pages.place);
  },

  async "a list that looks through much goes on where it stopped looking, and not where it found something last"() {
    const asked = [];
    const found = [{ items: [], more: true, next: "m" }, { items: ["n"], more: true, next: "s" }, { items: ["t"], more: true }, { items: [] }];
    const pages = new Pages({ load: async (more) => (asked.push(more.before), found[asked.length - 1]), id: (item) => item, show: (items) => items.join(" ") });
    await pages.first();
    while (!pages.more.hidden) await pages.next();
    assert.deepEqual(asked, [undefined, "m", "s", "t"]);
    assert.equal(pages.place.textContent, "n t");
  },

  async "a list that has changed goes on behind what was shown"() {
    const asked = [];
    const found = [{ items: [9], more: true, next: 7 }, { items: [6], more: true, next: 4 }, { items: [10, 9], more: true, next: 8 }, { items: [] }];
    const pages = new Pages({ load: async (more) => (asked.push(more.before), found[asked.length - 1]), id: (item) => item, show: (items) => items.join(" ") });
    await pages.first();
    await pages.next();
    await pages.again();
    await pages.next();
    assert.deepEqual(asked, [undefined, 7, undefined, 4]);
    assert.equal(pages.place.textContent, "10 9 6");
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

  async "a form that keeps what was written leaves no password on the screen"() {
    const fields = [{ name: "username", label: "Username" }, { name: "password", label: "Password", kind: "password" }];
    const { element, inputs } = form({ label: "Do it", keeps: true, fields, submit: async () => "Done." });
    inputs.username.value = "bob";
    inputs.password.value = "staple-battery-horse";
    element.dispatchEvent(new Event("submit"));
    await turn();
    assert.deepEqual([inputs.username.value, inputs.password.value], ["bob", ""]);
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

  async "what is refused late takes the focus from nobody who writes elsewhere by now"() {
    let refuse = null;
    const made = form({ label: "Pay", fields: [{ name: "to", label: "To" }], submit: () => new Promise((_, reject) => (refuse = reject)) });
    const [elsewhere, around] = [new Element("input"), new Element("main")];
    around.append(made.element);
    for (const [at, then] of [[elsewhere, elsewhere], [around, made.inputs.to]]) {
      made.element.requestSubmit();
      at.focus();
      refuse(Object.assign(new Error("to: there is no member erin"), { told: true }));
      await turn();
      assert.ok(made.element.textContent.includes("there is no member erin"));
      assert.equal(document.activeElement, then);
    }
  },

  async "what is on its way cannot be given up any more, as it would be done all the same"() {
    let release = null;
    let given = 0;
    const made = form({ label: "Deposit", fields: [], submit: () => new Promise((resolve) => (release = resolve)), cancel: () => (given += 1) });
    const giveUp = () => {
      named(made.element, "Cancel").dispatchEvent(new Event("click"));
      made.element.dispatchEvent(Object.assign(new Event("keydown"), { key: "Escape" }));
    };
    made.element.requestSubmit();
    giveUp();
    assert.equal(given, 0);
    assert.ok(named(made.element, "Cancel").hasAttribute("aria-disabled"));
    release();
    await turn();
    giveUp();
    assert.equal(given, 2);
  },

  async "the next payment is from the same account"() {
    const made = form({ label: "Pay", fields: [{ name: "to", label: "To" }, { name: "from", label: "From", kind: "choice", options: [], stays: true }], submit: () => "Paid." });
    made.inputs.to.value = "bob";
    made.inputs.from.value = "999000000000000027";
    made.element.requestSubmit();
    await turn();
    assert.deepEqual([made.inputs.to.value, made.inputs.from.value], ["", "999000000000000027"]);
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
});
