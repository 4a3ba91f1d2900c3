"""
The support desk: members ask, agents answer, and can do something about it.

What is said between a customer and the agents is a case, and its number is on the customer's ticket. It waits until an agent takes it, is
passed on if need be, and closed in the end.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from twisted.plugin import IPlugin
from zope.interface import implementer, provider

from securehub import arguments
from securehub.command import LOGGED_IN, MEMBER, command, named, optional
from securehub.remembering import IRemembers
from securehub.reply import Listing
from securehub.service import IServiceFactory
from securehub.services import messages
from securehub.services.loyalty.records import Card, Change
from securehub.services.messages import History
from securehub.services.support import cases, looking, memory, records, retention, tables, words
from securehub.services.support.canned import CannedReplies
from securehub.services.support.caring import Caring
from securehub.services.support.cases import Asked
from securehub.services.support.desk import Desk
from securehub.services.support.giving import Giving
from securehub.session import Session

if TYPE_CHECKING:
    from securehub.hub import Hub


@implementer(IRemembers)
@provider(IPlugin, IServiceFactory)
class Support:
    """The support desk, as its customers see it."""

    name = "support"
    records = (*messages.RECORDS, Card, Change, *records.RECORDS)
    parts = (Desk, CannedReplies, Giving, Caring)

    remembered = staticmethod(memory.remembered)
    refuse_to_forget = staticmethod(memory.refuse_to_forget)
    forget = staticmethod(memory.forget)

    def __init__(self, hub: Hub) -> None:
        self.store = hub.store
        self.clock = hub.clock
        self.order_facts = hub.order_facts
        self.open_cases = hub.settings["cases_per_member"]
        self.chores = hub.chores
        self.chores.hourly(self.put_back)
        hub.agenda.add(cases.DUTY, retention.forget)
        hub.switchboard.greetings.append(looking.greeting)

    @command("SUPPORT", access=MEMBER, writes=True, text=arguments.message, ticket=named(arguments.whole), order=named(arguments.whole))
    async def ask(self, session: Session, text: str, ticket: int | None = None, order: int | None = None) -> Asked:
        """
        Ask the support desk, or go on in your open case.

        If you have several, you go on in the one in which something was said last, or in the one that you name with ticket=. With order=
        you ask about one of your orders, which gets a case of its own.
        """
        given = {"orders": self.order_facts, "limit": self.open_cases, "at": self.clock.now()}
        return await session.transact(cases.ask, session.member, text, ticket, order, session.number, **given)

    @command("TICKETS", access=MEMBER, long=True, limit=named(arguments.listed), before=named(arguments.whole))
    async def tickets(self, session: Session, limit: int = 20, before: int | None = None) -> Listing[looking.TicketRow]:
        """
        List your cases, newest first, with their places in the queue and what you have not read.

        For older ones, give the number of the last ticket you saw as before=.
        """
        return await self.store.read(looking.tickets, session.member, limit=limit, before=before)

    @command(None, access=LOGGED_IN, long=True, ticket=arguments.whole)
    async def show(self, session: Session, ticket: int) -> looking.Shown:
        """Show how a case stands and which agents have had it: one of yours, or as an agent any."""
        return await self.store.read(looking.shown, ticket, session.caller)

    @command(None, access=LOGGED_IN, ticket=arguments.whole, limit=named(arguments.listed), before=named(arguments.whole))
    async def log(self, session: Session, ticket: int, limit: int = 20, before: int | None = None) -> History:
        """
        Show what was said in a case: one of yours, or as an agent any.

        For older messages, give the number of the first one you saw as before=.
        """
        return await self.store.read(looking.said, ticket, session.caller, limit=limit, before=before)

    @command(None, access=LOGGED_IN, long=True, ticket=arguments.whole, notes=named(arguments.switch))
    async def transcript(self, session: Session, ticket: int, notes: bool = False) -> tables.Transcript:
        """
        Give everything that was said and done in a case as one text: one of yours, or as an agent any.

        With notes=on, agents get their notes, too.
        """
        return await self.store.read(tables.transcript, ticket, session.caller, notes=notes)

    @command(None, access=MEMBER, writes=True, ticket=arguments.whole, seq=optional(arguments.whole))
    async def read(self, session: Session, ticket: int, seq: int | None = None) -> cases.Mark:
        """
        Mark a case of yours as read up to a message, or without a number all of it.

        Saying something in a case marks what was said before as read.
        """
        return await session.transact(cases.mark, ticket, session.member, seq)

    @command(None, access=MEMBER, writes=True, ticket=arguments.whole, stars=words.stars, comment=optional(words.comment))
    async def rate(self, session: Session, ticket: int, stars: int, comment: str = "") -> None:
        """Rate your closed case with 1 to 5 stars; the agents are told."""
        await session.transact(cases.rate, ticket, session.member, stars, comment)

    async def put_back(self) -> None:
        """Let those cases wait whose agent is an agent no more, or locked out."""
        await self.chores.for_all(partial(self.store.read, cases.without_agent), self._put_back)

    async def _put_back(self, ticket: int) -> None:
        await self.store.transact(cases.put_back, ticket, at=self.clock.now())
        await self.chores.others_first()
