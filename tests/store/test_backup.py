"""
Backups are whole or not there, hold no key, and come back as they were.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from securehub.store import backup as backups
from securehub.store.backup import CannotRestore, back_up, check_files, prune, read_list, restore
from securehub.store.chain import Broken
from securehub.store.disk import InUse, RealDisk
from securehub.store.drill import drill, last
from securehub.store.files import RealDirectory
from securehub.store.keys import PLAIN, Keys, NoKey
from securehub.store.records import parents
from securehub.store.recovery import CannotStart
from securehub.store.verification import verify
from tests.rules.setting import RECORDS
from tests.store.books import INVARIANTS, Books, put, taken
from tests.store.setting import BEGIN, FIRST, TWO, everything
from tests.store.test_verification import without

RENAMED = -1
"""In place of what was synced: here something was given its name."""

KEYS = {"key.pem": b"secret", "certificate.pem": b"secret", "vault.key": b"secret", "admin.sock": b"", "lock": b""}


def all_records(setting: Any) -> dict[str, list[Any]]:
    """Everything that can be scanned by its keys."""
    scanned = [cls for cls in RECORDS if cls.scanned and cls.lifetime is None and parents(cls) is None]
    return {cls.collection: setting.read(everything, cls) for cls in scanned}


class Backups(SynchronousTestCase):
    """A state directory with two snapshots and a few runs of a daemon."""

    keys = PLAIN

    def setUp(self) -> None:
        self.books = Books(self.keys)
        for _ in range(2):
            self.books.pay(4)
            self.books.restart()
        self.books.pay(3)
        self.state = put(Path(self.mktemp()), {**self.books.files, **KEYS}, self.keys)
        self.target = Path(self.mktemp())

    def back_up(self, **options: Any) -> Path:
        return back_up(self.state, self.target, "1.2", at=BEGIN, **options)

    def fresh(self, files: dict[str, bytes] | None = None) -> RealDirectory:
        return put(Path(self.mktemp()), files or {}, self.keys)

    def test_there_and_back(self) -> None:
        """What is restored is what was backed up, as far as the backup goes, and a hub goes on with it."""
        for until in (None, 3, 8, 15):
            self.target = Path(self.mktemp())
            state = self.fresh({"vault.key": b"secret"})
            restore(self.back_up(until=until), state)
            found = taken(state)
            self.assertEqual(found.store.number, 15 if until is None else until)
            if until in (None, 15):
                self.assertEqual(all_records(found), all_records(self.books.setting))
            self.assertEqual(verify(state, RECORDS, INVARIANTS).commits, found.store.number)
            self.assertEqual((state.path / "vault.key").read_bytes(), b"secret")

    def test_until(self) -> None:
        """A backup can be put back as it was at an earlier commit."""
        state = self.fresh()
        restore(self.back_up(), state, until=9)
        self.assertEqual(taken(state).store.number, 9)

    def test_until_a_snapshot(self) -> None:
        """That commit may be one of which there is a snapshot, and that may have been made when another segment had begun already."""
        self.books.restart(snapshot=False)
        self.books.restart()
        number = self.books.setting.found.number
        self.books.pay()
        self.state = put(Path(self.mktemp()), self.books.files, self.keys)
        state = self.fresh()
        restore(self.back_up(), state, until=number)
        setting = taken(state)
        self.assertEqual((setting.store.number, setting.found.replayed), (number, 0))
        setting.close()
        self.assertEqual(verify(put(state.path, setting.disk.files, self.keys), RECORDS, INVARIANTS).commits, number)

    def test_on_the_disk(self) -> None:
        """All of a backup is synced before it has its name, and then that is; so it is with what is restored, file by file."""
        order: list[int] = []
        rename = os.rename

        def noted(*names: Any) -> None:
            order.append(RENAMED)
            rename(*names)

        self.patch(os, "fsync", lambda descriptor: order.append(os.fstat(descriptor).st_ino))
        self.patch(os, "rename", noted)
        path = self.back_up()
        before, after = order[: order.index(RENAMED)], order[order.index(RENAMED) + 1 :]
        self.assertLessEqual({each.stat().st_ino for each in (path, *path.iterdir())}, set(before))
        self.assertEqual(after, [self.target.stat().st_ino])

        order.clear()
        state = self.fresh({"vault.key": b"secret"})
        restore(path, state)
        before, after = order[: order.index(RENAMED)], order[order.index(RENAMED) :]
        self.assertLessEqual({each.stat().st_ino for each in state.path.glob("*.jsonl")}, set(before))
        self.assertEqual(after, [RENAMED, state.path.stat().st_ino] * len(list(state.path.glob("*.jsonl"))))

    def test_nothing_stays_open(self) -> None:
        before = len(os.listdir("/dev/fd"))
        restore(self.back_up(), self.fresh())
        self.assertEqual(len(os.listdir("/dev/fd")), before)

    def test_no_keys(self) -> None:
        """Nothing is in it but journal, snapshots and their list; and nobody else may read it."""
        path = self.back_up()
        names = sorted(each.name for each in path.iterdir())
        self.assertEqual(names, sorted(["backup.json", *(name for name in self.books.files)]))
        self.assertEqual({each.stat().st_mode & 0o077 for each in (path, *path.iterdir())}, {0})
        self.assertFalse(any(b"secret" in each.read_bytes() for each in path.iterdir()))

    def test_list(self) -> None:
        """The list says what is in it, in a format with a version."""
        found = read_list(self.back_up())
        self.assertEqual((found.format, found.made_by, found.at, found.number), (1, "1.2", BEGIN, 15))
        self.assertEqual(found.head, self.books.setting.store.head)
        self.assertEqual(found.bytes, sum(map(len, self.books.files.values())))

    def test_half_written(self) -> None:
        """While the daemon writes, the end of its segment is not of interest, nor is a segment that is only being begun."""
        newest = sorted(self.books.files)[2]
        path = self.state.path / newest
        path.write_bytes(path.read_bytes() + b'{"n":16,"at":"20')
        (self.state.path / "journal-000000000000016-0004.jsonl").write_bytes(b'{"format"')
        self.assertEqual(read_list(self.back_up(until=15)).number, 15)

    def test_archive(self) -> None:
        """What was put away is backed up, too."""
        files = {**without(self.books.files, FIRST), f"archive/{FIRST}": self.books.files[FIRST]}
        self.state = self.fresh(files)
        self.assertIn(FIRST, read_list(self.back_up()).files)

    def test_damaged(self) -> None:
        """What is damaged is not backed up, and what was begun is taken away."""
        newest = sorted(self.books.files)[1]
        (self.state.path / newest).write_bytes(self.books.files[newest].replace(b'"synced":', b'"zynced":', 1))
        self.assertEqual(self.assertRaises(Broken, self.back_up).file, newest)
        self.assertEqual(backups.backups(self.target), [])
        self.assertEqual([each.name for each in self.target.iterdir()], ["lock"])

    def test_full_disk(self) -> None:
        """A disk that is full leaves no half of a backup."""
        with mock.patch.object(os, "fsync", side_effect=OSError(28, "full")):
            self.assertRaises(OSError, self.back_up)
        self.assertEqual([each.name for each in self.target.iterdir()], ["lock"])

    def test_put_away_meanwhile(self) -> None:
        """When the daemon puts files away meanwhile, it begins again, for a while."""
        tried: list[int] = []

        def vanishing(*args: Any) -> Any:
            tried.append(1)
            if len(tried) < 3:
                raise FileNotFoundError(FIRST)
            return copy(*args)

        copy = backups._copy
        with mock.patch.object(backups, "_copy", vanishing):
            self.assertEqual(read_list(self.back_up()).number, 15)
        self.assertEqual(len(tried), 3)
        with mock.patch.object(backups, "_copy", side_effect=FileNotFoundError(FIRST)):
            self.assertRaises(FileNotFoundError, self.back_up)

    def test_one_at_a_time(self) -> None:
        disk = RealDisk(self.target)
        disk.hold()
        self.addCleanup(disk.release)
        self.assertIn("another backup", str(self.assertRaises(InUse, self.back_up)))

    def test_prune(self) -> None:
        """The newest are kept."""
        for hour in range(10, 15):
            back_up(self.state, self.target, "1.2", at=BEGIN.replace(hour=hour))
        prune(self.target, 2)
        newest = ["backup-20261119T130200Z-15", "backup-20261119T140200Z-15"]
        self.assertEqual([each.name for each in backups.backups(self.target)], newest)
        self.assertEqual(sorted(each.name for each in self.target.glob("backup-*")), newest)

    def test_one_that_somebody_holds(self) -> None:
        """An old one that cannot be removed is named, and the others are removed."""
        held, *_, newest = [back_up(self.state, self.target, "1.2", at=BEGIN.replace(hour=hour)) for hour in range(10, 14)]
        rename = os.rename

        def renamed(path: Path, new_name: Path) -> None:
            if path == held:
                raise PermissionError(1, "Operation not permitted")
            rename(path, new_name)

        with mock.patch.object(os, "rename", renamed):
            self.assertEqual(self.assertRaises(PermissionError, prune, self.target, 1).filename, str(held))
        self.assertEqual(sorted(self.target.glob("backup-*")), [held, newest])

    def test_one_that_is_left(self) -> None:
        """One of which files cannot be removed is in nobody's way, and goes as soon as it can."""
        old, newest = [back_up(self.state, self.target, "1.2", at=BEGIN.replace(hour=hour)) for hour in (10, 11)]
        with mock.patch.object(os, "unlink", side_effect=PermissionError(1, "Operation not permitted", FIRST)):
            for told in (old, old.with_suffix(".new")):
                self.assertEqual(self.assertRaises(PermissionError, prune, self.target, 1).filename, str(told))
                self.assertEqual(backups.backups(self.target), [newest])
            later = back_up(self.state, self.target, "1.2", at=BEGIN.replace(hour=12))
        self.assertEqual(backups.backups(self.target), [newest, later])
        prune(self.target, 1)
        self.assertEqual(list(self.target.glob("backup-*")), [later])

    def test_unfinished(self) -> None:
        """It does not count as one, and the next takes it away."""
        self.back_up()
        (self.target / "backup-20301119T180200Z.new").mkdir()
        self.assertEqual(len(backups.backups(self.target)), 1)
        back_up(self.state, self.target, "1.2", at=BEGIN.replace(hour=20))
        self.assertEqual(sorted(self.target.glob("backup-*")), backups.backups(self.target))

    def test_a_clock_that_was_ahead(self) -> None:
        """What was made last is the newest all the same: it is not removed for those from ahead. It says when it was made."""
        for at in (BEGIN.replace(year=2029), BEGIN, BEGIN.replace(hour=19), BEGIN.replace(hour=19)):
            made = back_up(self.state, self.target, "1.2", at=at)
            self.assertEqual((backups.backups(self.target)[-1], read_list(made).at), (made, at))
        prune(self.target, 2)
        self.assertEqual([each.name for each in backups.backups(self.target)], ["backup-20291119T180202Z-15", "backup-20291119T180203Z-15"])

    def test_others_beside_them(self) -> None:
        """What somebody else has put there is no backup, and not removed."""
        made = self.back_up()
        packed = self.target / f"{made.name}.tar.gz"
        packed.touch()
        (self.target / "backup-99990101T000000Z-1").touch()
        (self.target / "backup-20263131T000000Z-1").mkdir()
        self.assertEqual(backups.backups(self.target), [made])
        later = back_up(self.state, self.target, "1.2", at=BEGIN.replace(hour=20))
        self.assertEqual(backups.backups(self.target), [made, later])
        prune(self.target, 1)
        self.assertTrue(packed.exists())

    def test_not_whole(self) -> None:
        """A backup that was changed, or of which something is missing, is not restored; nothing is left of the try."""
        path = self.back_up()
        content = (path / FIRST).read_bytes()
        for spoil in (lambda: (path / FIRST).write_bytes(content[:-1] + b" "), (path / FIRST).unlink):
            spoil()
            self.assertEqual(self.assertRaises(Broken, check_files, path).file, FIRST)
            state = self.fresh()
            self.assertRaises(Broken, restore, path, state)
            self.assertEqual(state.names(), [])
        self.assertRaises(Broken, restore, self.state.path, self.fresh())

    def test_newer(self) -> None:
        path = self.back_up()
        listed = (path / "backup.json").read_bytes()
        (path / "backup.json").write_bytes(listed.replace(b'"format": 1', b'"format": 2'))
        self.assertIn("format 2", str(self.assertRaises(Broken, read_list, path)))

    def test_in_use(self) -> None:
        """Nothing that is there is ever overwritten, be it put away or not."""
        path = self.back_up()
        for name in (FIRST, f"archive/{FIRST}", "snapshot-000000000000008.jsonl"):
            state = self.fresh({name: b"theirs"})
            self.assertRaises(CannotRestore, restore, path, state)
            self.assertEqual((state.path / name).read_bytes(), b"theirs")

    def test_pruned(self) -> None:
        """Where the archive has been pruned, a backup goes back as far as its snapshots do."""
        self.state = self.fresh(without(self.books.files, FIRST))
        path = self.back_up()
        state = self.fresh()
        restore(path, state, until=13)
        self.assertEqual(taken(state).store.number, 13)
        state = self.fresh()
        self.assertIn("begins after commit 7", str(self.assertRaises(CannotRestore, restore, path, state, until=7)))
        self.assertEqual(state.names(), [])
        for name in [name for name in self.books.files if name.startswith("snapshot")]:
            (self.state.path / name).unlink()
        self.assertRaises((Broken, FileNotFoundError), self.back_up)

    def test_interrupted_restore(self) -> None:
        """Stopped anywhere, a restore leaves what a start refuses, or all of it."""
        path = self.back_up()
        rename = os.rename
        outcomes = []
        for count in range(len(self.books.files) + 1):
            left = [count]

            def stop(*args: Any, left: list[int] = left) -> None:
                if not left[0]:
                    raise KeyboardInterrupt
                left[0] -= 1
                rename(*args)

            state = self.fresh()
            with mock.patch.object(os, "rename", stop), contextlib.suppress(KeyboardInterrupt):
                restore(path, state)
            try:
                outcomes.append(taken(state).store.number)
            except CannotStart:
                outcomes.append(-1)
        self.assertEqual(set(outcomes[1:]), {-1, 15})
        self.assertEqual(outcomes[0], 0)  # Nothing is there: that is no journal at all.

    # Drills

    def test_drill(self) -> None:
        """The newest backup is opened; what came of it is kept beside it."""
        path = self.back_up()
        result = drill(self.target, self.keys, RECORDS, INVARIANTS, at=BEGIN)
        self.assertEqual((result.at, result.backup, result.passed, result.why), (BEGIN, path.name, True, ""))
        self.assertEqual(result.number, 15)
        self.assertEqual(last(self.target), result)
        self.assertEqual(taken_again(path, self.fresh()), 15)

    def test_failed_drill(self) -> None:
        """A drill that finds something says what, and so does one without any backup, which makes no place for them."""
        self.assertIsNone(last(self.target))
        self.assertIn("no backup", drill(self.target, self.keys, RECORDS, INVARIANTS).why)
        self.assertFalse(self.target.exists())
        path = self.back_up()
        (path / FIRST).write_bytes(b"{}\n")
        found = drill(self.target, self.keys, RECORDS, INVARIANTS)
        self.assertFalse(found.passed)
        self.assertIn(FIRST, found.why)
        self.assertEqual(last(self.target), found)

    def test_drill_of_what_makes_no_sense(self) -> None:
        """It is not enough that a backup can be opened: the books have to balance, and it has to be what the list says."""
        path = self.back_up()
        found = drill(self.target, self.keys, RECORDS, [NeverBalanced])
        self.assertEqual((found.passed, found.number), (False, 0))
        self.assertIn("do not balance", found.why)
        listed = (path / "backup.json").read_bytes()
        (path / "backup.json").write_bytes(listed.replace(b'"number": 15', b'"number": 14'))
        self.assertIn("opens at commit 15, and was made at 14", drill(self.target, self.keys, RECORDS, INVARIANTS).why)


class NeverBalanced:
    """Books with which something is wrong whatever they say."""

    def change(self, collection: str, key: str, record: bytes | None) -> None:
        """Whatever it is."""

    def complaint(self) -> str:
        return "the books do not balance"


class SealedBackups(Backups):
    """The same, sealed."""

    keys = Keys(bytes(32), source="test")

    def test_nothing_readable(self) -> None:
        """A backup shows no more than the state directory does."""
        for each in self.back_up().iterdir():
            for secret in (b"for lunch", b'"ann"', b'"balance"', b":10001"):
                self.assertNotIn(secret, each.read_bytes(), each.name)

    def test_drill_without_key(self) -> None:
        """Without the key no backup is good for anything, and a drill says so."""
        self.back_up()
        self.assertIn("sealed", drill(self.target, PLAIN, RECORDS, INVARIANTS).why)

    def test_wrong_key(self) -> None:
        directory = RealDirectory(self.back_up(), Keys(TWO, source="test"))
        self.assertRaises(NoKey, verify, directory, RECORDS, INVARIANTS)


def taken_again(path: Path, state: RealDirectory) -> int:
    """A drill has changed nothing: the backup can still be restored."""
    restore(path, state)
    return taken(state).store.number
