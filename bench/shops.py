"""
The state from which orders are measured: the members of members.py, of whom the first have shops with three items each. What is named by a
connection's number is offered by the member of the next connection, so that nobody orders from themselves.

A shop is opened with the member's token, which stays good as long as nobody uses the fresh one that comes in its place.
"""

import shutil
from pathlib import Path

import members
from servers import BUILD, Server, copy_of, hub, kept
from talk import at_the_door, connected, say

SHOPS = 64
STOCK = 1_000_000_000
# So much that an order brings points, and so little that nobody runs out of money.
PRICE = "1.00"
KEPT = BUILD / "shops"


def base() -> Path:
    """The state directory with all shops, made if there is none."""
    return kept(KEPT, f"Opening {SHOPS} shops", _make_shops)


def _make_shops(directory: Path) -> None:
    with copy_of(members.base()) as state:
        with hub(state, core=None) as server:
            _open_shops(state, server)
            server.stop()
        shutil.copytree(state, directory)


def _open_shops(state: Path, server: Server) -> None:
    tokens = members.TOKENS.read_text().split()
    with at_the_door(state) as lines:
        for index in range(SHOPS):
            say(lines, f"admin.grant bench{index} seller")
    for index in range(SHOPS):
        with connected(server) as lines:
            say(lines, f"RESUME {tokens[index]}")
            for name in "abc":
                say(lines, f"orders.item {name}{(index - 1) % SHOPS} price={PRICE} stock={STOCK}")
