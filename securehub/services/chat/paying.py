"""
Money in sight of others: a payment, or asking for one, and the message that shows it are one transaction. So there is no receipt without
a payment.
"""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

import msgspec

from securehub import arguments
from securehub.command import MEMBER, command, named, optional
from securehub.money import Amount
from securehub.refusals import BadArgument
from securehub.reply import MoneyReply, Reply, when
from securehub.services.chat import saying, words
from securehub.services.ledger import movement, requests
from securehub.services.ledger.booking import booking
from securehub.services.messages import Message, Receipt
from securehub.session import Session
from securehub.store.transaction import Transaction

if TYPE_CHECKING:
    from securehub.hub import Hub


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


class AcceptedHere(MoneyReply, frozen=True):
    """
    A payment request that was paid, and shown to be.

    @ivar seq: of the message that shows it.
    @ivar balance: what the payer has left.
    """

    seq: int
    at: datetime
    request: int
    transfer: int
    to: str
    to_name: str
    amount: str
    currency: str
    balance: str

    def told(self) -> str:
        paid = f"Transfer {self.transfer}: {self.amount} {self.currency} to {self.to_name}, for request {self.request}."
        return f"{paid} Balance {self.balance} {self.currency}. Message {self.seq}."


class AskedHere(Reply, frozen=True):
    """
    A payment request that was made and shown.

    @ivar seq: of the message that shows it.
    @ivar from_: who is asked.
    """

    seq: int
    at: datetime
    request: int
    from_: str = msgspec.field(name="from")
    amount: str
    currency: str
    expires: datetime

    def status(self) -> str:
        asked = f"Request {self.request}: {self.from_} is asked for {self.amount} {self.currency} until {when(self.expires)}."
        return f"{asked} Message {self.seq}."


class Paying:
    """The part of the chat that shows money."""

    def __init__(self, hub: Hub) -> None:
        self.clock = hub.clock
        self.zone = hub.zone
        self.booking = booking(hub)
        self.request_days = timedelta(days=hub.settings["request_days"])
        self.open_requests = hub.settings["open_per_member"]

    @command(
        None,
        access=MEMBER,
        moves=True,
        room=words.place,
        to=arguments.username,
        amount=arguments.amount,
        memo=optional(arguments.memo),
        from_=named(arguments.account),
    )
    async def pay(self, session: Session, room: str, to: str, amount: Amount, memo: str = "", from_: str | None = None) -> Paid:
        """
        Pay a member, and show it with its receipt in a room, or in your conversation with them (@bob).

        The message and the payment are one: if you cannot pay, nothing is shown. You can neither change it nor take it back.
        """
        return await session.transact(pay, room, session.member, to, amount, memo, from_, session.number, **self.booking())

    @command(
        None,
        access=MEMBER,
        writes=True,
        room=words.place,
        from_=arguments.username,
        amount=arguments.amount,
        memo=optional(arguments.memo),
        to=named(arguments.account),
    )
    async def request(self, session: Session, room: str, from_: str, amount: Amount, memo: str = "", to: str | None = None) -> AskedHere:
        """
        Ask a member for money, and show it in a room, or in your conversation with them (@bob).

        They pay with chat.accept, which is shown, too, or with ledger.accept, which is not; or they refuse with ledger.refuse.
        """
        given = {"limit": self.open_requests, "at": self.clock.now(), "zone": self.zone}
        return await session.transact(ask, room, session.member, from_, amount, memo, to, self.request_days, session.number, **given)

    @command(None, access=MEMBER, moves=True, room=words.place, request=arguments.whole, from_=named(arguments.account))
    async def accept(self, session: Session, room: str, request: int, from_: str | None = None) -> AcceptedHere:
        """Pay what somebody asks you for, and show it with its receipt in a room, or in your conversation with them (@bob)."""
        return await session.transact(accept, room, session.member, request, from_, session.number, **self.booking())


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
    **booked: Any,
) -> Paid:
    """
    Pay a member, and show it in a room or in the direct conversation with them.

    @param source: the number of one of the payer's accounts, None for the first.
    @param booked: what the ledger's rules are told besides.

    @raise Forbidden: the payer may say nothing there.
    @raise InsufficientFunds: the payer would fall below its floor; then nothing is shown.
    """
    _refuse_third(place, to)
    say = saying.ready(tx, place, username, session, at=at)
    paid = movement.pay(tx, username, to, amount, memo, source, at=at, **booked)
    receipt = Receipt(username, paid.to_name, paid.amount, paid.currency, transfer=paid.transfer)
    said = say(tx, Message(at, username, receipt.told(memo), receipt=receipt))
    return Paid(
        said.seq,
        at,
        paid.transfer,
        paid.from_,
        paid.to,
        paid.to_name,
        paid.amount,
        paid.currency,
        paid.balance,
        warnings=paid.warnings,
    )


def ask(
    tx: Transaction,
    place: str,
    username: str,
    payer: str,
    amount: Amount,
    memo: str,
    target: str | None,
    expires: timedelta,
    session: int,
    *,
    limit: int,
    at: datetime,
    zone: tzinfo,
) -> AskedHere:
    """
    Ask a member for money, and show that; see L{requests.ask}.

    @raise Forbidden: who asks may say nothing there, or the payer wants to hear nothing from them.
    """
    _refuse_third(place, payer)
    say = saying.ready(tx, place, username, session, at=at)
    asked = requests.ask(tx, username, payer, amount, memo, target, expires, limit=limit, at=at, zone=zone)
    receipt = Receipt(payer, username, asked.amount, asked.currency, request=asked.request)
    said = say(tx, Message(at, username, receipt.told(memo), receipt=receipt))
    return AskedHere(said.seq, at, asked.request, payer, asked.amount, asked.currency, asked.expires)


def accept(
    tx: Transaction, place: str, username: str, request: int, source: str | None, session: int, *, at: datetime, **booked: Any
) -> AcceptedHere:
    """
    Pay what one was asked for, and show it; see L{requests.accept}.

    @raise Forbidden: the payer may say nothing there.
    """
    say = saying.ready(tx, place, username, session, at=at)
    paid = requests.accept(tx, request, username, source, at=at, **booked)
    _refuse_third(place, paid.to_name)
    receipt = Receipt(username, paid.to_name, paid.amount, paid.currency, transfer=paid.transfer, request=request)
    said = say(tx, Message(at, username, receipt.told(""), receipt=receipt))
    return AcceptedHere(
        said.seq,
        at,
        request,
        paid.transfer,
        paid.to,
        paid.to_name,
        paid.amount,
        paid.currency,
        paid.balance,
        warnings=paid.warnings,
    )


def _refuse_third(place: str, other: str) -> None:
    """
    @raise BadArgument: in a direct conversation, money is to go to or come from somebody else.
    """
    if place.startswith("@") and place != f"@{other}":
        raise BadArgument(f"room: in your conversation with {place[1:]} there is only {place[1:]} to deal with, and not {other}")
