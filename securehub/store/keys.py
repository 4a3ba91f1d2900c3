"""
Encryption at rest: the keys, and what is sealed under them.

Journal lines and snapshots can be sealed with AES-256-GCM. Numbers, hashes, and the name of the key stay readable, as they are needed
without the key. The chain covers what is stored, so it can be checked without the key.

No key is used twice with the same nonce. Each file has a key of its own, made from the hub's key and a random salt in the file's first
line; and within a file each sealed thing has a number of its own, which is its nonce.
"""

from __future__ import annotations

import hmac
import os
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SEALED_FORMAT = 2
"""The version of sealed files; plain ones still have version 1."""

_KEY = re.compile(r"[0-9a-fA-F]{64}")
_SALT_BYTES = 16
_NONCE_BYTES = 12


class NoKey(Exception):
    """A key is needed that is not there; the text says which, and where it was looked for."""


class Damaged(Exception):
    """Something is not what was once written."""


class Changed(Damaged):
    """What was sealed has been changed, or is in another place."""


class FileKey:
    """
    The key of one file.

    @ivar number: of what was sealed last; numbers only grow.
    """

    def __init__(self, key: bytes, salt: bytes) -> None:
        # HMAC as the one-block form of HKDF (RFC 5869, 2.3): the hub's key is as random as a key has to be.
        self._cipher = AESGCM(hmac.digest(key, b"securehub file" + salt + b"\x01", sha256))
        self.number = -1

    def seal(self, number: int, content: bytes, beside: bytes = b"") -> bytes:
        """
        @param number: greater than all before in this file; otherwise two things would share a nonce, which would reveal both.
        @param beside: readable text beside it, which must not be changed either.

        @return: base64.
        """
        assert number > self.number, (number, self.number)
        self.number = number
        return b64encode(self._cipher.encrypt(number.to_bytes(_NONCE_BYTES, "big"), content, beside))

    def open(self, number: int, sealed: str | bytes, beside: bytes = b"") -> bytes:
        """
        @raise Changed: this was not sealed under that number.
        """
        try:
            return self._cipher.decrypt(number.to_bytes(_NONCE_BYTES, "big"), b64decode(sealed, validate=True), beside)
        except (InvalidTag, ValueError):
            raise Changed("what is sealed in it has been changed") from None


class Keys(NamedTuple):
    """
    The hub's keys.

    @ivar current: that under which new files are sealed; empty to leave them plain.
    @ivar older: those that may be needed to read older files.
    @ivar source: where they come from, to be told when one is missing.
    @ivar randbytes: where salts come from.
    """

    current: bytes = b""
    older: tuple[bytes, ...] = ()
    source: str = ""
    randbytes: Callable[[int], bytes] = os.urandom

    def for_new_file(self) -> tuple[str, str, FileKey]:
        """
        @return: the name of the current key and a fresh salt, which belong in the file's first line, and the file's key.
        """
        salt = self.randbytes(_SALT_BYTES)
        return name_of(self.current), salt.hex(), FileKey(self.current, salt)

    def for_file(self, name: str, salt: str) -> FileKey:
        """
        The key of a file that is there.

        @raise NoKey: its key is not among these.
        """
        return FileKey(self._named(name), bytes.fromhex(salt))

    def under(self, name: str) -> Keys:
        """
        These keys, with the named one as the current one; with an empty name there is no current key.

        @raise NoKey: it is not among these.
        """
        return self._replace(current=self._named(name) if name else b"", older=(self.current, *self.older))

    def _named(self, name: str) -> bytes:
        for key in (self.current, *self.older):
            if key and name_of(key) == name:
                return key
        if not self.current:
            raise NoKey(f"it is sealed under the key {name}, and this hub is given no key: see the setting seal_key")
        raise NoKey(f"it is sealed under the key {name}; {self.source} has {', '.join(map(name_of, (self.current, *self.older)))}")


PLAIN = Keys()
"""No key: nothing is sealed."""


def name_of(key: bytes) -> str:
    """The name of a key, which reveals nothing of the key."""
    return sha256(b"securehub store key" + key).hexdigest()[:16]


def find(source: str = "", *, beside: Path | None = None) -> Keys:
    """
    Fetch the keys from where a setting says that they are.

    @param source: C{file:PATH}, C{env:NAME}, or C{credential:NAME} of a systemd unit; empty for no key. That place has keys of 64
        hexadecimal digits, separated by blanks or line ends: first the current one, then older ones.
    @param beside: the state directory, in which a key would be useless: a thief would take both.

    @raise NoKey: there is none, or what is there is not a key.
    """
    if not source:
        return PLAIN
    kind, _, place = source.partition(":")
    try:
        if kind == "file":
            if beside is not None and beside.resolve() in Path(place).resolve().parents:
                raise NoKey(f"seal_key = {source}: a key must not lie in the state directory, which it is to protect")
            text = Path(place).read_text("ascii")
        elif kind == "env":
            text = os.environ[place]
        elif kind == "credential":
            text = Path(os.environ["CREDENTIALS_DIRECTORY"], place).read_text("ascii")
        else:
            raise NoKey(f"seal_key = {source}: expected file:PATH, env:NAME or credential:NAME")
    except KeyError as error:
        raise NoKey(f"seal_key = {source}: there is no environment variable {error.args[0]}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise NoKey(f"seal_key = {source}: {getattr(error, 'strerror', None) or 'it is no text'}") from None
    words = text.split()
    # The text is never quoted: it may be a key with one digit too few.
    if not words or not all(map(_KEY.fullmatch, words)):
        raise NoKey(f"seal_key = {source}: expected keys of 64 hexadecimal digits, such as `openssl rand -hex 32` makes")
    current, *older = map(bytes.fromhex, words)
    return Keys(current, tuple(older), source)


class _First(msgspec.Struct, frozen=True):
    """The first line of a sealed file."""

    format: int
    key: str
    salt: str


class _Piece(msgspec.Struct, frozen=True):
    """A line of a sealed file with some of its content."""

    sealed: str


class _Last(msgspec.Struct, frozen=True):
    """The last line of a sealed file: how many pieces there were, and the SHA-256 of all bytes before."""

    pieces: int
    digest: str


_encode = msgspec.json.Encoder().encode
_decode_first = msgspec.json.Decoder(_First).decode
_decode_piece = msgspec.json.Decoder(_Piece).decode
_decode_last = msgspec.json.Decoder(_Last).decode


def wrapped(chunks: Iterable[bytes], keys: Keys) -> Iterator[bytes]:
    """
    A file as it is stored: sealed in pieces, or, if there is no key, plain.

    @param chunks: its content, each chunk of whole lines.
    """
    if not keys.current:
        yield from chunks
        return
    name, salt, key = keys.for_new_file()
    digest = sha256()
    count = 0
    line = _encode(_First(SEALED_FORMAT, name, salt)) + b"\n"
    for chunk in chunks:
        digest.update(line)
        yield line
        line = b'{"sealed":"%b"}\n' % key.seal(count, chunk)
        count += 1
    digest.update(line)
    yield line
    yield _encode(_Last(count, digest.hexdigest())) + b"\n"


def unwrapped(lines: Iterator[bytes], keys: Keys) -> Iterator[bytes]:
    """
    The lines of a file's content, sealed or not.

    @raise NoKey: it is sealed under a key that is not there.
    @raise Changed: it is not whole.
    """
    line = next(lines, b"")
    try:
        first = _decode_first(line)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        yield from chain([line] if line else [], lines)
        return
    if first.format > SEALED_FORMAT:
        raise Changed(f"it has format {first.format}; this SecureHub reads up to {SEALED_FORMAT}")
    try:
        key = keys.for_file(first.key, first.salt)
    except ValueError as error:
        raise Changed(f"line 1: {error}") from None
    digest = sha256(line)
    count = 0
    last: _Last | None = None
    try:
        for line in lines:
            if last is not None:
                raise Changed("something follows its last line")
            if line.startswith(b'{"sealed"'):
                digest.update(line)
                yield from key.open(count, _decode_piece(line).sealed).splitlines(keepends=True)
                count += 1
            else:
                last = _decode_last(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Changed(f"line {count + 2}: {error}") from None
    if last is None or last.pieces != count or last.digest != digest.hexdigest():
        raise Changed("it is not whole")


def check_sealed(lines: Iterator[bytes]) -> None:
    """
    Check the bytes of a sealed file, which needs no key.

    @raise Changed: it is not whole.
    """
    count, digest, last = before_last(lines)
    try:
        end = _decode_last(last)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Changed(f"the last line: {error}") from None
    if (end.pieces, end.digest) != (count - 1, digest):
        raise Changed("it is not whole")


def before_last(lines: Iterable[bytes]) -> tuple[int, str, bytes]:
    """
    Of a file whose last line vouches for the others.

    @return: how many those are, their SHA-256 in hexadecimal, and the last line.
    """
    digest, count, last = sha256(), -1, b""
    for line in lines:
        digest.update(last)
        count += 1
        last = line
    return count, digest.hexdigest(), last
