"""
What the ledger keeps about a member, and what of it is forgotten when the member is erased: the names of accounts, and every memo of what
came from or went to them, whoever wrote it. Amounts, times and the numbers of accounts are the books, and stay. What is open ends: the
member's schedules and those that pay to them, requests, and holds that others made for them. Nobody watches the accounts any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from securehub.refusals import Conflict
from securehub.remembering import Kept
from securehub.reply import Row
from securehub.services.ledger import holds, pending, requests, schedules
from securehub.services.ledger.accounts import forget_wallet, wallet_of
from securehub.services.ledger.holds import Hold
from securehub.services.ledger.limits import AccountLimit
from securehub.services.ledger.records import Account, Title, Transfer
from securehub.services.ledger.requests import Request
from securehub.services.ledger.schedules import Schedule
from securehub.store.records import behind
from securehub.store.transaction import ReadTransaction, Transaction

AT_ONCE = 40
"""
What one transaction blanks, places where there is nothing counted in. An open hold takes five records: so it touches at most 200, and
even with the longest memos it stays far below 1 MiB.
"""

BEHIND = "~"
"""Stands behind all numbers in a key, when a place is done."""


class _Place(NamedTuple):
    """
    Records of one kind that have one parent.

    @ivar number: of the account; empty for what belongs to the member as a whole.
    @ivar known: the key up to which it is done; None if it has not begun.
    """

    kind: type[Transfer] | type[Hold] | type[Request] | type[Schedule]
    parent: str
    number: str = ""
    known: str | None = None

    @property
    def name(self) -> str:
        return f"{self.kind.collection}.{self.parent.replace(' ', '.')}"

    def up_to(self, key: str) -> str:
        """What says that everything up to this key is done."""
        return f"{self.name}/{key}"

    def records(self, tx: ReadTransaction, limit: int) -> list[tuple[str, Any]]:
        """Those that are not done."""
        return list(tx.beneath(self.kind, self.parent, start=behind(self.known or ""), limit=limit))


def remembered(tx: ReadTransaction, username: str, after: str, limit: int) -> list[Kept]:
    """The member's schedules and requests, then the accounts, each with its entries from the oldest on, and holds."""
    found: list[Kept] = []
    for place in _from(_places(tx, username), after):
        if place.kind is Transfer and place.known is None:
            found.append(Kept("account", place.up_to(""), _account(tx, place.number)))
        for key, record in place.records(tx, max(0, limit - len(found))):
            found.append(Kept(*_shown(tx, place, key, record)))
        if len(found) >= limit:
            break
    return found[:limit]


def refuse_to_forget(tx: ReadTransaction, username: str) -> None:
    """
    @raise Conflict: an account still has money, which nobody could get at any more, or holds some for somebody.
    """
    for number in _numbers(tx, username):
        account = tx.fetch(Account, number)
        if account.balance:
            raise Conflict(f"account {number} has {account.money.priced(account.balance)}; it must be empty first")
        if account.held:
            raise Conflict(f"account {number} holds {account.money.priced(account.held)} for somebody; that must end first")


def forget(tx: Transaction, username: str, after: str) -> str | None:
    """
    Blank names and memos, end what is open, and at last forget which accounts they had; nobody pays into them any more,
    see L{securehub.services.ledger.accounts.unname}.

    @param after: the place and key up to which it is done.
    """
    left = AT_ONCE
    for place in _from([*_places(tx, username), *_places_of_payers(tx, username)], after):
        # There is no such record to hold on to, and no need of one: whoever is erased adds nothing any more.
        tx.get(place.kind, place.parent)
        if place.kind is Transfer and place.known is None:
            tx.put(place.number, replace(tx.fetch(Title, place.number), name=""))
            tx.put(place.number, replace(tx.fetch(Account, place.number), watched=False))
        found = place.records(tx, left)
        for key, record in found:
            _blank(tx, username, key, record)
        if len(found) == left:
            return place.up_to(found[-1][0])
        left -= len(found) + 1
        if left <= 0:
            return place.up_to(BEHIND)
    forget_wallet(tx, username)
    return None


def _blank(tx: Transaction, username: str, key: str, record: Transfer | Hold | Request | Schedule) -> None:
    if isinstance(record, Hold):
        # Whoever is erased has nothing, so it is the payee of what is open.
        record = holds.give_up(tx, int(key), record) if record.state == "open" else record
    elif isinstance(record, Request):
        record = requests.give_up(tx, key, record, username)
    elif isinstance(record, Schedule):
        record = schedules.give_up(tx, key, record) if record.payer == username else schedules.lose_payee(tx, key, record)
    if record.memo:
        tx.put(key, replace(record, memo=""))


def _numbers(tx: ReadTransaction, username: str) -> list[str]:
    return [number for number, _ in wallet_of(tx, username).accounts]


def _from(places: Iterable[_Place], after: str) -> Iterator[_Place]:
    """
    The places that are not done, in their order.

    @param after: what L{_Place.up_to} said; empty to begin. A place that is not there any more begins everything again.
    """
    places = list(places)
    name, _, key = after.partition("/")
    names = [place.name for place in places]
    if name in names:
        places = places[names.index(name) :]
        places[0] = places[0]._replace(known=key)
    yield from places


def _places(tx: ReadTransaction, username: str) -> Iterator[_Place]:
    for kind in (Schedule, Request):
        for is_open in (True, False):
            yield _Place(kind, pending.place(username, is_open))
    for number in _numbers(tx, username):
        yield _Place(Transfer, number, number)
        for is_open in (True, False):
            yield _Place(Hold, pending.place(number, is_open), number)


def _places_of_payers(tx: ReadTransaction, username: str) -> Iterator[_Place]:
    """Where there is what others keep to themselves as long as the member is there."""
    for to in (username, *_numbers(tx, username)):
        yield _Place(Schedule, schedules.payee_place(to))


def _shown(tx: ReadTransaction, place: _Place, key: str, record: Any) -> tuple[str, str, dict[str, Any]]:
    """The kind, key and values of a record, as its owner sees them."""
    if place.kind is Transfer:
        return "entry", place.up_to(key), _entry(tx, place.number, key, record)
    show: dict[type, Callable[[int, Any], Row]] = {Hold: holds.row, Request: requests.row, Schedule: schedules.row}
    row = show[place.kind](int(key), record)
    return place.kind.collection, place.up_to(key), dict(zip(row.__struct_encode_fields__, msgspec.structs.astuple(row), strict=True))


def _account(tx: ReadTransaction, number: str) -> dict[str, Any]:
    title, account = tx.fetch(Title, number), tx.fetch(Account, number)
    money = account.money
    values = {
        "account": number,
        "name": title.name,
        "currency": account.currency,
        "balance": money.text(account.balance),
        "held": money.text(account.held),
        "opened": title.opened,
    }
    allowance = tx.fetch(AccountLimit, number).allowance if account.limited else None
    limits = {"credit": -(account.floor or 0) or None, "ceiling": account.ceiling} | (allowance._asdict() if allowance else {})
    return values | {name: money.text(units) for name, units in limits.items() if units is not None}


def _entry(tx: ReadTransaction, number: str, key: str, transfer: Transfer) -> dict[str, Any]:
    entry, other_entry = transfer.sides(number)
    account, other = tx.fetch(Account, number), tx.fetch(Account, other_entry.account)
    money = account.money
    return {
        "account": number,
        "transfer": int(key),
        "at": transfer.at,
        "kind": transfer.kind,
        "amount": money.text(entry.units),
        "currency": account.currency,
        "balance": money.text(entry.balance),
        "with": other.owner,
        "by": transfer.by,
        "memo": transfer.memo,
    }
