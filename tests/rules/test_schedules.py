"""
Scheduled transfers: each on its day, once, tried again where money lacks; and days that are right at the end of any month.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from twisted.trial.unittest import SynchronousTestCase

from securehub import arguments
from securehub.agenda import Due
from securehub.members import Member
from securehub.refusals import BadArgument, Conflict, LimitExceeded, NotFound
from securehub.services.ledger import limits, schedules
from securehub.services.ledger.pending import Pending
from securehub.services.ledger.records import Transfer, transfer_key
from securehub.services.ledger.recurring import EVERY, every, occurrence
from securehub.services.ledger.schedules import AGAIN, TRIES, Schedule
from tests.rules.money import Money
from tests.rules.setting import amount
from tests.store.setting import everything, put

DAY = timedelta(days=1)


class OccurrenceTests(SynchronousTestCase):
    """On which days something comes again."""

    def days(self, start: date, period: str, count: int) -> list[str]:
        return [str(occurrence(start, period, number)) for number in range(count)]

    def test_month_ends(self) -> None:
        """The 31st is the last day of a shorter month, and the 31st again after that; in leap years, too."""
        self.assertEqual(
            self.days(date(2027, 12, 31), "monthly", 6),
            ["2027-12-31", "2028-01-31", "2028-02-29", "2028-03-31", "2028-04-30", "2028-05-31"],
        )
        self.assertEqual(self.days(date(2026, 1, 30), "monthly", 3), ["2026-01-30", "2026-02-28", "2026-03-30"])
        self.assertEqual(self.days(date(2028, 2, 29), "monthly", 13)[-1], "2029-02-28")

    def test_every_month_once(self) -> None:
        """Whatever day it starts on, each month has one, which is that day or the last."""
        for day in range(1, 32):
            for number in range(60):
                found = occurrence(date(2026, 1, day), "monthly", number)
                assert found is not None
                self.assertEqual((found.year, found.month), (2026 + number // 12, number % 12 + 1))
                self.assertTrue(found.day == day or (found.day < day and (found + DAY).day == 1), found)

    def test_days_and_weeks(self) -> None:
        self.assertEqual(self.days(date(2026, 12, 30), "daily", 4), ["2026-12-30", "2026-12-31", "2027-01-01", "2027-01-02"])
        self.assertEqual(self.days(date(2026, 12, 30), "weekly", 3), ["2026-12-30", "2027-01-06", "2027-01-13"])
        self.assertEqual(self.days(date(2026, 12, 30), "once", 2), ["2026-12-30", "None"])

    def test_the_end_of_time(self) -> None:
        """There is none beyond the last year that there is."""
        for period in EVERY:
            self.assertIsNone(occurrence(date(9999, 12, 31), period, 1))

    def test_word(self) -> None:
        self.assertEqual(every("Monthly"), "monthly")
        self.assertRaises(BadArgument, every, "yearly")


class ScheduleTests(Money):
    """Alice pays her rent to Bob."""

    zone: Any = UTC

    def setUp(self) -> None:
        super().setUp()
        self.do(put, "alice", Member(1), "bob", Member(2))
        self.deposit("alice", "50")
        self.heard()

    def tearDown(self) -> None:
        """As many are open as are counted and stand on the agenda, each at the time that it names."""
        super().tearDown()
        found = self.ask(lambda tx: list(tx.beneath(Schedule, "alice")))
        self.assertEqual((self.setting.get(Pending, "alice") or Pending()).schedules, len(found))
        agenda = sorted(key.partition(" ")[0] for key, _ in self.ask(everything, Due))
        self.assertEqual(agenda, sorted(each.due.strftime("%Y-%m-%dT%H:%M:%S.%fZ") for _, each in found))

    def schedule(self, units: str, period: str, start: date | None = None, until: date | None = None, limit: int = 9) -> int:
        args = ("alice", "bob", amount(units), period, start, until, "rent", None)
        return self.do(schedules.schedule, *args, limit=limit, at=self.at, zone=self.zone).schedule

    def refused_schedule(self, refusal: Any, text: str, *args: Any, to: str = "bob", limit: int = 9) -> None:
        given = ("alice", to, amount("1"), *args, "rent", None)
        self.refused(refusal, text, schedules.schedule, *given, limit=limit, at=self.at, zone=self.zone)

    def work(self) -> list[Any]:
        """Do what is due, as the agenda does; gives what was announced."""
        self.heard()
        while due := [key for key, _ in self.ask(everything, Due) if key < f"{self.at:%Y-%m-%dT%H:%M:%S.%fZ}!"]:
            self.do(take, due[0], at=self.at, zone=self.zone)
        return [event for _, event in self.heard()]

    def state(self, number: int) -> Schedule:
        found = self.setting.get(Schedule, f"{number:015d}")
        assert isinstance(found, Schedule)
        return found

    def test_monthly(self) -> None:
        """On its day each month, from the first moment on; the transfer names the schedule."""
        number = self.schedule("10", "monthly", date(2026, 11, 30))
        self.at = datetime(2026, 11, 29, 23, 59, 59, tzinfo=UTC)
        self.assertEqual(self.work(), [])
        self.at += timedelta(seconds=1)
        received, paid = self.work()
        self.assertEqual((received.amount, received.memo), ("10.00", "rent"))
        self.assertEqual((paid.transfer, paid.day, paid.next), (received.transfer, date(2026, 11, 30), date(2026, 12, 30)))
        kept = self.setting.get(Transfer, transfer_key(paid.transfer))
        self.assertEqual((kept.kind, kept.reference, kept.by), ("transfer", f"schedule/{number}", ""))
        self.assertEqual(self.work(), [])

    def test_zone(self) -> None:
        """A day begins at the midnight of the hub's zone, whether its clocks are put forward or not."""
        self.zone = ZoneInfo("Europe/Berlin")
        self.schedule("1", "monthly", date(2027, 3, 1))
        due = []
        for _ in range(3):
            (key,) = [key for key, _ in self.ask(everything, Due)]
            due.append(key[:20])
            self.at = datetime.fromisoformat(key.partition(" ")[0])
            self.work()
        self.assertEqual(due, ["2027-02-28T23:00:00.", "2027-03-31T22:00:00.", "2027-04-30T22:00:00."])

    def test_today(self) -> None:
        """Without a day, or with this one, it is made at once."""
        number = self.schedule("10", "once")
        self.assertEqual(self.work()[-1].next, None)
        self.assertEqual((self.state(number).state, self.balance("bob")), ("done", "10.00"))
        self.schedule("10", "daily", self.at.date())
        self.work()
        self.assertEqual(self.balance("bob"), "20.00")

    def test_until(self) -> None:
        """The last day may have one."""
        number = self.schedule("1", "weekly", date(2026, 11, 20), date(2026, 12, 4))
        for _ in range(30):
            self.at += DAY
            self.work()
        self.assertEqual((self.state(number).state, self.balance("bob")), ("done", "3.00"))

    def test_after_a_long_time(self) -> None:
        """Those whose days have passed are made up, each once."""
        self.schedule("1", "daily")
        self.at += 9 * DAY
        self.work()
        self.assertEqual(self.balance("bob"), "10.00")

    def test_money_lacks(self) -> None:
        """It is tried again within the day, the payer being told each time; when there is money it is made, and the next day stays."""
        number = self.schedule("50.01", "monthly", date(2026, 12, 31))
        self.at = datetime(2026, 12, 31, tzinfo=UTC)
        (failed,) = self.work()
        self.assertEqual((failed.code, failed.again, failed.day), ("insufficient-funds", self.at + AGAIN, date(2026, 12, 31)))
        self.at += AGAIN
        self.assertEqual(self.work()[0].again, self.at + AGAIN)
        self.deposit("alice", "1")
        self.at += AGAIN
        self.assertEqual(self.work()[-1].next, date(2027, 1, 31))
        self.assertEqual((self.state(number).tries, self.balance("alice")), (0, "0.99"))

    def test_left_out(self) -> None:
        """If it never can be made it is left out, within its day; the next one waits for its own."""
        number = self.schedule("60", "daily", date(2026, 11, 20))
        self.at = datetime(2026, 11, 20, tzinfo=UTC)
        failed = []
        for _ in range(TRIES):
            failed += self.work()
            self.at += AGAIN
        self.assertEqual([each.again is None for each in failed], [False, False, False, True])
        self.assertEqual((failed[-1].next, self.state(number).state), (date(2026, 11, 21), "open"))
        self.deposit("alice", "10")
        self.work()
        self.assertEqual(self.balance("bob"), "60.00")

    def test_a_long_time_without_money(self) -> None:
        """Whose next one's day has come as well is not tried again: so what could not be made up does not go on for as long again."""
        number = self.schedule("60", "daily")
        self.at += 9 * DAY
        failed = self.work()
        self.assertEqual([each.again for each in failed], [None] * 9 + [self.at + AGAIN])
        self.assertEqual((failed[-1].day, self.state(number).past, self.state(number).tries), (self.at.date(), 9, 1))
        self.at += AGAIN
        today = self.at.date()
        self.assertEqual([(each.day, each.again) for each in self.work()], [(today - DAY, None), (today, self.at + AGAIN)])

    def test_other_refusals(self) -> None:
        """Limits and locks hold for what is made by itself, too; and nothing of a refused transfer is there."""
        self.schedule("10", "once")
        self.do(limits.set_limits, "alice", {"payment": amount("5")}, at=self.at, zone=UTC)
        self.assertEqual(self.work()[0].code, "limit-exceeded")
        self.do(limits.set_limits, "alice", {"payment": arguments.NONE}, at=self.at, zone=UTC)
        self.do(put, "alice", Member(1, locked="for now"))
        self.at += AGAIN
        self.assertEqual([each.code for each in self.work()], ["locked"])
        self.do(put, "alice", Member(1))
        self.at += AGAIN
        self.assertEqual(self.work()[-1].transfer, 2)

    def test_cancel(self) -> None:
        """What is cancelled is made no more, and only its payer can cancel it."""
        number = self.schedule("1", "daily", date(2026, 12, 1))
        self.refused(NotFound, f"you have no schedule {number}", schedules.unschedule, number, "bob")
        self.do(schedules.unschedule, number, "alice")
        self.refused(Conflict, f"schedule {number} is cancelled", schedules.unschedule, number, "alice")
        self.refused(NotFound, "you have no schedule 99", schedules.unschedule, 99, "alice")
        self.at += 30 * DAY
        self.assertEqual(self.work(), [])

    def test_ended_meanwhile(self) -> None:
        """An entry of the agenda that comes too late does nothing."""
        number = self.schedule("1", "daily", date(2026, 12, 1))
        self.do(schedules.unschedule, number, "alice")
        for key in (f"{number:015d}", f"{99:015d}"):
            self.do(schedules.run, key, at=self.at, zone=UTC)
        self.assertEqual(self.balance("bob"), "0.00")
        self.heard()
        self.do(lambda tx, key: schedules.give_up(tx, key, tx.fetch(Schedule, key)), f"{number:015d}")
        self.assertEqual((self.state(number).state, self.heard()), ("cancelled", []))

    def test_first_and_last_day(self) -> None:
        """It may be one day, and ten years from now."""
        for start in (self.at.date(), self.at.date() + schedules.LONGEST):
            self.assertEqual(self.state(self.schedule("1", "daily", start, start)).start, start)

    def test_wrong_ones(self) -> None:
        today = self.at.date()
        self.refused_schedule(BadArgument, "start", "daily", today - DAY, None)
        self.refused_schedule(BadArgument, "start", "daily", date(2099, 1, 1), None)
        self.refused_schedule(BadArgument, "until: it is before the start", "daily", today + DAY, today)
        self.refused_schedule(BadArgument, "same account", "daily", None, None, to="alice")
        self.refused_schedule(NotFound, "no member nobody", "daily", None, None, to="nobody")
        self.schedule("1", "daily", today + DAY)
        self.refused_schedule(LimitExceeded, "you have 1 schedules open", "daily", None, None, limit=1)

    def test_list(self) -> None:
        made = [self.schedule("1", "monthly", date(2026, 12, 31)) for _ in range(4)]
        self.do(schedules.unschedule, made[2], "alice")
        rows = self.ask(schedules.schedules_of, "alice", ended=False, limit=2, before=None)
        self.assertEqual(([row.schedule for row in rows.items], rows.more), ([made[3], made[1]], True))
        self.assertEqual((rows.items[0].next, rows.items[0].every, rows.items[0].memo), (date(2026, 12, 31), "monthly", "rent"))
        rows = self.ask(schedules.schedules_of, "alice", ended=True, limit=9, before=made[3])
        self.assertEqual([(row.schedule, row.state) for row in rows.items], [(made[2], "cancelled"), (made[1], "open"), (made[0], "open")])
        self.assertEqual(rows.items[0].next, None)


def take(tx: Any, key: str, **given: Any) -> None:
    """What is done with an entry of the agenda."""
    if tx.get(Due, key) is not None:
        tx.delete(Due, key)
        schedules.run(tx, key.split(" ", 2)[2], **given)
