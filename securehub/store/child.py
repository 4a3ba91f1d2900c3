"""
The child process that folds: how the daemon starts it, and what runs in it.

    python -P -m securehub.store.child DIR ORDER [KEY_SOURCE]

It reads closed files, leaves a prepared one, and prints the result on its standard output. When the daemon ends, so does its standard
input, and it ends, too.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, succeed

from securehub.store.files import RealDirectory
from securehub.store.fold import Folded, NotWritten, Order, fold
from securehub.store.keys import NoKey, find
from securehub.store.process import Ended, Process, begin, give_way
from securehub.store.recovery import CannotStart

_encode = msgspec.json.Encoder().encode
_decode: Callable[[bytes], Folded | None] = msgspec.json.Decoder(Folded | None).decode


class FoldFailed(Exception):
    """The child did not do what it should; the text says why, as far as the child has said."""


class ChildFolding:
    """
    Folds in a child process.

    @param path: the state directory.
    @param key_source: where the keys are, see L{securehub.store.keys.find}.
    """

    def __init__(self, reactor: Any, path: Path, key_source: str = "") -> None:
        self._reactor = reactor
        self._path = path
        self._key_source = key_source
        self._child: Process | None = None

    def fold(self, order: Order) -> Deferred[Folded | None]:
        """See L{securehub.store.upkeep.Folding}."""
        child = begin(self._reactor, "securehub.store.child", str(self._path), _encode(order).decode(), self._key_source)
        self._child = child
        return child.ended.addCallback(_result)

    def stop(self) -> Deferred[None]:
        """See L{securehub.store.upkeep.Folding}."""
        return self._child.kill() if self._child is not None else succeed(None)


def _result(ended: Ended) -> Folded | None:
    if ended.status != 0:
        how = "was killed" if ended.status is None else f"ended with status {ended.status}"
        raise FoldFailed(ended.complaint or f"the child that folds {how}")
    return _decode(ended.output)


def main() -> None:
    """
    What runs in the child.

    @raise SystemExit: it could not be done; the text is what the daemon logs.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is meant for the daemon
    give_way()
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
