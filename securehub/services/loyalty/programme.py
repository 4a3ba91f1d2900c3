"""
The programme: what brings points, what they can be redeemed for, which tiers there are. It can be changed at any time.

A change concerns what comes after it. What an order has brought stands in the order, and what was redeemed on the card.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from securehub import arguments
from securehub.command import ADMIN, LOGGED_IN, command, named
from securehub.money import Amount, Currency
from securehub.refusals import BadArgument, Conflict, LimitExceeded, NotFound, shown
from securehub.reply import Listing, Reply, Row
from securehub.services.loyalty import words
from securehub.services.loyalty.promotions import discount
from securehub.services.loyalty.records import PROGRAMME, Programme, Reward, Tier
from securehub.services.loyalty.terms import programme_of
from securehub.services.loyalty.usual import usual_programme
from securehub.session import Session
from securehub.store.transaction import ReadTransaction, Transaction

if TYPE_CHECKING:
    from securehub.hub import Hub

MOST_REWARDS = 50
MOST_TIERS = 10
MOST_COST = 1_000_000_000
MOST_PERCENT = 1_000
"""Ten times the usual points are enough for any tier."""


class RewardRow(Row, frozen=True):
    """
    A reward.

    @ivar amount: off the price; null where it is a percentage.
    @ivar percent: off the price; null where it is an amount.
    """

    reward: str
    name: str
    cost: int
    amount: str | None
    percent: int | None


class TierRow(Row, frozen=True):
    """
    A tier.

    @ivar spent: what has to be spent for it in twelve months.
    @ivar percent: of the usual points that an order brings.
    """

    name: str
    spent: str
    percent: int


class ProgrammeShown(Reply, frozen=True):
    """
    The programme as it is now.

    @ivar per_point: what brings a point; null where nothing does.
    @ivar free_every: which order is free: 10 is every tenth; null where none is.
    @ivar free_up_to: what a free order saves at most; null where there is no such limit.
    """

    currency: str
    per_point: str | None
    free_every: int | None
    free_up_to: str | None
    rewards: list[RewardRow]
    tiers: list[TierRow]

    def told(self) -> str:
        points = f"A point for each {self.per_point} {self.currency}" if self.per_point else "No points"
        up_to = f", up to {self.free_up_to} {self.currency}" if self.free_up_to else ""
        free = f"order {self.free_every} of each {self.free_every} is free{up_to}" if self.free_every else "no order is free"
        return f"{points}; {free}."

    def lines(self) -> Iterable[str]:
        yield self.told()
        yield from Listing(self.rewards).lines()
        yield from Listing(self.tiers).lines()


class ProgrammeSet(ProgrammeShown, frozen=True):
    """The programme after a change."""

    def status(self) -> str:
        return f"{self.told()} Rewards: {_names(each.reward for each in self.rewards)}. Tiers: {_names(each.name for each in self.tiers)}."


def _names(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def every(word: str) -> int:
    """a whole number from 2 to 1000, or 0 for none"""
    count = arguments.whole(word)
    if count == 1 or count > 1_000:
        raise BadArgument(f"{shown(word)} is neither 0 nor from 2 to 1000")
    return int(count)


def cost(word: str) -> int:
    """points, from 1 to 1000000000"""
    return arguments.between(word, 1, MOST_COST)


def percent_of_points(word: str) -> int:
    """a whole number from 0 to 1000"""
    return arguments.between(word, 0, MOST_PERCENT)


class Programmes:
    """Commands about the programme."""

    def __init__(self, hub: Hub) -> None:
        self.store = hub.store
        self.usual = usual_programme(hub.currencies.default)

    @command(None, access=LOGGED_IN)
    async def programme(self, session: Session) -> ProgrammeShown:
        """Show what brings points, what they are worth, and which tiers there are."""
        return await self.store.read(programme_shown, self.usual)

    @command(
        None,
        access=ADMIN,
        writes=True,
        per_point=named(arguments.amount_or_none),
        free_every=named(every),
        free_up_to=named(arguments.amount_or_none),
    )
    async def set_programme(
        self,
        session: Session,
        per_point: Amount | str | None = None,
        free_every: int | None = None,
        free_up_to: Amount | str | None = None,
    ) -> ProgrammeSet:
        """
        Set what brings a point, and which orders are free.

        With free_every=10, each member's tenth order costs nothing, or free_up_to= less. Orders already placed keep what they brought.
        """
        return await session.transact(set_programme, per_point, free_every, free_up_to, self.usual)

    @command(
        None,
        access=ADMIN,
        writes=True,
        reward=words.reward,
        cost=cost,
        amount=named(arguments.amount),
        percent=named(words.percent),
        name=named(arguments.name),
    )
    async def set_reward(
        self, session: Session, reward: str, cost: int, amount: Amount | None = None, percent: int | None = None, name: str | None = None
    ) -> ProgrammeSet:
        """
        Offer a discount for points, or change one.

        It takes an amount or a percentage off the price. What was redeemed stays as it was.
        """
        return await session.transact(set_reward, reward, cost, amount, percent, name, self.usual)

    @command(None, access=ADMIN, writes=True, reward=words.reward)
    async def remove_reward(self, session: Session, reward: str) -> ProgrammeSet:
        """Stop offering a reward; those who have redeemed it can still use it."""
        return await session.transact(remove_reward, reward, self.usual)

    @command(None, access=ADMIN, writes=True, name=words.tier, spent=arguments.amount_or_none, percent=percent_of_points)
    async def set_tier(self, session: Session, name: str, spent: Amount | str, percent: int) -> ProgrammeSet:
        """
        Set a tier: members who have spent so much in twelve months get more points, or fewer.

        With percent=150 they get half as many points again. The tier that needs nothing (spent is none) is everybody's.
        """
        return await session.transact(set_tier, name, spent, percent, self.usual)

    @command(None, access=ADMIN, writes=True, name=words.tier)
    async def remove_tier(self, session: Session, name: str) -> ProgrammeSet:
        """Remove a tier."""
        return await session.transact(remove_tier, name, self.usual)


def set_programme(
    tx: Transaction,
    per_point: Amount | str | None,
    free_every: int | None,
    free_up_to: Amount | str | None,
    usual: Programme,
) -> ProgrammeSet:
    """
    Change what orders bring. What is not said stays.
    """
    programme = programme_of(tx, usual)
    money = programme.money
    return _put(
        tx,
        replace(
            programme,
            per_point=_units(money, "per_point", per_point, programme.per_point),
            free_every=programme.free_every if free_every is None else free_every,
            free_up_to=_units(money, "free_up_to", free_up_to, programme.free_up_to),
        ),
    )


def set_reward(
    tx: Transaction, reward: str, cost: int, amount: Amount | None, percent: int | None, name: str | None, usual: Programme
) -> ProgrammeSet:
    """
    @raise BadArgument: it is neither an amount nor a percentage, or both.
    @raise LimitExceeded: there are too many.
    """
    programme = programme_of(tx, usual)
    money = programme.money
    units, percent = discount(money, amount, percent)
    made = Reward(reward, name or _called(money, units, percent), cost, units, percent)
    others = [each for each in programme.rewards if each.reward != reward]
    _refuse_many(others, MOST_REWARDS, "rewards")
    return _put(tx, replace(programme, rewards=tuple(sorted([*others, made], key=lambda each: (each.cost, each.reward)))))


def remove_reward(tx: Transaction, reward: str, usual: Programme) -> ProgrammeSet:
    """
    @raise NotFound: there is no such reward.
    """
    programme = programme_of(tx, usual)
    left = tuple(each for each in programme.rewards if each.reward != reward)
    if len(left) == len(programme.rewards):
        raise NotFound(f"there is no reward {reward}")
    return _put(tx, replace(programme, rewards=left))


def set_tier(tx: Transaction, name: str, spent: Amount | str, percent: int, usual: Programme) -> ProgrammeSet:
    """
    @raise Conflict: no tier would be everybody's, or two would need the same.
    """
    programme = programme_of(tx, usual)
    made = Tier(name, _units(programme.money, "spent", spent, 0), percent)
    others = [each for each in programme.tiers if each.name != name]
    _refuse_many(others, MOST_TIERS, "tiers")
    return _put_tiers(tx, programme, [*others, made])


def remove_tier(tx: Transaction, name: str, usual: Programme) -> ProgrammeSet:
    """
    @raise NotFound: there is no such tier.
    @raise Conflict: it is everybody's.
    """
    programme = programme_of(tx, usual)
    left = [each for each in programme.tiers if each.name != name]
    if len(left) == len(programme.tiers):
        raise NotFound(f"there is no tier {name}")
    return _put_tiers(tx, programme, left)


def programme_shown(tx: ReadTransaction, usual: Programme) -> ProgrammeShown:
    return ProgrammeShown(*_fields(programme_of(tx, usual)))


def _put_tiers(tx: Transaction, programme: Programme, tiers: Sequence[Tier]) -> ProgrammeSet:
    found = sorted(tiers, key=lambda each: each.spent)
    if not found or found[0].spent:
        raise Conflict("one tier has to be everybody's: give it none for what is spent")
    if len({each.spent for each in found}) < len(found):
        raise Conflict("two tiers would need the same")
    return _put(tx, replace(programme, tiers=tuple(found)))


def _refuse_many(others: Sequence[object], most: int, what: str) -> None:
    if len(others) >= most:
        raise LimitExceeded(f"there are {len(others)} {what}; {most} are allowed")


def _put(tx: Transaction, programme: Programme) -> ProgrammeSet:
    tx.put(PROGRAMME, programme)
    return ProgrammeSet(*_fields(programme))


def _units(money: Currency, named: str, amount: Amount | str | None, before: int) -> int:
    if amount is None:
        return before
    return money.units(amount, named) if isinstance(amount, Amount) else 0


def _called(money: Currency, units: int, percent: int) -> str:
    return f"{money.text(units)} off" if units else f"{percent} % off"


def _fields(
    programme: Programme,
) -> tuple[str, str | None, int | None, str | None, list[RewardRow], list[TierRow]]:
    money = programme.money
    rewards = [
        RewardRow(each.reward, each.name, each.cost, money.text(each.units) if each.units else None, each.percent or None)
        for each in programme.rewards
    ]
    tiers = [TierRow(each.name, money.text(each.spent), each.percent) for each in programme.tiers]
    per_point = money.text(programme.per_point) if programme.per_point else None
    free_up_to = money.text(programme.free_up_to) if programme.free_up_to else None
    return money.code, per_point, programme.free_every or None, free_up_to, rewards, tiers
