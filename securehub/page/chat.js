// Rooms and direct conversations: which there are, and the one that is looked at.

import { actor, byTouch, drawing, el, form, keep, problemLine, reason, redraw, say, sendsByEnter, soon } from "./dom.js";
import { messages } from "./messages.js";
import { MOST_KEPT, Room, asRemoved } from "./room.js";

const PAGE = 50;
const MOST_DIRECT = 100; // direct conversations in the list, but for those in which something is unread
const MOST_SPOKEN = 3; // new messages that a screen reader is given at once; of more it is told how many they are
const MANY = 20; // rooms; of more than that those with something unread come first

export function chat(app) {
  const { hub } = app;
  const rooms = new Map();
  const list = el("ul", { class: "rooms" });
  const none = el("p", { class: "none" }, "You are in no room yet.");
  const listProblem = problemLine();
  const pane = el("section", { class: "card pane" });
  const element = el("div", { class: "view chat" });
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
      const name = `@${to.trim().replace(/^@/, "").toLowerCase()}`;
      try {
        // Whether there is such a member.
        await hub.ask("chat.log", { room: name, limit: 1 });
      } catch (error) {
        error.message = error.message.replace(/^room: /, "to: ");
        throw error;
      }
      app.show(`chat/${name}`);
    },
  });
  const others = el("div");
  const more = el("details", {}, el("summary", {}, "Other rooms"), others);
  more.addEventListener("toggle", () => more.open && fillOthers());
  const begin = el("details", { class: "begin" }, el("summary", {}, "New conversation or room"), talk.element, join.element, more);
  const side = el("section", { class: "card side" }, el("h1", {}, "Chat"), begin, listProblem, list, none);
  element.append(side, pane);

  const learn = ({ room: name, topic, operator }) => Object.assign(room(name), { topic, operator });

  async function enterRoom(name) {
    const joined = await hub.write("chat.join", { room: name });
    learn(joined);
    app.show(`chat/${joined.room}`);
    if (more.open) fillOthers();
  }

  async function fillOthers() {
    try {
      const { items } = await hub.ask("chat.rooms", { limit: 200 });
      const found = items.filter((each) => !each.joined);
      redraw(others, el("ul", { class: "rooms" }, found.map((each) => el("li", {},
        actor(`Join ${each.room}`, () => enterRoom(each.room), listProblem, { class: "quiet" }), el("span", { class: "hint" }, ` ${each.members} in it. ${each.topic}`)))), found.length ? "" : el("p", { class: "none" }, "There are no others."));
    } catch (error) {
      say(listProblem, reason(error));
    }
  }

  /** Which rooms there are, and what is unread in them. */
  async function fillList() {
    const [{ items: mine }, { items: direct }] = await Promise.all([
      hub.ask("chat.rooms", { mine: true, limit: 1000 }),
      hub.ask("chat.conversations", { limit: MOST_DIRECT }),
      fillUnread(),
    ]);
    const kept = new Set(mine.map((each) => each.room));
    for (const each of rooms.values()) if (!each.isDirect && !kept.has(each.name)) rooms.delete(each.name);
    for (const each of mine) learn(each);
    for (const each of direct) room(each.room);
    if (!rooms.size) begin.open = true;
    showList();
    if (open) showMessages();
  }

  async function fillUnread() {
    const { items } = await hub.ask("chat.unread", { limit: 1000 });
    for (const each of rooms.values()) each.unread = 0;
    for (const each of items) room(each.room).unread = each.unread;
  }

  const listSoon = soon(() => fillList().catch(reason));
  // Whoever reads in another tab marks many as read, one after the other.
  const countSoon = soon(() => fillUnread().then(showList).catch(reason));

  function showList() {
    const all = [...rooms.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    if (all.length > MANY) all.sort((a, b) => (b.unread > 0) - (a.unread > 0));
    keep(list, all.map((each) => ({ name: each.name, unread: each.unread, isOpen: each === open })), ({ name }) => name, ({ name, unread, isOpen }) => el("li", {},
      el("a", { href: `#chat/${name}`, "aria-current": isOpen ? "page" : null }, name,
        unread ? [" ", el("span", { class: "badge" }, String(unread), el("span", { class: "unseen" }, " unread"))] : null)));
    none.hidden = all.length > 0;
    app.badge?.("chat", all.reduce((sum, each) => sum + each.unread, 0));
  }

  // What is new is said by `spoken`: of a log a screen reader would say all, whenever a room is opened or older messages are looked at.
  const log = messages(app, (of, values, told) => {
    change(of, values);
    spoken.replaceChildren(el("p", {}, told));
  });
  const spoken = el("div", { class: "unseen", "aria-live": "polite" });
  const quiet = el("p", { class: "none" }, "Nothing was said here yet.");
  let unspoken = [];
  const paneProblem = problemLine();
  const older = actor("Older", () => loadOlder(), paneProblem, { class: "quiet" });
  const title = el("h2", { tabindex: "-1" });
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
    // It returns at once, and the field is free for the next one: on a bad line, too.
    submit({ text }) {
      post(open, text);
    },
  });

  /** Say something where it was written, whatever is looked at when the answer comes. */
  async function post(to, text) {
    const sent = { text };
    to.draft = to.refused = "";
    to.sending.push(sent);
    showMessages("end");
    try {
      const said = await (to.isDirect ? hub.write("chat.direct", { to: to.name.slice(1), text }) : hub.write("chat.say", { room: to.name, text }));
      put(to, { ...said, from: app.username, text });
    } catch (error) {
      // Nobody is there any more, or somebody else.
      if (!hub.loggedIn) return;
      to.refuse(text, to === open ? compose.inputs.text.value : to.draft);
      if (to === open) {
        compose.inputs.text.value = to.draft;
        say(compose.problem, reason(error).replace(/^text: /, ""));
      } else app.notice(`${to.name}: ${reason(error)}`, `chat/${to.name}`);
    }
    to.sending.splice(to.sending.indexOf(sent), 1);
    if (to !== open) return;
    showMessages();
    markRead();
  }

  const text = compose.inputs.text;
  sendsByEnter(compose.element, text);
  text.addEventListener("keydown", (event) => {
    if (event.key === "ArrowUp" && !text.value && log.editLast(text)) event.preventDefault();
  });
  if (!byTouch()) text.setAttribute("placeholder", "Enter sends, Shift and Enter begin a line");

  async function openRoom(name) {
    if (open?.name === name) return;
    close();
    open = room(name);
    compose.inputs.text.value = open.draft;
    showList();
    element.classList.add("open");
    title.textContent = open.name;
    leave.hidden = open.isDirect;
    compose.clear();
    say(paneProblem, "");
    pane.replaceChildren(
      el("div", { class: "head" }, el("a", { href: "#chat", class: "back" }, "← Rooms"), title, leave), topic,
      el("div", { class: "buttons" }, older), quiet, log.element, spoken, paneProblem, compose.element);
    showMessages("end");
    const asked = open;
    // On a phone its keyboard would come, and hide what was said.
    (byTouch() ? title : text).focus({ preventScroll: true });
    try {
      if (!asked.loaded) await load(asked);
      if (asked !== open) return;
      showMessages("end");
      markRead();
    } catch (error) {
      if (!asked.last) rooms.delete(asked.name);
      if (asked !== open) return;
      say(paneProblem, reason(error));
      showList();
    }
  }

  /** What was begun in a room stays there. */
  function close() {
    if (open) open.draft = text.value;
    open = null;
    unspoken = [];
    spoken.replaceChildren();
  }

  function forget() {
    for (const each of rooms.values()) each.loaded = false;
  }

  /** Ask for the newest messages, and for as many as there are here: what was changed or removed meanwhile is told of nowhere else. */
  async function load(target) {
    const { last } = target;
    const page = await hub.ask("chat.log", { room: target.name, limit: Math.min(Math.max(PAGE, target.messages.size), MOST_KEPT) });
    target.renew(page, last);
  }

  async function loadOlder() {
    const from = open;
    const { first } = from;
    const page = await hub.ask("chat.log", { room: from.name, limit: PAGE, before: first });
    // What is there may have been loaded anew meanwhile, and begin elsewhere.
    if (from.first !== first) return;
    from.take(page);
    if (from !== open) return;
    showMessages("before");
    if (older.hidden) log.element.focus({ preventScroll: true });
  }

  function put(target, message) {
    target.last = Math.max(target.last, message.seq);
    // Of a room that nobody has looked at yet the newest are asked for then; what was heard of it before might have gaps.
    if (!target.loaded && target !== open) return;
    target.put(message);
    if (target !== open || log.isAtEnd()) target.trim();
  }

  // Once for many: thousands may come at once, and drawing them all for each would take minutes.
  const draw = drawing(() => {
    showList();
    if (!open) return;
    showMessages();
    markRead();
    if (unspoken.length > MOST_SPOKEN) unspoken = [`${unspoken.length} new messages`];
    if (unspoken.length) spoken.replaceChildren(...unspoken.map((each) => el("p", {}, each)));
    unspoken = [];
  });

  function showMessages(where) {
    topic.textContent = open.topic;
    topic.hidden = !open.topic;
    older.hidden = !open.older || !open.messages.size;
    quiet.hidden = open.messages.size + open.sending.length > 0 || !open.loaded;
    log.show(open, where);
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
    if (isNew && of.from !== app.username) {
      if (target === open) unspoken.push(`${of.from}: ${of.text}`);
      if (target !== open || document.hidden) target.unread += 1;
    }
    draw();
    return target === open;
  }

  const events = {
    "chat.message": (of) => hear(room(of.room), of),
    "chat.direct": (of) => hear(room(`@${of.from === app.username ? of.to : of.from}`), of),
    "chat.edited": (of) => change(of, { text: of.text, edited: of.at }),
    "chat.removed": (of) => change(of, asRemoved(of.by, of.reason)),
    "chat.moderated": (of) => {
      if (of.username !== app.username || !["appoint", "dismiss"].includes(of.act)) return;
      room(of.room).operator = of.act === "appoint";
      if (open?.name === of.room) showMessages();
    },
    "chat.topic": (of) => {
      room(of.room).topic = of.topic;
      if (open?.name === of.room) showMessages();
    },
    "chat.parted": (of) => {
      if (of.username !== app.username) return;
      rooms.delete(of.room);
      if (open?.name === of.room) app.show("chat");
      showList();
    },
    "chat.joined": (of) => of.username === app.username && listSoon(),
    "chat.marked": (of) => (room(of.room), countSoon()),
  };

  function change(of, values) {
    const target = rooms.get(of.room);
    const message = target?.messages.get(of.seq);
    if (!message) return;
    Object.assign(message, values);
    if (target === open) showMessages();
  }

  return {
    element,
    fills: true,
    begin: () => fillList().catch((error) => say(listProblem, reason(error))),
    async show(rest) {
      if (!visible) fillList().catch((error) => say(listProblem, reason(error)));
      visible = true;
      if (rest) return openRoom(rest.toLowerCase());
      close();
      element.classList.remove("open");
      pane.replaceChildren(el("p", { class: "none" }, "Choose a room, or write to somebody."));
      showList();
    },
    hide() {
      visible = false;
      close();
      // What one does by a command is told to nobody here, either.
      forget();
    },
    /** What happened meanwhile was told to nobody here. */
    async back() {
      forget();
      try {
        await fillList();
        const asked = open;
        if (!asked) return;
        await load(asked);
        if (asked === open) draw();
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
