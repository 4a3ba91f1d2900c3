"""
What becomes of old files: the newest snapshots stay, the segments that they cover are put away, and what was put away is removed after its
days.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from securehub.store import lines, snapshot
from securehub.store.files import TEMPORARY, Directory
from securehub.store.keys import NoKey
from securehub.store.layout import ARCHIVE, segment_names, serial_of, snapshot_names
from securehub.store.lines import Damaged

KEPT_SNAPSHOTS = 2
"""The newest, and the one to go back to if that is damaged. The segments after the older one stay where a start looks for them."""

DAY = timedelta(days=1)


def put_away(directory: Directory) -> None:
    """
    Remove snapshots that are no longer of use, and move the segments that all remaining ones cover into the archive.

    To be called when the newest snapshot has been found whole, and not before.

    @raise OSError: some of it could not be done; another call does the rest.
    """
    names = directory.names()
    snapshots = snapshot_names(names)
    for name in snapshots[:-KEPT_SNAPSHOTS]:
        directory.remove(name)
    if len(snapshots) < KEPT_SNAPSHOTS:
        return
    try:
        covered = snapshot.read_head(next(snapshot.stored(directory, snapshots[-KEPT_SNAPSHOTS]), b"")).serial
    except (Damaged, NoKey):
        return
    directory.put_away([name for name in segment_names(names) if serial_of(name) <= covered], ARCHIVE)


def sweep(directory: Directory) -> None:
    """Remove what a child that was ended has left of its snapshot. To be called when nobody writes one."""
    for name in directory.names():
        if name.startswith("snapshot-") and name.endswith(TEMPORARY):
            directory.remove(name)


def prune(directory: Directory, now: datetime, days: int) -> list[str]:
    """
    Remove segments from the archive whose days are over. The days count from the beginning of the segment, because nothing in it is older.
    A segment that does not say when it began goes with the next one that does.

    @return: the names of those that were removed.
    """
    removed: list[str] = []
    undated: list[str] = []
    # A segment that a crash has left outside is moved in first, with the next snapshot; otherwise the chain would have a gap after it.
    outside = min(map(serial_of, segment_names(directory.names())), default=0)
    for name in segment_names(directory.names(ARCHIVE)):
        if serial_of(name) > outside:
            break
        begun = _begun(directory, f"{ARCHIVE}/{name}")
        if begun is None:
            undated.append(name)
            continue
        if now - begun < days * DAY:
            break
        for each in (*undated, name):
            # One after the other, so that no crash leaves a gap in the chain: earlier moves and removals are on the disk by now.
            directory.sync_names(ARCHIVE)
            directory.remove(f"{ARCHIVE}/{each}")
            removed.append(each)
        undated.clear()
    return removed


def _begun(directory: Directory, name: str) -> datetime | None:
    """When a segment began; None if it does not say, because a power cut has torn its first line, or something has damaged it."""
    try:
        return lines.header(next(directory.lines(name), b"")).at
    except Damaged:
        return None
