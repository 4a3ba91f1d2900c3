// Cases of the support desk, as a customer has them.

import { Pages, actor, el, form, problemLine, soon, table, time } from "./dom.js";

export function support(app) {
  const { hub } = app;
  const element = el("div", { class: "view" });
  const problem = problemLine();
  let open = null;

  const ask = form({
    label: "Ask",
    fields: [
      { name: "text", label: "What is it about?", kind: "lines", required: true },
      { name: "order", label: "Order", inputmode: "numeric", pattern: "[0-9]*", hint: "Its number, if it is about one." },
    ],
    async submit({ text, order }) {
      const { ticket } = await hub.write("support.ask", { text, ...(order && { order: Number(order) }) });
      app.show(`support/${ticket}`);
    },
  });
  const cases = new Pages({
    load: (more) => hub.ask("support.tickets", more),
    id: (last) => ({ before: last.ticket }),
    show: (items) =>
      table("Your cases", [
        ["Case", (row) => el("a", { href: `#support/${row.ticket}` }, `Case ${row.ticket}`)],
        ["Status", (row) => (row.status === "waiting" && row.position ? `waiting, place ${row.position}` : row.status)],
        ["Agent", (row) => row.agent],
        ["Changed", (row) => time(row.changed)],
        ["Unread", (row) => row.unread || "", true],
      ], items, "You have no case."),
  });

  function list() {
    open = null;
    element.replaceChildren(
      el("h1", {}, "Support"),
      el("section", { class: "card" }, el("h2", {}, "Ask for help"), ask.element),
      el("section", { class: "card" }, el("h2", {}, "Your cases"), cases.element));
    return cases.first();
  }

  async function show(ticket) {
    open = { ticket };
    const status = el("p", { class: "hint" });
    const log = new Pages({
      load: (more) => hub.ask("support.log", { ticket, limit: 50, ...more }),
      id: (last) => ({ before: last.seq }),
      show: (items) => el("ol", { class: "messages" }, [...items].reverse().map((each) =>
        el("li", { class: each.from === app.username ? "own" : "" }, el("strong", {}, each.from), " ", time(each.at), el("p", { class: "text" }, each.text)))),
    });
    const reply = form({
      label: "Reply",
      fields: [{ name: "text", label: "Reply", kind: "lines", required: true }],
      async submit({ text }) {
        await hub.write("support.ask", { ticket, text });
        await fill();
      },
    });
    const stars = el("span", { class: "buttons" }, [1, 2, 3, 4, 5].map((count) => actor("★".repeat(count), async () => {
      await hub.write("support.rate", { ticket, stars: count });
      await fill();
    }, problem, { class: "quiet", "aria-label": `${count} of 5 stars` })));
    const rating = el("p", { hidden: true }, "How was it? ", stars);
    reply.element.hidden = true;
    async function fill() {
      const shown = await hub.ask("support.show", { ticket });
      const place = shown.position ? `, place ${shown.position} in the queue` : "";
      status.textContent = `${shown.status}${place}${shown.agent ? `, seen to by ${shown.agent}` : ""}${shown.stars ? `, rated ${shown.stars} of 5` : ""}`;
      rating.hidden = shown.status !== "closed";
      reply.element.hidden = shown.status === "closed";
      await log.again();
      if (shown.seq) await hub.write("support.read", { ticket });
    }
    open.fill = fill;
    element.replaceChildren(
      el("p", {}, el("a", { href: "#support" }, "← All cases")),
      el("section", { class: "card" }, el("h1", {}, `Case ${ticket}`), status, log.element, reply.element, rating, problem));
    await fill();
  }

  const again = soon(() => (open ? open.fill?.() : cases.again()));
  return {
    element,
    show: (rest) => (/^\d+$/.test(rest) ? show(Number(rest)) : list()),
    back: () => element.isConnected && again(),
    event(method, params, isShown) {
      if (!method.startsWith("support.") || !isShown) return false;
      again();
      return open?.ticket === params.ticket;
    },
  };
}
