"""
What the chat keeps about a member, and what of it is forgotten when the member is erased: all that they said and what it was before, in
rooms, to others, and where it was reported; what they wrote as one who keeps order; their memberships, status, marks and blocks. Numbers
and names stay, so that no series gets a gap and nobody takes another's place; what others said stays theirs.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from msgspec.structs import asdict, replace

from securehub import remembering
from securehub.members import Member
from securehub.remembering import Kept, Section, Step, page
from securehub.services import messages
from securehub.services.blocks import Blocks
from securehub.services.chat.events import Parted
from securehub.services.chat.records import (
    Complaints,
    Correspondent,
    Deed,
    Guest,
    Report,
    Room,
    Rooms,
    Sanction,
    Seat,
    Status,
    guest_key,
    seat_key,
)
from securehub.services.chat.rooms import put_out
from securehub.services.messages import Line, Message
from securehub.store.records import behind, further
from securehub.store.transaction import ReadTransaction, Transaction

ROOMS_AT_ONCE = 20
"""Memberships that end in one transaction; each touches four records."""

MESSAGES_AT_ONCE = 40
"""Messages that one transaction blanks, with what each was before: 640 KB if all are as long as they may be."""

REPORTS_AT_ONCE = 4
"""Each has up to eleven messages in it."""

RECORDS_AT_ONCE = 100
"""Of small ones."""


def remembered(tx: ReadTransaction, username: str, after: str, limit: int) -> list[Kept]:
    """What is kept about a member, one kind after the other."""
    return page(_SECTIONS, tx, username, after, limit)


def refuse_to_forget(tx: ReadTransaction, username: str) -> None:
    """Nothing of the chat's has to be settled first."""


def forget(tx: Transaction, username: str, after: str, told_members: int = 0) -> str | None:
    """
    Let go of memberships, then blank what was said, then what moderators wrote of it.

    @param after: the step, and how far it is.
    @param told_members: in rooms with more members nobody is told that they have left.
    """
    return remembering.forget({"rooms": partial(_leave, told_members=told_members), **_STEPS}, tx, username, after)


def _leave(tx: Transaction, username: str, place: str, told_members: int) -> str | None:
    """Leave the rooms."""
    left = (tx.get(Rooms, username) or Rooms(())).rooms
    for room in left[:ROOMS_AT_ONCE]:
        put_out(tx, tx.fetch(Room, room), Parted(room, username, ""), told_members)
    if len(left) > ROOMS_AT_ONCE:
        return "more"
    for record in (Rooms, Status, Blocks):
        tx.delete(record, username)
    return None


def _blank_messages(tx: Transaction, username: str, place: str) -> str | None:
    """In all conversations, even in those that other services keep, and blank themselves."""
    return messages.blank_some(tx, username, place, MESSAGES_AT_ONCE)


def _blank_reports(tx: Transaction, username: str, place: str) -> str | None:
    """Why they reported, what they said where it was reported, and what they wrote when they had seen to it."""
    tx.get(Member, username)
    found = list(tx.beneath(Report, username, start=behind(place), limit=REPORTS_AT_ONCE))
    for key, report in found:
        context = tuple(_without_words_of(username, line) for line in report.context)
        reason = "" if report.by == username else report.reason
        note = "" if report.settled_by == username else report.note
        tx.put(key, replace(report, context=context, reason=reason, note=note))
    tx.delete(Complaints, username)
    return further(found, REPORTS_AT_ONCE)


def _without_words_of(username: str, line: Line) -> Line:
    """What a report shows, without what they said, or why they removed it."""
    if line.from_ == username:
        return replace(line, text="", reason="", removed=line.removed or username, receipt=None)
    return replace(line, reason="") if line.removed == username else line


def _blank_deeds(tx: Transaction, username: str, place: str) -> str | None:
    """Why they were put out or muted, or why they did so with others; that it was done stays."""
    tx.get(Member, username)
    found = list(tx.beneath(Deed, username, start=behind(place), limit=RECORDS_AT_ONCE))
    for key, deed in found:
        tx.put(key, replace(deed, reason=""))
        if deed.target == username:
            tx.delete(Sanction, seat_key(deed.room, username))
        elif deed.act == "remove":
            _blank_removal(tx, messages.key(deed.room, deed.seq), username)
        elif deed.target:
            _blank_sanction(tx, seat_key(deed.room, deed.target), username)
    return further(found, RECORDS_AT_ONCE)


def _blank_removal(tx: Transaction, key: str, username: str) -> None:
    """Why they removed a message of somebody else's."""
    message = tx.get(Message, key)
    if message is not None and message.removed == username:
        tx.put(key, replace(message, reason=""))


def _blank_sanction(tx: Transaction, key: str, username: str) -> None:
    """Why they banned or muted somebody; that they did stays."""
    sanction = tx.get(Sanction, key)
    if sanction is not None:
        tx.put(key, sanction.without_words_of(username))


def _forget_correspondents(tx: Transaction, username: str, place: str) -> str | None:
    return _delete_beneath(tx, Correspondent, username)


def _forget_invitations(tx: Transaction, username: str, place: str) -> str | None:
    return _delete_beneath(tx, Guest, username)


def _delete_beneath(tx: Transaction, record: type[Correspondent | Guest], username: str) -> str | None:
    tx.get(Member, username)
    found = [key for key, _ in tx.scan(record, f"{username}/", limit=RECORDS_AT_ONCE)]
    for key in found:
        tx.delete(record, key)
    return "more" if len(found) == RECORDS_AT_ONCE else None


_STEPS: dict[str, Step] = {
    "messages": _blank_messages,
    "reports": _blank_reports,
    "deeds": _blank_deeds,
    "correspondents": _forget_correspondents,
    "invitations": _forget_invitations,
}


def _status(tx: ReadTransaction, username: str, after: str) -> Iterable[tuple[str, dict[str, Any]]]:
    found = tx.get(Status, username)
    if found is not None and not after:
        yield "all", asdict(found)


def _blocks(tx: ReadTransaction, username: str, after: str) -> Iterable[tuple[str, dict[str, Any]]]:
    found = tx.get(Blocks, username)
    if found is not None and not after:
        yield "all", asdict(found)


def _seats(tx: ReadTransaction, username: str, after: str) -> Iterable[tuple[str, dict[str, Any]]]:
    for room in sorted((tx.get(Rooms, username) or Rooms(())).rooms):
        if room > after:
            yield room, {"room": room} | asdict(tx.fetch(Seat, seat_key(room, username)))


def _invitations(tx: ReadTransaction, username: str, after: str) -> Iterable[tuple[str, dict[str, Any]]]:
    for key, guest in tx.scan(Guest, f"{username}/", start=guest_key(behind(after), username)):
        yield key.partition("/")[2], {"room": key.partition("/")[2]} | asdict(guest)


def _marks(tx: ReadTransaction, username: str, after: str) -> Iterable[tuple[str, dict[str, Any]]]:
    for key, mark in tx.scan(Correspondent, f"{username}/", start=f"{username}/{behind(after)}"):
        yield key.partition("/")[2], {"with": key.partition("/")[2]} | asdict(mark)


def _said(tx: ReadTransaction, username: str, after: str) -> Iterable[tuple[str, dict[str, Any]]]:
    """In rooms and direct conversations; those that the support desk keeps come before these."""
    for key, message in tx.beneath(Message, username, start=behind(after) or messages.PAST_ORDERS):
        place = {"conversation": messages.conversation_of(key), "seq": messages.seq_of(key)}
        before = [version.text for version in messages.versions(tx, key)]
        yield key, place | asdict(message) | ({"before": before} if before else {})


def _reports(tx: ReadTransaction, username: str, after: str) -> Iterable[tuple[str, dict[str, Any]]]:
    """Those that they made, or have seen to; who reported them is not told."""
    for key, report in tx.beneath(Report, username, start=behind(after)):
        shown = ("at", "room", "seq", "reason", "settled") if report.by == username else ()
        if report.settled_by == username:
            shown = (*shown, "settled", "note")
        if shown:
            values = asdict(report)
            yield key, {"report": int(key)} | {name: values[name] for name in shown}


def _deeds(tx: ReadTransaction, username: str, after: str) -> Iterable[tuple[str, dict[str, Any]]]:
    for key, deed in tx.beneath(Deed, username, start=behind(after)):
        yield key, {"deed": int(key)} | asdict(deed)


_SECTIONS: dict[str, Section] = {
    "status": _status,
    "blocks": _blocks,
    "room": _seats,
    "invitation": _invitations,
    "mark": _marks,
    "message": _said,
    "report": _reports,
    "deed": _deeds,
}
