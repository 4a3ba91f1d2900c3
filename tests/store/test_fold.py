"""
Folding, the archive and the upkeep that calls for them, step by step; tests.store.crashes has them among crashes.
"""

from __future__ import annotations

import contextlib
import random
from datetime import timedelta
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import LogEvent, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from securehub.store import archive, journal, snapshot, upkeep
from securehub.store.collection import Collection, ExpiringCollection
from securehub.store.fold import Folded, NotWritten, Order, fold
from securehub.store.keys import Keys, name_of
from securehub.store.layout import files_of_a_start, segment_names, serial_of, snapshot_name, snapshot_names
from securehub.store.lines import header
from securehub.store.recovery import CannotStart
from securehub.store.rotation import PLAIN_NAME, current_name, key_of
from securehub.store.upkeep import AGAIN_SECONDS, LOOK_SECONDS, Upkeep
from tests.disk import MemoryDirectory
from tests.store.setting import FULL, ONE, SPAN, TWO, Message, Receipt, Room, Setting, say
from tests.store.simulated import Crash, SimulatedDirectory, SimulatedDisk
from tests.store.verifier import digest_of, verify
from tests.tools import logged

SPANS = {"receipt": SPAN}
DAY = 24 * 3600.0


def lines(told: list[LogEvent]) -> list[str]:
    """What was logged, as it is read."""
    return [formatEvent(event) for event in told]


def rows_of(content: bytes) -> tuple[snapshot.Head, set[tuple[Any, ...]]]:
    """A snapshot's head, and its records without an order."""
    found = {"receipt": ExpiringCollection("receipt", SPAN)}
    collections: dict[str, Any] = {}
    disk = MemoryDirectory({"snapshot": content})
    head, _ = snapshot.load(disk.lines("snapshot"), lambda name: collections.setdefault(name, found.get(name) or Collection(name)))
    rows = set()
    for name, collection in collections.items():
        collection.put_in_order()
        rows |= {(name, *row) for row in collection.items()}
    return head, rows


class Folding(SynchronousTestCase):
    """The rule by itself."""

    def setUp(self) -> None:
        self.patch(journal, "SNAPSHOT_AFTER", 1 << 30)
        self.setting = Setting(segment_bytes=400)

    def fold(self) -> Folded | None:
        return fold(self.setting.disk, Order(self.setting.store.writer.serial, SPANS, current_name(self.setting.disk.keys)))  # type: ignore[arg-type]

    def adopt(self) -> Folded:
        folded = self.fold()
        assert folded is not None
        self.setting.disk.put_in_place(snapshot_name(folded.number))
        return folded

    def test_as_if_replayed(self) -> None:
        """
        Whatever was put, deleted and left to expire: a fold has the records that a start would have, and a start on it and what follows
        has them, too.
        """
        for seed in range(30):
            chance = random.Random(seed)
            setting = self.setting = Setting(segment_bytes=chance.choice([1, 300, 2_000]))
            for _ in range(4):
                for _ in range(chance.randint(1, 25)):
                    self.change(chance)
                self.adopt_if_any()
                setting.settle()
                disk = setting.disk.crashed()
                with_folds = Setting(disk=MemoryDirectory(disk.files), wall=setting.time.seconds())
                journal_alone = {name: content for name, content in disk.files.items() if not name.startswith("snapshot")}
                without = Setting(disk=MemoryDirectory(journal_alone), wall=setting.time.seconds())
                self.assertEqual(self.everything(with_folds), self.everything(without), seed)
                verify(disk.files)

    def change(self, chance: random.Random) -> None:
        """Somebody does something."""
        setting, key = self.setting, chance.choice("abcd")
        what = chance.randrange(6)
        if what == 0:
            setting.transact(lambda tx: tx.delete(Room, key))
        elif what == 1:
            setting.transact(lambda tx: tx.put(key, Receipt(str(chance.random()))))
        elif what == 2:
            setting.transact(lambda tx: tx.delete(Receipt, key))
        elif what == 3:
            setting.transact(lambda tx: tx.put(key, Room(str(tx.number("room")))))
        elif what == 4:
            setting.time.advance(chance.choice([1, SPAN, 3 * SPAN]))
        else:
            setting.transact(say, "lobby", "hello")
        setting.settle()

    def adopt_if_any(self) -> None:
        folded = self.fold()
        if folded is not None:
            self.setting.disk.put_in_place(snapshot_name(folded.number))
            self.setting.disk.settle()

    def everything(self, setting: Setting) -> tuple[Any, ...]:
        """All that a store has, written as a snapshot."""
        self.patch(journal, "SNAPSHOT_AFTER", 0)
        setting.close()
        self.patch(journal, "SNAPSHOT_AFTER", 1 << 30)
        head, rows = rows_of(setting.disk.files[snapshot_names(setting.disk.names())[-1]])
        return head.number, head.drawn, head.forms, rows

    def test_nothing_to_fold(self) -> None:
        """Without a closed segment that has something, there is nothing to do, and nothing is written."""
        self.assertIsNone(self.fold())
        self.setting.say(1)
        self.assertIsNone(self.fold())
        self.setting = self.setting.crashed()
        self.adopt()
        self.assertIsNone(self.fold())
        self.setting = self.setting.crashed()
        self.assertIsNone(self.fold())
        self.assertEqual(len(snapshot_names(self.setting.disk.names())), 1)

    def test_start_from_it(self) -> None:
        """A start takes the snapshot, and replays what its segments do not have."""
        self.setting.say(7)
        folded = self.adopt()
        self.setting = self.setting.crashed()
        self.assertEqual(self.setting.found.replayed, 7 - folded.number)
        self.assertEqual(self.setting.found.snapshot, folded.digest)
        self.assertEqual(self.setting.get(Room, "lobby").seq, 7)

    def test_onto_an_older_one(self) -> None:
        """A damaged snapshot is passed over and named; what it had is in the journal, be that in the archive."""
        self.setting.say(7)
        first = snapshot_name(self.adopt().number)
        self.setting.say(7)
        second = snapshot_name(self.adopt().number)
        archive.put_away(self.setting.disk)  # type: ignore[arg-type]
        self.setting.say(7)
        for name in (first, second):
            content = self.setting.disk.files[name]
            self.setting.disk.files[name] = content.replace(b'"hello', b'"hallo', 1)
        folded = self.adopt()
        self.assertEqual(folded.damaged, [second, first])
        self.setting.disk.settle()
        self.setting = self.setting.crashed()
        self.assertEqual(self.setting.get(Message, "lobby/000001"), Message("hello 0"))

    def test_damaged_journal(self) -> None:
        """Damage in a closed segment is told, as a start would, and leaves nothing."""
        self.setting.say(7)
        name = segment_names(self.setting.disk.names())[1]
        self.setting.disk.files[name] = self.setting.disk.files[name].replace(b"hello", b"hallo")
        refusal = self.assertRaises(CannotStart, self.fold)
        self.assertIn(name, str(refusal))
        self.assertEqual([name for name in self.setting.disk.names() if name.startswith("snapshot")], [])

    def test_missing_segment(self) -> None:
        """So it is with a segment that is not there."""
        self.setting.say(7)
        self.assertIn(
            "99 of the journal is missing", str(self.assertRaises(CannotStart, fold, self.setting.disk, Order(99, SPANS, PLAIN_NAME)))
        )
        *closed, _ = segment_names(self.setting.disk.names())
        for name in (closed[1], closed[-1]):
            content = self.setting.disk.files.pop(name)
            self.assertRaises(CannotStart, self.fold)
            self.setting.disk.files[name] = content
        self.assertIsNotNone(self.fold())

    def test_read_back(self) -> None:
        """What cannot be read back is not worth anything."""
        self.setting.say(7)
        disk = self.setting.disk
        prepare = disk.prepare

        def garbled(name: str, chunks: Any) -> None:
            prepare(name, [b"".join(chunks).replace(b"hello", b"hallo")])

        disk.prepare = garbled  # type: ignore[method-assign]
        self.assertRaises(NotWritten, self.fold)

    def test_dead_tails(self) -> None:
        """What a failing disk has taken of a group that was lost is not folded."""
        self.setting.say(1)
        self.setting.transact(say, "lobby", "lost")
        self.setting.disk.fail(FULL, on=["append"], kept=None)
        self.setting.settle()
        self.setting.time.advance(1)
        self.setting.settle()
        self.setting.say(3)
        self.adopt()
        self.setting = self.setting.crashed()
        self.assertEqual(self.setting.get(Message, "lobby/000002"), Message("hello 0"))


class Rotating(SynchronousTestCase):
    """Segments end."""

    def test_full(self) -> None:
        """A group goes into a new segment when the old one is full, and each begins where the one before ends."""
        setting = Setting(segment_bytes=500)
        setting.say(12)
        names = segment_names(setting.disk.names())
        self.assertEqual([int(name.split("-")[1]) for name in names], [0, 3, 6, 9])
        self.assertEqual(verify(setting.disk.files), 12)
        self.assertEqual(setting.crashed().get(Room, "lobby").seq, 12)

    def test_old(self) -> None:
        """And when a day has passed, with something in it or not."""
        setting = Setting()
        for _ in range(3):
            setting.say(1)
            setting.time.advance(DAY / 2)
        self.assertEqual([int(name.split("-")[1]) for name in setting.disk.names()], [0, 2])

    def test_cannot_begin(self) -> None:
        """When the next one cannot begin, the group is lost, and nothing more goes into the old one."""
        setting = Setting(segment_bytes=1)
        setting.say(1)
        setting.transact(say, "lobby", "lost")
        setting.disk.fail(FULL, on=["create"], times=2, kept=None)
        setting.settle()
        self.assertIsNotNone(setting.store.trouble)
        setting.time.advance(1)
        setting.settle()
        self.assertIsNotNone(setting.store.trouble)
        setting.time.advance(1)
        setting.settle()
        setting.transact(say, "lobby", "there")
        setting.settle()
        self.assertEqual(setting.crashed().get(Message, "lobby/000002"), Message("there"))

    def test_snapshot_in_the_header(self) -> None:
        """Each header states the newest snapshot, so that the chain vouches for it."""
        setting = Setting(segment_bytes=1)
        setting.store.writer.snapshot = "ab" * 32
        setting.say(2)
        stated = [header(setting.disk.files[name].splitlines(keepends=True)[0]).snapshot for name in setting.disk.names()]
        self.assertEqual(stated, [None, "ab" * 32])


class StepFolding:
    """Folds when it is told to."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self.orders: list[Order] = []
        self.stopped = False
        self._deferred: Deferred[Any] = Deferred()

    def fold(self, order: Order) -> Deferred[Folded | None]:
        self.orders.append(order)
        self._deferred = Deferred()
        return self._deferred

    def finish(self) -> None:
        """Do what was ordered."""
        self._deferred.callback(fold(self._setting.disk, self.orders[-1]))  # type: ignore[arg-type]

    def find_nothing(self) -> None:
        self._deferred.callback(None)

    def fail(self) -> None:
        self._deferred.errback(RuntimeError("there was no memory"))

    def stop(self) -> Deferred[None]:
        self.stopped = True
        return succeed(None)


class Keeping(SynchronousTestCase):
    """The daemon's part."""

    def setUp(self) -> None:
        self.begin(Setting(segment_bytes=1_000))

    def begin(self, setting: Setting, **options: Any) -> None:
        self.setting = setting
        self.folding = StepFolding(setting)
        self.archive_days = 10
        parameters = {"segment_bytes": 1_000, "percent": 50, "archive_days": lambda: self.archive_days} | options
        self.upkeep = Upkeep(
            setting.store,
            setting.disk,  # type: ignore[arg-type]
            setting.worker,
            setting.time,
            setting.clock,
            self.folding,
            **parameters,
        )
        self.upkeep.start()

    def look(self, after: float = LOOK_SECONDS) -> int:
        """
        Time passes.

        @return: how many folds were ordered.
        """
        before = len(self.folding.orders)
        self.setting.time.advance(after)
        self.setting.settle()
        return len(self.folding.orders) - before

    def finish(self) -> None:
        self.folding.finish()
        self.setting.settle()

    def snapshots(self) -> list[int]:
        return [int(name[9:24]) for name in snapshot_names(self.setting.disk.names())]

    def serials(self, folder: str = "") -> list[int]:
        return [serial_of(name) for name in segment_names(self.setting.disk.names(folder))]

    def test_when_a_segment_is_full(self) -> None:
        """The first fold comes when a segment is closed, in the next look; the next when half as much as the snapshot has gathered."""
        self.setting.say(3)
        self.assertEqual(self.look(), 0)
        self.setting.say(3)
        self.assertEqual(self.look(), 1)
        self.finish()
        self.assertEqual(self.serials(), [1, 2])
        self.assertEqual(self.snapshots(), [int(segment_names(self.setting.disk.names())[1].split("-")[1])])
        self.assertEqual(self.look(), 0)
        self.setting.say(60)
        self.assertEqual(self.look(), 1)
        self.finish()
        size = self.setting.disk.size(snapshot_names(self.setting.disk.names())[-1])
        before = self.snapshots()[-1]
        while not self.look():
            self.setting.say(1)
        closed = [self.setting.disk.size(name) for name in segment_names(self.setting.disk.names())[:-1]]
        self.assertGreaterEqual(self.setting.store.number - before, 10)
        self.assertGreater(sum(closed), size // 2)

    def test_one_at_a_time(self) -> None:
        """While one is being made no other is ordered, whatever gathers."""
        self.setting.say(10)
        self.assertEqual(self.look(), 1)
        self.setting.say(10)
        self.assertEqual(self.look(), 0)
        self.finish()
        self.assertEqual(self.look(), 1)

    def test_in_portions(self) -> None:
        """What has gathered for long is folded a part at a time."""
        self.patch(upkeep, "MOST_BYTES", 2_500)
        self.setting.say(60)
        folds = 0
        while self.look():
            folds += 1
            self.finish()
        self.assertGreater(folds, 2)
        self.assertEqual(len(set(self.snapshots())), 2)
        self.assertEqual(self.snapshots()[-1], int(segment_names(self.setting.disk.names())[-1].split("-")[1]))

    def test_after_a_day(self) -> None:
        """However little it is, it is folded after a day, once; and then there is nothing to do."""
        self.setting.say(1)
        self.assertEqual(self.look(DAY / 2), 0)
        self.assertEqual(self.look(DAY / 2), 1)
        self.finish()
        self.assertEqual(self.snapshots(), [1])
        for _ in range(5):
            self.assertEqual(self.look(DAY), 0)
        self.assertEqual(self.serials(), [1, 2])

    def test_a_clock_that_was_wrong(self) -> None:
        """While times stand still far ahead of the clock, the archive keeps what is not old by the clock."""
        for _ in range(5):
            self.setting.say(20)
            self.look()
            self.finish()
        archived = self.serials("archive")
        self.setting.wall += 3 * 365 * DAY
        self.setting.say(1)
        self.setting.wall -= 3 * 365 * DAY
        self.look()
        self.assertEqual(self.serials("archive")[: len(archived)], archived)

    def wrong_for(self, days: int) -> list[int]:
        """
        The clock is a year ahead for some days, over restarts, while much is written.

        @return: the segments that were in the archive before and are there no more.
        """
        for _ in range(5):
            self.setting.say(20)
            self.look()
            self.finish()
        archived = self.serials("archive")
        self.setting.wall += 365 * DAY
        for _ in range(days):
            self.upkeep.stop()
            self.begin(self.setting.reopened())
            for _ in range(5):
                self.setting.say(20)
                if self.look():
                    self.finish()
            self.look(DAY - 6 * LOOK_SECONDS)
        return [each for each in archived if each not in self.serials("archive")]

    def test_a_clock_that_is_wrong(self) -> None:
        """What a year ahead would be old stays, until somebody may have set the clock right."""
        told = logged(self)
        self.assertEqual(self.wrong_for(1), [])
        (line,) = [each for each in lines(told) if "clock-ahead" in each]
        self.assertIn("for 365 days", line)
        self.setting.wall -= 365 * DAY
        self.look(30 * DAY)
        self.assertNotEqual(self.serials("archive"), [])

    def test_a_clock_that_is_believed(self) -> None:
        """If it says so for days, it is so: the hub was stopped for long, or had nothing to write."""
        self.assertNotEqual(self.wrong_for(3), [])

    def test_nothing_written(self) -> None:
        """Then there is nothing but the time that passes."""
        for _ in range(5):
            self.setting.say(20)
            self.look()
            self.finish()
        self.look(400 * DAY)
        self.assertNotEqual(self.serials("archive"), [])
        self.look(2 * DAY)
        self.assertEqual(self.serials("archive"), [])

    def test_old_files(self) -> None:
        """Two snapshots stay, with the segments behind the older one; what that covers is in the archive for its days."""
        for _ in range(5):
            self.setting.say(20)
            self.look()
            self.finish()
        self.assertEqual(len(self.snapshots()), 2)
        in_place = map(self.setting.disk.size, segment_names(self.setting.disk.names()))
        self.assertEqual(self.setting.store.journal_bytes, sum(in_place))
        archived, left = self.serials("archive"), self.serials()
        self.assertEqual(archived + left, list(range(1, self.setting.store.writer.serial + 1)))
        covered = snapshot.read_head(next(self.setting.disk.lines(snapshot_name(self.snapshots()[0])))).serial
        self.assertEqual(archived[-1], covered)
        self.look(7 * DAY)
        self.assertEqual(self.serials("archive"), archived)
        self.archive_days = 8
        self.look(1 * DAY)
        self.assertEqual(self.serials("archive"), [])
        self.assertEqual(verify(self.setting.disk.files), 100)
        self.setting.disk.settle()
        self.assertEqual(self.setting.crashed().get(Room, "lobby").seq, 100)

    def test_bounded(self) -> None:
        """A community that lives for years on the same few records takes no more of the disk than they and the archive's days."""
        sizes = []
        for _ in range(60):
            for number in range(30):
                self.setting.put(str(number % 10), Room(str(number)))
                self.setting.settle()
            if self.look(DAY / 2):
                self.finish()
            sizes.append(sum(map(len, self.setting.disk.files.values())))
        self.assertLess(max(sizes[30:]), max(sizes[:30]) * 1.2)

    def test_failed(self) -> None:
        """A fold that fails is tried again later, and leaves everything as it was; what a child has left is swept away."""
        self.setting.say(10)
        self.look()
        self.setting.disk.files["vault.key.new"] = b"of somebody else"
        before = dict(self.setting.disk.files)
        self.setting.disk.files["snapshot-000000000000009.jsonl.new"] = b"half of"
        self.folding.fail()
        self.assertEqual(self.upkeep.trouble, "there was no memory")
        self.assertEqual(self.look(AGAIN_SECONDS / 2), 0)
        self.assertEqual(self.setting.disk.files, before)
        self.assertEqual(self.look(AGAIN_SECONDS), 1)
        self.finish()
        self.assertEqual((len(self.snapshots()), self.upkeep.trouble), (1, ""))

    def test_moved(self) -> None:
        """What would go into files that are not where they were is unavailable after a look, until they are back; that is told once."""
        told = logged(self)
        self.setting.say(1)
        self.setting.disk.moved = True
        for _ in range(3):
            self.look()
        self.assertIn("it was moved", self.upkeep.trouble)
        self.assertEqual(len([line for line in lines(told) if "it was moved" in line]), 1)
        self.setting.say(1)
        self.assertIn("it was moved", self.setting.store.trouble or "")
        self.look(AGAIN_SECONDS)
        self.assertEqual(len([line for line in lines(told) if line.startswith("The journal could not be folded")]), 2)
        self.setting.disk.moved = False
        self.look(1)
        self.setting.say(1)
        self.assertEqual(self.setting.crashed().store.number, 2)
        self.assertEqual((self.look(AGAIN_SECONDS), self.upkeep.trouble), (0, ""))

    def test_cannot_be_put_in_place(self) -> None:
        """When the new snapshot cannot get its name, the old files stay."""
        self.setting.say(10)
        self.look()
        self.setting.disk.fail(FULL, on=["rename"])
        self.finish()
        self.assertEqual((self.snapshots(), self.serials("archive")), ([], []))
        self.assertEqual(self.look(AGAIN_SECONDS), 1)

    def test_no_room(self) -> None:
        """Nothing is folded where that would fill the disk; it is a trouble until there is room, and told once."""
        told = logged(self)
        self.setting.say(10)
        self.setting.disk.space = 1_500
        for _ in range(3):
            self.assertEqual(self.look(), 0)
            self.assertIn("the disk has room for 1500 bytes", self.upkeep.trouble)
        self.assertEqual(len([line for line in lines(told) if line.startswith("The journal is not folded")]), 1)
        self.setting.disk.space = 10_000
        self.assertEqual(self.look(), 1)
        self.finish()
        self.assertEqual(self.upkeep.trouble, "")

    def test_never_begun(self) -> None:
        """A segment whose beginning a power cut has taken is in nobody's way."""
        self.patch(journal, "SNAPSHOT_AFTER", 1)
        self.setting.say(1)
        self.begin(self.setting.reopened())
        for name in (name for name in segment_names(self.setting.disk.names()) if serial_of(name) == 2):
            self.setting.disk.files[name] = b'{"format":1,"aft'
        self.setting = self.setting.followed(MemoryDirectory(self.setting.disk.files))
        self.begin(self.setting)
        self.setting.say(20)
        self.assertEqual(self.look(), 1)
        self.finish()
        self.assertEqual(len(self.snapshots()), 2)

    def test_damaged(self) -> None:
        """A snapshot that was found damaged is set aside, which is told, and does not count as one to go back to."""
        told = logged(self)
        for _ in range(2):
            self.setting.say(20)
            self.look()
            self.finish()
        name = snapshot_name(self.snapshots()[-1])
        self.setting.disk.files[name] = self.setting.disk.files[name].replace(b"hello", b"hallo", 1)
        older = self.snapshots()[0]
        self.setting.say(40)
        self.look()
        self.finish()
        self.assertEqual(self.snapshots()[0], older)
        self.assertIn(f"{name}.damaged", self.setting.disk.names())
        self.assertIn(f"{name} was found damaged, is called {name}.damaged now, and no longer used.", lines(told))

    def test_changed_key(self) -> None:
        """
        After a change of the key all that a start reads is folded at once: what is closed, and then, for the second snapshot, what has been
        committed since. So soon no start needs the old key; the archive does.
        """
        self.begin(Setting(disk=MemoryDirectory(keys=Keys(ONE))))
        self.setting.say(3)
        self.assertEqual(self.look(), 0)
        self.setting.store.change_keys(Keys(TWO, (ONE,)))
        self.setting.settle()
        self.assertEqual(self.look(), 1)
        self.finish()
        self.assert_starts_with(Keys(TWO), 3)
        self.assertEqual(self.look(), 0)
        self.setting.say(1)
        self.assertEqual(self.look(), 1)
        self.finish()
        self.assertEqual((self.snapshots(), self.serials("archive")), ([3, 4], [1]))
        self.assertEqual({key_of(self.setting.disk, name) for name in files_of_a_start(self.setting.disk)}, {name_of(TWO)})  # type: ignore[arg-type]
        self.setting.disk.files[snapshot_name(4)] = b"damaged"
        self.assert_starts_with(Keys(TWO), 4)
        self.setting.say(1)
        self.assertEqual(self.look(), 0)

    def test_a_key_that_is_only_prepared(self) -> None:
        """Where the keys are a child may find a new one in front: until the hub has changed to it, it is of no use for anything new."""
        self.begin(Setting(disk=MemoryDirectory(keys=Keys(ONE)), segment_bytes=1_000))
        self.setting.say(20)
        self.assertEqual(self.look(), 1)
        self.setting.disk.keys = Keys(TWO, (ONE,))
        self.folding.finish()
        self.setting.disk.keys = Keys(ONE)
        self.setting.settle()
        self.assertEqual({key_of(self.setting.disk, name) for name in files_of_a_start(self.setting.disk)}, {name_of(ONE)})  # type: ignore[arg-type]
        self.assert_starts_with(Keys(ONE), 20)
        self.setting.say(1)
        self.assertEqual(self.look(), 0)

    def test_turned_on(self) -> None:
        """When a hub begins to seal, or ends to, what a start reads becomes so, too."""
        for before, after in ((Keys(), Keys(ONE)), (Keys(ONE), Keys(b"", (ONE,)))):
            self.begin(Setting(disk=MemoryDirectory(keys=before)))
            self.setting.say(3)
            self.setting.disk.keys = after
            self.begin(self.setting.reopened())
            self.assertEqual(self.look(), 1)
            self.finish()
            self.setting.say(1)
            self.assertEqual(self.look(), 1)
            self.finish()
            sealed = [b'"sealed"' in self.setting.disk.files[name] for name in self.setting.disk.names() if name.startswith("snapshot")]
            self.assertEqual(sealed, [bool(after.current)] * 2)
            self.assertEqual(self.look(), 0)

    def assert_starts_with(self, keys: Keys, seq: int) -> None:
        self.setting.disk.settle()
        left = self.setting.disk.crashed()
        left.keys = keys
        self.assertEqual(self.setting.followed(left).get(Room, "lobby").seq, seq)

    def test_stop(self) -> None:
        """A stop ends what is being folded, and nothing comes of it afterwards."""
        self.setting.say(10)
        self.look()
        stopped: list[object] = []
        self.upkeep.stop().addCallback(stopped.append)
        self.assertEqual((stopped, self.folding.stopped), ([None], True))
        self.folding.fail()
        self.setting.close()
        self.assertEqual((self.setting.time.getDelayedCalls(), self.upkeep.trouble), ([], ""))

    def test_stop_at_the_end_of_a_fold(self) -> None:
        """What is done at that moment is not put in place any more."""
        self.setting.say(10)
        self.look()
        self.upkeep.stop()
        self.finish()
        self.assertEqual(self.snapshots(), [])

    def test_stop_in_a_look(self) -> None:
        """What was seen to be due is not begun any more."""
        self.setting.say(10)
        self.setting.time.advance(LOOK_SECONDS)
        self.upkeep.stop()
        self.setting.settle()
        self.assertEqual((self.folding.orders, self.folding.stopped), ([], True))

    def test_nothing_to_fold(self) -> None:
        """A child that finds nothing to do is no trouble, and the next may find something."""
        self.setting.say(10)
        for _ in range(2):
            self.assertEqual(self.look(), 1)
            self.folding.find_nothing()
            self.setting.settle()
            self.assertEqual(self.upkeep.trouble, "")

    def test_starts_without_commits(self) -> None:
        """However many there were, and however long ago, no child is sent for what nobody has written."""
        self.setting.say(10)
        for _ in range(3):
            while self.look(2 * DAY):
                self.finish()
            self.begin(self.setting.reopened())
        self.assertEqual(self.look(2 * DAY), 0)
        self.assertGreater(len(self.serials()), 2)

    def test_digest(self) -> None:
        """The next segment states the digest of the new snapshot."""
        self.setting.say(10)
        self.look()
        self.finish()
        self.setting.say(10)
        newest = self.setting.disk.files[segment_names(self.setting.disk.names())[-1]].splitlines(keepends=True)[0]
        name = snapshot_name(self.snapshots()[-1])
        self.assertEqual(header(newest).snapshot, digest_of(self.setting.disk.files[name]))


class Pruning(SynchronousTestCase):
    """The archive's end."""

    def test_never_begun(self) -> None:
        """A segment that never began has no day of its own, and goes with the next."""
        setting = Setting(segment_bytes=1)
        setting.say(2)
        first, *_ = segment_names(setting.disk.names())
        setting.disk.put_away([first], archive.ARCHIVE)
        setting.disk.files["archive/journal-000000000000000-0000.jsonl"] = b'{"for'
        now = setting.clock.now()
        self.assertEqual(list(archive.over(setting.disk, now, 1)), [])  # type: ignore[arg-type]
        self.assertEqual(list(archive.over(setting.disk, now, 0)), ["journal-000000000000000-0000.jsonl", first])  # type: ignore[arg-type]

    def test_damaged(self) -> None:
        """One whose first line is damaged still has what others may need: it stays until the one behind it goes."""
        setting = Setting(segment_bytes=1)
        for _ in range(4):
            setting.say(1)
            setting.time.advance(DAY)
        names = segment_names(setting.disk.names())[:-1]
        setting.disk.put_away(names, archive.ARCHIVE)
        for name in names[:2]:
            path = f"{archive.ARCHIVE}/{name}"
            setting.disk.files[path] = b"[" + setting.disk.files[path][1:]
        begun = header(setting.disk.files[f"{archive.ARCHIVE}/{names[2]}"].splitlines()[0]).at
        self.assertEqual(list(archive.over(setting.disk, begun + timedelta(days=9), 10)), [])  # type: ignore[arg-type]
        self.assertEqual(list(archive.over(setting.disk, begun + timedelta(days=10), 10)), names[:3])  # type: ignore[arg-type]

    def test_no_gap(self) -> None:
        """What lies outside of the archive goes first."""
        setting = Setting(segment_bytes=1)
        setting.say(4)
        first, second, *_ = segment_names(setting.disk.names())
        setting.disk.rename(second, f"archive/{second}")
        later = setting.clock.now() + timedelta(days=99)
        self.assertEqual(list(archive.over(setting.disk, later, 1)), [])  # type: ignore[arg-type]
        setting.disk.rename(first, f"archive/{first}")
        self.assertEqual(list(archive.over(setting.disk, later, 1)), [first, second])  # type: ignore[arg-type]

    def test_no_gap_after_failures(self) -> None:
        """Whatever sync of the directory fails, and whenever the machine stops: what is left of the archive is its end."""
        setting = Setting(segment_bytes=1)
        setting.say(6)
        *old, newest = segment_names(setting.disk.names())
        for seed in range(300):
            chance = random.Random(seed)
            disk = SimulatedDisk(chance, setting.disk.files, fault_rate=0.3, crash_at=chance.randint(1, 25))
            directory = SimulatedDirectory(disk)
            with contextlib.suppress(Crash):
                for _ in range(20):
                    with contextlib.suppress(OSError):
                        directory.put_away([name for name in old if name in directory.names()], archive.ARCHIVE)
                        for name in archive.over(directory, setting.clock.now() + timedelta(days=9), 1):
                            archive.remove(directory, name)
            files = disk.after_crash()
            left = [name for name in old if name in files or f"{archive.ARCHIVE}/{name}" in files]
            self.assertEqual(left, old[len(old) - len(left) :], seed)
            self.assertIn(newest, files)
