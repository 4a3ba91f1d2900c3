// What is known of a room, or of a direct conversation, which is a room whose name starts with @.

export const MOST_KEPT = 1000; // messages of a room; of more than that half are asked for again if somebody wants to see them

/** What is so of a message that was removed: there is nothing to read any more, only by whom and why. */
export const asRemoved = (by, reason) => ({ text: "", removed: by, reason, receipt: undefined });

/**
 * Its messages by number, once they were looked at, and how many are unread. `last` is the newest that was heard of; `draft` is what somebody has
 * begun to write there, `sending` what is on its way, and `refused` how the draft begins: with what came back. `begun` is what they are about to
 * do with its messages, by number.
 */
export class Room {
  constructor(name) {
    this.name = name;
    this.isDirect = name.startsWith("@");
    this.topic = "";
    this.operator = false;
    this.messages = new Map();
    this.last = 0;
    this.unread = 0;
    this.loaded = false;
    this.older = true;
    this.begun = new Map();
    this.sending = [];
    this.draft = "";
    this.refused = "";
  }

  get first() {
    let first = this.last;
    for (const seq of this.messages.keys()) if (seq < first) first = seq;
    return first;
  }

  /** Take messages that the hub lists, the newest first: the newest of all, or those before the first one here. */
  take(page) {
    for (const each of page.items) {
      this.messages.set(each.seq, each);
      this.last = Math.max(this.last, each.seq);
    }
    this.older = Boolean(page.more);
  }

  /** Take the newest messages in place of those that are here, but for what was heard since they were asked for. */
  renew(page, lastBefore) {
    const newest = page.items[0]?.seq ?? lastBefore;
    this.messages = new Map([...this.messages].filter(([seq]) => seq > newest));
    this.take(page);
    this.loaded = true;
  }

  put(message) {
    this.messages.set(message.seq, { ...this.messages.get(message.seq), ...message });
  }

  trim() {
    if (this.messages.size <= MOST_KEPT) return;
    this.messages = new Map([...this.messages].sort(([a], [b]) => a - b).slice(-MOST_KEPT / 2));
    this.older = true;
  }

  /** What was refused can be mended, and said again: behind what was refused before it, in front of what was `written` since. */
  refuse(text, written) {
    const before = written.startsWith(this.refused) ? this.refused : "";
    const since = written.slice(before.length).replace(/^\n/, "");
    this.refused = before ? `${before}\n${text}` : text;
    this.draft = since ? `${this.refused}\n${since}` : this.refused;
  }
}
