"""
Cases for reading elsewhere: one as a transcript, all as a table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from securehub.refusals import Forbidden
from securehub.reply import Reply, when
from securehub.services import messages
from securehub.services.messages import Message, spoken
from securehub.services.support import cases
from securehub.services.support.looking import notes_for
from securehub.services.support.records import ALL_CASES, Case, case_key, noted_in, said_in, told
from securehub.services.tables import as_table, harmless, stamp
from securehub.store.transaction import ReadTransaction

COLUMNS = ("ticket", "status", "customer", "agent", "order", "opened", "first_answer", "closed", "messages", "notes", "stars", "comment")

LOOKED_AT = 20
"""So many of a case's first messages are looked at for an answer."""


class Transcript(Reply, frozen=True):
    """All that was said in a case, as a text."""

    ticket: int
    text: str

    def lines(self) -> Iterable[str]:
        return self.text.rstrip("\n").split("\n")


class Table(Reply, frozen=True, omit_defaults=True):
    """
    Cases as a table.

    @ivar more: whether there are older ones.
    """

    text: str
    more: bool = False

    def lines(self) -> Iterable[str]:
        return self.text.rstrip("\n").split("\n")

    def status(self) -> str:
        return "there is more; ask with before= the last ticket shown" if self.more else ""


def transcript(tx: ReadTransaction, ticket: int, username: str, *, notes: bool) -> Transcript:
    """
    All that was said in a case, and what happened to it, in the order of time; for its customer and for agents.

    @param notes: with what agents noted.

    @raise Forbidden: notes are wanted by its customer.
    """
    case = cases.visible(tx, ticket, username)
    told = [*_messages(tx, ticket, case), *_steps(case)]
    if notes:
        if case.customer == username:
            raise Forbidden("what agents note is for agents")
        told += _notes(tx, ticket, case)
    about = f", about order {case.order}" if case.order is not None else ""
    lines = [f"Ticket {ticket} of {case.customer}, opened {when(case.opened)}{about}"]
    lines += [f"{when(each.at)}  {each.text}" for each in sorted(told, key=_place)]
    if case.stars:
        lines.append(f"Rated {case.stars} of 5{f': {case.comment}' if case.comment else ''}")
    return Transcript(ticket, "\n".join(line.replace("\n", "\n    ") for line in lines) + "\n")


class _Told(NamedTuple):
    """
    A part of a transcript, in its order: by time; of one moment by the number of the message that it is, or comes after, and by its rank;
    those with the same of all three as they were done.

    @ivar rank: messages, then steps, then notes.
    """

    at: datetime
    seq: int
    rank: int
    text: str


def _place(told: _Told) -> tuple[datetime, int, int]:
    return told.at, told.seq, told.rank


def _messages(tx: ReadTransaction, ticket: int, case: Case) -> Iterator[_Told]:
    for seq, message in _all(tx, said_in(ticket), case.seq):
        yield _Told(message.at, seq, 0, spoken(message.by, message.text, message.removed, False, message.receipt))


def _steps(case: Case) -> Iterator[_Told]:
    for step in case.steps:
        yield _Told(step.at, step.seq, 1, f"-- {told(step.act, step.by, step.to)}")


def _notes(tx: ReadTransaction, ticket: int, case: Case) -> Iterator[_Told]:
    for number, message in _all(tx, noted_in(ticket), case.notes):
        yield _Told(message.at, case.seq + number, 2, f"(note) {spoken(message.by, message.text, message.removed, False, None)}")


def _all(tx: ReadTransaction, conversation: str, newest: int) -> list[tuple[int, Message]]:
    return list(messages.backwards(tx, conversation, newest, 1))


def cases_table(tx: ReadTransaction, *, by: str = "", limit: int, before: int | None) -> Table:
    """
    Cases as a table with a head, the newest first.

    @param by: who asks.
    """
    end = None if before is None else case_key(before)
    found = list(tx.beneath(Case, ALL_CASES, end=end, limit=limit + 1, reverse=True))
    rows = [_row(tx, int(key), case, by) for key, case in found[:limit]]
    return Table("".join(as_table([COLUMNS, *rows])), more=len(found) > limit)


def _row(tx: ReadTransaction, ticket: int, case: Case, by: str) -> tuple[object, ...]:
    return (
        ticket,
        case.status,
        case.customer,
        case.agent,
        case.order,
        *(at and stamp(at) for at in (case.opened, _first_answer(tx, ticket, case), case.closed)),
        case.seq,
        notes_for(case, by),
        case.stars or None,
        harmless(case.comment),
    )


def _first_answer(tx: ReadTransaction, ticket: int, case: Case) -> datetime | None:
    """When somebody else than the customer first said something; cases of older versions do not tell it."""
    if case.answered is not None:
        return case.answered
    for seq in range(1, min(case.seq, LOOKED_AT) + 1):
        message = tx.get(Message, messages.key(said_in(ticket), seq))
        if message is not None and message.by != case.customer:
            return message.at
    return None
