// The market, for those who buy and those who sell.

import assert from "node:assert";
import { elapse } from "./browser.mjs";
import { answerAll, last, loggedIn, named, play, script } from "./world.mjs";

const { market } = await script("market");

await play({
  async "a seller takes the next step of an order where it is listed"() {
    const hub = await loggedIn("sam");
    const view = market({ hub, username: "sam", roles: ["member", "seller"] });
    const queued = { order: 7, at: "2026-11-19T18:02:00Z", status: "placed", customer: "alice", deliver_to: "Room 5", note: "", items: [{ sku: "coffee", quantity: 2 }] };
    const results = { "orders.catalog": { items: [] }, "orders.list": { items: [] }, "loyalty.card": { points: 0, tier: "bronze", order_count: 0, rewards: [] }, "orders.queue": { items: [queued] } };
    view.show();
    await answerAll(results);
    assert.ok(view.element.textContent.includes("2 coffee"));
    named(view.element, "Accept").dispatchEvent(new Event("click"));
    const { order, status } = last().asked("orders.advance").params;
    assert.deepEqual([order, status], [7, "accepted"]);
    await last().answer("orders.advance", {});
    await answerAll({ ...results, "orders.queue": { items: [{ ...queued, status: "accepted" }] } });
    assert.ok(named(view.element, "Prepare"));
    assert.equal(market({ hub, username: "bob", roles: ["member"] }).element.textContent.includes("Orders with you"), false);
  },

  async "what is put into the basket is said, and what it costs is asked with reward and code"() {
    const hub = await loggedIn("alice");
    const view = market({ hub, username: "alice", roles: ["member"] });
    const coffee = { sku: "coffee", name: "Coffee", seller: "sam", price: "3.50", currency: "USD", stock: 9, tags: [] };
    view.show();
    await answerAll({ "orders.catalog": { items: [coffee] }, "orders.list": { items: [] }, "loyalty.card": { points: 0, tier: "bronze", order_count: 0, rewards: [] } });
    for (let each = 0; each < 2; each += 1) named(view.element, "Add").dispatchEvent(new Event("click"));
    assert.ok(view.element.textContent.includes("2 × Coffee in the basket."));
    const quantity = view.element.querySelectorAll("input").find((each) => each.getAttribute("class") === "few");
    quantity.focus();
    quantity.value = "3";
    quantity.dispatchEvent(new Event("change"));
    assert.equal(document.activeElement, quantity);
    const code = view.element.querySelectorAll("input").find((each) => each.getAttribute("name") === "code");
    code.value = "AUTUMN";
    code.dispatchEvent(new Event("change"));
    await elapse();
    assert.deepEqual(last().asked("orders.place").params, { items: [{ sku: "coffee", quantity: 3 }], code: "AUTUMN", try: true });
  },
});
