"""
All conversations, each with whole packets, byte by byte, and with either end of line.
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests import conversation
from tests.conversation import FILES, Chop, Mismatch, Player
from tests.world import World


class ConversationTests(SynchronousTestCase):
    """What is said is what the files say."""


class CoverageTests(SynchronousTestCase):
    """The conversations leave nothing out, as they are the examples of the manual."""

    def setUp(self) -> None:
        self.said = [
            line.text for file in FILES.glob("*.txt") for line in conversation.read(file.read_text(encoding="utf-8")) if line.kind == "C"
        ]

    def test_every_command_as_text(self) -> None:
        """Each command is used in the text form."""
        words = {line.split()[0].lower() for line in self.said if line.strip()}
        left = [each.name for each in World().hub.commands if not {each.name, (each.verb or "").lower()} & words]
        self.assertEqual(left, [])

    def test_every_command_as_json(self) -> None:
        """Each command is used in the JSON form."""
        left = [each.name for each in World().hub.commands if not any(f'"method":"{each.name}"' in line for line in self.said)]
        self.assertEqual(left, [])

    def test_titles(self) -> None:
        """Each has a title, and says what it shows."""
        for file in FILES.glob("*.txt"):
            title, empty, prose, *_ = file.read_text(encoding="utf-8").split("\n")
            self.assertTrue(title.startswith("# ") and empty == "#" and prose.startswith("# "), file.name)


class PlayerTests(SynchronousTestCase):
    """A conversation that is not had is noticed."""

    def play(self, *lines: str) -> None:
        Player(conversation.whole).play(conversation.read("\n".join(lines)))

    def test_another_answer(self) -> None:
        self.assertRaises(Mismatch, self.play, "C: alice  PING hello", "S: alice  OK hallo")

    def test_no_answer(self) -> None:
        self.assertRaises(Mismatch, self.play, "C: alice  PING", "S: alice  OK", "S: alice  OK")

    def test_one_answer_more(self) -> None:
        """Also at the end."""
        self.assertRaises(Mismatch, self.play, "C: alice  PING", "C: alice  VERSION", "S: alice  OK")
        self.assertRaises(Mismatch, self.play, "C: alice  PING")

    def test_json_is_compared_as_json(self) -> None:
        """Blanks do not matter, values and names do."""
        ask = 'C: alice  {"jsonrpc":"2.0","id":1,"method":"hub.ping"}'
        self.play(ask, 'S: alice  {"id": 1, "jsonrpc": "2.0", "result": {"text": ""}}')
        self.play(ask, 'S: alice  {"...": "...", "result": "..."}')
        for wrong in ('{"id":2,"jsonrpc":"2.0","result":{"text":""}}', '{"id":1,"jsonrpc":"2.0"}', '{"id":"1","...":"..."}'):
            self.assertRaises(Mismatch, self.play, ask, f"S: alice  {wrong}")

    def test_a_word_that_has_a_name(self) -> None:
        """It is the same word wherever it is named."""
        self.play("C: alice  PING a b", "S: alice  OK <x> b", "C: alice  PING <x>", "S: alice  OK a")
        self.assertRaises(Mismatch, self.play, "C: alice  PING a b", "S: alice  OK <x> <x>", "C: alice  PING b", "S: alice  OK <x>")

    def test_dots(self) -> None:
        """Three stand for any text, more for themselves."""
        self.play("C: alice  PING a ##.... b", "S: alice  OK ... ##.... b", "C: alice  PING a b", "S: alice  OK a...")
        self.assertRaises(Mismatch, self.play, "C: alice  PING ##...#", "S: alice  OK ##....")
        self.assertRaises(Mismatch, self.play, "C: alice  PING ###...", "S: alice  OK ......")

    def test_who_is_disconnected(self) -> None:
        self.play("C: alice  QUIT", "S: alice  OK", "-- alice is disconnected")
        self.assertRaises(Mismatch, self.play, "C: alice  PING", "S: alice  OK", "-- alice is disconnected")

    def test_a_line_that_says_nothing(self) -> None:
        """Neither a text in the wrong column nor an event that cannot be is passed over."""
        self.assertRaises(ValueError, self.play, "C: al PING", "C: alice  PING")
        self.assertRaises(ValueError, self.play, "C: alice  QUIT", "-- alice dances")


def _test(file: Path, chop: Chop) -> object:
    def play(self: ConversationTests) -> None:
        Player(chop).play(conversation.read(file.read_text(encoding="utf-8")))

    title = file.read_text(encoding="utf-8").partition("\n")[0].strip("# ")
    play.__doc__ = f"{title} ({chop.__name__})"
    return play


for _file in sorted(FILES.glob("*.txt")):
    for _chop in (conversation.whole, conversation.bytewise, conversation.with_crlf):
        setattr(ConversationTests, f"test_{_file.stem.replace('-', '_')}_{_chop.__name__}", _test(_file, _chop))
