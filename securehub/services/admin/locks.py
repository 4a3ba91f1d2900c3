"""
Locking members out, and letting them in again.
"""

from __future__ import annotations

from msgspec.structs import replace

from securehub import members
from securehub.arguments import argument
from securehub.event import End
from securehub.refusals import BadArgument
from securehub.reply import Reply
from securehub.store.transaction import Transaction
from securehub.switchboard import member


class Lock(Reply, frozen=True):
    """
    Whether a member is locked out now.

    @ivar reason: why; empty if they are not.
    """

    username: str
    locked: bool
    reason: str

    def status(self) -> str:
        return f"{self.username} is locked: {self.reason}" if self.locked else f"{self.username} is not locked."


@argument(rest=True, limit="memo_characters")
def reason(word: str) -> str:
    """why, which the member is told"""
    if not word.strip():
        raise BadArgument("a reason has at least one character")
    return word.strip()


def lock(tx: Transaction, username: str, reason: str) -> Lock:
    """
    Lock a member out, or give another reason for it. Their sessions say goodbye; their tokens stay, for when the lock is taken away.

    @raise NotFound: there is no such member.
    """
    tx.put(username, replace(members.fetch(tx, username), locked=reason))
    tx.announce(member(username), End(f"the account is locked: {reason}"))
    return Lock(username, True, reason)


def unlock(tx: Transaction, username: str) -> Lock:
    """
    Let a member in again; not to be locked is no error.

    @raise NotFound: there is no such member.
    """
    found = members.fetch(tx, username)
    if found.locked:
        tx.put(username, replace(found, locked=""))
    return Lock(username, False, "")
