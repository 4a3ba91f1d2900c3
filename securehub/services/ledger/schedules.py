"""
Scheduled transfers: once on a day to come, or every day, week or month.

Each is made by a duty at the beginning of its day. Those whose days passed while the hub was not running are made when it runs again, one
after the other. One that is refused is tried again some times during the day; then it is left out, and the next one waits for its day. If
that one's day has come already, it is left out at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, ClassVar

from msgspec.structs import replace

from securehub import agenda, arguments, members
from securehub.command import MEMBER, command, named
from securehub.event import Event
from securehub.money import Amount, Currency, currency
from securehub.refusals import BadArgument, Conflict, NotFound, Refusal
from securehub.reply import Listing, Reply, Row, warned, when
from securehub.services import times
from securehub.services.ledger import movement, pending
from securehub.services.ledger.accounts import party_account
from securehub.services.ledger.booking import booking
from securehub.services.ledger.movement import Paying, Transferred
from securehub.services.ledger.records import Account
from securehub.services.ledger.recurring import every as period
from securehub.services.ledger.recurring import occurrence
from securehub.services.ledger.watching import Watcher
from securehub.services.times import LONGEST, beginning
from securehub.session import Session
from securehub.store.records import Record, number_key
from securehub.store.transaction import ReadTransaction, Transaction
from securehub.switchboard import member

if TYPE_CHECKING:
    from securehub.hub import Hub

DUTY = "ledger.schedule"
"""The duty that makes scheduled transfers."""

TRIES = 4
AGAIN = timedelta(hours=6)
"""So a transfer is tried four times within its day: at its beginning, in the morning, at noon and in the evening."""


class Schedule(Record, frozen=True):
    """
    A transfer that is made by itself, by number. It is found beneath its payer: as long as it is open beneath the username, then beneath
    that with C{ended} before it.

    @ivar source: the number of the account that pays.
    @ivar to: a username or an account number, as the payer gave it.
    @ivar every: C{once}, C{daily}, C{weekly} or C{monthly}.
    @ivar start: the day of the first one.
    @ivar until: the last day on which there may be one.
    @ivar past: how many were made or left out.
    @ivar tries: how often the next one was refused.
    @ivar due: when the next one is on the agenda.
    @ivar state: C{open}, C{done} or C{cancelled}.
    """

    collection: ClassVar[str] = "schedule"

    at: datetime
    payer: str
    source: str
    to: str
    units: int
    currency: str
    digits: int
    every: str
    start: date
    due: datetime
    until: date | None = None
    memo: str = ""
    past: int = 0
    tries: int = 0
    state: str = "open"

    def beneath(self) -> Sequence[str]:
        return [pending.place(self.payer, self.state == "open"), payee_place(self.to)]

    @property
    def money(self) -> Currency:
        return currency(self.currency, self.digits)

    @property
    def day(self) -> date | None:
        """That of the next transfer; None if there is none."""
        day = occurrence(self.start, self.every, self.past)
        return None if day is None or (self.until is not None and day > self.until) else day


def payee_place(to: str) -> str:
    """
    Beneath what the schedules lie that pay to a username, or to the number of an account, ended ones among them.
    """
    return f"to {to}"


class Scheduled(Reply, frozen=True):
    """
    A transfer that is scheduled.

    @ivar next: the day of the first one.
    """

    schedule: int
    to: str
    amount: str
    currency: str
    every: str
    next: date

    def status(self) -> str:
        return f"Schedule {self.schedule}: {self.amount} {self.currency} to {self.to}, {self.every}, from {self.next} on."


class Unscheduled(Reply, frozen=True):
    """A scheduled transfer that was cancelled."""

    schedule: int

    def status(self) -> str:
        return f"Schedule {self.schedule} is cancelled."


class ScheduleRow(Row, frozen=True):
    """
    A scheduled transfer.

    @ivar next: the day of the next one; null if there is none.
    """

    schedule: int
    to: str
    amount: str
    currency: str
    every: str
    next: date | None
    until: date | None
    state: str
    memo: str


class SchedulePaid(Event, frozen=True):
    """
    A scheduled transfer of yours was made.

    @ivar day: on which it was to be made.
    @ivar next: the day of the next one; null if there is none.
    """

    method = "ledger.schedule_paid"

    schedule: int
    day: date
    transfer: int
    to_name: str
    amount: str
    currency: str
    balance: str
    next: date | None
    warnings: tuple[str, ...]

    def text(self) -> str:
        told = f"Schedule {self.schedule}: transfer {self.transfer}, {self.amount} {self.currency} to {self.to_name}."
        return warned(f"{told} Balance {self.balance} {self.currency}.", self.warnings)


class ScheduleFailed(Event, frozen=True):
    """
    A scheduled transfer of yours could not be made.

    @ivar day: on which it was to be made.
    @ivar again: when it is tried again; null if it is left out.
    @ivar next: the day of the next one, if it is left out; null if there is none.
    """

    method = "ledger.schedule_failed"

    schedule: int
    day: date
    to: str
    amount: str
    currency: str
    code: str
    reason: str
    again: datetime | None
    next: date | None

    def text(self) -> str:
        what = f"Schedule {self.schedule}: {self.amount} {self.currency} to {self.to} could not be paid"
        follows = "It is left out." if self.again is None else f"It is tried again at {when(self.again)}."
        return f"{what}: {self.reason.rstrip('.')}. {follows}"


class Schedules:
    """Commands about scheduled transfers."""

    def __init__(self, hub: Hub) -> None:
        self.store = hub.store
        self.clock = hub.clock
        self.zone = hub.zone
        self.limit = hub.settings["open_per_member"]
        hub.agenda.add(DUTY, run, booking(hub))

    @command(
        None,
        access=MEMBER,
        writes=True,
        to=arguments.party,
        amount=arguments.amount,
        every=period,
        start=named(times.day),
        until=named(times.day),
        memo=named(arguments.memo),
        from_=named(arguments.account),
    )
    async def schedule(
        self,
        session: Session,
        to: str,
        amount: Amount,
        every: str,
        start: date | None = None,
        until: date | None = None,
        memo: str = "",
        from_: str | None = None,
    ) -> Scheduled:
        """
        Schedule a transfer: once, daily, weekly or monthly.

        It is made at the beginning of each due day, from the day start (by default today) up to the day until. If it starts on the 31st, it
        is made on the last day of shorter months. If it is refused, you are told, and it is tried again during the day; then it is left
        out.
        """
        given = {"limit": self.limit, "at": self.clock.now(), "zone": self.zone}
        return await session.transact(schedule, session.member, to, amount, every, start, until, memo, from_, **given)

    @command(None, access=MEMBER, writes=True, schedule=arguments.whole)
    async def unschedule(self, session: Session, schedule: int) -> Unscheduled:
        """Cancel a scheduled transfer; those already made stay as they are."""
        return await session.transact(unschedule, schedule, session.member)

    @command(None, access=MEMBER, all=named(arguments.switch), limit=named(arguments.listed), before=named(arguments.whole))
    async def schedules(self, session: Session, all: bool = False, limit: int = 20, before: int | None = None) -> Listing[ScheduleRow]:
        """
        List your scheduled transfers, newest first.

        With all=on, those that are done or cancelled are listed, too.
        """
        return await self.store.read(schedules_of, session.member, ended=all, limit=limit, before=before)


def schedule(
    tx: Transaction,
    payer: str,
    to: str,
    amount: Amount,
    every: str,
    start: date | None,
    until: date | None,
    memo: str,
    source: str | None,
    *,
    limit: int,
    at: datetime,
    zone: tzinfo,
) -> Scheduled:
    """
    Put a transfer on the agenda.

    @param start: None for today.
    @param limit: how many open schedules a member may have.

    @raise BadArgument: the days are not to come, or in the wrong order.
    """
    paying = movement.paying(tx, payer, to, amount, source)
    movement.refuse_unlike(paying.source, paying.payer, paying.target, paying.payee)
    today = at.astimezone(zone).date()
    start = start or today
    if not today <= start <= today + LONGEST:
        raise BadArgument("start: that is not a day from today on, within the next ten years")
    if until is not None and until < start:
        raise BadArgument("until: it is before the start")
    pending.open_one(tx, payer, "schedules", limit)
    number, money = tx.number("schedule"), paying.payer.money
    due = beginning(start, zone)
    made = Schedule(at, payer, paying.source, to, paying.units, money.code, money.digits, every, start, due, until, memo)
    tx.put(number_key(number), made)
    agenda.remind(tx, DUTY, number_key(number), due)
    return Scheduled(number, to, money.text(paying.units), money.code, every, start)


def unschedule(tx: Transaction, number: int, payer: str) -> Unscheduled:
    """
    @raise NotFound: the member has no such schedule.
    @raise Conflict: it is done, or cancelled already.
    """
    found = tx.get(Schedule, number_key(number))
    if found is None or found.payer != payer:
        raise NotFound(f"you have no schedule {number}")
    if found.state != "open":
        raise Conflict(f"schedule {number} is {found.state}")
    give_up(tx, number_key(number), found)
    return Unscheduled(number)


def give_up(tx: Transaction, key: str, found: Schedule) -> Schedule:
    """Cancel a schedule, if it is open."""
    if found.state != "open":
        return found
    agenda.forget(tx, DUTY, key, found.due)
    ended = replace(found, state="cancelled")
    _end(tx, int(key), ended)
    return ended


def lose_payee(tx: Transaction, key: str, found: Schedule) -> Schedule:
    """Cancel a schedule whose payee is being erased, if it is open; the payer is told."""
    ended = give_up(tx, key, found)
    if found.state == "open" and found.day is not None:
        amount, reason = found.money.text(found.units), "the member is erased, so it is cancelled"
        told = ScheduleFailed(int(key), found.day, found.to, amount, found.currency, NotFound.code, reason, None, None)
        tx.announce(member(found.payer), told)
    return ended


def run(tx: Transaction, key: str, *, at: datetime, zone: tzinfo, watchers: Sequence[Watcher] = ()) -> None:
    """
    Make the transfer of a schedule whose day has come, and put the next one on the agenda.

    A refusal leaves nothing behind, as all are raised before anything is put.
    """
    found = tx.get(Schedule, key)
    if found is None or found.state != "open" or found.day is None:
        return
    number, day = int(key), found.day
    try:
        paid = _pay(tx, number, found, at=at, zone=zone, watchers=watchers)
    except Refusal as refusal:
        _refused(tx, number, found, day, refusal, at=at, zone=zone)
    else:
        following = _go_on(tx, number, found, zone=zone)
        amounts = paid.amount, paid.currency, paid.balance
        tx.announce(member(found.payer), SchedulePaid(number, day, paid.transfer, paid.to_name, *amounts, following, paid.warnings))


def schedules_of(tx: ReadTransaction, owner: str, *, ended: bool, limit: int, before: int | None) -> Listing[ScheduleRow]:
    """
    A member's schedules, newest first.

    @param ended: whether those that are done or cancelled are among them.
    """
    found = pending.newest(tx, Schedule, [owner], ended=ended, before=before)
    return Listing.up_to(limit, (row(number, each) for number, each in found))


def _pay(tx: Transaction, number: int, found: Schedule, *, at: datetime, zone: tzinfo, watchers: Sequence[Watcher]) -> Transferred:
    # Locked members pay nothing.
    members.admitted(tx, found.payer)
    source, target = found.source, party_account(tx, found.to, found.currency)
    paying = Paying(source, tx.fetch(Account, source), target, tx.fetch(Account, target), found.units)
    return movement.spend(tx, paying, "transfer", found.memo, at=at, zone=zone, reference=f"schedule/{number}", watchers=watchers)


def _refused(tx: Transaction, number: int, found: Schedule, day: date, refusal: Refusal, *, at: datetime, zone: tzinfo) -> None:
    """Try again later, or go on to the next one, which may be due by now: what lags behind would do so ever more."""
    again, following = None, None
    upcoming = replace(found, past=found.past + 1).day
    overtaken = upcoming is not None and beginning(upcoming, zone) <= at
    if found.tries + 1 < TRIES and not overtaken:
        again = at + AGAIN
        tx.put(number_key(number), replace(found, tries=found.tries + 1, due=again))
        agenda.remind(tx, DUTY, number_key(number), again)
    else:
        following = _go_on(tx, number, found, zone=zone)
    amount = found.money.text(found.units)
    told = ScheduleFailed(number, day, found.to, amount, found.currency, refusal.code, str(refusal), again, following)
    tx.announce(member(found.payer), told)


def _go_on(tx: Transaction, number: int, found: Schedule, *, zone: tzinfo) -> date | None:
    """
    Put the next transfer on the agenda.

    @return: its day; None if that was the last one.
    """
    ahead = replace(found, past=found.past + 1, tries=0)
    day = ahead.day
    if day is None:
        _end(tx, number, replace(ahead, state="done"))
        return None
    ahead = replace(ahead, due=beginning(day, zone))
    tx.put(number_key(number), ahead)
    agenda.remind(tx, DUTY, number_key(number), ahead.due)
    return day


def _end(tx: Transaction, number: int, ended: Schedule) -> None:
    pending.end_one(tx, ended.payer, "schedules")
    tx.put(number_key(number), ended)


def row(number: int, found: Schedule) -> ScheduleRow:
    """As the members see it whom it concerns."""
    amount = found.money.text(found.units)
    following = found.day if found.state == "open" else None
    return ScheduleRow(number, found.to, amount, found.currency, found.every, following, found.until, found.state, found.memo)
