"""
Goals: what somebody saves up for, and how much a month that takes.

An expense in the bucket savings whose category is the name of a goal counts for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import ClassVar

import msgspec
from msgspec.structs import replace

from securehub.money import MOST_UNITS, Amount, Currency
from securehub.refusals import Conflict, LimitExceeded, NotFound
from securehub.reply import Reply, Row, shown, table
from securehub.services.budget.bars import gauge
from securehub.services.budget.plans import money_of, percent
from securehub.services.budget.records import Book
from securehub.store.records import Record
from securehub.store.transaction import ReadTransaction, Transaction

MAX_GOALS = 50
"""Of a member; they are one record."""


class Goal(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """
    @ivar number: never used again for another goal of this member.
    @ivar units: what it takes.
    @ivar saved: units that are there.
    @ivar due: until when; None for some day.
    """

    number: int
    name: str
    units: int
    saved: int = 0
    due: date | None = None


class Goals(Record, frozen=True):
    """
    A member's goals, by username, in the order in which they were set.

    @ivar last: the greatest number that one has had.
    """

    collection: ClassVar[str] = "budget-goals"
    scanned: ClassVar[bool] = False

    goals: tuple[Goal, ...] = ()
    last: int = 0

    def named(self, name: str) -> Goal | None:
        return next((goal for goal in self.goals if goal.name == name), None)

    def numbered(self, number: int) -> Goal | None:
        return next((goal for goal in self.goals if goal.number == number), None)


class GoalRow(Row, frozen=True):
    """
    One goal.

    @ivar saved: what is there of the target.
    @ivar missing: what is not.
    @ivar percent: what is there in percent of the target.
    @ivar due: the day until which it should be reached, or null.
    @ivar months: so many are left, this one included; null without a day.
    @ivar monthly: what has to be put aside in each of them; null without a day.
    """

    name: str
    target: str
    saved: str
    missing: str
    currency: str
    percent: str
    due: str | None
    months: int | None
    monthly: str | None


class Listed(Reply, frozen=True):
    """
    A member's goals.

    @ivar monthly: what all of them together need each month.
    """

    items: list[GoalRow]
    monthly: str
    currency: str

    def lines(self) -> Iterable[str]:
        if not self.items:
            return []
        head = ["goal", "target", "saved", "missing", "due", "a month", "", "%"]
        rows = [
            [row.name, row.target, row.saved, row.missing, shown(row.due), shown(row.monthly), _bar(row), row.percent] for row in self.items
        ]
        return table([head, *rows], {1, 2, 3, 5, 7})

    def status(self) -> str:
        return f"Together {self.monthly} {self.currency} a month." if self.items else ""


class GoalSet(Reply, frozen=True):
    """A goal that was set."""

    name: str
    target: str
    saved: str
    currency: str
    due: str | None
    monthly: str | None

    def status(self) -> str:
        until = f" until {self.due}, {self.monthly} {self.currency} a month" if self.due else ""
        return f"Goal {self.name}: {self.target} {self.currency}{until}. {self.saved} {self.currency} are saved."


class GoalRemoved(Reply, frozen=True):
    """A goal that is given up."""

    name: str

    def status(self) -> str:
        return f"Goal {self.name} is removed."


def set_goal(
    tx: Transaction, owner: str, name: str, amount: Amount, due: date | None, saved: Amount | str | None, currency: Currency, *, today: date
) -> GoalSet:
    """
    Set a goal, or set one anew that is there; what was saved for it stays.

    @param saved: what is there already, C{none} for nothing; None for what is known.
    @param currency: of a book that is begun now.

    @raise Conflict: the day is past.
    @raise LimitExceeded: there are enough goals, or its sums would be too large.
    """
    if due is not None and due < today:
        raise Conflict(f"{due} is past; today is {today}")
    book = tx.get(Book, owner)
    kept = tx.get(Goals, owner) or Goals()
    if book is None:
        book = Book(currency.code, currency.digits)
        tx.put(owner, book)
    money = book.money
    old = kept.named(name)
    if old is None and len(kept.goals) >= MAX_GOALS:
        raise LimitExceeded(f"you have {len(kept.goals)} goals; {MAX_GOALS} are allowed")
    goal = old or Goal(kept.last + 1, name, 0)
    if saved is not None:
        goal = replace(goal, saved=0 if isinstance(saved, str) else money.units(saved, "saved"))
    goal = replace(goal, units=money.units(amount), due=due)
    if old is None:
        tx.put(owner, Goals((*kept.goals, goal), goal.number))
    else:
        tx.put(owner, _with(kept, goal))
    row = _row(goal, money, today)
    return GoalSet(row.name, row.target, row.saved, row.currency, row.due, row.monthly)


def remove(tx: Transaction, owner: str, name: str) -> GoalRemoved:
    """
    Give a goal up. The entries that counted for it stay.

    @raise NotFound: there is no such goal.
    """
    kept = tx.get(Goals, owner) or Goals()
    if kept.named(name) is None:
        raise NotFound(f"you have no goal {name!r}")
    tx.put(owner, replace(kept, goals=tuple(goal for goal in kept.goals if goal.name != name)))
    return GoalRemoved(name)


def goals_of(tx: ReadTransaction, owner: str, currency: Currency, *, today: date) -> Listed:
    money = money_of(tx, owner, currency)
    kept = tx.get(Goals, owner) or Goals()
    monthly = sum(_monthly(goal, today) or 0 for goal in kept.goals)
    return Listed([_row(goal, money, today) for goal in kept.goals], money.text(monthly), money.code)


def save_up(tx: Transaction, owner: str, name: str, units: int) -> int:
    """
    Count what was put aside for the goal of that name.

    @return: its number; 0 if there is no such goal.

    @raise LimitExceeded: more is saved for it than a sum may be.
    """
    kept = tx.get(Goals, owner) or Goals()
    goal = kept.named(name)
    if goal is None:
        return 0
    saved = goal.saved + units
    if saved >= MOST_UNITS:
        raise LimitExceeded("what is saved for a goal has at most 18 digits")
    tx.put(owner, _with(kept, replace(goal, saved=saved)))
    return goal.number


def take_back(tx: Transaction, owner: str, number: int, units: int) -> None:
    """Count less for a goal, if it is still there; its owner may have said meanwhile that less is saved."""
    kept = tx.get(Goals, owner) or Goals()
    goal = kept.numbered(number)
    if goal is not None:
        tx.put(owner, _with(kept, replace(goal, saved=max(goal.saved - units, 0))))


def _with(kept: Goals, changed: Goal) -> Goals:
    return replace(kept, goals=tuple(changed if goal.number == changed.number else goal for goal in kept.goals))


def _months_left(due: date, today: date) -> int:
    """How many months there are to save in, this one included; one at least, for what is overdue."""
    return max((due.year - today.year) * 12 + due.month - today.month + 1, 1)


def _monthly(goal: Goal, today: date) -> int | None:
    """Units a month, rounded up: so the goal is reached in time, and not a cent after it."""
    if goal.due is None:
        return None
    return -(-max(goal.units - goal.saved, 0) // _months_left(goal.due, today))


def _row(goal: Goal, money: Currency, today: date) -> GoalRow:
    monthly = _monthly(goal, today)
    return GoalRow(
        goal.name,
        money.text(goal.units),
        money.text(goal.saved),
        money.text(max(goal.units - goal.saved, 0)),
        money.code,
        percent(goal.saved * 10_000 // goal.units),
        goal.due.isoformat() if goal.due else None,
        _months_left(goal.due, today) if goal.due else None,
        None if monthly is None else money.text(monthly),
    )


def _bar(row: GoalRow) -> str:
    """A bar from the figures of a row: hundredths of a percent are finer than any bar."""
    whole, _, rest = row.percent.partition(".")
    return gauge(min(int(whole) * 100 + int(rest.ljust(2, "0")), 10_000), 10_000)
