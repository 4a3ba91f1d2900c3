// What the tests of the page's script share: somebody who is logged in, and a hub that answers what the test says. The script lies where the
// test's argument says.

import { pathToFileURL } from "node:url";
import { begin, elapse, sockets, turn } from "./browser.mjs";

/** A part of the page's script. */
export const script = (name) => import(pathToFileURL(`${process.argv[2]}/${name}.js`));

const { Hub } = await script("hub");
const { chat } = await script("chat");

export const last = () => sockets.at(-1);
export const out = [];

export async function loggedIn(username, { stay = false, state = () => {}, event = () => {}, back = () => {} } = {}) {
  const hub = new Hub("wss://hub.example/ws", { state, event, back: () => back(), out: (why) => out.push(why) });
  const entering = hub.enter("auth.login", { username }, stay);
  await last().open();
  await last().answer("auth.login", { username, resume: `${username}-1` });
  await entering;
  return hub;
}

/** The connection is lost, and comes back as far as the login. */
export async function again() {
  await last().drop();
  await elapse();
  await last().open();
}

export const message = (seq, more) => ({ room: "lobby", seq, from: "bob", text: `number ${seq}.`, at: "2026-11-19T18:02:00Z", ...more });

/** Somebody who looks at their rooms: the view, where it went, and what it has to write in. */
export async function chatting({ username = "alice", roles = ["member"] } = {}) {
  const went = [];
  const notices = [];
  let view = null;
  const hub = await loggedIn(username, { event: (method, params) => view.event(method, params, true), back: () => view.back() });
  view = chat({ hub, username, roles, show: (where) => went.push(where), notice: (text) => notices.push(text) });
  const open = async (room, items = []) => {
    const shown = view.show(room);
    await last().answer("chat.log", { items, more: false });
    await shown;
    await elapse();
  };
  const write = async (text) => {
    view.element.querySelector("textarea").value = text;
    view.element.querySelectorAll("form").at(-1).requestSubmit();
    await turn();
  };
  return { hub, view, went, notices, open, write, written: () => view.element.querySelector("textarea").value };
}

/** Answer all that was asked with what there is for it, until nothing more is asked. */
export async function answerAll(results) {
  const answered = new Set();
  for (let open = true; open;) {
    open = last().said.filter((each) => each.method in results && !answered.has(each.id)).length > 0;
    for (const { id, method } of [...last().said]) {
      if (!(method in results) || answered.has(id)) continue;
      answered.add(id);
      await last().tell({ jsonrpc: "2.0", id, result: results[method] });
    }
  }
}

/** The hub says no to what was asked last for a method. */
export const refuse = (method, text, code = "conflict") => last().tell({ jsonrpc: "2.0", id: last().asked(method).id, error: { code: -32000, message: text, data: { code } } });

export const named = (element, text) => element.querySelectorAll("button").find((each) => each.textContent === text);

/** Play tests through, each in a browser in which nothing has happened. */
export async function play(tests) {
  for (const [name, test] of Object.entries(tests)) {
    begin();
    out.length = 0;
    let said = "it waits for something that never comes";
    test().then(() => (said = ""), (error) => (said = error.stack));
    for (let each = 0; each < 10_000 && said; each += 1) await new Promise(setImmediate);
    if (said) {
      console.error(`${name}: ${said}`);
      process.exitCode = 1;
    }
  }
}
