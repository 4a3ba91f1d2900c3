"""
Types of arguments that the commands about loyalty have.
"""

from __future__ import annotations

import re

from securehub import arguments
from securehub.refusals import BadArgument, shown

_SHORT = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")


def reward(word: str) -> str:
    """the short name of a reward: 1 to 32 of a-z 0-9 . _ -, in any case"""
    return _short_name(word, "a reward")


def code(word: str) -> str:
    """a promotion's code: 1 to 32 of a-z 0-9 . _ -, in any case"""
    return _short_name(word, "a promotion")


def tier(word: str) -> str:
    """the short name of a tier: 1 to 32 of a-z 0-9 . _ -, in any case"""
    return _short_name(word, "a tier")


def percent(word: str) -> int:
    """a whole number from 1 to 100"""
    return arguments.between(word, 1, 100)


def times(word: str) -> int:
    """how often, from 1 to 1000000000, or 0 for no limit"""
    return arguments.between(word, 0, 1_000_000_000)


def _short_name(word: str, of: str) -> str:
    name = word.lower()
    if not word.isascii() or not _SHORT.fullmatch(name):
        raise BadArgument(f"{shown(word)} is not the short name of {of} (1 to 32 of a-z 0-9 . _ -, starting with a letter or digit)")
    return name
