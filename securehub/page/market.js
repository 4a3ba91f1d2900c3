// The catalogue, a basket, orders, points.

import { Pages, actor, button, el, form, problemLine, reason, say, soon, table, time } from "./dom.js";

export function market(app) {
  const { hub } = app;
  const basket = new Map();
  const price = el("p", { role: "status" });
  const problem = problemLine();
  const card = el("div");
  const details = el("div");
  let sought = {};

  const catalogue = new Pages({
    load: (more) => hub.ask("orders.catalog", { ...sought, limit: 50, ...more }),
    id: (last) => ({ after: last.sku }),
    show: (items) =>
      table("Catalogue", [
        ["What", (row) => el("span", {}, row.name, row.tags.length ? el("span", { class: "hint" }, ` ${row.tags.join(", ")}`) : null)],
        ["Seller", (row) => row.seller],
        ["Price", (row) => `${row.price} ${row.currency}${row.unit ? ` / ${row.unit}` : ""}`, true],
        ["Stock", (row) => row.stock, true],
        ["", (row) => button("Add", () => add(row), { "aria-label": `Add ${row.name} to the basket`, disabled: row.stock === 0 })],
      ], items, "Nothing is found."),
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
      const done = await hub.write("orders.place", { items: items(), ...values });
      basket.clear();
      showBasket();
      refill();
      return `Order ${done.order} is ${done.status}: ${done.total} ${done.currency}, ${done.earned} points. Balance ${done.balance} ${done.currency}.`;
    },
  });
  const basketCard = el("section", { class: "card" }, el("h2", {}, "Basket"), lines, price, problem, order.element);

  const orders = new Pages({
    load: (more) => hub.ask("orders.list", more),
    id: (last) => ({ before: last.order }),
    show: (found) =>
      table("Your orders", [
        ["Order", (row) => button(`Order ${row.order}`, () => showOrder(row.order), { class: "quiet" })],
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
  }

  function showBasket() {
    lines.replaceChildren(...[...basket.values()].map((line) => el("li", {},
      el("label", {}, el("input", {
        type: "number", min: "1", step: "1", value: line.quantity, class: "few",
        on: { change: (event) => ((line.quantity = Math.max(1, Math.trunc(Number(event.target.value)) || 1)), showBasket()) },
      }), ` ${line.name} `), el("span", { class: "hint" }, `of ${line.seller} `),
      button("Remove", () => (basket.delete(line.sku), showBasket()), { class: "quiet", "aria-label": `Remove ${line.name}` }))));
    for (const row of [...Object.values(order.rows), order.element.querySelector(".buttons")]) row.hidden = !basket.size;
    if (!basket.size) lines.append(el("li", { class: "none" }, "It is empty: add something from the catalogue."));
    say(problem, "");
    price.textContent = "";
    if (basket.size) showPrice();
  }

  // What it would cost is the hub's to say: nothing is computed here.
  const showPrice = soon(async () => {
    const asked = items();
    try {
      const reward = order.inputs.reward.value;
      const would = await hub.ask("orders.place", { items: asked, ...(reward && { reward }), try: true });
      if (JSON.stringify(asked) === JSON.stringify(items())) price.textContent = `It costs ${would.total} ${would.currency} and earns ${would.earned} points.`;
    } catch (error) {
      say(problem, reason(error));
    }
  });
  order.inputs.reward.addEventListener("change", showBasket);

  async function fillCard() {
    const found = await hub.ask("loyalty.card");
    card.replaceChildren(
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

  async function showOrder(number) {
    try {
      const found = await hub.ask("orders.show", { order: number });
      details.replaceChildren(
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
      details.replaceChildren(el("p", { class: "problem" }, reason(error)));
    }
  }

  const fill = () => Promise.all([catalogue.first(), orders.first(), fillCard()]);
  const refill = () => Promise.all([catalogue.again(), orders.again(), fillCard()]);
  const fillSoon = soon(() => element.isConnected && refill().catch((error) => say(problem, reason(error))));
  const element = el("div", { class: "view" },
    el("h1", {}, "Market"),
    el("section", { class: "card" }, el("h2", {}, "Catalogue"), search.element, catalogue.element),
    el("div", { class: "columns" }, basketCard, el("section", { class: "card" }, el("h2", {}, "Points and rewards"), card)),
    el("section", { class: "card" }, el("h2", {}, "Your orders"), orders.element, details));
  showBasket();

  return {
    element,
    show: fill,
    back: fillSoon,
    event(method) {
      if (method.startsWith("orders.")) fillSoon();
    },
  };
}
