"""
What the hub's memory grows by for each thing that it keeps: all records are in memory, so a hub that is used grows, and what is more than
that is a leak.

It is measured by itself: one connection, a hub that nobody else uses, some thousand requests of each kind, each with a key of its own.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from members import TOKENS
from servers import copy_of, hub
from talk import connected

# Tables grow by doubling, so it takes many of each kind until one has its share of that.
COUNT = 32_000
# Before them, so many that what is there only once is there.
WARM = 4_000
LONG_ONE_IN = 20
# Memory that may be there at the end and is not explained: a share of all and some MiB for buffers and for what the allocator keeps, and a
# share of what is kept, as what each thing takes is not known better than that.
UNEXPLAINED_SHARE, UNEXPLAINED_MIB, UNEXPLAINED_KEPT = 0.05, 16, 0.15
CHARACTERS, LONG = 100, 3500


def kinds(seller: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """The requests that stand for all of their kind; a small one changes little, and what is kept of it is its key."""
    return {
        "message": ("chat.say", {"room": "growth", "text": "x" * CHARACTERS}),
        "long": ("chat.say", {"room": "growth", "text": "x" * LONG}),
        "transfer": ("ledger.transfer", {"to": "bench1", "amount": "0.01", "memo": "123-45678"}),
        "order": ("orders.place", {"items": [{"sku": f"soak-{seller}", "quantity": 1}]}),
        "small": ("chat.read", {"room": "growth"}),
    }


def measure(base: Path, seller: str) -> dict[str, float]:
    """@return: bytes for each thing of a kind."""
    token = TOKENS.read_text().split()[0]
    grown: dict[str, float] = {}
    with copy_of(base) as state, hub(state) as server, connected(server) as lines:
        _ask(lines, [{"method": "auth.resume", "params": {"token": token}}])
        _ask(lines, [{"method": "chat.join", "params": {"room": "growth"}}])
        for kind, (method, params) in kinds(seller).items():
            few = LONG_ONE_IN if kind == "long" else 1
            _repeat(lines, kind, method, params, range(WARM // few))
            before = server.resident_kib()
            _repeat(lines, kind, method, params, range(WARM // few, (WARM + COUNT) // few))
            grown[kind] = (server.resident_kib() - before) * 1024 / (COUNT // few)
    long = grown.pop("long")
    grown["character"] = (long - grown["message"]) / (LONG - CHARACTERS)
    grown["message"] -= grown["character"] * CHARACTERS
    return grown


def explained(stored: Mapping[str, int], grown: Mapping[str, float]) -> float:
    """Bytes that what was kept takes."""
    return sum(count * grown[kind] for kind, count in stored.items())


def _repeat(lines: TextIO, kind: str, method: str, params: dict[str, Any], numbers: range) -> None:
    # A request has 16 KiB at most.
    batch = 4 if kind == "long" else 50
    for first in numbers[::batch]:
        _ask(lines, [{"method": method, "params": params | {"key": f"{kind}-{number}"}} for number in range(first, first + batch)])


def _ask(lines: TextIO, requests: list[dict[str, Any]]) -> None:
    lines.write(json.dumps([{"jsonrpc": "2.0", "id": index, **each} for index, each in enumerate(requests)]) + "\n")
    lines.flush()
    answers = json.loads(next(line for line in lines if line.startswith("[")))
    refused = next((answer["error"] for answer in answers if "error" in answer), None)
    if refused:
        raise SystemExit(f"{requests[0]['method']} was refused: {refused}")


@dataclass
class Sample:
    """
    The hub's memory at a moment, what it had kept by then, and what waited for peers to read, in MiB.

    @ivar late_ms: how late its timers were in the minute before, p99.
    """

    at: float
    resident: float
    kept: float
    queued: float
    late_ms: float

    @property
    def rest(self) -> float:
        return self.resident - self.kept - self.queued


def tell(samples: list[Sample]) -> bool:
    """@return: whether the hub has grown by what it keeps, and no more."""
    print("\nMemory in MiB: of the hub; of what it has kept since the beginning; of what waited for slow readers; the rest")
    step = max(1, len(samples) // 40)
    for sample in samples[::step]:
        print(f"  {sample.at:6.0f} s  {sample.resident:8.1f}  {sample.kept:8.1f}  {sample.queued:8.1f}  {sample.rest:8.1f}")
    # The first third is for buffers to become as large as they ever will.
    later = samples[len(samples) // 3 :]
    slope = _slope(later)
    grown = slope * (later[-1].at - later[0].at)
    allowed = UNEXPLAINED_MIB + UNEXPLAINED_SHARE * later[0].resident + UNEXPLAINED_KEPT * (later[-1].kept - later[0].kept)
    print(
        f"  the rest in the last two thirds: {slope * 60:+.2f} MiB a minute, {grown:+.1f} MiB in all, {allowed:.0f} are allowed; "
        f"the hub: {_slope(later, of_all=True) * 60:+.2f} a minute"
    )
    return grown <= allowed


def _slope(samples: list[Sample], *, of_all: bool = False) -> float:
    """MiB a second, by least squares."""
    values = [sample.resident if of_all else sample.rest for sample in samples]
    times = [sample.at for sample in samples]
    middle, level = sum(times) / len(times), sum(values) / len(values)
    spread = sum((at - middle) ** 2 for at in times)
    return sum((at - middle) * (value - level) for at, value in zip(times, values, strict=True)) / spread if spread else 0.0
