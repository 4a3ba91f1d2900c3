"""
The commands of agents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securehub import arguments
from securehub.command import Audited, command, last_seen, named, optional, role
from securehub.reply import Listing
from securehub.services.messages import History
from securehub.services.support import cases, looking, retention, tables
from securehub.services.support.cases import Answered, Noted, State
from securehub.services.support.events import AGENT
from securehub.services.support.giving import concern
from securehub.session import Session

if TYPE_CHECKING:
    from securehub.hub import Hub


class Desk:
    """The part of the support service where agents work."""

    def __init__(self, hub: Hub) -> None:
        self.store = hub.store
        self.clock = hub.clock
        self.keep = retention.keep_of(hub.settings)

    @command(None, access=role(AGENT), long=True, limit=named(arguments.listed), after=last_seen(arguments.whole))
    async def queue(self, session: Session, limit: int = 20, after: int | None = None) -> looking.Queue:
        """
        List the cases that wait for an agent, oldest first.

        For more, give the number of the last ticket you saw as after=.
        """
        return await self.store.read(looking.queue, limit=limit, after=after)

    @command(
        None,
        access=role(AGENT),
        long=True,
        customer=named(arguments.username),
        agent=named(arguments.username),
        all=named(arguments.switch),
        limit=named(arguments.listed),
        before=named(arguments.whole),
    )
    async def cases(
        self,
        session: Session,
        customer: str | None = None,
        agent: str | None = None,
        all: bool = False,
        limit: int = 20,
        before: int | None = None,
    ) -> Listing[looking.CaseRow]:
        """
        List the open cases, newest first: all, those of one customer, or those of one agent.

        With all=on, closed ones are listed, too.
        """
        return await self.store.read(looking.all_cases, customer, agent, by=session.caller, closed=all, limit=limit, before=before)

    @command(None, access=role(AGENT), writes=True, ticket=arguments.whole)
    async def take(self, session: Session, ticket: int) -> State:
        """
        Take a case that waits.

        Answering in it or closing it takes it, too. You can take one from somebody who is no longer an agent, but none of another agent's:
        they pass it on.
        """
        return await session.transact(cases.take, ticket, session.caller, session.number, at=self.clock.now())

    @command(None, access=role(AGENT), writes=True, ticket=arguments.whole, to=named(arguments.username), note=optional(arguments.message))
    async def pass_(self, session: Session, ticket: int, to: str | None = None, note: str = "") -> State:
        """
        Pass a case of yours to another agent, or without to= back to the queue.

        The next agent sees everything that was said and noted. A note tells them what is to be done; the customer does not see it. Agents
        who are also admins can pass on the cases of others.
        """
        return await session.transact(cases.pass_on, ticket, session.caller, to, note, session.number, at=self.clock.now())

    @command(None, access=role(AGENT), writes=True, ticket=arguments.whole, text=arguments.message)
    async def reply(self, session: Session, ticket: int, text: str) -> Answered:
        """
        Answer in a case of yours, or in one that waits, which is yours then.

        The customer hears it now, or is told of it at the next login.
        """
        return await session.transact(cases.reply, ticket, session.caller, text, session.number, at=self.clock.now())

    @command(None, access=role(AGENT), writes=True, ticket=arguments.whole, text=arguments.message)
    async def note(self, session: Session, ticket: int, text: str) -> Noted:
        """
        Write a note about a case, for agents only.

        Any agent may, in closed cases, too.
        """
        return await session.transact(cases.note, ticket, session.caller, text, session.number, at=self.clock.now())

    @command(None, access=role(AGENT), ticket=arguments.whole, limit=named(arguments.listed), before=named(arguments.whole))
    async def notes_(self, session: Session, ticket: int, limit: int = 20, before: int | None = None) -> History:
        """Show the agents' notes about a case."""
        return await self.store.read(looking.noted, ticket, session.caller, limit=limit, before=before)

    @command(None, access=role(AGENT), writes=True, audited=Audited.ALWAYS, ticket=arguments.whole)
    async def close(self, session: Session, ticket: int) -> State:
        """
        Close a case of yours, or one that waits; the customer can rate it then.

        If they ask again, another one is opened.
        """
        await concern(self.store, session, ticket)
        return await session.transact(cases.close, ticket, session.caller, session.number, keep=self.keep, at=self.clock.now())

    @command(None, access=role(AGENT), long=True, limit=named(arguments.listed), before=named(arguments.whole))
    async def csv(self, session: Session, limit: int = 1000, before: int | None = None) -> tables.Table:
        """
        Give the cases as a table for other programs (CSV), newest first.

        For older ones, give the number of the last ticket in it as before=.
        """
        return await self.store.read(tables.cases_table, by=session.caller, limit=limit, before=before)
