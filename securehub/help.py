"""
Help: the commands there are, at a glance, a service's in one line each, and one in full.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from textwrap import wrap

from securehub.command import Command
from securehub.refusals import NotFound, shown
from securehub.reply import Reply, Row

WIDTH = 76
"""Characters of a line; with its indentation it fits a terminal of eighty."""

ALL = ".*"
"""Behind the name of a service: all of its commands."""


class HelpRow(Row, frozen=True):
    """A command in one line."""

    name: str
    verb: str | None
    usage: str
    summary: str

    @property
    def service(self) -> str:
        return _service(self.name)


class Help(Reply, frozen=True):
    """
    The commands there are.

    Too many for a screen, as text: those with a verb are told of, and of the others just the names.
    """

    commands: list[HelpRow]
    hint: str

    def lines(self) -> Iterable[str]:
        width = max((len(row.verb) for row in self.commands if row.verb), default=0)
        for service, rows in groupby(self.commands, lambda row: row.service):
            yield service
            others = []
            for row in rows:
                if row.verb:
                    yield from _hanging(f"  {row.verb.ljust(width)}  ", row.summary)
                else:
                    others.append(row.name)
            yield from _wrapped(", ".join(others), "  ", "  ")

    def status(self) -> str:
        return self.hint


class ServiceHelp(Help, frozen=True):
    """The commands of one service."""

    def lines(self) -> Iterable[str]:
        for row in self.commands:
            yield from _wrapped(row.usage, "", "        ")
            yield from _wrapped(row.summary, "    ", "    ")


class ParameterRow(Row, frozen=True):
    """A parameter of a command."""

    name: str
    expected: str
    required: bool
    by_name: bool


class CommandHelp(Reply, frozen=True):
    """One command in full."""

    name: str
    verb: str | None
    usage: str
    summary: str
    manual: str
    access: str
    parameters: list[ParameterRow]

    def status(self) -> str:
        service = _service(self.name)
        return f"HELP {service}{ALL} lists all of {service}." if self.verb and self.verb.lower() == service else ""

    def lines(self) -> Iterable[str]:
        yield from _wrapped(self.usage, "", "    ")
        yield ""
        yield from _wrapped(self.summary)
        for place, paragraph in enumerate(filter(None, self.manual.split("\n\n"))):
            if place:
                yield ""
            yield from _wrapped(paragraph)
        if self.parameters:
            yield ""
            width = max(len(row.name) for row in self.parameters)
            for row in self.parameters:
                yield from _hanging(f"  {row.name.ljust(width)}  ", row.expected)
        yield ""
        yield from _wrapped(f"For {self.access}. In JSON: {self.name}")


def overview(commands: Iterable[Command], hint: str) -> Help:
    """
    What there is.

    @param hint: what one may do next.
    """
    # Services may share a name in front of their commands.
    rows = sorted(map(_row, commands), key=lambda row: row.service)
    return Help(rows, f"HELP command explains one, HELP HELP how they are typed, HELP chat{ALL} lists all of a service. {hint}".rstrip())


def of_service(commands: Iterable[Command], word: str) -> ServiceHelp:
    """
    What a service has.

    @param word: its name, with C{.*} behind it or not, in any case.

    @raise NotFound: there is none.
    """
    rows = [row for row in map(_row, commands) if row.service == word.lower().removesuffix(ALL)]
    if not rows:
        raise NotFound(f"there is no command {shown(word)}; HELP lists them")
    return ServiceHelp(rows, "HELP command explains one.")


def explained(commands: Iterable[Command], word: str) -> CommandHelp | None:
    """
    A command in full, or None if there is none of that name.

    @param word: its name or verb, in any case.
    """
    wanted = word.lower()
    for each in commands:
        if wanted in (each.name, (each.verb or "").lower()):
            rows = [
                ParameterRow(name, expected, one.required, one.by_name)
                for one in each.wire_parameters
                for name, expected in one.names.items()
            ]
            return CommandHelp(each.name, each.verb, each.usage, each.summary, each.manual, each.access.text, rows)
    return None


class Mistakes:
    """
    What somebody may have meant who has typed what is no command.

    @param commands: all that there are, once somebody makes a mistake.
    """

    def __init__(self, commands: Iterable[Command]) -> None:
        self._commands = commands
        # By what is left of a name, one letter of it taken out or none: so two that differ in one letter, or in the order of two, meet.
        self._near: dict[str, set[tuple[str, str]]] = {}
        self._verbs: list[str] = []

    def instead(self, word: str) -> str:
        """
        What to say.

        @param word: what was typed.
        """
        likely = self._likely(word.lower().strip(_MARKS)) if word.isascii() and len(word) <= LONGEST_MISTAKE else []
        return f"did you mean {' or '.join(likely)}? HELP lists them all" if likely else "HELP lists them"

    def _likely(self, wanted: str) -> list[str]:
        """The commands that are meant most likely, as they are typed; three at most."""
        if not self._near:
            self._learn()
        near = set().union(*(self._near.get(each, ()) for each in _with_one_less(wanted)))
        exact = {typed for name, typed in near if name == wanted}
        slips = {typed for name, typed in near if len(wanted) > 3 and abs(len(name) - len(wanted)) < 2}
        begun = {verb for verb in self._verbs if len(wanted) > 2 and (verb.lower().startswith(wanted) or wanted.startswith(verb.lower()))}
        # Verbs, which are in capitals, come first.
        return sorted(exact or slips or begun)[:3]

    def _learn(self) -> None:
        self._verbs = [each.verb for each in self._commands if each.verb and len(each.verb) > 3]
        for each in self._commands:
            for name in {(each.verb or each.name).lower(), each.name, each.name.rpartition(".")[2], *each.elsewhere}:
                for part in _with_one_less(name):
                    self._near.setdefault(part, set()).add((name, each.verb or each.name))


LONGEST_MISTAKE = 32
"""Characters; what is longer is no command with a slip in it."""

_MARKS = "/\\!?.,:;*'\"`<>()"


def _with_one_less(word: str) -> set[str]:
    """A word, and all that is left of it without one of its letters."""
    return {word, *(word[:place] + word[place + 1 :] for place in range(len(word)))}


def _wrapped(text: str, first: str = "", further: str = "") -> list[str]:
    """
    A paragraph in lines that fit a terminal.

    @param first: what the first line begins with.
    @param further: what each of the others begins with.
    """
    return wrap(
        " ".join(text.split()), WIDTH, initial_indent=first, subsequent_indent=further, break_long_words=False, break_on_hyphens=False
    )


def _hanging(head: str, text: str) -> list[str]:
    """A paragraph beside its head."""
    return _wrapped(text, head, " " * len(head)) or [head.rstrip()]


def _row(command: Command) -> HelpRow:
    return HelpRow(command.name, command.verb, command.usage, command.summary)


def _service(name: str) -> str:
    """The service of a command."""
    return name.partition(".")[0]
