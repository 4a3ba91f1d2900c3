"""
What the ledger keeps about a member, and what of it is forgotten when the member is erased: the names of accounts, and every memo of a
transfer from or to them, whoever wrote it. Amounts, times and the numbers of accounts are the books, and stay.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from securehub.refusals import Conflict
from securehub.service import Kept
from securehub.services.ledger.records import Account, Title, Transfer, Wallet
from securehub.store.transaction import ReadTransaction, Transaction

AT_ONCE = 50
"""Entries that one transaction blanks, with the transfer of each: so that even with the longest memos it stays far below 1 MiB."""

BEHIND = "~"
"""Stands behind all transfers in a key, when an account is done."""


def remembered(tx: ReadTransaction, username: str, after: str, limit: int) -> list[Kept]:
    """The member's accounts, each with its entries from the oldest on."""
    found: list[Kept] = []
    for number, known in _from(tx, username, after):
        account = tx.fetch(Account, number)
        if not known:
            found.append(Kept("account", number, _account(tx, number, account)))
        for key, transfer in tx.beneath(Transfer, number, start=_behind(known), limit=max(0, limit - len(found))):
            found.append(Kept("entry", f"{number}/{key}", _entry(tx, number, account, key, transfer)))
        if len(found) >= limit:
            break
    return found[:limit]


def refuse_to_forget(tx: ReadTransaction, username: str) -> None:
    """
    @raise Conflict: an account still has money, which nobody could get at any more.
    """
    for number in _numbers(tx, username):
        account = tx.fetch(Account, number)
        if account.balance:
            raise Conflict(f"account {number} has {account.money.priced(account.balance)}; it must be empty first")


def forget(tx: Transaction, username: str, after: str) -> str | None:
    """
    Blank names and memos, and at last take from the name that it has accounts, so that nobody pays into them.

    @param after: the entry up to which it is done.
    """
    following = next(_from(tx, username, after), None)
    if following is None:
        tx.delete(Wallet, username)
        return None
    number, known = following
    tx.fetch(Account, number)
    if not known:
        tx.put(number, replace(tx.fetch(Title, number), name=""))
    transfers = list(tx.beneath(Transfer, number, start=_behind(known), limit=AT_ONCE))
    for key, transfer in transfers:
        if transfer.memo:
            tx.put(key, replace(transfer, memo=""))
    return f"{number}/{transfers[-1][0] if len(transfers) == AT_ONCE else BEHIND}"


def _numbers(tx: ReadTransaction, username: str) -> list[str]:
    return [number for number, _ in (tx.get(Wallet, username) or Wallet(())).accounts]


def _from(tx: ReadTransaction, username: str, after: str) -> Iterator[tuple[str, str]]:
    """
    The accounts that are not done, in their order, each with the place up to which it is.

    @param after: such a place: an account, or one of its transfers behind it.
    """
    numbers = _numbers(tx, username)
    current = after.partition("/")[0]
    if current in numbers:
        numbers = numbers[numbers.index(current) :]
        if after.endswith(BEHIND):
            del numbers[0]
    for number in numbers:
        yield number, after if number == current else ""


def _behind(place: str) -> str:
    """The key from which on transfers come behind a place."""
    return f"{place.partition('/')[2]} "


def _account(tx: ReadTransaction, number: str, account: Account) -> dict[str, Any]:
    title = tx.fetch(Title, number)
    money = account.money
    return {
        "account": number,
        "name": title.name,
        "currency": account.currency,
        "balance": money.text(account.balance),
        "held": money.text(account.held),
        "opened": title.opened,
    }


def _entry(tx: ReadTransaction, number: str, account: Account, key: str, transfer: Transfer) -> dict[str, Any]:
    payer, payee = transfer.entries
    entry, other_entry = (payer, payee) if payer.account == number else (payee, payer)
    other = tx.fetch(Account, other_entry.account)
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
