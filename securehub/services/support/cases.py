"""
Rules of cases: asking, taking, passing on, answering, closing, rating.

A case waits, or an agent sees to it; in the end it is closed. Whoever is its customer is that alone, and does nothing in it as an agent.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from securehub import agenda, members
from securehub.chores import LOOKED_AT, Some
from securehub.refusals import BadArgument, Conflict, Forbidden, LimitExceeded, NotFound
from securehub.reply import Reply
from securehub.services import messages
from securehub.services.messages import Message
from securehub.services.support import events
from securehub.services.support.facts import OrderFacts, facts_of
from securehub.services.support.records import (
    OPEN_CASES,
    Case,
    CaseOfOrder,
    Step,
    Tickets,
    case_key,
    noted_in,
    said_in,
)
from securehub.store.records import behind, further, number_key
from securehub.store.transaction import ReadTransaction, Transaction

MAX_MESSAGES = 1_000
"""Of a case, and as many notes; so a transcript is made in one go. What takes longer is better begun anew."""

MAX_CHARACTERS = 500_000
"""Likewise, up to the message that goes beyond; so a transcript has four megabytes at most, if all that is noted is in it."""

MAX_STEPS = 200
"""A case that was taken and passed on so often stays with its agent; so much its record holds."""

DUTY = "support"
"""On the agenda: a closed case is kept no longer."""


class Asked(Reply, frozen=True):
    """
    A question that was put to the support desk.

    @ivar seq: the number of the message in its case.
    @ivar state: of the case: C{waiting} or C{open}.
    """

    ticket: int
    seq: int
    at: datetime
    state: str = msgspec.field(name="status")

    def status(self) -> str:
        told = "TICKETS shows its place in the queue" if self.state == "waiting" else "an agent sees to it"
        return f"Ticket {self.ticket}, message {self.seq}; {told}."


class Answered(Reply, frozen=True):
    """An agent's message in a case."""

    ticket: int
    seq: int
    at: datetime

    def status(self) -> str:
        return f"Ticket {self.ticket}, message {self.seq}."


class Noted(Reply, frozen=True):
    """A note in a case."""

    ticket: int
    note: int
    at: datetime

    def status(self) -> str:
        return f"Ticket {self.ticket}, note {self.note}."


class State(Reply, frozen=True):
    """
    How a case stands now.

    @ivar agent: who sees to it, or did last; empty for nobody.
    """

    ticket: int
    state: str = msgspec.field(name="status")
    agent: str

    def status(self) -> str:
        state = f"open, with {self.agent}" if self.state == "open" else self.state
        return f"Ticket {self.ticket} is {state}."

    @classmethod
    def of(cls, ticket: int, case: Case) -> State:
        return cls(ticket, case.status, case.agent)


class Mark(Reply, frozen=True):
    """Up to which message you have read a case."""

    ticket: int
    seq: int
    unread: int

    def status(self) -> str:
        left = f"; {self.unread} are unread" if self.unread else ""
        return f"Ticket {self.ticket} is read up to message {self.seq}{left}."


def fetch(tx: ReadTransaction, ticket: int) -> Case:
    """
    @raise NotFound: there is no such case.
    """
    case = tx.get(Case, case_key(ticket))
    if case is None:
        raise NotFound(f"there is no ticket {ticket}")
    return case


def own(tx: ReadTransaction, ticket: int, username: str) -> Case:
    """
    A case as its customer's.

    @raise NotFound: they have no such case.
    """
    case = tx.get(Case, case_key(ticket))
    if case is None or case.customer != username:
        raise NotFound(f"you have no ticket {ticket}")
    return case


def visible(tx: ReadTransaction, ticket: int, username: str) -> Case:
    """
    A case that somebody may see: their own, or as an agent any.

    @raise NotFound: there is none, or it is not for them to see.
    """
    return fetch(tx, ticket) if events.is_agent(tx, username) else own(tx, ticket, username)


def as_agent(tx: ReadTransaction, ticket: int, by: str) -> Case:
    """
    A case as an agent's business.

    @raise Forbidden: it is the agent's own.
    """
    case = fetch(tx, ticket)
    if case.customer == by:
        raise Forbidden(f"ticket {ticket} is your own; another agent sees to it")
    return case


def held(tx: ReadTransaction, ticket: int, by: str) -> Case:
    """
    An open case that this agent sees to.

    @raise Conflict: it waits, is closed, or somebody else sees to it.
    """
    case = as_agent(tx, ticket, by)
    _refuse_closed(ticket, case)
    if not case.agent:
        raise Conflict(f"ticket {ticket} waits; take it first")
    if case.agent != by:
        raise Conflict(f"{case.agent} sees to ticket {ticket}")
    return case


def answerable(tx: Transaction, ticket: int, by: str, session: int, *, at: datetime) -> Case:
    """
    An open case in which this agent answers, or which they close. One that waits they have taken by that.

    @raise Conflict: it is closed, or somebody else sees to it.
    """
    case = as_agent(tx, ticket, by)
    if case.closed is None and not case.agent:
        take(tx, ticket, by, session, at=at)
    return held(tx, ticket, by)


def _refuse_closed(ticket: int, case: Case) -> None:
    """
    @raise Conflict: the case is closed.
    """
    if case.closed is not None:
        raise Conflict(f"ticket {ticket} is closed")


def about_order(tx: ReadTransaction, order: int) -> tuple[int, Case] | None:
    """The open case about an order, with the number of its ticket; None if there is none."""
    found = tx.get(CaseOfOrder, number_key(order))
    return None if found is None else (found.ticket, fetch(tx, found.ticket))


def ask(
    tx: Transaction,
    username: str,
    text: str,
    ticket: int | None,
    order: int | None,
    session: int,
    *,
    orders: Sequence[OrderFacts],
    limit: int,
    at: datetime,
) -> Asked:
    """
    A customer says something: in an open case of theirs, or a new one.

    @param ticket: in which case; None for the one of the order, or else the one in which something was said last.
    @param order: about which order; a case of its own is opened for it.
    @param orders: who tells of orders.
    @param limit: how many open cases a member may have.

    @raise NotFound: they have no such case, or no such order.
    @raise Conflict: the case is closed.
    @raise LimitExceeded: so many are open, or so much was said in it.
    """
    mine = tx.get(Tickets, username) or Tickets(())
    found = _meant(tx, username, mine, ticket, order)
    if found is not None:
        ticket, case = found
        return _asked(ticket, say(tx, ticket, _without_lost_agent(tx, case, at), Message(at, username, text), session))
    if order is not None:
        facts_of(tx, orders, username, order)
    if len(mine.tickets) >= limit:
        raise LimitExceeded(f"{len(mine.tickets)} of your cases are open; {limit} are allowed")
    ticket = tx.number("ticket")
    tx.put(username, Tickets((*mine.tickets, ticket)))
    if order is not None:
        tx.put(number_key(order), CaseOfOrder(ticket))
    case = Case(username, at, seq=0, changed=at, last=username, order=order)
    return _asked(ticket, say(tx, ticket, case, Message(at, username, text), session))


def _asked(ticket: int, case: Case) -> Asked:
    return Asked(ticket, case.seq, case.changed, case.status)


def _meant(tx: ReadTransaction, username: str, mine: Tickets, ticket: int | None, order: int | None) -> tuple[int, Case] | None:
    """The open case that a customer means; None for a new one."""
    if ticket is not None:
        case = own(tx, ticket, username)
        if case.closed is not None:
            raise Conflict(f"ticket {ticket} is closed; ask without its number to open another one")
        if order is not None and order != case.order:
            raise BadArgument(f"order: ticket {ticket} is not about order {order}")
        return ticket, case
    cases = [(each, fetch(tx, each)) for each in mine.tickets]
    if order is not None:
        cases = [(number, case) for number, case in cases if case.order == order]
    return max(cases, key=lambda each: (each[1].changed, each[0]), default=None)


def _without_lost_agent(tx: ReadTransaction, case: Case, at: datetime) -> Case:
    """A case waits again whose agent is an agent no more, or locked out."""
    if not case.agent or can_see_to_it(tx, case.agent):
        return case
    return _stepped(replace(case, agent=""), Step(at, "left", case.agent, case.seq))


def without_agent(tx: ReadTransaction, after: str) -> Some[int]:
    """
    The cases whose agent is an agent no more, or locked out, among some of the open ones; no agent finds them in the queue.

    @param after: the last that was looked at; empty to begin.
    """
    found = list(tx.beneath(Case, OPEN_CASES, start=behind(after), limit=LOOKED_AT))
    agents = {case.agent for _, case in found} - {""}
    lost = {agent for agent in agents if not can_see_to_it(tx, agent)}
    return Some([int(key) for key, case in found if case.agent in lost], further(found, LOOKED_AT))


def put_back(tx: Transaction, ticket: int, *, at: datetime) -> None:
    """Let a case wait again if its agent is an agent no more, or locked out."""
    case = tx.get(Case, case_key(ticket))
    if case is None or case.closed is not None:
        return
    waiting = _without_lost_agent(tx, case, at)
    if waiting is not case:
        tx.put(case_key(ticket), waiting)
        events.tell(tx, waiting, events.Changed(ticket, waiting.status, at, case.agent, "", left=True), 0)


def can_see_to_it(tx: ReadTransaction, username: str) -> bool:
    """Whether somebody is an agent, and could log in."""
    if username == members.OPERATOR:
        return True
    member = tx.get(members.Member, username)
    return member is not None and member.could_log_in and events.AGENT in member.roles


def say(tx: Transaction, ticket: int, case: Case, message: Message, session: int) -> Case:
    """
    Put a message into a case, and announce it. Customers who say something have read what was said before.

    @return: the case as it is now.

    @raise LimitExceeded: so much was said in it.
    """
    refuse_full(ticket, case)
    seq = case.seq + 1
    read = seq if message.by == case.customer else case.read
    characters = case.characters + len(message.text)
    answered = case.answered or (None if message.by == case.customer else message.at)
    case = replace(case, seq=seq, changed=message.at, last=message.by, read=read, characters=characters, answered=answered)
    tx.put(case_key(ticket), case)
    tx.put(messages.key(said_in(ticket), seq), message)
    said = events.Said(ticket, seq, message.at, message.by, message.text, case.status, message.receipt)
    events.tell(tx, case, said, session)
    return case


def refuse_full(ticket: int, case: Case) -> None:
    """
    @raise LimitExceeded: nothing more can be said in it.
    """
    _refuse_beyond(ticket, case.seq, "messages", case.characters)


def _refuse_beyond(ticket: int, count: int, what: str, characters: int) -> None:
    if count >= MAX_MESSAGES:
        raise LimitExceeded(f"ticket {ticket} has {count} {what}; {MAX_MESSAGES} are allowed")
    if characters >= MAX_CHARACTERS:
        raise LimitExceeded(f"the {what} of ticket {ticket} have {characters} characters; {MAX_CHARACTERS} are allowed")


def take(tx: Transaction, ticket: int, by: str, session: int, *, at: datetime) -> State:
    """
    An agent sees to a case from now on.

    @raise Conflict: it is closed, or somebody sees to it.
    """
    case = as_agent(tx, ticket, by)
    _refuse_closed(ticket, case)
    if case.agent == by:
        raise Conflict(f"you see to ticket {ticket} already")
    if case.agent and can_see_to_it(tx, case.agent):
        raise Conflict(f"{case.agent} sees to ticket {ticket}")
    return _put_step(tx, ticket, replace(case, agent=by), Step(at, "taken", by, case.seq), session)


def pass_on(tx: Transaction, ticket: int, by: str, to: str | None, note: str, session: int, *, at: datetime) -> State:
    """
    Somebody else sees to a case from now on, with all that was said and noted in it. Its agent passes it on; an admin, anybody's.

    @param to: an agent; None for the queue.
    @param note: for who sees to it next; empty for none.

    @raise Conflict: it is closed or waits, or the other one is no agent.
    @raise Forbidden: it is the other one's own.
    @raise LimitExceeded: it was taken and passed on so often.
    """
    case = as_agent(tx, ticket, by)
    if case.agent != by and case.agent and members.has_role(tx, by, "admin"):
        _refuse_closed(ticket, case)
    else:
        case = held(tx, ticket, by)
    if len(case.steps) >= MAX_STEPS:
        # Taking is never refused: what waits could not be closed then. Without passing on, only lost agents bring it back to the queue.
        raise LimitExceeded(f"ticket {ticket} was taken and passed on {len(case.steps)} times; {MAX_STEPS} are allowed")
    if to is not None:
        _refuse_receiver(tx, ticket, case, to)
    # The note is for the next one, who may be the only one to be told of it.
    case = replace(case, agent=to or "")
    if note:
        case = put_note(tx, ticket, case, Message(at, by, note), session)
    return _put_step(tx, ticket, case, Step(at, "passed", by, case.seq, to or ""), session)


def _refuse_receiver(tx: ReadTransaction, ticket: int, case: Case, to: str) -> None:
    members.fetch(tx, to)
    if to == case.customer:
        raise Forbidden(f"ticket {ticket} is {to}'s own; another agent sees to it")
    if to == case.agent:
        raise Conflict(f"{to} sees to ticket {ticket} already")
    if not can_see_to_it(tx, to):
        raise Conflict(f"{to} is no agent")


def reply(tx: Transaction, ticket: int, by: str, text: str, session: int, *, at: datetime) -> Answered:
    """
    The agent of a case answers.

    @raise Conflict: it is closed, or somebody else sees to it.
    """
    case = say(tx, ticket, answerable(tx, ticket, by, session, at=at), Message(at, by, text), session)
    return Answered(ticket, case.seq, at)


def note(tx: Transaction, ticket: int, by: str, text: str, session: int, *, at: datetime) -> Noted:
    """An agent, who need not be the one who sees to the case, writes what its customer never sees. Closed cases take notes as well."""
    case = put_note(tx, ticket, as_agent(tx, ticket, by), Message(at, by, text), session)
    tx.put(case_key(ticket), case)
    return Noted(ticket, case.notes, at)


def put_note(tx: Transaction, ticket: int, case: Case, message: Message, session: int) -> Case:
    """
    Put a note, and announce it to agents.

    @return: the case as it is to be put.
    """
    _refuse_beyond(ticket, case.notes, "notes", case.noted_characters)
    case = replace(case, notes=case.notes + 1, noted_characters=case.noted_characters + len(message.text))
    tx.put(messages.key(noted_in(ticket), case.notes), message)
    events.tell_agents(tx, case, events.Noted(ticket, case.notes, message.at, message.by, message.text), session)
    return case


def close(tx: Transaction, ticket: int, by: str, session: int, *, keep: timedelta | None, at: datetime) -> State:
    """
    The agent of a case closes it.

    @param keep: for how long it is kept then; None for ever.

    @raise Conflict: it is closed, or somebody else sees to it.
    """
    case = replace(answerable(tx, ticket, by, session, at=at), closed=at)
    let_go(tx, ticket, case)
    if keep is not None:
        agenda.remind(tx, DUTY, case_key(ticket), at + keep)
    return _put_step(tx, ticket, case, Step(at, "closed", by, case.seq), session)


def let_go(tx: Transaction, ticket: int, case: Case) -> None:
    """A case is no more among the open ones of its customer and its order."""
    mine = tx.get(Tickets, case.customer) or Tickets(())
    left = tuple(each for each in mine.tickets if each != ticket)
    if left:
        tx.put(case.customer, Tickets(left))
    else:
        tx.delete(Tickets, case.customer)
    if case.order is not None:
        tx.delete(CaseOfOrder, number_key(case.order))


def rate(tx: Transaction, ticket: int, username: str, stars: int, comment: str) -> None:
    """
    The customer says how good it was, once. Who does so has read what was said.

    @raise Conflict: the case is not closed, or rated already.
    """
    case = own(tx, ticket, username)
    if case.closed is None:
        raise Conflict(f"ticket {ticket} is not closed yet")
    if case.stars:
        raise Conflict(f"you have rated ticket {ticket} already, with {case.stars} of 5 stars")
    tx.put(case_key(ticket), replace(case, stars=stars, comment=comment, read=case.seq))
    events.tell_agents(tx, case, events.Rated(ticket, case.agent, stars, comment), 0)


def mark(tx: Transaction, ticket: int, username: str, seq: int | None) -> Mark:
    """
    The customer has read up to a message; None for all.

    @raise BadArgument: there are not so many messages.
    """
    case = own(tx, ticket, username)
    seq = case.seq if seq is None else seq
    if seq > case.seq:
        raise BadArgument(f"seq: the newest message is {case.seq}")
    tx.put(case_key(ticket), replace(case, read=seq))
    return Mark(ticket, seq, case.seq - seq)


def _put_step(tx: Transaction, ticket: int, case: Case, step: Step, session: int) -> State:
    """Note a step, put the case and announce what it is now."""
    case = _stepped(case, step)
    tx.put(case_key(ticket), case)
    events.tell(tx, case, events.Changed(ticket, case.status, step.at, step.by, case.agent), session)
    return State.of(ticket, case)


def _stepped(case: Case, step: Step) -> Case:
    return replace(case, steps=(*case.steps, step))
