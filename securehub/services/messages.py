"""
Messages: what is said in a conversation, be it a room, a direct one, or a case of the support desk.

A conversation is any record with a counter C{seq}, which its own rules raise by one for each message. Its messages lie beneath its key,
numbered without gaps. Who may say, read or remove something is the business of whoever keeps the conversation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import ClassVar

import msgspec
from msgspec.structs import replace

from securehub.refusals import Conflict, LimitExceeded, NotFound
from securehub.reply import Listing, Reply, Row, when
from securehub.store.records import Record
from securehub.store.transaction import ReadTransaction, Transaction

MAX_VERSIONS = 20
"""Of a message, what it was before it was changed; in one record, so this bounds it to 320 KB."""

PAGE_MESSAGES = 100
PAGE_CHARACTERS = 16_384
"""A page is full with so many characters, or with the message that goes beyond; so it never has more than 100 KB."""


class Message(Record, frozen=True):
    """
    A message, beneath its conversation, by C{seq}.

    @ivar by: who said it.
    @ivar text: what; nothing, once it is removed.
    @ivar edited: when it was changed last.
    @ivar removed: who removed it; empty if nobody did.
    @ivar reason: why.
    """

    collection: ClassVar[str] = "message"

    at: datetime
    by: str
    text: str
    edited: datetime | None = None
    removed: str = ""
    reason: str = ""


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
    """

    seq: int
    at: datetime
    from_: str = msgspec.field(name="from")
    text: str
    edited: datetime | None = None
    removed: str = ""
    reason: str = ""

    @classmethod
    def of(cls, seq: int, message: Message) -> Line:
        return cls(seq, message.at, message.by, message.text, message.edited, message.removed, message.reason)

    def shown(self) -> str:
        """As people read it."""
        return f"{self.seq}  {when(self.at)}  {self.from_}: {shown_text(self.text, self.removed, self.edited is not None)}"


class History(Listing[Line], frozen=True):
    """Messages, the newest first; as text, in the order in which they were said."""

    def lines(self) -> Iterable[str]:
        for line in reversed(self.items):
            first, *further = line.shown().split("\n")
            yield first
            yield from (f"  {each}" for each in further)

    def status(self) -> str:
        return "there is more; ask with before= the first one shown" if self.more else ""


def shown_text(text: str, removed: str, edited: bool) -> str:
    """A message's text with what became of it."""
    if removed:
        return f"(removed by {removed})"
    return f"{text} (edited)" if edited else text


def key(conversation: str, seq: int) -> str:
    return f"{conversation}/{seq:012d}"


def seq_of(key: str) -> int:
    return int(key[-12:])


def fetch(tx: ReadTransaction, conversation: str, seq: int) -> Message:
    """
    @raise NotFound: there is no such message, or not any more.
    """
    message = tx.get(Message, key(conversation, seq))
    if message is None:
        raise NotFound(f"there is no message {seq}")
    return message


def history(tx: ReadTransaction, conversation: str, *, limit: int, before: int | None) -> History:
    """The newest messages, or those before a number."""
    found = [Line.of(seq, message) for seq, message in newest(tx, conversation, before, limit + 1)]
    return History(found[:limit], more=len(found) > limit)


def newest(tx: ReadTransaction, conversation: str, before: int | None, limit: int | None) -> Iterator[tuple[int, Message]]:
    """Messages from the newest to the oldest."""
    end = None if before is None else key(conversation, before)
    for each, message in tx.scan(Message, f"{conversation}/", end=end, limit=limit, reverse=True):
        yield seq_of(each), message


def page(tx: ReadTransaction, conversation: str, after: int) -> list[tuple[int, Message]]:
    """Some messages after a number, in their order; none only if there are no more."""
    found: list[tuple[int, Message]] = []
    characters = 0
    for each, message in tx.scan(Message, f"{conversation}/", start=key(conversation, after + 1), limit=PAGE_MESSAGES):
        found.append((seq_of(each), message))
        characters += len(message.text)
        if characters >= PAGE_CHARACTERS:
            break
    return found


def edit(tx: Transaction, conversation: str, seq: int, by: str, text: str, *, at: datetime) -> Message:
    """
    Change what a message says. What it was is kept.

    @raise Conflict: it was removed.
    @raise LimitExceeded: it was changed so often.
    """
    message = fetch(tx, conversation, seq)
    if message.removed:
        raise Conflict(f"message {seq} was removed")
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
    tx.put(key(conversation, seq), replace(message, text="", removed=by, reason=reason))
    return message.by


def versions(tx: ReadTransaction, conversation: str, seq: int) -> tuple[Version, ...]:
    """What a message was before, the oldest first."""
    trace = tx.get(Trace, key(conversation, seq))
    return () if trace is None else trace.versions


def forget(tx: Transaction, conversation: str, before: datetime, limit: int) -> int:
    """
    Delete the oldest messages, and what they were before.

    @param limit: at most so many.

    @return: how many it were.
    """
    old = [each for each, message in tx.scan(Message, f"{conversation}/", limit=limit) if message.at < before]
    for each in old:
        tx.delete(Message, each)
        tx.delete(Trace, each)
    return len(old)


def _keep(tx: Transaction, conversation: str, seq: int, message: Message, by: str, at: datetime, *, more: int = 0) -> None:
    """
    @param more: how many versions may be kept above the limit, so that what was changed too often can still be removed.
    """
    kept = versions(tx, conversation, seq)
    if len(kept) >= MAX_VERSIONS + more:
        raise LimitExceeded(f"message {seq} was changed {len(kept)} times; {MAX_VERSIONS} are allowed")
    tx.put(key(conversation, seq), Trace((*kept, Version(at, by, message.text))))
