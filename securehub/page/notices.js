// What an event says in a line, and where there is more of it.

const SAYS = {
  "ledger.received": (of) => [`${of.from_name} paid you ${of.amount} ${of.currency}${of.memo ? `: ${of.memo}` : ""}`, "money"],
  "ledger.requested": (of) => [`${of.to_name} asks you for ${of.amount} ${of.currency}${of.memo ? `: ${of.memo}` : ""}`, "money"],
  "ledger.request_ended": (of) => [`The request of ${of.to_name} to ${of.from_name} for ${of.amount} ${of.currency} was ${of.state}`, "money"],
  "orders.updated": (of) => [`Order ${of.order}: ${of.status}`, "market"],
  "support.message": (of) => [`Case ${of.ticket}, ${of.from}: ${of.text}`, `support/${of.ticket}`],
  "support.changed": (of) => [`Case ${of.ticket} is ${of.status}`, `support/${of.ticket}`],
  "hub.announcement": (of) => [of.text ?? Object.values(of).join(" ")],
  "chat.direct": (of) => [`${of.from}: ${of.text}`, `chat/@${of.from}`],
  "chat.invited": (of) => [`${of.by} invites you to the room ${of.room}`, "chat"],
};

// Shown where they belong, and worth no notice.
const QUIET = new Set(["chat.joined", "chat.parted", "chat.presence", "chat.removed", "chat.edited", "chat.marked", "chat.topic", "support.unread"]);

/** The notice for an event: its text, and where its link leads; null if it is none. */
export function noticeOf(method, params, { username }) {
  if (params.from === username || params.by === username) return null;
  if (method === "chat.message") {
    return params.mentions?.includes(username) ? [`[${params.room}] ${params.from}: ${params.text}`, `chat/${params.room}`] : null;
  }
  if (QUIET.has(method)) return null;
  const says = SAYS[method];
  if (says) return says(params);
  // Of a service that this page does not know.
  const shown = Object.entries(params).filter(([, value]) => value !== null && value !== "" && typeof value !== "object");
  return [`${method}: ${shown.map(([name, value]) => `${name} ${value}`).join(", ")}`];
}
