"""
What becomes of old files: the newest snapshots stay, the segments that they cover are put away, and what was put away is removed after its
days.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from securehub.store import lines, snapshot
from securehub.store.files import TEMPORARY, Directory
from securehub.store.keys import NoKey
from securehub.store.layout import ARCHIVE, segment_names, segment_paths, serial_of, snapshot_names
from securehub.store.lines import Damaged

KEPT_SNAPSHOTS = 2
"""The newest, and the one to go back to if that is damaged. The segments after the older one stay where a start looks for them."""

DAY = timedelta(days=1)

LEAP = timedelta(days=60)
"""If no segment was begun for so long, nobody has used the hub, or a clock is wrong."""

DOUBT = timedelta(days=2)
"""For so long after a leap nothing is removed, so that somebody may set the clock right."""


class Doubt:
    """
    Doubts about a clock by which the days of something in the archive are over: for what is removed there is no way back.

    The age of segments is not counted as that of records is (docs/decisions/0116-age-of-records.md): an erasure promises a day.
    """

    def __init__(self) -> None:
        self._known: dict[str, datetime | None] = {}
        self._since: float | None = None

    def about(self, directory: Directory, now: datetime, passed: float) -> timedelta | None:
        """
        @param passed: the seconds that have passed since some moment, whatever the clock is set to.

        @return: over how long a time the clock has leapt not long ago; None if it is to be believed.
        """
        known, self._known = self._known, {}
        since, self._since = self._since, None
        later = None
        # Only as far back as it matters: there may be thousands.
        for path in reversed(segment_paths(directory).values()):
            begun = self._known[path] = known[path] if path in known else _begun(directory, path)
            if begun is None or begun > now:
                continue
            leap = (later or now) - begun
            if leap > LEAP:
                if later is None:
                    # So far the clock alone says so.
                    self._since = passed if since is None else since
                    return leap if passed - self._since < DOUBT.total_seconds() else None
                return leap
            if now - begun >= DOUBT:
                break
            later = begun
        return None


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


def over(directory: Directory, now: datetime, days: int) -> Iterator[str]:
    """
    The segments in the archive whose days are over, oldest first. The days count from the beginning of the segment, because nothing in it
    is older. A segment that does not say when it began goes with the next one that does.

    @return: found one by one, as there may be thousands; each may be removed before the next is asked for.
    """
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
        yield from undated
        yield name
        undated.clear()


def remove(directory: Directory, name: str) -> None:
    """Remove the oldest segment from the archive."""
    # One after the other, so that no crash leaves a gap in the chain: earlier moves and removals are on the disk by now.
    directory.sync_names(ARCHIVE)
    directory.remove(f"{ARCHIVE}/{name}")


def _begun(directory: Directory, name: str) -> datetime | None:
    """When a segment began; None if it does not say, because a power cut has torn its first line, or something has damaged it."""
    try:
        return lines.header(next(directory.lines(name), b"")).at
    except Damaged:
        return None
