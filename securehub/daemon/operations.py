"""
What an operator may do to the process in which a hub runs, and ask of it.

The code that starts a hub provides this. Without it there is nothing to reload, and no certificate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple


class Reread(NamedTuple):
    """
    What a reload has found.

    @ivar now: what is used from now on, in words.
    @ivar later: names of settings that have changed, and are used from the next start on.
    """

    now: tuple[str, ...] = ()
    later: tuple[str, ...] = ()


@dataclass(frozen=True)
class Operations:
    """
    @ivar prepare_reload: reads anew what can be. What it returns puts that to use. If something is broken, it raises Conflict, and nothing
        has changed.
    @ivar certificate_days: whole days until the certificate ends; None where there is none.
    @ivar memory_bytes: what the process has in memory; None if that is not known.
    @ivar certificate_trouble: whether it ends before long, in words; empty if not.
    """

    prepare_reload: Callable[[], Callable[[], Reread]] = lambda: Reread
    certificate_days: Callable[[], int | None] = lambda: None
    memory_bytes: Callable[[], int | None] = lambda: None
    certificate_trouble: Callable[[], str] = lambda: ""
