"""
The forms of all records stay what they were when they were first released, as journals of years are read by them.

They stand in C{tests/samples/records.txt}: each collection with its version, and its fields with their defaults, which no journal has,
as what is usual is not written. A new collection, and a new field with a default, is added there. Whatever else differs changes what old
journals say: it takes a new version, with a function that brings older records up to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import NoneType
from typing import Any, NamedTuple, get_args, get_type_hints

import msgspec
from msgspec import NODEFAULT
from msgspec.structs import fields
from twisted.trial.unittest import SynchronousTestCase

from securehub import service
from securehub.hub import Hub
from securehub.store.records import Record
from tests.world import installed

FORMS = Path(__file__).parent.with_name("samples") / "records.txt"


class FormTests(SynchronousTestCase):
    """What is kept."""

    maxDiff = None

    def test_as_they_were(self) -> None:
        self.assertEqual(every_form(), FORMS.read_text(encoding="utf-8").splitlines())


def every_form() -> list[str]:
    """Those of all services that are installed."""
    records = sorted(service.records_of(installed(), Hub.core_records), key=lambda each: each.collection)
    return [line for each in records for line in told(each)]


class Field(NamedTuple):
    """A field, as it is written."""

    name: str
    kind: Any
    default: str


def told(cls: type[Record]) -> Iterator[str]:
    """A class of records: its collection, its fields, and what they consist of. Whatever goes by its name is in the order of the names."""
    yield f"{cls.collection}, version {cls.version}"
    for part in dict.fromkeys(parts(cls)):
        by_place = not issubclass(part, msgspec.Struct) or part.__struct_config__.array_like
        if part is not cls:
            yield f"    {part.__name__}, by {'place' if by_place else 'name'}"
        for each in fields_of(part) if by_place else sorted(fields_of(part)):
            yield f"{'    ' if part is cls else '        '}{each.name}: {told_kind(each.kind)}{each.default}"


def parts(kind: Any) -> Iterator[Any]:
    """The structs and named tuples in a type, itself among them."""
    if isinstance(kind, type) and (issubclass(kind, msgspec.Struct) or hasattr(kind, "_fields")):
        yield kind
        for each in fields_of(kind):
            yield from parts(each.kind)
    for inner in get_args(kind):
        yield from parts(inner)


def fields_of(part: Any) -> list[Field]:
    if not issubclass(part, msgspec.Struct):
        hints = get_type_hints(part)
        return [Field(name, hints[name], default(part._field_defaults.get(name, NODEFAULT))) for name in part._fields]
    return [
        Field(each.encode_name, each.type, default(each.default if each.default_factory is NODEFAULT else each.default_factory()))
        for each in fields(part)
    ]


def default(value: Any) -> str:
    return "" if value is NODEFAULT else f" = {value!r}"


def told_kind(kind: Any) -> str:
    """A type, without the modules that it comes from."""
    if kind in (..., NoneType):
        return "..." if kind is ... else "None"
    inner = [told_kind(each) for each in get_args(kind)]
    if not inner:
        return str(getattr(kind, "__name__", kind))
    origin = getattr(kind, "__origin__", None)
    return " | ".join(inner) if origin is None else f"{origin.__name__}[{', '.join(inner)}]"
