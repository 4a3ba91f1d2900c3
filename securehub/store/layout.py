"""
What lies in a state directory: how segments and snapshots are named, and where each of them is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from securehub.store.files import Directory

ARCHIVE = "archive"
"""The folder of segments that are no longer needed for a start."""

_SEGMENT = re.compile(r"journal-([0-9]{15})-([0-9]{4,})\.jsonl")
_SNAPSHOT = re.compile(r"snapshot-([0-9]{15})\.jsonl")


def segment_name(after: int, serial: int) -> str:
    """
    @param after: the number of the last commit before it.
    @param serial: counts all segments of the journal; later ones have greater serials.
    """
    return f"journal-{after:015d}-{serial:04d}.jsonl"


def snapshot_name(number: int) -> str:
    """
    @param number: of the last commit that it covers.
    """
    return f"snapshot-{number:015d}.jsonl"


def serial_of(segment: str) -> int:
    """The serial in a segment's name."""
    found = _SEGMENT.fullmatch(segment)
    assert found is not None, segment
    return int(found[2])


def number_of(snapshot: str) -> int:
    """The number in a snapshot's name."""
    found = _SNAPSHOT.fullmatch(snapshot)
    assert found is not None, snapshot
    return int(found[1])


def segment_names(names: Iterable[str]) -> list[str]:
    """The segments among the files, in the order in which they were written."""
    return sorted(filter(_SEGMENT.fullmatch, names), key=serial_of)


def snapshot_names(names: Iterable[str]) -> list[str]:
    """The snapshots among the files, the newest last."""
    return sorted(filter(_SNAPSHOT.fullmatch, names))


def segment_paths(directory: Directory) -> dict[str, str]:
    """
    Where each segment is, in the archive or outside, by its name and in the order in which they were written. One that is in both places
    counts as outside.
    """
    # Outside first: what a daemon puts away meanwhile is then found twice, and not missed.
    here, put_away = directory.names(), directory.names(ARCHIVE)
    paths = {name: f"{ARCHIVE}/{name}" for name in put_away} | {name: name for name in here}
    return {name: paths[name] for name in segment_names(paths)}


def files_of_a_start(directory: Directory) -> list[str]:
    """Snapshots and segments outside of the archive: what a start reads, or goes back to when something is damaged."""
    names = directory.names()
    return snapshot_names(names) + segment_names(names)


def journal_bytes(directory: Directory) -> int:
    """The size of all segments outside of the archive."""
    return sum(map(directory.size, segment_names(directory.names())))
