"""
Exactly once: a command that came with a key is carried out for the first request with it, and answered from memory for the others.

The key is looked up and kept in the very transaction of the effect, so there is no moment at which one is there without the other.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any, ClassVar, NamedTuple

import msgspec
from msgspec import Raw

from securehub.money import Amount
from securehub.refusals import KeyReused
from securehub.store.records import Record
from securehub.store.transaction import Transaction

DAY = 24 * 60 * 60


class Once(Record, frozen=True):
    """
    What a request with a key did, by user and key.

    @ivar digest: of the method and its arguments, 16 bytes.
    @ivar result: what it was answered, as JSON.
    """

    collection: ClassVar[str] = "once"
    lifetime: ClassVar[int | None] = DAY

    digest: bytes
    result: Raw


class Key(NamedTuple):
    """
    The key of a request.

    @ivar digest: of the method and its arguments.
    @ivar result: the type of the command's reply.
    """

    user: str
    key: str
    digest: bytes
    result: Any


def digest(method: str, values: list[Any]) -> bytes:
    """The same 16 bytes for the same arguments, in whichever form and way they were written."""
    return sha256(_encode((method, values))).digest()[:16]


def once(tx: Transaction, key: Key, rule: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """
    Run a rule, unless a request with this key has run it before.

    @return: what the rule returned, then or now.

    @raise KeyReused: the key was used for another method or with other arguments.
    """
    place = f"{key.user}/{key.key}"
    found = tx.get(Once, place)
    if found is not None:
        if found.digest != key.digest:
            raise KeyReused(f"the key {key.key!r} was used for another request; take a new key for a new request")
        return msgspec.json.decode(found.result, type=key.result)
    result = rule(tx, *args, **kwargs)
    assert key.result is None or isinstance(result, key.result), f"{rule.__qualname__} returned {type(result)}, which is not the reply"
    tx.put(place, Once(key.digest, Raw(_encode_json(result))))
    return result


def _canonical(value: Any) -> Any:
    if isinstance(value, Amount):
        return value.canonical()
    raise NotImplementedError(f"an argument of type {type(value)} cannot be compared")


_encode = msgspec.msgpack.Encoder(enc_hook=_canonical).encode
_encode_json = msgspec.json.Encoder().encode
