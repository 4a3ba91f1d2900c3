"""
What customers and agents hear of cases.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from securehub import members
from securehub.event import Event, ToOthers
from securehub.reply import when
from securehub.services.messages import Receipt, spoken
from securehub.services.support.records import CLOSED, WAITING, Case
from securehub.store.transaction import ReadTransaction, Transaction
from securehub.switchboard import member, role

AGENT = "agent"
"""The role of those who answer."""


class Said(Event, frozen=True, omit_defaults=True):
    """
    Something was said in a case. Told to its customer, and to all agents.

    @ivar status: of the case: C{waiting}, C{open} or C{closed}.
    @ivar receipt: what it shows of the ledger, if it does.
    """

    method = "support.message"

    ticket: int
    seq: int
    at: datetime
    from_: str = msgspec.field(name="from")
    said: str = msgspec.field(name="text")
    status: str
    receipt: Receipt | None = None

    def text(self) -> str:
        return f"[ticket {self.ticket}] {spoken(self.from_, self.said, '', False, self.receipt)}"


class Changed(Event, frozen=True, omit_defaults=True):
    """
    A case was taken, passed on or closed, or no longer has an agent. Told to its customer, and to all agents.

    @ivar status: what it is now: C{waiting}, C{open} or C{closed}.
    @ivar by: who did it.
    @ivar agent: who sees to it now; empty for nobody.
    @ivar left: whether it waits because that member is no longer an agent, or is locked out.
    """

    method = "support.changed"

    ticket: int
    status: str
    at: datetime
    by: str
    agent: str
    left: bool = False

    def text(self) -> str:
        if self.left:
            return f"{self.by} has left ticket {self.ticket}, which waits for another agent."
        if self.status == CLOSED:
            return f"{self.by} has closed ticket {self.ticket}."
        if self.status == WAITING:
            return f"{self.by} has passed ticket {self.ticket} back to the queue."
        if self.by == self.agent:
            return f"{self.by} has taken ticket {self.ticket}."
        return f"{self.by} has passed ticket {self.ticket} on to {self.agent}."


class Noted(Event, frozen=True):
    """An agent has written a note in a case. No customer hears this."""

    method = "support.noted"

    ticket: int
    note: int
    at: datetime
    from_: str = msgspec.field(name="from")
    said: str = msgspec.field(name="text")

    def text(self) -> str:
        return f"[ticket {self.ticket}, note] {self.from_}: {self.said}"


class Rated(Event, frozen=True):
    """A customer has rated a case."""

    method = "support.rated"

    ticket: int
    agent: str
    stars: int
    comment: str

    def text(self) -> str:
        return f"Ticket {self.ticket} of {self.agent} has {self.stars} of 5 stars{f': {self.comment}' if self.comment else '.'}"


class Unread(msgspec.Struct, frozen=True, gc=False):
    """
    A case with something that its customer has not read.

    @ivar unread: how many messages.
    """

    ticket: int
    unread: int


class Answers(Event, frozen=True):
    """There is something in your cases that you have not read; told when you log in."""

    method = "support.unread"

    tickets: tuple[Unread, ...]

    def text(self) -> str:
        told = ", ".join(f"{each.unread} in ticket {each.ticket}" for each in self.tickets)
        return f"You have unread answers of the support desk: {told}."


class Queue(Event, frozen=True):
    """
    Cases wait for an agent; told to agents when they log in.

    @ivar waiting: how many, or 1,000 if more.
    @ivar since: when the oldest of them was opened.
    """

    method = "support.waiting"

    waiting: int
    since: datetime

    def text(self) -> str:
        wait = "1 case waits" if self.waiting == 1 else f"{self.waiting} cases wait"
        return f"{wait} for an agent, since {when(self.since)}."


def tell(tx: Transaction, case: Case, event: Event, session: int) -> None:
    """
    Tell customer and agents, each session once.

    @param session: which has the reply, and is not told; 0 for none.
    """
    told = ToOthers(session, event)
    tx.announce(role(AGENT), told)
    if not is_agent(tx, case.customer):
        tx.announce(member(case.customer), told)


def tell_agents(tx: Transaction, case: Case, event: Event, session: int) -> None:
    """
    Tell agents what the customer must not hear. Where the customer is one of them, whoever sees to the case is told alone.
    """
    if not is_agent(tx, case.customer):
        tx.announce(role(AGENT), ToOthers(session, event))
    elif is_agent(tx, case.agent):
        tx.announce(member(case.agent), ToOthers(session, event))


def is_agent(tx: ReadTransaction, username: str) -> bool:
    return members.has_role(tx, username, AGENT)
