"""
Types of arguments that the ledger's commands have.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from securehub.arguments import argument
from securehub.refusals import BadArgument, shown
from securehub.services.ledger.booking import When

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# RFC 3339, section 5.6.
_INSTANT = re.compile(_DAY.pattern + r"[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?([Zz]|[+-][0-9]{2}:[0-9]{2})")
_DURATION = re.compile(r"([0-9]{1,9})([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 60 * 60, "d": 24 * 60 * 60}


def moment(word: str) -> datetime | date:
    """a time such as 2026-11-19T18:02:00Z, or the beginning of a day such as 2026-11-19"""
    try:
        if _DAY.fullmatch(word):
            return date.fromisoformat(word)
        if _INSTANT.fullmatch(word):
            return datetime.fromisoformat(word.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise BadArgument(f"{shown(word)} is not a time such as 2026-11-19T18:02:00Z, or a day such as 2026-11-19")


def day(word: str) -> date:
    """a day such as 2026-11-19"""
    try:
        if _DAY.fullmatch(word):
            return date.fromisoformat(word)
    except ValueError:
        pass
    raise BadArgument(f"{shown(word)} is not a day such as 2026-11-19")


@argument(accepts=(str, int))
def expiry(word: str) -> When:
    """a time such as 2026-11-19T18:02:00Z, the beginning of a day, or how long from now: seconds, or such as 90s, 15m, 2h, 7d"""
    found = _DURATION.fullmatch(word)
    return timedelta(seconds=int(found[1]) * _SECONDS[found[2]]) if found else moment(word)
