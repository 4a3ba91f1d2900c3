// Money, and what treasurers book.

import assert from "node:assert";
import { elapse, turn } from "./browser.mjs";
import { again, answerAll, last, loggedIn, named, play, refuse, script } from "./world.mjs";

const { money } = await script("money");

const ACCOUNTS = { "ledger.accounts": { items: [] }, "ledger.history": { items: [] }, "ledger.requests": { items: [] } };

async function atTheDesk() {
  const notices = [];
  const hub = await loggedIn("tess");
  const view = money({ hub, username: "tess", roles: ["member", "treasurer"], notice: (...said) => notices.push(said) });
  const card = (title) => view.element.querySelectorAll("section").find((each) => each.querySelector("h2")?.textContent === title);
  const check = async (title, values) => {
    const form = card(title).querySelector("form");
    for (const input of form.querySelectorAll("input")) input.value = values[input.getAttribute("name")] ?? "";
    form.requestSubmit();
    await turn();
  };
  const confirm = async (title) => {
    card(title).querySelector("form").requestSubmit();
    await turn();
  };
  return { view, notices, card, check, confirm };
}

const booked = (transfer, more) => ({ transfer, at: "2026-11-19T18:02:00Z", kind: "deposit", amount: "50.00", currency: "USD", with: "bob", by: "tess", undone: null, memo: "from the jar", ...more });

/** Tess has opened the books: two bookings on pages of their own. */
async function atTheBooks() {
  const { view } = await atTheDesk();
  const books = view.element.querySelector("details");
  books.open = true;
  books.dispatchEvent(new Event("toggle"));
  await answerAll({ "ledger.counterparts": { items: [] }, "ledger.bookings": { items: [booked(8)], more: true } });
  named(books, "More").dispatchEvent(new Event("click"));
  await turn();
  await last().answer("ledger.bookings", { items: [booked(7)], more: false });
  const undo = (transfer) => books.querySelectorAll("button").find((each) => each.getAttribute("aria-label") === `Undo transfer ${transfer}`);
  const ask = async (transfer) => {
    undo(transfer).dispatchEvent(new Event("click"));
    const form = books.querySelector("form");
    form.querySelector("input").value = "it was 5";
    form.requestSubmit();
    await turn();
    return form;
  };
  return { books, undo, ask };
}

const asked = (method) => last().said.filter((each) => each.method === method).map((each) => each.params);

await play({
  async "only treasurers book"() {
    const hub = await loggedIn("alice");
    const { element } = money({ hub, username: "alice", roles: ["member"] });
    assert.ok(!element.textContent.includes("for a member"));
  },

  async "a deposit is made once it is confirmed whose account it goes to, and in which currency"() {
    const { card, check, confirm } = await atTheDesk();
    const title = "Deposit for a member";
    await check(title, { to: "bob", amount: "50", memo: "from the jar" });
    assert.deepEqual(asked("ledger.deposit"), [{ to: "bob", amount: "50", memo: "from the jar", try: true }]);
    await last().answer("ledger.deposit", { transfer: 1, amount: "50.00", currency: "USD", to_name: "bob", try: true });
    assert.ok(card(title).textContent.includes("Deposit 50.00 USD into the first account of bob?Memo: from the jar"));
    // Whoever presses Enter too often has confirmed nothing.
    assert.equal(document.activeElement.tag, "p");
    await confirm(title);
    await confirm(title);
    const [, booked, ...more] = asked("ledger.deposit");
    assert.deepEqual([booked.to, booked.amount, booked.memo, booked.try, more.length], ["bob", "50", "from the jar", undefined, 0]);
    await again();
    await last().answer("auth.resume", { username: "tess", resume: "tess-2" });
    assert.deepEqual(asked("ledger.deposit"), [booked]);
    await last().answer("ledger.deposit", { transfer: 1, amount: "50.00", currency: "USD", to_name: "bob" });
    assert.ok(card(title).textContent.includes("Transfer 1: 50.00 USD to bob."));
    assert.ok(card(title).querySelectorAll("input").every((each) => each.value === ""));
  },

  async "a withdrawal that is refused at last can be confirmed again under its key, or given up with all that was typed"() {
    const { view, notices, card, check, confirm } = await atTheDesk();
    const title = "Withdraw for a member";
    await check(title, { from: "999000000000000027", amount: "50" });
    await last().answer("ledger.withdraw", { transfer: 1, amount: "50.00", currency: "EUR", from_name: "bob", try: true });
    assert.ok(card(title).textContent.includes("Withdraw 50.00 EUR from account 999000000000000027 of bob?"));
    for (let each = 0; each < 2; each += 1) {
      await confirm(title);
      await refuse("ledger.withdraw", "Balance is 10.00 EUR, 50.00 EUR is needed.");
    }
    assert.ok(card(title).textContent.includes("Balance is 10.00 EUR"));
    assert.equal(new Set(asked("ledger.withdraw").slice(1).map((each) => each.key)).size, 1);
    await confirm(title);
    view.element.remove();
    await refuse("ledger.withdraw", "Balance is 10.00 EUR, 50.00 EUR is needed.");
    assert.deepEqual(notices, [["Withdraw for a member: Balance is 10.00 EUR, 50.00 EUR is needed.", "money"]]);
    named(card(title), "Cancel").dispatchEvent(new Event("click"));
    assert.deepEqual(card(title).querySelectorAll("input").map((each) => each.value), ["999000000000000027", "50", ""]);
    await check(title, { from: "bob", amount: "50" });
    await last().answer("ledger.withdraw", { transfer: 1, amount: "50.00", currency: "USD", from_name: "bob", try: true });
    await confirm(title);
    assert.notEqual(asked("ledger.withdraw").at(-1).key, asked("ledger.withdraw")[1].key);
  },

  async "an answer that comes late takes the focus from nobody who writes elsewhere by now"() {
    const { card, check, confirm } = await atTheDesk();
    const title = "Deposit for a member";
    const elsewhere = card("Withdraw for a member").querySelector("input");
    await check(title, { to: "bob", amount: "50" });
    elsewhere.focus();
    await last().answer("ledger.deposit", { transfer: 1, amount: "50.00", currency: "USD", to_name: "bob", try: true });
    assert.equal(document.activeElement, elsewhere);
    await confirm(title);
    await last().answer("ledger.deposit", { transfer: 1, amount: "50.00", currency: "USD", to_name: "bob" });
    assert.ok(card(title).textContent.includes("Transfer 1: 50.00 USD to bob."));
    assert.equal(document.activeElement, elsewhere);
  },

  async "the hub says at once what cannot be booked, beside the field that it is about"() {
    const { card, check } = await atTheDesk();
    const title = "Deposit for a member";
    await check(title, { to: "bob", amount: "1e3" });
    await refuse("ledger.deposit", "amount: '1e3' is not an amount");
    assert.ok(card(title).textContent.includes("'1e3' is not an amount"));
    assert.equal(document.activeElement.getAttribute("name"), "amount");
  },

  async "the books are asked for once somebody looks at them, and a booking is undone where it is listed"() {
    const { view } = await atTheDesk();
    const row = { transfer: 7, at: "2026-11-19T18:02:00Z", kind: "deposit", amount: "50.00", currency: "USD", with: "bob", by: "tess", undone: null, memo: "from the jar" };
    const results = { ...ACCOUNTS, "ledger.counterparts": { items: [{ account: "@cash", currency: "USD", balance: "-50.00" }] }, "ledger.bookings": { items: [row] } };
    view.show();
    await answerAll(results);
    assert.deepEqual(asked("ledger.bookings"), []);
    const books = view.element.querySelector("details");
    books.open = true;
    books.dispatchEvent(new Event("toggle"));
    await answerAll(results);
    assert.ok(books.textContent.includes("-50.00 USD") && books.textContent.includes("from the jar"));
    named(books, "Add up all accounts").dispatchEvent(new Event("click"));
    await last().answer("ledger.trial_balance", { items: [{ currency: "USD", sum: "0.00" }] });
    assert.ok(books.textContent.includes("0.00"));
    named(books, "Undo…").dispatchEvent(new Event("click"));
    assert.ok(books.textContent.includes("Undo transfer 7, the deposit of 50.00 USD for bob?"));
    const form = books.querySelector("form");
    form.querySelector("input").value = "it was 5";
    form.requestSubmit();
    await turn();
    const { transfer, reason } = asked("ledger.reverse")[0];
    assert.deepEqual([transfer, reason], [7, "it was 5"]);
    await last().answer("ledger.reverse", { transfer: 8, of: 7 });
    await answerAll({ ...results, "ledger.bookings": { items: [{ ...row, transfer: 8, kind: "reversal", amount: "-50.00" }, { ...row, undone: 8 }] } });
    assert.equal(books.querySelector("form"), null);
    assert.ok(books.textContent.includes("undone by 8"));
    assert.equal(named(books, "Undo…"), undefined);
    view.event("ledger.received");
    await elapse();
    await answerAll(results);
    assert.ok(named(books, "Undo…"));
  },

  async "what is undone far down the list is not offered to be undone once more"() {
    const { undo, ask, books } = await atTheBooks();
    await ask(7);
    await last().answer("ledger.reverse", { transfer: 9, of: 7 });
    await answerAll({ "ledger.counterparts": { items: [] }, "ledger.bookings": { items: [booked(9, { kind: "reversal" }), booked(8)], more: true } });
    assert.ok(books.textContent.includes("undone by 9"));
    assert.equal(undo(7), undefined);
    assert.ok(undo(8));
  },

  async "whoever asks for the next to be undone while one is on its way keeps what they write"() {
    const { ask, books, undo } = await atTheBooks();
    const first = await ask(7);
    undo(8).dispatchEvent(new Event("click"));
    const second = books.querySelector("form");
    second.querySelector("input").value = "it was 5";
    await last().answer("ledger.reverse", { transfer: 9, of: 7 });
    assert.ok(first !== second && books.querySelector("form") === second);
    assert.equal(document.activeElement, second.querySelector("input"));
  },
});
