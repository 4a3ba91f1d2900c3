"""
The commands that somebody may use, as the hub's help lists them: what a word may become, and how a command is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

MARK = "securehub-client"
"""The id of our own question, which nobody has typed and nobody is to see the answer of."""

QUESTION = msgspec.json.encode({"jsonrpc": "2.0", "id": MARK, "method": "hub.help"})
_ANSWER = QUESTION.partition(b',"method"')[0] + b","

BACK = b"PING securehub-client"
"""Asked behind our question, as events come in the form of the latest request: from then on as text again."""

_BY_NAME = re.compile(r"\[?(\w+=)\.\.\.\]?")


class Command(msgspec.Struct, frozen=True):
    """A command as C{hub.help} tells of it; see L{securehub.help.HelpRow}."""

    name: str
    verb: str | None
    usage: str
    summary: str


class _Result(msgspec.Struct, frozen=True):
    commands: list[Command]


class _Answer(msgspec.Struct, frozen=True):
    result: _Result


_decode = msgspec.json.Decoder(_Answer).decode


class Offer(NamedTuple):
    """
    What a word may become.

    @ivar about: in a few words, what it is; may be empty.
    """

    word: str
    about: str = ""


class Commands:
    """Commands by the words that stand first in a line."""

    def __init__(self, commands: Iterable[Command] = ()) -> None:
        self._commands = list(commands)
        self._services = list(dict.fromkeys(each.name.partition(".")[0] for each in self._commands))
        self._by_word = {word.lower(): each for each in self._commands for word in (each.verb, each.name) if word}

    @classmethod
    def read(cls, answer: bytes) -> Commands:
        """
        Of the answer to L{QUESTION}; no commands if it is a refusal.
        """
        try:
            return cls(_decode(answer).result.commands)
        except msgspec.MsgspecError:
            return cls()

    def of(self, line: str) -> Command | None:
        """The command of a line that is being typed."""
        word, _, _ = line.strip().partition(" ")
        return self._by_word.get(word.lower())

    def offers(self, line: str) -> Iterator[Offer]:
        """
        What the last word of a line may become, as far as it is typed.

        @param line: up to the cursor.
        """
        before, blank, word = line.lstrip().rpartition(" ")
        if not blank:
            yield from self._first(word)
            return
        found = self.of(before)
        if found is None:
            return
        if found.name == "hub.help" and " " not in before:
            yield from (Offer(f"{service}.*") for service in self._services if service.startswith(word.lower()))
            yield from self._first(word)
        yield from (Offer(name) for name in _BY_NAME.findall(found.usage) if name.startswith(word) and f" {name}" not in before)

    def _first(self, word: str) -> Iterator[Offer]:
        """Verbs, and names: of all commands once a service is typed, else of those which have no verb."""
        for each in self._commands:
            if each.verb and each.verb.startswith(word.upper()):
                yield Offer(each.verb, each.summary)
        for each in self._commands:
            if each.name.startswith(word.lower()) and (not each.verb or "." in word):
                yield Offer(each.name, each.summary)


def is_ours(line: bytes) -> bool:
    """Whether the hub answers L{QUESTION} with this line."""
    return line.startswith(_ANSWER)
