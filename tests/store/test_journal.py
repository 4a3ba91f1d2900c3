"""
The journal store at work: group commit, the gate's positions, the chain, and disks that fail or stand still.
"""

from __future__ import annotations

import errno
import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from securehub.refusals import Unavailable
from securehub.store import journal
from securehub.store.journal import RETRY_SECONDS
from tests.disk import MemoryDirectory
from tests.store.setting import FIRST, FULL, Message, Room, Said, Setting, get, put, say
from tests.store.verifier import verify

ENTRY = 1_000


class Groups(SynchronousTestCase):
    """Commits that share a sync."""

    def setUp(self) -> None:
        self.setting = Setting()
        self.gate = self.setting.gate

    def appends(self) -> int:
        return sum(operation == "append" for operation, _ in self.setting.disk.done)

    def test_one_turn(self) -> None:
        """All commits of one turn of the reactor go to the disk together."""
        for number in range(10):
            self.setting.put(f"{number}", Room())
        self.assertEqual(len(self.setting.worker.jobs), 0)
        self.setting.turn()
        self.assertEqual(len(self.setting.worker.jobs), 1)
        self.setting.settle()
        self.assertEqual(self.appends(), 1)

    def test_gather(self) -> None:
        """However many commits come while one sync runs, they go together in the next one, at once."""
        self.setting.put("first", Room())
        self.setting.turn()
        for number in range(50):
            self.setting.put(f"{number}", Room())
            self.setting.turn()
        self.assertEqual(len(self.setting.worker.jobs), 1)
        self.setting.worker.step()
        self.assertEqual((self.appends(), len(self.setting.worker.jobs)), (1, 1))
        self.setting.worker.step()
        self.assertEqual((self.appends(), len(self.setting.worker.jobs)), (2, 0))
        self.assertEqual(len(self.setting.crashed().topics()), 51)

    def test_position(self) -> None:
        """Outputs wait for the newest commit that there was when they were made, and for no later one."""
        self.assertIsNone(self.gate.position)
        self.setting.put("a", Room())
        first = self.gate.position
        self.setting.put("b", Room())
        self.assertIs(self.gate.position, first)
        self.setting.turn()
        self.assertIs(self.gate.position, first)
        self.setting.put("c", Room())
        second = self.gate.position
        self.assertIsNot(second, first)
        self.setting.worker.step()
        self.assertEqual(self.gate.settlements, [("settled", first)])
        self.assertIs(self.gate.position, second)
        self.setting.worker.step()
        self.assertEqual(self.gate.settlements, [("settled", first), ("settled", second)])
        self.assertIsNone(self.gate.position)

    def test_disk_first(self) -> None:
        """The disk has its next work before the outputs of the last group are let out."""
        waiting: list[int] = []
        settled = self.gate.settled
        self.gate.settled = lambda position: (waiting.append(len(self.setting.worker.jobs)), settled(position))  # type: ignore
        self.setting.put("a", Room())
        self.setting.turn()
        self.setting.put("b", Room())
        self.setting.worker.step()
        self.assertEqual(waiting, [1])

    def test_commit_while_settling(self) -> None:
        """What is let out may bring the next commit, which waits for a position of its own."""
        positions: list[Any] = []

        def settled(position: Any) -> None:
            positions.append(position)
            if len(positions) < 3:
                self.setting.put(f"{len(positions)}", Room())

        self.gate.settled = settled  # type: ignore[method-assign]
        self.setting.put("0", Room())
        self.setting.settle()
        self.assertEqual(len(set(map(id, positions))), 3)
        self.assertEqual(list(self.setting.crashed().topics()), ["0", "1", "2"])

    def test_stated_as_synced(self) -> None:
        """A line states what was synced when it was written, and no more."""
        self.setting.put("a", Room())
        self.setting.put("b", Room())
        self.setting.turn()
        self.setting.put("c", Room())
        self.setting.worker.step()
        self.setting.put("d", Room())
        self.setting.settle()
        (content,) = self.setting.disk.files.values()
        self.assertEqual([json.loads(line)["synced"] for line in content.splitlines()[1:]], [0, 0, 0, 2])

    def test_numbers(self) -> None:
        """The store tells its newest commit at once, and the hash of what is synced only."""
        head = self.setting.store.head
        self.setting.put("a", Room())
        self.assertEqual((self.setting.store.number, self.setting.store.head), (1, head))
        self.setting.settle()
        (content,) = self.setting.disk.files.values()
        self.assertIn(self.setting.store.head.encode(), content.splitlines()[-1])

    def test_cannot_be_written_down(self) -> None:
        """A key that is no text is a fault of the rule's alone: nothing of it is there, and the journal goes on where it was."""
        self.setting.put("hall", Room())
        self.setting.settle()
        self.assertRaises(UnicodeEncodeError, self.setting.put, "\ud800", Room())
        self.setting.settle()
        self.assertEqual((self.setting.store.number, self.setting.store.synced), (1, 1))
        setting = self.setting.reopened()
        self.assertIsNone(setting.get(Room, "\ud800"))
        setting.put("attic", Room())
        self.assertEqual(setting.reopened().found.number, 2)


class Chain(SynchronousTestCase):
    """Anybody can check a journal with a few lines of their own."""

    def test_whole(self) -> None:
        """The chain goes through all segments, closes, crashes and snapshots."""
        self.patch(journal, "SNAPSHOT_AFTER", 4)
        setting = Setting()
        for again in (Setting.crashed, Setting.reopened) * 3:
            for _ in range(3):
                setting.transact(say, "lobby", "hello")
                setting.transact(lambda tx: tx.delete(Room, "attic"))
            setting.settle()
            setting = again(setting)
        self.assertEqual(verify(setting.disk.files), 36)

    def test_failures(self) -> None:
        """It goes through failures, too, and leaves out what was lost."""
        setting = Setting()
        for kept in (0, 100, None):
            setting.put("kept", Room())
            setting.settle()
            setting.disk.fail(FULL, kept=kept)
            setting.put("lost", Room())
            setting.settle()
            setting.time.advance(RETRY_SECONDS)
            setting.settle()
        setting.put("kept", Room())
        setting.settle()
        self.assertEqual(verify(setting.crashed().disk.files), 4)

    def test_any_change(self) -> None:
        """Whatever is changed in a journal, the check finds it."""
        setting = Setting()
        for number in range(3):
            setting.put(f"{number}", Room("topic"))
            setting.settle()
        ((name, content),) = setting.disk.files.items()
        self.assertEqual(verify({name: content}), 3)
        for place in range(len(content) - 1):
            changed = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
            self.assertRaises((AssertionError, ValueError, KeyError), verify, {name: changed})


class Failing(SynchronousTestCase):
    """A disk that fails, in each way of failing."""

    def setUp(self) -> None:
        self.setting = Setting()
        self.setting.transact(put, "a", Room("1"), "b", Room("1"), "c", Room("1"))
        self.setting.settle()
        self.gate = self.setting.gate
        self.gate.settlements.clear()

    def lose(self, kept: int | None = 0) -> list[Any]:
        """Commits in two groups, both of which are lost; gives their positions."""
        self.setting.disk.fail(FULL, kept=kept)
        self.setting.put("a", Room("2"))
        self.setting.transact(lambda tx: tx.delete(Room, "b"))
        self.setting.put("new", Room("2"))
        first = self.gate.position
        self.setting.turn()
        self.setting.put("a", Room("3"))
        self.setting.transact(lambda tx: tx.delete(Room, "new"))
        self.setting.put("b", Room("3"))
        self.setting.transact(say, "c", "3")
        second = self.gate.position
        self.setting.worker.step()
        return [first, second]

    def go_on(self) -> None:
        self.setting.time.advance(RETRY_SECONDS)
        self.setting.settle()

    def expect_first_state(self, setting: Setting) -> None:
        self.assertEqual(setting.topics(), {"a": "1", "b": "1", "c": "1"})
        self.assertIsNone(setting.get(Message, "c/000001"))
        self.assertEqual(setting.store.number, 1)

    def test_undone(self) -> None:
        """All that was not synced is undone, the newest first, so that everything is as it was when it was last synced."""
        lost = self.lose()
        self.expect_first_state(self.setting)
        self.assertEqual(self.gate.settlements, [("lost", position) for position in lost])
        self.assertIsNone(self.gate.position)

    def test_undone_before_anybody_is_told(self) -> None:
        """Who is told that something is lost finds it undone already, and the store refusing."""
        found: list[Any] = []

        def lost(position: Any) -> None:
            found.append((self.setting.topics()["a"], self.gate.position, self.setting.store.trouble))
            self.assertRaises(Unavailable, self.setting.put, "a", Room())

        self.gate.lost = lost  # type: ignore[method-assign]
        self.lose()
        self.assertEqual(found, [("1", None, str(FULL))] * 2)

    def test_unavailable(self) -> None:
        """Until the disk is well again writes are refused before the rule runs, and reads go on."""
        self.lose()
        runs: list[int] = []
        self.assertRaises(Unavailable, self.setting.transact, lambda tx: runs.append(1))
        self.assertEqual(runs, [])
        self.assertEqual(self.setting.get(Room, "a"), Room("1"))
        self.assertIsNone(self.gate.position)
        self.assertIn("No space left", self.setting.store.trouble or "")

    def test_goes_on(self) -> None:
        """After a while it goes on in a new segment, and what is committed then is there after a crash."""
        self.lose()
        self.setting.time.advance(RETRY_SECONDS / 2)
        self.setting.settle()
        self.assertIsNotNone(self.setting.store.trouble)
        self.setting.time.advance(RETRY_SECONDS / 2)
        self.setting.settle()
        self.assertIsNone(self.setting.store.trouble)
        self.setting.put("a", Room("4"))
        self.setting.settle()
        self.assertEqual(self.gate.settlements[-1][0], "settled")
        again = self.setting.crashed()
        self.assertEqual(again.topics(), {"a": "4", "b": "1", "c": "1"})
        self.assertEqual(len([name for name in again.disk.names() if name.startswith("journal")]), 3)

    def test_old_tail_is_dead(self) -> None:
        """However much of what was lost did reach the disk, once the store goes on it is never replayed."""
        for kept in (0, 1, 100, 300, 500, None):
            self.setUp()
            self.lose(kept)
            self.go_on()
            self.expect_first_state(self.setting.crashed())
            self.setting.put("d", Room("4"))
            self.setting.settle()
            for again in (self.setting.crashed(), self.setting.crashed().crashed(), self.setting.reopened().reopened()):
                self.assertEqual(again.topics(), {"a": "1", "b": "1", "c": "1", "d": "4"}, kept)
                self.assertEqual(again.store.number, 2)

    def test_crash_before_it_goes_on(self) -> None:
        """A crash before a new segment is there leaves whole commits, of those that nobody was told about the first ones."""
        states = [
            {"a": "1", "b": "1", "c": "1"},
            {"a": "2", "b": "1", "c": "1"},
            {"a": "2", "c": "1"},
            {"a": "2", "c": "1", "new": "2"},
        ]
        seen = set()
        for kept in [*range(0, 1200, 10), None]:
            self.setUp()
            self.lose(kept)
            topics = self.setting.crashed().topics()
            self.assertIn(topics, states)
            seen.add(states.index(topics))
        self.assertEqual(seen, {0, 1, 2, 3})

    def test_again_and_again(self) -> None:
        """It fails, goes on, and fails again; each time only what was not synced is lost."""
        expected = self.setting.topics()
        for number in range(8):
            self.lose([0, 77, None][number % 3])
            self.assertEqual(self.setting.topics(), expected)
            self.go_on()
            expected[f"kept{number}"] = ""
            self.setting.put(f"kept{number}", Room())
            self.setting.settle()
            self.assertEqual(self.setting.crashed().topics(), expected)
        self.assertEqual(verify(self.setting.disk.crashed().files), 9)

    def test_new_segment_fails(self) -> None:
        """It tries until a new segment can be begun, wherever that failed before."""
        length = len(self.setting.disk.files[FIRST].splitlines(keepends=True)[0])
        for kept in (0, 1, length // 2, length - 1, length, None):
            self.setUp()
            self.lose(None)
            for _ in range(5):
                self.setting.disk.fail(FULL, on=["create"], kept=kept)
                self.go_on()
                self.assertIsNotNone(self.setting.store.trouble)
                self.assertRaises(Unavailable, self.setting.put, "d", Room())
                self.setting.crashed()
            self.go_on()
            self.assertIsNone(self.setting.store.trouble)
            self.setting.put("d", Room("4"))
            self.setting.settle()
            self.assertEqual(self.setting.crashed().topics(), {"a": "1", "b": "1", "c": "1", "d": "4"}, kept)

    def test_no_bytes_are_believed(self) -> None:
        """After a failed sync nothing more is written to that file."""
        self.lose()
        before = self.setting.disk.files[FIRST]
        self.go_on()
        self.setting.put("d", Room())
        self.setting.settle()
        self.assertEqual(self.setting.disk.files[FIRST], before)

    def test_lost_event(self) -> None:
        """A commit that is lost after its event was delivered is lost with its position; later events are heard again."""
        self.lose()
        self.assertEqual(self.setting.announcer.heard, [("c", Said(1, "3"))])
        self.go_on()
        self.setting.transact(say, "c", "4")
        self.setting.settle()
        self.assertEqual(self.setting.announcer.heard[-1], ("c", Said(1, "4")))

    def test_close_in_trouble(self) -> None:
        """A store that cannot write closes all the same, tries no more, and has what was synced."""
        self.lose()
        self.setting.disk.fail(FULL, times=None)
        self.setting.close()
        self.assertTrue(self.setting.worker.stopped)
        self.setting.time.advance(RETRY_SECONDS * 10)
        self.assertEqual(len(self.setting.worker.jobs), 0)
        self.expect_first_state(self.setting.crashed())

    def test_fails_while_closing(self) -> None:
        """When the last sync fails, the close goes through, and what waited is told that it is lost."""
        self.setting.disk.fail(FULL)
        self.setting.put("d", Room())
        position = self.gate.position
        self.setting.close()
        self.assertEqual(self.gate.outcome(position), "lost")
        self.expect_first_state(self.setting.crashed())

    def test_start(self) -> None:
        """A store that starts on a full disk shows what there is, refuses what writes, and goes on when there is room."""
        disk = self.setting.disk.crashed()
        for kept in (0, 1, None):
            disk.fail(FULL, times=None, on=["create"], kept=kept)
            again = self.setting.followed(disk)
            self.assertEqual(again.topics(), {"a": "1", "b": "1", "c": "1"})
            self.assertRaises(Unavailable, again.put, "d", Room())
            again.time.advance(RETRY_SECONDS)
            again.settle()
            self.assertIn("No space left", again.store.trouble or "")
            disk = disk.crashed()
        disk.fail(FULL, times=2, on=["create"])
        again = self.setting.followed(disk)
        for _ in range(2):
            again.time.advance(RETRY_SECONDS)
            again.settle()
        again.put("d", Room("4"))
        again.settle()
        self.assertEqual(verify(again.disk.files), 2)
        self.assertEqual(again.crashed().topics(), {"a": "1", "b": "1", "c": "1", "d": "4"})

    def test_start_and_close(self) -> None:
        """To start on a full disk and to stop there leaves all as it was."""
        disk = self.setting.disk.crashed()
        disk.fail(FULL, times=None, on=["create"])
        self.setting.followed(disk).close()
        self.expect_first_state(self.setting.followed(disk.crashed()))

    def test_no_start(self) -> None:
        """There is no start if the disk fails in another way, or if there is nothing yet that could be shown."""
        disk = self.setting.disk.crashed()
        disk.fail(OSError(errno.EACCES, "Permission denied"), on=["create"])
        self.assertRaises(PermissionError, self.setting.followed, disk)
        empty = MemoryDirectory()
        empty.fail(FULL)
        self.assertRaises(OSError, Setting, disk=empty)

    def test_close_while_it_begins_again(self) -> None:
        """A close just while a new segment is being begun leaves a journal that can be read."""
        self.patch(journal, "SNAPSHOT_AFTER", 1)
        self.lose(None)
        self.setting.time.advance(RETRY_SECONDS)
        self.expect_first_state(self.setting.reopened())


class Slow(SynchronousTestCase):
    """A disk that stands still."""

    def setUp(self) -> None:
        self.patch(journal, "MAX_UNSYNCED", 10 * ENTRY)
        self.setting = Setting()

    def fill(self) -> int:
        """Commit until it is refused; gives how many commits went through."""
        for number in range(1000):
            try:
                self.setting.put(f"{number:03d}", Room("x" * ENTRY))
            except Unavailable:
                return number
            self.setting.turn()
        raise AssertionError("there is no bound")

    def test_bound(self) -> None:
        """What waits for the disk is bounded; above that writes are refused, nothing is lost and reads go on."""
        count = self.fill()
        self.assertIn(count, range(8, 12))
        self.assertEqual(len(self.setting.topics()), count)
        self.assertRaises(Unavailable, self.setting.put, "more", Room())
        self.assertEqual(self.setting.gate.settlements, [])
        self.setting.settle()
        self.assertEqual(len(self.setting.crashed().topics()), count)

    def test_goes_on(self) -> None:
        """When the disk moves again, so do the writes, as often as that happens."""
        for _ in range(5):
            self.assertIn(self.fill(), range(8, 12))
            self.setting.settle()
            self.setting.put("more", Room())
            self.setting.settle()

    def test_in_part(self) -> None:
        """What the disk has been given is no longer counted, so there is never more than two such bounds in memory."""
        self.fill()
        self.setting.worker.step()
        self.assertIn(self.fill(), range(8, 12))
        self.assertRaises(Unavailable, self.setting.put, "one more", Room())

    def test_after_a_loss(self) -> None:
        """What was lost waits no more."""
        self.fill()
        self.setting.disk.fail(FULL)
        self.setting.worker.step()
        self.setting.time.advance(RETRY_SECONDS)
        self.setting.settle()
        self.assertIn(self.fill(), range(8, 12))


class Ending(SynchronousTestCase):
    """Draining and closing."""

    def setUp(self) -> None:
        self.setting = Setting()
        self.fired: list[str] = []

    def drain(self) -> None:
        self.setting.store.drain().addCallback(lambda _: self.fired.append("drained"))

    def test_nothing_to_drain(self) -> None:
        """A store with nothing to sync is drained at once."""
        self.drain()
        self.assertEqual(self.fired, ["drained"])

    def test_drain(self) -> None:
        """It is drained when what was in flight and what gathered are both synced."""
        self.setting.put("a", Room())
        self.setting.turn()
        self.setting.put("b", Room())
        self.drain()
        self.assertRaises(Unavailable, self.setting.put, "c", Room())
        self.setting.worker.step()
        self.assertEqual(self.fired, [])
        self.setting.worker.step()
        self.assertEqual(self.fired, ["drained"])
        self.assertEqual(list(self.setting.crashed().topics()), ["a", "b"])

    def test_drain_before_the_turn_ends(self) -> None:
        """What has not been given to the worker yet is waited for as well."""
        self.setting.put("a", Room())
        self.drain()
        self.assertEqual(self.fired, [])
        self.setting.settle()
        self.assertEqual(self.fired, ["drained"])

    def test_settled_before_drained(self) -> None:
        """Outputs are let out before the drain is done."""
        self.setting.gate.settled = lambda position: self.fired.append("settled")  # type: ignore[method-assign]
        self.setting.put("a", Room())
        self.drain()
        self.setting.settle()
        self.assertEqual(self.fired, ["settled", "drained"])

    def test_drain_and_close(self) -> None:
        """A drain, another one, and a close: each is told when it is done, and the worker is stopped at the end."""
        self.setting.put("a", Room())
        self.drain()
        self.drain()
        self.setting.close()
        self.assertEqual(self.fired, ["drained"] * 2)
        self.assertTrue(self.setting.worker.stopped)

    def test_drain_on_a_failing_disk(self) -> None:
        """A drain is done, too, when what it waited for is lost."""
        self.setting.disk.fail(FULL, times=None)
        self.setting.put("a", Room())
        self.setting.turn()
        self.setting.put("b", Room())
        self.drain()
        self.setting.worker.step()
        self.assertEqual(self.fired, ["drained"])
        self.assertEqual(self.setting.topics(), {})

    def test_reads_after_the_close(self) -> None:
        """What is in memory can be read to the end."""
        self.setting.put("a", Room("1"))
        self.setting.close()
        self.assertEqual(self.setting.read(get, Room, "a"), Room("1"))
