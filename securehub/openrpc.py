"""
The OpenRPC document of a hub's commands, made from their declarations (https://spec.open-rpc.org, version 1.3).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, get_args, get_origin

import msgspec

from securehub import __version__
from securehub.command import Command, Parameter
from securehub.docstrings import about, of_fields

_SCHEMAS = {str: "string", int: "integer", bool: "boolean", list: "array", dict: "object"}
_REFER = "#/components/schemas/"


def document(commands: Iterable[Command]) -> dict[str, Any]:
    """The whole document, as plain values."""
    commands = list(commands)
    replies = [reply for command in commands for reply in command.replies if reply is not None]
    structs = _structs(replies)
    kinds = list(dict.fromkeys([*replies, *structs]))
    schemas, components = msgspec.json.schema_components(kinds, ref_template=f"{_REFER}{{name}}")
    schema_of: dict[Any, dict[str, Any]] = {None: {"type": "object"}, **dict(zip(kinds, schemas, strict=True))}
    for struct in structs:
        _tell(components[schema_of[struct]["$ref"].removeprefix(_REFER)], struct)
    return {
        "openrpc": "1.3.2",
        "info": {"title": "SecureHub", "version": __version__},
        "methods": [_method(command, [schema_of[reply] for reply in command.replies]) for command in commands],
        "components": {"schemas": components},
    }


@cache
def refuse_untold(reply: Any) -> None:
    """
    Refuse a reply that cannot be described: it would keep everybody from the whole document.

    @raise TypeError: naming the type that has no schema.
    """
    msgspec.json.schema_components([reply])


def _structs(hints: Iterable[Any]) -> list[Any]:
    """The structs among types, and those in their fields."""
    found: dict[Any, None] = {}
    waiting = list(hints)
    while waiting:
        hint = waiting.pop()
        kind = get_origin(hint) or hint
        if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
            waiting += get_args(hint)
        elif hint not in found:
            found[hint] = None
            waiting += [field.type for field, _ in of_fields(hint)]
    return list(found)


def _tell(schema: dict[str, Any], struct: Any) -> None:
    """Say in a schema, in place of the docstring as it stands in the code, what is said of the struct and of each of its fields."""
    schema["description"] = about(struct)
    # A struct that is an array in JSON has none.
    properties = schema.get("properties", {})
    for field, meaning in of_fields(struct):
        if meaning and field.encode_name in properties:
            properties[field.encode_name]["description"] = meaning


def _method(command: Command, replies: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": command.name,
        "summary": command.summary,
        "description": command.manual,
        "paramStructure": "either" if not any(each.by_name and each.required for each in command.parameters) else "by-name",
        # By position as far as they have one, so those that are given by name only come after them, and are marked.
        "params": [
            _param(each, name, expected)
            for each in sorted(command.wire_parameters, key=lambda each: each.by_name)
            for name, expected in each.names.items()
        ],
        "result": {"name": "result", "schema": _either(replies)},
        "x-access": command.access.text,
    }


def _either(schemas: list[dict[str, Any]]) -> dict[str, Any]:
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _param(parameter: Parameter, name: str, expected: str) -> dict[str, Any]:
    # Null is as if it had been left out.
    kinds = sorted(_SCHEMAS[kind] for kind in parameter.type.accepts) + ["null"] * (not parameter.required)
    return {
        "name": name,
        "description": expected,
        "required": parameter.required,
        "schema": {"type": kinds[0] if len(kinds) == 1 else kinds},
        **({"x-by-name": True} if parameter.by_name else {}),
    }
