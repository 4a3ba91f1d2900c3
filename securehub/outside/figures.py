"""
Amounts and days, as banks all over the world write them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date

from securehub.money import MAX_DIGITS, MAX_WHOLE_DIGITS, Currency
from securehub.refusals import BadArgument, shown

ORDERS = ("dmy", "mdy")

OUT = frozenset(("d", "dr", "db", "debit", "s", "soll", "cargo", "af"))
"""Behind an amount, or in a column beside amounts without a sign: that they went."""

# Before and after the digits: a sign or parentheses, and a currency's sign or code. Some put blanks between thousands.
_AMOUNT = re.compile(r"([-+(A-Za-z$€£¥₹\s]*)([0-9](?:[0-9.,'\s]*[0-9])?)([-+)A-Za-z$€£¥₹\s]*)")
_NUMBER = re.compile(r"[0-9]+(?:[.,'][0-9]+)*")
_YEAR_FIRST = re.compile(r"([0-9]{4})([-/.]?)([0-9]{2})\2([0-9]{2})(?:[T ].*)?")
_YEAR_LAST = re.compile(r"([0-9]{1,2})([-/.])([0-9]{1,2})\2([0-9]{4}|[0-9]{2})(?: .*)?")
_NAMED = re.compile(r"([0-9]{1,2})[ -]([A-Za-z]{3})[a-z]*\.?,?[ -]([0-9]{4})")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def units(text: str, money: Currency, *, parted: bool = True, mark: str = "") -> int:
    """
    An amount in units, with its sign: C{-1.234,56}, C{1,234.56-}, C{(12.50)}, C{$ 12.50}, C{12.50 DR}.

    @param parted: whether thousands may be parted, so that 1.234 is over a thousand.
    @param mark: what stands before decimals; empty if that is not known.

    @raise BadArgument: it is no amount, or has more decimals than the currency.
    """
    found, bare = _taken_apart(text)
    if found is None:
        raise BadArgument(f"{shown(text)} is not an amount")
    negative = "-" in found[1] + found[3] or "(" in found[1] or not OUT.isdisjoint(found[3].lower().split())
    whole, fraction = _parted(bare, money.digits if parted else MAX_DIGITS, mark)
    if fraction[money.digits :].strip("0"):
        raise BadArgument(f"{shown(text)} has more decimals than {money.code}, which has {money.digits}")
    if len(whole) > MAX_WHOLE_DIGITS:
        raise BadArgument(f"{shown(text)} has more than {MAX_WHOLE_DIGITS} digits before the point")
    size = int(whole + fraction[: money.digits].ljust(money.digits, "0"))
    return -size if negative else size


def decimal_mark(texts: Iterable[str]) -> str:
    """
    What stands before decimals in all amounts of one program, as far as one of them tells; empty if none does, or they disagree.
    """
    told = set()
    for text in texts:
        _, bare = _taken_apart(text)
        last = _last_mark(bare)
        if last >= 0 and bare.count(bare[last]) == 1 and not _may_part(bare, last):
            told.add(bare[last])
    return told.pop() if len(told) == 1 else ""


def _taken_apart(text: str) -> tuple[re.Match[str] | None, str]:
    """What stands around an amount, and itself, without blanks; nothing if it is none."""
    found = _AMOUNT.fullmatch(text.replace("\u2212", "-"))
    bare = "".join(found[2].split()) if found else ""
    return (found, bare) if _NUMBER.fullmatch(bare) else (None, "")


def _parted(bare: str, digits: int, known: str) -> tuple[str, str]:
    """The digits before and after the decimal point, be it a point or a comma."""
    last = _last_mark(bare)
    mark = bare[last] if last >= 0 else ""
    # Where no amount has three decimals, one mark before three digits parts thousands: 1.234 is over a thousand.
    thousands = mark != known if known else digits < 3
    # The same mark twice parts them in any case.
    if not mark or bare.count(mark) > 1 or (thousands and _may_part(bare, last)):
        return _digits(bare), ""
    return _digits(bare[:last]), bare[last + 1 :]


def _last_mark(bare: str) -> int:
    return max(bare.rfind("."), bare.rfind(","))


def _may_part(bare: str, last: int) -> bool:
    """Whether the one mark of an amount may part thousands: before it stand one to three digits, not 0 as in 0.500; behind it three."""
    return set(bare) <= set(f"0123456789{bare[last]}") and len(bare) - last == 4 and last <= 3 and bare[0] != "0"


def _digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))


def days(texts: Sequence[str], order: str | None = None) -> list[date]:
    """
    Days that one program wrote.

    @param order: C{dmy} or C{mdy} for those that begin with neither a year nor a name; None to find out.

    @raise BadArgument: one of them is no day; or all may be days either way, and not the same ones.
    """
    if order:
        return [day(text, order) for text in texts]
    read = []
    refused = None
    for each in ORDERS:
        try:
            read.append([day(text, each) for text in texts])
        except BadArgument as refusal:
            refused = refused or refusal
    if not read:
        assert refused is not None
        raise refused
    if len(read) == 2 and read[0] != read[1]:
        raise BadArgument("its dates may have the day first or the month first; say order=dmy or order=mdy")
    return read[0]


def day(text: str, order: str = "dmy") -> date:
    """
    @raise BadArgument: it is not a day.
    """
    text = text.strip()
    try:
        if found := _YEAR_FIRST.fullmatch(text):
            return date(int(found[1]), int(found[3]), int(found[4]))
        if found := _NAMED.fullmatch(text):
            return date(int(found[3]), _MONTHS.index(found[2].lower()) + 1, int(found[1]))
        if found := _YEAR_LAST.fullmatch(text):
            first, second = int(found[1]), int(found[3])
            year = int(found[4]) + (2000 if len(found[4]) == 2 else 0)
            # With points it is the day that comes first, everywhere.
            return date(year, second, first) if order == "dmy" or found[2] == "." else date(year, first, second)
    except ValueError:
        pass
    raise BadArgument(f"{shown(text)} is not a day")
