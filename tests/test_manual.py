"""
The manual's pages: what they tell people to type can be typed, and what they point to is there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from securehub.binding import Binder
from securehub.refusals import BadArgument
from securehub.wire import words
from tests.conversation import FILES
from tests.world import World

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

_MADE = "reference.md"
"""Made from the declarations, so it cannot tell of what is not there."""

_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_LINE = re.compile(r"^(?:    |C: \S+ +|    C: \S+ +)(\S.*)$", re.MULTILINE)
_SPEAKER = re.compile(r"^[CS]: \S+ +")
_SHOWN = re.compile(r"^    (?:[CS]: \S+ +|(?=OK |ERR |\* ))(\S.*)$", re.MULTILINE)
_LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_FULL_NAME = re.compile(r"[a-z]+\.[a-z_]+")

_NOT_AS_IT_STANDS = {"auth.cert_remove FINGERPRINT", "TRANSFER bob 1e3"}
"""What stands for something else, or is shown because it is refused."""

_OTHER_NAMES = {"admin.sock", "hub.py", "hub.order_facts", "hub.order_refunds", "hub.own_references", "hub.watchers"}
"""Files, and what services find at the hub."""


class TypedTests(SynchronousTestCase):
    """Commands in the text form."""

    def setUp(self) -> None:
        commands = World().hub.commands
        self.binders = {name: Binder(each) for each in commands for name in (each.name, each.verb) if name}
        self.services = {each.name.partition(".")[0] for each in commands}

    def test_can_be_typed(self) -> None:
        """Each that a page shows is there, and takes the arguments that are shown."""
        seen = 0
        for page in PAGES:
            for line in _typed(page):
                verb, rest = words.split_verb(line)
                if verb in self.binders and line not in _NOT_AS_IT_STANDS and "..." not in line and "{" not in rest[:1]:
                    seen += 1
                    self._check(f"{page.name}: {line}", self.binders[verb], rest)
        self.assertGreater(seen, 200)

    def test_full_names(self) -> None:
        """What looks like the full name of a command is one, or an event's."""
        reference = (ROOT / "docs" / _MADE).read_text()
        for page in PAGES:
            for line in _typed(page):
                verb, _ = words.split_verb(line)
                if _FULL_NAME.fullmatch(verb) and verb.partition(".")[0] in self.services and verb not in _OTHER_NAMES:
                    self.assertIn(f"# {verb}\n", reference, f"{page.name}: {line}")

    def _check(self, place: str, binder: Binder, rest: str) -> None:
        try:
            (binder.from_words if binder.takes_words else binder.from_text)(rest, False)
        except BadArgument as refusal:
            # A page may speak of a command without saying what it is given.
            if rest or " is missing: " not in str(refusal):
                self.fail(f"{place}: {refusal}")


class ExampleTests(SynchronousTestCase):
    """What is said and answered."""

    def setUp(self) -> None:
        lines = (line for file in FILES.glob("*.txt") for line in file.read_text().splitlines())
        self.said = {_SPEAKER.sub("", line) for line in lines}

    def test_answers(self) -> None:
        """Each answer that a page shows is one that a conversation has."""
        for name in ("tutorial", "money", "orders", "chat", "support"):
            page = (ROOT / "docs" / f"{name}.md").read_text()
            for line in _SHOWN.findall(page):
                self.assertIn(line, self.said, name)

    def test_money(self) -> None:
        """Each command that the page of the ledger gives arguments is said in a conversation."""
        shown = [line for line in _typed(ROOT / "docs" / "money.md") if re.match(r"(TRANSFER|STATEMENT|ledger\.\w+) ", line)]
        self.assertEqual([line for line in shown if line not in self.said], [])


class LinkTests(SynchronousTestCase):
    """What the pages point to."""

    def test_are_there(self) -> None:
        """Each file, and each heading in it."""
        for page in (*PAGES, ROOT / "CHANGELOG.md", ROOT / "bench" / "README.md", *(ROOT / "docs" / "decisions").glob("*.md")):
            for link in _LINK.findall(_FENCED.sub("", page.read_text())):
                if link.startswith("https://"):
                    continue
                file, _, heading = link.partition("#")
                target = page.parent / file if file else page
                self.assertTrue(target.exists(), f"{page.name}: {link}")
                if heading:
                    self.assertIn(heading, _anchors(target), f"{page.name}: {link}")

    def test_found_from_the_index(self) -> None:
        """Every page of the manual is named where one looks first."""
        index = (ROOT / "docs" / "index.md").read_text()
        self.assertEqual([page.name for page in PAGES[1:] if page.name != "index.md" and f"({page.name})" not in index], [])


def _typed(page: Path) -> Iterator[str]:
    """What may be typed to a hub."""
    if page.name != _MADE:
        text = page.read_text()
        yield from _LINE.findall(text)
        yield from _INLINE.findall(_FENCED.sub("", text))


def _anchors(page: Path) -> set[str]:
    """The names of a page's headings, as links have them."""
    headings = _HEADING.findall(_FENCED.sub("", page.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
