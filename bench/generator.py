"""
The load generator: compiled when needed, run on its own core, and read together with the server's CPU.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from servers import BUILD, HERE, LOAD_CORE, Server, pinned

SOURCE = HERE / "load.c"
PROGRAM = BUILD / "load"
WARMUP_SECONDS = 1.0


class LoadFailed(Exception):
    """The generator gave up; it has said why on stderr."""


@dataclass(frozen=True)
class Load:
    """
    What the generator does: how many connections, what each of them asks for, and says before that.

    With rooms, what is counted is what is heard in them; C{rate} is messages a second, 0 for a closed loop.
    """

    connections: int
    in_flight: int = 1
    request: str = ""
    setup: str = ""
    values: Path | None = None
    rooms: int = 0
    senders: int = 1
    rate: float = 0


@dataclass(frozen=True)
class Figures:
    """What one run showed."""

    per_second: float
    cpu_us: float
    p50_ms: float
    p99_ms: float
    load_cpu: float
    errors: float


def compile_load() -> None:
    if PROGRAM.exists() and PROGRAM.stat().st_mtime >= max(source.stat().st_mtime for source in (SOURCE, HERE / "rooms.h")):
        return
    command = ["cc", "-O2", "-Wall", "-Wextra", "-o", str(PROGRAM), str(SOURCE), "-lssl", "-lcrypto"]
    subprocess.run(command, check=True)


def measure(server: Server, load: Load, seconds: float) -> Figures:
    """Put a load on the server; the CPU is read when the generator says that measurement begins and ends."""
    words = ["--request", load.request, "--inflight", str(load.in_flight)]
    if load.rooms:
        words += ["--rooms", str(load.rooms), "--senders", str(load.senders)]
    if load.rate:
        words += ["--rate", f"{load.rate:.3f}"]
    words += ["--warmup", str(WARMUP_SECONDS), "--seconds", str(seconds)]
    with _started(server, load, words) as process:
        _expect(process, "begin")
        before = server.cpu_seconds()
        _expect(process, "end")
        cpu_seconds = server.cpu_seconds() - before
        report = json.loads(_line(process))
    return Figures(
        per_second=report["per_second"],
        cpu_us=cpu_seconds * 1e6 / max(report["operations"], 1),
        p50_ms=report["p50_ms"],
        p99_ms=report["p99_ms"],
        load_cpu=report["cpu_seconds"] / report["seconds"],
        errors=report["errors"] + report["unanswered"],
    )


@contextmanager
def held(server: Server, load: Load) -> Iterator[None]:
    """Idle connections, while this lasts."""
    with _started(server, load, ["--idle"]) as process:
        _expect(process, "ready")
        yield


@contextmanager
def _started(server: Server, load: Load, words: list[str]) -> Iterator[subprocess.Popen[str]]:
    setup = BUILD / "setup"
    setup.write_text(load.setup)
    words = ["--port", str(server.port), "--connections", str(load.connections), "--setup", str(setup), *words]
    if load.values:
        words += ["--values", str(load.values)]
    with pinned(LOAD_CORE):
        process = subprocess.Popen([str(PROGRAM), *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        with process:
            yield process
    finally:
        process.kill()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise LoadFailed
    return line.rstrip("\n")


def _expect(process: subprocess.Popen[str], word: str) -> None:
    line = _line(process)
    assert line == word, line
