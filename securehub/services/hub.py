"""
The hub about itself: help, who you are, whether it is there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from twisted.plugin import IPlugin
from zope.interface import provider

from securehub import __version__, arguments, members
from securehub.command import ANYONE, LOGGED_IN, Access, command, optional
from securehub.help import ALL, CommandHelp, Help, ServiceHelp, explained, of_service, overview
from securehub.refusals import NotFound, shown
from securehub.reply import Reply
from securehub.service import IServiceFactory
from securehub.services.ledger.accounts import first_account
from securehub.session import Session
from securehub.store.transaction import ReadTransaction

if TYPE_CHECKING:
    from securehub.hub import Hub

PROTOCOL = 1
"""The version of the protocol that this speaks."""


class Pong(Reply, frozen=True):
    """The text that came."""

    text: str

    def status(self) -> str:
        return self.text

    def lines(self) -> Iterable[str]:
        return ()


class WhoAmI(Reply, frozen=True):
    """Who the caller is; the username is null before a login, the account number where there is no account."""

    username: str | None
    roles: list[str]
    account: str | None


class Version(Reply, frozen=True):
    """What runs here."""

    version: str
    protocol: int
    services: list[str]


def _explained(word: str) -> str:
    """a command, or a service"""
    return arguments.word(word)


@provider(IPlugin, IServiceFactory)
class HubService:
    """What the hub says of itself."""

    name = "hub"

    def __init__(self, hub: Hub) -> None:
        self.store = hub.store
        self.commands = hub.commands
        self.mistakes = hub.mistakes
        self.services = hub.services
        self.roles = hub.roles

    @command("HELP", access=ANYONE, command_=optional(_explained))
    async def help(self, session: Session, command_: str | None = None) -> Help | ServiceHelp | CommandHelp:
        """
        List the commands, or explain one.

        The list has what you may use; before you log in, it has what any member may. With the name of a service, such as chat or chat.*,
        you get the usage of each of its commands.

        In a usage, what is in brackets may be left out, name=... is given by name and before any text, and text... takes the rest of the
        line. Put words that belong together in double quotes: name="Alice Liddell".
        """
        asked = (command_ or "").lower()
        # A service may be called like the verb of a command: that is meant then.
        of_all = asked.endswith(ALL) or (asked in self.services and not any(asked == (each.verb or "").lower() for each in self.commands))
        if command_ is not None and not of_all:
            found = explained(self.commands, command_)
            if found is None:
                raise NotFound(f"there is no command {shown(command_)}; {self.mistakes.instead(command_)}")
            return found
        roles = await session.roles()
        commands = [each for each in self.commands if _listed(each.access, roles, session)]
        if command_ is not None:
            return of_service(commands, command_)
        return overview(commands, "" if session.user else "LOGIN, or CREATE an account, to use them.")

    @command("PING", access=ANYONE, text=optional(arguments.text))
    def ping(self, session: Session, text: str = "") -> Pong:
        """Answer with the same text, to show that the hub is there."""
        return Pong(text)

    @command("WHOAMI", access=ANYONE)
    async def whoami(self, session: Session) -> WhoAmI:
        """Show who you are logged in as, and your roles."""
        if session.user is None:
            return WhoAmI(None, [], None)
        if session.operator:
            return WhoAmI(members.OPERATOR, list(self.roles), None)
        return await self.store.read(_whoami, session.user)

    @command("QUIT", access=ANYONE, elsewhere=("exit", "bye"))
    def quit(self, session: Session) -> None:
        """End the connection."""
        session.leave()

    @command("VERSION", access=ANYONE)
    def version(self, session: Session) -> Version:
        """Show which version runs, and its services."""
        return Version(__version__, PROTOCOL, list(self.services))

    @command("EVENTS", access=LOGGED_IN, on=arguments.switch)
    def events(self, session: Session, on: bool) -> None:
        """Turn events on or off for this connection."""
        session.hears = on


def _listed(access: Access, roles: tuple[str, ...] | None, session: Session) -> bool:
    """Whoever has not logged in yet is shown what members may do."""
    return access.allows(() if roles is None else roles, session.operator)


def _whoami(tx: ReadTransaction, username: str) -> WhoAmI:
    return WhoAmI(username, ["member", *members.roles(tx, username)], first_account(tx, username))
