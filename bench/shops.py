"""
The state from which orders are measured: the members of members.py, of whom the first have shops with three items each. What is named by a
connection's number is offered by the member of the next connection, so that nobody orders from themselves.

A shop is opened with the member's token, which stays good as long as nobody uses the fresh one that comes in its place.
"""

import shutil
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import members
from servers import BUILD, Server, copy_of, hub

SHOPS = 64
STOCK = 1_000_000_000
# So much that an order brings points, and so little that nobody runs out of money.
PRICE = "1.00"
KEPT = BUILD / "shops"


def base() -> Path:
    """The state directory with all shops, made if there is none."""
    if not KEPT.exists():
        print(f"Opening {SHOPS} shops, once, in {KEPT} ...", flush=True)
        unfinished = KEPT.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        with copy_of(members.base()) as state:
            with hub(state, core=None) as server:
                _open_shops(state / "admin.sock", server)
                server.stop()
            shutil.copytree(state, unfinished)
        unfinished.rename(KEPT)
    return KEPT


def _open_shops(door: Path, server: Server) -> None:
    tokens = members.TOKENS.read_text().split()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(str(door))
        with connection.makefile("rw") as lines:
            for index in range(SHOPS):
                say(lines, f"admin.grant bench{index} seller")
    for index in range(SHOPS):
        with connected(server) as lines:
            say(lines, f"RESUME {tokens[index]}")
            for name in "abc":
                say(lines, f"orders.item {name}{(index - 1) % SHOPS} price={PRICE} stock={STOCK}")


@contextmanager
def connected(server: Server) -> Iterator[TextIO]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=30) as plain,
        context.wrap_socket(plain) as connection,
        connection.makefile("rw") as lines,
    ):
        yield lines


def say(lines: TextIO, request: str) -> None:
    lines.write(f"{request}\n")
    lines.flush()
    status = next(line for line in lines if not line.startswith(("*", " ")))
    if not status.startswith("OK"):
        raise SystemExit(f"{request}: {status}")
