"""
Exactly once: a command that came with a key is carried out for the first request with it, and answered from memory for the others.

The key is looked up and kept in the very transaction of the effect, so there is no moment at which one is there without the other.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from hashlib import sha256
from types import NoneType
from typing import Any, ClassVar

import msgspec
from msgspec import Raw

from securehub.money import Amount
from securehub.refusals import KeyReused
from securehub.reply import MoneyReply
from securehub.store.records import Record
from securehub.store.transaction import Transaction

DAY = 24 * 60 * 60

AT_ONCE = 200
"""Answers that one transaction deletes."""


class Once(Record, frozen=True, array_like=True):
    """
    What a request with a key did, by user and key. It is kept without the names of fields, because there are as many of these records as of
    requests.

    @ivar digest: of the method and its arguments, 16 bytes.
    @ivar result: the answer: the values of the reply's fields, in their order.
    """

    collection: ClassVar[str] = "once"
    lifetime: ClassVar[int | None] = DAY

    digest: bytes
    result: Raw


Key = tuple[str, bytes, Any]
"""Where the record of a request is kept (user and key), the digest of its method and arguments, and the type of its reply."""


def place(user: str, key: str) -> str:
    """Where the record of a user's key is kept."""
    return f"{user}/{key}"


def digest(method: str, values: list[Any]) -> bytes:
    """The same 16 bytes for the same arguments, in either form and however they were written."""
    return sha256(_encode((method, values))).digest()[:16]


def once(tx: Transaction, key: Key, rule: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """
    Run a rule, unless a request with this key has run it before.

    @return: what the rule returned, then or now.

    @raise KeyReused: the key was used for another method or with other arguments.
    """
    kept_at, digest, reply = key
    found = tx.get(Once, kept_at)
    if found is not None:
        if found.digest != digest:
            raise KeyReused(f"the key {kept_at.partition('/')[2]!r} was used for another request; take a new key for a new request")
        return _restored(found.result, reply)
    result = rule(tx, *args, **kwargs)
    assert isinstance(result, reply or NoneType), f"{rule.__qualname__} returned {type(result)}, which is not the reply"
    tx.put(kept_at, Once(digest, _kept(result)))
    return result


async def forget_all(store: Any, others_first: Callable[[], Awaitable[None]], user: str) -> None:
    """
    Forget the answers to all requests of a user. They are kept in no order, so all that is kept is looked through (decision 114).

    @param store: the hub's.
    @param others_first: waits until everybody else has had a turn.
    """
    for keys in store.vanishing(Once, place(user, "")):
        for start in range(0, len(keys), AT_ONCE):
            await store.transact(_forget, keys[start : start + AT_ONCE])
        await others_first()


def _forget(tx: Transaction, keys: list[str]) -> None:
    for key in keys:
        tx.delete(Once, key)


def _kept(result: Any) -> Raw:
    return Raw(_encode_json(None if result is None else msgspec.structs.astuple(result)))


def _restored(kept: Raw, reply: Any) -> Any:
    values = msgspec.json.decode(kept)
    if values is None:
        return None
    # A newer version may have more fields, which have defaults. They come last, except those that all replies about money have.
    names = reply.__struct_encode_fields__
    common = len(MoneyReply.__struct_encode_fields__) if issubclass(reply, MoneyReply) else 0
    own = len(values) - common
    fields = dict(zip((*names[:own], *names[len(names) - common :]), values, strict=True))
    return msgspec.convert(fields, reply)


def _canonical(value: Any) -> Any:
    if isinstance(value, Amount):
        return value.canonical()
    raise NotImplementedError(f"an argument of type {type(value)} cannot be compared")


# Sets and dictionaries are sorted: a set is in another order after a restart, and a dictionary in that of the request.
_encode = msgspec.msgpack.Encoder(enc_hook=_canonical, order="deterministic").encode
_encode_json = msgspec.json.Encoder().encode
