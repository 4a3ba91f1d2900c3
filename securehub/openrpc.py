"""
The OpenRPC document of a hub's commands, made from their declarations (https://spec.open-rpc.org, version 1.3).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from securehub import __version__
from securehub.command import Command, Parameter

_SCHEMAS = {str: "string", int: "integer", bool: "boolean", list: "array", dict: "object"}


def document(commands: Iterable[Command]) -> dict[str, Any]:
    """The whole document, as plain values."""
    commands = list(commands)
    results = [command.result for command in commands if command.result is not None]
    schemas, components = msgspec.json.schema_components(results, ref_template="#/components/schemas/{name}")
    schema_of = dict(zip(map(repr, results), schemas, strict=True))
    return {
        "openrpc": "1.3.2",
        "info": {"title": "SecureHub", "version": __version__},
        "methods": [_method(command, schema_of.get(repr(command.result), {"type": "object"})) for command in commands],
        "components": {"schemas": components},
    }


def _method(command: Command, result: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": command.name,
        "summary": command.summary,
        "description": command.manual,
        "paramStructure": "either" if not any(each.by_name and each.required for each in command.parameters) else "by-name",
        "params": [_param(parameter) for parameter in command.wire_parameters],
        "result": {"name": "result", "schema": result},
        "x-access": command.access.text,
    }


def _param(parameter: Parameter) -> dict[str, Any]:
    kinds = sorted(_SCHEMAS[kind] for kind in parameter.type.accepts)
    return {
        "name": parameter.name,
        "description": parameter.type.expected,
        "required": parameter.required,
        "schema": {"type": kinds[0] if len(kinds) == 1 else kinds},
    }
