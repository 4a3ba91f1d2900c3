// The messages of a room, and what can be done with each of them where it stands: change, remove or report it.

import { byTouch, el, form, keep, sendsByEnter, time } from "./dom.js";
import { menu } from "./menu.js";
import { asRemoved } from "./room.js";

const MOST_LINES = 12; // of the field in which a message is changed

/** @param changed: is told which message was changed here, what is so now, and how one says that: the hub tells everybody else. */
export function messages(app, changed) {
  const { hub } = app;
  const ACTS = { edit: ["Edit", edit], remove: ["Remove…", remove], report: ["Report…", report] };
  const element = el("ol", { class: "messages", "aria-label": "Messages", tabindex: "0", on: { keydown: walk } });
  let room = null;
  let reached = null; // the menu that Tab leads to

  const isAtEnd = () => element.scrollHeight - element.scrollTop - element.clientHeight < 60;

  /** @param where: whether to show what is at the "end", even if somebody has scrolled up to read, or to stay where one was now that there is something "before". */
  function show(shown, where = "") {
    // Nobody loses sight of what they write because something new is said below.
    const isWriting = [...shown.begun.values()].some((each) => each.element.contains(document.activeElement));
    const toEnd = where === "end" || (isAtEnd() && !isWriting);
    const fromEnd = element.scrollHeight - element.scrollTop;
    room = shown;
    const said = [...room.messages.values()].sort((a, b) => a.seq - b.seq).map((of) => ({ ...of, acts: allowed(of), begun: room.begun.get(of.seq)?.act }));
    const sending = room.sending.map((each, place) => ({ ...each, id: `being sent ${place}` }));
    keep(element, [...said, ...sending], (each) => `${room.name} ${each.id ?? each.seq}`, item);
    const openers = menus();
    reach(openers.find((each) => each === document.activeElement) ?? openers.at(-1));
    if (toEnd) element.scrollTop = element.scrollHeight;
    else if (where === "before") element.scrollTop = element.scrollHeight - fromEnd;
  }

  function item(of) {
    if (of.id) return el("li", { class: "own" }, el("span", { class: "hint" }, "on its way…"), el("p", { class: "text" }, of.text));
    const whose = of.from === app.username ? "own" : of.text.includes(`@${app.username}`) ? "mention" : "";
    const begun = room.begun.get(of.seq);
    const removed = `removed by ${of.removed}${of.reason ? `: ${of.reason}` : ""}`;
    return el("li", { class: whose },
      el("div", { class: "by" },
        el("span", {}, el("strong", {}, of.from), " ", time(of.at), of.edited ? el("span", { class: "hint" }, " changed") : null),
        el("span", { class: "hint", title: "Its number, for chat.trace and the like" }, el("span", { class: "unseen" }, "message "), String(of.seq)),
        of.acts.length && !begun ? menu(`Actions on message ${of.seq} of ${of.from}`, of.acts.map((act) => [ACTS[act][0], () => ACTS[act][1](of)]), { tabindex: "-1" }) : null),
      begun?.act === "edit" && !of.removed ? null : el("p", { class: of.removed ? "text hint" : "text" }, of.removed ? removed : of.text),
      begun?.element);
  }

  /** What the hub lets one do with a message, as far as that can be told here. */
  function allowed(of) {
    if (of.from === app.username) return of.removed || of.receipt ? [] : ["edit", "remove"];
    const keepsOrder = !room.isDirect && (room.operator || app.roles.includes("moderator"));
    return keepsOrder && !of.removed ? ["report", "remove"] : ["report"];
  }

  const menus = () => [...element.querySelectorAll("[aria-haspopup]")];

  /** Tab leads to one menu, and from there the arrows to the others: there may be a thousand. */
  function reach(opener) {
    reached?.setAttribute("tabindex", "-1");
    reached = opener;
    reached?.setAttribute("tabindex", "0");
  }

  function walk(event) {
    const openers = menus();
    const at = openers.indexOf(event.target);
    const to = at < 0 ? undefined : { ArrowUp: openers[at - 1], ArrowDown: openers[at + 1], Home: openers[0], End: openers.at(-1) }[event.key];
    if (!to) return;
    event.preventDefault();
    reach(to);
    to.focus();
  }

  /**
   * Ask in a message what is to be done with it. What is written there stays until that is done or given up, whatever room is looked at.
   *
   * @param back: what gets the focus again, if that is not the menu of the message.
   */
  function ask(of, act, { submit, question, back, ...asked }) {
    const where = room;
    const close = () => {
      const had = panel.contains(document.activeElement);
      where.begun.delete(of.seq);
      if (where === room) show(room);
      if (had) back?.focus();
    };
    const made = form({
      ...asked,
      keeps: true,
      submit: (values) => submit(values, { room: where.name, seq: of.seq }, close),
      missed: (text) => app.notice(`${where.name}: ${text}`, `chat/${where.name}`),
      cancel: close,
    });
    const panel = el("div", { class: "act", role: question && "group", "aria-label": question }, question && el("p", {}, question), made.element);
    const begun = { act, element: panel, first: Object.values(made.inputs)[0] ?? made.cancel };
    where.begun.set(of.seq, begun);
    show(room);
    begun.first.focus();
    panel.scrollIntoView({ block: "nearest" });
    return made;
  }

  function edit(of, back) {
    const where = room;
    const lines = of.text.split("\n").length + Math.floor(of.text.length / 80);
    const { element: asks, inputs } = ask(of, "edit", {
      back,
      label: "Save",
      fields: [{ name: "text", label: `Edit message ${of.seq}`, kind: "lines", required: true, rows: Math.min(lines + 1, MOST_LINES), hint: byTouch() ? "" : "Enter saves, Escape gives up." }],
      async submit({ text }, which, close) {
        if (text !== where.messages.get(of.seq)?.text) {
          await hub.write("chat.edit", { ...which, text });
          changed(which, { text, edited: new Date().toISOString() }, `Message ${of.seq} is changed.`);
        }
        // What was typed while it waited is there to be saved, too.
        if (inputs.text.value === text) close();
      },
    });
    inputs.text.value = of.text;
    sendsByEnter(asks, inputs.text);
  }

  /** Change what one has said last; whether there is something. */
  function editLast(back) {
    const last = [...room.messages.values()].filter((of) => allowed(of).includes("edit")).reduce((one, other) => (one?.seq > other.seq ? one : other), null);
    const begun = last && room.begun.get(last.seq);
    if (begun) begun.first.focus();
    else if (last) edit(last, back);
    return last !== null;
  }

  function remove(of) {
    const isOwn = of.from === app.username;
    ask(of, "remove", {
      label: "Remove",
      question: isOwn ? `Remove message ${of.seq}?` : `Remove message ${of.seq} of ${of.from}?`,
      fields: isOwn ? [] : [{ name: "reason", label: "Why", hint: "Everybody in the room sees it." }],
      async submit({ reason }, which, close) {
        await hub.write("chat.remove", { ...which, reason });
        close();
        changed(which, asRemoved(app.username, reason), `Message ${of.seq} is removed.`);
      },
    });
  }

  function report(of) {
    ask(of, "report", {
      label: "Report",
      question: `Show message ${of.seq} and those around it to the moderators of the hub? They see who reported it.`,
      fields: [{ name: "reason", label: "Why" }],
      async submit({ reason }, which, close) {
        await hub.write("chat.report", { ...which, reason });
        close();
        app.notice(`The moderators will look at message ${of.seq} of ${of.from}.`);
      },
    });
  }

  return { element, show, isAtEnd, editLast };
}
