"""
One-time codes: the second factor of a login, by RFC 6238, and recovery codes for whoever has lost what shows them.

The hub has to know the secret to compute the codes, so it is kept sealed (see L{securehub.vault}); recovery codes are kept as digests.
"""

from __future__ import annotations

import hmac
import re
from base64 import b32encode
from datetime import datetime
from hashlib import sha256
from typing import ClassVar

import msgspec
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from msgspec.structs import replace
from twisted.logger import Logger

from securehub import members
from securehub.arguments import argument
from securehub.refusals import BadCredentials, Conflict, Refusal, Unavailable
from securehub.reply import Reply
from securehub.services.auth import codes, ways
from securehub.services.auth.credentials import refuse_changed
from securehub.services.auth.ways import By, Change
from securehub.store.records import Record
from securehub.store.transaction import ReadTransaction, Transaction
from securehub.vault import CannotOpen, Random, Vault

_log = Logger()

ISSUER = "SecureHub"

# What authenticator apps understand; many ignore an URI that asks for anything else.
DIGITS = 6
STEP_SECONDS = 30

DRIFT = 1
"""Steps by which a phone's clock may be wrong, either way (RFC 6238, section 5.2)."""

SECRET_BYTES = 20
"""RFC 4226, section 4, R6."""

RECOVERY_CODES = 10

_CODE = re.compile(r"[0-9]{6}")


class OtpRequired(Refusal):
    """The password was right, and a one-time code is needed."""

    code = "otp-required"


class OneTime(Record, frozen=True):
    """
    A member's one-time codes, by username.

    @ivar sealed: their secret.
    @ivar on: whether logins need a code; not before the member has shown one.
    @ivar step: a time step; neither its code nor that of an older one is good any more.
    @ivar recovery: the digests of the recovery codes that are left.
    """

    collection: ClassVar[str] = "otp"
    scanned: ClassVar[bool] = False

    sealed: bytes
    on: bool = False
    step: int = 0
    recovery: tuple[bytes, ...] = ()


class Given(msgspec.Struct, frozen=True):
    """
    A code that somebody gave, as far as it can be looked at before the transaction in which it is used.

    @ivar sealed: the secret with which it was compared; another may have taken its place since.
    @ivar step: the time step whose code it is; None if there is none near.
    @ivar digest: what would be kept of it if it were a recovery code.
    """

    sealed: bytes
    step: int | None
    digest: bytes


class Setup(Reply, frozen=True):
    """
    A secret from which codes are made.

    @ivar secret: in base32, to be typed into an authenticator app.
    @ivar uri: the same for an app to scan.
    """

    secret: str
    uri: str

    def status(self) -> str:
        return f"Add the secret {self.secret} to your authenticator app ({self.uri}), then auth.otp_confirm with the code that it shows."


class Confirmed(Reply, frozen=True):
    """
    One-time codes are on.

    @ivar recovery_codes: each good for one login in place of a one-time code. They are shown this once.
    """

    recovery_codes: tuple[str, ...]

    def status(self) -> str:
        return f"Logins need a code from now on. Without your phone, each of these is good for one: {' '.join(self.recovery_codes)}"


class TurnedOff(Reply, frozen=True):
    """A member who logs in without one-time codes."""

    username: str

    def status(self) -> str:
        return f"{self.username} logs in without one-time codes now."


@argument(secret=True)
def code(word: str) -> str:
    """a one-time code of 6 digits, or a recovery code"""
    return codes.plain(word)


def new_secret(random: Random, vault: Vault, username: str) -> tuple[Setup, bytes]:
    """A fresh secret for a member: to be shown, and to be kept."""
    secret = random.randbytes(SECRET_BYTES)
    uri = _totp(secret).get_provisioning_uri(username, ISSUER)
    return Setup(b32encode(secret).decode(), uri), vault.seal(secret, _purpose(username))


def new_recovery_codes(random: Random) -> tuple[str, ...]:
    return tuple(codes.fresh(random) for _ in range(RECOVERY_CODES))


def compare(kept: OneTime, username: str, typed: str, vault: Vault, *, wall: datetime) -> Given:
    """
    Look at a code that somebody gave.

    @param typed: as L{code} gives it.
    @param wall: the time as it is: the app that shows codes knows no other.

    @raise Unavailable: the secret cannot be opened. Recovery codes do not need it.
    """
    step = None
    if _CODE.fullmatch(typed):
        try:
            secret = vault.open(kept.sealed, _purpose(username))
        except CannotOpen as error:
            _log.error("A login needs a one-time code, but {error}", error=error)
            raise Unavailable("one-time codes cannot be checked now; use a recovery code, or ask an admin") from None
        step = _step_of(secret, typed, wall)
    return Given(kept.sealed, step, _digest(typed))


def needed(tx: ReadTransaction, username: str) -> OneTime | None:
    """With what the code of a member's login is to be compared; None if none is needed."""
    kept = tx.get(OneTime, username)
    return kept if kept is not None and kept.on else None


def begun(tx: ReadTransaction, username: str) -> OneTime:
    """
    @raise Conflict: the member has no secret that waits to be confirmed.
    """
    kept = tx.get(OneTime, username)
    if kept is None:
        raise Conflict("there is nothing to confirm; auth.otp_setup comes first")
    _refuse_on(kept)
    return kept


def set_up(tx: Transaction, username: str, sealed: bytes, verified: str | None = None) -> None:
    """
    Begin with one-time codes. A secret that was not confirmed is forgotten.

    @param verified: the hash against which the password was verified, if it was shown.

    @raise BadCredentials: the password has been changed in the meantime.
    @raise Conflict: they are on already.
    """
    if verified is not None:
        refuse_changed(tx, username, verified)
    kept = tx.get(OneTime, username)
    if kept is not None:
        _refuse_on(kept)
    tx.put(username, OneTime(sealed))


def confirm(tx: Transaction, username: str, given: Given, recovery_codes: tuple[str, ...], by: By) -> Confirmed:
    """
    Turn one-time codes on, now that the member has shown one. It has let nobody in yet, so it is still good for one login: people try
    whether it works while their app shows it.

    @raise BadCredentials: it is not the code of the secret that waits.
    @raise Conflict: no secret waits.
    """
    kept = begun(tx, username)
    if given.step is None or given.sealed != kept.sealed:
        raise BadCredentials("that is not the code of this moment; look at the clock of your phone, or begin again with auth.otp_setup")
    tx.put(username, OneTime(kept.sealed, True, given.step - 1, tuple(_digest(code(each)) for each in recovery_codes)))
    ways.tell(tx, username, by, Change.CODES_ON)
    return Confirmed(recovery_codes)


def use(tx: Transaction, username: str, given: Given | None) -> bool:
    """
    Use a code up; the part of a login's transaction that asks for it.

    @param given: None if none was given.

    @return: whether the login may go on: the code is good, or none is needed.

    @raise OtpRequired: none was given, but one is needed.
    """
    kept = needed(tx, username)
    if kept is None:
        return True
    if given is None:
        raise required()
    if given.sealed != kept.sealed:
        return False
    if given.step is not None and given.step > kept.step:
        tx.put(username, replace(kept, step=given.step))
        return True
    if given.digest in kept.recovery:
        tx.put(username, replace(kept, recovery=tuple(each for each in kept.recovery if each != given.digest)))
        return True
    return False


def required() -> OtpRequired:
    """What a login without its code is answered."""
    return OtpRequired("a one-time code is needed: otp=...")


def disable(tx: Transaction, username: str, verified: str, by: By) -> TurnedOff:
    """
    Let a member log in without codes who has shown the password.

    @param verified: the hash against which it was verified.

    @raise BadCredentials: the password has been changed in the meantime.
    @raise Conflict: there are no codes.
    """
    refuse_changed(tx, username, verified)
    return turn_off(tx, username, by)


def turn_off(tx: Transaction, username: str, by: By) -> TurnedOff:
    """
    Let a member log in without codes; a secret that was not confirmed is forgotten as well.

    @raise NotFound: there is no such member.
    @raise Conflict: there are no codes.
    """
    members.fetch(tx, username)
    kept = tx.get(OneTime, username)
    if kept is None:
        raise Conflict(f"{username} has no one-time codes")
    tx.delete(OneTime, username)
    if kept.on:
        ways.tell(tx, username, by, Change.CODES_OFF)
    return TurnedOff(username)


def _refuse_on(kept: OneTime) -> None:
    if kept.on:
        raise Conflict(f"one-time codes are on, with {len(kept.recovery)} recovery codes left; auth.otp_disable turns them off")


def _step_of(secret: bytes, typed: str, at: datetime) -> int | None:
    """The newest time step near a moment whose code it is. Should two steps have the same code, it still works only once."""
    now = int(at.timestamp()) // STEP_SECONDS
    totp = _totp(secret)
    near = range(now - DRIFT, now + DRIFT + 1)
    fitting = [step for step in near if hmac.compare_digest(totp.generate(step * STEP_SECONDS), typed.encode())]
    return max(fitting, default=None)


def _totp(secret: bytes) -> TOTP:
    return TOTP(secret, DIGITS, SHA1(), STEP_SECONDS)


def _digest(typed: str) -> bytes:
    return sha256(typed.encode()).digest()


def _purpose(username: str) -> str:
    return f"the secret of {username}'s one-time codes"
