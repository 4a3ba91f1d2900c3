"""
Tables for other programs: CSV, as RFC 4180 has it, in which no spreadsheet finds a formula.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, tzinfo
from typing import Any

from securehub.reply import Reply


class Export(Reply, frozen=True):
    """A text for another program: a statement, or a table as CSV (RFC 4180)."""

    text: str

    def lines(self) -> Iterable[str]:
        return self.text.rstrip("\n").split("\n")


class _Line:
    """In place of a file, for one line after the other."""

    def write(self, line: str) -> str:
        return line


def as_table(rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    """
    The lines of a table, as RFC 4180 has it.

    @param rows: its cells; what others wrote has been made L{harmless}.
    """
    return map(csv.writer(_Line(), lineterminator="\n").writerow, rows)


def stamp(at: datetime, zone: tzinfo = UTC) -> str:
    """A moment by the clocks of a zone; in UTC as replies have it."""
    return at.astimezone(zone).isoformat().replace("+00:00", "Z")


_FORMULA = re.compile(r"((?:^|[;\n])[\s\";]*)([-=+@\uff1d\uff0b\uff0d\uff20])?")
"""
Where one would begin: behind blanks and line ends; and behind a semicolon, as spreadsheets of half the world part cells there, whatever
quotes stand around. To those a quote of the text's own, which is doubled, is the beginning and the end of an empty text. Some take the
wide forms for the others (OWASP, CSV Injection).

It matches where none begins, too: otherwise a text of nothing but line ends would be looked at again from each of them, which takes
milliseconds, and a table has thousands of texts.
"""


def harmless(text: str) -> str:
    """A text, as others wrote it, for a cell of a CSV: no spreadsheet takes it for a formula."""
    return _FORMULA.sub(_quoted, text)


def _quoted(found: re.Match[str]) -> str:
    before, sign = found.groups()
    return f"{before}'{sign}" if sign else str(before)
