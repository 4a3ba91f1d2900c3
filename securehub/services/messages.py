"""
Messages: what is said in a conversation, be it a room, a direct one, or a case of the support desk.

A conversation is any record with a counter C{seq}, which its own rules raise by one for each message. Its messages are numbered without
gaps, so all keys are computed and nothing is searched for. Who may say, read or remove something is the business of whoever keeps the
conversation, and so is a key that no other conversation has: rooms have their names, others a first character that no room's name has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import ClassVar

import msgspec
from msgspec.structs import replace

from securehub.members import Member
from securehub.refusals import Conflict, LimitExceeded, NotFound
from securehub.reply import Listing, Reply, Row, when
from securehub.store.records import Record, behind, further
from securehub.store.transaction import ReadTransaction, Transaction

MAX_VERSIONS = 20
"""Of a message, what it was before it was changed; in one record, so this bounds it to 320 KB."""

CASE, PAST_CASES = "!", '"'
"""The first character of the conversations that the support desk keeps, and the one that comes after it in the order of keys."""

ORDER, PAST_ORDERS = "#", "$"
"""Likewise of those that belong to orders. Rooms and direct conversations come after these."""

PAGE_MESSAGES = 100
PAGE_CHARACTERS = 16_384
"""A page is full with so many characters, or with the message that goes beyond; so it never has more than 100 KB."""


HISTORY_CHARACTERS = 262_144
"""A history has no more, and then says that there is more; so one answer has a megabyte at most, and takes a few milliseconds."""


class Receipt(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """
    What a message shows of the ledger: a payment, or that somebody is asked for one. Who says it pays, or asks.

    @ivar from_: who pays.
    @ivar transfer: the payment, if it was made.
    @ivar request: the payment request, if there is one.
    """

    from_: str = msgspec.field(name="from")
    to: str
    amount: str
    currency: str
    transfer: int | None = None
    request: int | None = None

    def told(self, memo: str) -> str:
        """What the message says."""
        numbers = [f"{name} {number}" for name, number in (("transfer", self.transfer), ("request", self.request)) if number is not None]
        price = f"{self.amount} {self.currency}"
        deed = f"asks {self.from_} for {price}" if self.transfer is None else f"paid {self.to} {price}"
        return f"{deed} ({', '.join(numbers)}){f': {memo}' if memo else ''}"


class Message(Record, frozen=True):
    """
    A message, by its conversation and C{seq}. It is found beneath who said it, too.

    @ivar by: who said it.
    @ivar text: what; nothing, once it is removed.
    @ivar edited: when it was changed last.
    @ivar removed: who removed it; empty if nobody did.
    @ivar reason: why.
    @ivar receipt: what it shows of the ledger. Such a message cannot be changed.
    """

    collection: ClassVar[str] = "message"

    at: datetime
    by: str
    text: str
    edited: datetime | None = None
    removed: str = ""
    reason: str = ""
    receipt: Receipt | None = None

    def beneath(self) -> tuple[str]:
        return (self.by,)


class Version(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """
    What a message was.

    @ivar until: when it was changed or removed.
    @ivar by: who did that.
    """

    until: datetime
    by: str
    text: str


class Trace(Record, frozen=True):
    """What a message was before it was changed or removed, by the message's key, the oldest first."""

    collection: ClassVar[str] = "trace"
    scanned: ClassVar[bool] = False

    versions: tuple[Version, ...]


RECORDS = (Message, Trace)
"""What a service lists among its records when it keeps conversations."""


class Said(Reply, frozen=True):
    """A message that was said, and now has its number."""

    seq: int
    at: datetime

    def status(self) -> str:
        return f"Message {self.seq}."


class Line(Row, frozen=True, omit_defaults=True):
    """
    A message as its readers see it.

    @ivar text: empty if it was removed.
    @ivar edited: when it was changed last, if it was.
    @ivar removed: who removed it, if it was.
    @ivar reason: why.
    @ivar receipt: what it shows of the ledger, if it does.
    """

    seq: int
    at: datetime
    from_: str = msgspec.field(name="from")
    text: str
    edited: datetime | None = None
    removed: str = ""
    reason: str = ""
    receipt: Receipt | None = None

    @classmethod
    def of(cls, seq: int, message: Message) -> Line:
        return cls(seq, message.at, message.by, message.text, message.edited, message.removed, message.reason, message.receipt)

    def shown(self) -> str:
        """As people read it."""
        return f"{self.seq}  {when(self.at)}  {spoken(self.from_, self.text, self.removed, self.edited is not None, self.receipt)}"


class History(Listing[Line], frozen=True):
    """Messages, the newest first; as text, in the order in which they were said."""

    def lines(self) -> Iterable[str]:
        for line in reversed(self.items):
            first, *further = line.shown().split("\n")
            yield first
            yield from (f"  {each}" for each in further)

    def status(self) -> str:
        return "there is more; ask with before= the first one shown" if self.more else ""


def spoken(who: str, text: str, removed: str, edited: bool, receipt: Receipt | None) -> str:
    """A message as people read it. What shows a payment has no colon behind the name, as everything has that somebody only writes."""
    if removed:
        # Only a report still has the text.
        return f"{who}: {text} (removed by {removed})" if text else f"{who}: (removed by {removed})"
    if receipt is not None:
        return f"{who} {text}"
    return f"{who}: {text} (edited)" if edited else f"{who}: {text}"


def key(conversation: str, seq: int) -> str:
    """Where a message is kept."""
    return f"{conversation}/{seq:012d}"


def seq_of(key: str) -> int:
    return int(key[-12:])


def conversation_of(key: str) -> str:
    return key[:-13]


def fetch(tx: ReadTransaction, conversation: str, seq: int) -> Message:
    """
    @raise NotFound: there is no such message, or not any more.
    """
    message = tx.get(Message, key(conversation, seq))
    if message is None:
        raise NotFound(f"there is no message {seq}")
    return message


def author_of(tx: ReadTransaction, conversation: str, seq: int) -> str:
    """Who wrote a message, which never changes; empty if there is none."""
    message = tx.get(Message, key(conversation, seq))
    return "" if message is None else message.by


def history(tx: ReadTransaction, conversation: str, newest: int, *, oldest: int = 1, limit: int, before: int | None) -> History:
    """
    The newest messages, or those before a number.

    @param newest: the conversation's C{seq}.
    @param oldest: the first message that may still be there.
    """
    last = newest if before is None else min(newest, before - 1)
    lines: list[Line] = []
    left = HISTORY_CHARACTERS
    for seq, message in backwards(tx, conversation, last, oldest):
        left -= len(message.text)
        if len(lines) == limit or (left < 0 and lines):
            return History(lines, more=True)
        lines.append(Line.of(seq, message))
    return History(lines)


def backwards(tx: ReadTransaction, conversation: str, last: int, first: int) -> Iterator[tuple[int, Message]]:
    """Messages from C{last} back to C{first}, both included."""
    return _found(tx, conversation, range(last, max(first, 1) - 1, -1))


def page(tx: ReadTransaction, conversation: str, after: int, newest: int, *, oldest: int = 1) -> list[tuple[int, Message]]:
    """Some messages after a number, in their order; none only if there are no more."""
    found: list[tuple[int, Message]] = []
    characters = 0
    first = max(after + 1, oldest)
    for each in _found(tx, conversation, range(first, min(newest, first + PAGE_MESSAGES - 1) + 1)):
        found.append(each)
        characters += len(each[1].text)
        if characters >= PAGE_CHARACTERS:
            break
    return found


def _found(tx: ReadTransaction, conversation: str, numbers: Iterable[int]) -> Iterator[tuple[int, Message]]:
    for seq in numbers:
        message = tx.get(Message, key(conversation, seq))
        if message is not None:
            yield seq, message


def edit(tx: Transaction, conversation: str, seq: int, by: str, text: str, *, at: datetime) -> Message:
    """
    Change what a message says. What it was is kept.

    @raise Conflict: it was removed, or shows a payment.
    @raise LimitExceeded: it was changed so often.
    """
    message = fetch(tx, conversation, seq)
    if message.removed:
        raise Conflict(f"message {seq} was removed")
    if message.receipt is not None:
        raise Conflict(f"message {seq} shows a payment")
    _keep(tx, conversation, seq, message, by, at)
    message = replace(message, text=text, edited=at)
    tx.put(key(conversation, seq), message)
    return message


def remove(tx: Transaction, conversation: str, seq: int, by: str, reason: str, *, at: datetime) -> str:
    """
    Take a message out of everybody's sight; its number stays. What it was is kept.

    @return: who said it.

    @raise Conflict: it was removed before.
    """
    message = fetch(tx, conversation, seq)
    if message.removed:
        raise Conflict(f"message {seq} was removed before")
    _keep(tx, conversation, seq, message, by, at, more=1)
    tx.put(key(conversation, seq), replace(message, text="", removed=by, reason=reason, receipt=None))
    return message.by


def versions(tx: ReadTransaction, key: str) -> tuple[Version, ...]:
    """
    What a message was before, the oldest first.

    @param key: the message's.
    """
    trace = tx.get(Trace, key)
    return () if trace is None else trace.versions


def forget(tx: Transaction, conversation: str, oldest: int, newest: int, before: datetime, limit: int) -> int:
    """
    Delete the oldest messages, and what they were before.

    @param limit: at most so many.

    @return: how many there were.
    """
    count = 0
    for seq, message in _found(tx, conversation, range(oldest, min(newest, oldest + limit - 1) + 1)):
        if message.at >= before:
            break
        delete(tx, key(conversation, seq))
        count += 1
    return count


def delete(tx: Transaction, key: str) -> None:
    """Delete a message, and what it was before."""
    tx.delete(Message, key)
    tx.delete(Trace, key)


def blank_some(tx: Transaction, by: str, after: str, limit: int, *, first: str = "", past: str | None = None) -> str | None:
    """
    Blank some of what a member has said who is being erased, and what it was before, in the order of keys. Numbers stay, and so does who
    removed a message.

    @param after: the last key that is blank; empty to begin.
    @param limit: so many at a time.
    @param first: where the conversations begin that are meant, if not all are.
    @param past: what comes after them, likewise.

    @return: the last key that is blank now; None if nothing is left.
    """
    tx.get(Member, by)
    found = list(tx.beneath(Message, by, start=behind(after) or first, end=past, limit=limit))
    for key, message in found:
        tx.put(key, replace(message, text="", reason="", removed=message.removed or message.by, receipt=None))
        tx.delete(Trace, key)
    return further(found, limit)


def _keep(tx: Transaction, conversation: str, seq: int, message: Message, by: str, at: datetime, *, more: int = 0) -> None:
    """
    @param more: how many versions may be kept above the limit, so that what was changed too often can still be removed.
    """
    kept = versions(tx, key(conversation, seq))
    if len(kept) >= MAX_VERSIONS + more:
        raise LimitExceeded(f"message {seq} was changed {len(kept)} times; {MAX_VERSIONS} are allowed")
    tx.put(key(conversation, seq), Trace((*kept, Version(at, by, message.text))))
