"""Drills: a backup that nobody has ever opened is only a hope. A drill opens the newest one as a start would, and reports the result."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from securehub.store.backup import backups, check_files
from securehub.store.chain import Broken
from securehub.store.files import RealDirectory
from securehub.store.keys import Keys, NoKey
from securehub.store.records import Record, forms
from securehub.store.recovery import CannotStart, Collections, recover
from securehub.store.verification import Invariant, verify

RESULT = "drill.json"


class Drill(msgspec.Struct, frozen=True):
    """
    What came of the last drill.

    @ivar backup: the name of the backup.
    @ivar passed: whether it can be relied upon.
    @ivar why: if not, why not.
    @ivar number: of the last commit in it.
    @ivar seconds: how long it took to open it; a restored hub would take at least as long to start.
    """

    at: datetime
    backup: str
    passed: bool
    why: str
    number: int
    seconds: float


def drill(
    target: Path, keys: Keys, records: Iterable[type[Record]], invariants: Iterable[Callable[[], Invariant]], *, at: datetime | None = None
) -> Drill:
    """
    Open the newest backup, replay it, verify it, and note the result beside it.

    @param target: where backups are kept.

    @raise NoKey: it is sealed, and the key is not there.
    """
    at = at or datetime.now(UTC)
    found = backups(target)
    if not found:
        result = Drill(at, "", False, "there is no backup", 0, 0)
    else:
        number, seconds, why = 0, 0.0, ""
        try:
            number, seconds = _open(found[-1], keys, list(records), invariants)
        except (Broken, CannotStart, NoKey) as fault:
            why = str(fault)
        result = Drill(at, found[-1].name, not why, why, number, round(seconds, 3))
    if not target.is_dir():
        # The directory for backups is made with the first of them; if this one is missing, it may be a mistake, or a disk that is away.
        return result
    try:
        _note(target, result)
    except OSError as fault:
        # The result is reported nevertheless: backups may be on a disk that takes no writes.
        if fault.errno != errno.EROFS:
            raise
    return result


def last(target: Path) -> Drill | None:
    """What came of the last drill on the backups of a directory; None if there was none, or nobody can tell."""
    try:
        return msgspec.json.decode((target / RESULT).read_bytes(), type=Drill)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _open(path: Path, keys: Keys, records: list[type[Record]], invariants: Iterable[Callable[[], Invariant]]) -> tuple[int, float]:
    backup = check_files(path)
    directory = RealDirectory(path, keys)
    begun = time.monotonic()
    state = recover(directory, Collections, forms(records))
    seconds = time.monotonic() - begun
    if (state.number, state.head.decode()) != (backup.number, backup.head):
        raise Broken(path.name, 0, f"it opens at commit {state.number}, and was made at {backup.number}")
    del state  # Verifying needs as much memory again, and there may be room for all records only once.
    verify(directory, records, invariants)
    return backup.number, seconds


def _note(target: Path, result: Drill) -> None:
    RealDirectory(target).write(RESULT, [msgspec.json.encode(result) + b"\n"])
