"""
What an operator and the admins do: roles, and a look at how the hub is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.plugin import IPlugin
from zope.interface import provider

from securehub import __version__, arguments
from securehub.command import ADMIN, command, named
from securehub.reply import Listing
from securehub.service import IServiceFactory
from securehub.services.admin import reloading, roles, status, users
from securehub.session import Session

if TYPE_CHECKING:
    from securehub.hub import Hub


@provider(IPlugin, IServiceFactory)
class Admin:
    """The hub's administration."""

    name = "admin"

    def __init__(self, hub: Hub) -> None:
        self.store = hub.store
        self.hashing = hub.hashing
        self.monotonic = hub.reactor.seconds
        self.connections = hub.count_connections
        self.reload_all = hub.operations.reload
        self.started = self.monotonic()

    @command(None, access=ADMIN, limit=named(arguments.listed), before=named(arguments.username))
    async def users(self, session: Session, limit: int = 20, before: str | None = None) -> Listing[users.UserRow]:
        """
        List the members, the newest first.

        For older ones give before= and the name of the last member that you have seen.
        """
        return await self.store.read(users.users, limit=limit, before=before)

    @command(None, access=ADMIN, writes=True, username=arguments.username, role=roles.granted_role)
    async def grant(self, session: Session, username: str, role: str) -> roles.Granted:
        """Give a member a role; it holds from their next command on."""
        return await session.transact(roles.change_role, username, role, True)

    @command(None, access=ADMIN, writes=True, username=arguments.username, role=roles.granted_role)
    async def ungrant(self, session: Session, username: str, role: str) -> roles.Granted:
        """Take a role from a member; it is gone from their next command on."""
        return await session.transact(roles.change_role, username, role, False)

    @command(None, access=ADMIN)
    def status(self, session: Session) -> status.Status:
        """Show how the hub is."""
        return status.Status(
            version=__version__,
            uptime=int(self.monotonic() - self.started),
            connections=self.connections(),
            commits=self.store.number,
            head=self.store.head,
            writable=self.store.trouble is None,
            trouble=self.store.trouble,
            hashing=self.hashing.waiting,
            records=self.store.counts(),
        )

    @command(None, access=ADMIN)
    def reload(self, session: Session) -> reloading.Reloaded:
        """
        Read anew what can be read anew.

        That is the certificate, some settings, and the file of the log, as SIGHUP does. If something is broken all stays as it was, and
        the answer is conflict.
        """
        return reloading.Reloaded(tuple(self.reload_all()))
