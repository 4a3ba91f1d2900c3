"""
Replies: what commands return, and how they read as text.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache, lru_cache
from itertools import islice
from typing import ClassVar, Generic, Self, TypeVar

import msgspec

T = TypeVar("T", bound=msgspec.Struct)
N = TypeVar("N", str, int)


class Reply(msgspec.Struct, frozen=True, gc=False):
    """
    The base of all replies; the fields are the result in the JSON form.
    """

    def status(self) -> str:
        """What follows C{OK}; may be empty."""
        return ""

    def lines(self) -> Iterable[str]:
        """The data lines, without their indentation; not asked for where a command writes."""
        return [f"{head}  {shown(value)}" for head, value in zip(_heads(self.__class__), msgspec.structs.astuple(self), strict=True)]


class MoneyReply(Reply, frozen=True, kw_only=True, omit_defaults=True):
    """
    The base of replies to commands that move money.

    @ivar warnings: what the payer should know, such as a budget that is overspent.
    @ivar try_: whether it was only tried, and nothing was done.
    """

    warnings: tuple[str, ...] = ()
    try_: bool = msgspec.field(default=False, name="try")

    def told(self) -> str:
        """What follows C{OK}, where there is nothing to warn of."""
        raise NotImplementedError

    def status(self) -> str:
        if not self.warnings and not self.try_:
            return self.told()
        return warned(f"Not done, only tried: {self.told()}" if self.try_ else self.told(), self.warnings)


def warned(told: str, warnings: Iterable[str]) -> str:
    """What is told, followed by the warnings."""
    return " ".join([told, *(f"Warning: {warning}." for warning in warnings)])


class Row(msgspec.Struct, frozen=True, gc=False):
    """One item of a list."""


class Listing(Reply, Generic[T], frozen=True, omit_defaults=True):
    """
    A list of rows, shown as a table.

    @ivar more: whether there are more than were asked for, or fit.
    """

    items: list[T]
    more: bool = False

    @classmethod
    def up_to(cls, limit: int, rows: Iterable[T]) -> Self:
        """The first of some rows, up to a limit; one more row is made, to see whether there are more."""
        found = list(islice(rows, limit + 1))
        return cls(found[:limit], more=len(found) > limit)

    def lines(self) -> Iterable[str]:
        if not self.items:
            return []
        names = _names(self.items[0].__class__)
        rows = [[shown(value) for value in msgspec.structs.astuple(item)] for item in self.items]
        return table([names, *rows], {place for place, name in enumerate(names) if name in RIGHT_ALIGNED})

    def status(self) -> str:
        return "there is more; ask with before= the last one shown" if self.more else ""


class Roster(Listing[T], frozen=True):
    """A list that goes forward: by name, or the oldest first."""

    def status(self) -> str:
        return "there is more; ask with after= the last one shown" if self.more else ""


class Sought(Listing[T], Generic[T, N], frozen=True, omit_defaults=True):
    """
    What was found by looking through a lot. Only so much is looked at at a time, so the list itself says where to go on.

    @cvar goes_on: the parameter that is given C{next}.
    @ivar next: where to go on, if there is more: give it as C{after}, or as C{before} where the newest come first. There may be no items,
        and more all the same.
    """

    goes_on: ClassVar[str] = "after"

    next: N | None = None

    @classmethod
    def among(cls, most: int, limit: int, found: Iterable[tuple[N, T | None]]) -> Self:
        """
        Up to so many rows of what is found, as far as it is looked at.

        @param most: how much is looked at.
        @param found: each with what one gives to go on behind it, and its row, or None if it is not to be listed.
        """
        rows: list[T] = []
        last: N | None = None
        for count, (place, row) in enumerate(found):
            if count == most or (row is not None and len(rows) == limit):
                return cls(rows, more=True, next=last)
            last = place
            if row is not None:
                rows.append(row)
        return cls(rows)

    def status(self) -> str:
        return f"there is more; ask with {self.goes_on}={self.next}" if self.more else ""


class Top(Listing[T], frozen=True):
    """The beginning of a list that is made anew for each answer, and so cannot be continued."""

    def status(self) -> str:
        return "there is more; ask with a larger limit=" if self.more else ""


@cache
def _names(cls: type[msgspec.Struct]) -> list[str]:
    """The names of a struct's fields, as they are on the wire."""
    return [field.encode_name for field in msgspec.structs.fields(cls)]


@cache
def _heads(cls: type[msgspec.Struct]) -> list[str]:
    """The same, all as wide as the widest."""
    width = max(map(len, _names(cls)))
    return [name.ljust(width) for name in _names(cls)]


RIGHT_ALIGNED = frozenset({"amount", "balance", "captured", "held", "paid", "price", "refunded", "spent", "sum", "total"})


def shown(value: object) -> str:
    """A field as people read it."""
    if isinstance(value, str):
        return value.replace("\n", " / ") or "-"
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return when(value)
    if isinstance(value, dict):
        return ", ".join(f"{name} {_part(each)}" for name, each in value.items()) or "-"
    if isinstance(value, msgspec.Struct) and _has_parts(value):
        return shown(dict(zip(value.__struct_encode_fields__, msgspec.structs.astuple(value), strict=True)))
    if isinstance(value, (list, tuple, frozenset)):
        return ", ".join(map(_part, value)) or "-"
    return str(value)


def _part(value: object) -> str:
    """One of several things as people read it; if it has fields of its own, one sees where they end."""
    return f"({shown(value)})" if _has_parts(value) else shown(value)


def _has_parts(value: object) -> bool:
    """Whether it has fields of its own, and does not define how people read it."""
    return isinstance(value, dict) or (isinstance(value, msgspec.Struct) and type(value).__str__ is msgspec.Struct.__str__)


def when(instant: datetime) -> str:
    """A time as people read it: C{2026-11-19 18:02 UTC}."""
    return f"{instant.isoformat(' ')[:16]} UTC"


def table(rows: Sequence[Sequence[str]], right: Iterable[int] = ()) -> list[str]:
    """
    Rows with their columns aligned, as a terminal shows them.

    @param right: the columns that are aligned to the right.
    """
    if not rows:
        return []
    aligned = set(right)
    *cells, last = zip(*rows, strict=True)
    padded = [_padded(column, place in aligned) for place, column in enumerate(cells)]
    # Nothing follows the last column, which is mostly what others wrote.
    padded.append(_padded(last, True) if len(cells) in aligned else last)
    return ["  ".join(row).rstrip() for row in zip(*padded, strict=True)]


def _padded(column: Sequence[str], right: bool) -> Sequence[str]:
    """Cells that all take as much of a line."""
    if "".join(column).isascii():
        width = max(map(len, column))
        return [cell.rjust(width) if right else cell.ljust(width) for cell in column]
    taken = list(map(columns, column))
    width = max(taken)
    blanks = [" " * (width - each) for each in taken]
    return [blank + cell if right else cell + blank for cell, blank in zip(column, blanks, strict=True)]


def columns(text: str) -> int:
    """How many columns of a terminal a text takes: Chinese characters and most emoji take two each, marks above or below a letter none."""
    return len(text) if text.isascii() else sum(map(_columns_of, text))


# Vowels and ends of Korean syllables whose letters are characters of their own, as some systems write them: they share the columns of the
# first one.
_JOINED = frozenset(map(chr, (*range(0x1160, 0x1200), *range(0xD7B0, 0xD800))))


@lru_cache(4096)
def _columns_of(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf") or character in _JOINED:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
