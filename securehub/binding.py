"""
Arguments bound to a command's parameters, out of either form.

Both give the same: one value for each parameter in the order of the declaration, and the key.
"""

from __future__ import annotations

from typing import Any, NamedTuple, NoReturn

from msgspec import UNSET

from securehub.command import Command, Parameter
from securehub.refusals import BadArgument, shown
from securehub.wire import characters, words


class Missing:
    """Stands for a value that was left out."""


MISSING = Missing()


class Bound(NamedTuple):
    """
    @ivar values: one for each parameter; L{MISSING} where a prompt has to ask for it.
    """

    values: list[Any]
    key: str | None


class Binder:
    """
    Binds the arguments of one command.

    @ivar defaults: what a parameter is when it is left out, by parameter.
    """

    def __init__(self, command: Command) -> None:
        self._command = command
        self._parameters = command.parameters
        self._names = {parameter.name: parameter for parameter in command.wire_parameters}
        self._positional = [parameter for parameter in command.parameters if not parameter.by_name]
        defaults = command.function.__defaults__ or ()
        optional = [parameter.name for parameter in command.parameters if not parameter.required]
        self._defaults = dict(zip(optional, defaults, strict=True))
        # One row for each parameter, so that binding an object of JSON is one loop without look-ups.
        self._rows = [
            (each, each.name, each.type.parse, each.type.accepts, self._defaults.get(each.name, MISSING)) for each in self._parameters
        ]

    def from_params(self, params: Any, plain: bool) -> Bound:
        """
        Bind the C{params} of a JSON-RPC request.

        @param plain: whether the line was ASCII without escapes and controls, so that its strings need no look.

        @raise BadArgument: naming the parameter.
        """
        if params.__class__ is list:
            params = self._by_position(params)
        elif params is UNSET or params is None:
            params = {}
        values = []
        unseen = len(params)
        for parameter, name, parse, accepts, default in self._rows:
            value = params.get(name, MISSING)
            if value is MISSING:
                if default is MISSING:
                    self._refuse_missing(parameter)
                values.append(default)
                continue
            unseen -= 1
            if value is None and not parameter.required:
                values.append(default)
                continue
            if value.__class__ not in accepts:
                raise BadArgument(f"{name}: expected {_json_types(parameter)}: {parameter.type.expected}")
            try:
                if value.__class__ is str:
                    if not plain:
                        characters.check(value, multiline=parameter.type.multiline)
                elif value.__class__ is int:
                    value = str(value)
                elif value.__class__ is bool:
                    value = "true" if value else "false"
                values.append(parse(value))
            except BadArgument as refusal:
                raise BadArgument(f"{name}: {refusal}") from None
        key = None
        if unseen and self._command.keyed and "key" in params:
            unseen -= 1
            key = self._key(params["key"], plain)
        if unseen:
            unknown = next(name for name in params if name not in self._names)
            raise BadArgument(f"{self._command.name} has no parameter {shown(unknown)}; usage: {self._command.usage}")
        return Bound(values, key)

    def from_text(self, rest: str, plain: bool) -> Bound:
        """
        Bind what follows the verb in a line of text.

        @raise BadArgument: naming the parameter, or saying how the command is used.
        """
        given: dict[str, Any] = {}
        waiting = iter(self._positional)
        parameter = next(waiting, None)
        while rest:
            while parameter is not None and parameter.name in given:
                parameter = next(waiting, None)
            word, remainder = words.take(rest)
            if "=" in word:
                name, _, value = word.partition("=")
                target = self._names.get(name)
                if target is not None and name not in given:
                    if value.startswith('"'):
                        value, remainder = words.unquote(rest[len(name) + 1 :])
                    given[name] = self._parse(target, value, plain)
                    rest = remainder
                    continue
            if parameter is None:
                raise BadArgument(f"{shown(word)} is too much; usage: {self._command.usage}")
            if parameter.type.rest:
                given[parameter.name] = self._parse(parameter, words.without_quotes(rest), plain)
                break
            if word[0] == '"':
                word, remainder = words.unquote(rest)
            given[parameter.name] = self._parse(parameter, word, plain)
            rest = remainder
        return Bound(self._values(given), given.get("key"))

    def parse_prompted(self, parameter: Parameter, answer: str, plain: bool) -> Any:
        """The value of a parameter that a person was asked for."""
        return self._parse(parameter, answer, plain)

    def _values(self, given: dict[str, Any]) -> list[Any]:
        values = []
        for parameter in self._parameters:
            value = given.get(parameter.name, MISSING)
            if value is MISSING:
                value = self._defaults.get(parameter.name, MISSING)
                if value is MISSING and not parameter.prompt:
                    self._refuse_missing(parameter)
            values.append(value)
        return values

    def _parse(self, parameter: Parameter, word: str, plain: bool) -> Any:
        try:
            if not plain:
                characters.check(word)
            return parameter.type.parse(word)
        except BadArgument as refusal:
            raise BadArgument(f"{parameter.name}: {refusal}") from None

    def _key(self, value: Any, plain: bool) -> str | None:
        if value is None:
            return None
        if not isinstance(value, str):
            raise BadArgument("key: expected a string")
        key: str = self._parse(self._names["key"], value, plain)
        return key

    def _by_position(self, params: list[Any]) -> dict[str, Any]:
        if len(params) > len(self._positional):
            raise BadArgument(f"{len(params)} arguments are too many; by position {self._command.name} takes {len(self._positional)}")
        return {parameter.name: value for parameter, value in zip(self._positional, params, strict=False)}

    def _refuse_missing(self, parameter: Parameter) -> NoReturn:
        raise BadArgument(f"{parameter.name} is missing: {parameter.type.expected}; usage: {self._command.usage}")


def _json_types(parameter: Parameter) -> str:
    return " or ".join(sorted(_JSON_NAMES[kind] for kind in parameter.type.accepts))


_JSON_NAMES = {str: "a string", int: "a whole number", bool: "true or false", list: "an array", dict: "an object"}
