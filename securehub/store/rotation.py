"""
Which keys are still needed: for what a start reads, for the archive, and for the backups.

A file keeps its key for life. So a key that was changed can be thrown away when the last file under it has gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from securehub.store import lines
from securehub.store.backup import backups
from securehub.store.files import Directory, RealDirectory
from securehub.store.keys import Keys, name_of
from securehub.store.layout import ARCHIVE, files_of_a_start, segment_names, snapshot_names
from securehub.store.lines import Damaged

PLAIN_NAME = ""
"""In place of a key's name, for files that are not sealed."""


class Use(msgspec.Struct):
    """
    What one key is needed for.

    @ivar key: its name; empty for what is not sealed.
    @ivar current: whether the newest of the journal's files is sealed under it, and so the next ones, until the key is changed.
    @ivar there: whether it is among the keys.
    @ivar snapshots: how many snapshots are sealed under it.
    @ivar journal: how many segments outside of the archive.
    @ivar archive: how many segments in the archive.
    @ivar gone_at: when the last of these segments leaves the archive; None if there are none, or new ones come.
    @ivar backups: how many backups have a file under it.
    """

    key: str
    current: bool
    there: bool
    snapshots: int = 0
    journal: int = 0
    archive: int = 0
    gone_at: datetime | None = None
    backups: int = 0


class _First(msgspec.Struct, frozen=True):
    """What the first lines of segments and snapshots have in common."""

    key: str = PLAIN_NAME


_decode = msgspec.json.Decoder(_First).decode


def key_of(directory: Directory, name: str) -> str | None:
    """
    The name of the key under which a file is sealed, empty if it is not; None for one that was never begun, or has gone.
    """
    try:
        line = next(directory.lines(name), b"")
        return _decode(line).key if line.endswith(b"\n") else None
    except (msgspec.MsgspecError, UnicodeDecodeError, FileNotFoundError):
        return None


def current_name(keys: Keys) -> str:
    """The name of the key of new files."""
    return name_of(keys.current) if keys.current else PLAIN_NAME


def uses(directory: Directory, target: Path, archive_days: int) -> list[Use]:
    """
    What each key is needed for, the current one first.

    @param target: where backups are kept.
    """
    keys = directory.keys
    there = {name_of(key) for key in (keys.current, *keys.older) if key} | {PLAIN_NAME}
    here = directory.names()
    segments = list(_keys(directory, segment_names(here)))
    # The first of the keys may only be prepared: a daemon goes on under the one that it has, until it is told to change.
    current = segments[-1][1] if segments else current_name(keys)
    found: dict[str, Use] = {}

    def use(name: str) -> Use:
        return found.setdefault(name, Use(name, name == current, name in there))

    use(current)
    for _, key in _keys(directory, snapshot_names(here)):
        use(key).snapshots += 1
    for name, key in segments:
        use(key).journal += 1
        _note_day(use(key), directory, name, archive_days)
    for name, key in _keys(directory, [f"{ARCHIVE}/{name}" for name in segment_names(directory.names(ARCHIVE))]):
        use(key).archive += 1
        _note_day(use(key), directory, name, archive_days)
    for path in backups(target) if target.is_dir() else ():
        backup = RealDirectory(path)
        for key in {key for _, key in _keys(backup, files_of_a_start(backup))}:
            use(key).backups += 1
    return sorted(found.values(), key=lambda each: not each.current)


def described(use: Use) -> str:
    """In a line."""
    counts = {
        "snapshots": use.snapshots,
        "journal files": use.journal,
        "archived files": use.archive,
        "backups": use.backups,
    }
    parts = ["current"] if use.current else []
    parts += [f"{count} {what}" for what, count in counts.items() if count]
    if use.gone_at is not None:
        parts.append(f"files gone by {use.gone_at:%Y-%m-%d}")
    if not use.there:
        parts.append("this key is not there")
    return ", ".join(parts)


def _keys(directory: Directory, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    for name in names:
        key = key_of(directory, name)
        if key is not None:
            yield name, key


def _note_day(use: Use, directory: Directory, name: str, days: int) -> None:
    if use.current:
        return
    try:
        gone_at = lines.header(next(directory.lines(name), b"")).at + timedelta(days=days)
    except (Damaged, FileNotFoundError):
        return
    use.gone_at = max(gone_at, use.gone_at or gone_at)
