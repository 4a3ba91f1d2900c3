"""
Measures the store inside one process; run by store.py, one process for each measurement.

    python bench/transact.py pay STATE CALLERS SECONDS KEY    durable payments by the ledger's rule, each caller one after the other
    python bench/transact.py open STATE KEY WAY               a start, and what the records take; beside it the same lines, decoded alone

KEY is where a key is, as the setting seal_key says it, or empty.
"""

import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from journal import MEMBERS, RECORDS, NoGate, make_members, pay_once
from twisted.internet import epollreactor

epollreactor.install()

from twisted.internet import reactor, task  # noqa: E402

from securehub.clock import Clock  # noqa: E402
from securehub.daemon.collector import THRESHOLDS  # noqa: E402
from securehub.store import keys, lines  # noqa: E402
from securehub.store.files import RealDirectory  # noqa: E402
from securehub.store.journal import JournalStore  # noqa: E402
from securehub.store.records import decoder  # noqa: E402
from securehub.store.worker import ThreadWorker  # noqa: E402
from securehub.switchboard import Switchboard  # noqa: E402

WARM_SECONDS = 0.5


class Gate:
    """Calls back whoever waits for a position."""

    position: Any = None

    def settled(self, position: Any) -> None:
        for each in position.waiting:
            each()

    def lost(self, position: Any) -> None:
        raise AssertionError("the disk failed")


class Payers:
    """Callers who pay each other, each as soon as the payment before is on the disk."""

    def __init__(self, store: JournalStore, gate: Gate, clock: Clock, callers: int) -> None:
        self._store, self._gate, self._clock = store, gate, clock
        self._running = True
        self._keys = store.number
        self._callers = callers
        self.done = 0
        self.slowest = 0.0
        self._waits: list[float] = []

    def start(self) -> None:
        for caller in range(self._callers):
            self._pay(MEMBERS[caller % len(MEMBERS)], MEMBERS[(caller * 7 + 1) % len(MEMBERS)])

    def _pay(self, payer: str, payee: str) -> None:
        began = time.monotonic()

        def settled() -> None:
            self.done += 1
            self._waits.append(time.monotonic() - began)
            if self._running:
                self._pay(payer, payee)

        self._keys += 1
        pay_once(self._store, self._clock, self._keys, payer, payee)
        self._gate.position.waiting.append(settled)

    def measure(self) -> None:
        self.done = 0
        self._waits.clear()

    def stop(self) -> dict[str, float]:
        self._running = False
        waits = sorted(self._waits)
        return {"p50_ms": waits[len(waits) // 2] * 1e3, "p99_ms": waits[len(waits) * 99 // 100] * 1e3, "max_ms": waits[-1] * 1e3}


def open_store(state: Path, gate: Any, source: str) -> tuple[JournalStore, Clock]:
    clock = Clock()
    directory = RealDirectory(state, keys.find(source))
    store = JournalStore(directory, ThreadWorker(reactor.callFromThread), reactor, clock, RECORDS, gate, Switchboard(gate))
    store.open()
    return store, clock


def measure_payments(state: Path, callers: int, seconds: float, source: str, tool: list[str]) -> dict[str, float]:
    """
    @param tool: a command that runs meanwhile, if any; {until} in it is the newest synced commit.
    """
    gate = Gate()
    store, clock = open_store(state, gate, source)
    if not store.number:
        make_members(store, clock)
    payers = Payers(store, gate, clock, callers)
    result: dict[str, float] = {}

    def begin() -> None:
        payers.measure()
        cpu, began = time.process_time(), time.monotonic()
        if tool:
            process = subprocess.Popen([each.format(until=store.synced) for each in tool], stdout=subprocess.DEVNULL)

            def look() -> None:
                if process.poll() is None:
                    reactor.callLater(0.05, look)
                else:
                    assert not process.returncode, process.returncode
                    end(cpu, began)

            look()
        else:
            reactor.callLater(seconds, end, cpu, began)

    def end(cpu: float, began: float) -> None:
        took = time.monotonic() - began
        result.update(rate=payers.done / took, cpu_us=(time.process_time() - cpu) / payers.done * 1e6, seconds=took)
        result.update(payers.stop())
        reactor.stop()

    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    reactor.callWhenRunning(payers.start)
    reactor.callLater(WARM_SECONDS, begin)
    reactor.run()
    return result


class Alternating(RealDirectory):
    """
    A directory of which each file is decoded just before it is replayed: so start and decoding meet the same weather.

    @param way: by which of the methods below.

    @ivar seconds: of decoding, all files together.
    """

    def __init__(self, path: Path, keyring: keys.Keys, way: str) -> None:
        super().__init__(path, keyring)
        self._decode: Callable[[Path], None] = getattr(self, way)
        self.seconds = 0.0
        self._seen: set[str] = set()

    def lines(self, name: str) -> Iterator[bytes]:
        # A start reads the first line of each file before all else, and all of it later.
        if name in self._seen:
            self.seconds += timed(lambda: self._decode(self.path / name))
        self._seen.add(name)
        return super().lines(name)

    def commits(self, path: Path) -> None:
        """As a start does: the records in the commits stay as they are."""
        with path.open("rb") as content:
            header = lines.header(next(content))
            decode = lines.reader(self.keys.for_file(header.key, header.salt) if header.key else None)
            for each in content:
                decode(each)

    def records(self, path: Path) -> None:
        """The commits, and each record in them into its own class."""
        decoders = {cls.collection: decoder(cls) for cls in RECORDS}
        with path.open("rb") as content:
            next(content)
            for each in content:
                for collection, _, record in lines.commit(each).changes:
                    decoders[collection](record)

    def msgspec(self, path: Path) -> None:
        """Wholly, into plain values."""
        with path.open("rb") as content:
            for each in content:
                msgspec.json.decode(each)

    def json(self, path: Path) -> None:
        """The same by Python's own module."""
        with path.open("rb") as content:
            for each in content:
                json.loads(each)


def measure_start(state: Path, source: str, way: str) -> dict[str, float]:
    """A start, and the memory that it takes; beside it the seconds for decoding the same lines and nothing else."""
    gc.disable()
    directory = Alternating(state, keys.find(source), way)
    before = resident()
    seconds = timed(lambda: start(directory)) - directory.seconds
    transfers = next(cls for cls in RECORDS if cls.collection == "transfer")
    count = len(started[0]._places[transfers].collection)
    bytes_each = (resident() - before) / max(count, 1)
    ratio = seconds / directory.seconds
    return {"seconds": seconds, "transfers": count, "bytes_each": bytes_each, "decoding": directory.seconds, "ratio": ratio}


started: list[JournalStore] = []


def start(directory: RealDirectory) -> None:
    clock = Clock()
    gate = NoGate()
    store = JournalStore(directory, _NoWorker(), task.Clock(), clock, RECORDS, gate, Switchboard(gate))
    store.open()
    started.append(store)


class _NoWorker:
    def run(self, job: object, done: object) -> None:
        raise AssertionError("nothing is written")

    def stop(self) -> None:
        pass


def timed(work: Callable[[], None]) -> float:
    since = time.monotonic()
    work()
    return time.monotonic() - since


def resident() -> int:
    """Bytes of memory that this process has now."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(each.split()[1]) for each in lines if each.startswith("VmRSS:")) * 1024


def main() -> None:
    what, state, *rest = sys.argv[1:]
    if what == "open":
        result = measure_start(Path(state), *rest)
    else:
        callers, seconds, source, *tool = rest
        result = measure_payments(Path(state), int(callers), float(seconds), source, tool)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
