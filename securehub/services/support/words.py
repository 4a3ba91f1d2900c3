"""
Types of arguments that the support desk's commands have.
"""

from __future__ import annotations

from securehub.arguments import argument, between

MOST_STARS = 5


def stars(word: str) -> int:
    """how good it was, from 1 to 5"""
    return between(word, 1, MOST_STARS)


@argument(rest=True, multiline=True, limit="memo_characters")
def comment(word: str) -> str:
    """a comment for the agents"""
    return word
