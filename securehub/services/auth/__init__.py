"""
Who is who: new members, logins by password, sessions that resume with a token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.plugin import IPlugin
from zope.interface import provider

from securehub import arguments
from securehub.command import MEMBER, STRANGER, command, named, prompted
from securehub.service import IServiceFactory
from securehub.services.auth import records, rules, tokens
from securehub.services.auth.tokens import Token
from securehub.session import Gone, Session
from securehub.switchboard import member

if TYPE_CHECKING:
    from securehub.hub import Hub


@provider(IPlugin, IServiceFactory)
class Auth:
    """Members and their logins."""

    name = "auth"
    records = (records.Credential, records.Family, records.Logins)

    def __init__(self, hub: Hub) -> None:
        self.store = hub.store
        self.clock = hub.clock
        self.random = hub.random
        self.hashing = hub.hashing
        self.switchboard = hub.switchboard
        self.currency = hub.currencies.default
        self.numbering = hub.numbering
        self.sessions_per_member = hub.settings["sessions_per_member"]

    @command(
        "CREATE",
        access=STRANGER,
        writes=True,
        keyed=False,
        username=arguments.username,
        password=prompted(arguments.new_password, "Password"),
        name=named(arguments.name),
        invite=named(arguments.word),
    )
    async def create(self, session: Session, username: str, password: str, name: str = "", invite: str | None = None) -> rules.Created:
        """
        Become a member, and log in.

        You get an account in the hub's currency that holds nothing. If you leave the password out, you are asked for it. Anybody may
        become a member of this hub, so an invitation is not looked at.
        """
        await self.store.read(rules.refuse_taken, username)
        hashed = await self.hashing.hash(password)
        created = await session.transact(
            rules.create, username, name, hashed, self._welcome(session, username), self.currency, self.numbering, at=self.clock.now()
        )
        await session.log_in(username, Token.parse(created.resume).family)
        return created

    @command(
        "LOGIN",
        access=STRANGER,
        writes=True,
        keyed=False,
        username=arguments.username,
        password=prompted(arguments.password, "Password"),
        otp=named(arguments.word),
    )
    async def login(self, session: Session, username: str, password: str, otp: str | None = None) -> rules.LoggedIn:
        """
        Log in.

        If you leave the password out, you are asked for it. No account has one-time codes yet, so one is not looked at.
        """
        hashed = await self.store.read(rules.hash_of, username)
        fits, newer = await self.hashing.verify(password, hashed)
        if not fits or hashed is None:
            raise rules.wrong()
        logged_in = await session.transact(rules.log_in, username, hashed, newer, self._welcome(session, username), at=self.clock.now())
        await session.log_in(username, Token.parse(logged_in.resume).family)
        return logged_in

    @command("RESUME", access=STRANGER, writes=True, keyed=False, token=arguments.token)
    async def resume(self, session: Session, token: str) -> rules.LoggedIn:
        """
        Log in again with the token of an earlier login.

        The answer has a fresh token; the old one dies when the fresh one is first used.
        """
        used = Token.parse(token)
        owner = await self.store.read(tokens.owner_of, used)
        if owner is None:
            raise tokens.refused()
        logged_in = await session.transact(rules.resume, used, self._welcome(session, owner, used.family), at=self.clock.now())
        if logged_in is None:
            raise tokens.refused()
        await session.log_in(logged_in.username, used.family)
        return logged_in

    @command("LOGOUT", access=MEMBER, writes=True, keyed=False)
    async def logout(self, session: Session) -> None:
        """Log out. The token of this login is good no more."""
        if session.family is not None:
            await session.transact(tokens.end, session.member, session.family)
        session.log_out()

    def _welcome(self, session: Session, username: str, family: str | None = None) -> rules.Welcome:
        if session.gone:
            # The connection was lost while the password was being hashed; nobody is there to be let in.
            raise Gone
        live = tuple(each.family for each in self.switchboard.listeners(member(username)) if isinstance(each, Session) and each.family)
        return rules.Welcome(Token.fresh(self.random, family), session.address, live, self.sessions_per_member)
