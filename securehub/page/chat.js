// Rooms and direct conversations. A direct one is a room whose name starts with @.

import { actor, drawing, el, form, problemLine, reason, say, soon, time } from "./dom.js";
import { memory } from "./hub.js";

const PAGE = 50;
const MOST_REMEMBERED = 30;
const MOST_KEPT = 1000; // messages of a room; of more than that half are asked for again if somebody wants to see them

/**
 * What is known of a room: its messages by number, once they were looked at, and how many are unread. `last` is the newest that was seen;
 * up to `through` none is missing, as far as was heard on the connection of the number `times`.
 */
class Room {
  constructor(name) {
    this.name = name;
    this.messages = new Map();
    this.last = this.through = this.times = 0;
    this.unread = 0;
    this.loaded = false;
    this.older = true;
    this.topic = "";
  }

  get first() {
    let first = this.last;
    for (const seq of this.messages.keys()) if (seq < first) first = seq;
    return first;
  }
}

export function chat(app) {
  const { hub } = app;
  const rooms = new Map();
  const list = el("ul", { class: "rooms" });
  const listProblem = problemLine();
  const pane = el("section", { class: "card pane" });
  const element = el("div", { class: "view chat" });
  const remembered = `talks/${app.username}`;
  let open = null;
  let visible = false;

  const room = (name) => rooms.get(name) ?? rooms.set(name, new Room(name)).get(name);

  const join = form({
    label: "Join",
    class: "inline",
    fields: [{ name: "room", label: "Join or make a room", required: true, autocapitalize: "none", spellcheck: "false" }],
    async submit(values) {
      await enterRoom(values.room);
    },
  });
  const talk = form({
    label: "Write",
    class: "inline",
    fields: [{ name: "to", label: "Write to a member", required: true, autocapitalize: "none", spellcheck: "false" }],
    async submit({ to }) {
      app.show(`chat/@${to.replace(/^@/, "").toLowerCase()}`);
    },
  });
  const others = el("div");
  const more = el("details", {}, el("summary", {}, "Other rooms"), others);
  more.addEventListener("toggle", () => more.open && fillOthers());
  const side = el("section", { class: "card side" }, el("h1", {}, "Chat"), list, listProblem, talk.element, join.element, more);
  element.append(side, pane);

  async function enterRoom(name) {
    const joined = await hub.write("chat.join", { room: name });
    room(joined.room).topic = joined.topic;
    app.show(`chat/${joined.room}`);
    if (more.open) fillOthers();
  }

  async function fillOthers() {
    try {
      const { items } = await hub.ask("chat.rooms", { limit: 200 });
      const found = items.filter((each) => !each.joined);
      others.replaceChildren(el("ul", { class: "rooms" }, found.map((each) => el("li", {},
        actor(`Join ${each.room}`, () => enterRoom(each.room), listProblem, { class: "quiet" }), el("span", { class: "hint" }, ` ${each.members} in it. ${each.topic}`)))), found.length ? "" : el("p", { class: "none" }, "There are no others."));
    } catch (error) {
      say(listProblem, reason(error));
    }
  }

  /** Which rooms there are, and what is unread in them. */
  async function fillList() {
    const [{ items: mine }, { items: unread }] = await Promise.all([hub.ask("chat.rooms", { mine: true, limit: 1000 }), hub.ask("chat.unread", { limit: 1000 })]);
    const kept = new Set(mine.map((each) => each.room));
    for (const name of rooms.keys()) if (!name.startsWith("@") && !kept.has(name)) rooms.delete(name);
    for (const each of mine) room(each.room).topic = each.topic;
    for (const name of JSON.parse(memory.place.getItem(remembered) ?? "[]")) room(name);
    for (const each of rooms.values()) each.unread = 0;
    for (const each of unread) room(each.room).unread = each.unread;
    showList();
  }

  function showList() {
    const all = [...rooms.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    list.replaceChildren(...all.map((each) => el("li", {},
      el("a", { href: `#chat/${each.name}`, "aria-current": each === open ? "page" : null }, each.name,
        each.unread ? [" ", el("span", { class: "badge" }, String(each.unread), el("span", { class: "unseen" }, " unread"))] : null))));
    if (!all.length) list.replaceChildren(el("li", { class: "none" }, "You are in no room yet."));
    app.badge?.("chat", all.reduce((sum, each) => sum + each.unread, 0));
    const talks = all.map((each) => each.name).filter((name) => name.startsWith("@"));
    memory.place.setItem(remembered, JSON.stringify(talks.slice(-MOST_REMEMBERED)));
  }

  const log = el("ol", { class: "messages", role: "log", "aria-label": "Messages", tabindex: "0" });
  const paneProblem = problemLine();
  const older = actor("Older", () => loadOlder(), paneProblem, { class: "quiet" });
  const title = el("h2");
  const topic = el("p", { class: "hint" });
  const leave = actor("Leave", async () => {
    const left = open;
    await hub.write("chat.part", { room: left.name });
    rooms.delete(left.name);
    if (open === left) app.show("chat");
    else showList();
  }, paneProblem, { class: "quiet" });
  const compose = form({
    label: "Say",
    class: "compose",
    fields: [{ name: "text", label: "Message", kind: "lines", required: true, rows: 2 }],
    async submit({ text }) {
      const to = open;
      const direct = to.name.startsWith("@");
      const said = await (direct ? hub.write("chat.direct", { to: to.name.slice(1), text }) : hub.write("chat.say", { room: to.name, text }));
      put(to, { ...said, from: app.username, text });
      if (to !== open) return;
      showMessages(true);
      markRead();
    },
  });
  const text = compose.inputs.text;
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      compose.element.requestSubmit();
    }
  });
  text.setAttribute("placeholder", "Enter sends, Shift and Enter begin a line");

  async function openRoom(name) {
    open = room(name);
    showList();
    element.classList.add("open");
    title.textContent = open.name;
    leave.hidden = open.name.startsWith("@");
    compose.clear();
    say(paneProblem, "");
    pane.replaceChildren(
      el("div", { class: "head" }, el("a", { href: "#chat", class: "back" }, "← Rooms"), title, leave), topic,
      el("div", { class: "buttons" }, older), log, paneProblem, compose.element);
    showMessages(true);
    const asked = open;
    try {
      if (!asked.loaded) {
        const page = await hub.ask("chat.log", { room: asked.name, limit: PAGE });
        asked.messages.clear();
        take(asked, page);
        asked.loaded = true;
        asked.times = hub.times;
        asked.through = asked.last;
      }
      if (asked !== open) return;
      showMessages(true);
      markRead();
    } catch (error) {
      if (asked !== open) return;
      say(paneProblem, reason(error));
    }
    text.focus({ preventScroll: true });
  }

  function take(target, page) {
    for (const each of page.items) {
      target.messages.set(each.seq, each);
      target.last = Math.max(target.last, each.seq);
    }
    target.older = Boolean(page.more);
  }

  async function loadOlder() {
    const from = open;
    take(from, await hub.ask("chat.log", { room: from.name, limit: PAGE, before: from.first }));
    if (from === open) showMessages(false);
  }

  function put(target, message) {
    target.last = Math.max(target.last, message.seq);
    // Of a room that nobody has looked at yet the newest are asked for then; what was heard of it before might have gaps.
    if (!target.loaded && target !== open) return;
    target.messages.set(message.seq, { ...target.messages.get(message.seq), ...message });
    if (target.messages.size > MOST_KEPT && (target !== open || isAtEnd())) {
      const kept = [...target.messages].sort(([a], [b]) => a - b).slice(-MOST_KEPT / 2);
      target.messages = new Map(kept);
      target.older = true;
    }
  }

  const isAtEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < 60;

  // Once for many: catching up may bring thousands, and drawing them all for each would take minutes.
  const draw = drawing(() => {
    showList();
    if (!open) return;
    showMessages(false);
    markRead();
  });

  /** @param toEnd: whether to show the newest, even if somebody has scrolled up to read. */
  function showMessages(toEnd) {
    const atEnd = toEnd || isAtEnd();
    const fromEnd = log.scrollHeight - log.scrollTop;
    topic.textContent = open.topic;
    topic.hidden = !open.topic;
    older.hidden = !open.older || !open.messages.size;
    const all = [...open.messages.values()].sort((a, b) => a.seq - b.seq);
    log.replaceChildren(...all.map((each) => {
      const whose = each.from === app.username ? "own" : each.text.includes(`@${app.username}`) ? "mention" : "";
      return el("li", { class: whose },
        el("strong", {}, each.from), " ", time(each.at), each.edited ? el("span", { class: "hint" }, " changed") : null,
        el("p", { class: each.removed ? "text hint" : "text" }, each.removed ? `removed by ${each.removed}` : each.text));
    }));
    if (!all.length && open.loaded) log.replaceChildren(el("li", { class: "none" }, "Nothing was said here yet."));
    log.scrollTop = atEnd ? log.scrollHeight : log.scrollHeight - fromEnd;
  }

  const markRead = soon(async () => {
    if (!open?.last || !visible || document.hidden || !open.loaded) return;
    const read = open;
    try {
      const { unread } = await hub.write("chat.read", { room: read.name, seq: read.last });
      read.unread = unread;
    } catch (error) {
      reason(error);
    }
    showList();
  }, 400);
  document.addEventListener("visibilitychange", () => markRead());

  function hear(target, of) {
    const isNew = of.seq > target.last;
    put(target, of);
    if (target.times === hub.times) target.through = Math.max(target.through, of.seq);
    if (isNew && of.from !== app.username && target !== open) target.unread += 1;
    draw();
    return target === open;
  }

  const events = {
    "chat.message": (of) => hear(room(of.room), of),
    "chat.direct": (of) => hear(room(`@${of.from === app.username ? of.to : of.from}`), of),
    "chat.edited": (of) => change(of, { text: of.text, edited: of.at }),
    "chat.removed": (of) => change(of, { text: "", removed: of.by }),
    "chat.topic": (of) => {
      room(of.room).topic = of.topic;
      if (open?.name === of.room) showMessages(false);
    },
    "chat.parted": (of) => {
      if (of.username !== app.username) return;
      rooms.delete(of.room);
      if (open?.name === of.room) app.show("chat");
      showList();
    },
    "chat.joined": (of) => of.username === app.username && (room(of.room), showList()),
    "chat.marked": (of) => (room(of.room), fillList().catch(reason)),
  };

  function change(of, values) {
    const target = rooms.get(of.room);
    const message = target?.messages.get(of.seq);
    if (!message) return;
    Object.assign(message, values);
    if (target === open) showMessages(false);
  }

  return {
    element,
    begin: () => fillList().catch((error) => say(listProblem, reason(error))),
    async show(rest) {
      visible = true;
      if (rest) return openRoom(rest);
      open = null;
      element.classList.remove("open");
      pane.replaceChildren(el("p", { class: "none" }, "Choose a room, or write to somebody."));
      showList();
    },
    hide() {
      visible = false;
      open = null;
    },
    /** What was said meanwhile comes as messages, behind the answers to these. */
    async back() {
      try {
        await fillList();
        for (const each of rooms.values()) {
          if (!each.loaded) continue;
          // Not since the last that was heard, which may have come on this connection already.
          await hub.write("chat.join", { room: each.name, since: each.through });
          each.times = hub.times;
        }
      } catch (error) {
        say(listProblem, reason(error));
      }
    },
    event(method, params, isShown) {
      const seen = events[method]?.(params);
      return Boolean(seen && isShown && !document.hidden);
    },
  };
}
