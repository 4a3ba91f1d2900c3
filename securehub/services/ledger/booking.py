"""
What rules that book something are told besides their arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

from securehub.refusals import BadArgument

if TYPE_CHECKING:
    from securehub.hub import Hub

LONGEST = timedelta(days=3660)
"""Nothing is set for a time beyond that: ten years."""


def booking(hub: Hub) -> Callable[[], dict[str, Any]]:
    """
    @return: the function that gives the arguments by name which every rule that moves money takes: C{at}, C{zone}, and C{watchers}.
    """
    clock, zone, watchers = hub.clock, hub.zone, hub.watchers
    return lambda: {"at": clock.now(), "zone": zone, "watchers": watchers}


LAST = datetime.max.replace(tzinfo=UTC)
"""There is no instant after it that could be written."""

When = datetime | date | timedelta
"""A point in time as it was written: an instant, the beginning of a day, or so long from now."""


def instant(when: When, *, at: datetime, zone: tzinfo) -> datetime:
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
    found = instant(when, at=at, zone=zone)
    if not at < found <= at + LONGEST:
        raise BadArgument(f"{name}: that is not a time within the next ten years")
    return found
