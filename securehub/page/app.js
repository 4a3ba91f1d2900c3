// The page: who is logged in, which view is shown, and what has happened meanwhile.

import { chat } from "./chat.js";
import { commands } from "./commands.js";
import { button, el, form, reason } from "./dom.js";
import { Hub, Refusal, memory } from "./hub.js";
import { market } from "./market.js";
import { money } from "./money.js";
import { noticeOf } from "./notices.js";
import { support } from "./support.js";

const VIEWS = { money: ["Money", money], chat: ["Chat", chat], market: ["Market", market], support: ["Support", support], commands: ["Commands", commands] };
const NOTICE_SECONDS = 12;
const MOST_NOTICES = 4;

const at = (id) => document.getElementById(id);

/** What every view is given: the hub, who one is, and a way to say something. */
const app = { hub: null, username: "", roles: [], account: null, version: "", notice, show: (hash) => (location.hash = hash) };

let views = null;
let shown = null;
let title = "";
const unread = new Map(); // how many, by view

app.hub = new Hub(`wss://${location.host}/ws`, {
  state(text) {
    at("connection").textContent = text;
  },
  event(method, params) {
    if (method === "hub.bye") {
      notice(`The hub says goodbye: ${params.reason}`);
      return;
    }
    // Before the notice: a message that is being looked at needs none.
    const seen = views && Object.values(views).map((view) => view.event?.(method, params, view === shown)).includes(true);
    const text = !seen && noticeOf(method, params, app);
    if (text) notice(...text);
  },
  back() {
    for (const view of Object.values(views ?? {})) view.back?.();
    askForNewer().catch(reason);
  },
  out(why) {
    if (views) welcome(why);
  },
});

/** Say something that happened; with a link to where there is more of it, or with a button that does something about it and stays. */
function notice(text, hash, act) {
  // What was asked for by somebody who has logged out is refused to nobody.
  if (!app.hub.loggedIn) return;
  const list = at("notices");
  const close = button("×", () => {
    item.remove();
    at("main").focus({ preventScroll: true });
  }, { "aria-label": "Dismiss", class: "quiet" });
  const item = el("li", {}, hash ? el("a", { href: `#${hash}`, on: { click: () => item.remove() } }, text) : el("span", {}, text), act, close);
  list.append(item);
  while (list.children.length > MOST_NOTICES) list.firstChild.remove();
  // Not from under somebody who is about to follow it.
  const go = () => (item.matches(":hover, :focus-within") ? later() : item.remove());
  const later = () => setTimeout(go, NOTICE_SECONDS * 1000);
  if (!act) later();
}

/** The hub may have come back as another version, which has a page of its own. */
async function askForNewer() {
  const { version } = await app.hub.ask("hub.version");
  if (app.version && version !== app.version) notice("The hub has a new version.", null, button("Load its page", () => location.reload()));
  app.version = version;
}

/** The way in: a login, or becoming a member. */
function welcome(why = "") {
  shown?.hide?.();
  views = shown = null;
  at("nav").hidden = at("who").hidden = true;
  document.body.classList.remove("full");
  // Nor is what happened to one for whoever comes next.
  at("notices").replaceChildren();
  document.title = "SecureHub";
  const stay = { name: "stay", label: "Stay logged in on this device", kind: "tick" };
  const login = form({
    label: "Log in",
    keeps: true,
    fields: [
      { name: "username", label: "Username", required: true, autocomplete: "username", autocapitalize: "none", spellcheck: "false" },
      { name: "password", label: "Password", kind: "password", autocomplete: "current-password", hint: "Not needed with a client certificate that you have registered." },
      { name: "otp", label: "One-time code", autocomplete: "one-time-code", autocapitalize: "none", hint: "From your app, or one of your recovery codes." },
      stay,
    ],
    async submit({ stay, ...values }) {
      try {
        await app.hub.enter("auth.login", values, stay);
      } catch (error) {
        if (error instanceof Refusal && error.code === "otp-required" && login.rows.otp.hidden) {
          login.rows.otp.hidden = false;
          login.inputs.otp.focus();
          return "Your password is right; now the code.";
        }
        throw error;
      }
      await enter();
    },
  });
  login.rows.otp.hidden = true;
  const join = form({
    label: "Become a member",
    keeps: true,
    fields: [
      { name: "username", label: "Username", required: true, autocomplete: "username", autocapitalize: "none", spellcheck: "false", hint: "2 to 32 of a-z 0-9 . _ -, starting with a letter." },
      { name: "password", label: "Password", kind: "password", required: true, autocomplete: "new-password", hint: "8 to 256 characters." },
      { name: "name", label: "Your name", autocomplete: "name", hint: "If others may see it." },
      { name: "invite", label: "Invitation code", hint: "If you have one." },
      stay,
    ],
    async submit({ stay, ...values }) {
      await app.hub.enter("auth.create", values, stay);
      location.hash = "";
      await enter();
    },
  });
  const newcomer = el("details", { class: "card" }, el("summary", {}, "Become a member"), join.element);
  at("main").replaceChildren(
    el("div", { class: "welcome" },
      why && el("p", { class: "done", role: "status" }, why),
      el("section", { class: "card" }, el("h1", {}, "Log in"), login.element),
      newcomer));
  login.inputs.username.focus();
}

/** Somebody is logged in: find out who, and show what there is. */
async function enter() {
  const { username, roles, account } = await app.hub.ask("hub.whoami");
  Object.assign(app, { username, roles, account });
  askForNewer().catch(reason);
  views = Object.fromEntries(Object.entries(VIEWS).map(([name, [, make]]) => [name, make(app)]));
  at("nav").replaceChildren(...Object.entries(VIEWS).map(([name, [title]]) => el("a", { href: `#${name}`, id: `to-${name}` }, title, " ", el("span", { class: "badge" }))));
  at("user").textContent = username;
  at("nav").hidden = at("who").hidden = false;
  unread.clear();
  app.badge = (name, count) => {
    unread.set(name, count);
    at(`to-${name}`)?.querySelector(".badge")?.replaceChildren(...(count ? [String(count), el("span", { class: "unseen" }, " unread")] : []));
    showTitle();
  };
  for (const view of Object.values(views)) view.begin?.();
  route();
}

/** In a tab that nobody looks at, too, one sees that there is something to read. */
function showTitle() {
  const count = [...unread.values()].reduce((sum, each) => sum + each, 0);
  document.title = `${count ? `(${count}) ` : ""}${title} · SecureHub`;
}

/** Show what the address says: a view's name, and perhaps something in it. */
function route() {
  if (!views) return;
  const [name, ...rest] = location.hash.slice(1).split("/");
  // The link that skips to the content.
  if (name === "main" && shown) return;
  const view = views[name] ?? views.money;
  title = [...rest, VIEWS[views[name] ? name : "money"][0]].join(" · ");
  showTitle();
  for (const link of at("nav").children) {
    if (link.id === `to-${views[name] ? name : "money"}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (view !== shown) {
    shown?.hide?.();
    shown = view;
    document.body.classList.toggle("full", Boolean(view.fills));
    at("main").replaceChildren(view.element);
    at("main").focus({ preventScroll: true });
    scrollTo(0, 0);
  }
  // A way back that was taken is gone, and the focus with it.
  const found = () => document.activeElement === document.body && at("main").focus({ preventScroll: true });
  Promise.resolve(view.show(rest.join("/"))).catch((error) => notice(reason(error))).finally(found);
}

addEventListener("hashchange", route);
// What another tab has done is told to nobody here.
document.addEventListener("visibilitychange", () => !document.hidden && shown?.look?.());
addEventListener("beforeunload", (event) => app.hub.owes && event.preventDefault());
at("logout").addEventListener("click", async () => {
  await app.hub.leave().catch(() => {});
  // What was looked at is nothing for whoever comes next.
  location.hash = "";
});

if (memory.token === null) welcome();
else {
  app.hub.resume().then((found) => (found ? enter() : welcome("Your last login here is over."))).catch((error) => welcome(reason(error)));
}
