"""
Who is who: new members, logins by password or certificate and one-time code, sessions that resume with a token.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.plugin import IPlugin
from zope.interface import provider

from securehub import arguments
from securehub.command import MEMBER, STRANGER, command, named, prompted
from securehub.reply import Listing
from securehub.service import IServiceFactory
from securehub.services.auth import certificates, otp, records, rules, tokens
from securehub.services.auth.tokens import Token
from securehub.session import Gone, Session
from securehub.switchboard import member

if TYPE_CHECKING:
    from securehub.hub import Hub


@provider(IPlugin, IServiceFactory)
class Auth:
    """Members and their logins."""

    name = "auth"
    records = (
        records.Credential,
        records.Family,
        records.Logins,
        certificates.Certificate,
        certificates.Certificates,
        otp.OneTime,
    )

    def __init__(self, hub: Hub) -> None:
        self.store = hub.store
        self.clock = hub.clock
        self.random = hub.random
        self.hashing = hub.hashing
        self.vault = hub.vault
        self.switchboard = hub.switchboard
        self.currency = hub.currencies.default
        self.numbering = hub.numbering
        self.sessions_per_member = hub.settings["sessions_per_member"]
        self.certificates_per_member = hub.settings["certificates_per_member"]

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
        session.log_in(username, Token.parse(created.resume).family)
        return created

    async def certificate_fits(self, session: Session, username: str) -> bool:
        """this connection's certificate is registered for that name"""
        certificate = session.certificate()
        return certificate is not None and await self.store.read(certificates.fits, username, certificate, at=self.clock.now())

    @command(
        "LOGIN",
        access=STRANGER,
        writes=True,
        keyed=False,
        username=arguments.username,
        password=prompted(arguments.password, "Password", unless=certificate_fits),
        otp=named(otp.code),
    )
    async def login(self, session: Session, username: str, password: str | None = None, otp: str | None = None) -> rules.LoggedIn:
        """
        Log in.

        If you leave the password out, you are asked for it, unless the certificate of this connection is registered for that name. If the
        account has one-time codes, you are asked for one as well; a recovery code does in its place.
        """
        # Whatever is wrong with the name, the password, the certificate or the code, a BadCredentials out of these three lines says so.
        rule, *proof = await self._proof(session, username, password)
        code = await self._code(session, username, otp)
        logged_in = await session.transact(rule, username, *proof, self._welcome(session, username), at=self.clock.now(), code=code)
        session.log_in(username, Token.parse(logged_in.resume).family)
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
        session.log_in(logged_in.username, used.family)
        return logged_in

    @command("LOGOUT", access=MEMBER, writes=True, keyed=False)
    async def logout(self, session: Session) -> None:
        """Log out. The token of this login is good no more."""
        if session.family is not None:
            await session.transact(tokens.end, session.member, session.family)
        session.log_out()

    @command("OTP", access=MEMBER, writes=True, keyed=False)
    async def otp_setup(self, session: Session) -> otp.Setup:
        """
        Begin with one-time codes: get a secret for an authenticator app.

        Nothing changes for your logins until you have confirmed it with auth.otp_confirm. Until then, asking again replaces the secret.
        """
        setup, sealed = otp.new_secret(self.random, self.vault, session.member)
        await session.transact(otp.set_up, session.member, sealed)
        return setup

    @command(None, access=MEMBER, writes=True, keyed=False, code=otp.code)
    async def otp_confirm(self, session: Session, code: str) -> otp.Confirmed:
        """
        Turn one-time codes on, by showing the first one.

        From then on a login needs the password and a code of the app; each code works once. The answer has ten recovery codes, which you
        will not see again: each is good for one login when you do not have the app. Sessions that are open, and their tokens, live on.
        """
        begun = await self.store.read(otp.begun, session.member)
        given = otp.compare(begun, session.member, code, self.vault, at=self.clock.now())
        return await session.transact(otp.confirm, session.member, given, otp.new_recovery_codes(self.random))

    @command(None, access=MEMBER, writes=True, keyed=False, password=prompted(arguments.password, "Password"))
    async def otp_disable(self, session: Session, password: str) -> otp.TurnedOff:
        """
        Turn one-time codes off.

        It takes your password. For a new phone or new recovery codes, turn them off and begin again with auth.otp_setup.
        """
        hashed, _ = await self._verified(session.member, password)
        return await session.transact(otp.disable, session.member, hashed)

    @command(None, access=MEMBER, writes=True, keyed=False)
    async def cert_add(self, session: Session) -> certificates.Added:
        """
        Register the client certificate of this connection.

        On a connection with it, LOGIN needs no password. It may be signed by anybody, or by itself; it is good until it expires or you
        remove it, a new password does not end it, and nobody else can register it.
        """
        certificate, limit = session.certificate(), self.certificates_per_member
        return await session.transact(certificates.add, session.member, certificate, limit=limit, at=self.clock.now())

    @command(None, access=MEMBER)
    async def certs(self, session: Session) -> Listing[certificates.CertificateRow]:
        """List the certificates with which you can log in."""
        return await self.store.read(certificates.of_member, session.member, session.certificate())

    @command(None, access=MEMBER, writes=True, keyed=False, fingerprint=certificates.fingerprint)
    async def cert_remove(self, session: Session, fingerprint: str) -> None:
        """
        Remove a certificate: it is good for no login any more.

        Sessions that began with it live on.
        """
        await session.transact(certificates.remove, session.member, fingerprint)

    async def _proof(
        self, session: Session, username: str, password: str | None
    ) -> tuple[Callable[..., rules.LoggedIn], Any, *tuple[Any, ...]]:
        """The rule that lets a member in, and what it has to be shown of a password, or of a certificate in its place."""
        if password is None:
            return certificates.log_in, session.certificate()
        return rules.log_in, *await self._verified(username, password)

    async def _verified(self, username: str, password: str) -> tuple[str, str | None]:
        """
        Verify a password.

        @return: the hash which it fits, and a newer one if that is of an older kind.

        @raise BadCredentials: it does not fit, or there is no such member.
        """
        hashed = await self.store.read(rules.hash_of, username)
        fits, newer = await self.hashing.verify(password, hashed)
        if not fits or hashed is None:
            raise rules.wrong()
        return hashed, newer

    async def _code(self, session: Session, username: str, typed: str | None) -> otp.Given | None:
        """
        The one-time code of a login, if the member has them. A person who gave none is asked.

        @raise OtpRequired: a program gave none.
        """
        kept = await self.store.read(otp.needed, username)
        if kept is None:
            return None
        if typed is None:
            if session.speaks_json:
                raise otp.required()
            typed = otp.code(await session.ask("Code"))
        return otp.compare(kept, username, typed, self.vault, at=self.clock.now())

    def _welcome(self, session: Session, username: str, family: str | None = None) -> rules.Welcome:
        if session.gone:
            # The connection was lost while the password was being hashed; nobody is there to be let in.
            raise Gone
        live = tuple(each.family for each in self.switchboard.listeners(member(username)) if isinstance(each, Session) and each.family)
        return rules.Welcome(Token.fresh(self.random, family), session.address, live, self.sessions_per_member)
