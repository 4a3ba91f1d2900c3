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
"""After the name of a service: all of its commands."""


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

    As text they are too many for a screen, so those with a verb are described, and the others only named.
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
    # Services may share the first part of their commands' names.
    rows = sorted(map(_row, commands), key=lambda row: row.service)
    return Help(rows, f"HELP command explains one, HELP HELP how they are typed, HELP ledger{ALL} lists all of a service. {hint}".rstrip())


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
