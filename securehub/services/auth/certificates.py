"""
Client certificates: a member logs in with one in place of a password.

A certificate is known by its fingerprint, and nobody looks at who signed it: what counts is that its owner has registered it, as with a
key of ssh. Its dates count, too, as they say until when its owner wanted it to be good.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from securehub import members
from securehub.peer import PeerCertificate
from securehub.refusals import BadArgument, Conflict, Exists, LimitExceeded, NotFound, shown
from securehub.reply import Reply, Roster, Row
from securehub.services.auth import rules, ways
from securehub.services.auth.credentials import refuse_changed, wrong
from securehub.services.auth.otp import Given
from securehub.services.auth.rules import LoggedIn, Welcome
from securehub.services.auth.ways import By, Change
from securehub.store.records import Record
from securehub.store.transaction import ReadTransaction, Transaction

_DIGITS = re.compile(r"[0-9A-F]{64}")


class Certificate(Record, frozen=True):
    """
    A registered certificate, by fingerprint: so it is one member's at most.

    @ivar ends: it is good no more from then on.
    """

    collection: ClassVar[str] = "certificate"
    scanned: ClassVar[bool] = False

    username: str
    added: datetime
    ends: datetime


class Certificates(Record, frozen=True):
    """The fingerprints of a member's certificates, by username, in the order in which they were registered."""

    collection: ClassVar[str] = "certificates"
    scanned: ClassVar[bool] = False

    fingerprints: tuple[str, ...] = ()


class Added(Reply, frozen=True):
    """
    A certificate that is registered.

    @ivar fingerprint: SHA-256, as C{openssl x509 -fingerprint -sha256} shows it.
    """

    fingerprint: str

    def status(self) -> str:
        return f"Registered {self.fingerprint}. On a connection with it, LOGIN asks for no password."


class CertificateRow(Row, frozen=True):
    """
    A certificate of the caller.

    @ivar added: when it was registered.
    @ivar expires: until when it is good.
    @ivar current: whether this connection came with it.
    """

    fingerprint: str
    added: datetime
    expires: datetime
    current: bool


class TakenAway(Reply, frozen=True):
    """
    A member who logs in without certificates.

    @ivar removed: how many there were.
    """

    username: str
    removed: int

    def status(self) -> str:
        removed = "one was" if self.removed == 1 else f"{self.removed} were"
        return f"{self.username} logs in without certificates now; {removed} removed."


def fingerprint(word: str) -> str:
    """the SHA-256 fingerprint of a certificate: 64 hexadecimal digits, with colons or without"""
    digits = word.replace(":", "").upper()
    if not _DIGITS.fullmatch(digits):
        raise BadArgument(f"{shown(word)} is not a SHA-256 fingerprint (64 hexadecimal digits)")
    return ":".join(digits[place : place + 2] for place in range(0, 64, 2))


def fits(tx: ReadTransaction, username: str, certificate: PeerCertificate, *, wall: datetime) -> bool:
    """
    Whether a certificate lets its holder in under a name.

    @param wall: the time as it is, by which it was made.
    """
    found = tx.get(Certificate, certificate.fingerprint)
    return found is not None and found.username == username and certificate.begins <= wall < certificate.ends


def log_in(
    tx: Transaction,
    username: str,
    certificate: PeerCertificate,
    wall: datetime,
    welcome: Welcome,
    *,
    at: datetime,
    code: Given | None = None,
) -> LoggedIn:
    """
    Let a member in who came with a registered certificate.

    @param wall: see L{fits}.

    @raise BadCredentials: it does not fit the name, or the one-time code is wrong.
    @raise OtpRequired: a one-time code is needed.
    @raise Locked: the account is locked.
    """
    if not fits(tx, username, certificate, wall=wall):
        raise wrong(username)
    return rules.let_in(tx, username, code, welcome, at=at)


def marks_of(tx: ReadTransaction, username: str) -> tuple[str, ...]:
    """The fingerprints of the certificates that a member has registered, in their order."""
    return (tx.get(Certificates, username) or Certificates()).fingerprints


def registered(tx: ReadTransaction, username: str, certificate: PeerCertificate | None) -> bool:
    """Whether a member has registered a certificate, be it good at this moment or not."""
    found = tx.get(Certificate, certificate.fingerprint) if certificate else None
    return found is not None and found.username == username


def add(
    tx: Transaction,
    username: str,
    certificate: PeerCertificate | None,
    by: By,
    verified: str | None = None,
    *,
    limit: int,
    at: datetime,
    wall: datetime,
) -> Added:
    """
    Register a certificate; that it is so already is no error.

    @param verified: the hash against which the password was verified, if it was shown.
    @param wall: see L{fits}.

    @raise BadCredentials: the password has been changed in the meantime.
    @raise Conflict: there is none, or it is not good at this moment.
    @raise Exists: another member has registered it.
    @raise LimitExceeded: the member has so many already.
    """
    if verified is not None:
        refuse_changed(tx, username, verified)
    if certificate is None:
        raise Conflict("this connection has no client certificate; connect with the one that you want to register")
    if not certificate.begins <= wall < certificate.ends:
        raise Conflict(f"the certificate is good from {certificate.begins:%Y-%m-%d} to {certificate.ends:%Y-%m-%d}, which is not now")
    mark = certificate.fingerprint
    found = tx.get(Certificate, mark)
    if found is not None and found.username != username:
        raise Exists("another member has registered this certificate")
    if found is None:
        marks = marks_of(tx, username)
        if len(marks) >= limit:
            raise LimitExceeded(f"{len(marks)} certificates are registered; {limit} are allowed")
        tx.put(mark, Certificate(username, at, certificate.ends))
        tx.put(username, Certificates((*marks, mark)))
        ways.tell(tx, username, by, Change.CERTIFICATE_ADDED, mark)
    return Added(mark)


def of_member(
    tx: ReadTransaction, username: str, current: PeerCertificate | None, *, limit: int, after: str | None = None
) -> Roster[CertificateRow]:
    """
    A member's certificates, in the order in which they were registered.

    @param current: with which the asking connection came.
    @param after: only those that were registered after this one.

    @raise NotFound: the member has not registered that.
    """
    marks = marks_of(tx, username)
    start = 0 if after is None else _place(marks, after) + 1
    return Roster.up_to(limit, (_row(mark, tx.fetch(Certificate, mark), current) for mark in marks[start:]))


def _row(mark: str, found: Certificate, current: PeerCertificate | None) -> CertificateRow:
    return CertificateRow(mark, found.added, found.ends, current is not None and current.fingerprint == mark)


def _place(marks: Sequence[str], mark: str) -> int:
    if mark not in marks:
        raise NotFound("you have no such certificate; auth.certs lists yours")
    return marks.index(mark)


def remove(tx: Transaction, username: str, mark: str, by: By) -> None:
    """
    Let a certificate of a member's be good no more.

    @raise NotFound: the member has not registered it; somebody else may have.
    """
    marks = marks_of(tx, username)
    place = _place(marks, mark)
    tx.delete(Certificate, mark)
    tx.put(username, Certificates(marks[:place] + marks[place + 1 :]))
    ways.tell(tx, username, by, Change.CERTIFICATE_REMOVED, mark)


def take_away(tx: Transaction, username: str, by: By) -> TakenAway:
    """
    Let none of somebody's certificates be good any more.

    @raise NotFound: there is no such member.
    @raise Conflict: there are none.
    """
    members.fetch(tx, username)
    marks = marks_of(tx, username)
    if not marks:
        raise Conflict(f"{username} has no certificates")
    remove_all(tx, username)
    for mark in marks:
        ways.tell(tx, username, by, Change.CERTIFICATE_REMOVED, mark)
    return TakenAway(username, len(marks))


def remove_all(tx: Transaction, username: str) -> None:
    """Let none of a member's certificates be good any more."""
    for mark in marks_of(tx, username):
        tx.delete(Certificate, mark)
    tx.delete(Certificates, username)
