"""
Rules about cards: what an order does to one, and what is taken back; rewards that are paid with points.
"""

from __future__ import annotations

from datetime import datetime, tzinfo

from msgspec.structs import replace

from securehub.refusals import LimitExceeded
from securehub.reply import Listing, Reply, Row
from securehub.services.loyalty import promotions
from securehub.services.loyalty.records import Card, Change, Programme, Voucher, change_key
from securehub.services.loyalty.terms import Gain, Terms, affordable, counting, month_of, programme_of, share, tier_of
from securehub.store.transaction import ReadTransaction, Transaction

MOST_VOUCHERS = 20
"""That wait on a card to be used."""


class RewardRow(Row, frozen=True):
    """
    A reward of the programme, as a member sees it.

    @ivar available: whether the points are enough, or it was redeemed and waits to be used.
    @ivar redeemed: how often it was redeemed and is not used yet.
    """

    reward: str
    name: str
    cost: int
    available: bool
    redeemed: int


class CardShown(Reply, frozen=True):
    """
    A member's card.

    @ivar order_count: orders that are not cancelled.
    @ivar spent: in the twelve months that count for the tier, in C{currency}.
    @ivar until_free: how many orders come before the next free one; null where none is free.
    """

    order_count: int
    points: int
    tier: str
    rewards: list[RewardRow]
    spent: str
    currency: str
    until_free: int | None

    def lines(self) -> list[str]:
        free = "" if self.until_free is None else f" Free after {self.until_free} more." if self.until_free else " The next one is free."
        told = f"Points {self.points}, orders {self.order_count}, {self.tier}: {self.spent} {self.currency} in twelve months.{free}"
        return [told, *Listing(self.rewards).lines()]


class Redeemed(Reply, frozen=True):
    """
    A reward that was paid with points.

    @ivar points: that are left.
    """

    reward: str
    name: str
    cost: int
    points: int

    def status(self) -> str:
        return f"{self.name} is yours for your next order: reward={self.reward}. {self.points} points are left."


class ChangeRow(Row, frozen=True):
    """
    A change of a member's points.

    @ivar points: signed.
    @ivar balance: after it.
    """

    change: int
    at: datetime
    kind: str
    points: int
    balance: int
    order: int | None
    reward: str


def count(tx: Transaction, customer: str, terms: Terms, order: int, *, at: datetime) -> Card:
    """
    An order is placed: the card, and the code that was used, are changed by its terms.
    """
    card, gain = terms.card, terms.gain
    cost = gain.cost if terms.voucher is None else 0
    spent = card.spent
    if gain.spent:
        spent = counting(spent, gain.month)
        spent[gain.month] = spent.get(gain.month, 0) + gain.spent
    vouchers = card.vouchers
    if terms.voucher is not None:
        vouchers = vouchers[: terms.voucher] + vouchers[terms.voucher + 1 :]
    if terms.promotion is not None:
        promotions.use(tx, terms.code, terms.promotion, customer)
    card = replace(card, orders=card.orders + 1, stamps=card.stamps + gain.stamps, spent=spent, vouchers=vouchers, open=card.open + 1)
    return _change(tx, customer, card, gain.earned - cost, "order", at=at, order=order, reward=terms.reward)


def close(tx: Transaction, customer: str) -> None:
    """An order is delivered or cancelled."""
    card = tx.fetch(Card, customer)
    tx.put(customer, replace(card, open=card.open - 1))


def take_back(
    tx: Transaction, customer: str, gain: Gain, before: int, after: int, whole: int, order: int, *, cancelled: bool = False, at: datetime
) -> tuple[Card, int]:
    """
    Something of an order is returned, or all that is left of it is cancelled: the points that it brought are taken back, be there
    enough or not, and those that its reward cost are given back. Its stamps go back with the last of it.

    @param before: units that were given back before.
    @param after: the same with what is given back now.
    @param whole: the same if all is given back.

    @return: the card, and the change of its points.
    """
    card = tx.get(Card, customer) or Card()
    earned, cost, unspent = (share(each, after, whole) - share(each, before, whole) for each in (gain.earned, gain.cost, gain.spent))
    points = cost - earned
    spent = dict(card.spent)
    if unspent and gain.month in spent:
        spent[gain.month] -= unspent
    card = replace(card, spent=spent)
    if cancelled:
        card = replace(card, orders=card.orders - 1)
    if before < after == whole:
        card = replace(card, stamps=card.stamps - gain.stamps)
    return _change(tx, customer, card, points, "cancellation" if cancelled else "return", at=at, order=order), points


def redeem(tx: Transaction, username: str, reward: str, usual: Programme, *, at: datetime) -> Redeemed:
    """
    Pay for a reward with points. It waits on the card for an order that uses it.

    @raise InsufficientPoints: there are not enough.
    @raise LimitExceeded: too many wait already.
    """
    card = tx.get(Card, username) or Card()
    found = affordable(programme_of(tx, usual), card, reward)
    if len(card.vouchers) >= MOST_VOUCHERS:
        raise LimitExceeded(f"{len(card.vouchers)} rewards wait to be used; {MOST_VOUCHERS} are allowed")
    voucher = Voucher(found.reward, found.name, found.cost, found.units, found.percent)
    card = replace(card, vouchers=(*card.vouchers, voucher))
    card = _change(tx, username, card, -found.cost, "reward", at=at, reward=found.reward)
    return Redeemed(found.reward, found.name, found.cost, card.points)


def give(tx: Transaction, username: str, points: int, *, at: datetime) -> int:
    """
    Give a member points that no order brings.

    @return: how many they have now.
    """
    return _change(tx, username, tx.get(Card, username) or Card(), points, "goodwill", at=at).points


def card_of(tx: ReadTransaction, username: str, usual: Programme, *, at: datetime, zone: tzinfo) -> CardShown:
    card, programme = tx.get(Card, username) or Card(), programme_of(tx, usual)
    month = month_of(at, zone)
    waiting = [voucher.reward for voucher in card.vouchers]
    rows = [
        RewardRow(each.reward, each.name, each.cost, card.points >= each.cost or each.reward in waiting, waiting.count(each.reward))
        for each in programme.rewards
    ]
    gone = {each.reward: each for each in card.vouchers if each.reward not in {row.reward for row in rows}}
    rows += [RewardRow(each.reward, each.name, each.cost, True, waiting.count(each.reward)) for each in gone.values()]
    spent = programme.money.text(sum(counting(card.spent, month).values()))
    missing = max(0, programme.stamps_for_free - card.stamps)
    until_free = -(-missing // programme.stamps) if programme.free_every else None
    tier = tier_of(programme, card.spent, month)
    return CardShown(card.orders, card.points, tier.name, rows, spent, programme.currency, until_free)


def history_of(tx: ReadTransaction, username: str, *, limit: int, before: int | None) -> Listing[ChangeRow]:
    """What changed a member's points, newest first."""
    end = None if before is None else change_key(username, before)
    rows = (
        ChangeRow(int(key.rpartition("/")[2]), each.at, each.kind, each.points, each.balance, each.order, each.reward)
        for key, each in tx.scan(Change, f"{username}/", end=end, reverse=True)
    )
    return Listing.up_to(limit, rows)


def _change(
    tx: Transaction, username: str, card: Card, points: int, kind: str, *, at: datetime, order: int | None = None, reward: str = ""
) -> Card:
    """Put a card whose points change, with a note of why they do."""
    if points or reward:
        card = replace(card, points=card.points + points, entries=card.entries + 1)
        tx.put(change_key(username, card.entries), Change(at, points, card.points, kind, order, reward))
    tx.put(username, card)
    return card
