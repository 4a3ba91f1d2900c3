"""
Watchers: services that are told of every movement of a member's money in its own transaction, and may have something to say about it.

A service adds its watchers to C{hub.watchers} when it is made, and says whose accounts they watch with L{set_watched}. Movements between
accounts that nobody watches cost nothing more for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from msgspec.structs import replace

from securehub.refusals import Refusal
from securehub.services.ledger.records import Account, Wallet
from securehub.store.transaction import Transaction


class Movement(NamedTuple):
    """
    A movement of money, as it is being booked.

    @ivar number: of the transfer.
    @ivar payer: a username, or a counterpart such as C{@cash}.
    @ivar payee: likewise.
    @ivar source: the number of the account that pays.
    @ivar target: the number of the account that receives.
    @ivar reference: what it belongs to, such as C{order/41}; empty if that is nothing else.
    """

    number: int
    at: datetime
    kind: str
    payer: str
    payee: str
    source: str
    target: str
    units: int
    currency: str
    memo: str
    reference: str


Watcher = Callable[[Transaction, Movement], Sequence[str]]
"""
A rule that is told of a movement, after the accounts are changed and in the same transaction; its answer are warnings for the payer. It
does not refuse, and which records it looks at must not depend on the movement's number.
"""


def set_watched(tx: Transaction, owner: str, watched: bool) -> None:
    """
    Say whether movements of an owner's accounts are told to watchers: of those that they have, and those that they open later.
    """
    wallet = tx.get(Wallet, owner)
    if wallet is None or wallet.watched == watched:
        return
    tx.put(owner, replace(wallet, watched=watched))
    for number, _ in wallet.accounts:
        tx.put(number, replace(tx.fetch(Account, number), watched=watched))


def tell(tx: Transaction, watchers: Sequence[Watcher], movement: Movement) -> tuple[str, ...]:
    """
    Tell all watchers of a movement.

    @return: their warnings.
    """
    try:
        return tuple(warning for watcher in watchers for warning in watcher(tx, movement))
    except Refusal as refusal:
        # The accounts are changed by now. Whoever goes on after a refused payment (a schedule does) would commit half of it.
        raise AssertionError(f"a watcher must not refuse: {refusal}") from refusal
