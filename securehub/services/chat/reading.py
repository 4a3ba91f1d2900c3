"""
What somebody has read, and finding what was said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from securehub.casefolding import fold
from securehub.event import ToOthers
from securehub.refusals import BadArgument, NotFound
from securehub.reply import Listing, Reply, Row, Top, when
from securehub.services import messages
from securehub.services.chat.events import Marked
from securehub.services.chat.records import Correspondent, Direct, Room, Rooms, Seat, seat_key
from securehub.services.chat.rooms import unread_in
from securehub.services.chat.saying import Conversation, conversation, direct_key
from securehub.store.transaction import ReadTransaction, Transaction
from securehub.switchboard import member

SEARCHED = 10_000
"""Messages that one search looks at, the newest; it takes some ten milliseconds, in which nobody else is served."""

SEARCHED_CHARACTERS = 1_000_000
"""Of all these messages together, or up to the message that goes beyond; where each has the words as parts of others, they take 50 ms."""

FOLDED_CHARACTERS = 4
"""Each character of a text that is not all ASCII counts as so many, as it is folded for itself."""

MOST_FOUND = 200
"""Messages of one answer."""

MAX_CORRESPONDENTS = 1_000
"""Direct conversations that are looked through for a word, the first by name."""

MAX_MARKS = 10_000
"""Direct conversations that are looked through for what is unread, or for those spoken in last; it takes 30 to 50 ms."""

_WORD = re.compile(r"\w+")


class _Wanted(NamedTuple):
    """
    What a search is for.

    @ivar words: all of them, folded.
    @ivar longest: the longest of these.
    """

    words: frozenset[str]
    longest: str


class UnreadRow(Row, frozen=True):
    """
    A conversation with something that you have not read.

    @ivar room: C{@username} for the direct one with that member.
    @ivar unread: how many messages.
    @ivar mentions: how often you are mentioned there, since you read it last.
    @ivar read: up to which message you have read.
    @ivar seq: the number of the newest.
    """

    room: str
    unread: int
    mentions: int
    read: int
    seq: int


class ConversationRow(Row, frozen=True):
    """
    A direct conversation.

    @ivar room: C{@username} of the other one.
    @ivar unread: how many messages you have not read.
    @ivar read: up to which message you have read.
    @ivar seq: the number of the newest.
    @ivar at: when that was said.
    @ivar from_: by whom.
    """

    room: str
    unread: int
    read: int
    seq: int
    at: datetime
    from_: str = msgspec.field(name="from")


class Mark(Reply, frozen=True):
    """Up to which message you have read a conversation."""

    room: str
    seq: int
    unread: int


class FoundRow(Row, frozen=True):
    """A message that was found."""

    room: str
    seq: int
    at: datetime
    from_: str = msgspec.field(name="from")
    text: str


class Found(Listing[FoundRow], frozen=True, omit_defaults=True):
    """
    What was found, the newest of each conversation first.

    @ivar next: with which C{before} to ask for older ones, if one conversation was searched and has older ones.
    """

    next: int | None = None

    def lines(self) -> Iterable[str]:
        for row in self.items:
            first, *further = f"[{row.room}] {row.seq}  {when(row.at)}  {row.from_}: {row.text}".split("\n")
            yield first
            yield from (f"  {each}" for each in further)

    def status(self) -> str:
        if not self.more:
            return ""
        return f"there may be more; ask with before={self.next}" if self.next is not None else "there may be more; ask with room="


def unread(tx: ReadTransaction, username: str, *, limit: int) -> Top[UnreadRow]:
    """Where somebody has something to read: rooms in the order in which they joined, then direct conversations."""
    return Top.up_to(limit, (row for row in _all_marks(tx, username) if row.unread))


def _all_marks(tx: ReadTransaction, username: str) -> Iterator[UnreadRow]:
    for room in _rooms(tx, username):
        found, seat = tx.fetch(Room, room), tx.fetch(Seat, seat_key(room, username))
        count = unread_in(found, seat)
        # A message mentions somebody once at most; what is kept no longer may have done so, too.
        yield UnreadRow(room, count, min(seat.mentions, count), seat.read, found.seq)
    for peer, read, seq in _correspondents(tx, username, MAX_MARKS):
        yield UnreadRow(f"@{peer}", seq - read, 0, read, seq)


def conversations(tx: ReadTransaction, username: str, *, limit: int, before: str | None) -> Listing[ConversationRow]:
    """
    Somebody's direct conversations, those first in which something was said last.

    @param before: only those behind this one. If something was said there meanwhile, some come once more.

    @raise NotFound: there is none of that name.
    """
    found = []
    for peer, read, seq in _correspondents(tx, username, MAX_MARKS):
        newest = tx.fetch(messages.Message, messages.key(direct_key(username, peer), seq))
        found.append((newest.at, f"@{peer}", read, seq, newest.by))
    found.sort(reverse=True)
    if before is not None:
        places = [place for _, place, *_ in found]
        if before not in places:
            raise NotFound(f"you have no direct conversation {before}")
        found = found[places.index(before) + 1 :]
    return Listing.up_to(limit, (ConversationRow(place, seq - read, read, seq, at, by) for at, place, read, seq, by in found))


def mark(tx: Transaction, username: str, place: str, seq: int | None, session: int, *, at: datetime) -> Mark:
    """
    Say up to which message one has read; it may be less than before.

    @param seq: None for all.

    @raise BadArgument: there are not so many messages.
    """
    found = conversation(tx, place, username, at)
    seq = found.seq if seq is None else seq
    if seq > found.seq:
        raise BadArgument(f"seq: the newest message is {found.seq}")
    if found.peer is not None:
        tx.put(f"{username}/{found.peer}", Correspondent(seq))
        left = found.seq - seq
    else:
        seat = replace(tx.fetch(Seat, seat_key(place, username)), read=seq, mentions=0)
        tx.put(seat_key(place, username), seat)
        left = unread_in(tx.fetch(Room, place), seat)
    tx.announce(member(username), ToOthers(session, Marked(place, seq)))
    return Mark(place, seq, left)


def search(tx: ReadTransaction, username: str, words: str, place: str | None, *, limit: int, before: int | None, at: datetime) -> Found:
    """
    Find messages which have all these words, among the newest of what somebody may read: one conversation, or all of theirs.

    @param before: only messages before this number; only in one conversation.
    """
    wanted = _wanted(words)
    if place is None and before is not None:
        raise BadArgument("before: name the room, as each numbers its own messages")
    if place is not None:
        rows, looked_at = _search(tx, place, conversation(tx, place, username, at), wanted, before, min(limit, MOST_FOUND))
        return Found(rows, more=looked_at is not None, next=looked_at)
    return _search_all(tx, username, wanted, min(limit, MOST_FOUND), at)


def _wanted(words: str) -> _Wanted:
    """
    The words that a search is for. They are taken from the folded text, as those of messages are: an accent that is a character of its own
    belongs to no word, and would part one.

    @raise BadArgument: there is none.
    """
    found = frozenset(_WORD.findall(fold(words)))
    if not found:
        raise BadArgument("words: there is no word in it")
    return _Wanted(found, max(found, key=len))


def _search_all(tx: ReadTransaction, username: str, wanted: _Wanted, limit: int, at: datetime) -> Found:
    """In all of a member's conversations; each has a fair share of what may be looked at, so that none hides the others."""
    peers = [peer for peer, *_ in _correspondents(tx, username, MAX_CORRESPONDENTS + 1)]
    more = len(peers) > MAX_CORRESPONDENTS
    places = [*_rooms(tx, username), *(f"@{peer}" for peer in peers[:MAX_CORRESPONDENTS])]
    rows: list[FoundRow] = []
    for each in places:
        found, looked_at = _search(tx, each, conversation(tx, each, username, at), wanted, None, limit - len(rows), len(places))
        rows += found
        more = more or looked_at is not None
    return Found(rows, more=more)


def _search(
    tx: ReadTransaction, place: str, found: Conversation, wanted: _Wanted, before: int | None, limit: int, parts: int = 1
) -> tuple[list[FoundRow], int | None]:
    """
    Look through the messages of one conversation, the newest first.

    @param limit: how many may be found.
    @param parts: how many conversations share what may be looked at; in each, that is one message at least.

    @return: those that have the words, and the last one that was looked at if there are older ones.
    """
    rows: list[FoundRow] = []
    last = found.seq if before is None else min(found.seq, before - 1)
    looked_at = last + 1
    left = SEARCHED_CHARACTERS // parts
    for seq, message in messages.backwards(tx, found.key, last, max(found.first, last - max(1, SEARCHED // parts) + 1)):
        if len(rows) == limit or left < 0:
            break
        looked_at = seq
        left -= len(message.text) * (1 if message.text.isascii() else FOLDED_CHARACTERS)
        if _has(message.text, wanted):
            rows.append(FoundRow(place, seq, message.at, message.by, message.text))
    return rows, looked_at if looked_at > found.first else None


def _has(text: str, wanted: _Wanted) -> bool:
    folded = fold(text)
    # Most texts lack even this one, which is told sooner; to look for all of them so would take long where there are hundreds.
    return wanted.longest in folded and wanted.words.issubset(_WORD.findall(folded))


def _rooms(tx: ReadTransaction, username: str) -> tuple[str, ...]:
    return (tx.get(Rooms, username) or Rooms(())).rooms


def _correspondents(tx: ReadTransaction, username: str, limit: int) -> Iterator[tuple[str, int, int]]:
    """With whom somebody has a direct conversation, up to where they have read it, and the number of its newest message."""
    for key, correspondent in tx.scan(Correspondent, f"{username}/", limit=limit):
        peer = key.partition("/")[2]
        direct = tx.get(Direct, direct_key(username, peer))
        if direct is not None:
            yield peer, correspondent.read, direct.seq
