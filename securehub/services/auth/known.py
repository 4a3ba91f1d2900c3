"""
The networks from which a member has logged in: whoever comes from there is not held up by what strangers do elsewhere.
"""

from __future__ import annotations

from typing import ClassVar

from securehub.origins import origin
from securehub.store.records import Record
from securehub.store.transaction import ReadTransaction, Transaction

MOST_NETWORKS = 16
"""Home, work, the telephone's and some travels; the one that was not used for longest is forgotten."""


class Known(Record, frozen=True):
    """The networks from which a member has logged in, by username, the latest first; see L{securehub.origins}."""

    collection: ClassVar[str] = "known"
    scanned: ClassVar[bool] = False

    networks: tuple[str, ...]


def known_to(tx: ReadTransaction, username: str) -> tuple[str, ...]:
    """The networks from which a member has logged in; none if there is no such member."""
    known = tx.get(Known, username)
    return () if known is None else known.networks


def remember(tx: Transaction, username: str, address: str) -> None:
    """Note from where a member has just logged in."""
    networks = known_to(tx, username)
    network = origin(address).network
    if networks[:1] != (network,):
        others = (each for each in networks if each != network)
        tx.put(username, Known((network, *others)[:MOST_NETWORKS]))
