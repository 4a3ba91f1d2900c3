// Accounts, payments, requests for money.

import { Pages, actor, el, form, problemLine, reason, redraw, say, soon, table, time } from "./dom.js";
import { treasury } from "./treasury.js";

export function money(app) {
  const { hub } = app;
  const accounts = el("div");
  const requests = el("div");
  const problem = problemLine();
  const requestProblem = problemLine();
  let chosen = "";

  const AMOUNT = { name: "amount", label: "Amount", required: true, inputmode: "decimal", placeholder: "12.50" };
  const pay = form({
    label: "Pay",
    fields: [
      { name: "to", label: "To", required: true, autocapitalize: "none", spellcheck: "false", hint: "A username, or an account number." },
      AMOUNT,
      { name: "memo", label: "Memo", hint: "What it is for; the other side sees it." },
      { name: "from", label: "From", kind: "choice", options: [], stays: true },
    ],
    async submit(values) {
      const done = await hub.write("ledger.transfer", values);
      fill();
      return `Transfer ${done.transfer}: ${done.amount} ${done.currency} to ${done.to_name ?? values.to}. Balance ${done.balance} ${done.currency}.`;
    },
    missed: (text) => app.notice(`Your payment: ${text}`, "money"),
  });
  const ask = form({
    label: "Ask for it",
    fields: [{ name: "from", label: "From", required: true, autocapitalize: "none", spellcheck: "false", hint: "The username of who is to pay." }, AMOUNT, { name: "memo", label: "Memo" }],
    async submit(values) {
      const done = await hub.write("ledger.request", values);
      fill();
      return `${done.from} is asked for ${done.amount} ${done.currency}.`;
    },
    missed: (text) => app.notice(`Your request for money: ${text}`, "money"),
  });

  const history = new Pages({
    load: (more) => hub.ask("ledger.history", { ...(chosen && { account: chosen }), ...more }),
    id: (item) => item.transfer,
    show: (items) =>
      table("History", [
        ["When", (row) => time(row.at)],
        ["With", (row) => row.with],
        ["What", (row) => row.memo || row.kind],
        ["Amount", (row) => `${row.amount} ${row.currency}`, true],
        ["Balance", (row) => row.balance, true],
      ], items, "Nothing has moved on this account."),
  });
  const which = el("select", { "aria-label": "Account", on: { change: () => ((chosen = which.value), history.first()) } });

  async function fillAccounts() {
    const { items, more } = await hub.ask("ledger.accounts", { limit: 200 });
    redraw(accounts, table("Accounts", [
      ["Name", (row) => row.name],
      ["Account", (row) => el("code", {}, row.account)],
      ["Balance", (row) => el("strong", {}, `${row.balance} ${row.currency}`), true],
    ], items, "You have no account."), more ? el("p", { class: "hint" }, "There are more: Commands, ledger.accounts.") : "");
    const options = () => items.map((each) => el("option", { value: each.account }, `${each.name}, ${each.balance} ${each.currency}`));
    for (const select of [which, pay.inputs.from]) {
      const before = select.value;
      select.replaceChildren(...options());
      select.value = items.some((each) => each.account === before) ? before : (items[0]?.account ?? "");
    }
    chosen = which.value;
    which.hidden = pay.rows.from.hidden = items.length < 2;
  }

  async function fillRequests() {
    const { items } = await hub.ask("ledger.requests", { limit: 100 });
    const act = (label, method, row, properties) => actor(label, async () => {
      await hub.write(method, { request: row.request });
      await Promise.all([fillRequests(), fill()]);
    }, requestProblem, { "aria-label": `${label}: ${row.amount} ${row.currency}, ${row.from} to ${row.to}`, ...properties });
    redraw(requests, table("Open requests", [
      ["Who", (row) => (row.from === app.username ? `${row.to} asks you` : `you ask ${row.from}`)],
      ["Amount", (row) => `${row.amount} ${row.currency}`, true],
      ["Memo", (row) => row.memo],
      ["Until", (row) => time(row.expires)],
      ["", (row) => (row.from === app.username
        ? el("span", { class: "buttons" }, act("Pay", "ledger.accept", row), act("Refuse", "ledger.refuse", row, { class: "quiet" }))
        : act("Recall", "ledger.recall", row, { class: "quiet" }))],
    ], items, "Nobody asks for anything."));
  }

  async function fill() {
    say(problem, "");
    try {
      await fillAccounts();
      await Promise.all([history.again(), fillRequests(), desk?.fill()]);
    } catch (error) {
      say(problem, reason(error));
    }
  }

  const desk = app.roles.includes("treasurer") ? treasury(app) : null;
  const fillSoon = soon(fill);
  let filled = false;
  const element = el("div", { class: "view" },
    el("h1", {}, "Money"),
    problem,
    desk?.element,
    el("section", { class: "card" }, el("h2", {}, "Accounts"), accounts),
    el("div", { class: "columns" },
      el("section", { class: "card" }, el("h2", {}, "Pay somebody"), pay.element),
      el("section", { class: "card" }, el("h2", {}, "Ask somebody for money"), ask.element)),
    el("section", { class: "card" }, el("h2", {}, "Open requests"), requests, requestProblem),
    el("section", { class: "card" }, el("div", { class: "head" }, el("h2", {}, "History"), which), history.element));

  return {
    element,
    show() {
      if (!filled) {
        filled = true;
        return fill();
      }
    },
    hide() {
      // Orders and commands move money, too.
      filled = false;
    },
    back: fillSoon,
    look: fillSoon,
    event(method) {
      if (method.startsWith("ledger.")) fillSoon();
    },
  };
}
