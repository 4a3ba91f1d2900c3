"""
Times: moments, days and how long from now, as commands are given them, and which instant is meant.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from securehub.arguments import NONE, argument
from securehub.refusals import BadArgument, shown

LONGEST = timedelta(days=3660)
"""Nothing is set for a time beyond that: ten years."""

LAST = datetime.max.replace(tzinfo=UTC)
"""There is no instant after it that could be written."""

When = datetime | date | timedelta
"""A point in time as it was written: an instant, the beginning of a day, or so long from now."""

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# RFC 3339, section 5.6.
_INSTANT = re.compile(_DAY.pattern + r"[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})")
_DURATION = re.compile(r"([0-9]{1,9})([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 60 * 60, "d": 24 * 60 * 60}


def moment(word: str) -> datetime | date:
    """a time such as 2026-11-19T18:02:00Z, or the beginning of a day such as 2026-11-19"""
    found = _day(word) or _instant(word)
    if found is None:
        raise BadArgument(f"{shown(word)} is not a time such as 2026-11-19T18:02:00Z, or a day such as 2026-11-19")
    return found


def day(word: str) -> date:
    """a day such as 2026-11-19"""
    found = _day(word)
    if found is None:
        raise BadArgument(f"{shown(word)} is not a day such as 2026-11-19")
    return found


@argument(accepts=(str, int))
def expiry(word: str) -> When:
    """a time such as 2026-11-19T18:02:00Z, the beginning of a day, or how long from now, such as 90 (seconds), 15m, 2h or 7d"""
    for said in (_duration(word), _day(word), _instant(word)):
        if said is not None:
            return said
    raise BadArgument(f"{shown(word)} is neither a time such as 2026-11-19T18:02:00Z nor a day nor how long from now, such as 90s, 15m, 7d")


@argument(accepts=(str, int))
def expiry_or_none(word: str) -> When | str:
    """a time such as 2026-11-19T18:02:00Z, the beginning of a day, how long from now, such as 90 (seconds), 15m, 2h or 7d, or none"""
    try:
        found: When | str = NONE if word.lower() == NONE else expiry(word)
    except BadArgument as refusal:
        raise BadArgument(f"{refusal}, nor none") from None
    return found


def _duration(word: str) -> timedelta | None:
    """How long it is that a word says; None if it says something else."""
    found = _DURATION.fullmatch(word)
    return timedelta(seconds=int(found[1]) * _SECONDS[found[2]]) if found else None


def _instant(word: str) -> datetime | None:
    """The instant that a word says, in UTC; None if it says none, or one that there is not."""
    try:
        return datetime.fromisoformat(word.upper()).astimezone(UTC) if _INSTANT.fullmatch(word) else None
    except (ValueError, OverflowError):
        return None


def _day(word: str) -> date | None:
    try:
        return date.fromisoformat(word) if _DAY.fullmatch(word) else None
    except ValueError:
        return None


def meant(when: When, *, at: datetime, zone: tzinfo) -> datetime:
    """
    The instant that was meant; the last one, if it is so long from now that there is none.

    @param at: now.
    @param zone: that of days.
    """
    if isinstance(when, timedelta):
        return at + when if when < LAST - at else LAST
    if isinstance(when, datetime):
        return when
    return beginning(when, zone)


def beginning(day: date, zone: tzinfo) -> datetime:
    """When a day begins, as far as that can be said: where clocks are put forward at midnight, at one o'clock."""
    try:
        return datetime.combine(day, time(), zone).astimezone(UTC)
    except OverflowError:
        # The first day, and maybe the last one, where it is another day than in UTC.
        return datetime.combine(day, time(), UTC)


def future(name: str, when: When, *, at: datetime, zone: tzinfo) -> datetime:
    """
    The instant that was meant, which has to be to come.

    @param name: of the argument.

    @raise BadArgument: it has passed, or is too far away.
    """
    found = meant(when, at=at, zone=zone)
    if not at < found <= at + LONGEST:
        raise BadArgument(f"{name}: that is not a time within the next ten years")
    return found
