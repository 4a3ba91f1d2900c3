"""
Reversals: a transfer that should not have been is undone by another one in the opposite direction. Nothing is deleted.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, ClassVar

from securehub import arguments
from securehub.command import TREASURER, command
from securehub.event import Event
from securehub.refusals import Conflict, NotFound
from securehub.reply import MoneyReply
from securehub.services.ledger import movement
from securehub.services.ledger.accounts import is_orphaned
from securehub.services.ledger.booking import booking
from securehub.services.ledger.records import ORDERS, Account, Transfer, transfer_key, transfer_reference
from securehub.services.ledger.watching import Watcher
from securehub.session import Session
from securehub.store.records import Record
from securehub.store.transaction import ReadTransaction, Transaction
from securehub.switchboard import member

if TYPE_CHECKING:
    from securehub.hub import Hub

KIND = "reversal"


class Reversal(Record, frozen=True):
    """
    That a transfer is reversed, by its number.

    @ivar transfer: the number of the transfer that undoes it.
    """

    collection: ClassVar[str] = "reversal"
    scanned: ClassVar[bool] = False

    transfer: int


class Reversed(MoneyReply, frozen=True):
    """
    A transfer that was undone.

    @ivar transfer: the number of the new one.
    @ivar of: the number of the one that it undoes.
    """

    transfer: int
    of: int
    amount: str
    currency: str

    def told(self) -> str:
        return f"Transfer {self.transfer}: {self.amount} {self.currency}, which undoes transfer {self.of}."


class Undone(Event, frozen=True):
    """
    Money that you had received was taken back.

    @ivar transfer: the number of the new transfer.
    @ivar of: the number of the one that it undoes.
    @ivar balance: of your account.
    """

    method = "ledger.reversed"

    transfer: int
    of: int
    to_name: str
    amount: str
    currency: str
    reason: str
    balance: str

    def text(self) -> str:
        told = f"Transfer {self.of} is undone: {self.amount} {self.currency} went back to {self.to_name}"
        return movement.with_memo(told, self.reason, f"Balance {self.balance} {self.currency}.")


class Reversals:
    """The command that undoes a transfer."""

    def __init__(self, hub: Hub) -> None:
        self.store = hub.store
        self.booking = booking(hub)
        self.own = hub.own_references

    @command(None, access=TREASURER, moves=True, transfer=arguments.whole, reason=arguments.memo)
    async def reverse(self, session: Session, transfer: int, reason: str) -> Reversed:
        """
        Undo a transfer, once.

        The money goes back the way it came, by a new transfer that names the old one. This is refused if the payee no longer has it.
        """
        session.concerns(await self.store.read(concerned, transfer))
        return await session.transact(reverse, transfer, reason, session.caller, own=tuple(self.own), **self.booking())


def concerned(tx: ReadTransaction, number: int) -> str:
    """The account that a reversal takes from, or gives to if it takes from a counterpart; empty if there is no such transfer."""
    found = tx.get(Transfer, transfer_key(number))
    if found is None:
        return ""
    payer, payee = (entry.account for entry in found.entries)
    return payer if payee.startswith("@") else payee


def reverse(
    tx: Transaction,
    number: int,
    reason: str,
    by: str,
    *,
    at: datetime,
    zone: tzinfo,
    watchers: Sequence[Watcher] = (),
    own: tuple[str, ...] = (),
) -> Reversed:
    """
    Undo a transfer.

    @param by: the treasurer.
    @param own: how the references of transfers begin that only their service undoes, besides those of orders.

    @raise NotFound: there is no such transfer.
    @raise Conflict: it is undone already, or undoes another one itself, or one of both members is erased.
    @raise InsufficientFunds: whoever received it has it no more.
    """
    found = tx.get(Transfer, transfer_key(number))
    if found is None:
        raise NotFound(f"there is no transfer {number}")
    if found.kind == KIND:
        raise Conflict(f"transfer {number} is a reversal itself")
    if found.reference.startswith((ORDERS, *own)):
        # Its goods and points would stay where they are.
        raise Conflict(f"transfer {number} belongs to {found.reference.replace('/', ' ')}; refund that")
    earlier = tx.get(Reversal, transfer_key(number))
    if earlier is not None:
        raise Conflict(f"transfer {number} is undone already, by transfer {earlier.transfer}")
    payer, payee = (entry.account for entry in found.entries)
    holder, owner = tx.fetch(Account, payee), tx.fetch(Account, payer)
    if is_orphaned(tx, owner):
        raise Conflict(f"the member of account {payer} is erased; nobody could get at the money")
    if is_orphaned(tx, holder):
        # There is nothing in it, but it may have had a credit line, and nobody would pay back what it owes.
        raise Conflict(f"the member of account {payee} is erased; nobody would pay for it")
    units = -found.entries[0].units
    reference = transfer_reference(number)
    moved = movement.move(tx, payee, holder, payer, owner, units, KIND, reason, by=by, at=at, reference=reference, watchers=watchers)
    tx.put(transfer_key(number), Reversal(moved.transfer))
    if holder.floor is not None:
        told = Undone(moved.transfer, number, owner.owner, moved.amount, moved.currency, reason, moved.balance)
        tx.announce(member(holder.owner), told)
    return Reversed(moved.transfer, number, moved.amount, moved.currency, warnings=moved.warnings)
