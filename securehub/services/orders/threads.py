"""
The thread of an order: what its customer and its seller say about it, and an agent as long as a support case about it is open.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from securehub import arguments, members
from securehub.command import LOGGED_IN, MEMBER, command, named
from securehub.event import Event, ToOthers
from securehub.refusals import Conflict, NotFound
from securehub.services import messages
from securehub.services.messages import History, Message, Said
from securehub.services.orders.records import Order, order_key
from securehub.session import Session
from securehub.store.transaction import ReadTransaction, Transaction
from securehub.switchboard import member

if TYPE_CHECKING:
    from securehub.hub import Hub


class OrderMessage(Event, frozen=True):
    """Somebody said something about an order of yours, or with you."""

    method = "orders.message"

    order: int
    seq: int
    at: datetime
    from_: str = msgspec.field(name="from")
    said: str = msgspec.field(name="text")

    def text(self) -> str:
        return f"[order {self.order}] {self.from_}: {self.said}"


class Threads:
    """Commands about threads."""

    def __init__(self, hub: Hub) -> None:
        self.store = hub.store
        self.clock = hub.clock

    @command(None, access=MEMBER, writes=True, order=arguments.whole, text=arguments.message)
    async def say(self, session: Session, order: int, text: str) -> Said:
        """
        Say something about an order.

        Its customer and its seller hear it, and agents while a support case about it is open.
        """
        return await session.transact(say, order, session.member, text, session.number, at=self.clock.now())

    @command(None, access=LOGGED_IN, order=arguments.whole, limit=named(arguments.listed), before=named(arguments.whole))
    async def log(self, session: Session, order: int, limit: int = 20, before: int | None = None) -> History:
        """
        Show what was said about an order, newest first.

        For older messages give before= and the number of the last one that you have seen.
        """
        return await self.store.read(log, order, session.caller, limit=limit, before=before)


def say(tx: Transaction, number: int, by: str, text: str, session: int, *, at: datetime) -> Said:
    """
    Say something in an order's thread.

    @param session: which has the reply, and is not told.

    @raise NotFound: there is no such order, or it is none of theirs.
    """
    order = _thread(tx, number, by)
    seq = order.seq + 1
    tx.put(order_key(number), replace(order, seq=seq))
    tx.put(messages.key(_conversation(number), seq), Message(at, by, text))
    told = ToOthers(session, OrderMessage(number, seq, at, by, text))
    for each in (order.customer, order.seller):
        tx.announce(member(each), told)
    return Said(seq, at)


def log(tx: ReadTransaction, number: int, by: str, *, limit: int, before: int | None) -> History:
    """
    @raise NotFound: there is no such order, or it is none of theirs.
    """
    order = _thread(tx, number, by)
    return messages.history(tx, _conversation(number), order.seq, limit=limit, before=before)


def open_case(tx: Transaction, number: int, by: str, case: int) -> None:
    """
    A support case about an order is open: agents are in its thread.

    @param by: its customer or its seller.

    @raise NotFound: there is no such order, or it is none of theirs.
    @raise Conflict: there is one already.
    """
    order = _thread(tx, number, by)
    if order.case is not None:
        raise Conflict(f"case {order.case} about order {number} is open already")
    tx.put(order_key(number), replace(order, case=case))


def close_case(tx: Transaction, number: int, case: int) -> None:
    """A support case is closed, and agents are out of the thread."""
    order = tx.fetch(Order, order_key(number))
    if order.case == case:
        tx.put(order_key(number), replace(order, case=None))


def _thread(tx: ReadTransaction, number: int, by: str) -> Order:
    order = tx.get(Order, order_key(number))
    if order is not None and (by in (order.customer, order.seller) or (order.case is not None and members.has_role(tx, by, "agent"))):
        return order
    raise NotFound(f"there is no order {number}")


def _conversation(number: int) -> str:
    """No room's name begins so."""
    return f"#{number}"
