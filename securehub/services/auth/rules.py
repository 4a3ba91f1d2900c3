"""
Rules that make members and let them in.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec.structs import replace

from securehub import members
from securehub.members import Joined, Member, Visits, joined_key
from securehub.money import Currency
from securehub.refusals import Exists
from securehub.reply import Reply, when
from securehub.services.auth import invitations, known, otp, tokens
from securehub.services.auth.credentials import refuse_changed, wrong
from securehub.services.auth.lifetimes import Lifetimes
from securehub.services.auth.records import Credential, Family
from securehub.services.auth.tokens import Token
from securehub.services.ledger.accounts import Numbering, open_account
from securehub.store.transaction import ReadTransaction, Transaction

FIRST_ACCOUNT = "main"


class Welcome(msgspec.Struct, frozen=True):
    """
    What a login has to know besides the name and the password.

    @ivar token: the first one of its family.
    @ivar address: from where.
    @ivar live: the family of each session that the member has open.
    @ivar limit: how many sessions a member may have.
    """

    token: Token
    address: str
    live: tuple[str, ...]
    limit: int


class Created(Reply, frozen=True):
    """A new member, who is logged in."""

    username: str
    account: str
    resume: str

    def status(self) -> str:
        return f"Welcome, {self.username}. Your account is {self.account}."


class LoggedIn(Reply, frozen=True):
    """
    A login.

    @ivar last_login: the one before, or the moment of joining.
    @ivar last_address: from where that was.
    @ivar resume: the token with which to resume.
    """

    username: str
    roles: tuple[str, ...]
    last_login: datetime
    last_address: str
    resume: str

    def status(self) -> str:
        return f"Welcome back, {self.username}. Last login {when(self.last_login)} from {self.last_address}."


def refuse_taken(tx: ReadTransaction, username: str) -> None:
    """
    @raise Exists: the name is a member's, or reserved.
    """
    if username == members.OPERATOR or tx.get(Member, username) is not None:
        raise Exists(f"the name {username} is taken")


def create(
    tx: Transaction,
    username: str,
    name: str,
    password_hash: str,
    welcome: Welcome,
    currency: Currency,
    numbering: Numbering,
    registration: str = invitations.OPEN,
    invite: str | None = None,
    *,
    at: datetime,
) -> Created:
    """
    Make a member, with an account that holds nothing, and log them in.

    @param registration: who may become a member.
    @param invite: the code of an invitation, if they have one.

    @raise Forbidden: nobody may become a member, or nobody without an invitation.
    @raise BadCredentials: the invitation is not good.
    @raise Exists: the name is taken.
    """
    invitations.refuse_uninvited(tx, registration, invite, at=at)
    refuse_taken(tx, username)
    if invite is not None:
        invitations.use(tx, username, invite, at=at)
    known.remember(tx, username, welcome.address)
    tokens.begin(tx, username, welcome.token, welcome.address, live=welcome.live, limit=welcome.limit, at=at)
    account = enroll(tx, username, name, password_hash, welcome.address, currency, numbering, at=at)
    return Created(username, account, welcome.token.text)


def enroll(
    tx: Transaction, username: str, name: str, password_hash: str, address: str, currency: Currency, numbering: Numbering, *, at: datetime
) -> str:
    """
    Make a member of a name that is free.

    @param address: from where they come, which the first login is told.

    @return: the number of the member's account, which holds nothing.
    """
    account = open_account(tx, username, FIRST_ACCOUNT, currency, numbering, limit=1, at=at)
    number = tx.number("member")
    tx.put(joined_key(number), Joined(username))
    tx.put(username, Member(number, name))
    tx.put(username, Visits(at, at, address))
    tx.put(username, Credential(password_hash))
    return account


def log_in(
    tx: Transaction,
    username: str,
    verified: str,
    newer: str | None,
    welcome: Welcome,
    *,
    at: datetime,
    code: otp.Given | None = None,
) -> LoggedIn:
    """
    Let a member in whose password has been verified.

    @param verified: the hash against which it was verified; another may have taken its place since.
    @param newer: a hash of the same password of a better kind, if there is one.

    @raise BadCredentials: the password has been changed in the meantime, or the one-time code is wrong.
    @raise OtpRequired: a one-time code is needed.
    @raise Locked: the account is locked.
    """
    refuse_changed(tx, username, verified)
    logged_in = let_in(tx, username, code, welcome, at=at)
    if newer:
        tx.put(username, Credential(newer))
    return logged_in


def let_in(tx: Transaction, username: str, code: otp.Given | None, welcome: Welcome, *, at: datetime) -> LoggedIn:
    """
    Let a member in who has shown a password, or a certificate in its place; the code is still looked at.

    @raise BadCredentials: the one-time code is wrong, or was used before.
    @raise OtpRequired: a one-time code is needed.
    @raise Locked: the account is locked.
    @raise LimitExceeded: so many sessions are open.
    """
    if not otp.use(tx, username, code):
        raise wrong(username)
    logged_in = _admit(tx, username, welcome.token, welcome.address, at)
    tokens.begin(tx, username, welcome.token, welcome.address, live=welcome.live, limit=welcome.limit, at=at)
    return logged_in


def resume(tx: Transaction, token: Token, welcome: Welcome, lifetimes: Lifetimes, *, at: datetime) -> LoggedIn | None:
    """
    Let a member in who has a good token.

    @return: None if the token is not good, or its login is over; what that ends is kept.

    @raise Locked: the account is locked.
    @raise LimitExceeded: so many sessions are open.
    """
    family = tx.get(Family, token.family)
    if family is None or lifetimes.over(family, at):
        return None
    username = tokens.rotate(tx, token, welcome.token, welcome.address, at=at)
    if username is None:
        return None
    tokens.refuse_many(welcome.live, welcome.limit)
    return _admit(tx, username, welcome.token, welcome.address, at)


def _admit(tx: Transaction, username: str, token: Token, address: str, at: datetime) -> LoggedIn:
    member = members.admitted(tx, username)
    visits = tx.fetch(Visits, username)
    tx.put(username, replace(visits, last_login=at, last_address=address))
    known.remember(tx, username, address)
    return LoggedIn(username, ("member", *member.roles), visits.last_login, visits.last_address, token.text)
