"""
The vault: small secrets that have to be read again, and so cannot be kept as digests.

They are stored sealed, with AES-256-GCM under a key of the hub's own. The key lies in a file of the state directory that only the daemon's
user may read, made at the first start, and belongs in no backup: the records alone do not suffice to open them.
"""

from __future__ import annotations

import hmac
import re
from hashlib import sha256
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from twisted.logger import Logger

from securehub.store.files import Directory

_log = Logger()

KEY_FILE = "vault.key"

_KEY = re.compile(rb"([0-9a-f]{64})\s*")
_NAME_BYTES = 8
_NONCE_BYTES = 12


class Random(Protocol):
    """Where keys, nonces and tokens come from."""

    def randbytes(self, n: int, /) -> bytes: ...


class BadKey(Exception):
    """The key file is there, but is not a key; the text says which file, and what to do."""


class CannotOpen(Exception):
    """It was sealed under another key or for another purpose, or has been changed; the text says which."""


class Vault:
    """
    Seals and opens.

    What is sealed is 8 bytes that name the key, 12 of a nonce, and the ciphertext with its tag. The purpose for which it was sealed is
    part of what the tag protects, so what was sealed for one member cannot be passed off as another's.
    """

    def __init__(self, directory: Directory, random: Random) -> None:
        self._directory = directory
        self._random = random
        self._key = b""
        self._name = b""

    def load(self, *, first_start: bool) -> None:
        """
        Read the key, and make it if there is none.

        @param first_start: nothing can have been sealed yet.

        @raise BadKey: the file is not a key.
        """
        if KEY_FILE in self._directory.names():
            found = _KEY.fullmatch(b"".join(self._directory.lines(KEY_FILE)))
            if found is None:
                raise BadKey(
                    f"{KEY_FILE} in the state directory is not a key of 64 hexadecimal digits. Put the right one back; or move this one "
                    "away, and a new one is made, which opens nothing that was sealed before"
                )
            self._key = bytes.fromhex(found[1].decode())
        else:
            self._key = self._random.randbytes(32)
            self._directory.write(KEY_FILE, [self._key.hex().encode() + b"\n"])
            if not first_start:
                _log.warn(
                    "There was no {file}, so a new one was made. Secrets of one-time codes that were sealed under an earlier one cannot "
                    "be opened: their members need a recovery code, or admin.otp_disable. If you have the earlier one, put it back and "
                    "restart.",
                    file=KEY_FILE,
                )
        self._name = sha256(b"securehub vault key" + self._key).digest()[:_NAME_BYTES]

    def seal(self, secret: bytes, purpose: str) -> bytes:
        """
        @param purpose: what it is, and whose; needed to open it again.
        """
        nonce = self._random.randbytes(_NONCE_BYTES)
        return self._name + nonce + AESGCM(self._key).encrypt(nonce, secret, purpose.encode())

    def open(self, sealed: bytes, purpose: str) -> bytes:
        """
        @raise CannotOpen: this key does not open it, or it was sealed for something else.
        """
        name, nonce, content = sealed[:_NAME_BYTES], sealed[_NAME_BYTES:][:_NONCE_BYTES], sealed[_NAME_BYTES + _NONCE_BYTES :]
        if name != self._name:
            raise CannotOpen(f"{purpose} was sealed under another key than the one in {KEY_FILE}")
        try:
            return AESGCM(self._key).decrypt(nonce, content, purpose.encode())
        except (InvalidTag, ValueError):
            raise CannotOpen(f"{purpose} is not what was sealed for it") from None

    def mark(self, secret: str) -> bytes:
        """The same 16 bytes for the same secret, which reveal nothing of it without the key."""
        return hmac.digest(self._key, b"securehub mark" + secret.encode(), sha256)[:16]
