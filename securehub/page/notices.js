// What an event says in a line, and where there is more of it.

const money = (of) => `${of.amount} ${of.currency}`;
const why = (text) => (text ? `: ${text}` : "");

const WAYS = {
  "codes-on": "Logging in as you takes a one-time code from now on",
  "codes-off": "Logging in as you takes no one-time code any more",
  "certificate-added": "A client certificate logs in as you from now on, without the password",
  "certificate-removed": "A client certificate logs in as you no longer",
};

const SAYS = {
  "ledger.received": (of) => [`${of.from_name} paid you ${money(of)}${why(of.memo)}`, "money"],
  "ledger.requested": (of) => [`${of.to_name} asks you for ${money(of)}${why(of.memo)}`, "money"],
  "ledger.request_ended": (of) => [`The request of ${of.to_name} to ${of.from_name} for ${money(of)} was ${of.state}`, "money"],
  "ledger.withdrawn": (of) => [`${money(of)} were paid out to you${why(of.memo)}`, "money"],
  "ledger.reversed": (of) => [`${money(of)} that you had received went back to ${of.to_name}${why(of.reason)}`, "money"],
  "ledger.held": (of) => [`${of.from_name} has set ${money(of)} aside for you${why(of.memo)}`, "commands/ledger.holds"],
  "ledger.hold_ended": (of) => [`The ${money(of)} that ${of.from_name} had set aside for ${of.to_name} are ${of.state}`, "commands/ledger.holds"],
  "auth.changed": (of) => [`${WAYS[of.change]}${of.address ? ` (from ${of.address})` : ""}`, of.fingerprint ? "commands/auth.certs" : "commands/auth.sessions"],
  "ledger.limits_changed": (of) => [`Your account ${of.account} has other limits now`, "commands/ledger.limits"],
  "ledger.schedule_paid": (of) => [`${money(of)} were paid to ${of.to_name}, as you had scheduled`, "money"],
  "ledger.schedule_failed": (of) => [`${money(of)} could not be paid to ${of.to}, as you had scheduled${why(of.reason)}`, "commands/ledger.schedules"],
  "orders.updated": (of) => [`Order ${of.order}: ${of.status}`, "market"],
  "orders.message": (of) => [`Order ${of.order}, ${of.from}: ${of.text}`, "commands/orders.log"],
  "orders.low": (of) => [`Of ${of.sku} ${of.stock} are left`, "commands/orders.stock"],
  "orders.quote_ended": (of) => [`Your quote ${of.quote} of ${of.seller} for ${of.total} ${of.currency} is over`],
  "support.message": (of) => [`Case ${of.ticket}, ${of.from}: ${of.text}`, `support/${of.ticket}`],
  "support.changed": (of) => [`Case ${of.ticket} is ${of.status}`, `support/${of.ticket}`],
  "support.noted": (of) => [`Case ${of.ticket}, a note of ${of.from}: ${of.text}`, `support/${of.ticket}`],
  "support.rated": (of) => [`Case ${of.ticket} was given ${of.stars} of 5 stars${why(of.comment)}`, `support/${of.ticket}`],
  "support.waiting": (of) => [`${of.waiting === 1 ? "A case waits" : `${of.waiting} cases wait`} for an agent`, "support"],
  "hub.announcement": (of) => [of.text],
  "chat.direct": (of) => [`${of.from}: ${of.text}`, `chat/@${of.from}`],
  "chat.invited": (of) => [`${of.by} invites you to the room ${of.room}`, "chat"],
  "chat.reported": (of) => [`${of.by} has reported message ${of.seq} of ${of.room}${why(of.reason)}`, "commands/chat.reports"],
  "chat.reports_waiting": (of) => [`${of.waiting === 1 ? "A report waits" : `${of.waiting} reports wait`} for a moderator`, "commands/chat.reports"],
  "chat.moderated": (of) => [`[${of.room}] ${of.by}: ${of.act}${of.username ? ` ${of.username}` : ""}${why(of.reason)}`, `chat/${of.room}`],
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
