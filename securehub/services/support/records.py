"""
What the support desk keeps. What is said in a case is kept by L{securehub.services.messages}, and so are the agents' notes: as a
conversation of their own, so that the customer's numbers have no gaps that would tell of them.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import ClassVar

import msgspec

from securehub.services.messages import CASE
from securehub.store.records import Record, number_key

WAITING = "waiting"
OPEN = "open"
CLOSED = "closed"


class Step(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """
    Something that happened to a case.

    @ivar act: C{taken}, C{passed}, C{left} (its agent is an agent no more) or C{closed}.
    @ivar by: who did it.
    @ivar seq: the number of the newest message before it.
    @ivar to: to whom it was passed; empty for the queue.
    """

    at: datetime
    act: str
    by: str
    seq: int
    to: str = ""


def told(act: str, by: str, to: str) -> str:
    """A step as people read it."""
    return f"passed to {to or 'the queue'} by {by}" if act == "passed" else f"{act} by {by}"


class Case(Record, frozen=True):
    """
    A case, by the number of its ticket. It is found beneath all cases, beneath those that wait or those of its agent, and beneath its
    customer.

    @ivar seq: the number of its newest message.
    @ivar changed: when that was said.
    @ivar last: who said it.
    @ivar read: up to which message the customer has read.
    @ivar notes: the number of the newest note.
    @ivar agent: who sees to it; empty while it waits. Once it is closed, who did last.
    @ivar order: the number of the order that it is about.
    @ivar closed: when it was closed.
    @ivar stars: how the customer rates it, 1 to 5; 0 as long as they have not.
    @ivar comment: what they say to that.
    @ivar steps: what happened to it, the oldest first.
    @ivar characters: of all its messages.
    @ivar noted_characters: of all notes.
    @ivar answered: when somebody else than the customer first said something.
    """

    collection: ClassVar[str] = "case"

    customer: str
    opened: datetime
    seq: int
    changed: datetime
    last: str
    read: int = 0
    notes: int = 0
    agent: str = ""
    order: int | None = None
    closed: datetime | None = None
    stars: int = 0
    comment: str = ""
    steps: tuple[Step, ...] = ()
    characters: int = 0
    noted_characters: int = 0
    answered: datetime | None = None

    @property
    def status(self) -> str:
        if self.closed is not None:
            return CLOSED
        return OPEN if self.agent else WAITING

    def beneath(self) -> tuple[str, ...]:
        if self.closed is not None:
            return (ALL_CASES, self.customer)
        return (ALL_CASES, OPEN_CASES, cases_of_agent(self.agent) if self.agent else WAITING_CASES, self.customer)


ALL_CASES = "*"
OPEN_CASES = "="
WAITING_CASES = "+"
"""What cases lie beneath; no member has such a name."""


class Tickets(Record, frozen=True):
    """The open cases of a member, by username, in the order in which they were opened."""

    collection: ClassVar[str] = "tickets"
    scanned: ClassVar[bool] = False

    tickets: tuple[int, ...]


class CaseOfOrder(Record, frozen=True):
    """The ticket of the open case about an order, by the order's number."""

    collection: ClassVar[str] = "case-of-order"
    scanned: ClassVar[bool] = False

    ticket: int


class Canned(Record, frozen=True):
    """
    A reply that agents have ready, by its name beneath L{SHELF}.

    @ivar by: who wrote it last.
    """

    collection: ClassVar[str] = "canned"

    text: str
    by: str
    at: datetime


class Shelf(Record, frozen=True):
    """How many canned replies there are; the parent of them all."""

    collection: ClassVar[str] = "shelf"
    scanned: ClassVar[bool] = False

    count: int


SHELF = "canned"


class Given(Record, frozen=True):
    """
    What an agent has given customers on a day, by username.

    @ivar units: by currency.
    """

    collection: ClassVar[str] = "given"
    scanned: ClassVar[bool] = False

    day: date
    units: dict[str, int]


RECORDS = (Case, Tickets, CaseOfOrder, Canned, Shelf, Given)


case_key = number_key


def canned_key(name: str) -> str:
    return f"{SHELF}/{name}"


def cases_of_agent(username: str) -> str:
    """What the open cases of an agent lie beneath."""
    return f"agent {username}"


def said_in(ticket: int) -> str:
    """The conversation of customer and agents. Neither rooms nor direct conversations have such a key."""
    return f"{CASE}{ticket}"


def noted_in(ticket: int) -> str:
    """The conversation of the agents alone."""
    return f"{CASE}{ticket}{CASE}"
