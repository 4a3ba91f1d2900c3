"""
Blocks: from whom somebody wants to hear nothing. The blocked can write no direct messages to them, invite them nowhere, neither ask them
for money nor set some aside for them, and mention them without effect. What they say in a room is heard by all who are in it, as every
room has one order of messages for all; and what they pay is paid.
"""

from __future__ import annotations

from typing import ClassVar

from securehub import members
from securehub.refusals import BadArgument, Forbidden, LimitExceeded, NotFound
from securehub.reply import Listing, Row
from securehub.store.records import Record
from securehub.store.transaction import ReadTransaction, Transaction

MAX_BLOCKED = 1_000
"""All are in one record, which each direct message to the member reads."""


class Blocks(Record, frozen=True):
    """From whom a member wants to hear nothing, by username."""

    collection: ClassVar[str] = "blocks"
    scanned: ClassVar[bool] = False

    usernames: tuple[str, ...]


class BlockedRow(Row, frozen=True):
    """Somebody whom you have blocked."""

    username: str


def block(tx: Transaction, username: str, other: str) -> None:
    """
    Hear nothing from somebody any more; to do so already is no error.

    @raise NotFound: there is no such member.
    @raise LimitExceeded: so many are blocked.
    """
    if username == other:
        raise BadArgument("username: that is you")
    members.fetch(tx, other)
    blocked = (tx.get(Blocks, username) or Blocks(())).usernames
    if other in blocked:
        return
    if len(blocked) >= MAX_BLOCKED:
        raise LimitExceeded(f"you have blocked {len(blocked)} members; {MAX_BLOCKED} are allowed")
    tx.put(username, Blocks((*blocked, other)))


def refuse_blocked(tx: ReadTransaction, username: str, other: str) -> None:
    """
    @raise Forbidden: C{username} wants to hear nothing from C{other}.
    """
    if other in (tx.get(Blocks, username) or Blocks(())).usernames:
        raise Forbidden(f"{username} wants to hear nothing from you")


def unblock(tx: Transaction, username: str, other: str) -> None:
    """
    Hear from somebody again.

    @raise NotFound: they are not blocked.
    """
    blocked = (tx.get(Blocks, username) or Blocks(())).usernames
    if other not in blocked:
        raise NotFound(f"you have not blocked {other}")
    tx.put(username, Blocks(tuple(each for each in blocked if each != other)))


def blocked(tx: ReadTransaction, username: str) -> Listing[BlockedRow]:
    """Whom somebody has blocked, the last one first."""
    return Listing([BlockedRow(each) for each in reversed((tx.get(Blocks, username) or Blocks(())).usernames)])
