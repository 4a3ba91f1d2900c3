"""
Whoever damages or forges anything is found out, with file and line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from securehub.services.ledger.records import Transfer
from securehub.store.chain import Broken, Journal
from securehub.store.files import RealDirectory
from securehub.store.keys import Keys, NoKey, name_of
from securehub.store.layout import ARCHIVE, segment_names, snapshot_names
from securehub.store.verification import Verified, verify
from tests.rules.setting import RECORDS
from tests.store.books import INVARIANTS, Books, put
from tests.store.setting import FIRST, ONE, TWO
from tests.store.verifier import linked, redigested

STATED = re.compile(rb'"bytes":[0-9]+,"sha256":"[0-9a-f]+"')
"""What a header states of the segment before it."""


def extent(content: bytes) -> bytes:
    return b'"bytes":%d,"sha256":"%b"' % (len(content), sha256(content).hexdigest().encode())


def forged(
    files: dict[str, bytes], name: str, old: bytes, new: bytes, *, restated: bool = True, begins: bytes = b"0" * 64
) -> dict[str, bytes]:
    """
    The files with something else in a segment, and with a chain that fits again, as somebody who can write everything would leave it.

    @param restated: whether headers state what the segments before them are then.
    @param begins: the hash on which the first line hangs.
    """
    head, renamed = begins, {}
    result = dict(files)
    before = b""
    for each in sorted(name for name in files if name.startswith("journal")):
        content = files[each]
        if each == name:
            assert old in content, old
            content = content.replace(old, new, 1)
        if restated:
            content = STATED.sub(extent(before), content, count=1)
        lines = []
        for line in content.splitlines():
            changed, head = linked(line, head)
            renamed[line[-66:-2]] = head
            lines.append(changed)
        before = result[each] = b"".join(lines)
    for each in sorted(name for name in files if name.startswith("snapshot")):
        first, *rest = files[each].splitlines(keepends=True)
        found = re.search(rb'"hash":"([0-9a-f]{64})"', first)
        assert found
        rows = [first.replace(found[1], renamed[found[1]]), *rest[:-1]]
        result[each] = redigested(b"".join([*rows, rest[-1]]))
    return result


class Another(Transfer, frozen=True, kw_only=True):
    """What transfers are not: one of these has a colour."""

    colour: str


class Files(SynchronousTestCase):
    """Books over three runs of a daemon, with a snapshot after the first."""

    keys: Keys = Keys()

    def setUp(self) -> None:
        self.books = Books(self.keys)
        self.books.pay(4)
        self.books.restart()
        self.books.pay(2)
        self.books.restart(snapshot=False)
        self.books.pay(1)
        self.books.stop(snapshot=False)

    def verify(self, files: dict[str, bytes], **options: Any) -> Verified:
        return verify(put(Path(self.mktemp()), files, self.keys), RECORDS, INVARIANTS, **options)

    def assert_broken(self, files: dict[str, bytes], file: str, line: int | None, *words: str, **options: Any) -> None:
        fault = self.assertRaises(Broken, self.verify, files, **options)
        self.assertEqual(fault.file, file, str(fault))
        if line is not None:
            self.assertEqual(fault.line, line, str(fault))
        for word in words:
            self.assertIn(word, str(fault))


class Verifying(Files):
    """Honest damage."""

    def test_whole(self) -> None:
        """What the daemon left is without fault, whether all records are kept in memory for it or not."""
        for whole in (True, False):
            found = self.verify(self.books.files, whole=whole)
            self.assertEqual((found.commits, found.segments, found.snapshots, found.notes), (11, 3, 1, []))
            self.assertEqual(found.head, self.books.setting.store.head)

    def test_until(self) -> None:
        """Only so far; what follows may be half written. But what was synced must be there."""
        files = dict(self.books.files)
        last = sorted(files)[2]
        files[last] = files[last][:-10]
        for until in range(11):
            found = self.verify(files, until=until)
            self.assertEqual((found.commits, found.snapshots), (until, until >= 8))
        self.assert_broken(files, last, 2, until=11)
        self.assert_broken(self.books.files, last, 0, "ends at commit 11, but 12", until=12)

    def test_every_byte(self) -> None:
        """No byte of what was acknowledged can be changed."""
        for name, content in sorted(self.books.files.items()):
            lines = content.splitlines(keepends=True)
            places = range(0, len(content), 97)
            for place in places:
                changed = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
                line = content.count(b"\n", 0, place) + 1
                if name == sorted(self.books.files)[2] and line == len(lines):
                    continue  # The last line was not stated by any other to be synced.
                fault = self.assertRaises((Broken, NoKey), self.verify, {**self.books.files, name: changed})
                if name == FIRST and isinstance(fault, Broken):
                    self.assertEqual((fault.file, fault.line), (name, line), str(fault))

    def test_missing(self) -> None:
        """A segment that is missing is missed."""
        first, second, third = sorted(name for name in self.books.files if name.startswith("journal"))
        snapshot = next(name for name in self.books.files if name.startswith("snapshot"))
        self.assert_broken(without(self.books.files, second), first, 0, "ends at commit 8, but 10")
        self.assert_broken(without(self.books.files, first, second), third, 1, "neither journal nor snapshot")
        self.assert_broken(without(self.books.files, first, snapshot), second, 1, "neither journal nor snapshot")

    def test_archive(self) -> None:
        """Segments may have been put away, and in the end be removed: then a snapshot says on what the journal hangs."""
        files = self.books.files
        away = {**without(files, FIRST), f"archive/{FIRST}": files[FIRST]}
        self.assertEqual(self.verify(away)[:4], self.verify(files)[:4])
        pruned = self.verify(without(files, FIRST))
        self.assertEqual((pruned.commits, pruned.segments, pruned.records), (11, 2, self.verify(files).records))

    def test_on_trust(self) -> None:
        """Where more of the journal is there than a snapshot covers, but not its beginning, its first line is trusted; that is told."""
        books = Books(self.keys)
        books.pay(2)
        books.restart(snapshot=False)
        books.pay(3)
        books.restart()
        books.pay(1)
        books.stop(snapshot=False)
        found = self.verify(without(books.files, FIRST))
        self.assertEqual((found.commits, found.segments), (10, 2))
        self.assertIn("on trust", found.notes[0])

    def test_on_trust_twice(self) -> None:
        """
        The header of a segment was torn, so the next one hangs on what was before it; later the torn one turns out to be there. When what
        was before has been removed, neither of the two hangs on anything that is there.
        """
        books = Books(self.keys)
        books.pay(2)
        books.restart(snapshot=False)
        files = books.setting.disk.files
        torn = max(name for name in files if name.startswith("journal"))
        header, files[torn] = files[torn], files[torn][:-5]
        books.restart(snapshot=False)
        books.pay(3)
        books.restart()
        books.pay(1)
        books.stop(snapshot=False)
        whole = {**books.files, torn: header}
        found = self.verify(without(whole, FIRST))
        self.assertEqual((found.commits, found.segments), (10, 3))
        self.assertEqual(self.verify(whole)[:2], found[:2])

    def test_old_snapshot(self) -> None:
        """A snapshot from before the oldest line, which a crash may have brought back, is checked in itself."""
        books = Books(self.keys)
        for _ in range(2):
            books.pay(4)
            books.restart()
        books.pay(1)
        files = books.files
        first, second, _ = sorted(name for name in files if name.startswith("journal"))
        self.assertEqual(self.verify(without(files, first, second)).commits, 13)
        old = min(name for name in files if name.startswith("snapshot"))
        self.assert_broken({**without(files, first, second), old: files[old][:-20]}, old, 0)

    def test_cut(self) -> None:
        """What was never acknowledged is no fault."""
        last = sorted(self.books.files)[2]
        found = self.verify({**self.books.files, last: self.books.files[last][:-1], "journal-000000000000011-0009.jsonl": b"{"})
        self.assertEqual(found.commits, 10)
        self.assertEqual(len(found.notes), 2)

    def test_newer(self) -> None:
        """What a newer version has written is refused."""
        files = {FIRST: self.books.files[FIRST].replace(b'"format":', b'"format":7', 1)}
        self.assert_broken(files, FIRST, 1, "format 7")


class VerifyingSealed(Verifying):
    """The same, sealed."""

    keys = Keys(bytes(32), source="test")

    def test_no_key(self) -> None:
        """Without the key nothing is said."""
        self.assertRaises(NoKey, verify, put(Path(self.mktemp()), self.books.files), RECORDS, INVARIANTS)


class VerifyingRotated(SynchronousTestCase):
    """Books whose key was changed, by somebody who has thrown the old one away."""

    def setUp(self) -> None:
        self.books = Books(Keys(ONE))
        self.books.pay(4)
        self.books.restart()
        self.books.pay(2)
        self.books.setting.store.change_keys(Keys(TWO, (ONE,)))
        self.books.settle()
        self.books.pay(2)
        self.files = self.books.files
        self.books.restart()
        self.books.pay(1)
        self.books.stop(snapshot=False)

    def verify(self, files: dict[str, bytes], *older: bytes) -> Verified:
        return verify(put(Path(self.mktemp()), files, Keys(TWO, older)), RECORDS, INVARIANTS)

    def test_old_key(self) -> None:
        """What is older than the newest snapshot need not be read; bytes and chain are checked, and it is said what was not read."""
        both = self.verify(self.books.files, ONE)
        self.assertEqual(both.notes, [])
        new = self.verify(self.books.files)
        self.assertEqual((new.commits, new.head, new.records), (both.commits, both.head, both.records))
        self.assertIn("3 files were checked without being read", new.notes[0])
        self.assertIn(name_of(ONE), new.notes[0])

    def test_damaged(self) -> None:
        """A flipped bit in what cannot be read is found all the same."""
        old = [name for name, content in self.books.files.items() if name_of(ONE).encode() in content.partition(b"\n")[0]]
        self.assertEqual([name.partition("-")[0] for name in sorted(old)], ["journal", "journal", "snapshot"])
        for name in old:
            content = bytearray(self.books.files[name])
            content[len(content) // 2] ^= 1
            fault = self.assertRaises(Broken, self.verify, {**self.books.files, name: bytes(content)})
            self.assertEqual(fault.file, name)

    def test_no_snapshot(self) -> None:
        """As long as no snapshot has the new key, the old one is needed."""
        lack = self.assertRaises(NoKey, self.verify, self.files)
        self.assertIn(name_of(ONE), str(lack))

    def test_which_key(self) -> None:
        """The file that is named goes with the key under which it is sealed, and not with an older one."""
        lack = self.assertRaises(NoKey, verify, put(Path(self.mktemp()), self.books.files), RECORDS, INVARIANTS)
        newest = max(name for name in self.books.files if name.startswith("journal"))
        self.assertIn(f"{newest}: it is sealed under the key {name_of(TWO)}", str(lack))


class Forging(Files):
    """Whoever makes a new chain over changed lines is found out where the lines make no sense."""

    def forge(self, old: bytes, new: bytes, name: str = FIRST) -> dict[str, bytes]:
        return forged(self.books.files, name, old, new)

    def test_forge_nothing(self) -> None:
        """The forger can do it."""
        files = forged(self.books.files, FIRST, b'"n":1', b'"n":1')
        self.assertEqual(files, self.books.files)

    def test_another_beginning(self) -> None:
        """A chain that fits, and does not begin as one does."""
        files = forged(self.books.files, FIRST, b'"n":1', b'"n":1', begins=b"1" * 64)
        self.assert_broken(files, FIRST, 1, "does not hang")

    def test_balance(self) -> None:
        """Money that comes from nowhere."""
        self.assert_broken(self.forge(b'"balance":9999', b'"balance":9998'), FIRST, 6, "books do not balance")

    def test_entries(self) -> None:
        """A transfer that does not add up."""
        line = self.books.files[FIRST].splitlines()[5]
        entry = re.search(rb'\["[0-9]{18}",[0-9]+,1,10001\]', line)
        assert entry
        self.assert_broken(self.forge(entry[0], entry[0].replace(b",1,", b",7,")), FIRST, 6, "transfer 3 do not add up")

    def test_moved(self) -> None:
        """Two balances that change without a transfer that says so."""
        files = self.forge(b'"balance":9999', b'"balance":9990')
        files = forged(files, FIRST, b'"balance":10001', b'"balance":10010')
        self.assert_broken(files, FIRST, 6, "its entries say")

    def test_snapshot(self) -> None:
        """A memo that was changed in the journal, and not in the snapshot."""
        snapshot = next(name for name in self.books.files if name.startswith("snapshot"))
        self.assert_broken(self.forge(b"for lunch", b"for crime"), snapshot, 0, "transfer", "is not what the journal says")
        self.assertEqual(self.verify(self.forge(b"for lunch", b"for crime"), whole=False).commits, 11)

    def test_snapshot_of_another_chain(self) -> None:
        """A snapshot must hang on this journal."""
        snapshot = next(name for name in self.books.files if name.startswith("snapshot"))
        files = {**self.forge(b"for lunch", b"for crime"), snapshot: self.books.files[snapshot]}
        self.assert_broken(files, snapshot, 0, "another hash", whole=False)

    def test_snapshot_ahead(self) -> None:
        """A snapshot of what the journal has not reached, or of another commit than its name says."""
        snapshot = next(name for name in self.books.files if name.startswith("snapshot"))
        ahead, another = "snapshot-000000000000099.jsonl", "snapshot-000000000000009.jsonl"
        for name, number, why in ((ahead, 99, "is of commit 99, and the journal ends at 11"), (another, 8, "it is of commit 8")):
            content = redigested(self.books.files[snapshot].replace(b'"number":8', b'"number":%d' % number))
            self.assert_broken({**self.books.files, name: content}, name, 0, why)

    def test_unreadable_record(self) -> None:
        """A record that this version cannot read."""
        files = self.forge(b'"owner":"ann"', b'"omner":"ann"')
        self.assert_broken(files, FIRST, 2, "cannot be read")

    def test_unreadable_record_of_a_snapshot(self) -> None:
        """Also where there is no journal that had it before."""
        name = next(name for name in self.books.files if name.startswith("snapshot"))
        self.assert_broken(
            {name: redigested(self.books.files[name].replace(b'"owner":"ann"', b'"omner":"ann"'))}, name, 0, "cannot be read"
        )

    def test_records_that_no_invariant_reads(self) -> None:
        """They are read all the same, at the end."""
        directory = put(Path(self.mktemp()), self.books.files)
        self.assertIn("cannot be read", str(self.assertRaises(Broken, verify, directory, [Another], [])))
        self.assertEqual(verify(directory, [Another], [], whole=False).commits, 11)

    def test_a_snapshot_alone(self) -> None:
        """Makes sense, or is broken, as a journal does."""
        name = next(name for name in self.books.files if name.startswith("snapshot"))
        self.assertEqual(self.verify({name: self.books.files[name]}).commits, 8)
        senseless = redigested(self.books.files[name].replace(b'"balance":9', b'"balance":8', 1))
        self.assert_broken({name: senseless}, name, 0, "books do not balance")

    def test_stated(self) -> None:
        """What a header states of the segment before it is not what that is."""
        files = self.books.files
        _, second, third = sorted(name for name in files if name.startswith("journal"))
        stated = extent(files[second])
        for lie in (extent(files[second][:-1]), extent(files[second] + b"x"), stated.replace(b'"bytes":', b'"bytes":1')):
            self.assert_broken(forged(files, third, stated, lie, restated=False), third, 1, "other bytes of segment 2")


class Walking(SynchronousTestCase):
    """The journal from end to end."""

    def test_lines(self) -> None:
        books = Books()
        books.pay(2)
        books.restart(snapshot=False)
        directory = books.put(Path(self.mktemp()))
        found = [(link.file, link.line, link.number) for link in Journal(directory).walk()]
        second = "journal-000000000000006-0002.jsonl"
        self.assertEqual(found, [*((FIRST, line, line - 1) for line in range(1, 8)), (second, 1, 6)])

    def test_put_away_meanwhile(self) -> None:
        """
        Segments that the daemon puts away, and snapshots that it removes while somebody walks, are no reason to begin again: with much to
        walk over, and much that is written, that would never come to an end.
        """
        books = Books()
        for _ in range(3):
            books.pay(4)
            books.restart()
        books.pay(1)
        directory = Tidied(books.put(Path(self.mktemp())).path)
        walk = Journal(directory).walk()
        before = [next(walk).number]
        directory.tidy()
        self.assertEqual(len([*before, *walk]), 21)
        directory = Tidied(books.put(Path(self.mktemp())).path, at="journal-000000000000012-0003.jsonl")
        found = verify(directory, RECORDS, INVARIANTS, until=books.setting.store.number)
        self.assertTrue(directory.tidied)
        self.assertEqual(found.commits, 17)

    def test_empty(self) -> None:
        journal = Journal(put(Path(self.mktemp()), {"other": b""}))
        self.assertEqual((list(journal.walk()), journal.number, journal.head), ([], 0, b"0" * 64))


class Tidied(RealDirectory):
    """
    A directory in which a daemon folds and puts away, when a certain file is read for the second time.

    @ivar tidied: whether that has happened.
    """

    def __init__(self, path: Path, at: str = "") -> None:
        super().__init__(path)
        self._at = at
        self._reads = 0
        self.tidied = False

    def lines(self, name: str) -> Iterator[bytes]:
        self._reads += name == self._at
        if self._reads == 2 and not self.tidied:
            self.tidy()
        return super().lines(name)

    def tidy(self) -> None:
        self.tidied = True
        names = self.names()
        self.remove(snapshot_names(names)[0])
        self.put_away(segment_names(names)[:-1], ARCHIVE)


def without(files: dict[str, bytes], *names: str) -> dict[str, bytes]:
    return {name: content for name, content in files.items() if name not in names}
