"""
Types of arguments that the chat's commands have.
"""

from __future__ import annotations

import re

from securehub.arguments import argument, between, username
from securehub.refusals import BadArgument, shown
from securehub.services.chat.records import MAX_SLOW

_ROOM = re.compile(r"[a-z0-9._-]{1,32}")

MAX_KEEP_DAYS = 36_500


def room(word: str) -> str:
    """a room: 1 to 32 of a-z 0-9 . _ -, in any case"""
    name = word.lower()
    if not word.isascii() or not _ROOM.fullmatch(name):
        bare = "; leave out the #" if word[:1] == "#" else ""
        raise BadArgument(f"{shown(word)} is not the name of a room (1 to 32 of a-z 0-9 . _ -){bare}")
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


@argument(rest=True, multiline=True, limit="memo_characters")
def note(word: str) -> str:
    """what came of it, for moderators"""
    return word


def access(word: str) -> str:
    """open or invite"""
    if word.lower() not in ("open", "invite"):
        raise BadArgument(f"{shown(word)} is neither open nor invite")
    return word.lower()


def pause(word: str) -> int:
    """seconds between two messages of a member; 0 for none"""
    return between(word, 0, MAX_SLOW)


def days(word: str) -> int:
    """a number of days; 0 for ever"""
    return between(word, 0, MAX_KEEP_DAYS)
