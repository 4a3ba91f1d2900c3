"""
The tour in README.md, executed as it stands there.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.integration.real import SECONDS, Daemon, Talk, is_status, program
from tests.integration.test_daemon import DaemonCase

README = Path(__file__).resolve().parent.parent / "README.md"

_BLOCK = re.compile(r"^<!-- (?P<what>[^>]*) -->\n```\w*\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_FENCES = re.compile(r"^```", re.MULTILINE)


class Block(NamedTuple):
    """A marked block of README.md: what to do with it, and what it says."""

    what: str
    text: str


def blocks() -> list[Block]:
    return [Block(found["what"], found["text"]) for found in _BLOCK.finditer(README.read_text())]


class TourTests(DaemonCase):
    """What README.md tells people to type does what it says."""

    if shutil.which("openssl") is None:
        skip = "the openssl program is not installed"

    def test_marked(self) -> None:
        """No block is passed over."""
        self.assertEqual(len(_FENCES.findall(README.read_text())), 2 * len(blocks()))

    def test_tour(self) -> None:
        """Each block, in its order; only the port, the state directory and the place of the programs are others here."""
        daemon = self.start().started()
        people: dict[str, Talk] = {}
        printed = []
        for what, text in blocks():
            kind, _, name = what.partition(": ")
            if kind == "tour":
                people[name] = self.talk(self._here(text, daemon).split())
            elif kind == "type":
                printed.append(self._type(people[name], text))
            elif kind == "run":
                if name == "after a kill":
                    daemon.kill()
                    daemon = self.start().started()
                printed.append(self._shell(self._here(text, daemon)))
        self._check(printed, people["alice"])

    def _here(self, text: str, daemon: Daemon) -> str:
        """A block with what is different in a test."""
        text = re.sub(r"\b5555\b", str(daemon.port), text).replace("python3", sys.executable)
        text = text.replace("~/.local/share/securehub", str(self.state))
        return text.replace(".venv/bin/securehub-client", f"{program('securehub-client')} --state {self.state}")

    def _type(self, person: Talk, text: str) -> list[str]:
        heard = []
        for line in text.splitlines():
            person.say(line)
            heard += person.lines.until(lambda line: is_status(line) or line == "* Password:")
        return heard

    def _shell(self, text: str) -> list[str]:
        done = subprocess.run(["sh", "-e", "-c", text], capture_output=True, text=True, timeout=SECONDS, cwd=self.state.parent)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.splitlines()

    def _check(self, printed: list[list[str]], alice: Talk) -> None:
        joined, friend, granted, deposited, paid, coffee, after = printed
        self.assertEqual(joined[0], "* Password:")
        self.assertRegex(joined[1], r"^OK Welcome, alice\.")
        self.assertIn("0.00", "".join(joined))
        self.assertRegex(friend[-1], r"^OK Welcome, bob\.")
        self.assertIn("OK bob has the roles member, treasurer.", granted)
        self.assertEqual(deposited, ["OK Transfer 1: 125.00 USD to alice."])
        self.assertIn("* You received 125.00 USD from @cash. Balance 125.00 USD.", alice.lines.seen)
        self.assertIn("OK Transfer 2: 12.50 USD to bob. Balance 112.50 USD.", paid)
        self.assertTrue([line for line in paid if line.startswith("ERR insufficient-funds ")])
        self.assertIn("TRANSFER", "".join(paid))
        self.assertEqual(coffee[0], "['member']")
        self.assertEqual(coffee[1], coffee[2])
        self.assertEqual(coffee[3], "110.00")
        self.assertIn("  USD       0.00", after)
        self.assertEqual([line for line in after if is_status(line)], ["OK", "OK"])


class CommandTests(DaemonCase):
    """The two commands that README.md begins with."""

    def test_install(self) -> None:
        """One command installs and starts; the packaging environment of tox tries each part of it."""
        (text,) = (block.text for block in blocks() if block.what == "install")
        self.assertEqual(text, "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/twistd -n securehub\n")

    def test_test(self) -> None:
        """The other is what .ci/run does, word for word."""
        (text,) = (block.text for block in blocks() if block.what == "test")
        self.assertIn(text, (README.with_name(".ci") / "run").read_text().replace("    ", ""))
