"""
Reading anew what can be read anew.
"""

from __future__ import annotations

from collections.abc import Iterable

from securehub.reply import Reply
from securehub.store.transaction import Transaction


class Reloaded(Reply, frozen=True):
    """
    What was reloaded.

    @ivar reloaded: each part, in words.
    @ivar later: settings that have changed, but take effect at the next start.
    """

    reloaded: tuple[str, ...]
    later: tuple[str, ...]

    def lines(self) -> Iterable[str]:
        return ()

    def status(self) -> str:
        told = f"Reloaded: {', '.join(self.reloaded)}." if self.reloaded else "There is nothing to reload."
        return f"{told} From the next start on: {', '.join(self.later)}." if self.later else told


def agree(tx: Transaction) -> None:
    """
    Put what was read to use from this commit on. No record says what it is; but who had it read anew is kept, as for all that admins do.
    """
