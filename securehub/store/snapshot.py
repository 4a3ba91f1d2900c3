"""
Snapshots: all records at one commit, in one file, so that a start need not replay all that ever happened.

A file of JSON lines: a head, a line C{[collection, key, record]} for each record (with a fourth member, the age in seconds at which its
generation began, where records expire), and a last line with their number and the SHA-256 of all bytes before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from hashlib import sha256
from itertools import chain, islice
from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw

from securehub.store.age import Age
from securehub.store.collection import SHIFT, Collection, ExpiringCollection
from securehub.store.keys import NoKey, before_last, check_sealed, unwrapped
from securehub.store.lines import FORMAT, UNREADABLE, Damaged

if TYPE_CHECKING:
    from securehub.store.files import Directory

_BATCH = 1024


class Head(msgspec.Struct, frozen=True):
    """
    The first line.

    @ivar number: of the last commit that it covers.
    @ivar serial: of the last segment that it covers; only later ones are replayed.
    @ivar hash: of the journal's newest line at that moment.
    @ivar at: the newest time that any record can have.
    @ivar drawn: the highest number drawn for each name.
    @ivar age: of the records that vanish by themselves; None where an older version wrote it.
    """

    format: int
    number: int
    serial: int
    hash: str
    at: datetime
    forms: dict[str, int]
    drawn: dict[str, int]
    age: Age | None = None


class _End(msgspec.Struct, frozen=True):
    records: int
    digest: str


class Row(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """
    A record.

    @ivar began: the age at which its generation began, where records expire.
    """

    collection: str
    key: str
    record: Raw
    began: int = 0


_encode = msgspec.json.Encoder().encode
_decode_head = msgspec.json.Decoder(Head).decode
_decode_end = msgspec.json.Decoder(_End).decode
_decode_row = msgspec.json.Decoder(Row).decode


def chunks(head: Head, collections: Iterable[Collection | ExpiringCollection]) -> Iterator[bytes]:
    """The bytes of a snapshot file, in pieces of some hundred kilobytes; the last one ends with the digest."""
    return sealed(head, (row for collection in collections for row in _rows(collection)))


def sealed(head: Head, rows: Iterator[bytes]) -> Iterator[bytes]:
    """As L{chunks}, of lines that are written already."""
    digest = sha256()
    count = 0
    piece = _encode(head) + b"\n"
    while piece:
        digest.update(piece)
        yield piece
        batch = list(islice(rows, _BATCH))
        count += len(batch)
        piece = b"".join(batch)
    yield _encode(_End(count, digest.hexdigest())) + b"\n"


def row(collection: bytes, key: str, record: bytes, began: int | None = None) -> bytes:
    """
    The line of a record.

    @param collection: its name, as JSON.
    @param began: the age in seconds, where records expire.
    """
    if began is None:
        return b"[%b,%b,%b]\n" % (collection, _encode(key), record)
    return b"[%b,%b,%b,%d]\n" % (collection, _encode(key), record, began)


def load(lines: Iterator[bytes], collection_of: Callable[[str], Collection | ExpiringCollection]) -> tuple[Head, str]:
    """
    Read a snapshot into collections.

    @return: its head, and its digest.

    @raise Damaged: it is not whole. What has been loaded by then is useless.
    """
    digest = sha256()
    head = None
    count = 0
    end: _End | None = None
    try:
        for line in lines:
            if end is not None:
                raise Damaged("something follows its last line")
            if line.startswith(b"["):
                row = _decode_row(line)
                collection = collection_of(row.collection)
                if isinstance(collection, ExpiringCollection):
                    collection.expire(row.began)
                collection.parts[hash(row.key) >> SHIFT][row.key] = b"" + row.record  # bytes() takes twice as long
                count += 1
                digest.update(line)
            elif head is None:
                head = read_head(line)
                digest.update(line)
            else:
                end = _decode_end(line)
    except UNREADABLE as error:
        raise Damaged(f"line {count + 2}: {error}") from None
    if head is None or end is None or end.records != count or end.digest != digest.hexdigest():
        raise Damaged("it is not whole")
    return head, end.digest


def stored(directory: Directory, name: str) -> Iterator[bytes]:
    """
    The lines of a snapshot, sealed or not.

    @raise NoKey: it is sealed under a key that is not there.
    @raise Damaged: it is not whole.
    """
    return unwrapped(directory.lines(name), directory.keys)


def damage(directory: Directory, name: str, fault: NoKey | Damaged) -> Damaged | None:
    """
    What is damaged in a snapshot that cannot be read; None if it is whole, and only a key is missing. To tell this, all of it is read: the
    name of the key may be damaged.
    """
    if isinstance(fault, Damaged):
        return fault
    try:
        check_sealed(directory.lines(name))
    except Damaged as found:
        return found
    return None


def read_head(line: bytes) -> Head:
    """
    The first line.

    @raise Damaged: it is not a head, or has a newer format.
    """
    try:
        head = _decode_head(line)
    except UNREADABLE as error:
        raise Damaged(f"line 1: {error}") from None
    if head.format > FORMAT:
        raise Damaged(f"it has format {head.format}; this SecureHub reads up to {FORMAT}")
    return head


def rows(head: bytes, rest: Iterator[bytes]) -> Iterator[tuple[Row, bytes]]:
    """
    The records after the first line, one after the other, each with its own line. When all are taken, they are known to be what was
    written.

    @raise Damaged: it is not whole.
    """
    digest = sha256(head)
    count = 0
    line = b""
    try:
        for line in rest:
            if not line.startswith(b"["):
                break
            digest.update(line)
            count += 1
            yield _decode_row(line), line
        end = _decode_end(line)
    except UNREADABLE as error:
        raise Damaged(f"line {count + 2}: {error}") from None
    if end.records != count or end.digest != digest.hexdigest() or next(rest, None) is not None:
        raise Damaged("it is not whole")


def check(lines: Iterator[bytes]) -> tuple[Head, str]:
    """
    Read a snapshot without keeping anything of it.

    @return: its head, and its digest.

    @raise Damaged: it is not whole.
    """
    first = next(lines, b"")
    head = read_head(first)
    count, digest, last = before_last(chain([first], lines))
    try:
        end = _decode_end(last)
    except UNREADABLE as error:
        raise Damaged(f"the last line: {error}") from None
    if (end.records, end.digest) != (count - 1, digest):
        raise Damaged("it is not whole")
    return head, end.digest


def _rows(collection: Collection | ExpiringCollection) -> Iterator[bytes]:
    name = _encode(collection.name)
    if isinstance(collection, ExpiringCollection):
        for began, key, raw in collection.items():
            yield row(name, key, raw, began)
    else:
        for key, raw in collection.items():
            yield row(name, key, raw)
