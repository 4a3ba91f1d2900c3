"""
Rules that take in what somebody had in other programs. Each step is a transaction of its own, which notes how far it is: so an import that
was interrupted goes on, and a second one changes nothing.
"""

from __future__ import annotations

from datetime import MAXYEAR, MINYEAR, date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

from msgspec.structs import replace

from securehub.imports.sources import BUCKETS, Account, Month, Person
from securehub.members import OPERATOR, Member
from securehub.money import Currency
from securehub.refusals import BadArgument, Exists
from securehub.services.auth.records import Brought
from securehub.services.auth.rules import enroll
from securehub.services.budget.entries import Draft, enter
from securehub.services.budget.records import Book
from securehub.services.ledger import movement
from securehub.services.ledger.accounts import Numbering, counterpart, first_account
from securehub.services.ledger.records import BROUGHT
from securehub.services.ledger.records import Account as HubAccount
from securehub.services.loyalty.records import Card
from securehub.store.transaction import ReadTransaction, Transaction

MONTHS_AT_ONCE = 24
"""In one transaction, which may have 256 records: a month takes five, itself and four entries."""

ACCOUNTS_AT_ONCE = 40

ORIGIN = "import"
ITEM = "from the budget manager"


class Terms(NamedTuple):
    """
    How people are taken in.

    @ivar currency: of all that they bring along.
    @ivar last_month: of the last item of each history, such as C{2026-10}.
    @ivar members_too: whether those are taken in who are members already, and did not come by an import.
    """

    currency: Currency
    numbering: Numbering
    last_month: str
    members_too: bool = False


class Done(NamedTuple):
    """
    What a step did.

    @ivar told: in some words each; nothing if there was nothing to do.
    @ivar more: whether there is more to do.
    """

    told: list[str]
    more: bool


def is_new(tx: ReadTransaction, username: str) -> bool:
    """Whether there has never been a member of that name, so that a password is needed."""
    return tx.get(Member, username) is None


def bring(tx: Transaction, person: Person, password_hash: str, terms: Terms, *, at: datetime) -> Done:
    """
    One step: the member; what the bank has; what was ordered; some months of the budget.

    @param password_hash: for a new member.

    @raise Exists: the name is that of somebody else, as far as anybody knows.
    @raise Refusal: the ledger or the budget has no room for it.
    """
    member, found = tx.get(Member, person.username), tx.get(Brought, person.username)
    if person.username == OPERATOR or (member is not None and member.erased):
        raise Exists(f"the name {person.username} is taken")
    if member is None:
        enroll(tx, person.username, person.name, password_hash, "the import", terms.currency, terms.numbering, at=at)
        tx.put(person.username, Brought())
        return Done(["new member"], _is_left(person, Brought()))
    if found is None and not terms.members_too:
        raise Exists(f"there is a member {person.username} who did not come by an import; if it is the same person, say --members-too")
    told: list[str] = []
    brought = found or Brought()
    accounts = [each for each in person.accounts if each.number not in brought.accounts]
    if accounts:
        brought = _book(tx, person.username, brought, accounts[:ACCOUNTS_AT_ONCE], terms.currency, told, at=at)
    elif person.orders is not None and person.orders != brought.orders:
        card = tx.get(Card, person.username) or Card()
        tx.put(person.username, replace(card, orders=card.orders + person.orders - brought.orders))
        brought = replace(brought, orders=person.orders)
        told.append(f"{person.orders} orders")
    elif brought.months < len(person.months):
        brought = _enter(tx, person, brought, terms, told)
    if brought != found:
        tx.put(person.username, brought)
    return Done(told, _is_left(person, brought))


def _is_left(person: Person, brought: Brought) -> bool:
    if any(each.number not in brought.accounts for each in person.accounts):
        return True
    return brought.months < len(person.months) or person.orders not in (None, brought.orders)


def _book(
    tx: Transaction, username: str, brought: Brought, accounts: list[Account], currency: Currency, told: list[str], *, at: datetime
) -> Brought:
    """Book what the bank has, against C{@import}."""
    target = first_account(tx, username, currency.code)
    for each in accounts:
        units = _units(each.balance, currency)
        if units:
            source, payer = counterpart(tx, BROUGHT, currency, target)
            memo = f"balance of account {each.number}"
            movement.move(tx, source, payer, target, tx.fetch(HubAccount, target), units, ORIGIN, memo, by=OPERATOR, at=at)
        told.append(f"{currency.priced(units)} of account {each.number}")
    return replace(brought, accounts=(*brought.accounts, *(each.number for each in accounts)))


def _enter(tx: Transaction, person: Person, brought: Brought, terms: Terms, told: list[str]) -> Brought:
    """Enter some months of the budget. They have no dates; they go on from the first one, or end with the last month."""
    first = brought.first_month or month_after(terms.last_month, 1 - len(person.months))
    past = min(brought.months + MONTHS_AT_ONCE, len(person.months))
    for place in range(brought.months, past):
        _enter_month(tx, person.username, month_after(first, place), person.months[place], terms.currency)
    told.append(f"budget of {month_after(first, brought.months)} to {month_after(first, past - 1)}")
    return replace(brought, first_month=first, months=past)


def _enter_month(tx: Transaction, owner: str, name: str, month: Month, currency: Currency) -> None:
    day = date.fromisoformat(f"{name}-01")
    book = tx.get(Book, owner) or Book(currency.code, currency.digits)
    for bucket in ("", *BUCKETS):
        units = _units(getattr(month, bucket or "income"), book.money)
        if units:
            enter(tx, owner, book, Draft(day, "expense" if bucket else "income", ITEM, bucket, "", ORIGIN, units))
            book = tx.fetch(Book, owner)


def _units(amount: Decimal, currency: Currency) -> int:
    """Those programs counted with floats: what is beyond the currency's decimals is rounded, half to even."""
    return int(amount.scaleb(currency.digits).quantize(Decimal(1), ROUND_HALF_EVEN))


def month_after(name: str, months: int) -> str:
    """
    @param name: such as C{2026-11}.
    @param months: may be negative.

    @raise BadArgument: no calendar has that month.
    """
    years, month = divmod(int(name[:4]) * 12 + int(name[5:]) - 1 + months, 12)
    if not MINYEAR <= years <= MAXYEAR:
        raise BadArgument(f"there is no month {months} months from {name}")
    return f"{years:04d}-{month + 1:02d}"
