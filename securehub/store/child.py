"""
The child process that folds: how the daemon starts it, and what runs in it.

    python -P -m securehub.store.child DIR ORDER [KEY_SOURCE]

It reads closed files, leaves a prepared one, and says on its standard output what came of it. It ends with the daemon: when its standard
input does.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import msgspec
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol

from securehub.store.files import RealDirectory
from securehub.store.fold import Folded, NotWritten, Order, fold
from securehub.store.keys import NoKey, find
from securehub.store.recovery import CannotStart

if TYPE_CHECKING:
    from twisted.python.failure import Failure

NICENESS = 10
"""Whoever waits for the daemon goes first."""

_SAID = 64 * 1024
"""Bytes of what a child says that are kept."""

_encode = msgspec.json.Encoder().encode
_decode: Callable[[bytes], Folded | None] = msgspec.json.Decoder(Folded | None).decode


class FoldFailed(Exception):
    """The child did not do what it should; the text says why, as far as it told."""


class ChildFolder:
    """
    Folds in a child process.

    @param path: the state directory.
    @param key_source: where the keys are, see L{securehub.store.keys.find}.
    """

    def __init__(self, reactor: Any, path: Path, key_source: str = "") -> None:
        self._reactor = reactor
        self._path = path
        self._key_source = key_source
        self._child: _Child | None = None

    def fold(self, order: Order) -> Deferred[Folded | None]:
        """See L{securehub.store.upkeep.Folder}."""
        child = _Child()
        arguments = [sys.executable, "-P", "-m", "securehub.store.child", str(self._path), _encode(order).decode(), self._key_source]
        # What the daemon has imported from the child finds there, too. In the daemon's own directory: then Twisted need not fork, which
        # would copy the tables of all its memory.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self._reactor.spawnProcess(child, sys.executable, arguments, env=environment)
        self._child = child
        return child.ended.addCallback(_result)

    def stop(self) -> Deferred[None]:
        """See L{securehub.store.upkeep.Folder}."""
        return self._child.kill() if self._child is not None else succeed(None)


class _Child(ProcessProtocol):
    """
    A child and what it says.

    @ivar ended: fires with its exit status (None for a signal), output and complaints.
    """

    def __init__(self) -> None:
        self.ended: Deferred[Any] = Deferred()
        self._killed: Deferred[None] = Deferred()
        self._over = False
        self._output = b""
        self._complaints = b""

    def outReceived(self, data: bytes) -> None:
        self._output = (self._output + data)[-_SAID:]

    def errReceived(self, data: bytes) -> None:
        self._complaints = (self._complaints + data)[-_SAID:]

    def processEnded(self, reason: Failure) -> None:
        self._over = True
        self.ended.callback((getattr(reason.value, "exitCode", None), self._output, self._complaints))
        self._killed.callback(None)

    def kill(self) -> Deferred[None]:
        if not self._over:
            assert self.transport is not None
            with suppress(ProcessExitedAlready):
                self.transport.signalProcess("KILL")
        return self._killed


def _result(ended: tuple[int | None, bytes, bytes]) -> Folded | None:
    status, output, complaints = ended
    if status != 0:
        said = complaints.decode(errors="replace").strip().rpartition("\n")[2]
        raise FoldFailed(said or f"the child that folds {'was killed' if status is None else f'ended with status {status}'}")
    return _decode(output)


def main() -> None:
    """
    What runs in the child.

    @raise SystemExit: it could not be done; the text is what the daemon logs.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is meant for the daemon
    with suppress(OSError):  # A service manager may forbid it.
        os.nice(NICENESS)
    Thread(target=_end_with_the_daemon, daemon=True).start()
    try:
        path, order, *source = sys.argv[1:]
        folded = fold(RealDirectory(Path(path), find(*source)), msgspec.json.decode(order, type=Order))
    except (CannotStart, NoKey, NotWritten, OSError) as error:
        raise SystemExit(str(error)) from None
    sys.stdout.buffer.write(_encode(folded))


def _end_with_the_daemon() -> None:
    # Not through sys.stdin, which Python wants to lock when it ends.
    while os.read(0, 1024):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
