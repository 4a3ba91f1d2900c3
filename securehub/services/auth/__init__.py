"""
Who is who: new members, logins by password or certificate and one-time code, sessions that resume with a token, and all that members
do about their own account.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.plugin import IPlugin
from zope.interface import implementer, provider

from securehub import arguments
from securehub.command import MEMBER, STRANGER, command, last_seen, named, prompted
from securehub.origins import origin
from securehub.refusals import Refusal
from securehub.remembering import IRemembers
from securehub.reply import Listing, Roster
from securehub.service import IServiceFactory
from securehub.services.auth import (
    certificates,
    credentials,
    erasure,
    export,
    invitations,
    known,
    otp,
    passwords,
    profile,
    records,
    rules,
    sessions,
    tokens,
    ways,
)
from securehub.services.auth.buckets import Rate
from securehub.services.auth.guessing import Guessing, Trial
from securehub.services.auth.lifetimes import Ageing
from securehub.services.auth.newcomers import Newcomers
from securehub.services.auth.sessions import Changed, listed_session
from securehub.services.auth.tokens import Token
from securehub.services.auth.ways import By
from securehub.session import Gone, Session
from securehub.switchboard import member

if TYPE_CHECKING:
    from securehub.hub import Hub


@provider(IPlugin, IServiceFactory)
@implementer(IRemembers)
class Auth:
    """Members and their logins."""

    name = "auth"
    records = (
        records.Credential,
        records.Family,
        records.Logins,
        records.Brought,
        certificates.Certificate,
        certificates.Certificates,
        otp.OneTime,
        known.Known,
        invitations.Invitation,
        invitations.Vouched,
        erasure.Erasure,
    )
    remembered = staticmethod(export.remembered)
    refuse_to_forget = staticmethod(erasure.refuse_nothing)
    forget = staticmethod(erasure.forget_nothing)

    def __init__(self, hub: Hub) -> None:
        self.store = hub.store
        self.clock = hub.clock
        self.random = hub.random
        self.hashing = hub.hashing
        self.vault = hub.vault
        self.switchboard = hub.switchboard
        self.currency = hub.currencies.default
        self.numbering = hub.numbering
        self.settings = hub.settings
        self.notes = {"create": lambda: invitations.ABOUT[hub.settings["registration"]]}
        self.services = hub.services
        self.ageing = Ageing(hub)
        hub.agenda.add(invitations.EXPIRY, invitations.expire)
        self.erasing = erasure.Erasing(hub)
        self.erasing.go_on_by_itself()
        self.guessing = _guessing(hub)
        self.newcomers = _newcomers(hub)

    @command(
        "CREATE",
        access=STRANGER,
        elsewhere=("register", "signup"),
        writes=True,
        keyed=False,
        username=arguments.username,
        password=prompted(arguments.new_password, "Password"),
        name=named(arguments.name),
        invite=named(invitations.code),
    )
    async def create(self, session: Session, username: str, password: str, name: str = "", invite: str | None = None) -> rules.Created:
        """
        Become a member, and log in.

        You get an account in the hub's currency, with nothing in it. If you leave the password out, you are asked for it.
        """
        await self.store.read(invitations.refuse_uninvited, self.settings["registration"], invite, at=self.clock.now())
        passwords.refuse_weak(username, password)
        await self.store.read(rules.refuse_taken, username)
        if invite is None:
            self.newcomers.check(session.address)
        hashed = await self._hash(session, password)
        if invite is None:
            # Others may have come in the meantime.
            self.newcomers.check(session.address)
        created = await session.transact(
            rules.create,
            username,
            name,
            hashed,
            self._welcome(session, username),
            self.currency,
            self.numbering,
            self.settings["registration"],
            invite,
            at=self.clock.now(),
        )
        if invite is None:
            self.newcomers.count(session.address)
        await _let_in(session, username, created.resume)
        return created

    async def certificate_fits(self, session: Session, username: str) -> bool:
        """this connection's certificate is registered for that name"""
        certificate = session.certificate()
        return certificate is not None and await self.store.read(certificates.fits, username, certificate, wall=self.clock.wall())

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
        account has one-time codes, you are asked for one, too; a recovery code does instead.
        """
        with await self._trial(session, username) as trial:
            # Whatever is wrong with the name, the password, the certificate or the code, a BadCredentials out of these lines says so.
            rule, *proof = await self._proof(session, trial, username, password)
            code = await self._code(session, trial, username, otp)
            welcome = self._welcome(session, username)
            logged_in = await session.transact(rule, username, *proof, welcome, at=self.clock.now(), code=code)
        await _let_in(session, username, logged_in.resume)
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
            raise self._bad_token(session)
        welcome = self._welcome(session, owner, used.family)
        logged_in = await session.transact(rules.resume, used, welcome, self.ageing.lifetimes, at=self.clock.now())
        if logged_in is None:
            raise self._bad_token(session, owner)
        await _let_in(session, logged_in.username, logged_in.resume)
        return logged_in

    @command("LOGOUT", access=MEMBER, elsewhere=("logoff", "signout"), writes=True, keyed=False)
    async def logout(self, session: Session) -> None:
        """Log out, and end the token of this login."""
        if session.family is not None:
            await session.transact(tokens.end, session.member, session.family, "this login was ended by a logout.", session.token)
        session.log_out()

    @command("SESSIONS", access=MEMBER, limit=named(arguments.listed), before=named(listed_session))
    async def sessions(self, session: Session, limit: int = 20, before: str | None = None) -> Listing[sessions.SessionRow]:
        """
        List your sessions, newest first.

        A session lasts from a login until it is ended, connected or not: a program comes back to it with its token. For older ones, give
        the last session you saw as before=.
        """
        live = {each.family: each.address for each in self._live(session.member) if each.family is not None}
        page = {"limit": limit, "before": before, "at": self.clock.now()}
        return await self.store.read(sessions.sessions_of, session.member, live, session.family, self.ageing.lifetimes, **page)

    @command("REVOKE", access=MEMBER, writes=True, keyed=False, session_=listed_session)
    async def revoke(self, session: Session, session_: str) -> None:
        """
        End one of your sessions.

        If it is connected, it is told goodbye; its token no longer works.
        """
        await session.transact(sessions.revoke, session.member, session_)

    @command(
        "PASSWD",
        access=MEMBER,
        elsewhere=("password",),
        writes=True,
        keyed=False,
        old=prompted(arguments.password, "Old password"),
        new=prompted(arguments.new_password, "New password"),
    )
    async def passwd(self, session: Session, old: str, new: str) -> Changed:
        """
        Change your password.

        This ends all your other sessions and their tokens; the answer has one more token for this session. If you leave the passwords out,
        you are asked for them.
        """
        username, family, token = session.member, session.family, session.token
        assert token is not None
        passwords.refuse_weak(username, new)
        verified = await self._own_password(session, old)
        hashed = await self._hash(session, new)
        return await session.transact(sessions.change_password, username, verified, hashed, token, Token.fresh(self.random, family))

    @command("PROFILE", access=MEMBER, writes=True, keyed=False, name=named(profile.new_name))
    async def profile(self, session: Session, name: str | None = None) -> profile.Profile:
        """
        Show who you are here, or change your name.

        name="" removes the name; your username stays what it is.
        """
        if name is None:
            return await self.store.read(profile.profile_of, session.member)
        return await session.transact(profile.rename, session.member, name)

    @command(None, access=MEMBER, long=True, after=named(export.place))
    async def export(self, session: Session, after: str = "") -> export.Export:
        """
        Show everything that is kept about you.

        Of secrets it says only that they are there. An answer has up to 500 items, or a megabyte; if there is more, it says with which
        after= to go on. The hub also keeps the results of requests with a key, for some two days.
        """
        services = tuple((name, each.remembered) for name, each in self.services.items() if IRemembers.providedBy(each))
        return await self.store.read(export.export, session.member, services, after, limit=export.PAGE)

    @command(None, access=MEMBER, writes=True, keyed=False, password=prompted(arguments.password, "Password"))
    async def erase(self, session: Session, password: str) -> erasure.Erased:
        """
        Erase your account, for good.

        Your accounts must be empty. Your name, the names of your accounts and the memos of your transfers are blanked at once; amounts and
        numbers stay in the books. All your sessions end, and nobody can have your username again. The answer says how long the journal's
        archive may be kept, where the texts still are.
        """
        username, verified = session.member, await self._own_password(session, password)
        return await self.erasing.erase(session, username, verified)

    async def session_will_do(self, session: Session) -> bool:
        """your login is recent enough for the hub (password_again_minutes)"""
        return await self.store.read(ways.takes_session, session.family, self.settings["password_again_minutes"], at=self.clock.now())

    @command("OTP", access=MEMBER, writes=True, keyed=False, password=prompted(arguments.password, "Password", unless=session_will_do))
    async def otp_setup(self, session: Session, password: str | None = None) -> otp.Setup:
        """
        Begin with one-time codes: get a secret for an authenticator app.

        Nothing changes for your logins until you confirm it with auth.otp_confirm. Until then, asking again replaces the secret. Some
        time after your login a hub may want your password for this.
        """
        verified = None if password is None else await self._own_password(session, password)
        setup, sealed = otp.new_secret(self.random, self.vault, session.member)
        await session.transact(otp.set_up, session.member, sealed, verified)
        return setup

    @command(None, access=MEMBER, writes=True, keyed=False, code=otp.code)
    async def otp_confirm(self, session: Session, code: str) -> otp.Confirmed:
        """
        Turn one-time codes on, by showing the first one.

        From then on a login needs the password and a code from the app; each code works once. The answer has ten recovery codes, which you
        will not see again: each is good for one login without the app. Open sessions and their tokens live on.
        """
        begun = await self.store.read(otp.begun, session.member)
        given = otp.compare(begun, session.member, code, self.vault, wall=self.clock.wall())
        return await session.transact(otp.confirm, session.member, given, otp.new_recovery_codes(self.random), _by(session))

    @command(None, access=MEMBER, writes=True, keyed=False, password=prompted(arguments.password, "Password"))
    async def otp_disable(self, session: Session, password: str) -> otp.TurnedOff:
        """
        Turn one-time codes off.

        This needs your password. For a new phone or new recovery codes, turn them off and begin again with auth.otp_setup.
        """
        username, verified = session.member, await self._own_password(session, password)
        return await session.transact(otp.disable, username, verified, _by(session))

    async def certificate_is_known(self, session: Session) -> bool:
        """the certificate is registered already, or your login is recent enough for the hub (password_again_minutes)"""
        known = await self.store.read(certificates.registered, session.member, session.certificate())
        return known or await self.session_will_do(session)

    @command(None, access=MEMBER, writes=True, keyed=False, password=prompted(arguments.password, "Password", unless=certificate_is_known))
    async def cert_add(self, session: Session, password: str | None = None) -> certificates.Added:
        """
        Register the client certificate of this connection, to log in with it.

        On a connection with it, LOGIN needs no password. Nobody has to have signed it. It works until it expires or you remove it, even
        after a new password, and nobody else can register it. Some time after your login a hub may want your password for this.
        """
        verified = None if password is None else await self._own_password(session, password)
        certificate, limit = session.certificate(), self.settings["certificates_per_member"]
        given = {"limit": limit, "at": self.clock.now(), "wall": self.clock.wall()}
        return await session.transact(certificates.add, session.member, certificate, _by(session), verified, **given)

    @command(None, access=MEMBER, limit=named(arguments.listed), after=last_seen(certificates.fingerprint))
    async def certs(self, session: Session, limit: int = 20, after: str | None = None) -> Roster[certificates.CertificateRow]:
        """
        List the certificates with which you can log in, oldest first.

        For more, give the last fingerprint you saw as after=.
        """
        return await self.store.read(certificates.of_member, session.member, session.certificate(), limit=limit, after=after)

    @command(None, access=MEMBER, writes=True, keyed=False, fingerprint=certificates.fingerprint)
    async def cert_remove(self, session: Session, fingerprint: str) -> None:
        """
        Remove a certificate, so that nobody can log in with it any more.

        Sessions that began with it live on.
        """
        await session.transact(certificates.remove, session.member, fingerprint, _by(session))

    async def _trial(self, session: Session, username: str) -> Trial:
        """A try to show that one is this member; see L{securehub.services.auth.guessing}."""
        return self.guessing.trial(username, session.address, await self.store.read(known.known_to, username))

    async def _proof(
        self, session: Session, trial: Trial, username: str, password: str | None
    ) -> tuple[Callable[..., rules.LoggedIn], Any, *tuple[Any, ...]]:
        """The rule that lets a member in, and what it has to be shown of a password, or of a certificate in its place."""
        if password is None:
            return certificates.log_in, session.certificate(), self.clock.wall()
        return rules.log_in, *await self._verify(session, trial, username, password)

    async def _verify(self, session: Session, trial: Trial, username: str, password: str) -> tuple[str, str | None]:
        """
        Compare a password with that of a member, within a trial.

        @return: the hash that it fits, and a newer one if that is of an older kind.

        @raise BadCredentials: it does not fit, or there is no such member.
        @raise RateLimited: too much has failed, or too many wait.
        """

        def turn() -> None:
            _refuse_gone(session)
            trial.check()

        hashed = await self.store.read(credentials.hash_of, username)
        fits, newer = await self.hashing.verify(password, hashed, origin=trial.network, turn=turn)
        if not fits or hashed is None:
            raise credentials.wrong(username if hashed else "")
        return hashed, newer

    async def _own_password(self, session: Session, password: str) -> str:
        """
        Have a member who is logged in show the password once more, for what takes it; a try like any other.

        @return: the hash that it fits.
        """
        username = session.member
        with await self._trial(session, username) as trial:
            verified, _ = await self._verify(session, trial, username, password)
        return verified

    async def _hash(self, session: Session, password: str) -> str:
        """The hash of a password that is about to be set, unless nobody is there any more when its turn comes."""
        return await self.hashing.hash(password, origin=origin(session.address).network, turn=partial(_refuse_gone, session))

    async def _code(self, session: Session, trial: Trial, username: str, typed: str | None) -> otp.Given | None:
        """
        The one-time code of a login, if the member has them. A person who gave none is asked.

        @raise OtpRequired: a program gave none.
        @raise RateLimited: too much has failed.
        """
        kept = await self.store.read(otp.needed, username)
        if kept is None:
            return None
        if typed is None:
            if session.speaks_json:
                raise otp.required()
            typed = otp.code(await session.ask("Code"))
        trial.check()
        return otp.compare(kept, username, typed, self.vault, wall=self.clock.wall())

    def _bad_token(self, session: Session, owner: str = "") -> Refusal:
        """
        What a bad token is answered. A good one is never refused, as that takes no more work than to find out that it is good.

        @param owner: whose login it names, if there is such a login.
        """
        try:
            with self.guessing.trial(None, session.address):
                raise tokens.refused(owner)
        except Refusal as refusal:
            return refusal

    def _live(self, username: str) -> list[Session]:
        return [each for each in self.switchboard.listeners(member(username)) if isinstance(each, Session)]

    def _welcome(self, session: Session, username: str, family: str | None = None) -> rules.Welcome:
        _refuse_gone(session)
        live = tuple(each.family for each in self._live(username) if each.family)
        return rules.Welcome(Token.fresh(self.random, family), session.address, live, self.settings["sessions_per_member"])


def _by(session: Session) -> By:
    return By(session.number, session.address)


async def _let_in(session: Session, username: str, resume: str) -> None:
    token = Token.parse(resume)
    await session.log_in(username, token.family, token.digest)


def _refuse_gone(session: Session) -> None:
    """
    @raise Gone: the connection was lost while the password waited or was hashed; nobody is there to be let in.
    """
    if session.gone:
        raise Gone


def _guessing(hub: Hub) -> Guessing:
    settings = hub.settings
    return Guessing(
        lambda: Rate(settings["account_failures"], settings["account_failure_seconds"]),
        lambda: Rate(settings["network_failures"], settings["network_failure_seconds"]),
        hub.reactor.seconds,
        trust_loopback=lambda: settings["trust_loopback"],
    )


def _newcomers(hub: Hub) -> Newcomers:
    settings = hub.settings
    return Newcomers(
        lambda: Rate(settings["network_newcomers"], settings["network_newcomer_seconds"]),
        hub.reactor.seconds,
        trust_loopback=lambda: settings["trust_loopback"],
    )
