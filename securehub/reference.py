"""
The reference, made from the declarations: C{python -m securehub.reference} writes docs/reference.md and etc/securehub.ini.

It is called in a checkout. With C{--check} it writes nothing, and fails if what is there is not what it would write.
"""

from __future__ import annotations

import sys
import types
import typing
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import msgspec

from securehub import config, service
from securehub.command import Command
from securehub.docstrings import about, of_fields, prose
from securehub.event import Event
from securehub.refusals import Refusal
from securehub.reply import Listing

_HEAD = """\
# Reference

Made from the declarations in the code by `python -m securehub.reference`; do not edit it by hand.
[protocol.md](protocol.md) tells how requests, answers and events are written.

- [Commands](#commands)
- [Events](#events)
- [Errors](#errors)
- [Settings](#settings)

## Commands

Parameters are listed in the order in which words, or the items of a JSON array, are bound to them.
Those marked *by name* are given by name only. Optional ones may be null in JSON.
"""
_PLAIN = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    list: "array",
    bytes: "string (base64)",
    datetime: "time",
    date: "day",
    type(None): "null",
    Any: "any",
}

Table = Iterable[Sequence[str]]


def commands() -> dict[str, list[Command]]:
    """The commands of the services that come with SecureHub, by service, as a hub with default settings has them."""
    settings = config.settings()
    found: dict[str, list[Command]] = {}
    for factory in service.find():
        if factory.__module__.startswith("securehub.services."):
            # The declarations are in the classes, and there is no hub to make a whole service for.
            unmade = [each.__new__(each) for each in service.parts_of(factory)]
            found[factory.name] = service.commands_of(factory, unmade, settings)
    return found


def reference() -> str:
    """docs/reference.md."""
    return "\n".join([_HEAD, *_commands(commands()), *_events(), *_errors(), *_settings()]) + "\n"


def files() -> dict[Path, str]:
    """All files that are made here, with their content."""
    return {Path("docs", "reference.md"): reference(), Path("etc", "securehub.ini"): config.example()}


def _commands(found: dict[str, list[Command]]) -> Iterator[str]:
    for name, declared in found.items():
        yield f"### {name}\n"
        for command in declared:
            yield from _command(command)


def _command(command: Command) -> Iterator[str]:
    yield f"#### {command.name}\n"
    yield f"    {command.usage}\n"
    yield prose(command.summary) + "\n"
    if command.manual:
        yield prose(command.manual) + "\n"
    yield f"For {command.access.text}. It {'writes' if command.writes else 'only reads'}.\n"
    if command.wire_parameters:
        rows = [
            (
                f"`{name}`",
                each.needed,
                " or ".join(sorted(_PLAIN[kind] for kind in each.type.accepts)),
                expected,
            )
            for each in command.wire_parameters
            for name, expected in each.names.items()
        ]
        yield from _table(("parameter", "", "in JSON", "what it is"), rows)
    for reply in command.replies:
        yield from _result(reply)


def _result(reply: Any) -> Iterator[str]:
    if reply is None:
        yield "Result: an empty object.\n"
    elif issubclass(typing.get_origin(reply) or reply, Listing):
        row, *_ = typing.get_args(reply) or typing.get_args(reply.__orig_bases__[0])
        yield f"Result: `items`, an array, and `more`, which is true if there are more. An item: {about(row)}\n"
        yield from _fields(row)
        for name, kind, meaning in _told(reply)[len(Listing.__struct_fields__) :]:
            yield f"Besides {name}, {kind}: {meaning}\n"
    else:
        yield f"Result: {about(reply)}\n"
        yield from _fields(reply)


def _events() -> Iterator[str]:
    yield "## Events\n"
    for event in sorted((each for each in _below(Event) if "method" in vars(each)), key=lambda each: each.method):
        yield f"### {event.method}\n"
        yield about(event) + "\n"
        yield from _fields(event)


def _errors() -> Iterator[str]:
    yield "## Errors\n"
    yield "The code stands after `ERR` in text, and in `error.data.code` in JSON; the number is JSON-RPC's `error.code`.\n"
    refusals = sorted({(each.code, str(each.number), about(each)) for each in _below(Refusal)})
    yield from _table(("code", "number", "meaning"), [(f"`{code}`", number, meaning) for code, number, meaning in refusals])


def _settings() -> Iterator[str]:
    yield "## Settings\n"
    yield "Give a file in the form of `etc/securehub.ini` with `--config`; options on the command line win over it.\n"
    rows = [(each.section, f"`{each.name}`", f"`{each.default}`" if each.default else "", each.meaning) for each in config.SETTINGS]
    yield from _table(("section", "setting", "default", "meaning"), rows)
    live = ", ".join(f"`{each.name}`" for each in config.SETTINGS if each.live)
    yield f"A reload (SIGHUP or `admin.reload`) reads these anew: {live}. The others take effect at the next start.\n"


def _fields(struct: type[msgspec.Struct]) -> Iterator[str]:
    rows = _told(struct)
    if rows:
        told = any(meaning for _, _, meaning in rows)
        yield from _table(("field", "type", "") if told else ("field", "type"), rows if told else [row[:2] for row in rows])


def _told(struct: Any) -> list[tuple[str, str, str]]:
    """A struct's fields, each with its type and its meaning."""
    return [(f"`{field.encode_name}`", _type(field.type), meaning) for field, meaning in of_fields(struct)]


def _type(hint: Any) -> str:
    """A type as a reader of JSON knows it."""
    arguments = typing.get_args(hint)
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        return " or ".join(map(_type, arguments))
    if origin in (list, tuple, frozenset):
        return f"array of {_type(arguments[0])}s" if arguments[0] in _PLAIN else f"array of {_type(arguments[0])}"
    if origin is dict or hint is dict:
        return "object"
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return "objects: " + ", ".join(f"`{each.encode_name}` ({_type(each.type)})" for each in msgspec.structs.fields(hint))
    return _PLAIN[hint]


def _below(base: Any) -> Iterator[Any]:
    for each in base.__subclasses__():
        if each.__module__.startswith("securehub."):
            yield each
            yield from _below(each)


def _table(heads: Sequence[str], rows: Table) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
    yield ""


def main(arguments: Sequence[str]) -> int:
    """
    @return: the exit status: 0, or with --check the number of files that are not up to date.
    """
    checking = "--check" in arguments
    stale = {path: content for path, content in files().items() if not path.exists() or path.read_text() != content}
    for path, content in stale.items():
        if checking:
            print(f"{path} is not up to date; run: python -m securehub.reference", file=sys.stderr)
        else:
            path.write_text(content)
            print(f"wrote {path}")
    return len(stale) if checking else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
