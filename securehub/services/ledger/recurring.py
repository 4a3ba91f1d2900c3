"""
The days on which something is done again and again.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta

from securehub.arguments import one_of

EVERY = ("once", "daily", "weekly", "monthly")


def every(word: str) -> str:
    """once, daily, weekly or monthly"""
    return one_of(word, EVERY)


def occurrence(start: date, every: str, number: int) -> date | None:
    """
    The day of an occurrence.

    It is counted from the first one and not from the one before: so what began on a 31st comes on the last day of a shorter month, and on
    the 31st again in the next longer one.

    @param number: 0 for the first one.

    @return: None if there is no such occurrence.
    """
    if every == "once":
        return None if number else start
    try:
        if every == "monthly":
            return _months_later(start, number)
        return start + timedelta(days=number if every == "daily" else 7 * number)
    except (OverflowError, ValueError):
        # Beyond the year 9999.
        return None


def _months_later(start: date, months: int) -> date:
    years, month = divmod(start.month - 1 + months, 12)
    year = start.year + years
    return date(year, month + 1, min(start.day, monthrange(year, month + 1)[1]))
