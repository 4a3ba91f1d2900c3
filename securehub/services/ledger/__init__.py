"""
The ledger: members' accounts, and money that moves between them, double entry by double entry.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from twisted.plugin import IPlugin
from zope.interface import implementer, provider

from securehub import arguments
from securehub.command import MEMBER, TREASURER, command, last_seen, named, optional
from securehub.money import Amount, Currency
from securehub.remembering import IRemembers
from securehub.reply import Listing, Reply, Roster
from securehub.service import IServiceFactory
from securehub.services.blocks import Blocks
from securehub.services.ledger import accounts, balancing, books, memory, movement, records
from securehub.services.ledger.batches import Batches
from securehub.services.ledger.booking import booking
from securehub.services.ledger.holds import Hold, Holds
from securehub.services.ledger.limits import AccountLimit, Limits, RoleLimits, Spent
from securehub.services.ledger.pending import Pending
from securehub.services.ledger.requests import Request, Requests
from securehub.services.ledger.reversal import Reversal, Reversals
from securehub.services.ledger.schedules import Schedule, Schedules
from securehub.services.ledger.statements import Statements
from securehub.session import Session
from securehub.store.transaction import Transaction

if TYPE_CHECKING:
    from securehub.hub import Hub


class Opened(Reply, frozen=True):
    """A new account."""

    account: str

    def status(self) -> str:
        return f"Account {self.account} is open."


@provider(IPlugin, IServiceFactory)
@implementer(IRemembers)
class Ledger:
    """Accounts and payments."""

    name = "ledger"
    records = (
        *(records.Account, records.Title, records.Wallet, records.Transfer),
        *(Hold, Pending, Reversal, AccountLimit, RoleLimits, Spent, Request, Schedule),
        Blocks,
    )
    parts = (Holds, Reversals, Statements, Limits, Requests, Batches, Schedules)
    remembered = staticmethod(memory.remembered)
    refuse_to_forget = staticmethod(memory.refuse_to_forget)
    forget = staticmethod(memory.forget)
    invariants = (balancing.Balanced,)

    def __init__(self, hub: Hub) -> None:
        self.store = hub.store
        self.clock = hub.clock
        self.currencies = hub.currencies
        self.numbering = hub.numbering
        self.booking = booking(hub)
        self.settings = hub.settings

    @command("ACCOUNTS", access=MEMBER, limit=named(arguments.listed), after=last_seen(arguments.account))
    async def accounts(self, session: Session, limit: int = 20, after: str | None = None) -> Roster[books.AccountRow]:
        """
        List your accounts and what is in them, your first one first.

        For more, give the number of the last one you saw as after=.
        """
        return await self.store.read(books.accounts_of, session.member, limit=limit, after=after)

    @command("OPEN", access=MEMBER, writes=True, name=arguments.name, currency=optional(arguments.currency))
    async def open(self, session: Session, name: str, currency: str | None = None) -> Opened:
        """
        Open another account.

        There is nothing in it at first. It is in the hub's currency unless you name another that the hub knows.
        """
        return await session.transact(
            _open,
            session.member,
            name,
            self.currencies.meant(currency),
            self.numbering,
            limit=self.settings["accounts_per_member"],
            at=self.clock.now(),
        )

    @command("BALANCE", access=MEMBER, account=optional(arguments.account))
    async def balance(self, session: Session, account: str | None = None) -> books.Balance:
        """
        Show what is in one of your accounts.

        Without an account, it is your first. What is held is part of the balance, but cannot be spent.
        """
        return await self.store.read(books.balance_of, session.member, account)

    @command(
        "TRANSFER",
        access=MEMBER,
        elsewhere=("pay", "send"),
        moves=True,
        to=arguments.party,
        amount=arguments.amount,
        memo=optional(arguments.memo),
        from_=named(arguments.account),
    )
    async def transfer(self, session: Session, to: str, amount: Amount, memo: str = "", from_: str | None = None) -> movement.Transferred:
        """
        Move money from your account to another.

        All of it moves, or none; the answer has what you have left. A username stands for that member's first account in your account's
        currency. It is paid from your first account unless you name another with from=.
        """
        return await session.transact(movement.pay, session.member, to, amount, memo, from_, **self.booking())

    @command(
        "HISTORY",
        access=MEMBER,
        elsewhere=("transactions",),
        account=named(arguments.account),
        limit=named(arguments.listed),
        before=named(arguments.whole),
    )
    async def history(
        self, session: Session, account: str | None = None, limit: int = 20, before: int | None = None
    ) -> Listing[books.HistoryRow]:
        """
        List what came and went, newest first.

        Amounts that went are negative; the balance is the one after each entry. For older entries, give the number of the last transfer you
        saw as before=.
        """
        return await self.store.read(books.history_of, session.member, account, limit=limit, before=before)

    @command("DEPOSIT", access=TREASURER, moves=True, to=arguments.party, amount=arguments.amount, memo=optional(arguments.memo))
    async def deposit(self, session: Session, to: str, amount: Amount, memo: str = "") -> movement.Deposited:
        """
        Book money that a member has paid in, against @cash.

        A username stands for that member's first account; the member is told.
        """
        return await session.transact(movement.deposit, to, amount, memo, session.caller, **self.booking())

    @command("WITHDRAW", access=TREASURER, moves=True, from_=arguments.party, amount=arguments.amount, memo=optional(arguments.memo))
    async def withdraw(self, session: Session, from_: str, amount: Amount, memo: str = "") -> movement.Withdrawn:
        """
        Book money that a member has been paid out, against @cash.

        A username stands for that member's first account; the member is told.
        """
        return await session.transact(movement.withdraw, from_, amount, memo, session.caller, **self.booking())

    @command(None, access=TREASURER, limit=named(arguments.listed), before=named(arguments.whole))
    async def bookings(self, session: Session, limit: int = 20, before: int | None = None) -> Listing[books.Booking]:
        """
        List what treasurers have booked against @cash, newest first.

        What was paid in is positive, what was paid out is negative. For older ones, give the number of the last transfer you saw as
        before=.
        """
        return await self.store.read(books.bookings, limit=limit, before=before)

    @command(None, access=TREASURER)
    async def counterparts(self, session: Session) -> Listing[books.CounterpartRow]:
        """
        Show the balances of the counterparts: @cash, where deposits come from, and its like.

        Each is as far below zero as money came from there and did not go back: if @cash has -100.00, there should be 100.00 in the box.
        """
        return await self.store.read(books.counterparts)

    @command(None, access=TREASURER, long=True, limit=named(arguments.listed), after=last_seen(arguments.currency))
    async def trial_balance(self, session: Session, limit: int = arguments.MAX_LISTED, after: str = "") -> Roster[books.CurrencySum]:
        """Add up all accounts, counterparts included; each sum must be zero."""
        return await self.store.read(books.trial_balance, self.currencies, limit=limit, after=after)


def _open(tx: Transaction, owner: str, name: str, currency: Currency, numbering: accounts.Numbering, *, limit: int, at: datetime) -> Opened:
    return Opened(accounts.open_account(tx, owner, name, currency, numbering, limit=limit, at=at))
