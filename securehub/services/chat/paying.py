"""
Paying in sight of others: the payment and the message that shows it are one transaction, so there is no receipt without a payment.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from securehub.money import Amount
from securehub.refusals import BadArgument
from securehub.reply import MoneyReply
from securehub.services.chat import saying
from securehub.services.ledger import movement
from securehub.services.ledger.movement import Transferred
from securehub.services.messages import Message, Receipt
from securehub.store.transaction import Transaction


class Paid(MoneyReply, frozen=True):
    """
    A payment that was made and shown.

    @ivar seq: of the message that shows it.
    @ivar balance: what the payer has left.
    """

    seq: int
    at: datetime
    transfer: int
    from_: str = msgspec.field(name="from")
    to: str
    to_name: str
    amount: str
    currency: str
    balance: str

    def told(self) -> str:
        paid = f"Transfer {self.transfer}: {self.amount} {self.currency} to {self.to_name}. Balance {self.balance} {self.currency}."
        return f"{paid} Message {self.seq}."


def pay(
    tx: Transaction,
    place: str,
    username: str,
    to: str,
    amount: Amount,
    memo: str,
    source: str | None,
    session: int,
    *,
    at: datetime,
    **booking: Any,
) -> Paid:
    """
    Pay a member, and show it in a room or in the direct conversation with them.

    @param source: the number of one of the payer's accounts, None for the first.
    @param booking: what else the ledger wants to know, see L{securehub.services.ledger.booking}.

    @raise Forbidden: the payer may say nothing there.
    @raise InsufficientFunds: the payer would fall below its floor; then nothing is shown.
    """
    if place.startswith("@"):
        return _pay_directly(tx, place[1:], username, to, amount, memo, source, session, at, booking)
    found, seat = saying.may_say(tx, place, username, at)
    paid = movement.pay(tx, username, to, amount, memo, source, at=at, **booking)
    said = saying.put_said(tx, place, found, seat, _shown(paid, username, memo, at), (), session)
    return _answer(said.seq, at, paid)


def _pay_directly(
    tx: Transaction,
    peer: str,
    username: str,
    to: str,
    amount: Amount,
    memo: str,
    source: str | None,
    session: int,
    at: datetime,
    booking: Any,
) -> Paid:
    if to != peer:
        raise BadArgument(f"to: in the conversation with {peer} you pay {peer}")
    newest = saying.may_tell(tx, username, peer)
    paid = movement.pay(tx, username, to, amount, memo, source, at=at, **booking)
    return _answer(saying.put_told(tx, peer, newest, _shown(paid, username, memo, at), session).seq, at, paid)


def _shown(paid: Transferred, username: str, memo: str, at: datetime) -> Message:
    receipt = Receipt(paid.transfer, paid.to_name, paid.amount, paid.currency)
    return Message(at, username, receipt.told(memo), receipt=receipt)


def _answer(seq: int, at: datetime, paid: Transferred) -> Paid:
    return Paid(seq, at, paid.transfer, paid.from_, paid.to, paid.to_name, paid.amount, paid.currency, paid.balance, warnings=paid.warnings)
