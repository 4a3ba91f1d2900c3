"""
Records: what the store keeps.

A record is a frozen struct of plain values. It carries the name of its collection and the version of its form. A new field gets a
default, so that older records still load; any other change raises the version and comes with a function from the one before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, ClassVar, TypeVar

import msgspec


class Record(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """
    The base of all records.

    @cvar collection: where records of this class are kept; one class each.
    @cvar version: the version of the form. From version 2 on it is written in front of the fields.
    @cvar upgrades: for each older version, a function from its fields to those of the next.
    @cvar lifetime: seconds for which a record is surely kept; after it, it may vanish by itself. Such records cannot be scanned.
    @cvar scanned: whether they are ever scanned. Records that are only got by their keys need no order, which saves time and memory.
    """

    collection: ClassVar[str]
    version: ClassVar[int] = 1
    upgrades: ClassVar[dict[int, Callable[[dict[str, Any]], dict[str, Any]]]] = {}
    lifetime: ClassVar[int | None] = None
    scanned: ClassVar[bool] = True

    def beneath(self) -> Sequence[str]:
        """
        The parents beneath which the record is found, besides by its key; a class that overrides this is scanned by C{tx.beneath}.

        So a record that belongs to several (a transfer to two accounts) is kept only once.
        """
        return ()


@cache
def refuse_unfit(cls: type[Record]) -> None:
    """
    Find a class whose records could not be kept, before any is.

    @raise TypeError: saying what is wrong with it.
    """
    if not (isinstance(cls, type) and issubclass(cls, Record)):
        raise TypeError("it is no class of records")
    if not isinstance(getattr(cls, "collection", None), str):
        raise TypeError("it has no collection")
    missing = [older for older in range(1, cls.version) if older not in cls.upgrades]
    if missing:
        raise TypeError(f"it is version {cls.version}, and has no upgrade from version {missing[0]}")
    if "v" in cls.__struct_encode_fields__:
        raise TypeError("it has a field v, which is where the version stands")
    try:
        decoder(cls)
    except NameError as error:
        raise TypeError(str(error)) from None


def number_key(number: int) -> str:
    """The key of a record with a number of up to 15 digits: such keys are in the order of the numbers."""
    return f"{number:015d}"


def behind(key: str) -> str:
    """Where the keys after this one start; if it is empty, all of them. No key has a character that comes before the blank."""
    return f"{key} " if key else ""


def further(found: Sequence[tuple[str, Any]], limit: int) -> str | None:
    """The key after which to go on; None if fewer were found than were asked for, so that there are no more."""
    return found[-1][0] if len(found) == limit else None


def forms(records: Iterable[type[Record]]) -> dict[str, int]:
    """
    What files say of the forms of records, by collection: a number that grows with the version, and with each field that is added.

    An older SecureHub cannot read a record with a field that it does not know, although the version is the same. So it has to refuse the
    file at its start, and not single requests later. Older files have only the version.
    """
    return {cls.collection: cls.version * _VERSION_STEP + _fields(cls) for cls in records}


@cache
def _fields(cls: type[Record]) -> int:
    """How many fields a record has, those of the structs in it included."""
    structs = msgspec.json.schema(cls)["$defs"].values()
    return sum(len(struct.get("properties", struct.get("prefixItems", ()))) for struct in structs)


_VERSION_STEP = 1_000
"""More than a record has fields."""

R = TypeVar("R", bound=Record)
Encoder = Callable[[Record], bytes]
Decoder = Callable[[bytes], Any]

_encode = msgspec.json.Encoder().encode
_VERSION = re.compile(rb'\{"v":([0-9]+),?')


def encoder(cls: type[Record]) -> Encoder:
    """The function that encodes records of a class as JSON."""
    if cls.version == 1:
        return _encode
    version = b'{"v":%d' % cls.version

    def encode(record: Record) -> bytes:
        fields = _encode(record)
        return version + (b"}" if fields == b"{}" else b"," + fields[1:])

    return encode


def parents(cls: type[Record]) -> Callable[[bytes], Sequence[str]] | None:
    """The function from an encoded record of a class to its parents; None if the keys say what they are."""
    if cls.beneath is Record.beneath:
        return None
    decode = decoder(cls)

    def parents_of(raw: bytes) -> Sequence[str]:
        found: Sequence[str] = decode(raw).beneath()
        return found

    return parents_of


def version_of(raw: bytes) -> int:
    """The version of an encoded record's form."""
    found = _VERSION.match(raw)
    return int(found[1]) if found else 1


def decoder(cls: type[Record]) -> Decoder:
    """The function that decodes records of a class, of this version of its form or an older one."""
    decode = msgspec.json.Decoder(cls).decode
    if cls.version == 1:
        return decode

    def decode_any(raw: bytes) -> Any:
        found = _VERSION.match(raw)
        version = int(found[1]) if found else 1
        plain = b"{" + raw[found.end() :] if found else raw
        if version == cls.version:
            return decode(plain)
        fields = msgspec.json.decode(plain)
        for older in range(version, cls.version):
            fields = cls.upgrades[older](fields)
        return msgspec.convert(fields, cls)

    return decode_any
