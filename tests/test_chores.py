"""
What is done without being asked.
"""

from __future__ import annotations

from functools import partial

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from securehub.chores import HOUR_SECONDS, Chores, Some
from securehub.refusals import Unavailable


class ChoreTests(SynchronousTestCase):
    """Chores run at their times, whatever became of them the time before."""

    def setUp(self) -> None:
        self.time = Clock()
        self.chores = Chores(self.time)
        self.done: list[float] = []
        self.fault: Exception | None = None

    async def chore(self) -> None:
        self.done.append(self.time.seconds())
        if self.fault is not None:
            raise self.fault

    def test_at_start(self) -> None:
        """Once, in the first turn after the start."""
        self.chores.at_start(self.chore)
        self.time.advance(5)
        self.chores.start()
        self.assertEqual(self.done, [])
        self.time.advance(0)
        self.time.advance(100)
        self.assertEqual(self.done, [5.0])

    def test_every(self) -> None:
        """Not at the start, and no more after the stop."""
        self.chores.every(10, self.chore)
        self.chores.start()
        self.time.pump([5.0] * 6)
        self.assertEqual(self.done, [10.0, 20.0, 30.0])
        self.chores.stop()
        self.time.pump([5.0] * 6)
        self.assertEqual(len(self.done), 3)
        self.assertEqual(self.time.getDelayedCalls(), [])

    def test_hourly(self) -> None:
        self.chores.hourly(self.chore)
        self.chores.start()
        self.time.pump([HOUR_SECONDS / 2] * 5)
        self.assertEqual(self.done, [HOUR_SECONDS, 2.0 * HOUR_SECONDS])

    def test_faults(self) -> None:
        """A fault is logged, and a disk that is full is no fault; either way it runs again."""
        self.chores.every(10, self.chore)
        self.chores.start()
        for fault in (ZeroDivisionError(), Unavailable("full"), None):
            self.fault = fault
            self.time.advance(10)
        self.assertEqual(self.done, [10.0, 20.0, 30.0])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_faults_of_a_partial(self) -> None:
        """What has no name of its own fails and runs again like any other."""
        self.chores.every(10, partial(self.chore))
        self.chores.start()
        self.fault = ZeroDivisionError()
        self.time.pump([10.0] * 3)
        self.assertEqual(self.done, [10.0, 20.0, 30.0])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 3)

    def test_never(self) -> None:
        """What is to run all the time would keep everybody else from it."""
        for seconds in (0, -1):
            self.assertRaises(AssertionError, self.chores.every, seconds, self.chore)

    def test_one_of_many_fails(self) -> None:
        """A fault with one is logged, and the others are done; when the disk takes nothing, nobody tries the rest."""
        fault: dict[str, Exception] = {"b": ZeroDivisionError(), "d": Unavailable("full")}
        tried: list[str] = []

        async def one(thing: str) -> None:
            tried.append(thing)
            if thing in fault:
                raise fault[thing]

        async def chore() -> None:
            await self.chores.for_each("abcde", one)

        self.chores.at_start(chore)
        self.chores.start()
        self.time.advance(0)
        self.assertEqual(tried, ["a", "b", "c", "d"])
        (failure,) = self.flushLoggedErrors()
        self.assertIs(failure.value, fault["b"])

    def test_all_of_many(self) -> None:
        """What is looked through is looked at in parts, with others in between, and what is found there is done."""
        happened: list[str] = []

        async def look(after: str) -> Some[str]:
            happened.append(f"behind {after or 'nothing'}")
            self.time.callLater(0, happened.append, "others")
            last = chr(ord(after or "a") + 2)
            return Some([each for each in "bf" if after < each <= last], last if last < "g" else None)

        async def one(thing: str) -> None:
            happened.append(thing)

        async def chore() -> None:
            await self.chores.for_all(look, one)

        self.chores.at_start(chore)
        self.chores.start()
        self.time.advance(0)
        self.assertEqual(happened, ["behind nothing", "b", "others", "behind c", "others", "behind e", "f", "others"])

    def test_stopped_on_the_way(self) -> None:
        """What looks through a lot ends when the hub stops."""
        looked: list[str] = []

        async def look(after: str) -> Some[str]:
            looked.append(after)
            self.chores.stop()
            return Some([], "a")

        self.chores.at_start(partial(self.chores.for_all, look, self.fail))
        self.chores.start()
        self.time.advance(0)
        self.assertEqual(looked, [""])

    def test_never_twice_at_once(self) -> None:
        """One that takes long is waited for."""
        waited: Deferred[None] = Deferred()

        async def slow() -> None:
            self.done.append(self.time.seconds())
            await waited

        self.chores.every(10, slow)
        self.chores.start()
        self.time.pump([10.0] * 5)
        self.assertEqual(self.done, [10.0])
        waited.callback(None)
        self.time.advance(10)
        self.assertEqual(self.done, [10.0, 60.0])

    def test_start_that_takes_long(self) -> None:
        """What is done at the start and every so often is not done a second time beside the first."""
        waited: Deferred[None] = Deferred()

        async def slow() -> None:
            self.done.append(self.time.seconds())
            await waited

        self.chores.at_start(slow)
        self.chores.every(10, slow)
        self.chores.start()
        self.time.pump([0.0, 10.0, 10.0])
        self.assertEqual(self.done, [0.0])
        waited.callback(None)
        self.time.advance(10)
        self.assertEqual(self.done, [0.0, 30.0])

    def test_stopped_before_its_start(self) -> None:
        """A hub that is stopped in the turn in which it started does nothing any more."""
        self.chores.at_start(self.chore)
        self.chores.start()
        self.chores.stop()
        self.time.advance(0)
        self.assertEqual(self.done, [])

    def test_others_first(self) -> None:
        """A chore in steps lets everybody else have a turn."""

        async def steps() -> None:
            for step in (1, 2):
                self.done.append(step)
                await self.chores.others_first()

        self.chores.at_start(steps)
        self.chores.start()
        self.time.callLater(0, self.done.append, 7)
        self.time.advance(0)
        self.assertEqual(self.done, [1, 7, 2])
