// Cases of the support desk: one's own, and for agents those of others.

import { Pages, actor, el, form, keep, problemLine, reason, say, soon, table, time } from "./dom.js";

export function support(app) {
  const { hub } = app;
  const element = el("div", { class: "view" });
  const problem = problemLine();
  const helps = app.roles.includes("agent");
  const unread = new Map(); // answers, by case
  const begun = new Map(); // the cases in which something is written that was not sent, and the one that is looked at
  let open = null;

  const ask = form({
    label: "Ask",
    fields: [
      { name: "text", label: "What is it about?", kind: "lines", required: true },
      { name: "order", label: "Order", inputmode: "numeric", pattern: "[0-9]*", hint: "Its number, if it is about one." },
    ],
    async submit({ text, order }) {
      if (order && !/^\d{1,15}$/.test(order)) throw Object.assign(new Error("order: expected a number"), { told: true });
      const { ticket } = await hub.write("support.ask", { text, ...(order && { order: Number(order) }) });
      app.show(`support/${ticket}`);
    },
    missed: (text) => app.notice(`Your question: ${text}`, "support"),
  });
  const count = (ticket, number) => {
    unread.set(ticket, number);
    app.badge?.("support", [...unread.values()].reduce((sum, each) => sum + each, 0));
  };

  const cases = new Pages({
    load: (more) => hub.ask("support.tickets", more),
    id: (item) => item.ticket,
    show: (items) => {
      for (const each of items) count(each.ticket, each.unread);
      return table("Your cases", [
        ["Case", (row) => link(row)],
        ["Status", (row) => (row.status === "waiting" && row.position ? `waiting, place ${row.position}` : row.status)],
        ["Agent", (row) => row.agent],
        ["Changed", (row) => time(row.changed)],
        ["Unread", (row) => row.unread || "", true],
      ], items, "You have no case.");
    },
  });

  const link = (row) => el("a", { href: `#support/${row.ticket}` }, `Case ${row.ticket}`);
  const waiting = new Pages({
    load: (more) => hub.ask("support.queue", more),
    id: (item) => item.ticket,
    show: (items) =>
      table("Cases that wait", [
        ["Case", link],
        ["Customer", (row) => row.customer],
        ["About", (row) => row.subject],
        ["Since", (row) => time(row.opened)],
      ], items, "Nobody waits."),
  });
  const taken = new Pages({
    load: (more) => hub.ask("support.cases", { agent: app.username, ...more }),
    id: (item) => item.ticket,
    show: (items) =>
      table("Cases with you", [
        ["Case", link],
        ["Customer", (row) => row.customer],
        ["About", (row) => row.subject],
        ["Changed", (row) => time(row.changed)],
        ["", (row) => (row.answered ? "" : "to be answered")],
      ], items, "You see to no case."),
  });
  const lists = helps ? [cases, waiting, taken] : [cases];

  function list() {
    leave();
    say(problem, "");
    element.replaceChildren(
      el("h1", {}, "Support"),
      problem,
      ...(helps ? [
        el("section", { class: "card" }, el("h2", {}, "Cases with you"), taken.element),
        el("section", { class: "card" }, el("h2", {}, "Cases that wait"), waiting.element)] : []),
      el("section", { class: "card" }, el("h2", {}, "Ask for help"), ask.element),
      el("section", { class: "card" }, el("h2", {}, "Your cases"), cases.element));
    return Promise.all(lists.map((each) => each.first()));
  }

  /** What was begun in a case stays there. */
  function leave() {
    if (open && !open.text.value) begun.delete(open.ticket);
    open = null;
  }

  async function show(ticket) {
    leave();
    open = begun.get(ticket) ?? make(ticket);
    begun.set(ticket, open);
    say(problem, "");
    const { parts, title, said, fill } = open;
    element.replaceChildren(...parts);
    title.focus({ preventScroll: true });
    said.setAttribute("aria-live", "off");
    try {
      await fill();
    } catch (error) {
      say(problem, reason(error));
    }
    // From here on a screen reader says what is new.
    setTimeout(() => said.setAttribute("aria-live", "polite"), 1000);
  }

  function make(ticket) {
    const status = el("p", { class: "hint", role: "status" });
    const said = el("ol", { class: "messages", "aria-label": "Messages" });
    const log = new Pages({
      load: (more) => hub.ask("support.log", { ticket, limit: 50, ...more }),
      id: (item) => item.seq,
      show: (items) => {
        keep(said, [...items].reverse(), (each) => each.seq, (each) => el("li", { class: each.from === app.username ? "own" : "" },
          el("strong", {}, each.from), " ", time(each.at), el("p", { class: "text" }, each.text)));
        return said;
      },
    });
    let isOwn = true;
    const reply = form({
      label: "Reply",
      fields: [{ name: "text", label: "Reply", kind: "lines", required: true }],
      async submit({ text }) {
        await hub.write(isOwn ? "support.ask" : "support.reply", { ticket, text });
        // It is said, whatever becomes of showing it.
        again();
      },
      missed: (text) => app.notice(`Case ${ticket}: ${text}`, `support/${ticket}`),
    });
    const act = (label, method, values = {}, properties = {}) => actor(label, async () => {
      await hub.write(method, { ticket, ...values });
      await fill();
      title.focus({ preventScroll: true });
    }, problem, { class: "quiet", ...properties });
    const star = (stars) => act("★".repeat(stars), "support.rate", { stars }, { "aria-label": `${stars} of 5 stars` });
    const stars = el("span", { class: "buttons" }, [1, 2, 3, 4, 5].map(star));
    const rating = el("p", { hidden: true }, "How was it? ", stars);
    const take = act("Take", "support.take");
    const close = act("Close", "support.close");
    const title = el("h1", { tabindex: "-1" }, `Case ${ticket}`);
    reply.element.hidden = take.hidden = close.hidden = true;
    async function fill() {
      const shown = await hub.ask("support.show", { ticket });
      const place = shown.position ? `, place ${shown.position} in the queue` : "";
      isOwn = shown.customer === app.username;
      const isClosed = shown.status === "closed";
      const whose = isOwn ? "" : `of ${shown.customer}, `;
      const told = `${whose}${shown.status}${place}${shown.agent ? `, seen to by ${shown.agent}` : ""}${shown.stars ? `, rated ${shown.stars} of 5` : ""}`;
      // What is as it was is not said again.
      if (status.textContent !== told) status.textContent = told;
      rating.hidden = !isOwn || !isClosed || Boolean(shown.stars);
      // Whoever answers a case that waits has it; nobody answers in that of another agent.
      const mayAnswer = !isClosed && (isOwn || shown.agent === app.username || shown.status === "waiting");
      reply.element.hidden = !mayAnswer;
      take.hidden = isOwn || shown.status !== "waiting";
      close.hidden = isOwn || !mayAnswer;
      await log.again();
      if (!isOwn) return;
      await hub.write("support.read", { ticket });
      count(ticket, 0);
    }
    const parts = [
      el("p", {}, el("a", { href: "#support" }, "← All cases")),
      el("section", { class: "card" },
        el("div", { class: "head" }, title, el("span", { class: "buttons" }, take, close)),
        status, log.element, reply.element, rating, problem)];
    return { ticket, parts, title, said, fill, text: reply.inputs.text };
  }

  const again = soon(async () => {
    try {
      await (open ? open.fill() : Promise.all(lists.map((each) => each.again())));
    } catch (error) {
      say(problem, reason(error));
    }
  });
  return {
    element,
    show: (rest) => (/^\d+$/.test(rest) ? show(Number(rest)) : list()),
    back: () => element.isConnected && again(),
    look: again,
    event(method, params, isShown) {
      if (!method.startsWith("support.")) return false;
      if (method === "support.unread") for (const each of params.tickets) count(each.ticket, each.unread);
      const isSeen = isShown && open?.ticket === params.ticket && !document.hidden;
      // Agents hear of the cases of all.
      if (method === "support.message" && !helps && !isSeen && params.from !== app.username) count(params.ticket, (unread.get(params.ticket) ?? 0) + 1);
      if (isShown) again();
      return isSeen;
    },
  };
}
