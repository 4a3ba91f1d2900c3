"""
Payment requests: a member asks another for money, who accepts, and so pays, or refuses. A request ends once, by itself if nobody answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, ClassVar

import msgspec
from msgspec.structs import replace

from securehub import agenda, arguments
from securehub.command import MEMBER, command, named, optional
from securehub.event import Event
from securehub.money import Amount, Currency, currency
from securehub.refusals import BadArgument, Conflict, Forbidden, NotFound
from securehub.reply import Listing, MoneyReply, Reply, Row, when
from securehub.services import times
from securehub.services.blocks import refuse_blocked
from securehub.services.ledger import movement, pending
from securehub.services.ledger.accounts import first_account, own_account, party_account
from securehub.services.ledger.booking import booking
from securehub.services.ledger.movement import Paying
from securehub.services.ledger.records import Account
from securehub.services.ledger.watching import Watcher
from securehub.services.times import When, future
from securehub.session import Session
from securehub.store.records import Record, number_key
from securehub.store.transaction import ReadTransaction, Transaction
from securehub.switchboard import member

if TYPE_CHECKING:
    from securehub.hub import Hub

EXPIRY = "ledger.request"
"""The duty that ends requests whose time has come."""


class Request(Record, frozen=True):
    """
    A request for money, by number. It is found beneath the usernames of both: as long as it is open as they are, then with C{ended}
    before them.

    @ivar payer: who is asked.
    @ivar payee: who asks.
    @ivar target: the number of the payee's account.
    @ivar state: C{open}, C{accepted}, C{refused}, C{recalled} or C{expired}.
    @ivar transfer: the number of the transfer that paid it.
    """

    collection: ClassVar[str] = "request"

    at: datetime
    payer: str
    payee: str
    target: str
    units: int
    currency: str
    digits: int
    expires: datetime
    memo: str = ""
    state: str = "open"
    transfer: int | None = None

    def beneath(self) -> Sequence[str]:
        return [pending.place(owner, self.state == "open") for owner in (self.payer, self.payee)]

    @property
    def money(self) -> Currency:
        return currency(self.currency, self.digits)


class Asked(Reply, frozen=True):
    """A request that was made."""

    request: int
    from_: str = msgspec.field(name="from")
    amount: str
    currency: str
    expires: datetime

    def status(self) -> str:
        return f"Request {self.request}: {self.from_} is asked for {self.amount} {self.currency} until {when(self.expires)}."


class Accepted(MoneyReply, frozen=True):
    """A request that was paid; the balance is the payer's."""

    request: int
    transfer: int
    to: str
    to_name: str
    amount: str
    currency: str
    balance: str

    def told(self) -> str:
        paid = f"Transfer {self.transfer}: {self.amount} {self.currency} to {self.to_name}, for request {self.request}."
        return f"{paid} Balance {self.balance} {self.currency}."


class Closed(Reply, frozen=True):
    """A request that will not be paid."""

    request: int
    state: str

    def status(self) -> str:
        return f"Request {self.request} is {self.state}."


class RequestRow(Row, frozen=True):
    """
    A payment request, as both sides see it.

    @ivar from_: who is asked.
    @ivar to: who asks.
    @ivar transfer: by which it was paid.
    """

    request: int
    at: datetime
    from_: str = msgspec.field(name="from")
    to: str
    amount: str
    currency: str
    state: str
    expires: datetime
    transfer: int | None
    memo: str


class Requested(Event, frozen=True):
    """Somebody asks you for money."""

    method = "ledger.requested"

    request: int
    to: str
    to_name: str
    amount: str
    currency: str
    expires: datetime
    memo: str

    def text(self) -> str:
        told = f"{self.to_name} asks you for {self.amount} {self.currency} until {when(self.expires)} (request {self.request})"
        return movement.with_memo(told, self.memo)


class RequestEnded(Event, frozen=True):
    """
    A payment request that you made, or that was made to you, has ended.

    @ivar state: C{accepted}, C{refused}, C{recalled} or C{expired}.
    @ivar from_name: who was asked.
    @ivar to_name: who asked.
    @ivar transfer: by which it was paid; null if it was not.
    """

    method = "ledger.request_ended"

    request: int
    state: str
    from_name: str
    to_name: str
    amount: str
    currency: str
    transfer: int | None
    reason: str

    def text(self) -> str:
        told = f"Request {self.request} of {self.to_name} to {self.from_name} for {self.amount} {self.currency} is {self.state}"
        return movement.with_memo(told, self.reason)


class Requests:
    """Commands about payment requests."""

    def __init__(self, hub: Hub) -> None:
        self.store = hub.store
        self.clock = hub.clock
        self.zone = hub.zone
        self.booking = booking(hub)
        self.days = timedelta(days=hub.settings["request_days"])
        self.limit = hub.settings["open_per_member"]
        hub.agenda.add(EXPIRY, expire)

    @command(
        None,
        access=MEMBER,
        writes=True,
        from_=arguments.username,
        amount=arguments.amount,
        memo=optional(arguments.memo),
        to=named(arguments.account),
        expires=named(times.expiry),
    )
    async def request(
        self, session: Session, from_: str, amount: Amount, memo: str = "", to: str | None = None, expires: When | None = None
    ) -> Asked:
        """
        Ask somebody for money.

        They are told, and may accept or refuse. It is paid into your first account unless you name another with to=, and expires after some
        days unless you give expires=.
        """
        until = self.days if expires is None else expires
        given = {"limit": self.limit, "at": self.clock.now(), "zone": self.zone}
        return await session.transact(ask, session.member, from_, amount, memo, to, until, **given)

    @command(None, access=MEMBER, moves=True, request=arguments.whole, from_=named(arguments.account))
    async def accept(self, session: Session, request: int, from_: str | None = None) -> Accepted:
        """
        Pay what somebody asks you for.

        It is paid from your first account in that currency unless you name another with from=.
        """
        return await session.transact(accept, request, session.member, from_, **self.booking())

    @command(None, access=MEMBER, writes=True, request=arguments.whole, reason=optional(arguments.memo))
    async def refuse(self, session: Session, request: int, reason: str = "") -> Closed:
        """Refuse what somebody asks you for; they are told."""
        return await session.transact(refuse, request, session.member, reason, at=self.clock.now())

    @command(None, access=MEMBER, writes=True, request=arguments.whole)
    async def recall(self, session: Session, request: int) -> Closed:
        """Take back a request that you made."""
        return await session.transact(recall, request, session.member, at=self.clock.now())

    @command(None, access=MEMBER, all=named(arguments.switch), limit=named(arguments.listed), before=named(arguments.whole))
    async def requests(self, session: Session, all: bool = False, limit: int = 20, before: int | None = None) -> Listing[RequestRow]:
        """
        List the requests that you made and those made to you, newest first.

        With all=on, those that have ended are listed, too.
        """
        return await self.store.read(requests_of, session.member, ended=all, limit=limit, before=before)


def ask(
    tx: Transaction,
    payee: str,
    payer: str,
    amount: Amount,
    memo: str,
    target: str | None,
    expires: When,
    *,
    limit: int,
    at: datetime,
    zone: tzinfo,
) -> Asked:
    """
    A member asks another for money.

    @param target: the number of the payee's account, None for the first.
    @param limit: how many open requests a member may have made.

    @raise NotFound: there is no such member, or they have no account in the currency.
    @raise Forbidden: they want to hear nothing from who asks.
    """
    if payer == payee:
        raise BadArgument("from: that is yourself")
    target = own_account(tx, payee, target)
    money = tx.fetch(Account, target).money
    units = money.units(amount)
    first_account(tx, payer, money.code)
    refuse_blocked(tx, payer, payee)
    until = future("expires", expires, at=at, zone=zone)
    pending.open_one(tx, payee, "requests", limit)
    number = tx.number("request")
    tx.put(number_key(number), Request(at, payer, payee, target, units, money.code, money.digits, until, memo))
    agenda.remind(tx, EXPIRY, number_key(number), until)
    tx.announce(member(payer), Requested(number, target, payee, money.text(units), money.code, until, memo))
    return Asked(number, payer, money.text(units), money.code, until)


def accept(
    tx: Transaction, number: int, payer: str, source: str | None, *, at: datetime, zone: tzinfo, watchers: Sequence[Watcher] = ()
) -> Accepted:
    """
    Whoever was asked pays.

    @param source: the number of one of the payer's accounts, None for the first in that currency.

    @raise Conflict: the request has ended.
    @raise NotFound: whoever asked is erased.
    """
    request = _open_request(tx, number, payer, "payer", at)
    source = first_account(tx, payer, request.currency) if source is None else own_account(tx, payer, source)
    # Whoever asked may be erased, and the request not have ended yet.
    target = party_account(tx, request.target)
    paying = Paying(source, tx.fetch(Account, source), target, tx.fetch(Account, target), request.units)
    reference = f"request/{number}"
    paid = movement.spend(tx, paying, "transfer", request.memo, at=at, zone=zone, reference=reference, watchers=watchers)
    _end(tx, number, replace(request, state="accepted", transfer=paid.transfer), [request.payee])
    return Accepted(number, paid.transfer, request.target, request.payee, paid.amount, paid.currency, paid.balance, warnings=paid.warnings)


def refuse(tx: Transaction, number: int, payer: str, reason: str, *, at: datetime) -> Closed:
    """Whoever was asked does not pay."""
    request = _open_request(tx, number, payer, "payer", at)
    return _end(tx, number, replace(request, state="refused"), [request.payee], reason)


def recall(tx: Transaction, number: int, payee: str, *, at: datetime) -> Closed:
    """Whoever asked does not ask any more."""
    request = _open_request(tx, number, payee, "payee", at)
    return _end(tx, number, replace(request, state="recalled"), [request.payer])


def expire(tx: Transaction, key: str, *, at: datetime) -> None:
    """End a request whose time has come, if it is still open."""
    request = tx.get(Request, key)
    if request is not None and request.state == "open":
        _end(tx, int(key), replace(request, state="expired"), [request.payer, request.payee])


def give_up(tx: Transaction, key: str, request: Request, username: str) -> Request:
    """End a request of or to a member who is being erased, if it is open."""
    if request.state != "open":
        return request
    asks = request.payee == username
    ended = replace(request, state="recalled" if asks else "refused")
    _end(tx, int(key), ended, [request.payer if asks else request.payee])
    return ended


def requests_of(tx: ReadTransaction, owner: str, *, ended: bool, limit: int, before: int | None) -> Listing[RequestRow]:
    """
    The requests that a member has made and those that were made to them, newest first.

    @param ended: whether those that have ended are among them.
    """
    found = pending.newest(tx, Request, [owner], ended=ended, before=before)
    return Listing.up_to(limit, (row(number, each) for number, each in found))


def _open_request(tx: Transaction, number: int, by: str, side: str, at: datetime) -> Request:
    """
    @param side: C{payer} or C{payee}, who alone may do this.

    @raise NotFound: there is none that this member is concerned with.
    """
    request = tx.get(Request, number_key(number))
    if request is None or by not in (request.payer, request.payee):
        raise NotFound(f"there is no request {number}")
    owner = getattr(request, side)
    if by != owner:
        raise Forbidden(f"that is for {owner} to do")
    state = "expired" if request.state == "open" and request.expires <= at else request.state
    if state != "open":
        raise Conflict(f"request {number} is {state}")
    return request


def _end(tx: Transaction, number: int, ended: Request, tells: Iterable[str], reason: str = "") -> Closed:
    pending.end_one(tx, ended.payee, "requests")
    agenda.forget(tx, EXPIRY, number_key(number), ended.expires)
    tx.put(number_key(number), ended)
    amount = ended.money.text(ended.units)
    told = RequestEnded(number, ended.state, ended.payer, ended.payee, amount, ended.currency, ended.transfer, reason)
    for owner in tells:
        tx.announce(member(owner), told)
    return Closed(number, ended.state)


def row(number: int, request: Request) -> RequestRow:
    """As the members see it whom it concerns."""
    return RequestRow(
        number,
        request.at,
        request.payer,
        request.payee,
        request.money.text(request.units),
        request.currency,
        request.state,
        request.expires,
        request.transfer,
        request.memo,
    )
