"""
Types of arguments that the support desk's commands have.
"""

from __future__ import annotations

from securehub.arguments import argument, whole
from securehub.refusals import BadArgument

MOST_STARS = 5


def stars(word: str) -> int:
    """how good it was, from 1 to 5"""
    count = whole(word)
    if not 1 <= count <= MOST_STARS:
        raise BadArgument(f"{count} is not from 1 to {MOST_STARS}")
    return count


@argument(rest=True, multiline=True, limit="memo_characters")
def comment(word: str) -> str:
    """what you say to that, for the agents"""
    return word
