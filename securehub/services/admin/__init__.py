"""
What an operator and the admins do: roles, locks, invitations, other people's passwords, connections, the audit, and a look at how the
hub is.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from twisted.plugin import IPlugin
from zope.interface import implementer, provider

from securehub import arguments
from securehub.command import ADMIN, command, named, optional, prompted, refuse_unknown_role
from securehub.origins import origin
from securehub.remembering import IRemembers
from securehub.reply import Listing
from securehub.service import IServiceFactory
from securehub.services import times
from securehub.services.admin import audit, connections, locks, reloading, roles, safety, status, users
from securehub.services.admin.connections import Disconnected
from securehub.services.auth import certificates, erasure, invitations, otp, passwords
from securehub.services.auth import sessions as logins
from securehub.services.auth.ways import By
from securehub.services.times import When
from securehub.session import Session

if TYPE_CHECKING:
    from securehub.hub import Hub


@provider(IPlugin, IServiceFactory)
@implementer(IRemembers)
class Admin:
    """The hub's administration."""

    name = "admin"
    remembered = staticmethod(audit.remembered)
    refuse_to_forget = staticmethod(audit.refuse_nothing)
    forget = staticmethod(audit.forget)

    def __init__(self, hub: Hub) -> None:
        self.store = hub.store
        self.clock = hub.clock
        self.zone = hub.zone
        self.random = hub.random
        self.vault = hub.vault
        self.erasing = erasure.Erasing(hub)
        self.settings = hub.settings
        self.hashing = hub.hashing
        self.roles = hub.roles
        self.sessions = hub.sessions
        self.safety = safety.Safety(hub)
        self.gauges = status.Gauges(hub, self.safety)
        self.prepare_reload = hub.operations.prepare_reload

    @command(None, access=ADMIN, limit=named(arguments.listed), before=named(arguments.username))
    async def users(self, session: Session, limit: int = 20, before: str | None = None) -> Listing[users.UserRow]:
        """
        List the members, newest first.

        For older ones, give the name of the last member you saw as before=.
        """
        return await self.store.read(users.users, limit=limit, before=before)

    @command(None, access=ADMIN, writes=True, username=arguments.username, role=arguments.role)
    async def grant(self, session: Session, username: str, role: str) -> roles.Granted:
        """Give a member a role, from their next command on."""
        refuse_unknown_role(role, self.roles)
        return await session.transact(roles.change_role, username, role, True)

    @command(None, access=ADMIN, writes=True, username=arguments.username, role=arguments.role)
    async def ungrant(self, session: Session, username: str, role: str) -> roles.Granted:
        """Take a role from a member, from their next command on."""
        # It may be of a service that is not here any more.
        return await session.transact(roles.change_role, username, role, False)

    @command(None, access=ADMIN, writes=True, username=arguments.username, reason=locks.reason)
    async def lock(self, session: Session, username: str, reason: str) -> locks.Lock:
        """
        Lock a member out.

        This ends all their sessions at once, and tells them the reason. They cannot log in or resume until they are unlocked.
        """
        return await session.transact(locks.lock, username, reason)

    @command(None, access=ADMIN, writes=True, username=arguments.username)
    async def unlock(self, session: Session, username: str) -> locks.Lock:
        """Let a member who was locked out in again."""
        return await session.transact(locks.unlock, username)

    @command(None, access=ADMIN, writes=True, username=arguments.username, password=prompted(arguments.new_password, "New password"))
    async def password(self, session: Session, username: str, password: str) -> logins.Reset:
        """
        Give a member a new password.

        This ends all their sessions and tokens. Their client certificates and one-time codes stay; the answer says so. If you leave the
        password out, you are asked for it.
        """
        passwords.refuse_weak(username, password)
        hashed = await self.hashing.hash(password, origin=origin(session.address).network)
        # What was so before it was hashed need not be so any more.
        ADMIN.check(await session.roles(), session.operator)
        return await session.transact(logins.reset_password, username, hashed)

    @command(None, access=ADMIN, writes=True, uses=named(invitations.uses), expires=named(times.expiry))
    async def invite(self, session: Session, uses: int = 1, expires: When | None = None) -> invitations.Invited:
        """
        Make an invitation, with which others become members.

        Unless you say otherwise, it is good for one member, and for as many days as the hub's settings say. Its code is shown only this
        once. The hub keeps that you vouched for those who come with it.
        """
        at, default = self.clock.now(), timedelta(days=self.settings["invitation_days"])
        code = invitations.Code.fresh(self.random, self.vault)
        ends = default if expires is None else expires
        invited = await session.transact(invitations.invite, code, session.caller, uses, ends, at=at, zone=self.zone)
        return invitations.opened(invited, self.vault)

    @command(None, access=ADMIN, writes=True, code=invitations.code)
    async def uninvite(self, session: Session, code: str) -> invitations.Uninvited:
        """
        Take back an invitation, so that nobody else becomes a member with it.

        Those who came with it stay.
        """
        return await session.transact(invitations.withdraw, code)

    @command(None, access=ADMIN, writes=True, username=arguments.username)
    async def erase(self, session: Session, username: str) -> erasure.Erased:
        """
        Erase a member, for good; see auth.erase.

        Their accounts must be empty.
        """
        return await self.erasing.erase(session, username)

    @command(None, access=ADMIN, writes=True, username=arguments.username)
    async def otp_disable(self, session: Session, username: str) -> otp.TurnedOff:
        """
        Turn off the one-time codes of a member who has lost the phone and the recovery codes.

        Make sure who is asking: from then on, the password alone is enough to log in.
        """
        return await session.transact(otp.turn_off, username, By(session.number))

    @command(None, access=ADMIN, writes=True, username=arguments.username)
    async def cert_remove(self, session: Session, username: str) -> certificates.TakenAway:
        """
        Remove all client certificates of a member, such as one in whose account somebody else has been.

        Sessions that began with them live on; admin.password ends these.
        """
        return await session.transact(certificates.take_away, username, By(session.number))

    @command(None, access=ADMIN, limit=named(arguments.listed), before=named(arguments.whole))
    def connections(
        self, session: Session, limit: int = arguments.MAX_LISTED, before: int | None = None
    ) -> Listing[connections.ConnectionRow]:
        """
        List the connections, newest first, including those at the admin door.

        Those that have not finished their handshake are left out; admin.status counts them. An answer has up to 1000; for older ones, give
        the number of the last one you saw as before=.
        """
        return connections.listed(self.sessions, limit=limit, before=before)

    @command(None, access=ADMIN, writes=True, connection=arguments.whole, reason=optional(arguments.memo))
    async def disconnect(self, session: Session, connection: int, reason: str = "") -> Disconnected:
        """
        End a connection, even your own.

        The other side is told the reason. They may connect again; to keep somebody out, lock the account with admin.lock.
        """
        found = connections.find(self.sessions, connection)
        if found is not None and found.username is not None:
            session.concerns(found.username)
        return await session.transact(connections.disconnect, connection, found, reason)

    @command(None, access=ADMIN, writes=True, text=arguments.message)
    async def announce(self, session: Session, text: str) -> None:
        """Tell something to everybody who is logged in and wants events."""
        await session.transact(connections.announce, text)

    @command(None, access=ADMIN, member=named(arguments.username), limit=named(arguments.listed), before=named(arguments.whole))
    async def audit(
        self, session: Session, member: str | None = None, limit: int = 20, before: int | None = None
    ) -> Listing[audit.AuditRow]:
        """
        List what admins, treasurers, moderators, agents and the operator did with their power, newest first.

        With member=, list what that member did, and what was done to them. Each entry was written together with the change that it reports,
        and is part of the journal's chain. Passwords and the like are left out. For older ones, give the number of the last entry you saw
        as before=.
        """
        return await self.store.read(audit.entries, member, limit=limit, before=before)

    @command(None, access=ADMIN)
    async def status(self, session: Session) -> status.Status:
        """Show how the hub is doing."""
        return await self.gauges.read()

    @command(None, access=ADMIN)
    async def health(self, session: Session) -> safety.Health:
        """
        Show in one line whether something has to be done.

        It says whether the books balance, the newest commit and its hash, the size of the journal, and when the last backup and the last
        drill were. The log has the same line every hour.
        """
        return await self.safety.health()

    @command(None, access=ADMIN)
    async def head(self, session: Session) -> safety.Head:
        """
        Show the newest commit on the disk, and its hash.

        Note both somewhere else now and then: nobody can change what came before and keep this hash.
        """
        return self.safety.head()

    @command(None, access=ADMIN)
    async def backup(self, session: Session) -> safety.Backup:
        """
        Make a backup of everything that is on the disk at this moment, without any key.

        The hub goes on meanwhile. The settings say where backups are kept, and how many.
        """
        return await self.safety.back_up()

    @command(None, access=ADMIN)
    async def drill(self, session: Session) -> safety.Checked:
        """
        Open the newest backup as a start would, replay and verify it, and show the result.

        The hub goes on meanwhile.
        """
        return await self.safety.drill()

    @command(None, access=ADMIN)
    async def verify(self, session: Session) -> safety.Verified:
        """
        Check everything on the disk at this moment: every line, the chain, the snapshots, and that the books balance after each commit.

        If something is wrong, the first bad file and line are shown. The hub goes on meanwhile.
        """
        return await self.safety.verify()

    @command(None, access=ADMIN, writes=True, keyed=False)
    async def change_key(self, session: Session) -> safety.Key:
        """
        Seal everything from now on under another key.

        First put the new key in front of the old one in the setting seal_key, then give this command. The hub then folds its journal. Once
        something more has been written, no start needs the old key; admin.keys shows what still does.
        """
        use = self.safety.prepare_key()
        await session.transact(safety.agree)
        return safety.Key(await use())

    @command(None, access=ADMIN)
    async def keys(self, session: Session) -> Listing[safety.KeyRow]:
        """
        Show what each key is needed for.

        You can throw an old key away when it seals no snapshot, no file of the journal (in the archive or not), and no backup that you want
        to keep. A start needs neither archive nor backups.
        """
        return await self.safety.list_keys()

    @command(None, access=ADMIN, writes=True, keyed=False)
    async def reload(self, session: Session) -> reloading.Reloaded:
        """
        Reload what can change without a restart.

        That is the certificate, some settings, and the log file; SIGHUP does the same. If something is broken, everything stays as it was,
        and the answer is conflict.
        """
        use = self.prepare_reload()
        await session.transact(reloading.agree)
        return reloading.Reloaded(*use())
