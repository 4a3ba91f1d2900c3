"""
What is exported can be read by anybody, and be taken in elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from securehub.store.backup import CannotRestore
from securehub.store.chain import Broken
from securehub.store.export import export, take_in
from securehub.store.files import RealDirectory
from securehub.store.keys import PLAIN, Keys
from securehub.store.verification import verify
from tests.rules.setting import RECORDS
from tests.store.books import INVARIANTS, Books, put, taken
from tests.store.setting import TWO
from tests.store.test_backup import all_records
from tests.store.test_verification import Another
from tests.store.verifier import redigested


class Transport(SynchronousTestCase):
    """Books that are taken elsewhere."""

    def setUp(self) -> None:
        self.books = Books(Keys(bytes(32)))
        self.books.pay(5)
        self.books.restart(snapshot=False)
        self.books.pay(2)
        self.lines = b"".join(export(self.books.put(Path(self.mktemp())), RECORDS)).splitlines(keepends=True)

    def fresh(self, keys: Keys = PLAIN, **files: bytes) -> RealDirectory:
        return put(Path(self.mktemp()), files, keys)

    def take_in(self, lines: Iterable[bytes], directory: RealDirectory) -> None:
        take_in(iter(list(lines)), "export.jsonl", directory, RECORDS, INVARIANTS)

    def test_plain(self) -> None:
        """It is JSON, sealed or not, with a version in its first line."""
        head, *rows, _ = map(json.loads, self.lines)
        self.assertEqual((head["format"], head["number"], head["hash"]), (1, 11, self.books.setting.store.head))
        memos = [record.get("memo") for collection, _, record in (row[:3] for row in rows) if collection == "transfer"]
        self.assertEqual(memos.count("for lunch"), 7)

    def test_there_and_back(self) -> None:
        """What is taken in is what was exported; a hub goes on with it, with the numbers and the chain."""
        for keys in (PLAIN, Keys(TWO)):
            state = self.fresh(keys)
            self.take_in(self.lines, state)
            self.assertEqual(verify(state, RECORDS, INVARIANTS).commits, 11)
            found = taken(state)
            self.assertEqual(all_records(found), all_records(self.books.setting))
            other = Books()
            other.setting = found
            other.pay(2)
            self.assertEqual(verify(other.put(Path(self.mktemp())), RECORDS, INVARIANTS).commits, 13)
            if keys.current:
                self.assertFalse(any(b"for lunch" in content for content in other.files.values()))

    def test_again(self) -> None:
        """Exported once more it is the same, apart from the segments that another directory counts."""
        state = self.fresh()
        self.take_in(self.lines, state)
        again = b"".join(export(state, RECORDS)).splitlines(keepends=True)
        self.assertEqual(again[1:-1], self.lines[1:-1])

    def test_not_whole(self) -> None:
        """A file of which something is missing is not taken in, and leaves nothing."""
        for lines in (self.lines[:-1], self.lines[:3] + self.lines[4:], [], [b"{}\n"], [*self.lines, b"more\n"]):
            state = self.fresh()
            self.assertRaises(Broken, self.take_in, lines, state)
            self.assertEqual(state.names(), [])

    def test_senseless(self) -> None:
        """Nor is one in which the books do not balance, or a record is none, whoever has made its digest right."""
        found = [row for row in self.lines if row.startswith(b'["account"')]
        for wrong in (found[0].replace(b'"balance":', b'"balance":1'), found[0].replace(b'"balance"', b'"valance"')):
            lines = [wrong if line == found[0] else line for line in self.lines]
            self.assertRaises(Broken, self.take_in, redigested(b"".join(lines)).splitlines(keepends=True), self.fresh())
        self.take_in(redigested(b"".join(self.lines)).splitlines(keepends=True), self.fresh())

    def test_read_by_nobody(self) -> None:
        """Each record is read, be it one that nothing is stated about."""
        state = self.fresh()
        fault = self.assertRaises(Broken, take_in, iter(self.lines), "export.jsonl", state, [Another], [])
        self.assertEqual((fault.file, state.names()), ("export.jsonl", []))
        self.assertIn(b'["transfer"', self.lines[fault.line - 1])

    def test_in_use(self) -> None:
        state = self.books.put(Path(self.mktemp()))
        self.assertRaises(CannotRestore, self.take_in, self.lines, state)

    def test_newer(self) -> None:
        lines = [self.lines[0].replace(b'"account":1', b'"account":2'), *self.lines[1:]]
        self.assertIn("form 2010", str(self.assertRaises(Broken, self.take_in, lines, self.fresh())))
