"""
What rules that book something are told besides their arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from securehub.hub import Hub


def booking(hub: Hub) -> Callable[[], dict[str, Any]]:
    """
    @return: the function that gives the arguments by name which every rule that moves money takes: C{at}, C{zone}, and C{watchers}.
    """
    clock, zone, watchers = hub.clock, hub.zone, hub.watchers
    return lambda: {"at": clock.now(), "zone": zone, "watchers": watchers}
