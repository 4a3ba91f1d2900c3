"""
The lines of the journal: how a commit is written, chained and read back (docs/store.md tells it to those who want to check).

A line is one JSON object whose last member is C{hash}: SHA-256, in hexadecimal, over the hash of the line before and this line's own
bytes up to C{,"hash"}. So one field is checksum and chain.
"""

from __future__ import annotations

from binascii import hexlify
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Raw

from securehub.store.keys import SEALED_FORMAT, FileKey
from securehub.store.keys import Damaged as Damaged

FORMAT = 1
"""The version of plain files."""

NEWEST_FORMAT = SEALED_FORMAT
"""The newest version that this SecureHub reads."""

FIRST_HASH = b"0" * 64

_MARK = b',"hash":"'
_END = b'"}\n'
_TAIL = len(_MARK) + 64 + len(_END)

HASH = slice(-64 - len(_END), -len(_END))
"""Where the hash is in a line that is whole."""


class Extent(msgspec.Struct, frozen=True):
    """
    The part of a closed segment that counts.

    @ivar bytes: how many, from its beginning.
    @ivar sha256: of these, in hexadecimal.
    """

    serial: int
    bytes: int
    sha256: str


class Counting:
    """The part of a segment that counts, computed while it is written or read."""

    def __init__(self, serial: int) -> None:
        self._serial = serial
        self._bytes = 0
        self._digest = sha256()

    def add(self, content: bytes) -> None:
        self._bytes += len(content)
        self._digest.update(content)

    @property
    def extent(self) -> Extent:
        """Everything that was added until now."""
        return Extent(self._serial, self._bytes, self._digest.hexdigest())


class Header(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    The first line of a segment.

    @ivar format: the version of this format.
    @ivar after: the number of the commit before the first of this segment. What an earlier segment holds beyond it is dead: it was never
        acknowledged.
    @ivar forms: collections and their records' forms (L{securehub.store.records.forms}), as the daemon that wrote it knew them.
    @ivar snapshot: the digest of the snapshot from which the daemon started, if from one.
    @ivar key: the name of the key under which the commits are sealed, if they are.
    @ivar salt: from which the file's own key is made, together with that.
    @ivar previous: the segment before, an L{Extent}, if the daemon that began this one has read or written that. Reading accepts any shape,
        so that a damaged header is found by its hash, and not taken for a segment that was never begun. L{stated} is what it says.
    """

    format: int
    after: int
    at: datetime
    forms: dict[str, int]
    snapshot: str | None = None
    key: str = ""
    salt: str = ""
    previous: Any = None

    @property
    def stated(self) -> Extent | None:
        """The segment before, as far as it is stated in a way that this version understands."""
        try:
            return msgspec.convert(self.previous, Extent, from_attributes=True)
        except msgspec.ValidationError:
            return None


class Commit(msgspec.Struct, frozen=True, omit_defaults=True, gc=False, forbid_unknown_fields=True):
    """
    One commit. A line that says anything else is refused: ignoring it would lose what it says.

    @ivar n: its number; numbers count up by one.
    @ivar synced: the number up to which the journal was known to be on the disk when this line was written.
    @ivar changes: collection, key and record of what was put, in order; null for a record that was deleted.
    @ivar drawn: the highest number drawn for each name.
    @ivar hash: that of its line; empty until there is one.
    """

    n: int
    at: datetime
    synced: int
    changes: list[tuple[str, str, Raw]] = []
    drawn: dict[str, int] = {}
    hash: str = ""


class Group:
    """
    Commits that are written and synced together.

    @ivar at: when the first of them was made.
    @ivar synced: see L{Commit}; the same for all of them.
    @ivar number: of the newest of them; as long as there is none, of the commit before.
    @ivar bodies: each as JSON, still without its hash.
    """

    __slots__ = ("at", "bodies", "number", "synced")

    def __init__(self, at: datetime, synced: int, number: int) -> None:
        self.at = at
        self.synced = synced
        self.number = number
        self.bodies: list[bytes] = []

    def add(self, changes: list[tuple[str, str, Raw]], drawn: dict[str, int], number: int, at: datetime) -> int:
        """
        Take in one more commit, which is encoded at once: its bytes lie together in memory, and the objects that it was made of are freed.

        @return: how many bytes they are.
        """
        body = _encode(Commit(number, at, self.synced, changes, drawn))
        self.bodies.append(body)
        self.number = number
        return len(body)


class _Sealed(msgspec.Struct, frozen=True, gc=False):
    """A sealed commit, as it is stored. What recovery has to know of a damaged line can be read without the key."""

    n: int
    synced: int
    sealed: str


class _Stated(msgspec.Struct, frozen=True, gc=False):
    """What is the same in both kinds of commit."""

    n: int
    synced: int


DELETED = Raw(b"null")
"""Stands in C{changes} for a deleted record."""

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are not the expected JSON."""

_encode = msgspec.json.Encoder().encode
_decode_header = msgspec.json.Decoder(Header).decode
_decode_commit = msgspec.json.Decoder(Commit).decode
_decode_sealed = msgspec.json.Decoder(_Sealed).decode
_decode_stated = msgspec.json.Decoder(_Stated).decode


def seal(content: Header | Commit, before: bytes) -> tuple[bytes, bytes]:
    """
    Write a line.

    @param before: the hash of the line before.

    @return: the line, and its hash.
    """
    return chained(_encode(content), before)


def sealed(body: bytes, number: int, synced: int, key: FileKey) -> bytes:
    """A commit's JSON under a segment's key, as JSON."""
    readable = b'{"n":%d,"synced":%d' % (number, synced)
    return b'%b,"sealed":"%b"}' % (readable, key.seal(number, body[:-1], readable))


def chained(body: bytes, before: bytes) -> tuple[bytes, bytes]:
    """
    Make a line of JSON.

    @param before: the hash of the line before.

    @return: the line, and its hash.
    """
    body = body[:-1]
    digest = hexlify(sha256(before + body).digest())
    return b"%b%b%b%b" % (body, _MARK, digest, _END), digest


def check(line: bytes, before: bytes) -> bytes:
    """
    Check a line against the hash of the one before.

    @return: its own hash.

    @raise Damaged: it is not the line that was written there.
    """
    digest = hexlify(sha256(before + line[:-_TAIL]).digest())
    if not line.endswith(b"%b%b%b" % (_MARK, digest, _END)):
        whole = line[-_TAIL : HASH.start] == _MARK and line.endswith(_END)
        raise Damaged("the line's hash does not fit" if whole else "the line is not whole")
    return digest


def below(line: bytes, heads: Iterable[bytes]) -> bytes | None:
    """The hash of the line on which this one hangs, out of some; None if it hangs on none of them."""
    for head in heads:
        try:
            check(line, head)
        except Damaged:
            continue
        return head
    return None


def begun(content: Iterator[bytes]) -> tuple[bytes, Header] | None:
    """
    The first line of a segment, and what it says; None for a segment that was never begun. A header is synced before anything else is
    written. So if it is damaged and nothing follows it, nothing ever did.

    @raise Damaged: something follows, but the first line is not a header.
    """
    first = next(content, b"")
    try:
        if not first.endswith(b"\n"):
            raise Damaged("the line is not whole")
        return first, header(first)
    except Damaged:
        if next(content, b""):
            raise
        return None


def header(line: bytes) -> Header:
    """
    @raise Damaged: it is not a header.
    """
    try:
        return _decode_header(line)
    except UNREADABLE as error:
        raise Damaged(f"not the first line of a segment: {error}") from None


def commit(line: bytes, key: FileKey | None = None) -> Commit:
    """
    @param key: that of the segment, if its commits are sealed.

    @raise Damaged: it is no commit.
    """
    try:
        return _decode_commit(line) if key is None else _open(_decode_sealed(line), key)
    except UNREADABLE as error:
        raise Damaged(f"not a commit: {error}") from None


def reader(key: FileKey | None) -> Callable[[bytes], Commit]:
    """
    @return: L{commit} in one step, for a start, which reads a million of them. If it is not a commit, it may raise anything.
    """
    return _decode_commit if key is None else partial(commit, key=key)


def number_of(line: bytes) -> int:
    """
    The number of a commit, sealed or not.

    @raise Damaged: it is no commit.
    """
    try:
        return _decode_stated(line).n
    except UNREADABLE as error:
        raise Damaged(f"not a commit: {error}") from None


def stated(line: bytes) -> int:
    """Up to which number a line, sealed or not, states the journal to have been synced; 0 if it is not a commit."""
    try:
        return _decode_stated(line).synced
    except UNREADABLE:
        return 0


def _open(found: _Sealed, key: FileKey) -> Commit:
    opened = key.open(found.n, found.sealed, b'{"n":%d,"synced":%d' % (found.n, found.synced))
    return _decode_commit(opened + b"}")
