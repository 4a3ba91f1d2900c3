"""
By what a member's password is known: its hash, and what whoever does not have it is answered.
"""

from __future__ import annotations

from securehub.refusals import BadCredentials
from securehub.services.auth.records import Credential
from securehub.store.transaction import ReadTransaction


def hash_of(tx: ReadTransaction, username: str) -> str | None:
    """A member's password hash; None if there is no such member."""
    credential = tx.get(Credential, username)
    return None if credential is None else credential.hash


def refuse_changed(tx: ReadTransaction, username: str, verified: str) -> None:
    """
    See whether the password that was verified is still the member's, in the transaction of what it was shown for: verifying takes a while.

    @param verified: the hash against which it was verified.

    @raise BadCredentials: another has taken its place since.
    """
    if hash_of(tx, username) != verified:
        raise wrong(username)


def wrong(member: str = "") -> BadCredentials:
    """
    What every failed login is answered.

    @param member: who it was that failed, for the log; empty if there is no such member.
    """
    return BadCredentials("wrong name or password", member)
