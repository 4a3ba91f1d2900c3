"""
The ways in that a member adds to the password, or puts in front of it. Whoever has nothing but the session could lock the member out by
them, or stay for good; so the member hears of each change, and a hub may want the password again (decision 118).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from securehub.event import Event, ToOthers
from securehub.services.auth.records import Family
from securehub.store.transaction import ReadTransaction, Transaction
from securehub.switchboard import member


class By(NamedTuple):
    """
    Who does it.

    @ivar session: the number of the session.
    @ivar address: its own; empty if it is an admin's.
    """

    session: int
    address: str = ""


class Change(StrEnum):
    """What became of a way in."""

    CODES_ON = "codes-on"
    CODES_OFF = "codes-off"
    CERTIFICATE_ADDED = "certificate-added"
    CERTIFICATE_REMOVED = "certificate-removed"


_TEXTS = {
    Change.CODES_ON: "One-time codes: logins as you need one from now on.",
    Change.CODES_OFF: "One-time codes: logins as you need none any more.",
    Change.CERTIFICATE_ADDED: "Certificates: {} logs in as you from now on, without the password.",
    Change.CERTIFICATE_REMOVED: "Certificates: {} logs in as you no longer.",
}


class Changed(Event, frozen=True, omit_defaults=True):
    """
    A way to log in as you has been added, or taken away, by another session of yours or by an admin.

    @ivar change: C{codes-on}, C{codes-off}, C{certificate-added} or C{certificate-removed}.
    @ivar address: from where; empty for an admin.
    @ivar fingerprint: of the certificate; empty for codes.
    """

    method = "auth.changed"

    change: str
    address: str = ""
    fingerprint: str = ""

    def text(self) -> str:
        done = f"from {self.address}" if self.address else "by an admin"
        return f"{_TEXTS[Change(self.change)].format(self.fingerprint)} This was done {done}."


def takes_session(tx: ReadTransaction, family: str | None, minutes: int, *, at: datetime) -> bool:
    """
    Whether whoever has a session is still taken for whoever logged in there.

    @param family: the session's login; to resume it with a token makes no new one.
    @param minutes: for how long after the login; zero for as long as it lasts.
    """
    if not minutes:
        return True
    found = tx.get(Family, family) if family else None
    return found is not None and at - found.since <= timedelta(minutes=minutes)


def tell(tx: Transaction, username: str, by: By, change: Change, fingerprint: str = "") -> None:
    """Tell a member's sessions, other than the one that did it."""
    tx.announce(member(username), ToOthers(by.session, Changed(change.value, by.address, fingerprint)))
