"""
Plans: which part of an income is for needs, wants and savings.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec.structs import replace

from securehub.money import Currency
from securehub.refusals import BadArgument
from securehub.reply import Reply
from securehub.services.budget.records import Book, PlanFrom
from securehub.services.budget.words import WHOLE
from securehub.store.transaction import ReadTransaction, Transaction


class Parts(NamedTuple):
    """What is for each bucket: units, or hundredths of a percent."""

    needs: int
    wants: int
    savings: int


USUAL = Parts(5_000, 3_000, 2_000)
"""50/30/20, which is everybody's until they say otherwise."""


class Split(Reply, frozen=True):
    """An income in three parts."""

    needs: str
    wants: str
    savings: str
    currency: str


class Planned(Reply, frozen=True):
    """
    A plan that counts from now on.

    @ivar needs: in percent; so are the others.
    @ivar month: the first one for which it counts.
    """

    needs: str
    wants: str
    savings: str
    month: str

    def status(self) -> str:
        return f"From {self.month} on: {self.needs} % needs, {self.wants} % wants, {self.savings} % savings."


def whole_plan(needs: int, wants: int, savings: int) -> Parts:
    """
    @raise BadArgument: the percentages do not add up to 100.
    """
    if needs + wants + savings != WHOLE:
        raise BadArgument(f"the percentages add up to {percent(needs + wants + savings)}, not to 100")
    return Parts(needs, wants, savings)


def split(units: int, plan: Parts = USUAL) -> Parts:
    """
    Divide an income by a plan, to the last unit.

    Each part is rounded down. What is left goes to the largest remainders, ties in the order needs, wants, savings.
    """
    shares = [units * share for share in plan]
    parts = [share // WHOLE for share in shares]
    # Sorting keeps the order of what is equal.
    by_remainder = sorted(range(len(parts)), key=lambda place: -(shares[place] % WHOLE))
    for place in by_remainder[: units - sum(parts)]:
        parts[place] += 1
    return Parts(*parts)


def split_shown(units: int, plan: Parts, money: Currency) -> Split:
    """The same, for people and programs."""
    parts = split(units, plan)
    return Split(money.text(parts.needs), money.text(parts.wants), money.text(parts.savings), money.code)


def plan_for(book: Book | None, month: str) -> Parts:
    """The plan that counts for a month: the last one that was set in it or before."""
    found = USUAL
    for each in book.plans if book else ():
        if each.month <= month:
            found = Parts(each.needs, each.wants, each.savings)
    return found


def set_plan(tx: Transaction, owner: str, plan: Parts, currency: Currency, *, month: str) -> Planned:
    """
    Let a plan count from a month on; months before it keep theirs.

    @param currency: of a book that is begun now.
    """
    book = tx.get(Book, owner) or Book(currency.code, currency.digits)
    # Time does not go back, so no plan of a later month is lost here; but a zone that is set anew may turn back a day.
    earlier = tuple(each for each in book.plans if each.month < month)
    tx.put(owner, replace(book, plans=(*earlier, PlanFrom(month, *plan))))
    return Planned(percent(plan.needs), percent(plan.wants), percent(plan.savings), month)


def money_of(tx: ReadTransaction, owner: str, currency: Currency) -> Currency:
    """The currency of a member's budget, or the one that it would have."""
    book = tx.get(Book, owner)
    return currency if book is None else book.money


def percent(hundredths: int) -> str:
    """Hundredths of a percent as people write them: C{50}, C{33.33}."""
    whole, rest = divmod(hundredths, 100)
    return f"{whole}.{rest:02d}".rstrip("0").rstrip(".") if rest else str(whole)
