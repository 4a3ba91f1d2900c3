// Everything that the hub can do, from its own description (rpc.discover): a form for each command, and its answer as it comes.

import { el, form, redraw, table, time } from "./dom.js";

const SECRET = new Set(["password", "old", "new", "token"]);
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

export function commands(app) {
  const { hub } = app;
  const names = el("div", { class: "names" });
  const pane = el("section", { class: "card pane" });
  const filter = el("input", { type: "search", id: "filter", autocomplete: "off", on: { input: () => showNames() } });
  const element = el("div", { class: "view commands" },
    el("section", { class: "card side" }, el("h1", {}, "All commands"), el("div", { class: "field" }, el("label", { for: "filter" }, "Find"), filter), names),
    pane);
  let methods = null;
  let chosen = "";

  function showNames() {
    const wanted = filter.value.trim().toLowerCase();
    const groups = new Map();
    for (const each of methods) {
      if (wanted && !`${each.name} ${each.summary}`.toLowerCase().includes(wanted)) continue;
      const group = each.name.split(".")[0];
      if (!groups.has(group)) groups.set(group, []);
      groups.get(group).push(each);
    }
    redraw(names, ...[...groups].map(([group, found]) =>
      el("details", { open: Boolean(wanted) || chosen.startsWith(`${group}.`) }, el("summary", {}, group),
        el("ul", {}, found.map((each) => el("li", {},
          el("a", { href: `#commands/${each.name}`, title: each.summary, "aria-current": each.name === chosen ? "page" : null }, each.name)))))));
    if (!groups.size) names.replaceChildren(el("p", { class: "none" }, "There is no such command."));
  }

  function showCommand(name) {
    const method = methods.find((each) => each.name === name);
    chosen = method ? name : "";
    element.classList.toggle("open", Boolean(method));
    showNames();
    if (!method) {
      pane.replaceChildren(el("p", { class: "none" }, name ? `There is no command ${name} that you may use.` : "Choose a command. What it does and what it takes is said by the hub itself."));
      return;
    }
    const hasKey = method.params.some((each) => each.name === "key");
    const params = method.params.filter((each) => each.name !== "key");
    const answer = el("div", { class: "answer" });
    const made = form({
      label: "Do it",
      keeps: true,
      fields: params.map(fieldOf),
      async submit(values) {
        answer.replaceChildren();
        const given = {};
        for (const each of params) {
          if (each.name in values) given[each.name] = valueOf(each, values[each.name]);
        }
        const tries = given.try === true;
        const result = await (hasKey && !tries ? hub.write(name, given) : hub.ask(name, given, { once: name.startsWith("auth.") }));
        // The token of a new password is the page's to keep, and nobody's to read over a shoulder.
        const { resume, ...open } = result;
        const told = name.startsWith("auth.") ? open : result;
        if (!Object.keys(told).length) return "Done.";
        answer.replaceChildren(el("h3", {}, "Answer"), shown(told));
        // Not all of it is for a screen reader to say at once.
        return "Done; the answer is below.";
      },
    });
    const title = el("h2", { tabindex: "-1" }, method.name);
    pane.replaceChildren(
      el("p", { class: "back" }, el("a", { href: "#commands" }, "← All commands")),
      title, el("p", {}, el("strong", {}, method.summary)),
      ...(method.description ?? "").split("\n\n").filter(Boolean).map((each) => el("p", {}, each)),
      made.element, answer);
    title.focus({ preventScroll: true });
  }

  return {
    element,
    async show(rest) {
      methods ??= (await hub.ask("rpc.discover")).methods.filter((each) => each["x-access"] !== "anyone who is not logged in");
      showCommand(rest);
    },
  };
}

const kinds = (param) => [param.schema?.type ?? "string"].flat();

function fieldOf(param) {
  const field = { name: param.name, label: param.name, required: param.required, hint: param.description, autocapitalize: "none", spellcheck: "false" };
  const types = kinds(param);
  if (param.schema?.enum) return { ...field, kind: "choice", options: [["", ""], ...param.schema.enum.filter((each) => each !== null).map((each) => [each, each])] };
  if (types.includes("boolean")) return { ...field, kind: "choice", options: [["", ""], ["true", "yes"], ["false", "no"]] };
  if (types.includes("array") || types.includes("object")) return { ...field, kind: "lines", hint: `${param.description}. As JSON.`, placeholder: types.includes("array") ? '[{"…": "…"}]' : '{"…": "…"}' };
  if (SECRET.has(param.name)) return { ...field, kind: "password", autocomplete: "off" };
  if (["text", "statement", "memo", "note"].includes(param.name)) return { ...field, kind: "lines" };
  return types.includes("integer") && !types.includes("string") ? { ...field, inputmode: "numeric" } : field;
}

/** What was typed, as the hub wants it. An amount stays a string, as it was typed. */
function valueOf(param, text) {
  const types = kinds(param);
  const bad = (expected) => Object.assign(new Error(`${param.name}: expected ${expected}`), { told: true });
  if (types.includes("boolean")) return text === "true";
  if (types.includes("array") || types.includes("object")) {
    try {
      return JSON.parse(text);
    } catch {
      throw bad("JSON");
    }
  }
  if (types.includes("integer") && !types.includes("string")) {
    if (!/^-?\d{1,15}$/.test(text)) throw bad("a whole number");
    return Number(text);
  }
  return text;
}

const isList = (value) => Array.isArray(value) && value.every((each) => each !== null && typeof each === "object" && !Array.isArray(each));

/** Any answer: lists of objects as tables, the rest by name. */
function shown(value) {
  if (value === null || value === undefined || value === "") return "";
  if (isList(value)) {
    const columns = [...new Set(value.flatMap((each) => Object.keys(each)))];
    return table("Answer", columns.map((name) => [name, (row) => shown(row[name])]), value, "none");
  }
  if (Array.isArray(value)) {
    const texts = value.map((each) => (typeof each === "object" ? JSON.stringify(each) : String(each)));
    return texts.length > 3 ? el("pre", {}, texts.join("\n")) : texts.join(", ");
  }
  if (typeof value === "object") {
    const entries = Object.entries(value);
    const lists = entries.filter(([, each]) => isList(each));
    const others = entries.filter(([, each]) => !isList(each));
    return el("div", {},
      others.length ? el("dl", {}, others.flatMap(([name, each]) => [el("dt", {}, name), el("dd", {}, shown(each))])) : null,
      lists.flatMap(([name, each]) => [el("h4", {}, name), shown(each)]));
  }
  if (typeof value === "boolean") return value ? "yes" : "no";
  const text = String(value);
  if (TIME.test(text)) return time(text);
  return text.includes("\n") ? el("pre", {}, text) : text;
}
