// For treasurers: cash that members bring or are given, and what the books say.

import { Pages, actor, button, el, form, isFree, problemLine, reason, redraw, say, table, time } from "./dom.js";

const AMOUNT = { name: "amount", label: "Amount", required: true, inputmode: "decimal", placeholder: "12.50" };
const MEMO = { name: "memo", label: "Memo", hint: "The member sees it." };
const member = (name, label) => ({ name, label, required: true, autocapitalize: "none", spellcheck: "false", hint: "A username, for their first account, or an account number." });

export function treasury(app) {
  const { hub } = app;

  /** A form that books money. The hub says what it would do, and does it when that is confirmed: once, however often. */
  function booking({ title, label, method, fields, asks, told }) {
    const place = el("div");
    const done = el("p", { class: "done", role: "status", hidden: true });
    const missed = (text) => app.notice(`${title}: ${text}`, "money");
    const entry = form({
      label: "Check",
      keeps: true,
      fields,
      async submit(values) {
        say(done, "");
        confirm({ ...values, key: crypto.randomUUID() }, await hub.ask(method, { ...values, try: true }));
      },
      missed,
    });

    function confirm(values, would) {
      const question = el("p", { tabindex: "-1" }, asks(values, would), values.memo && [el("br"), `Memo: ${values.memo}`]);
      const sure = form({
        label,
        fields: [],
        async submit() {
          const booked = await hub.write(method, values);
          entry.element.reset();
          back();
          say(done, told(booked));
          fill();
        },
        missed,
        cancel: back,
      });
      sure.element.insertBefore(question, sure.element.firstChild);
      // Not a button: whoever holds the Enter key would confirm unread.
      show(sure, question);
    }

    function back() {
      show(entry, Object.values(entry.inputs)[0]);
    }

    function show(asked, first) {
      const free = isFree(place);
      place.replaceChildren(asked.element);
      if (free) first.focus();
    }

    place.append(entry.element);
    return el("section", { class: "card" }, el("h2", {}, title), place, done);
  }

  const priced = (of) => `${of.amount} ${of.currency}`;
  const whose = (given, name) => [/^\d/.test(given) ? `account ${given} of ` : "the first account of ", el("strong", {}, name)];
  const deposit = booking({
    title: "Deposit for a member",
    label: "Deposit",
    method: "ledger.deposit",
    fields: [member("to", "To"), AMOUNT, MEMO],
    asks: (values, would) => ["Deposit ", el("strong", {}, priced(would)), " into ", ...whose(values.to, would.to_name), "?"],
    told: (booked) => `Transfer ${booked.transfer}: ${priced(booked)} to ${booked.to_name}.`,
  });
  const withdrawal = booking({
    title: "Withdraw for a member",
    label: "Withdraw",
    method: "ledger.withdraw",
    fields: [member("from", "From"), AMOUNT, MEMO],
    asks: (values, would) => ["Withdraw ", el("strong", {}, priced(would)), " from ", ...whose(values.from, would.from_name), "?"],
    told: (booked) => `Transfer ${booked.transfer}: ${priced(booked)} from ${booked.from_name}.`,
  });

  const cash = el("div");
  const sums = el("div");
  const undoing = el("div");
  const problem = problemLine();
  const bookings = new Pages({
    load: (more) => hub.ask("ledger.bookings", more),
    id: (item) => item.transfer,
    show: (items) =>
      table("Bookings", [
        ["Transfer", (row) => row.transfer],
        ["When", (row) => time(row.at)],
        ["Member", (row) => row.with],
        ["What", (row) => [row.memo || row.kind, row.undone && el("span", { class: "hint" }, ` undone by ${row.undone}`)]],
        ["By", (row) => row.by],
        ["Amount", (row) => priced(row), true],
        ["", (row) => (row.kind === "reversal" || row.undone ? "" : button("Undo…", () => undo(row), { class: "quiet", "aria-label": `Undo transfer ${row.transfer}` }))],
      ], items, "Nothing was booked yet."),
  });

  function undo(row) {
    const close = () => {
      // By now another booking may be asked about.
      if (!undoing.contains(asked.element)) return;
      const free = isFree(undoing);
      undoing.replaceChildren();
      if (free) bookings.place.focus({ preventScroll: true });
    };
    const asked = form({
      label: "Undo",
      fields: [{ name: "reason", label: "Why", required: true, hint: "The member sees it." }],
      async submit({ reason }) {
        const { transfer } = await hub.write("ledger.reverse", { transfer: row.transfer, reason });
        // Far down the list it is not asked for again.
        row.undone = transfer;
        close();
        await fill();
      },
      missed: (text) => app.notice(`Transfer ${row.transfer}: ${text}`, "money"),
      cancel: close,
    });
    undoing.replaceChildren(el("p", {}, `Undo transfer ${row.transfer}, the ${row.kind} of `, el("strong", {}, priced(row)), " for ", el("strong", {}, row.with), "?"), asked.element);
    asked.inputs.reason.focus();
    undoing.scrollIntoView({ block: "nearest" });
  }

  const addUp = actor("Add up all accounts", async () => {
    const { items } = await hub.ask("ledger.trial_balance");
    redraw(sums, table("Trial balance", [["Currency", (row) => row.currency], ["Sum, which must be zero", (row) => row.sum, true]], items, ""));
  }, problem, { class: "quiet" });
  const books = el("details", { class: "card" }, el("summary", {}, "Cash and bookings"),
    problem,
    el("h3", {}, "Where money comes from"), el("p", { class: "hint" }, "If @cash has -100.00, there should be 100.00 in the box."), cash,
    el("h3", {}, "What treasurers have booked"), bookings.element, undoing,
    el("h3", {}, "Trial balance"), sums, el("p", {}, addUp));
  books.addEventListener("toggle", () => fill());

  async function fill() {
    if (!books.open) return;
    say(problem, "");
    try {
      const [{ items }] = await Promise.all([hub.ask("ledger.counterparts"), bookings.again()]);
      redraw(cash, table("Counterparts", [["Account", (row) => row.account], ["Balance", (row) => `${row.balance} ${row.currency}`, true]], items, "Nothing has come in yet."));
    } catch (error) {
      say(problem, reason(error));
    }
  }

  return { element: el("div", {}, el("div", { class: "columns" }, deposit, withdrawal), books), fill };
}
