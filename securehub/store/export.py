"""
Export and import: all records in one file of plain JSON lines, to be read, filtered or taken elsewhere.

An export is a snapshot, neither sealed nor tied to a directory. The chain of what was exported goes on in what is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import msgspec

from securehub.store import snapshot
from securehub.store.backup import refuse_used
from securehub.store.chain import Broken
from securehub.store.files import RealDirectory
from securehub.store.journal import collections_for
from securehub.store.keys import wrapped
from securehub.store.layout import snapshot_name
from securehub.store.lines import Damaged
from securehub.store.records import Record, decoder, forms
from securehub.store.recovery import newer_form, recover, snapshot_head
from securehub.store.verification import Invariant


def export(directory: RealDirectory, records: Sequence[type[Record]]) -> Iterator[bytes]:
    """
    @return: the bytes of the file.

    @raise CannotStart: see L{recover}.
    """
    known = forms(records)
    found = recover(directory, partial(collections_for, records), known)
    found.forms |= known
    return snapshot.chunks(snapshot_head(found), found.collections.values())


def take_in(
    content: Iterator[bytes],
    name: str,
    directory: RealDirectory,
    records: Iterable[type[Record]],
    invariants: Iterable[Callable[[], Invariant]],
) -> snapshot.Head:
    """
    Make a state directory of an export.

    @param content: the lines of the file.
    @param name: of the file, for the text of errors.

    @raise CannotRestore: there is a journal, which would be lost.
    @raise Broken: the file is not whole, or does not make sense.
    """
    refuse_used(directory)
    first = next(content, b"")
    try:
        head = snapshot.read_head(first)
        if newer := newer_form(head.forms, forms(records)):
            raise Broken(name, 1, f"it holds {newer}")
        rows = list(_checked(snapshot.rows(first, content), name, records, [make() for make in invariants]))
    except Damaged as damage:
        raise Broken(name, 0, str(damage)) from None
    # No segment of this directory is covered by it.
    head = msgspec.structs.replace(head, serial=0)
    directory.write(snapshot_name(head.number), wrapped(snapshot.sealed(head, iter(rows)), directory.keys))
    return head


def _checked(
    rows: Iterator[tuple[snapshot.Row, bytes]], name: str, records: Iterable[type[Record]], invariants: list[Invariant]
) -> Iterator[bytes]:
    decoders = {cls.collection: decoder(cls) for cls in records}
    place = 1
    for place, (row, line) in enumerate(rows, 2):
        raw = bytes(row.record)
        try:
            if row.collection in decoders:
                decoders[row.collection](raw)
            for invariant in invariants:
                invariant.change(row.collection, row.key, raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, KeyError) as error:
            raise Broken(name, place, f"the {row.collection} {row.key!r} cannot be read: {error}") from None
        yield line
    for invariant in invariants:
        if complaint := invariant.complaint():
            raise Broken(name, place, complaint)
