"""
The upgrade path: records of older forms are read as they are, and become new ones when they are put again.

Nobody has to do anything for that. But this tool tells beforehand whether this version can read everything, or brings everything into the
newest form at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import NamedTuple

import msgspec
from msgspec import Raw

from securehub.store import lines
from securehub.store.chain import Broken, Journal
from securehub.store.collection import Collection
from securehub.store.files import Directory
from securehub.store.records import Record, decoder, encoder, forms, version_of
from securehub.store.recovery import Collections, Recovered, recover
from securehub.store.transaction import MAX_RECORDS
from securehub.store.writer import SEGMENT_BYTES, Writer


class Upgrade(NamedTuple):
    """
    What is there, and what becomes of it.

    @ivar formats: how many segments have which version of the format.
    @ivar older: how many records have an older form, by collection.
    @ivar commits: how many bring them all into the newest form.
    """

    formats: dict[int, int]
    older: dict[str, int]
    commits: int


def upgrade(directory: Directory, records: Iterable[type[Record]], *, dry_run: bool, at: datetime | None = None) -> Upgrade:
    """
    Read all records as this version knows them, and put those of an older form again: in commits, so that the chain tells of it.

    @param dry_run: change nothing.

    @raise CannotStart: see L{recover}.
    @raise Broken: a record cannot be read; nothing is changed.
    """
    classes = {cls.collection: cls for cls in records}
    formats = Counter(link.header.format for link in Journal(directory).walk() if link.line == 1)
    state = recover(directory, Collections, forms(classes.values()))
    changes = [change for cls in classes.values() for change in _changes(state.collections[cls.collection], cls)]
    older = Counter(name for name, _, _ in changes)
    commits = -(-len(changes) // MAX_RECORDS)
    if changes and not dry_run:
        _commit(directory, state, forms(classes.values()), changes, at or datetime.now(UTC))
    return Upgrade(dict(formats), dict(older), commits)


def _changes(collection: object, cls: type[Record]) -> Iterator[tuple[str, str, Raw]]:
    """The records of older forms, in the newest form; records that vanish by themselves are left to do so."""
    assert isinstance(collection, Collection)
    decode, encode = decoder(cls), encoder(cls)
    for key, raw in collection.items():
        try:
            record = decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, KeyError) as error:
            raise Broken(cls.collection, 0, f"the record {key!r} cannot be read: {error}") from None
        if version_of(raw) < cls.version and cls.lifetime is None:
            yield cls.collection, key, Raw(encode(record))


def _commit(directory: Directory, state: Recovered, forms: dict[str, int], changes: list[tuple[str, str, Raw]], at: datetime) -> None:
    at = max(at, state.at)
    writer = Writer(directory, state, state.forms | forms, SEGMENT_BYTES)
    writer.begin(at)
    rest = iter(changes)
    number = state.number
    while batch := list(islice(rest, MAX_RECORDS)):
        group = lines.Group(at, number, number)
        number += 1
        group.add(batch, {}, number, at)
        writer.append(group)
