"""
Arguments of invitations; the rules are with those who come in by them, L{securehub.services.auth.invitations}.
"""

from __future__ import annotations

from securehub.arguments import between

MOST_USES = 10_000


def uses(word: str) -> int:
    """how many may come with it, 1 to 10000"""
    return between(word, 1, MOST_USES)
