"""
Trying a rule: it runs in a transaction that is thrown away, and what it returns is what would have happened.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from securehub.store.transaction import Transaction


class Tried(Exception):
    """
    Ends a transaction that is not to be committed.

    @ivar result: what the rule returned.
    """

    def __init__(self, result: Any) -> None:
        super().__init__(result)
        self.result = result


def try_out(tx: Transaction, rule: Callable[..., object], /, *args: Any, **kwargs: Any) -> NoReturn:
    """
    Run a rule, and undo everything that it did.

    @raise Tried: always, unless the rule refuses.
    """
    raise Tried(rule(tx, *args, **kwargs))
