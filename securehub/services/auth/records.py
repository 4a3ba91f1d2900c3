"""
What the auth service keeps: password hashes, and the resume tokens of each login. Never a password, never a token. And with what those came
who came by an import.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from securehub.store.records import Record


class Credential(Record, frozen=True):
    """A member's password hash, by username."""

    collection: ClassVar[str] = "credential"
    scanned: ClassVar[bool] = False

    hash: str


class Family(Record, frozen=True):
    """
    The resume tokens of one login, by an identifier that is part of each of them.

    @ivar used: the digest of the token that was used last, or of the first one.
    @ivar fresh: the digests of those given out since. The first of them that is used takes the place of C{used}, and all others die.
    @ivar dead: the beginnings of the digests of those that died last.
    @ivar address: from where it was used last.
    @ivar seen: when it was used last; None if that was at the login.
    """

    collection: ClassVar[str] = "family"
    scanned: ClassVar[bool] = False

    username: str
    since: datetime
    used: bytes
    fresh: tuple[bytes, ...] = ()
    dead: tuple[bytes, ...] = ()
    address: str = ""
    seen: datetime | None = None

    @property
    def last_seen(self) -> datetime:
        return self.seen or self.since


class Logins(Record, frozen=True):
    """The families of a member, by username, the oldest first."""

    collection: ClassVar[str] = "logins"
    scanned: ClassVar[bool] = False

    families: tuple[str, ...]


class Brought(Record, frozen=True):
    """
    What a member brought along from other programs, by username: so nothing is imported twice. Whoever has this came by an import.

    @ivar first_month: that of the first item of the budget manager's history, such as C{2025-01}; empty if there was none.
    @ivar months: how many items of it are entered.
    @ivar orders: how many orders the ordering service had counted.
    @ivar accounts: the bank's numbers of the accounts whose balances were booked.
    """

    collection: ClassVar[str] = "brought"
    scanned: ClassVar[bool] = False

    first_month: str = ""
    months: int = 0
    orders: int = 0
    accounts: tuple[str, ...] = ()
