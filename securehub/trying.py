"""
Trying a command that moves money: its rule runs in a transaction that is thrown away, and the reply says what would have happened.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from msgspec.structs import replace

from securehub.reply import MoneyReply
from securehub.store.transaction import Transaction


class Tried(Exception):
    """
    Ends a transaction that is not to be committed.

    @ivar reply: what the rule returned, marked as tried.
    """

    def __init__(self, reply: MoneyReply) -> None:
        super().__init__(reply)
        self.reply = reply


def try_out(tx: Transaction, rule: Callable[..., MoneyReply], /, *args: Any, **kwargs: Any) -> NoReturn:
    """
    Run a rule, and let nothing of it be.

    @raise Tried: always, unless the rule refuses.
    """
    raise Tried(replace(rule(tx, *args, **kwargs), try_=True))
