"""
The agenda: each is done when its time has come, once, whatever happens to the hub meanwhile.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from securehub import agenda
from securehub.agenda import LOOK_SECONDS, PUT_OFF, STEPS_A_TURN, Agenda, Due, forget, remind
from securehub.chores import Chores
from securehub.refusals import Unavailable
from securehub.store.journal import RETRY_SECONDS
from securehub.store.records import Record
from securehub.store.suspicious import SuspiciousStore
from tests.store.setting import BEGIN, FULL, Setting, everything


class Done(Record, frozen=True):
    """How often something was done, by name, and when last."""

    collection: ClassVar[str] = "done"

    times: int
    at: datetime


def note(tx: Any, what: str, *, at: datetime) -> None:
    """A step."""
    found = tx.get(Done, what)
    tx.put(what, Done(found.times + 1 if found else 1, at))


def again(tx: Any, what: str, *, at: datetime) -> None:
    """A step that has always more to do."""
    note(tx, what, at=at)
    remind(tx, "again", what, at)


def minutely(tx: Any, what: str, *, at: datetime) -> None:
    """A step that comes every minute, by the number of the minute."""
    note(tx, "minutely", at=at)
    remind(tx, "minutely", str(int(what) + 1), BEGIN + timedelta(minutes=int(what) + 1))


class AgendaTests(SynchronousTestCase):
    """An agenda, on a store that distrusts its rules."""

    def setUp(self) -> None:
        self.fault = False
        self.begin(Setting(SuspiciousStore, records=(Due, Done)))

    def begin(self, setting: Setting, *, knows: bool = True) -> None:
        self.setting = setting
        self.chores = Chores(setting.time)
        self.agenda = Agenda(setting.store, setting.clock, self.chores)
        if knows:
            self.agenda.add("note", self.note)
        self.agenda.add("again", again)
        self.agenda.add("minutely", minutely)
        self.chores.start()
        self.elapse(0)

    def note(self, tx: Any, what: str, *, at: datetime) -> None:
        note(tx, what, at=at)
        if self.fault and what == "bad":
            raise ZeroDivisionError

    def remind(self, what: str, seconds: float, duty: str = "note") -> datetime:
        at = BEGIN + timedelta(seconds=seconds)
        self.setting.transact(remind, duty, what, at)
        self.setting.settle()
        return at

    def elapse(self, seconds: float) -> None:
        self.setting.time.advance(seconds)
        self.setting.settle()

    def done(self) -> dict[str, int]:
        return {name: each.times for name, each in self.setting.read(everything, Done)}

    def left(self) -> int:
        return len(self.setting.read(everything, Due))

    def test_in_time(self) -> None:
        """Nothing is done before its time, and everything at most a moment after it, once."""
        self.remind("later", 20)
        self.remind("sooner", 10)
        self.elapse(9)
        self.assertEqual(self.done(), {})
        self.elapse(LOOK_SECONDS)
        self.assertEqual(self.done(), {"sooner": 1})
        self.elapse(100)
        self.elapse(100)
        self.assertEqual((self.done(), self.left()), ({"sooner": 1, "later": 1}, 0))

    def test_forgotten(self) -> None:
        """What was taken off again is not done; taking off what is not there is no fault."""
        at = self.remind("x", 10)
        self.setting.transact(forget, "note", "x", at)
        self.setting.transact(forget, "note", "y", at)
        self.elapse(20)
        self.assertEqual(self.done(), {})

    def test_after_a_stop(self) -> None:
        """What fell due while nobody was there is done at the start, with the time that it is then."""
        self.remind("x", 10)
        self.chores.stop()
        self.elapse(20)
        self.assertEqual(self.done(), {})
        self.begin(self.setting.reopened(after=3600))
        self.assertEqual(self.setting.get(Done, "x"), Done(1, BEGIN + timedelta(seconds=3620)))

    def test_crash(self) -> None:
        """A step that no disk has seen is done again, and one that it has is not."""
        self.remind("x", 10)
        self.setting.time.advance(10)
        self.assertEqual(self.done(), {"x": 1})
        self.begin(self.setting.crashed())
        self.assertEqual(self.done(), {"x": 1})
        self.begin(self.setting.crashed())
        self.assertEqual((self.done(), self.left()), ({"x": 1}, 0))

    def test_full_disk(self) -> None:
        """What the disk did not take is done when it is well again."""
        self.remind("x", 10)
        self.setting.disk.fail(FULL)
        self.elapse(10)
        self.assertEqual((self.done(), self.left()), ({}, 1))
        for _ in range(3):
            self.elapse(RETRY_SECONDS)
        self.assertEqual((self.done(), self.left()), ({"x": 1}, 0))

    def test_full_disk_with_much_to_do(self) -> None:
        """The first that cannot be done shows that the others cannot either."""
        for place in range(STEPS_A_TURN * 2):
            self.remind(f"{place:03d}", 10)
        tried: list[str] = []

        async def refuse(rule: object, key: str, *given: object, **named: object) -> None:
            tried.append(key)
            if len(tried) == STEPS_A_TURN * 2:
                self.chores.stop()
            raise Unavailable("full")

        self.patch(self.setting.store, "transact", refuse)
        self.setting.time.advance(10)
        self.assertEqual(len(tried), 1)

    def test_taken_off_in_between(self) -> None:
        """What an earlier step of the same turn has taken off the agenda is not done."""
        at = self.remind("x", 10)
        self.agenda.add("call-off", lambda tx, what, *, at: forget(tx, "note", what, BEGIN + timedelta(seconds=10)))
        self.assertEqual(at, BEGIN + timedelta(seconds=10))
        self.remind("x", 9, "call-off")
        self.elapse(10)
        self.assertEqual((self.done(), self.left()), ({}, 0))

    def test_fault(self) -> None:
        """A step that fails changes nothing and holds nobody up; it is tried again after a while."""
        self.fault = True
        self.remind("bad", 10)
        self.remind("good", 11)
        self.elapse(11)
        self.assertEqual((self.done(), self.left()), ({"good": 1}, 1))
        self.elapse(LOOK_SECONDS)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.fault = False
        self.elapse(PUT_OFF.total_seconds())
        self.elapse(LOOK_SECONDS)
        self.assertEqual(self.done(), {"bad": 1, "good": 1})

    def test_others_have_their_turn(self) -> None:
        """However much is due, only some of it is done at once."""
        for place in range(STEPS_A_TURN * 2 + 1):
            self.remind(f"{place:03d}", 10)
        meanwhile: list[int] = []
        self.setting.time.callLater(10, lambda: meanwhile.append(len(self.done())))
        self.setting.time.advance(10)
        self.assertEqual(meanwhile, [STEPS_A_TURN])
        self.assertEqual(len(self.done()), STEPS_A_TURN * 2 + 1)

    def test_stop_in_between(self) -> None:
        """A hub that stops begins no further turn; what is left waits for the next start."""
        for place in range(STEPS_A_TURN * 2):
            self.remind(f"{place:03d}", 10)
        self.setting.time.callLater(10, self.chores.stop)
        self.elapse(10)
        self.assertEqual((len(self.done()), self.left()), (STEPS_A_TURN, STEPS_A_TURN))

    def test_work_that_goes_on(self) -> None:
        """A step may put its own next one on the agenda, which is done in a later turn."""
        self.remind("x", 10, "again")
        self.elapse(10)
        self.assertEqual(self.done()["x"], 1)
        self.elapse(LOOK_SECONDS)
        self.assertEqual(self.done()["x"], 2)

    def test_what_comes_again_and_again(self) -> None:
        """What should have come many times by now is made up at once, in turns."""
        self.remind("1", 60, "minutely")
        self.chores.stop()
        self.begin(self.setting.reopened(after=30 * 60 + 30))
        self.assertEqual((self.done(), self.left()), ({"minutely": 30}, 1))

    def test_nobodys_duty(self) -> None:
        """What belongs to a service that is not there waits for it, and holds nobody up."""
        self.chores.stop()
        self.begin(self.setting, knows=False)
        for place in range(STEPS_A_TURN + 1):
            self.remind(f"{place:03d}", 1)
        self.remind("x", 2, "again")
        self.elapse(10)
        self.assertEqual(self.done(), {"x": 1})
        self.assertEqual(self.left(), STEPS_A_TURN + 2)

    def test_much_that_is_nobodys(self) -> None:
        """However much waits for a service that is not there, others have their turn while it is passed over."""
        self.patch(agenda, "LOOKED_AT", 4)
        self.chores.stop()
        self.begin(self.setting, knows=False)
        for place in range(9):
            self.remind(f"{place:03d}", 1)
        self.remind("x", 2, "again")
        meanwhile: list[dict[str, int]] = []
        self.setting.time.callLater(10, lambda: meanwhile.append(self.done()))
        self.elapse(10)
        self.assertEqual((meanwhile, self.done()), ([{}], {"x": 1}))

    def test_keys(self) -> None:
        """Times are in order whatever zone they come in, to the microsecond."""
        early, late = BEGIN, BEGIN + timedelta(microseconds=1)
        self.assertLess(agenda._key(early, "b", "b"), agenda._key(late, "a", "a"))
