"""
What the loyalty service keeps about a member. Points and what changed them are numbers, and stay when the member is erased; their codes
are good for nothing any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec.structs import asdict, replace

from securehub.remembering import Kept, page
from securehub.services.loyalty.promotions import promotions_of
from securehub.services.loyalty.records import FREE_ORDER, Card, Change, Codes, Promotion, Use
from securehub.store.records import behind
from securehub.store.transaction import ReadTransaction, Transaction


def remembered(tx: ReadTransaction, username: str, after: str, limit: int) -> list[Kept]:
    """The member's card, what changed its points, the codes that they have used, and those that they have made."""
    return page(_KEPT, tx, username, after, limit)


def refuse_to_forget(tx: ReadTransaction, username: str) -> None:
    """Nothing has to be settled first."""


def forget(tx: Transaction, username: str, after: str) -> None:
    """Let the codes of the member be over."""
    for code in (tx.get(Codes, username) or Codes()).codes:
        tx.put(code, replace(tx.fetch(Promotion, code), active=False))


def _card(tx: ReadTransaction, username: str, after: str) -> Iterator[tuple[str, dict[str, Any]]]:
    card = tx.get(Card, username)
    if card is not None and not after:
        waiting = [voucher.name for voucher in card.vouchers]
        numbers = {"order_count": card.orders, "open": card.open, "points": card.points, "spent": card.spent}
        yield "card", numbers | {"stamps": f"{card.stamps}/{FREE_ORDER}", "redeemed": waiting}


def _changes(tx: ReadTransaction, username: str, after: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, change in tx.scan(Change, f"{username}/", start=f"{username}/{behind(after)}"):
        number = key.rpartition("/")[2]
        told = {"change": int(number), "at": change.at, "kind": change.kind, "points": change.points, "balance": change.balance}
        yield number, told | {"order": change.order, "reward": change.reward}


def _uses(tx: ReadTransaction, username: str, after: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, use in tx.scan(Use, f"{username}/", start=f"{username}/{behind(after)}"):
        code = key.partition("/")[2]
        yield code, {"code": code, "count": use.count}


def _codes(tx: ReadTransaction, username: str, after: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for row in promotions_of(tx, username).items:
        if row.code > after:
            yield row.code, asdict(row)


_KEPT = {"card": _card, "change": _changes, "use": _uses, "code": _codes}
"""How to get each kind of what is kept, from a key on."""
