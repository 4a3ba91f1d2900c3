"""
Who may become a member: anybody, whoever has been invited, nobody.

A code of an invitation is shown once, to the one who asked for it; what is kept is its digest. A code has 80 bits of chance, so that its
digest tells nothing, and guessing is hopeless. Whatever is wrong with a code, the answer is the same. As a repeat of the request must be
answered with the same code, the answer is kept for its key with the code sealed in the vault. What an invitation leaves when it is over is
who vouched for whom.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from hashlib import sha256
from typing import ClassVar, NamedTuple

from msgspec.structs import replace

from securehub import agenda, arguments
from securehub.members import OPERATOR, Member
from securehub.refusals import BadArgument, BadCredentials, Conflict, Forbidden, NotFound
from securehub.reply import Reply, when
from securehub.services.auth import codes
from securehub.services.times import When, meant
from securehub.store.records import Record
from securehub.store.transaction import ReadTransaction, Transaction
from securehub.vault import CannotOpen, Random, Vault

OPEN, INVITATION, CLOSED = "open", "invitation", "closed"

MOST_USES = 10_000

EXPIRY = "auth.invitation"
"""The duty that lets go of invitations whose time has come."""

PURPOSE = "the code of an invitation"

ABOUT = {
    OPEN: "Anybody may become a member of this hub. With an invitation, it is kept who vouched for you.",
    INVITATION: "This hub takes new members by invitation: give its code as invite=.",
    CLOSED: "This hub takes no new members.",
}
"""What HELP says of CREATE, by the setting C{registration}."""


class Invitation(Record, frozen=True):
    """
    An invitation, by the digest of its code. It is found beneath its maker.

    @ivar by: who vouches for those who come with it.
    @ivar uses: how often it may still be used.
    """

    collection: ClassVar[str] = "invitation"

    by: str
    made: datetime
    expires: datetime
    uses: int

    def beneath(self) -> tuple[str]:
        return (self.by,)


class Vouched(Record, frozen=True):
    """
    Who vouched for a member, by the member's username.

    @ivar invitation: the digest of the code with which they came.
    """

    collection: ClassVar[str] = "vouched"
    scanned: ClassVar[bool] = False

    by: str
    invitation: str


class Invited(Reply, frozen=True):
    """
    An invitation; its code is not shown again.

    @ivar uses: how often it may be used.
    """

    code: str
    uses: int
    expires: datetime

    def status(self) -> str:
        times = "once" if self.uses == 1 else f"{self.uses} times"
        return f"The invitation {self.code} may be used {times} until {when(self.expires)}."


class Uninvited(Reply, frozen=True):
    """
    An invitation that was taken back.

    @ivar uses: how many could still have come with it.
    """

    uses: int

    def status(self) -> str:
        return "The invitation can no longer be used."


def digest(code: str) -> str:
    """Where an invitation is kept, in whatever way its code is typed."""
    return sha256(codes.plain(code).encode()).hexdigest()


class Code(NamedTuple):
    """
    A code of an invitation, as a rule may know it.

    @ivar digest: where the invitation is kept.
    @ivar sealed: the code itself, for the vault.
    """

    digest: str
    sealed: str

    @classmethod
    def fresh(cls, random: Random, vault: Vault) -> Code:
        code = codes.fresh(random)
        return cls(digest(code), vault.seal(code.encode(), PURPOSE).hex())


def opened(invited: Invited, vault: Vault) -> Invited:
    """
    An answer whose code can be read.

    @raise Conflict: the key of the vault is not the one with which it was sealed; only a restored hub meets that.
    """
    try:
        return replace(invited, code=vault.open(bytes.fromhex(invited.code), PURPOSE).decode())
    except CannotOpen:
        raise Conflict("the code of this invitation cannot be shown again; make another one") from None


def invite(tx: Transaction, code: Code, by: str, uses: int, expires: When, *, at: datetime, zone: tzinfo = UTC) -> Invited:
    """
    Make an invitation.

    @return: with its code still sealed, see L{opened}.

    @raise BadArgument: it would be over before it begins.
    """
    end = meant(expires, at=at, zone=zone)
    if end <= at:
        raise BadArgument(f"expires: {when(end)} has passed")
    tx.put(code.digest, Invitation(by, at, end, uses))
    agenda.remind(tx, EXPIRY, code.digest, end)
    return Invited(code.sealed, uses, end)


def refuse_uninvited(tx: ReadTransaction, registration: str, code: str | None, *, at: datetime) -> None:
    """
    @raise Forbidden: nobody may become a member, or nobody without an invitation.
    @raise BadCredentials: the invitation is not good.
    """
    if registration == CLOSED:
        raise Forbidden("this hub takes no new members")
    if code is not None:
        _good(tx, code, at)
    elif registration == INVITATION:
        raise Forbidden("this hub takes new members by invitation; give its code as invite=")


def use(tx: Transaction, username: str, code: str, *, at: datetime) -> str:
    """
    Use an invitation for a new member.

    @return: who vouches for them.

    @raise BadCredentials: it is unknown, used up or over.
    """
    invitation = _good(tx, code, at)
    tx.put(digest(code), replace(invitation, uses=invitation.uses - 1))
    tx.put(username, Vouched(invitation.by, digest(code)))
    return invitation.by


def withdraw(tx: Transaction, code: str) -> Uninvited:
    """
    Let nobody else come with an invitation.

    @raise NotFound: there is none with this code.
    """
    invitation = tx.get(Invitation, digest(code))
    if invitation is None:
        raise NotFound("there is no such invitation, or not any more")
    tx.put(digest(code), replace(invitation, uses=0))
    return Uninvited(invitation.uses)


def expire(tx: Transaction, digest: str, *, at: datetime) -> None:
    """Let go of an invitation whose time has come, be it used or not."""
    tx.delete(Invitation, digest)


def voucher_of(tx: ReadTransaction, username: str) -> str | None:
    """Who vouched for a member; None if nobody had to."""
    vouched = tx.get(Vouched, username)
    return None if vouched is None else vouched.by


def _good(tx: ReadTransaction, code: str, at: datetime) -> Invitation:
    invitation = tx.get(Invitation, digest(code))
    if invitation is None or invitation.uses < 1 or invitation.expires <= at or not _vouches(tx, invitation.by):
        raise BadCredentials("the invitation is not valid, or no longer")
    return invitation


def _vouches(tx: ReadTransaction, by: str) -> bool:
    """
    Whether somebody's word still counts: an admin's, as long as they are one, and not locked out. Who else could take back codes that
    only they know?
    """
    voucher = tx.get(Member, by)
    return by == OPERATOR or (voucher is not None and voucher.could_log_in and "admin" in voucher.roles)


@arguments.argument(secret=True)
def code(word: str) -> str:
    """the code of an invitation"""
    return arguments.word(word)


def uses(word: str) -> int:
    """how many may come with it, 1 to 10000"""
    return arguments.between(word, 1, MOST_USES)
