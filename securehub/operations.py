"""
What an operator may do to the process in which a hub runs, and ask of it.

Whoever starts a hub provides this; a hub in a test has nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from securehub.refusals import Conflict


class CannotReload(Conflict):
    """What was to be read anew is broken; what was there before is used on."""


@dataclass(frozen=True)
class Operations:
    """
    @ivar reload: reads anew what can be, and says what that was; raises L{CannotReload}.
    @ivar certificate_days: whole days until the certificate ends; None where there is none.
    """

    reload: Callable[[], Sequence[str]] = tuple
    certificate_days: Callable[[], int | None] = lambda: None
