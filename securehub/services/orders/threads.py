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
from securehub.refusals import NotFound
from securehub.services import messages
from securehub.services.messages import History, Message, Said
from securehub.services.orders.records import Order, order_key
from securehub.services.support import cases
from securehub.session import Session
from securehub.store.transaction import ReadTransaction, Transaction
from securehub.switchboard import member

if TYPE_CHECKING:
    from securehub.hub import Hub


class OrderMessage(Event, frozen=True):
    """Somebody said something about an order that you placed, or that was placed with you."""

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
        Show what was said about an order.

        For older messages, give the number of the first one you saw as before=.
        """
        return await self.store.read(log, order, session.caller, limit=limit, before=before)


def say(tx: Transaction, number: int, by: str, text: str, session: int, *, at: datetime) -> Said:
    """
    Say something in an order's thread.

    @param session: which has the reply, and is not told.

    @raise NotFound: there is no such order, or it is none of theirs.
    """
    order, agent = _thread(tx, number, by)
    seq = order.seq + 1
    tx.put(order_key(number), replace(order, seq=seq))
    tx.put(messages.key(_conversation(number), seq), Message(at, by, text))
    told = ToOthers(session, OrderMessage(number, seq, at, by, text))
    # The agent may be the seller.
    for each in filter(None, dict.fromkeys((order.customer, order.seller, agent))):
        tx.announce(member(each), told)
    return Said(seq, at)


def log(tx: ReadTransaction, number: int, by: str, *, limit: int, before: int | None) -> History:
    """
    @raise NotFound: there is no such order, or it is none of theirs.
    """
    order, _ = _thread(tx, number, by)
    return messages.history(tx, _conversation(number), order.seq, limit=limit, before=before)


def _thread(tx: ReadTransaction, number: int, by: str) -> tuple[Order, str]:
    """
    An order, for somebody who is in its thread, and the agent who sees to the case about it; empty if there is none.

    @raise NotFound: they are not in it, or there is no such order.
    """
    order = tx.get(Order, order_key(number))
    if order is not None:
        about = cases.about_order(tx, number)
        if by in (order.customer, order.seller) or (about is not None and members.has_role(tx, by, "agent")):
            # Who was an agent when they took the case may be none by now, and then hears no more of it.
            return order, about[1].agent if about is not None and cases.can_see_to_it(tx, about[1].agent) else ""
    raise NotFound(f"there is no order {number}")


def _conversation(number: int) -> str:
    return f"{messages.ORDER}{number}"
