"""
The lines of the journal: whole and chained, or damaged.
"""

from __future__ import annotations

from datetime import timedelta

from msgspec import Raw
from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from securehub.store import lines
from securehub.store.lines import DELETED, FIRST_HASH, Commit, Damaged, Header
from tests.store.setting import BEGIN

COMMIT = Commit(7, BEGIN, 5, [("room", "é \U0001d11e", Raw(b'{"topic":"hi"}')), ("room", 'a"\\', DELETED)], {"transfer": 3})
HEADER = Header(1, 6, BEGIN, {"room": 2}, "ab" * 32)


class Lines(SynchronousTestCase):
    """Lines on their way to the disk and back."""

    def test_commit(self) -> None:
        """A commit comes back as it was, and its hash is the one that the next line hangs on."""
        line, head = lines.seal(COMMIT, FIRST_HASH)
        self.assertEqual(lines.check(line, FIRST_HASH), head)
        self.assertEqual(lines.commit(line), replace(COMMIT, hash=head.decode()))
        self.assertEqual(line.count(b"\n"), 1)

    def test_header(self) -> None:
        """So does the first line of a segment, with a snapshot's digest and without."""
        for header in (HEADER, Header(1, 0, BEGIN, {})):
            line, head = lines.seal(header, FIRST_HASH)
            self.assertEqual(lines.check(line, FIRST_HASH), head)
            self.assertEqual(lines.header(line), header)

    def test_least(self) -> None:
        """A commit of nothing is a line, too."""
        commit = Commit(1, BEGIN + timedelta(microseconds=1), 0)
        line, head = lines.seal(commit, FIRST_HASH)
        self.assertEqual(lines.commit(line), replace(commit, hash=head.decode()))

    def test_unknown(self) -> None:
        """A line that says more than is understood is refused, and not half of it taken: an early SecureHub had other members."""
        line, _ = lines.seal(COMMIT, FIRST_HASH)
        refusal = self.assertRaises(Damaged, lines.commit, line.replace(b'"changes"', b'"put"'))
        self.assertIn("unknown field `put`", str(refusal))

    def test_chain(self) -> None:
        """A line fits behind one line only."""
        line, head = lines.seal(COMMIT, FIRST_HASH)
        again, other = lines.seal(COMMIT, head)
        self.assertNotEqual(head, other)
        self.assertEqual(lines.check(again, head), other)
        self.assertRaises(Damaged, lines.check, again, FIRST_HASH)
        self.assertRaises(Damaged, lines.check, line, head)

    def test_every_bit(self) -> None:
        """Whichever byte is another than was written, it shows."""
        line, _ = lines.seal(COMMIT, FIRST_HASH)
        for place in range(len(line)):
            for other in {0, line[place] ^ 1, ord("\n"), ord("0")} - {line[place]}:
                damaged = line[:place] + bytes([other]) + line[place + 1 :]
                self.assertRaises(Damaged, lines.check, damaged, FIRST_HASH)

    def test_every_length(self) -> None:
        """Whatever is missing at the end, or is too much, it shows."""
        line, _ = lines.seal(COMMIT, FIRST_HASH)
        for end in range(len(line)):
            self.assertRaises(Damaged, lines.check, line[:end], FIRST_HASH)
            self.assertRaises(Damaged, lines.check, line[end + 1 :], FIRST_HASH)
        self.assertRaises(Damaged, lines.check, line + b"\n", FIRST_HASH)

    def test_other_forms(self) -> None:
        """What is no commit, or no header, is damage and nothing else."""
        for content in (
            b"",
            b"\n",
            b"\0" * 300,
            b"{}\n",
            b"[1]\n",
            b'{"n":1}\n',
            b"\xff\xfe\n",
            b'{"n":"\xff"}\n',
            b'{"n":' * 2000,
            b"[" * 5000,
        ):
            self.assertRaises(Damaged, lines.commit, content)
            self.assertRaises(Damaged, lines.header, content)
