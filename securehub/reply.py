"""
Replies: what commands return, and how they read as text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class Reply(msgspec.Struct, frozen=True, gc=False):
    """
    The base of all replies; the fields are the result in the JSON form.
    """

    def status(self) -> str:
        """What follows C{OK}; may be empty."""
        return ""

    def lines(self) -> Iterable[str]:
        """The data lines, without their indentation; not asked for where a command writes."""
        return table([(field.encode_name, shown(getattr(self, field.name))) for field in msgspec.structs.fields(self)])


class Row(msgspec.Struct, frozen=True, gc=False):
    """One item of a list."""


class Listing(Reply, Generic[T], frozen=True, omit_defaults=True):
    """
    A list of rows, shown as a table.

    @ivar more: whether there are more than were asked for, or fit.
    """

    items: list[T]
    more: bool = False

    def lines(self) -> Iterable[str]:
        if not self.items:
            return []
        names = msgspec.structs.fields(self.items[0])  # type: ignore[arg-type]
        heads = [name.encode_name for name in names]
        rows = [[shown(getattr(item, name.name)) for name in names] for item in self.items]
        right = {place for place, name in enumerate(names) if name.name in RIGHT_ALIGNED}
        return table([heads, *rows], right)

    def status(self) -> str:
        return "there is more; ask with before= the last one shown" if self.more else ""


RIGHT_ALIGNED = frozenset({"amount", "balance", "sum", "held"})


def shown(value: object) -> str:
    """A field as people read it."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return when(value)
    if isinstance(value, (list, tuple, frozenset)):
        return ", ".join(map(str, value)) or "-"
    return str(value)


def when(instant: datetime) -> str:
    """A time as people read it: C{2026-11-19 18:02 UTC}."""
    return f"{instant:%Y-%m-%d %H:%M} UTC"


def table(rows: Sequence[Sequence[str]], right: Iterable[int] = ()) -> list[str]:
    """
    Rows with their columns aligned.

    @param right: the columns that are aligned to the right.
    """
    aligned = set(right)
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if place in aligned else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
