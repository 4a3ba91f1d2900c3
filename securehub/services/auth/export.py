"""
All that is kept about a member, asked of every service that keeps something, a page at a time.

A page is looked at in one transaction and in one turn of the reactor, which is why it has an end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec
from msgspec.structs import asdict

from securehub import arguments, members
from securehub.members import Visits
from securehub.refusals import BadArgument, shown
from securehub.remembering import Kept
from securehub.reply import Reply, Row, table
from securehub.reply import shown as as_text
from securehub.services.auth.certificates import Certificate, marks_of
from securehub.services.auth.invitations import Invitation, Vouched
from securehub.services.auth.known import Known
from securehub.services.auth.otp import OneTime
from securehub.services.auth.records import Brought, Family, Logins
from securehub.store.records import behind
from securehub.store.transaction import ReadTransaction

PAGE = 500
"""Items of one answer, a few milliseconds' work."""

MOST_BYTES = 1024 * 1024
"""Of the items of one answer, or up to the item that goes beyond. A message with all that it was before it was changed has up to 320 KB."""

AT_ONCE = 10
"""Items that a service is asked for at a time: those that do not fit any more have been looked at in vain."""

Remembered = Callable[[ReadTransaction, str, str, int], list[Kept]]


class ExportRow(Row, frozen=True):
    """
    Something that is kept about the caller.

    @ivar service: which keeps it.
    @ivar kind: what it is.
    @ivar values: what it says.
    """

    service: str
    kind: str
    values: dict[str, Any]


class Export(Reply, frozen=True):
    """
    What is kept about the caller.

    @ivar more: whether there is more than this.
    @ivar next: with which C{after} to ask for it.
    """

    username: str
    items: list[ExportRow]
    more: bool = False
    next: str | None = None

    def lines(self) -> Iterable[str]:
        return table([(row.service, row.kind, as_text(row.values)) for row in self.items])

    def status(self) -> str:
        return f"there is more; ask with after={self.next}" if self.more else ""


def export(tx: ReadTransaction, username: str, services: Sequence[tuple[str, Remembered]], after: str, *, limit: int) -> Export:
    """
    A page of what is kept about a member.

    @param services: in their order, how to ask each what it keeps.
    @param after: the end of the page before; empty to begin.
    @param limit: items of a page.

    @raise BadArgument: no page ends so.
    """
    members.fetch(tx, username)
    name, _, key = after.partition("/")
    names = [service for service, _ in services]
    if after and name not in names:
        raise BadArgument(f"after: {shown(after)} is not the end of a page")
    rows: list[ExportRow] = []
    left = MOST_BYTES
    end = ""
    for service, each in _kept(tx, username, services[names.index(name) if after else 0 :], key):
        if len(rows) == limit or left < 0:
            return Export(username, rows, more=True, next=end)
        rows.append(ExportRow(service, each.kind, each.values))
        left -= len(_encode(each.values))
        end = f"{service}/{each.key}"
    return Export(username, rows)


def _kept(tx: ReadTransaction, username: str, services: Sequence[tuple[str, Remembered]], key: str) -> Iterator[tuple[str, Kept]]:
    """All that services keep about a member; what the first of them keeps, from a key on."""
    for service, remembered in services:
        found = remembered(tx, username, key, AT_ONCE)
        while found:
            yield from ((service, each) for each in found)
            found = remembered(tx, username, found[-1].key, AT_ONCE) if len(found) == AT_ONCE else []
        key = ""


_encode = msgspec.json.Encoder().encode


def remembered(tx: ReadTransaction, username: str, after: str, limit: int) -> list[Kept]:
    """What the hub itself and the auth service keep; of secrets, that they are there."""
    found = sorted((*_few(tx, username), *_invitations(tx, username, after, limit)), key=lambda each: each.key)
    return [each for each in found if each.key > after][:limit]


def _few(tx: ReadTransaction, username: str) -> Iterable[Kept]:
    """All of which nobody has many."""
    member, visits = members.fetch(tx, username), tx.fetch(Visits, username)
    yield Kept("member", "member", {"username": username} | _values(member, "number", "name", "roles", "locked"))
    yield Kept("visits", "visits", asdict(visits))
    yield Kept("password", "password", {"kept": "as an argon2id hash"})
    one_time = tx.get(OneTime, username)
    if one_time is not None:
        yield Kept("codes", "codes", {"secret": "kept sealed", "on": one_time.on, "recovery_codes_left": len(one_time.recovery)})
    for fingerprint in marks_of(tx, username):
        kept = _values(tx.fetch(Certificate, fingerprint), "added", "ends")
        yield Kept("certificate", f"certificate/{fingerprint}", {"fingerprint": fingerprint} | kept)
    vouched = tx.get(Vouched, username)
    if vouched is not None:
        yield Kept("voucher", "voucher", {"by": vouched.by})
    for family in (tx.get(Logins, username) or Logins(())).families:
        login = tx.fetch(Family, family)
        session = {"session": family, "since": login.since, "seen": login.last_seen, "address": login.address}
        yield Kept("session", f"session/{family}", session)
    brought = tx.get(Brought, username)
    if brought is not None:
        yield Kept("brought", "brought", _values(brought, "first_month", "months", "orders", "accounts"))
    known = tx.get(Known, username)
    if known is not None:
        yield Kept("networks", "networks", {"networks": known.networks})


def _invitations(tx: ReadTransaction, username: str, after: str, limit: int) -> Iterable[Kept]:
    """Some of the invitations: an admin may have made thousands."""
    kind, _, digest = after.partition("/")
    start = behind(digest) if kind == "invitation" else ""
    for digest, invitation in tx.beneath(Invitation, username, start=start, limit=limit):
        yield Kept("invitation", f"invitation/{digest}", _values(invitation, "made", "expires", "uses"))


def _values(record: msgspec.Struct, *names: str) -> dict[str, Any]:
    return {name: getattr(record, name) for name in names}


def place(word: str) -> str:
    """where to go on, as the answer before this one says"""
    return arguments.word(word)
