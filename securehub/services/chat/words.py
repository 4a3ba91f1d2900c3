"""
Types of arguments that the chat's commands have.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from securehub.arguments import argument, username, whole
from securehub.refusals import BadArgument, shown
from securehub.services.chat.records import MAX_SLOW

_ROOM = re.compile(r"[a-z0-9._-]{1,32}")
# RFC 3339, section 5.6.
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?([Zz]|[+-][0-9]{2}:[0-9]{2})")
_DURATION = re.compile(r"([0-9]{1,9})([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 60 * 60, "d": 24 * 60 * 60}

MAX_KEEP_DAYS = 36_500

When = datetime | timedelta
"""A time, or how long from now."""


def room(word: str) -> str:
    """a room: 1 to 32 of a-z 0-9 . _ -, in any case"""
    name = word.lower()
    if not word.isascii() or not _ROOM.fullmatch(name):
        raise BadArgument(f"{shown(word)} is not the name of a room (1 to 32 of a-z 0-9 . _ -)")
    return name


def place(word: str) -> str:
    """a room, or @ and a username for the direct conversation with that member"""
    return f"@{username(word[1:])}" if word.startswith("@") else room(word)


@argument(rest=True, limit="topic_characters")
def topic(word: str) -> str:
    """what a room is about"""
    return word


@argument(rest=True, limit="memo_characters")
def status(word: str) -> str:
    """what you are doing"""
    return word


@argument(limit="memo_characters")
def reason(word: str) -> str:
    """why"""
    return word


@argument(rest=True, limit="memo_characters")
def rest_reason(word: str) -> str:
    """why"""
    return word


@argument(accepts=(str, int))
def until(word: str) -> When:
    """a time such as 2026-11-19T18:02:00Z, or how long from now: seconds, or such as 90s, 15m, 2h, 7d"""
    found = _DURATION.fullmatch(word)
    if found and int(found[1]):
        return timedelta(seconds=int(found[1]) * _SECONDS[found[2]])
    try:
        if _INSTANT.fullmatch(word):
            return datetime.fromisoformat(word.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise BadArgument(f"{shown(word)} is neither a time such as 2026-11-19T18:02:00Z nor how long from now, such as 90s, 15m, 2h, 7d")


def access(word: str) -> str:
    """open or invite"""
    if word.lower() not in ("open", "invite"):
        raise BadArgument(f"{shown(word)} is neither open nor invite")
    return word.lower()


def pause(word: str) -> int:
    """seconds between two messages of a member; 0 for none"""
    seconds = whole(word)
    if seconds > MAX_SLOW:
        raise BadArgument(f"{seconds} seconds are more than {MAX_SLOW}")
    return seconds


def days(word: str) -> int:
    """a number of days; 0 for ever"""
    count = whole(word)
    if count > MAX_KEEP_DAYS:
        raise BadArgument(f"{count} days are more than {MAX_KEEP_DAYS}")
    return count
