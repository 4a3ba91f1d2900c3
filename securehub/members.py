"""
Members, as far as every command needs to know them: who they are, what they may do, whether they are locked out.

Their passwords and tokens are the business of the auth service.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from securehub.refusals import Locked, NotFound
from securehub.store.records import Record
from securehub.store.transaction import ReadTransaction

OPERATOR = "operator"
"""Whoever speaks through the admin door. Not a member; nobody can take the name."""


class Member(Record, frozen=True):
    """
    A member, by username.

    @ivar number: in the order in which they joined.
    @ivar name: how they like to be called; may be empty.
    @ivar roles: what they were granted, sorted; C{member} is not among them.
    @ivar locked: why they are locked out; empty if they are not.
    @ivar erased: when they were erased; what is left is that nobody else can have the name.
    """

    collection: ClassVar[str] = "member"
    scanned: ClassVar[bool] = False

    number: int
    name: str = ""
    roles: tuple[str, ...] = ()
    locked: str = ""
    erased: datetime | None = None

    @property
    def could_log_in(self) -> bool:
        """Whether they are neither locked out nor erased. Otherwise they do nothing here any more, whatever they have begun."""
        return not self.locked and self.erased is None


class Visits(Record, frozen=True):
    """
    When a member came, by username. It is apart from L{Member} because every command reads that.

    @ivar created: when they joined.
    @ivar last_login: the latest.
    @ivar last_address: from where that was.
    """

    collection: ClassVar[str] = "visits"
    scanned: ClassVar[bool] = False

    created: datetime
    last_login: datetime
    last_address: str


class Joined(Record, frozen=True):
    """Usernames in the order of joining, by a number of fixed width."""

    collection: ClassVar[str] = "joined"

    username: str


def joined_key(number: int) -> str:
    return f"{number:012d}"


def fetch(tx: ReadTransaction, username: str) -> Member:
    """
    @raise NotFound: there is no such member.
    """
    member = tx.get(Member, username)
    if member is None or member.erased:
        raise NotFound(f"there is no member {username}")
    return member


def has_role(tx: ReadTransaction, username: str, role: str) -> bool:
    """Whether somebody has been granted a role; the operator has them all."""
    if username == OPERATOR:
        return True
    member = tx.get(Member, username)
    return member is not None and role in member.roles


def roles(tx: ReadTransaction, username: str) -> tuple[str, ...]:
    """
    What a logged-in member may do at this moment; asked before every command.

    @raise Locked: the account is locked, so nothing.
    """
    return admitted(tx, username).roles


def admitted(tx: ReadTransaction, username: str) -> Member:
    """
    A member, unless they are locked out.

    @raise NotFound: there is no such member.
    @raise Locked: the account is locked.
    """
    member = fetch(tx, username)
    if member.locked:
        raise Locked(f"the account is locked: {member.locked}")
    return member
