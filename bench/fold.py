"""
What folding a million transfers costs those who use the hub meanwhile: how long a PING waits, which is the reactor's delay seen from
outside, and how long a deposit waits, which needs the disk as well.
"""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import journal
from logins import PAUSE_SECONDS, connected
from servers import Server, copy_of, hub

GOAL_MS = 50
BEFORE_SECONDS = 8
"""The hub looks for something to fold ten seconds after its start; until then there is nothing but the clients."""

Delays = list[tuple[float, float]]


def run(runs: int) -> None:
    history = journal.long_history()
    print(f"fold of {journal.TRANSFERS:,} journalled transfers, while two clients ask every {PAUSE_SECONDS * 1000:.0f} ms")
    for _ in range(runs):
        with copy_of(history) as state, hub(state, core=None) as server:
            _measure(state, server)


def _measure(state: Path, server: Server) -> None:
    with _probed(lambda: _ping(server.port)) as pings, _probed(lambda: _deposit(state)) as deposits:
        began = time.monotonic()
        time.sleep(BEFORE_SECONDS)
        since = time.monotonic()
        _wait_for(lambda: any(state.glob("snapshot-*.new")), 60)
        first = time.monotonic()
        # Two snapshots, the newer of which covers all that was there at the start, and nothing more on its way.
        _wait_for(lambda: _covered(state) >= journal.TRANSFERS and not any(state.glob("*.new")), 300)
        until = time.monotonic()
    print(f"  folds took {until - first:.1f} s; peak of the hub {server.peak_kib() / 1024:,.0f} MiB")
    for name, delays in (("PING", pings), ("DEPOSIT", deposits)):
        print(f"  {name:8} before  {_told(delays, began, since)}")
        print(f"  {name:8} during  {_told(delays, first, until)}   goal: most {GOAL_MS} ms")


def _covered(state: Path) -> int:
    return max((int(path.stem.split("-")[1]) for path in state.glob("snapshot-*.jsonl")), default=0)


def _told(delays: Delays, since: float, until: float) -> str:
    ordered = sorted(delay for at, delay in delays if since <= at <= until)
    p50, p99, most = (ordered[len(ordered) * part // 1000] * 1000 for part in (500, 990, 999))
    return f"{len(ordered):6,} times   p50 {p50:6.2f}  p99 {p99:6.2f}  p99.9 {most:6.2f}  most {ordered[-1] * 1000:6.2f} ms"


def _wait_for(condition: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it takes too long"
        time.sleep(0.05)


@contextmanager
def _probed(ask: Callable[[], Iterator[None]]) -> Iterator[Delays]:
    """While this lasts, the list grows by when each request was sent, and the seconds that it took."""
    delays: Delays = []
    done = Event()

    def probe() -> None:
        asking = ask()
        next(asking)
        while not done.wait(PAUSE_SECONDS):
            since = time.monotonic()
            next(asking)
            delays.append((since, time.monotonic() - since))

    thread = Thread(target=probe)
    thread.start()
    try:
        yield delays
    finally:
        done.set()
        thread.join()


def _ping(port: int) -> Iterator[None]:
    with connected(port) as connection:
        while True:
            yield
            connection.send(b"PING\n")
            connection.recv(1000)


def _deposit(state: Path) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(state / "admin.sock"))
        connection.recv(1000)
        while True:
            yield
            connection.send(f"DEPOSIT {journal.MEMBERS[0]} 0.01\n".encode())
            answer = connection.recv(1000)
            assert answer.startswith(b"OK"), answer
