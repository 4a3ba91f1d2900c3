"""
What the programme makes of an order: what is taken off its price, and what it brings.

Orders keep the answer. Whatever is taken back later is a share of that, so no change of the programme reaches into the past.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, tzinfo
from functools import cache
from typing import NamedTuple

import msgspec

from securehub.money import Currency
from securehub.refusals import Conflict, NotFound, Refusal
from securehub.services.loyalty import promotions
from securehub.services.loyalty.records import MONTHS, PROGRAMME, Card, Programme, Promotion, Reward, Tier, Voucher
from securehub.store.transaction import ReadTransaction


class InsufficientPoints(Refusal):
    """The card has fewer points than the reward costs."""

    code = "insufficient-funds"


class Reduction(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """
    Something that was taken off the price of an order.

    @ivar kind: C{code}, C{reward} or C{free}.
    @ivar name: of the code or the reward.
    """

    kind: str
    name: str
    units: int


class Gain(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """
    What an order has done to its customer's card.

    @ivar earned: points that it brought.
    @ivar cost: points that its reward took.
    @ivar stamps: how it changed their number.
    @ivar spent: units that count for the tier.
    @ivar month: in which they count.
    """

    earned: int = 0
    cost: int = 0
    stamps: int = 0
    spent: int = 0
    month: str = ""


class Terms(NamedTuple):
    """
    What an order of a member costs and brings.

    @ivar card: as it is before.
    @ivar reward: which is used; empty if none is.
    @ivar voucher: the place of the one on the card that is used; None where a reward is paid with points now, or there is none.
    @ivar code: which is used; empty if none is.
    """

    card: Card
    reductions: tuple[Reduction, ...]
    total: int
    gain: Gain
    reward: str = ""
    voucher: int | None = None
    code: str = ""
    promotion: Promotion | None = None


def terms_of(
    tx: ReadTransaction,
    customer: str,
    seller: str,
    price: int,
    money: Currency,
    reward: str | None,
    code: str | None,
    usual: Programme,
    *,
    at: datetime,
    zone: tzinfo,
) -> Terms:
    """
    What an order would cost and bring now.

    What is free is taken off first, then the code, then the reward. An order that is free altogether needs neither, so they are kept for
    another one.

    @param price: the units of all that is ordered.
    @param usual: the programme as long as nobody has set another.

    @raise NotFound: there is no such reward, or no such code.
    @raise InsufficientPoints: the card has fewer points than the reward costs.
    @raise Conflict: the reward or the code is not for this order.
    @raise LimitExceeded: the code was used as often as it may be.
    """
    programme = programme_of(tx, usual)
    card = tx.get(Card, customer) or Card()
    month = month_of(at, zone)
    left, reductions, promotion, voucher, used = price, [], None, None, None
    stamps = programme.stamps
    saved = _saved_as_free(programme, card, price, money)
    if saved:
        stamps = -programme.stamps_for_free
        reductions.append(Reduction("free", "", saved))
        left -= saved
        if not left:
            code = reward = None
    if code is not None:
        promotion = promotions.good(tx, code, customer, seller, price, money, at=at)
        reductions.append(Reduction("code", code, min(left, promotion.units + left * promotion.percent // 100)))
        left -= reductions[-1].units
    if reward is not None:
        if not left:
            raise Conflict("nothing is left to pay, so keep the reward for another order")
        voucher, used = _reward(programme, card, reward, money)
        reductions.append(Reduction("reward", used.name, min(left, used.units + left * used.percent // 100)))
        left -= reductions[-1].units
    gain = _gain(programme, card, left, money, month, cost=used.cost if used else 0, stamps=stamps)
    return Terms(card, tuple(reductions), left, gain, used.reward if used else "", voucher, code or "", promotion)


def programme_of(tx: ReadTransaction, usual: Programme) -> Programme:
    return tx.get(Programme, PROGRAMME) or usual


def points(programme: Programme, card: Card, units: int, month: str) -> int:
    """What so much money brings; fractions of a point are dropped."""
    if not programme.per_point:
        return 0
    return units * tier_of(programme, card.spent, month).percent // (100 * programme.per_point)


def tier_of(programme: Programme, spent: Mapping[str, int], month: str) -> Tier:
    """
    The highest tier for which enough was spent in the twelve months up to one.
    """
    first = _first_counting(month)
    units = sum([units for each, units in spent.items() if each >= first])
    return next((tier for tier in reversed(programme.tiers) if units >= tier.spent), programme.tiers[0])


def counting(spent: Mapping[str, int], month: str) -> dict[str, int]:
    """Of what was spent by month, that which still counts in a month for a tier."""
    first = _first_counting(month)
    return {each: units for each, units in spent.items() if each >= first and units}


def month_of(at: datetime, zone: tzinfo) -> str:
    """The month in which something is booked: C{2026-11}."""
    return at.astimezone(zone).isoformat()[:7]


def share(whole: int, part: int, of: int) -> int:
    """
    What belongs to a part of an order.

    Taken of what is returned so far, before and after a return, the difference is what this return is about: however an order is
    returned in parts, they add up to the whole, to the cent.
    """
    return whole * part // of


def _saved_as_free(programme: Programme, card: Card, price: int, money: Currency) -> int:
    """The units that an order saves because it is its turn to be free; zero for all others."""
    if not programme.free_every or card.stamps < programme.stamps_for_free:
        return 0
    if not programme.free_up_to:
        return price
    return min(price, programme.free_up_to) if money.code == programme.currency else 0


def _gain(programme: Programme, card: Card, total: int, money: Currency, month: str, *, cost: int = 0, stamps: int) -> Gain:
    if money.code != programme.currency:
        return Gain(0, cost, stamps)
    return Gain(points(programme, card, total, month), cost, stamps, total, month)


def _reward(programme: Programme, card: Card, reward: str, money: Currency) -> tuple[int | None, Reward | Voucher]:
    """
    A voucher for the reward with its place on the card, or else the reward itself, which the points have to pay for.
    """
    places = [place for place, voucher in enumerate(card.vouchers) if voucher.reward == reward]
    used = card.vouchers[places[0]] if places else affordable(programme, card, reward)
    if used.units and money.code != programme.currency:
        raise Conflict(f"{used.name} is {programme.money.priced(used.units)} off, and this order is in {money.code}")
    return places[0] if places else None, used


def affordable(programme: Programme, card: Card, reward: str) -> Reward:
    """
    @raise NotFound: the programme has no such reward.
    @raise InsufficientPoints: the card has not the points for it.
    """
    found = _named(programme.rewards, reward)
    if card.points < found.cost:
        raise InsufficientPoints(f"you have {card.points} points, and {found.name} costs {found.cost}")
    return found


def _named(rewards: Sequence[Reward], reward: str) -> Reward:
    for each in rewards:
        if each.reward == reward:
            return each
    raise NotFound(f"there is no reward {reward}")


@cache
def _first_counting(month: str) -> str:
    """The first of the months that count in one for a tier. There are as many of these as months in which a hub runs."""
    year, number = divmod(int(month[:4]) * 12 + int(month[5:]) - MONTHS, 12)
    return f"{date(year, number + 1, 1):%Y-%m}"
