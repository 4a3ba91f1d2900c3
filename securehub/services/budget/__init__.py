"""
The budget: what a member earns and spends, month by month, against a plan.
"""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import TYPE_CHECKING

from twisted.plugin import IPlugin
from zope.interface import implementer, provider

from securehub import arguments
from securehub.command import LOGGED_IN, MEMBER, command, named, optional
from securehub.money import Amount
from securehub.remembering import IRemembers
from securehub.reply import Listing, Top
from securehub.service import IServiceFactory
from securehub.services import times
from securehub.services.budget import entries, feeding, goals, memory, plans, records, reports, sorting, statements, words
from securehub.services.budget.entries import Draft, Entered, EntryRow, Removed
from securehub.services.budget.goals import GoalRemoved, GoalSet, Listed
from securehub.session import Session

if TYPE_CHECKING:
    from securehub.hub import Hub

MONTHS = 12
"""How many are listed if nobody says otherwise."""


@provider(IPlugin, IServiceFactory)
@implementer(IRemembers)
class Budget:
    """Members' own budgets."""

    name = "budget"
    records = (records.Book, records.Month, records.Entry, records.Origin, goals.Goals, sorting.Patterns, statements.Imported)
    remembered = staticmethod(memory.remembered)
    refuse_to_forget = staticmethod(memory.refuse_to_forget)
    forget = staticmethod(memory.forget)

    def __init__(self, hub: Hub) -> None:
        self.store = hub.store
        self.clock = hub.clock
        self.currency = hub.currencies.default
        self.zone = hub.zone
        hub.watchers.append(partial(feeding.feed, zone=hub.zone, currency=hub.currencies.default))

    @command(
        "SPLIT",
        access=LOGGED_IN,
        income=arguments.amount,
        needs=named(words.percentage),
        wants=named(words.percentage),
        savings=named(words.percentage),
    )
    async def split(
        self, session: Session, income: Amount, needs: int | None = None, wants: int | None = None, savings: int | None = None
    ) -> plans.Split:
        """
        Divide an income by 50/30/20.

        Each part is rounded down, and what is left over goes to the largest remainders. If you give needs=, wants= and savings=, it is
        divided by these percentages instead. Nothing is entered.
        """
        plan = plans.USUAL
        if (needs, wants, savings) != (None, None, None):
            plan = plans.whole_plan(needs or 0, wants or 0, savings or 0)
        money = await self.store.read(plans.money_of, session.caller, self.currency)
        return plans.split_shown(money.units(income, "income"), plan, money)

    @command("INCOME", access=MEMBER, writes=True, amount=arguments.amount, memo=optional(words.source), date=named(times.day))
    async def income(self, session: Session, amount: Amount, memo: str = "", date: date | None = None) -> Entered:
        """
        Enter what you have earned.

        It counts for the month of its date, which is today unless you give one.
        """
        draft = Draft(date or self._today(), "income", memo)
        return await session.transact(entries.add, session.member, draft, amount, self.currency)

    @command(
        "EXPENSE",
        access=MEMBER,
        writes=True,
        item=words.item,
        amount=arguments.amount,
        bucket=words.bucket,
        category=named(words.category),
        date=named(times.day),
    )
    async def expense(
        self, session: Session, item: str, amount: Amount, bucket: str, category: str = "", date: date | None = None
    ) -> Entered:
        """
        Enter what you have spent, or put aside.

        The bucket is needs, wants or savings; categories are your own. To count something for a goal, put it into savings, with the goal's
        name as its category. You are warned if the bucket is overspent.
        """
        draft = Draft(date or self._today(), "expense", item, bucket, category)
        return await session.transact(entries.add, session.member, draft, amount, self.currency)

    @command("ENTRIES", access=MEMBER, month=named(words.month), limit=named(arguments.listed), before=named(arguments.whole))
    async def entries(self, session: Session, month: str | None = None, limit: int = 20, before: int | None = None) -> Listing[EntryRow]:
        """
        List the entries in your budget, newest first.

        Those that payments made by themselves are among them. For older entries, give the number of the last one you saw as before=.
        """
        return await self.store.read(entries.entries_of, session.member, month, limit=limit, before=before)

    @command(None, access=MEMBER, writes=True, entry=arguments.whole)
    async def remove(self, session: Session, entry: int) -> Removed:
        """Take an entry out of your budget."""
        return await session.transact(entries.remove, session.member, entry)

    @command("BUDGET", access=MEMBER, month=optional(words.month))
    async def report(self, session: Session, month: str | None = None) -> reports.Report:
        """
        Compare a month with its plan.

        Without a month, it is this one. In the bars, # is what there is, . is what is left of the recommendation, and ! is what was spent
        above it (+ what was saved above it).
        """
        return await self.store.read(reports.report_of, session.member, month or self._month(), self.currency)

    @command(None, access=MEMBER, count=named(arguments.listed, also="limit"), before=named(words.month))
    async def months(self, session: Session, count: int = MONTHS, before: str | None = None) -> reports.Months:
        """
        List the latest months that have entries, newest first.

        For older ones, give the last month you saw as before=.
        """
        return await self.store.read(reports.months_of, session.member, self.currency, count=count, before=before)

    @command(None, access=MEMBER, writes=True, needs=words.percentage, wants=words.percentage, savings=words.percentage)
    async def plan(self, session: Session, needs: int, wants: int, savings: int) -> plans.Planned:
        """
        Divide your income by percentages other than 50, 30 and 20.

        They add up to 100. The plan counts from this month on; earlier months keep theirs.
        """
        plan = plans.whole_plan(needs, wants, savings)
        return await session.transact(plans.set_plan, session.member, plan, self.currency, month=self._month())

    @command(
        None,
        access=MEMBER,
        writes=True,
        name=words.goal,
        amount=arguments.amount,
        due=optional(times.day),
        saved=named(arguments.amount_or_none),
    )
    async def goal_set(
        self, session: Session, name: str, amount: Amount, due: date | None = None, saved: Amount | str | None = None
    ) -> GoalSet:
        """
        Set a goal to save up for, or change one.

        With a day, you are told what it needs each month, including this one. Expenses in savings with the goal's name as their category
        count for it; saved= is what is there already, or none.
        """
        return await session.transact(goals.set_goal, session.member, name, amount, due, saved, self.currency, today=self._today())

    @command(None, access=MEMBER)
    async def goals(self, session: Session) -> Listed:
        """List your goals, and what they need each month."""
        return await self.store.read(goals.goals_of, session.member, self.currency, today=self._today())

    @command(None, access=MEMBER, writes=True, name=words.goal)
    async def goal_remove(self, session: Session, name: str) -> GoalRemoved:
        """Give a goal up; the entries that counted for it stay."""
        return await session.transact(goals.remove, session.member, name)

    @command(
        None,
        access=MEMBER,
        writes=True,
        bucket=words.destination,
        payee=named(words.payee),
        text=named(words.contained),
        category=named(words.category),
    )
    async def rule_add(self, session: Session, bucket: str, payee: str = "", text: str = "", category: str = "") -> sorting.RuleAdded:
        """
        Let payments enter your budget by themselves.

        What you pay to that payee, or with that text in its memo, goes into the bucket; if you give both, both must match. The bucket
        income is for what you receive, and ignore keeps payments out. Paid orders enter as wants unless one of your rules says otherwise;
        other payments enter only by rules. The first rule that matches decides. Imports use the same rules.
        """
        return await session.transact(sorting.add_rule, session.member, bucket, payee, text, category)

    @command(None, access=MEMBER)
    async def rules(self, session: Session) -> Listing[sorting.RuleRow]:
        """List your rules, in the order in which they are tried."""
        return await self.store.read(sorting.rules_of, session.member)

    @command(
        None,
        access=MEMBER,
        long=True,
        bucket=words.destination,
        payee=named(words.payee),
        text=named(words.contained),
        limit=named(arguments.listed),
    )
    async def rule_preview(self, session: Session, bucket: str, payee: str = "", text: str = "", limit: int = 20) -> Top[sorting.CaughtRow]:
        """
        List what a rule would have caught so far, newest first.

        Nothing is changed. It looks at the latest 1,000 movements, and shows the number of the rule that catches one already.
        """
        return await self.store.read(sorting.preview, session.member, bucket, payee, text, self.currency, limit=limit)

    @command(None, access=MEMBER, writes=True, rule=arguments.whole)
    async def rule_remove(self, session: Session, rule: int) -> sorting.RuleRemoved:
        """Remove a rule; the entries that it made stay."""
        return await session.transact(sorting.remove_rule, session.member, rule)

    @command(
        None,
        access=MEMBER,
        long=True,
        statement=words.statement,
        account=named(words.outside_account),
        bucket=named(words.leftover),
        order=named(words.date_order),
    )
    async def import_preview(
        self, session: Session, statement: str, account: str = "", bucket: str = "wants", order: str | None = None
    ) -> statements.Preview:
        """
        Show what budget.import would do with a statement.

        Nothing is changed.
        """
        return await self.store.read(statements.preview, session.member, statement, account, bucket, order, self.currency)

    @command(
        None,
        access=MEMBER,
        writes=True,
        statement=words.statement,
        account=named(words.outside_account),
        bucket=named(words.leftover),
        order=named(words.date_order),
    )
    async def import_(
        self, session: Session, statement: str, account: str = "", bucket: str = "wants", order: str | None = None
    ) -> statements.Done:
        """
        Enter a bank's statement of an account elsewhere, as CSV or OFX.

        The columns of a CSV are found by the names in its header. Your rules say where each row goes. Payments that no rule catches go into
        the bucket, which is wants unless you name another; the rest is income. No row is entered twice: it is known by the bank's own
        number, or else by its day, amount and text, and by how many such rows the day has. A request has at most 60 rows: send a longer
        statement in parts, each with the header, and all rows of a day in one.
        """
        return await session.transact(statements.import_, session.member, statement, account, bucket, order, self.currency)

    def _today(self) -> date:
        """The day that it is in the hub's time zone."""
        return self.clock.now().astimezone(self.zone).date()

    def _month(self) -> str:
        return records.month_of(self._today())
