"""
Amounts and days, as banks all over the world write them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
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


def units(text: str, money: Currency, *, parted: bool = True) -> int:
    """
    An amount in units, with its sign: C{-1.234,56}, C{1,234.56-}, C{(12.50)}, C{$ 12.50}, C{12.50 DR}.

    @param parted: whether thousands may be parted, so that 1.234 is over a thousand.

    @raise BadArgument: it is no amount, or has more decimals than the currency.
    """
    found = _AMOUNT.fullmatch(text.replace("\u2212", "-"))
    bare = "".join(found[2].split()) if found else ""
    if found is None or not _NUMBER.fullmatch(bare):
        raise BadArgument(f"{shown(text)} is not an amount")
    negative = "-" in found[1] + found[3] or "(" in found[1] or not OUT.isdisjoint(found[3].lower().split())
    whole, fraction = _parted(bare, money.digits if parted else MAX_DIGITS)
    if fraction[money.digits :].strip("0"):
        raise BadArgument(f"{shown(text)} has more decimals than {money.code}, which has {money.digits}")
    if len(whole) > MAX_WHOLE_DIGITS:
        raise BadArgument(f"{shown(text)} has more than {MAX_WHOLE_DIGITS} digits before the point")
    size = int(whole + fraction[: money.digits].ljust(money.digits, "0"))
    return -size if negative else size


def _parted(bare: str, digits: int) -> tuple[str, str]:
    """The digits before and after the decimal point, be it a point or a comma."""
    last = max(bare.rfind("."), bare.rfind(","))
    mark = bare[last] if last >= 0 else ""
    alone = set(bare) <= set(f"0123456789{mark}")
    # The same mark twice parts thousands; so does one before three digits, where no amount has three decimals: 1.234 is over a thousand.
    # No thousands begin with a zero: 0.500 is a half.
    if not mark or bare.count(mark) > 1 or (alone and len(bare) - last == 4 and digits < 3 and bare[0] != "0"):
        return _digits(bare), ""
    return _digits(bare[:last]), bare[last + 1 :]


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
