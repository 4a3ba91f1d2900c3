"""
Types of arguments that the ledger's commands have.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

from securehub.arguments import argument, said_day, said_instant
from securehub.refusals import BadArgument, shown
from securehub.services.ledger.booking import When

_DURATION = re.compile(r"([0-9]{1,9})([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 60 * 60, "d": 24 * 60 * 60}


def moment(word: str) -> datetime | date:
    """a time such as 2026-11-19T18:02:00Z, or the beginning of a day such as 2026-11-19"""
    found = said_day(word) or said_instant(word)
    if found is None:
        raise BadArgument(f"{shown(word)} is not a time such as 2026-11-19T18:02:00Z, or a day such as 2026-11-19")
    return found


def day(word: str) -> date:
    """a day such as 2026-11-19"""
    found = said_day(word)
    if found is None:
        raise BadArgument(f"{shown(word)} is not a day such as 2026-11-19")
    return found


@argument(accepts=(str, int))
def expiry(word: str) -> When:
    """a time such as 2026-11-19T18:02:00Z, the beginning of a day, or how long from now: seconds, or such as 90s, 15m, 2h, 7d"""
    for meant in (duration(word), said_day(word), said_instant(word)):
        if meant is not None:
            return meant
    raise BadArgument(f"{shown(word)} is neither a time such as 2026-11-19T18:02:00Z nor a day nor how long from now, such as 90s, 15m, 7d")


def duration(word: str) -> timedelta | None:
    """How long it is that a word says; None if it says something else."""
    found = _DURATION.fullmatch(word)
    return timedelta(seconds=int(found[1]) * _SECONDS[found[2]]) if found else None
