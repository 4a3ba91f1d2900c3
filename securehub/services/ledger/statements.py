"""
Statements: what an account had, what came and went, and what it had then; and what it had at any moment.

A statement is of the time from its start up to its end, which is not part of it. So where one ends the next one begins, and what the one
closes with the other opens with.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol, cast

from securehub import arguments
from securehub.command import MEMBER, command, named, optional
from securehub.refusals import BadArgument, LimitExceeded
from securehub.reply import Reply
from securehub.services import times
from securehub.services.ledger import books, exports
from securehub.services.ledger.accounts import own_account
from securehub.services.ledger.books import Statement
from securehub.services.ledger.exports import FORMATS
from securehub.services.ledger.records import Account, Title, Transfer, transfer_key
from securehub.services.tables import Export
from securehub.services.times import LAST, When, meant
from securehub.session import Session
from securehub.store.records import Record
from securehub.store.transaction import ReadTransaction

if TYPE_CHECKING:
    from securehub.hub import Hub

MOST_ROWS = 5_000
"""A statement is one answer, looked up in one go: so many rows take some 30 ms, in which nobody else is served."""

MOMENT = timedelta(microseconds=1)
"""The smallest step of a record's time."""


class PastBalance(Reply, frozen=True):
    """What an account had at a moment, after all that had been booked by then."""

    account: str
    currency: str
    at: datetime
    balance: str


class Statements:
    """Commands that look into an account's past."""

    def __init__(self, hub: Hub) -> None:
        self.store = hub.store
        self.clock = hub.clock
        self.zone = hub.zone

    @command(
        "STATEMENT",
        access=MEMBER,
        long=True,
        account=named(arguments.account),
        start=named(times.moment),
        end=named(times.moment),
        format=named(exports.form),
    )
    async def statement(
        self, session: Session, account: str | None = None, start: When | None = None, end: When | None = None, format: str = "json"
    ) -> Statement | Export:
        """
        Show an account over some time: its opening balance, what came and went, and its closing balance.

        Without start= and end=, it goes from the opening of the account to now. The end is not included, so give the end of one statement
        as the start of the next. format= gives it as csv, as ledger (a journal for hledger and ledger-cli) or as ofx (OFX 2.2).
        """
        now = self.clock.now()
        bounds = {
            "start": None if start is None else meant(start, at=now, zone=self.zone),
            # All that was booked up to this moment, and nothing that is booked after it.
            "end": now + MOMENT if end is None else meant(end, at=now, zone=self.zone),
        }
        found = await self.store.read(statement, session.member, account, **bounds)
        if format not in FORMATS:
            return found
        return Export("".join(await session.in_turns(FORMATS[format](found, self.zone))))

    @command(None, access=MEMBER, at=times.moment, account=optional(arguments.account))
    async def balance_at(self, session: Session, at: When, account: str | None = None) -> PastBalance:
        """Show what was in one of your accounts at some moment."""
        moment = meant(at, at=self.clock.now(), zone=self.zone)
        return await self.store.read(balance_at, session.member, account, at=moment)


def statement(tx: ReadTransaction, owner: str, number: str | None, *, start: datetime | None, end: datetime) -> Statement:
    """
    An account over some time.

    @param number: of the account, None for the owner's first one.
    @param start: None for the opening of the account.

    @raise BadArgument: the start is after the end.
    @raise LimitExceeded: there are too many rows.
    """
    number = own_account(tx, owner, number)
    money = tx.fetch(Account, number).money
    if start is None:
        start = min(tx.fetch(Title, number).opened, end)
    if end < start:
        raise BadArgument("start: it is after the end")
    first, past = transfer_key(first_since(tx, Transfer, number, start)), transfer_key(first_since(tx, Transfer, number, end))
    found = list(tx.beneath(Transfer, number, start=first, end=past, limit=MOST_ROWS + 1))
    if len(found) > MOST_ROWS:
        raise LimitExceeded(f"there are more than {MOST_ROWS} rows; ask for a shorter time")
    rows = [books.row(tx, number, money, key, transfer) for key, transfer in found]
    opening = money.text(_balance_before(tx, number, first))
    return Statement(number, money.code, start, end, opening, rows[-1].balance if rows else opening, rows)


def balance_at(tx: ReadTransaction, owner: str, number: str | None, *, at: datetime) -> PastBalance:
    """What an account had at a moment, what was booked at that very moment included."""
    number = own_account(tx, owner, number)
    money = tx.fetch(Account, number).money
    past = transfer_key(first_since(tx, Transfer, number, min(at, LAST - MOMENT) + MOMENT))
    return PastBalance(number, money.code, at, money.text(_balance_before(tx, number, past)))


class Dated(Protocol):
    """A record that was made at some time, and is never before one with a smaller number."""

    @property
    def at(self) -> datetime: ...


def first_since(tx: ReadTransaction, record: type[Record], parent: str, at: datetime) -> int:
    """
    The number from which on what is beneath a parent is not before a moment. As times never go back, it is found by halving: in some
    fifty looks, however long the history is.

    @param record: L{Dated}, with a number for its key.
    """
    newest = next(tx.beneath(record, parent, limit=1, reverse=True), None)
    low, high = 0, int(newest[0]) + 1 if newest else 0
    while low < high:
        middle = (low + high) // 2
        key, found = next(tx.beneath(record, parent, start=transfer_key(middle), limit=1))
        if cast(Dated, found).at < at:
            low = int(key) + 1
        else:
            high = middle
    return low


def _balance_before(tx: ReadTransaction, account: str, key: str) -> int:
    """What an account had, in units, before the transfers from a key on."""
    for _, transfer in tx.beneath(Transfer, account, end=key, limit=1, reverse=True):
        return transfer.sides(account)[0].balance
    return 0
