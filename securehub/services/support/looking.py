"""
What customers and agents see of cases: lists with their places in the queue, what was said, what agents noted, and what is told at a login.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from securehub.event import Event
from securehub.refusals import BadArgument
from securehub.reply import Listing, Reply, Row, when
from securehub.services import messages
from securehub.services.messages import History
from securehub.services.support import cases, events
from securehub.services.support.records import (
    ALL_CASES,
    OPEN_CASES,
    WAITING,
    WAITING_CASES,
    Case,
    case_key,
    cases_of_agent,
    noted_in,
    said_in,
    told,
)
from securehub.store.transaction import ReadTransaction

MAX_POSITION = 1_000
"""So far the queue is looked through."""

RECENT = 20
"""So many of a member's cases are looked at for what is unread, the newest."""

SUBJECT_CHARACTERS = 60
"""Of a case's first message, for those who look at a list."""


class TicketRow(Row, frozen=True):
    """
    A case of yours.

    @ivar status: C{waiting}, C{open} or C{closed}.
    @ivar position: in the queue, from 1 on; null if it does not wait, or is behind the first 1,000.
    @ivar agent: who sees to it, or did last.
    @ivar unread: messages that you have not read.
    @ivar seq: the number of the newest.
    @ivar order: the order that it is about.
    @ivar stars: your rating; 0 if you gave none.
    """

    ticket: int
    status: str
    position: int | None
    opened: datetime
    changed: datetime
    agent: str
    unread: int
    seq: int
    order: int | None
    stars: int


class QueueRow(Row, frozen=True):
    """
    A case that waits.

    @ivar position: in the queue, from 1 on; null if it is behind the first 1,000.
    @ivar subject: how it begins.
    """

    position: int | None
    ticket: int
    customer: str
    opened: datetime
    changed: datetime
    seq: int
    order: int | None
    subject: str


class Queue(Listing[QueueRow], frozen=True):
    """The cases that wait, the oldest first."""

    def status(self) -> str:
        return "there is more; ask with after= the last ticket shown" if self.more else ""


class CaseRow(Row, frozen=True):
    """
    A case, as agents see it.

    @ivar answered: whether the newest message is not the customer's.
    @ivar stars: the customer's rating; 0 if there is none.
    @ivar subject: how it begins.
    """

    ticket: int
    status: str
    customer: str
    agent: str
    opened: datetime
    changed: datetime
    answered: bool
    seq: int
    notes: int
    order: int | None
    stars: int
    subject: str


class StepRow(Row, frozen=True):
    """
    Something that happened to a case.

    @ivar act: C{taken}, C{passed}, C{left} (its agent is an agent no more) or C{closed}.
    @ivar seq: the number of the newest message before it.
    @ivar to: to whom it was passed; empty for the queue.
    """

    at: datetime
    act: str
    by: str
    seq: int
    to: str


class Shown(Reply, frozen=True):
    """
    A case with all that happened to it.

    @ivar position: in the queue, from 1 on; null if it does not wait, or is behind the first 1,000.
    """

    ticket: int
    state: str = msgspec.field(name="status")
    position: int | None
    customer: str
    agent: str
    opened: datetime
    changed: datetime
    closed: datetime | None
    seq: int
    order: int | None
    stars: int
    comment: str
    steps: tuple[StepRow, ...]

    def lines(self) -> Iterable[str]:
        names = [field.encode_name for field in msgspec.structs.fields(self)][:-1]
        width = max(map(len, names))
        for name, value in zip(names, msgspec.structs.astuple(self), strict=False):
            text = when(value) if isinstance(value, datetime) else str(value or "-").replace("\n", " / ")
            yield f"{name:{width}}  {text}"
        yield from (f"{when(step.at)}  {told(step.act, step.by, step.to)}" for step in self.steps)


def shown(tx: ReadTransaction, ticket: int, username: str) -> Shown:
    """A case with its steps, for its customer and for agents."""
    case = cases.visible(tx, ticket, username)
    steps = tuple(StepRow(each.at, each.act, each.by, each.seq, each.to) for each in case.steps)
    position = _positions(tx).get(ticket) if case.status == WAITING else None
    return Shown(
        ticket,
        case.status,
        position,
        case.customer,
        case.agent,
        case.opened,
        case.changed,
        case.closed,
        case.seq,
        case.order,
        case.stars,
        case.comment,
        steps,
    )


def tickets(tx: ReadTransaction, username: str, *, limit: int, before: int | None) -> Listing[TicketRow]:
    """A member's cases, the newest first."""
    end = None if before is None else case_key(before)
    found = [(int(key), case) for key, case in tx.beneath(Case, username, end=end, limit=limit + 1, reverse=True)]
    positions = _positions(tx) if any(case.status == WAITING for _, case in found) else {}
    rows = [_ticket(number, case, positions.get(number)) for number, case in found[:limit]]
    return Listing(rows, more=len(found) > limit)


def _ticket(ticket: int, case: Case, position: int | None) -> TicketRow:
    unread = case.seq - case.read
    return TicketRow(ticket, case.status, position, case.opened, case.changed, case.agent, unread, case.seq, case.order, case.stars)


def _positions(tx: ReadTransaction, limit: int = MAX_POSITION) -> dict[int, int]:
    """The places of the first cases in the queue, by ticket."""
    return {int(key): place for place, (key, _) in enumerate(tx.beneath(Case, WAITING_CASES, limit=limit), start=1)}


def queue(tx: ReadTransaction, *, limit: int, after: int | None) -> Queue:
    """The cases that wait, the oldest first."""
    start = "" if after is None else case_key(after + 1)
    positions = _positions(tx, limit if after is None else MAX_POSITION)
    found = ((int(key), case) for key, case in tx.beneath(Case, WAITING_CASES, start=start))
    rows = (
        QueueRow(positions.get(ticket), ticket, case.customer, case.opened, case.changed, case.seq, case.order, _subject(tx, ticket))
        for ticket, case in found
    )
    return Queue.up_to(limit, rows)


def all_cases(
    tx: ReadTransaction, customer: str | None, agent: str | None, *, by: str = "", closed: bool, limit: int, before: int | None
) -> Listing[CaseRow]:
    """
    Cases for agents, the newest first.

    @param by: who asks.
    @param customer: only this member's.
    @param agent: only open ones that this agent sees to.
    @param closed: those that are closed, too.

    @raise BadArgument: it is asked for closed cases of an agent.
    """
    if agent is not None and (customer is not None or closed):
        raise BadArgument("agent: the open cases of an agent are shown, and nothing else can be asked for with that")
    parent = cases_of_agent(agent) if agent else customer or (ALL_CASES if closed else OPEN_CASES)
    end = None if before is None else case_key(before)
    found = tx.beneath(Case, parent, end=end, reverse=True)
    return Listing.up_to(limit, (_case(tx, int(key), case, by) for key, case in found if closed or case.closed is None))


def notes_for(case: Case, by: str) -> int:
    """How many notes of a case an agent is told of: of one's own case none, as no customer is."""
    return 0 if case.customer == by else case.notes


def _case(tx: ReadTransaction, ticket: int, case: Case, by: str) -> CaseRow:
    return CaseRow(
        ticket,
        case.status,
        case.customer,
        case.agent,
        case.opened,
        case.changed,
        case.last != case.customer,
        case.seq,
        notes_for(case, by),
        case.order,
        case.stars,
        _subject(tx, ticket),
    )


def _subject(tx: ReadTransaction, ticket: int) -> str:
    first = tx.get(messages.Message, messages.key(said_in(ticket), 1))
    text = "" if first is None else " ".join(first.text.split())
    return text if len(text) <= SUBJECT_CHARACTERS else f"{text[:SUBJECT_CHARACTERS]}..."


def said(tx: ReadTransaction, ticket: int, username: str, *, limit: int, before: int | None) -> History:
    """What was said in a case, for its customer and for agents."""
    case = cases.visible(tx, ticket, username)
    return messages.history(tx, said_in(ticket), case.seq, limit=limit, before=before)


def noted(tx: ReadTransaction, ticket: int, by: str, *, limit: int, before: int | None) -> History:
    """
    What agents noted in a case.

    @raise Forbidden: it is the agent's own.
    """
    case = cases.as_agent(tx, ticket, by)
    return messages.history(tx, noted_in(ticket), case.notes, limit=limit, before=before)


def greeting(tx: ReadTransaction, username: str) -> list[Event]:
    """What a member is told at a login: answers that they have not read, and as an agent how many cases wait."""
    told: list[Event] = []
    recent = [(int(key), case) for key, case in tx.beneath(Case, username, limit=RECENT, reverse=True)]
    unread = tuple(events.Unread(ticket, case.seq - case.read) for ticket, case in reversed(recent) if case.seq > case.read)
    if unread:
        told.append(events.Answers(unread))
    if events.is_agent(tx, username):
        waiting = list(tx.beneath(Case, WAITING_CASES, limit=MAX_POSITION))
        if waiting:
            told.append(events.Queue(len(waiting), waiting[0][1].opened))
    return told


def customer_of(tx: ReadTransaction, ticket: int) -> str | None:
    """The customer of a case; None if there is none."""
    case = tx.get(Case, case_key(ticket))
    return None if case is None else case.customer
