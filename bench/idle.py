"""
What a connection costs that does nothing: the memory of the server with and without a thousand or two of them.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from statistics import median

import members
from generator import Load, held
from servers import Server, peer
from table import print_row

SIZES = (1000, 2000)
GOAL = "60 KiB"
SETTLE_SECONDS = 1.0


def run(runs: int) -> None:
    members.base()
    print_row("idle", "conns", "", "before MiB", "with MiB", "KiB each", "", "", "", "goal")
    for connections in SIZES:
        silent = Load(connections, setup="PING\n")
        logged_in = Load(connections, setup="RESUME {v}\n", values=members.TOKENS)
        show("  bare Twisted", "", connections, [resident_kib(silent, peer) for _ in range(runs)])
        show("logged in", GOAL, connections, [resident_kib(logged_in, members.hub_with_members) for _ in range(runs)])


def resident_kib(load: Load, start: Callable[[], AbstractContextManager[Server]]) -> tuple[int, int]:
    """The memory of a new server before the connections are opened, and while they are held."""
    with start() as server:
        time.sleep(SETTLE_SECONDS)
        before = server.resident_kib()
        with held(server, load):
            time.sleep(SETTLE_SECONDS)
            return before, server.resident_kib()


def show(name: str, goal: str, connections: int, seen: list[tuple[int, int]]) -> None:
    before, during = (median(column) for column in zip(*seen, strict=True))
    each = (during - before) / connections
    print_row(name, connections, "", f"{before / 1024:.1f}", f"{during / 1024:.1f}", f"{each:.1f}", "", "", "", goal)
