"""
A thousand connections that say nothing, and members who log in with their passwords meanwhile: how long a login takes, handshake and hash
included, and when the last of the silent is gone.

The silent come from fifty addresses of this machine, as many from each as it may have unfinished, and `trust_loopback` is off: for the hub
they are strangers from elsewhere.
"""

import socket
import ssl
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import NamedTuple

import members
from servers import copy_of, hub
from talk import trusting

SILENT = 1000
ADDRESSES = 50
# Those in whose place a member logs in.
HOME = "127.0.9.9"
LOGINS = 20
GOAL_SECONDS = 1
# Nothing that says nothing may stay so long.
PATIENCE_SECONDS = 60
AT_ONCE = 8

OFF = {"trust_loopback": "off"}


class Silence(NamedTuple):
    """What one run showed: of the logins, how many connections were held meanwhile, and when the last was closed after it had come."""

    login: float
    slowest: float
    held: int
    gone: float


def run(runs: int) -> None:
    members.base()
    print(f"{SILENT} silent connections, {LOGINS} logins meanwhile, one after the other   goal: each within {GOAL_SECONDS} s")
    for name, connect in (("none", None), ("before the handshake", plain), ("after it", shaken)):
        seen = [silence(connect) for _ in range(runs)]
        login, slowest, held, gone = (median(column) for column in zip(*seen, strict=True))
        print(
            f"  {name:21} login: median {login * 1000:4.0f} ms, slowest {slowest * 1000:4.0f} ms   "
            f"held meanwhile: {held:4.0f}   the last is gone after {gone:4.1f} s"
        )


def silence(connect: Callable[[int, str], socket.socket] | None) -> Silence:
    with copy_of(members.base()) as state, hub(state, core=None, settings=OFF) as server:
        silent = _all(connect, server.port) if connect else []
        since = time.monotonic()
        seconds = sorted(log_in(server.port, index) for index in range(LOGINS))
        held = sum(not _closed(each) for each in silent)
        while not all(map(_closed, silent)):
            if time.monotonic() - since > PATIENCE_SECONDS:
                raise SystemExit("Some silent connections are never closed.")
            time.sleep(0.1)
        gone = time.monotonic() - since if silent else 0.0
        for each in silent:
            each.close()
    return Silence(median(seconds), seconds[-1], held, gone)


def log_in(port: int, index: int) -> float:
    """Seconds until a member is in who comes with a password, from an address at which nobody is silent."""
    since = time.monotonic()
    with shaken(port, HOME) as connection:
        connection.sendall(f"LOGIN bench{index} {members.PASSWORD}\n".encode())
        said = b""
        while not said.endswith(b"\n") or b"OK Welcome" not in said:
            said += (piece := connection.recv(4096))
            if not piece or b"ERR" in said:
                raise SystemExit(f"A login was refused: {said!r}")
    return time.monotonic() - since


def plain(port: int, address: str) -> socket.socket:
    """A connection that does not begin its handshake."""
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS, source_address=(address, 0))


def shaken(port: int, address: str) -> socket.socket:
    """A connection that has finished its handshake."""
    return trusting().wrap_socket(plain(port, address))


def _all(connect: Callable[[int, str], socket.socket], port: int) -> list[socket.socket]:
    addresses = [f"127.0.1.{1 + index % ADDRESSES}" for index in range(SILENT)]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        silent = list(threads.map(lambda address: connect(port, address), addresses))
    for each in silent:
        each.setblocking(False)
    return silent


def _closed(connection: socket.socket) -> bool:
    """Whether the hub has closed it; a greeting and a goodbye are read on the way."""
    try:
        while connection.recv(4096):
            pass
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        pass
    return True
