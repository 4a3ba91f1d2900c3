"""
Canned replies: what agents have ready, filled with what is known of the customer and the order.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace

from securehub import arguments, members
from securehub.arguments import argument
from securehub.command import command, named, optional, role
from securehub.refusals import BadArgument, Conflict, LimitExceeded, NotFound, shown
from securehub.reply import Listing, Row
from securehub.services.messages import Message
from securehub.services.support import cases
from securehub.services.support.cases import Answered
from securehub.services.support.events import AGENT
from securehub.services.support.facts import OrderFacts, facts_of
from securehub.services.support.records import SHELF, Canned, Case, Shelf, canned_key
from securehub.session import Session
from securehub.store.transaction import ReadTransaction, Transaction

if TYPE_CHECKING:
    from securehub.hub import Hub

MAX_CANNED = 200
"""More than anybody looks through; so they can be listed in one go."""

WORDS = ("name", "username", "ticket", "agent", "order")
"""What may stand in braces. Besides, what is known of orders, with C{order_} in front."""

_NAME = re.compile(r"[a-z0-9._-]{1,32}")
_WORD = re.compile(r"\{([a-z_]+)\}")


def name(word: str) -> str:
    """the name of a canned reply: 1 to 32 of a-z 0-9 . _ -, in any case"""
    found = word.lower()
    if not word.isascii() or not _NAME.fullmatch(found):
        raise BadArgument(f"{shown(word)} is not the name of a canned reply (1 to 32 of a-z 0-9 . _ -)")
    return found


@argument(rest=True, multiline=True, limit="message_characters")
def text(word: str) -> str:
    """a text, in which {name}, {username}, {ticket}, {agent}, {order} and words such as {order_status} are filled in; empty to remove it"""
    for unknown in _WORD.findall(word):
        if unknown not in WORDS and not unknown.startswith("order_"):
            raise BadArgument(f"{{{unknown}}} is not known; there are {', '.join(f'{{{each}}}' for each in WORDS)}, and {{order_...}}")
    return word


class CannedRow(Row, frozen=True):
    """
    A canned reply.

    @ivar by: who wrote it last.
    """

    name: str
    by: str
    at: datetime
    text: str


class CannedReplies:
    """The part of the desk that has replies ready."""

    def __init__(self, hub: Hub) -> None:
        self.store = hub.store
        self.clock = hub.clock
        self.order_facts = hub.order_facts
        self.characters = hub.settings["message_characters"]

    @command(None, access=role(AGENT))
    async def canned(self, session: Session) -> Listing[CannedRow]:
        """List the canned replies, by name."""
        return await self.store.read(listed)

    @command(None, access=role(AGENT), writes=True, name=name, text=optional(text))
    async def set_canned(self, session: Session, name: str, text: str = "") -> None:
        """
        Keep a reply ready for all agents, change it, or without a text remove it.

        In it {name} and {username} stand for the customer's, {ticket} for the ticket's number, {agent} for who answers, {order} for the
        number of the order that the case is about, and words such as {order_status} for what is known of that order.
        """
        await session.transact(put_canned, name, text, session.caller, at=self.clock.now())

    @command(None, access=role(AGENT), writes=True, ticket=arguments.whole, name=name, order=named(arguments.whole))
    async def use(self, session: Session, ticket: int, name: str, order: int | None = None) -> Answered:
        """
        Answer with a canned reply, as with support.reply.

        It is filled in with what is known of the customer, and of the order that the case is about or that you name.
        """
        given = {"orders": self.order_facts, "characters": self.characters, "at": self.clock.now()}
        return await session.transact(use, ticket, session.caller, name, order, session.number, **given)


def listed(tx: ReadTransaction) -> Listing[CannedRow]:
    found = tx.scan(Canned, f"{SHELF}/")
    return Listing([CannedRow(key.partition("/")[2], each.by, each.at, each.text) for key, each in found])


def put_canned(tx: Transaction, name: str, text: str, by: str, *, at: datetime) -> None:
    """
    Keep a reply ready; an empty text removes it.

    @raise NotFound: there is none to be removed.
    @raise LimitExceeded: there are so many.
    """
    shelf = tx.get(Shelf, SHELF) or Shelf(0)
    is_new = tx.get(Canned, canned_key(name)) is None
    if not text.strip():
        if is_new:
            raise NotFound(f"there is no canned reply {name}")
        tx.delete(Canned, canned_key(name))
        tx.put(SHELF, replace(shelf, count=shelf.count - 1))
        return
    if is_new and shelf.count >= MAX_CANNED:
        raise LimitExceeded(f"there are {shelf.count} canned replies; {MAX_CANNED} are allowed")
    tx.put(SHELF, replace(shelf, count=shelf.count + is_new))
    tx.put(canned_key(name), Canned(text, by, at))


def use(
    tx: Transaction,
    ticket: int,
    by: str,
    name: str,
    order: int | None,
    session: int,
    *,
    orders: Sequence[OrderFacts],
    characters: int,
    at: datetime,
) -> Answered:
    """
    The agent of a case answers with a canned reply.

    @param order: of the customer's; None for the one that the case is about.
    @param orders: who tells of orders.
    @param characters: that a message may have.

    @raise NotFound: there is no such reply, or the customer has no such order.
    @raise Conflict: it speaks of an order, and the case is about none.
    @raise LimitExceeded: it has become too long.
    """
    case = cases.answerable(tx, ticket, by, session, at=at)
    canned = tx.get(Canned, canned_key(name))
    if canned is None:
        raise NotFound(f"there is no canned reply {name}")
    text = fill(tx, canned.text, ticket, case, by, case.order if order is None else order, orders)
    if len(text) > characters:
        raise LimitExceeded(f"filled in it has {len(text)} characters; {characters} are allowed")
    case = cases.say(tx, ticket, case, Message(at, by, text), session)
    return Answered(ticket, case.seq, at)


def fill(tx: ReadTransaction, text: str, ticket: int, case: Case, by: str, order: int | None, orders: Sequence[OrderFacts]) -> str:
    """A reply with what its words stand for. What is filled in is not looked through again."""
    customer = tx.get(members.Member, case.customer)
    known = {"username": case.customer, "ticket": str(ticket), "agent": by}
    known["name"] = (customer.name if customer else "") or case.customer
    if order is not None and any(word.startswith("order") for word in _WORD.findall(text)):
        facts = facts_of(tx, orders, case.customer, order)
        known |= {"order": str(order)} | {f"order_{word}": value for word, value in facts.items()}

    def filled(found: re.Match[str]) -> str:
        word = found[1]
        if word not in known:
            if order is None:
                raise Conflict(f"{{{word}}} is in the reply, but the case is about no order; name one with order=")
            raise Conflict(f"{{{word}}} is not known of order {order}")
        return known[word]

    return _WORD.sub(filled, text)
