"""
What is made from the declarations is up to date, and complete.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any, get_origin

from msgspec.structs import fields
from twisted.trial.unittest import SynchronousTestCase

from securehub import config, reference
from securehub.command import Command
from securehub.event import Event
from securehub.reply import Listing, Reply, Row
from tests.tools import called

ROOT = Path(__file__).resolve().parent.parent


class ReferenceTests(SynchronousTestCase):
    """docs/reference.md and etc/securehub.ini."""

    def test_up_to_date(self) -> None:
        """Both are what C{python -m securehub.reference} writes."""
        for path, content in reference.files().items():
            self.assertEqual((ROOT / path).read_text(), content, f"{path}: run python -m securehub.reference")

    def test_complete(self) -> None:
        """Every command is told, with each of its parameters, and each field of its replies."""
        text = reference.reference()
        for command in self._commands():
            _, _, part = text.partition(f"\n#### {command.name}\n")
            part = part.partition("\n#### ")[0]
            self.assertIn(command.usage, part)
            self.assertIn(command.summary, part)
            for parameter in command.wire_parameters:
                self.assertIn(f"| `{parameter.name}` |", part)
            for reply in filter(None, command.replies):
                for field in fields(reply):
                    self.assertIn(f"`{field.encode_name}`", part, command.name)

    def test_of_bases(self) -> None:
        """What a field is, is told wherever it is inherited."""
        told = "| `warnings` | array of strings | what the payer should know, such as a budget that is overspent. |"
        payments = [command for command in self._commands() if command.moves]
        self.assertEqual(reference.reference().count(told), len(payments))

    def test_names(self) -> None:
        """What a docstring says of a field, it says of one that is there."""
        self._commands()  # Loads all services.
        structs: list[Any] = [Reply, Row, Event]
        for struct in structs:
            structs += struct.__subclasses__()
            for name in re.findall(r"@ivar (\w+):", struct.__doc__ or ""):
                self.assertIn(name, struct.__struct_fields__, struct)

    def test_summaries(self) -> None:
        """The first line of a command's text is a whole sentence, as lists show it alone."""
        for command in self._commands():
            self.assertRegex(command.summary, r"^[A-Z].*\.$", command.name)

    def test_tools(self) -> None:
        """A tool beside the daemon that a command's text names is there, as those of the operator's page are."""
        named = re.findall(r"`securehub ([a-z-]+)", reference.reference() + (ROOT / "docs/operations.md").read_text())
        self.assertIn("store", named)
        for tool in set(named):
            self.assertEqual(self.assertRaises(SystemExit, called, tool, "--help").code, 0, tool)

    def test_no_markup(self) -> None:
        """Nothing of the docstrings' own markup is left over."""
        self.assertNotRegex(reference.reference(), r"[CLB]\{|@[ci]var|@param")

    def test_how_to_go_on(self) -> None:
        """Where a list says how to have more of it, the command has that parameter."""
        for command in self._commands():
            kind = get_origin(command.result) or command.result
            if not (isinstance(kind, type) and issubclass(kind, Listing)):
                continue
            told = re.search(r"ask with (\w+)=", kind([], more=True).status())
            names = {parameter.name for parameter in command.wire_parameters}
            # Lists without a limit are whole.
            if told and "limit" in names:
                self.assertIn(told[1], names, command.name)

    def test_settings(self) -> None:
        """The example of a configuration is one, in which every default stands."""
        example = self.mktemp()
        Path(example).write_text(config.example().replace("\n;", "\n"))
        self.assertEqual(config.settings(Path(example)), config.settings())

    def test_check(self) -> None:
        """C{--check} tells by its exit status whether the files are up to date, and touches none."""
        directory = Path(self.mktemp())
        for path, content in reference.files().items():
            (directory / path).parent.mkdir(parents=True)
            (directory / path).write_text(content)
        run = [sys.executable, "-m", "securehub.reference", "--check"]
        self.assertEqual(subprocess.run(run, cwd=directory).returncode, 0)
        (directory / "etc" / "securehub.ini").write_text("[hub]\n")
        stale = subprocess.run(run, cwd=directory, capture_output=True, text=True)
        self.assertEqual(stale.returncode, 1)
        self.assertIn("etc/securehub.ini is not up to date", stale.stderr)
        self.assertEqual((directory / "etc" / "securehub.ini").read_text(), "[hub]\n")

    def _commands(self) -> list[Command]:
        return [command for declared in reference.commands().values() for command in declared]
