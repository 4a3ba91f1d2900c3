"""
Arguments of invitations; the rules are with those who come in by them, L{securehub.services.auth.invitations}.
"""

from __future__ import annotations

from securehub.arguments import whole
from securehub.refusals import BadArgument

MOST_USES = 10_000


def uses(word: str) -> int:
    """how many may come with it, 1 to 10000"""
    count = whole(word)
    if not 1 <= count <= MOST_USES:
        raise BadArgument(f"{count} is not between 1 and {MOST_USES}")
    return count
