"""
One row of a statement, and how it is known again.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from datetime import date
from hashlib import sha256
from typing import NamedTuple

MAX_TEXT = 200
"""Characters of a payee or a text; what is longer is cut off."""


class Row(NamedTuple):
    """
    Money that came or went elsewhere.

    @ivar units: of the currency; negative for what went.
    @ivar payee: who got it, or from whom it came; may be empty.
    @ivar text: what the bank says about it; may be empty.
    @ivar id: the bank's own, which it never gives twice in an account; empty if there is none.
    @ivar which: its place among the rows of one day that say the same, from 1; 0 if that is not yet known.
    @ivar account: of which account; may be empty.
    """

    day: date
    units: int
    payee: str
    text: str
    id: str = ""
    which: int = 0
    account: str = ""

    def identity(self) -> str:
        """
        The same for one row whenever a statement has it: by the bank's id, or else by all that it says and which one of those it is.
        """
        assert self.id or self.which, self
        said: list[object] = [self.account, self.id]
        if not self.id:
            said += [self.day.isoformat(), self.units, self.payee, self.text, self.which]
        return sha256(json.dumps(said).encode()).hexdigest()[:32]


def counted(rows: Iterable[Row]) -> list[Row]:
    """
    The rows, each without an id knowing which one it is among those that say the same.

    An id that stands for several days or amounts tells nothing, whatever a bank calls it: such rows are known by what they say.
    """
    rows = list(rows)
    meant: dict[tuple[str, str], set[tuple[date, int]]] = {}
    for row in rows:
        meant.setdefault((row.account, row.id), set()).add((row.day, row.units))
    seen: Counter[Row] = Counter()
    found = []
    for row in rows:
        if len(meant[row.account, row.id]) > 1:
            row = row._replace(id="")
        if not row.id and not row.which:
            seen[row] += 1
            row = row._replace(which=seen[row])
        found.append(row)
    return found


def cleaned(text: str) -> str:
    """A text of a stranger's program on one line, not endless."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())[:MAX_TEXT]
