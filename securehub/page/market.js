// The catalogue, a basket, orders, points.

import { Pages, actor, button, el, form, problemLine, reason, redraw, say, soon, table, time } from "./dom.js";

// The step that comes after each, and what a button says that takes it. Others are for the commands.
const NEXT = { placed: ["accepted", "Accept"], accepted: ["preparing", "Prepare"], preparing: ["delivering", "Send off"], delivering: ["delivered", "Delivered"] };

export function market(app) {
  const { hub } = app;
  const basket = new Map();
  const price = el("p", { role: "status" });
  const problem = problemLine();
  const card = el("div");
  const details = el("div", { tabindex: "-1" });
  let detailed = null; // the number of the order in it
  let sought = {};

  const catalogue = new Pages({
    load: (more) => hub.ask("orders.catalog", { ...sought, limit: 50, ...more }),
    id: (item) => item.sku,
    show: (items) =>
      table("Catalogue", [
        ["What", (row) => el("span", {}, row.name, row.tags.length ? el("span", { class: "hint" }, ` ${row.tags.join(", ")}`) : null)],
        ["Seller", (row) => row.seller],
        ["Price", (row) => `${row.price} ${row.currency}${row.unit ? ` / ${row.unit}` : ""}`, true],
        ["Stock", (row) => row.stock, true],
        ["", (row) => button("Add", () => add(row), { "aria-label": `Add ${row.name} to the basket`, disabled: row.stock === 0 })],
      ], items, sought.search ? "Nothing is found." : "There is nothing to be had yet."),
  });
  const search = form({
    label: "Search",
    keeps: true,
    role: "search",
    class: "inline",
    fields: [{ name: "search", label: "Search the catalogue", kind: "search" }],
    async submit(values) {
      sought = values;
      await catalogue.first();
    },
  });

  const lines = el("ul", { class: "basket" });
  const order = form({
    label: "Order",
    fields: [
      { name: "deliver_to", label: "Deliver to", autocomplete: "street-address" },
      { name: "note", label: "Note to the seller" },
      { name: "reward", label: "Reward", kind: "choice", options: [["", "none"]] },
      { name: "code", label: "Promotion code" },
    ],
    async submit(values) {
      say(problem, "");
      const done = await hub.write("orders.place", { items: items(), ...values });
      basket.clear();
      showBasket();
      // The button that was pressed is not there for an empty basket.
      basketTitle.focus({ preventScroll: true });
      fillSoon();
      return `Order ${done.order} is ${done.status}: ${done.total} ${done.currency}, ${done.earned} points. Balance ${done.balance} ${done.currency}.`;
    },
    missed: (text) => app.notice(`Your order: ${text}`, "market"),
  });
  const basketTitle = el("h2", { tabindex: "-1" }, "Basket");
  const basketCard = el("section", { class: "card" }, basketTitle, lines, price, problem, order.element);
  // The catalogue may be long, and the basket far away.
  const inBasket = el("span", { role: "status" });
  const toBasket = el("p", { class: "basketful", hidden: true }, inBasket, button("To the basket", () => {
    basketTitle.focus({ preventScroll: true });
    basketCard.scrollIntoView();
  }));

  const showsOrder = (list) => (row) => button(`Order ${row.order}`, () => showOrder(row.order, list()), { class: "quiet" });
  const orders = new Pages({
    load: (more) => hub.ask("orders.list", more),
    id: (item) => item.order,
    show: (found) =>
      table("Your orders", [
        ["Order", showsOrder(() => orders)],
        ["When", (row) => time(row.at)],
        ["Seller", (row) => row.seller],
        ["Total", (row) => `${row.total} ${row.currency}`, true],
        ["Status", (row) => row.status],
        ["", (row) => (["placed", "accepted"].includes(row.status)
          ? actor("Cancel", async () => {
            await hub.write("orders.cancel", { order: row.order });
            await refill();
          }, orders.problem, { class: "quiet", "aria-label": `Cancel order ${row.order}` })
          : "")],
      ], found, "You have ordered nothing yet."),
  });

  function items() {
    return [...basket.values()].map(({ sku, quantity }) => ({ sku, quantity }));
  }

  function add(row) {
    const found = basket.get(row.sku);
    if (found) found.quantity += 1;
    else basket.set(row.sku, { sku: row.sku, name: row.name, seller: row.seller, quantity: 1 });
    order.clear();
    showBasket();
    inBasket.textContent = `${basket.get(row.sku).quantity} × ${row.name} in the basket.`;
  }

  function setQuantity(line, input) {
    line.quantity = Math.max(1, Math.trunc(Number(input.value)) || 1);
    input.value = line.quantity;
    ask();
  }

  function showBasket() {
    redraw(lines, ...[...basket.values()].map((line) => el("li", {},
      el("label", {}, el("input", {
        type: "number", min: "1", step: "1", value: line.quantity, class: "few",
        on: { change: (event) => setQuantity(line, event.target) },
      }), ` ${line.name} `), el("span", { class: "hint" }, `of ${line.seller} `),
      button("Remove", () => (basket.delete(line.sku), showBasket()), { class: "quiet", "aria-label": `Remove ${line.name}` }))));
    for (const row of [...Object.values(order.rows), order.element.querySelector(".buttons")]) row.hidden = !basket.size;
    if (!basket.size) lines.append(el("li", { class: "none" }, "It is empty: add something from the catalogue."));
    toBasket.hidden = !basket.size;
    inBasket.textContent = basket.size === 1 ? "1 thing is in the basket." : `${basket.size} things are in the basket.`;
    ask();
  }

  function ask() {
    say(problem, "");
    price.textContent = "";
    if (basket.size) showPrice();
  }

  const wanted = () => {
    const { reward, code } = order.inputs;
    return { items: items(), ...(reward.value && { reward: reward.value }), ...(code.value && { code: code.value }) };
  };

  // What it would cost is the hub's to say: nothing is computed here.
  const showPrice = soon(async () => {
    const asked = wanted();
    const isWanted = () => JSON.stringify(asked) === JSON.stringify(wanted());
    try {
      const would = await hub.ask("orders.place", { ...asked, try: true });
      if (isWanted()) price.textContent = `It costs ${would.total} ${would.currency} and earns ${would.earned} points.`;
    } catch (error) {
      if (isWanted()) say(problem, reason(error));
    }
  });
  for (const each of [order.inputs.reward, order.inputs.code]) each.addEventListener("change", ask);

  async function fillCard() {
    const found = await hub.ask("loyalty.card");
    redraw(card,
      el("p", {}, el("strong", {}, `${found.points} points`), `, ${found.tier}, ${found.order_count} ${found.order_count === 1 ? "order" : "orders"}`),
      table("Rewards", [
        ["Reward", (row) => row.name],
        ["Points", (row) => row.cost, true],
        ["", (row) => (row.available ? "can be had" : "")],
      ], found.rewards, "There are no rewards."));
    const before = order.inputs.reward.value;
    order.inputs.reward.replaceChildren(el("option", { value: "" }, "none"), ...found.rewards.filter((each) => each.available).map((each) => el("option", { value: each.reward }, `${each.name} (${each.cost} points)`)));
    order.inputs.reward.value = before;
    if (order.inputs.reward.selectedIndex < 0) order.inputs.reward.value = "";
  }

  async function showOrder(number, list) {
    detailed = number;
    list.element.append(details);
    await fillDetails();
    details.scrollIntoView();
    details.focus({ preventScroll: true });
  }

  async function fillDetails() {
    if (detailed === null) return;
    try {
      const found = await hub.ask("orders.show", { order: detailed });
      redraw(details,
        el("h3", {}, `Order ${found.order}`),
        table(`Items of order ${found.order}`, [
          ["What", (row) => row.name],
          ["Quantity", (row) => row.quantity, true],
          ["Price", (row) => row.price, true],
          ["Amount", (row) => row.amount, true],
        ], found.items, "It has no items."),
        el("p", {}, `Total ${found.total} ${found.currency}${found.deliver_to ? `, to ${found.deliver_to}` : ""}${found.note ? `. ${found.note}` : ""}`),
        el("ol", { class: "steps" }, found.steps.map((step) => el("li", {}, `${step.status} `, time(step.at), ` by ${step.by}`))));
    } catch (error) {
      details.replaceChildren(el("p", { class: "problem", role: "alert" }, reason(error)));
    }
  }

  // For those who sell: what is to be done.
  const sells = app.roles.includes("seller");
  const queue = new Pages({
    load: (more) => hub.ask("orders.queue", { limit: 50, ...more }),
    id: (item) => item.order,
    show: (found) =>
      table("Orders with you", [
        ["Order", showsOrder(() => queue)],
        ["When", (row) => time(row.at)],
        ["Customer", (row) => row.customer],
        ["What", (row) => row.items.map((each) => `${each.quantity} ${each.sku}`).join(", ")],
        ["Deliver to", (row) => row.deliver_to],
        ["Note", (row) => row.note],
        ["Status", (row) => row.status],
        ["", (row) => {
          const [status, label] = NEXT[row.status] ?? [];
          return status && actor(label, async () => {
            await hub.write("orders.advance", { order: row.order, status });
            await refill();
          }, queue.problem, { "aria-label": `${label}: order ${row.order}` });
        }],
      ], found, "All is done."),
  });

  const fill = () => Promise.all([catalogue.first(), orders.first(), fillCard(), sells && queue.first(), fillDetails()]);
  const refill = () => Promise.all([catalogue.again(), orders.again(), fillCard(), sells && queue.first(), fillDetails()]);
  const fillSoon = soon(() => element.isConnected && refill().catch((error) => say(problem, reason(error))));
  const element = el("div", { class: "view" },
    el("h1", {}, "Market"),
    sells && el("section", { class: "card" }, el("h2", {}, "Orders with you"), queue.element),
    el("section", { class: "card" }, el("h2", {}, "Catalogue"), search.element, toBasket, catalogue.element),
    el("div", { class: "columns" }, basketCard, el("section", { class: "card" }, el("h2", {}, "Points and rewards"), card)),
    el("section", { class: "card" }, el("h2", {}, "Your orders"), orders.element));
  showBasket();

  return {
    element,
    show: fill,
    back: fillSoon,
    look: fillSoon,
    event(method) {
      if (method.startsWith("orders.")) fillSoon();
    },
  };
}
