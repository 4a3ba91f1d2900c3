"""
A member's sessions, as they see and end them.

A session is a login, from LOGIN or CREATE until it is ended, whether it is connected at this moment or will come back with its token; so
its name is that of its family of tokens, which is no secret and stays the same (docs/decisions/0020-sessions.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from securehub import arguments, members
from securehub.refusals import NotFound, NotLoggedIn, shown
from securehub.reply import Listing, Reply, Row
from securehub.services.auth import certificates, otp, tokens
from securehub.services.auth.credentials import refuse_changed
from securehub.services.auth.lifetimes import Lifetimes
from securehub.services.auth.records import Credential, Family, Logins
from securehub.services.auth.tokens import Token
from securehub.store.transaction import ReadTransaction, Transaction

NEW_PASSWORD = "the password was changed; log in with the new one."


class SessionRow(Row, frozen=True):
    """
    One of the caller's sessions.

    @ivar session: its name, for REVOKE.
    @ivar address: from where it was used last.
    @ivar since: when it began, with a password or a certificate.
    @ivar seen: when it was there last, give or take a day; now, if it is connected.
    @ivar current: whether it is the one that asks.
    @ivar connected: whether it is connected now.
    """

    session: str
    address: str
    since: datetime
    seen: datetime
    current: bool
    connected: bool


class Changed(Reply, frozen=True):
    """
    A new password.

    @ivar ended: how many other logins have ended.
    @ivar resume: a fresh token for the session that asked.
    """

    ended: int
    resume: str

    def status(self) -> str:
        return f"The password is changed. {_logins(self.ended, 'other')}."


class Reset(Reply, frozen=True):
    """
    A new password for somebody else.

    @ivar ended: how many logins of theirs have ended.
    @ivar certificates: how many client certificates log in without it.
    @ivar codes: whether a login needs a one-time code besides.
    """

    username: str
    ended: int
    certificates: int = 0
    codes: bool = False

    def status(self) -> str:
        which = "A certificate of theirs still logs in" if self.certificates == 1 else f"{self.certificates} certificates still log in"
        left = [f"{which} (admin.cert_remove)"] if self.certificates else []
        if self.codes:
            left.append("one-time codes are on (admin.otp_disable)")
        more = ", and ".join(left)
        return f"The password of {self.username} is changed. {_logins(self.ended)}." + (f" {more[0].upper()}{more[1:]}." if more else "")


def sessions_of(
    tx: ReadTransaction,
    username: str,
    live: Mapping[str, str],
    current: str | None,
    lifetimes: Lifetimes,
    *,
    at: datetime,
    limit: int,
    before: str | None = None,
) -> Listing[SessionRow]:
    """
    A member's sessions, the newest first.

    @param live: the address of each family that is connected.
    @param current: the family of the session that asks.
    @param before: only those that began before this one.

    @raise NotFound: the member has no such session.
    """
    families = (tx.get(Logins, username) or Logins(())).families
    older = families if before is None else families[: _place(families, before)]
    found = ((name, tx.fetch(Family, name)) for name in reversed(older))
    rows = (_row(name, family, live, name == current, at) for name, family in found if name in live or not lifetimes.over(family, at))
    return Listing.up_to(limit, rows)


def _row(name: str, family: Family, live: Mapping[str, str], current: bool, at: datetime) -> SessionRow:
    connected = name in live
    return SessionRow(name, live.get(name, family.address), family.since, at if connected else family.last_seen, current, connected)


def _place(families: Sequence[str], session: str) -> int:
    if session not in families:
        raise NotFound(f"you have no session {shown(session)}")
    return families.index(session)


def revoke(tx: Transaction, username: str, session: str) -> None:
    """
    End a session.

    @raise NotFound: the member has no such session.
    """
    _place((tx.get(Logins, username) or Logins(())).families, session)
    tokens.end(tx, username, session, "this session was revoked.")


def change_password(tx: Transaction, username: str, verified: str, newer: str, token: bytes, fresh: Token) -> Changed:
    """
    Give a member a new password; all other sessions end.

    @param verified: the hash against which the old password was verified; another may have taken its place since.
    @param newer: the hash of the new password.
    @param token: the digest of the token that the session was given which asks. It stays good, all others die.
    @param fresh: one more for that session, of its family.

    @raise BadCredentials: the password has been changed in the meantime.
    @raise Locked: the account is locked.
    @raise NotLoggedIn: the session has ended in the meantime.
    """
    refuse_changed(tx, username, verified)
    members.admitted(tx, username)
    if tx.get(Family, fresh.family) is None:
        raise NotLoggedIn("this session has ended in the meantime")
    tx.put(username, Credential(newer))
    tokens.keep_one(tx, token, fresh)
    ended = tokens.end_all(tx, username, NEW_PASSWORD, but=fresh.family, spared=token)
    return Changed(ended, fresh.text)


def reset_password(tx: Transaction, username: str, hashed: str) -> Reset:
    """
    Give somebody a new password; all their sessions end.

    @raise NotFound: there is no such member.
    """
    members.fetch(tx, username)
    tx.put(username, Credential(hashed))
    ended = tokens.end_all(tx, username, NEW_PASSWORD)
    return Reset(username, ended, len(certificates.marks_of(tx, username)), otp.needed(tx, username) is not None)


def _logins(ended: int, which: str = "") -> str:
    what = f"{which} login" if which else "login"
    return f"One {what} has ended" if ended == 1 else f"{ended or 'No'} {what}s have ended"


def listed_session(word: str) -> str:
    """a session, as SESSIONS lists it"""
    return arguments.word(word)
