"""
The web page, as far as it can be read without a browser: what it loads, what it never does, and that it knows the hub's own words.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from securehub import page
from securehub.event import Event
from tests.world import World

FILES = {each.path: each.content.decode() for each in page.load()}
SCRIPTS = {path: text for path, text in FILES.items() if path.endswith(".js")}
COMMAND = re.compile(r"\"((?:admin|auth|budget|chat|hub|ledger|loyalty|orders|rpc|support)\.[a-z_]+)\"")

NEVER = (
    *("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "DOMParser", "createContextualFragment", "setHTML", "srcdoc"),
    *("eval(", "new Function", "import(", "fetch(", "XMLHttpRequest", "sendBeacon", "parseFloat", "document.cookie", "postMessage"),
)
"""What would let a text be more than a text, load something from elsewhere, or make a number of an amount."""


class Loaded(HTMLParser):
    """What a page loads and runs."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.inline: list[str] = []
        self._in_script = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.addresses += [given[name] or "" for name in ("src", "href", "action", "data", "poster") if name in given]
        self.inline += [name for name in given if name.startswith("on") or name == "style"]
        self._in_script = tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._in_script = False

    def handle_data(self, data: str) -> None:
        if self._in_script and data.strip():
            self.inline.append(data)


class PageTests(SynchronousTestCase):
    """The files that a browser is given."""

    def test_files(self) -> None:
        """The page, its looks, its script; and nothing that is not meant to be asked for."""
        self.assertLessEqual({"/", "/app.css", "/app.js"}, set(FILES))
        for path in FILES:
            self.assertRegex(path, r"^/([a-z]+\.(js|css))?$")

    def test_loads_nothing_from_elsewhere(self) -> None:
        """All that it loads is its hub's, and nothing runs but its files; as its Content-Security-Policy says."""
        loaded = Loaded(FILES["/"])
        self.assertEqual(loaded.inline, [])
        for address in loaded.addresses:
            self.assertTrue(address.startswith(("data:image/svg+xml,", "#")) or f"/{address}" in FILES, address)
        for path, text in FILES.items():
            addresses = re.findall(r"(?:https?|wss?)://[^\s\"'`]*", text)
            self.assertLessEqual(set(addresses), {"http://www.w3.org/2000/svg", "wss://${location.host}/ws"}, path)
            self.assertNotIn("url(", text)
            self.assertNotIn("@import", text)

    def test_modules(self) -> None:
        """Each module that is imported is one of the files, and each file is used."""
        imported = {each.lstrip(".") for text in SCRIPTS.values() for each in re.findall(r"from \"([^\"]+)\";", text)}
        self.assertEqual(imported | {"/app.js"}, set(SCRIPTS))

    def test_texts_are_texts(self) -> None:
        """What others wrote can never be markup or a program; and amounts stay strings."""
        for path, text in SCRIPTS.items():
            for word in NEVER:
                self.assertNotIn(word, text, path)

    def test_numbers(self) -> None:
        """What is made a number of: the numbers of cases, quantities, and what the hub declares to be an integer. No amount."""
        found = [line.strip() for text in SCRIPTS.values() for line in text.splitlines() if "Number(" in line]
        self.assertEqual([line for line in found if not re.search(r"Number\((order|rest|text|input\.value)\)", line)], [])

    def test_commands(self) -> None:
        """Every command that the script uses is there; so are the events that it knows."""
        known = {command.name for command in World().hub.commands}
        used = {name for text in SCRIPTS.values() for name in COMMAND.findall(text)}
        self.assertGreater(len(used), 30)
        self.assertEqual(sorted(used - known - _event_names()), [])

    def test_notices(self) -> None:
        """Of each event that there is it says in words what happened, or knows that it is worth no notice."""
        World()
        said = set(re.findall(r"\"([a-z]+\.[a-z_]+)\"", SCRIPTS["/notices.js"]))
        self.assertEqual(sorted(_event_names() - said - {"hub.bye"}), [])

    def test_name_of_the_page(self) -> None:
        """A screen reader says in which language, and what a phone is to do with its width is said, too."""
        self.assertIn('<html lang="en">', FILES["/"])
        self.assertIn('name="viewport"', FILES["/"])


class ScriptTests(SynchronousTestCase):
    """What the script does, where there is something that runs it."""

    def test_script(self) -> None:
        """It is played through in C{tests/page}, against a hub and a browser that are made up."""
        node = shutil.which("node")
        if node is None:
            raise SkipTest("node is not installed, which runs the page's script")
        place = Path(self.mktemp())
        place.mkdir()
        (place / "package.json").write_text('{"type": "module"}')
        for path, text in SCRIPTS.items():
            (place / path.removeprefix("/")).write_text(text)
        tests = sorted(Path(__file__).with_name("page").glob("test_*.mjs"))
        self.assertGreater(len(tests), 5)
        for test in tests:
            done = subprocess.run([node, str(test), str(place.resolve())], capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""), test.name)


def _event_names() -> set[str]:
    """The methods of all events of ours; other tests may have loaded services of their own."""
    found: set[str] = set()
    classes = [Event]
    while classes:
        each = classes.pop()
        classes += each.__subclasses__()
        ours = each.__module__.startswith("securehub.") and not each.__module__.startswith("securehub.plugins.")
        if ours and isinstance(getattr(each, "method", None), str):
            found.add(each.method)
    return found
