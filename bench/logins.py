"""
Five hundred members who log in with their passwords at once, over new connections: logins a second, and how long a connection that only
says PING has to wait meanwhile. That is the reactor's delay, seen from outside.
"""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from threading import Event, Thread
from typing import NamedTuple

import members
from generator import Load, held
from servers import Server, copy_of, hub
from talk import trusting

AT_ONCE = 500
PAUSE_SECONDS = 0.002
GOAL_MS = 25


class Storm(NamedTuple):
    """What one run showed."""

    per_second: float
    cpu_ms: float
    p50_ms: float
    p99_ms: float
    max_ms: float


def run(runs: int) -> None:
    members.base()
    seen = [storm() for _ in range(runs)]
    best = min(seen, key=lambda each: each.p99_ms)
    middle = Storm(*(median(column) for column in zip(*seen, strict=True)))
    print(f"{AT_ONCE} log in at once")
    for name, each in (("median", middle), ("best", best)):
        print(
            f"  {name:7} {each.per_second:7.1f} logins/s   CPU {each.cpu_ms:5.1f} ms each   PING meanwhile: "
            f"p50 {each.p50_ms:5.2f}  p99 {each.p99_ms:6.2f}  most {each.max_ms:6.2f} ms   goal: p99 {GOAL_MS} ms"
        )


def storm() -> Storm:
    """All cores are the hub's, as hashing is what needs them."""
    load = Load(AT_ONCE, setup=f"LOGIN bench{{c}} {members.PASSWORD}\n")
    with copy_of(members.base()) as state, hub(state, core=None) as server, probed(server) as delays:
        before = server.cpu_seconds()
        delays.clear()
        since = time.monotonic()
        with held(server, load):
            seconds = time.monotonic() - since
            ordered = sorted(delays)
            cpu_seconds = server.cpu_seconds() - before
    return Storm(
        per_second=AT_ONCE / seconds,
        cpu_ms=cpu_seconds * 1000 / AT_ONCE,
        p50_ms=ordered[len(ordered) // 2] * 1000,
        p99_ms=ordered[len(ordered) * 99 // 100] * 1000,
        max_ms=ordered[-1] * 1000,
    )


@contextmanager
def probed(server: Server) -> Iterator[list[float]]:
    """While this lasts, the list grows by the seconds that each PING has taken."""
    delays: list[float] = []
    done = Event()
    thread = Thread(target=_probe, args=(server.port, delays, done))
    thread.start()
    try:
        yield delays
    finally:
        done.set()
        thread.join()


def _probe(port: int, delays: list[float], done: Event) -> None:
    with connected(port) as connection:
        while not done.wait(PAUSE_SECONDS):
            since = time.monotonic()
            connection.send(b"PING\n")
            connection.recv(1000)
            delay = time.monotonic() - since
            # While one PING waited others would have been sent, and would have waited as well.
            while delay > 0:
                delays.append(delay)
                delay -= PAUSE_SECONDS


@contextmanager
def connected(port: int) -> Iterator[ssl.SSLSocket]:
    """A TLS connection that has heard the greeting."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as plain, trusting().wrap_socket(plain) as connection:
        connection.recv(1000)
        yield connection
