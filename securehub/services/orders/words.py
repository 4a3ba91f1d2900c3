"""
Types of arguments that the commands about orders have.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from securehub import arguments
from securehub.arguments import argument
from securehub.casefolding import fold
from securehub.refusals import BadArgument, shown
from securehub.services.orders.states import STEPS

MOST_LINES = 40
"""A transaction has at most 256 records; each line takes two, and watchers of the payment may want some."""

MOST_TAGS = 10

MOST_STOCK = 1_000_000_000

_SKU = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,63}")
_QUANTITY = re.compile(r"[0-9]{1,15}")
_CHANGE = re.compile(r"-?[0-9]{1,15}")


class Wanted(NamedTuple):
    """So many of an item."""

    sku: str
    quantity: int


def sku(word: str) -> str:
    """the short name of an item: 1 to 64 of A-Z a-z 0-9 . _ : + -, starting with a letter or digit"""
    if not _SKU.fullmatch(word):
        raise BadArgument(
            f"{shown(word)} is not the short name of an item (1 to 64 of A-Z a-z 0-9 . _ : + -, starting with a letter or digit)"
        )
    return word


@argument(accepts=(list,), words=True)
def items(given: Any) -> tuple[Wanted, ...]:
    """items and how many of each: objects with sku and quantity, or in text pairs of words such as coffee 2 bagel 1"""
    found = _from_words(given.split()) if isinstance(given, str) else list(map(_from_json, given))
    wanted: dict[str, int] = {}
    for each in found:
        wanted[each.sku] = wanted.get(each.sku, 0) + each.quantity
    if not wanted:
        raise BadArgument("there is no item")
    if len(wanted) > MOST_LINES:
        raise BadArgument(f"there are {len(wanted)} items; one order has at most {MOST_LINES}")
    return tuple(Wanted(name, quantity) for name, quantity in wanted.items())


def _from_words(words: list[str]) -> list[Wanted]:
    if len(words) % 2:
        raise BadArgument(f"{shown(words[-1])} stands alone; give items and how many of each in turn, such as coffee 2")
    return [
        Wanted(sku(name), _quantity(count, "; it stands behind its item, such as coffee 2"))
        for name, count in zip(words[::2], words[1::2], strict=True)
    ]


def _from_json(item: Any) -> Wanted:
    if not isinstance(item, dict) or item.keys() != {"sku", "quantity"}:
        raise BadArgument("each item is an object of sku and quantity")
    if not isinstance(item["sku"], str) or item["quantity"].__class__ is not int:
        raise BadArgument("sku is a string, and quantity a whole number")
    return Wanted(sku(item["sku"]), _quantity(str(item["quantity"])))


def _quantity(word: str, hint: str = "") -> int:
    if not _QUANTITY.fullmatch(word) or not int(word):
        raise BadArgument(f"{shown(word)} is not how many: a whole number from 1 on, of up to 15 digits{hint}")
    return int(word)


def stock(word: str) -> int:
    """how many there are, up to 1000000000"""
    return arguments.between(word, 0, MOST_STOCK)


def more(word: str) -> int:
    """how many more there are, or with a minus how many fewer, up to 1000000000"""
    if not _CHANGE.fullmatch(word) or abs(int(word)) > MOST_STOCK:
        raise BadArgument(f"{shown(word)} is not a whole number from {-MOST_STOCK} to {MOST_STOCK}")
    return int(word)


def status(word: str) -> str:
    """placed, accepted, preparing, delivering, delivered or cancelled"""
    return arguments.one_of(word, STEPS)


@argument(limit="name_characters")
def unit(word: str) -> str:
    """the unit it is sold by, such as kg; empty for a piece"""
    return str(arguments.name(word)) if word.strip() else ""


@argument(accepts=(str, list))
def tags(given: Any) -> tuple[str, ...]:
    """words to find it by: an array, or in text separated by commas; empty for none"""
    words = given.split(",") if isinstance(given, str) else given
    if not all(isinstance(each, str) for each in words):
        raise BadArgument("each tag is a string")
    found = sorted({sku(each.strip().lower()) for each in words if each.strip()})
    if len(found) > MOST_TAGS:
        raise BadArgument(f"there are {len(found)} tags; {MOST_TAGS} are allowed")
    return tuple(found)


@argument(limit="memo_characters", multiline=True)
def note(word: str) -> str:
    """a text that customer and seller see"""
    return word


@argument(limit="name_characters")
def searched(word: str) -> str:
    """a part of the name, or a tag; capitals and accents make no difference"""
    return fold(word.strip())
