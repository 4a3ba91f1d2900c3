"""
Arguments bound to a command's parameters, out of either form.

Both give the same: one value for each parameter in the order of the declaration, and the key.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn

from msgspec import UNSET

from securehub.command import Command, Parameter
from securehub.refusals import BadArgument, shown
from securehub.wire import characters, words


class Missing:
    """Stands for a value that was left out."""


MISSING = Missing()


class Try:
    """Replaces the key of a command that is only tried, so that nothing is kept under its key."""


TRY = Try()

Bound = tuple[list[Any], str | Try | None]
"""One value for each parameter, L{MISSING} where a person is asked for it if it is needed; and the key."""


class _Slot:
    """
    Where the value of a parameter goes.

    @ivar place: in the list of values; the key comes last.
    @ivar mark: the bit that says that it has been given.
    @ivar takes_rest: whether it takes the rest of a line.
    """

    __slots__ = ("mark", "parameter", "parse", "place", "takes_rest")

    def __init__(self, place: int, parameter: Parameter) -> None:
        self.place = place
        self.mark = 1 << place
        self.parse: Callable[[str], Any] = parameter.type.parse
        self.takes_rest = parameter.takes_rest
        self.parameter = parameter


class Binder:
    """
    Binds the arguments of one command.
    """

    def __init__(self, command: Command) -> None:
        self._command = command
        self._keyed = command.keyed
        self._moves = command.moves
        self._slots = [_Slot(place, parameter) for place, parameter in enumerate(command.wire_parameters)]
        # One for each name, so that a refusal says the one that was given.
        self._named = {name: _Slot(slot.place, replace(slot.parameter, name=name)) for slot in self._slots for name in slot.parameter.names}
        self._positional = [slot for slot in self._slots if not slot.parameter.by_name]
        self._renamed = [tuple(slot.parameter.names) for slot in self._slots if slot.parameter.also]
        self._needed_in_json = sum(slot.mark for slot in self._slots if slot.parameter.required)
        self._needed_in_text = sum(slot.mark for slot in self._slots if slot.parameter.required and not slot.parameter.prompt)
        defaults = iter(command.function.__defaults__ or ())
        defaulted = [MISSING if parameter.required else next(defaults) for parameter in command.parameters]
        self._blank = [MISSING if parameter.prompt else value for parameter, value in zip(command.parameters, defaulted, strict=True)]
        self._blank += [None] * (len(command.wire_parameters) - len(command.parameters))

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
        if self._renamed:
            self._refuse_both(params)
        values = self._blank.copy()
        given = 0
        named = self._named
        for name, value in params.items():
            slot = named.get(name)
            if slot is None:
                raise BadArgument(f"{self._command.name} has no parameter {shown(name)}; usage: {self._command.usage}")
            if value is not None or slot.parameter.required:
                values[slot.place] = self._from_json(slot, value, plain)
                given |= slot.mark
        return self._complete(values, given, self._needed_in_json)

    def from_text(self, rest: str, plain: bool) -> Bound:
        """
        Bind what follows the verb in a line of text.

        @raise BadArgument: naming the parameter, or saying how the command is used.
        """
        if not rest:
            return self._complete(self._blank.copy(), 0, self._needed_in_text)
        if plain and '"' not in rest:
            return self._from_plain_words(rest)
        values = self._blank.copy()
        given = 0
        waiting = iter(self._positional)
        slot = next(waiting, None)
        while rest:
            word, remainder = words.take(rest)
            if "=" in word:
                name, _, value = word.partition("=")
                named = self._named.get(name)
                if named is not None and not given & named.mark:
                    if value[:1] == '"':
                        value, remainder = words.unquote(rest[len(name) + 1 :])
                    values[named.place] = self._from_word(named, value, plain)
                    given |= named.mark
                    rest = remainder
                    continue
            while slot is not None and given & slot.mark:
                slot = next(waiting, None)
            if slot is None:
                raise BadArgument(f"{shown(word)} is too much; usage: {self._command.usage}")
            if slot.takes_rest:
                word, remainder = words.without_quotes(rest), ""
            elif word[0] == '"':
                word, remainder = words.unquote(rest)
            try:
                values[slot.place] = self._from_word(slot, word, plain)
            except BadArgument as refusal:
                raise self._misplaced(slot, word, refusal) from None
            given |= slot.mark
            rest = remainder
        return self._complete(values, given, self._needed_in_text)

    @property
    def takes_words(self) -> bool:
        """Whether lines of text are for L{from_words}."""
        return any(slot.parameter.type.words for slot in self._positional)

    def from_words(self, rest: str, plain: bool) -> Bound:
        """
        Bind what follows the verb in a line of text, where one parameter takes all words that are not given by name.

        @raise BadArgument: naming the parameter, or saying how the command is used.
        """
        values = self._blank.copy()
        gathered: list[str] = []
        if plain and '"' not in rest:
            given = self._sort_plain_words(rest, values, gathered)
        else:
            given = self._sort_words(rest, plain, values, gathered)
        (slot,) = self._positional
        if gathered and not given & slot.mark:
            values[slot.place] = self._from_word(slot, " ".join(gathered), plain)
            given |= slot.mark
        elif gathered:
            raise BadArgument(f"{shown(gathered[0])} is too much; usage: {self._command.usage}")
        return self._complete(values, given, self._needed_in_text)

    def _sort_words(self, rest: str, plain: bool, values: list[Any], gathered: list[str]) -> int:
        """Put what is given by name into the values, and gather the other words; returns the marks of what was given."""
        given = 0
        while rest:
            word, remainder = words.take(rest)
            name, equals, value = word.partition("=")
            named = self._named.get(name) if equals else None
            if named is None or given & named.mark:
                if word[0] == '"':
                    word, remainder = words.unquote(rest)
                gathered.append(word)
            else:
                if value[:1] == '"':
                    value, remainder = words.unquote(rest[len(name) + 1 :])
                values[named.place] = self._from_word(named, value, plain)
                given |= named.mark
            rest = remainder
        return given

    def _sort_plain_words(self, rest: str, values: list[Any], gathered: list[str]) -> int:
        """The same where no word is quoted, in a third of the time."""
        given = 0
        for word in rest.split():
            if "=" in word:
                name, _, value = word.partition("=")
                named = self._named.get(name)
                if named is not None and not given & named.mark:
                    values[named.place] = self._from_word(named, value, True)
                    given |= named.mark
                    continue
            gathered.append(word)
        return given

    def _from_plain_words(self, rest: str) -> Bound:
        """The same where no word is quoted, as programs write; in half of the time."""
        values = self._blank.copy()
        given = 0
        waiting = iter(self._positional)
        words = rest.split(" ")
        slot = None
        try:
            for place, word in enumerate(words):
                if "=" in word:
                    name, _, value = word.partition("=")
                    slot = self._named.get(name)
                    if slot is not None and not given & slot.mark:
                        given |= slot.mark
                        values[slot.place] = slot.parse(value)
                        continue
                elif not word:
                    continue
                for slot in waiting:
                    if not given & slot.mark:
                        break
                else:
                    slot = None
                    raise BadArgument(f"{shown(word)} is too much; usage: {self._command.usage}")
                given |= slot.mark
                if slot.takes_rest:
                    values[slot.place] = slot.parse(" ".join(words[place:]))
                    break
                values[slot.place] = slot.parse(word)
        except BadArgument as refusal:
            if slot is None:
                raise
            named = _naming(slot, refusal)
            by_name = "=" in word and self._named.get(word.partition("=")[0]) is slot
            raise (named if by_name else self._misplaced(slot, word, named)) from None
        return self._complete(values, given, self._needed_in_text)

    def _refuse_both(self, params: dict[str, Any]) -> None:
        for names in self._renamed:
            if all(params.get(name) is not None for name in names):
                raise BadArgument(f"{' and '.join(names)} are one parameter; give one of them")

    def from_answer(self, place: int, answer: str, plain: bool) -> Any:
        """The value of a parameter that a person was asked for."""
        return self._from_word(self._slots[place], answer, plain)

    def refuse_left_out(self, place: int) -> NoReturn:
        """
        Nobody can be asked for a parameter that turned out to be needed.

        @raise BadArgument: always.
        """
        self._refuse_missing(1 << place)

    def _complete(self, values: list[Any], given: int, needed: int) -> Bound:
        if given & needed != needed:
            self._refuse_missing(needed & ~given)
        if not self._keyed:
            return values, None
        if self._moves and values.pop():
            values.pop()
            return values, TRY
        return values, values.pop()

    def _from_word(self, slot: _Slot, word: str, plain: bool) -> Any:
        try:
            if not plain:
                characters.check(word)
            return slot.parse(word)
        except BadArgument as refusal:
            raise _naming(slot, refusal) from None

    def _from_json(self, slot: _Slot, value: Any, plain: bool) -> Any:
        """A value of JSON, parsed as the word that it would be in a line of text."""
        kind = value.__class__
        accepted = slot.parameter.type
        if kind not in accepted.accepts:
            kinds = " or ".join(sorted(_JSON_NAMES[each] for each in accepted.accepts))
            raise BadArgument(f"{slot.parameter.name}: expected {kinds}: {accepted.expected}")
        try:
            if kind is str:
                if not plain:
                    characters.check(value, multiline=accepted.multiline)
            elif kind is int:
                value = str(value)
            elif kind is bool:
                value = "true" if value else "false"
            return slot.parse(value)
        except BadArgument as refusal:
            raise _naming(slot, refusal) from None

    def _by_position(self, params: list[Any]) -> dict[str, Any]:
        if len(params) > len(self._positional):
            raise BadArgument(f"by position {self._command.name} takes at most {len(self._positional)} arguments; there are {len(params)}")
        return {slot.parameter.name: value for slot, value in zip(self._positional, params, strict=False)}

    def _misplaced(self, slot: _Slot, word: str, refusal: BadArgument) -> BadArgument:
        """What to say of a word that does not fit in its place: if it would fit in another place, with the order of the words."""
        if slot.takes_rest or slot.parameter.secret:
            return refusal
        others = [each for each in self._positional if each is not slot and not each.takes_rest and not each.parameter.secret]
        return BadArgument(f"{refusal}; usage: {self._command.usage}") if any(_fits(each, word) for each in others) else refusal

    def _refuse_missing(self, missing: int) -> NoReturn:
        parameter = next(slot.parameter for slot in self._slots if missing & slot.mark)
        raise BadArgument(f"{parameter.name} is missing: {parameter.type.expected}; usage: {self._command.usage}")


def _fits(slot: _Slot, word: str) -> bool:
    try:
        slot.parse(word)
    except BadArgument:
        return False
    return True


def _naming(slot: _Slot, refusal: BadArgument) -> BadArgument:
    return BadArgument(f"{slot.parameter.name}: {refusal}")


_JSON_NAMES = {str: "a string", int: "a whole number", bool: "true or false", list: "an array", dict: "an object"}
