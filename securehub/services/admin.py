"""
What an operator and the admins do: roles, and a look at how the hub is.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace
from twisted.plugin import IPlugin
from zope.interface import provider

from securehub import __version__, arguments, members
from securehub.command import ADMIN, ROLES, command, named
from securehub.members import Joined, Visits, joined_key
from securehub.refusals import BadArgument, shown
from securehub.reply import Listing, Reply, Row
from securehub.service import IServiceFactory
from securehub.session import Session
from securehub.store.transaction import ReadTransaction, Transaction

if TYPE_CHECKING:
    from securehub.hub import Hub


class UserRow(Row, frozen=True):
    """
    A member.

    @ivar locked: whether they are locked out.
    """

    username: str
    name: str
    roles: tuple[str, ...]
    locked: bool
    created: datetime
    last_login: datetime


class Granted(Reply, frozen=True):
    """A member's roles, as they are now."""

    username: str
    roles: tuple[str, ...]

    def status(self) -> str:
        return f"{self.username} has the roles {', '.join(self.roles)}."


class Status(Reply, frozen=True):
    """
    How the hub is.

    @ivar uptime: seconds since the start.
    @ivar connections: how many are open.
    @ivar commits: the number of the newest commit.
    @ivar head: the hash of the journal's newest synced line.
    @ivar writable: whether what writes is taken now.
    @ivar trouble: why it is not.
    @ivar hashing: passwords that wait to be hashed.
    @ivar records: how many there are, by collection.
    """

    version: str
    uptime: int
    connections: int
    commits: int
    head: str
    writable: bool
    trouble: str | None
    hashing: int
    records: dict[str, int]


def granted_role(word: str) -> str:
    """treasurer, seller, agent, moderator or admin"""
    role = word.lower()
    if not word.isascii() or role not in ROLES:
        raise BadArgument(f"{shown(word)} is not one of {', '.join(ROLES)}")
    return role


@provider(IPlugin, IServiceFactory)
class Admin:
    """The hub's administration."""

    name = "admin"

    def __init__(self, hub: Hub) -> None:
        self.store = hub.store
        self.hashing = hub.hashing
        self.monotonic = hub.reactor.seconds
        self.connections = hub.count_connections
        self.started = self.monotonic()

    @command(None, access=ADMIN, limit=named(arguments.listed), before=named(arguments.username))
    async def users(self, session: Session, limit: int = 20, before: str | None = None) -> Listing[UserRow]:
        """
        List the members, the newest first.

        For older ones give before= and the name of the last member that you have seen.
        """
        return await self.store.read(users, limit=limit, before=before)

    @command(None, access=ADMIN, writes=True, username=arguments.username, role=granted_role)
    async def grant(self, session: Session, username: str, role: str) -> Granted:
        """Give a member a role; it holds from their next command on."""
        return await session.transact(change_role, username, role, True)

    @command(None, access=ADMIN, writes=True, username=arguments.username, role=granted_role)
    async def ungrant(self, session: Session, username: str, role: str) -> Granted:
        """Take a role from a member; it is gone from their next command on."""
        return await session.transact(change_role, username, role, False)

    @command(None, access=ADMIN)
    def status(self, session: Session) -> Status:
        """Show how the hub is."""
        return Status(
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


def users(tx: ReadTransaction, *, limit: int, before: str | None) -> Listing[UserRow]:
    """
    Members, the newest first.

    @param before: only those who joined before this one.

    @raise NotFound: there is no such member.
    """
    end = None if before is None else joined_key(members.fetch(tx, before).number)
    rows: list[UserRow] = []
    for _, joined in tx.scan(Joined, end=end, limit=limit + 1, reverse=True):
        if len(rows) == limit:
            return Listing(rows, more=True)
        member = members.fetch(tx, joined.username)
        visits = tx.fetch(Visits, joined.username)
        roles = ("member", *member.roles)
        rows.append(UserRow(joined.username, member.name, roles, bool(member.locked), visits.created, visits.last_login))
    return Listing(rows)


def change_role(tx: Transaction, username: str, role: str, granted: bool) -> Granted:
    """
    Give a member a role, or take it away; that it is so already is no error.

    @raise NotFound: there is no such member.
    """
    member = members.fetch(tx, username)
    roles = tuple(sorted({*member.roles, role} if granted else {*member.roles} - {role}))
    if roles != member.roles:
        tx.put(username, replace(member, roles=roles))
    return Granted(username, ("member", *roles))
