"""
The servers that are measured: how they are started on their core, what they have used, and how they are stopped.
"""

import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

HERE = Path(__file__).resolve().parent
BUILD = HERE / "build"

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = CORES[0], CORES[-1]
TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")

START_SECONDS = 120
# A clean stop of a hub with a million transfers may write them all down once more.
STOP_SECONDS = 120


@dataclass(frozen=True)
class Server:
    """A process that listens on a port of this machine."""

    process: subprocess.Popen[bytes]
    port: int
    start_seconds: float

    def cpu_seconds(self) -> float:
        """What all its threads have used since it began, in user and system mode; ended children are not in it."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * TICK_SECONDS

    def waited_seconds(self) -> float:
        """For how long its main thread could have run, and had no core to run on."""
        return int(Path(f"/proc/{self.process.pid}/schedstat").read_text().split()[1]) / 1e9

    def resident_kib(self) -> int:
        return self._status("VmRSS")

    def peak_kib(self) -> int:
        return self._status("VmHWM")

    def _status(self, name: str) -> int:
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))

    def stop(self) -> float:
        """End it as an operator would; returns the seconds that it took."""
        since = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(STOP_SECONDS)
        return time.monotonic() - since


def hub_command(state: Path, port: int, settings: Mapping[str, str]) -> list[str]:
    twistd = Path(sys.executable).with_name("twistd")
    config = BUILD / "hub.ini"
    config.write_text("\n".join(["[limits]", *(f"{name} = {text}" for name, text in settings.items()), ""]))
    return [str(twistd), "-n", "--pidfile=", "securehub", "--state", str(state), "--port", str(port), "--config", str(config)]


def peer_command(port: int, program: str = "bare") -> list[str]:
    certificate, key = peer_certificate()
    return [sys.executable, str(HERE / "peers" / f"{program}.py"),
            "--port", str(port), "--certificate", str(certificate), "--key", str(key)]  # fmt: skip


def is_listening(port: int) -> bool:
    """Whether a server has begun: its port accepts."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def peer_certificate() -> tuple[Path, Path]:
    certificate, key = BUILD / "peer.pem", BUILD / "peer.key"
    if not certificate.exists():
        # The kind of key only matters to handshakes, which are not measured.
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost"
        files = ["-keyout", str(key), "-out", str(certificate)]
        subprocess.run([*command.split(), *files], check=True, stderr=subprocess.DEVNULL)
    return certificate, key


@contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """What is started here stays on this core, with all its threads; None is all cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, CORES if core is None else {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def allow_many_files() -> None:
    """Let servers and load have a descriptor for each of some thousand connections."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def peer(program: str = "bare") -> Iterator[Server]:
    """A server of C{peers/}, on stock Twisted."""
    port = free_port()
    with running(peer_command(port, program), port, SERVER_CORE, BUILD / "peer.log") as server:
        yield server


@contextmanager
def hub(state: Path, core: int | None = SERVER_CORE, settings: Mapping[str, str] = MappingProxyType({})) -> Iterator[Server]:
    """A hub on this state directory, with these settings of its limits."""
    port = free_port()
    with running(hub_command(state, port, settings), port, core, BUILD / "hub.log") as server:
        yield server


def kept(place: Path, what: str, make: Callable[[Path], None]) -> Path:
    """
    A directory that takes long to make, so it is made once and kept for all runs.

    @param what: is done, as it is told.
    @param make: makes it; half of it is never taken for all.
    """
    if not place.exists():
        print(f"{what}, once, in {place} ...", flush=True)
        unfinished = place.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        make(unfinished)
        unfinished.rename(place)
    return place


@contextmanager
def copy_of(base: Path | None) -> Iterator[Path]:
    """A copy of this state directory (None: an empty one), so that every run begins with the same records."""
    state = BUILD / "state"
    shutil.rmtree(state, ignore_errors=True)
    if base:
        shutil.copytree(base, state, ignore=shutil.ignore_patterns("*.sock"))
    else:
        state.mkdir(mode=0o700)
    # What was copied goes to the disk now, and not while the hub is measured.
    os.sync()
    try:
        yield state
    finally:
        shutil.rmtree(state, ignore_errors=True)


@contextmanager
def running(command: list[str], port: int, core: int | None, log: Path) -> Iterator[Server]:
    """A program that is a server, on its core, until this ends."""
    # The checkout in which this file stands is what is measured.
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])}
    since = time.monotonic()
    with log.open("wb") as output, pinned(core):
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        _wait_until_listening(process, port, log)
        yield Server(process, port, time.monotonic() - since)
    finally:
        process.kill()
        process.wait()


def _wait_until_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not is_listening(port):
        if process.poll() is not None:
            sys.exit(f"The server ended before it listened:\n{log.read_text()[-2000:]}")
        if time.monotonic() > deadline:
            sys.exit(f"The server did not listen within {START_SECONDS} s; its log is {log}.")
        time.sleep(0.01)
