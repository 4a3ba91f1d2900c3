"""
One payment to many: a transfer to each, all of them or none.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any, NamedTuple

from securehub import arguments
from securehub.command import MEMBER, command, named
from securehub.money import Amount
from securehub.refusals import BadArgument, shown
from securehub.reply import MoneyReply, Row
from securehub.services.ledger import movement
from securehub.services.ledger.booking import booking
from securehub.services.ledger.watching import Watcher
from securehub.session import Session
from securehub.store.transaction import Transaction

if TYPE_CHECKING:
    from securehub.hub import Hub

MOST_PAYEES = 20
"""
A transaction has at most 256 records. Each payee takes three (wallet, account, transfer), and up to eight where it enters both budgets.
"""


class Payment(NamedTuple):
    """
    @ivar to: a username or an account number.
    """

    to: str
    amount: Amount


class PaidRow(Row, frozen=True):
    """One of the transfers."""

    transfer: int
    to: str
    to_name: str
    amount: str


class PaidMany(MoneyReply, frozen=True):
    """
    Several transfers that were made at once.

    @ivar total: of all of them.
    @ivar balance: of the payer.
    """

    payments: list[PaidRow]
    total: str
    currency: str
    balance: str

    def told(self) -> str:
        first, last = self.payments[0].transfer, self.payments[-1].transfer
        numbers = f"Transfer {first}" if first == last else f"Transfers {first} to {last}"
        return f"{numbers}: {self.total} {self.currency} to {len(self.payments)}. Balance {self.balance} {self.currency}."


@arguments.argument(accepts=(list,), words=True)
def payments(given: Any) -> tuple[Payment, ...]:
    """payees and the amount for each: objects with to and amount, or in text pairs of words such as bob 12.50 carol 3"""
    found = tuple(_from_words(given.split()) if isinstance(given, str) else map(_from_json, given))
    if not found:
        raise BadArgument("there is no payment")
    if len(found) > MOST_PAYEES:
        raise BadArgument(f"there are {len(found)} payments; {MOST_PAYEES} can be made at once")
    return found


def _from_words(words: list[str]) -> list[Payment]:
    if len(words) % 2:
        raise BadArgument(f"{shown(words[-1])} stands alone; give payees and amounts in turn, such as bob 12.50")
    return [Payment(arguments.party(to), Amount.parse(amount)) for to, amount in zip(words[::2], words[1::2], strict=True)]


def _from_json(item: Any) -> Payment:
    if not isinstance(item, dict) or item.keys() != {"to", "amount"}:
        raise BadArgument("each payment is an object of to and amount")
    to, amount = item["to"], item["amount"]
    if not isinstance(to, str) or not (isinstance(amount, str) or amount.__class__ is int):
        raise BadArgument("to is a string, and amount a string or a whole number")
    return Payment(arguments.party(to), Amount.parse(str(amount)))


class Batches:
    """The command that pays many."""

    def __init__(self, hub: Hub) -> None:
        self.booking = booking(hub)

    @command(None, access=MEMBER, moves=True, payments=payments, memo=named(arguments.memo), from_=named(arguments.account))
    async def pay_many(self, session: Session, payments: tuple[Payment, ...], memo: str = "", from_: str | None = None) -> PaidMany:
        """
        Pay several members at once.

        All of them are paid, or none. Each gets a transfer of their own, with the same memo.
        """
        return await session.transact(pay_many, session.member, payments, memo, from_, **self.booking())


def pay_many(
    tx: Transaction,
    payer: str,
    payments: Sequence[Payment],
    memo: str,
    source: str | None,
    *,
    at: datetime,
    zone: tzinfo,
    watchers: Sequence[Watcher] = (),
) -> PaidMany:
    """
    A member pays several accounts, all of them or none.

    @raise InsufficientFunds: the payer has less than all of it.
    """
    wanted = [movement.paying(tx, payer, each.to, each.amount, source) for each in payments]
    money, total = wanted[0].payer.money, sum(each.units for each in wanted)
    movement.refuse_lacking(wanted[0].payer, total)
    paid = []
    for each in payments:
        # Once more, as the transfer before has changed the payer, and perhaps the payee.
        now = movement.paying(tx, payer, each.to, each.amount, source)
        paid.append(movement.spend(tx, now, "transfer", memo, at=at, zone=zone, watchers=watchers))
    rows = [PaidRow(each.transfer, each.to, each.to_name, each.amount) for each in paid]
    warnings = tuple(dict.fromkeys(warning for each in paid for warning in each.warnings))
    return PaidMany(rows, money.text(total), money.code, paid[-1].balance, warnings=warnings)
