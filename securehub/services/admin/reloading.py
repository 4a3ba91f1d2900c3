"""
What was read anew.
"""

from __future__ import annotations

from collections.abc import Iterable

from securehub.reply import Reply


class Reloaded(Reply, frozen=True):
    """
    What was read anew.

    @ivar reloaded: each part, in words.
    """

    reloaded: tuple[str, ...]

    def lines(self) -> Iterable[str]:
        return ()

    def status(self) -> str:
        return f"Reloaded: {', '.join(self.reloaded)}." if self.reloaded else "There is nothing to reload."
