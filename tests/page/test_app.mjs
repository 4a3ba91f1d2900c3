// The page around its views: who is there, what is told, and the forms of all commands.

import assert from "node:assert";
import { pathToFileURL } from "node:url";
import { turn } from "./browser.mjs";
import { again, last, loggedIn, named, play, script } from "./world.mjs";

const { commands } = await script("commands");
const { noticeOf } = await script("notices");

await play({
  async "of a long answer a screen reader is told that it is there"() {
    const hub = await loggedIn("alice");
    const view = commands({ hub });
    view.show("ledger.history");
    await last().answer("rpc.discover", { methods: [{ name: "ledger.history", summary: "List.", params: [], "x-access": "members" }] });
    view.element.querySelectorAll("form").at(-1).requestSubmit();
    await turn();
    await last().answer("ledger.history", { items: [{ transfer: 1, memo: "for lunch" }] });
    const said = view.element.querySelectorAll("[role]").filter((each) => each.getAttribute("role") === "status").map((each) => each.textContent);
    assert.deepEqual(said, ["Done; the answer is below."]);
    assert.ok(view.element.textContent.includes("for lunch"));
  },

  async "another version of the hub offers its page, and what happened to one is nothing for whoever comes next"() {
    await import(`${pathToFileURL(`${process.argv[2]}/app.js`)}?anew`);
    const [main, notices] = ["main", "notices"].map((id) => document.getElementById(id));
    main.querySelector("input").value = "alice";
    main.querySelector("form").requestSubmit();
    await turn();
    await last().open();
    await last().answer("auth.login", { username: "alice", resume: "alice-1" });
    await last().answer("hub.whoami", { username: "alice", roles: ["member"], account: "999000000000000027" });
    await last().answer("hub.version", { version: "1.0.0" });
    await last().event("ledger.received", { from_name: "bob", amount: "1.00", currency: "USD", memo: "for lunch" });
    assert.ok(notices.textContent.includes("bob paid you 1.00 USD: for lunch"));
    await again();
    await last().answer("auth.resume", { username: "alice", resume: "alice-2" });
    await last().answer("hub.version", { version: "1.1.0" });
    assert.ok(named(notices, "Load its page"));
    document.getElementById("logout").dispatchEvent(new Event("click"));
    await turn();
    await last().answer("auth.logout", {});
    assert.equal(notices.textContent, "");
    assert.ok(named(main, "Log in"));
  },

  async "a notice says in words what happened"() {
    assert.deepEqual(noticeOf("support.waiting", { waiting: 4, since: "2026-11-19T18:02:00Z" }, { username: "ada" }), ["4 cases wait for an agent", "support"]);
    assert.deepEqual(noticeOf("ledger.reversed", { transfer: 4, of: 3, to_name: "bob", amount: "1.00", currency: "USD", reason: "twice", balance: "0.00" }, { username: "ada" }),
      ["1.00 USD that you had received went back to bob: twice", "money"]);
    assert.deepEqual(noticeOf("dice.rolled", { sides: 6, by: "bob", note: "" }, { username: "ada" }), ["dice.rolled: sides 6, by bob"]);
  },
});
