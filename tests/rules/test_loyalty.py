"""
Loyalty: what an order brings, what it costs, and that no change of the programme reaches into the past.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as some
from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from securehub import arguments
from securehub.refusals import BadArgument, Conflict, Exists, LimitExceeded, NotFound
from securehub.services.loyalty import cards, memory, programme, promotions
from securehub.services.loyalty.records import FREE_ORDER, Card, Promotion, Tier, Voucher
from securehub.services.loyalty.terms import InsufficientPoints, counting, month_of, share, tier_of
from securehub.services.orders import stepping
from tests.rules.setting import amount
from tests.rules.test_orders import USD, USUAL, Shopping
from tests.store.setting import put


class ShareTests(SynchronousTestCase):
    """Parts add up to the whole."""

    @given(some.integers(0, 10**12), some.lists(some.integers(0, 10**9), min_size=1, max_size=8))
    def test_whatever_the_parts(self, whole: int, parts: list[int]) -> None:
        of = sum(parts) or 1
        done, given_back = 0, []
        for part in parts:
            given_back.append(share(whole, done + part, of) - share(whole, done, of))
            done += part
        self.assertGreaterEqual(min(given_back), 0)
        self.assertEqual(sum(given_back), whole if done else 0)


class TierTests(SynchronousTestCase):
    """Twelve months, this one included."""

    def test_months(self) -> None:
        spent = {"2025-11": 400_00, "2025-12": 499_99, "2026-10": 1, "2026-11": 5}
        self.assertEqual(counting(spent, "2026-11"), {"2025-12": 499_99, "2026-10": 1, "2026-11": 5})
        self.assertEqual(counting(spent, "2026-10")["2025-11"], 400_00)
        self.assertEqual(counting(spent, "2027-10"), {"2026-11": 5})

    def test_thresholds(self) -> None:
        self.assertEqual([tier_of(USUAL, {month: 500_00}, "2026-11").name for month in ("2025-11", "2025-12")], ["bronze", "silver"])
        for units, name in ((0, "bronze"), (499_99, "bronze"), (500_00, "silver"), (2_000_00, "gold"), (-5, "bronze")):
            self.assertEqual(tier_of(USUAL, {"2026-11": units}, "2026-11").name, name)

    def test_zone(self) -> None:
        """The month is that of the hub's zone."""
        at = datetime(2026, 12, 1, 1, tzinfo=UTC)
        self.assertEqual((month_of(at, UTC), month_of(at, ZoneInfo("America/Mexico_City"))), ("2026-12", "2026-11"))


class GainTests(Shopping):
    """What orders bring."""

    def set(self, per_point: Any = None, free_every: int | None = None, free_up_to: Any = None) -> programme.ProgrammeSet:
        return self.do(programme.set_programme, per_point, free_every, free_up_to, USUAL)

    def test_tier_counts_for_the_next_order(self) -> None:
        self.deposit("alice", "1000")
        self.item("car", "500", stock=9)
        self.assertEqual(self.order("car", 1).earned, 500)
        self.assertEqual(self.card().tier, "silver")
        self.assertEqual(self.order("coffee", 4).earned, 11)
        self.at += timedelta(days=366)
        self.assertEqual((self.card().tier, self.order("coffee", 4).earned), ("bronze", 10))

    def test_months_that_count_no_more(self) -> None:
        """They leave the card with the next order; what is given back of them changes the tier no more."""
        first = self.order("coffee", 2).order
        self.at += timedelta(days=366)
        self.order("cake", 1)
        self.assertEqual(self.setting.get(Card, "alice").spent, {"2027-11": 333})
        self.refund(first)
        self.assertEqual(self.setting.get(Card, "alice").spent, {"2027-11": 333})

    def test_less_than_a_point(self) -> None:
        """It is no change, neither when it is ordered nor when that is cancelled."""
        self.item("sweet", "0.99", stock=1)
        self.cancel(self.order("sweet", 1).order)
        self.assertEqual(self.ask(cards.history_of, "alice", limit=9, before=None).items, [])

    def test_stamps(self) -> None:
        """They go back once, with the last of an order, even if that is cancelled afterwards."""
        self.set(free_every=9)
        number = self.order("coffee", 2).order
        steps = [self.card().until_free]
        for step in (lambda: self.refund(number, "coffee", 1), lambda: self.refund(number), lambda: self.cancel(number)):
            step()
            steps.append(self.card().until_free)
        self.assertEqual(steps, [7, 7, 8, 8])

    def test_first_points(self) -> None:
        """Points may be given to whoever has no card yet."""
        self.assertEqual(self.do(cards.give, "bob", 5, at=self.at), 5)
        self.assertEqual(self.card("bob").points, 5)

    def test_refund_lowers_the_tier(self) -> None:
        self.deposit("alice", "1000")
        self.item("car", "500", stock=9)
        number = self.order("car", 1).order
        self.refund(number, back="0.01")
        self.assertEqual((self.card().tier, self.card().spent), ("bronze", "499.99"))

    def test_no_points(self) -> None:
        self.set(per_point=arguments.NONE)
        placed = self.order("coffee", 4)
        self.assertEqual((placed.points, placed.earned, placed.order_count), (0, 0, 1))

    def test_free_once(self) -> None:
        """Whoever cancels an order after the free one has no other free one."""
        self.set(free_every=3)
        first, _, third = (self.order("coffee", 1) for _ in range(3))
        self.assertEqual((third.total, third.discount), ("0.00", "2.50"))
        self.cancel(first.order)
        self.assertEqual([self.order("coffee", 1).total for _ in range(4)], ["2.50", "2.50", "2.50", "0.00"])

    def test_free_again(self) -> None:
        """The free one that is cancelled can be had again; nothing is paid back, and goods are on stock."""
        self.set(free_every=2)
        self.order("coffee", 1)
        free = self.order("coffee", 5)
        self.assertEqual((self.cancel(free.order).refunded, self.stock("coffee")), ("0.00", 9))
        self.assertEqual(self.order("cake", 2).total, "0.00")

    def test_free_up_to(self) -> None:
        self.set(free_every=2, free_up_to=amount("3"))
        self.order("coffee", 1)
        placed = self.order("coffee", 2)
        self.assertEqual((placed.total, placed.discount), ("2.00", "3.00"))
        self.cancel(placed.order)
        self.refused_order(InsufficientPoints, "costs 100", "coffee", 2, reward="off5")

    def test_free_order_keeps_the_reward(self) -> None:
        self.set(free_every=2)
        self.do(put, "alice", Card(points=100, stamps=FREE_ORDER // 2))
        self.assertEqual((self.order("coffee", 1, reward="off5").total, self.card().points), ("0.00", 100))

    def test_never_retroactive(self) -> None:
        """What is taken back is what was given, whatever the programme says by now."""
        number = self.order("coffee", 10).order
        self.set(per_point=amount("0.01"), free_every=2)
        self.assertEqual(self.card().points, 25)
        self.cancel(number)
        self.assertEqual((self.card().points, self.setting.get(Card, "alice").stamps), (0, 0))


class RewardTests(Shopping):
    """What points are worth."""

    def test_redeemed_stays(self) -> None:
        self.do(put, "alice", Card(points=250))
        redeemed = self.do(cards.redeem, "alice", "off5", USUAL, at=self.at)
        self.assertEqual((redeemed.cost, redeemed.points), (100, 150))
        self.do(programme.remove_reward, "off5", USUAL)
        self.refused_order(NotFound, "no reward off10x", "cake", 4, reward="off10x")
        placed = self.order("cake", 4, reward="off5")
        self.assertEqual((placed.total, placed.points), ("8.32", 158))
        self.refused_order(NotFound, "no reward off5", "cake", 4, reward="off5")
        self.do(put, "alice", Card(vouchers=(Voucher("off5", "5.00 off", 100, 500, 0),) * 2))
        self.assertEqual(self.card().rewards[-1], cards.RewardRow("off5", "5.00 off", 100, True, 2))

    def test_too_few(self) -> None:
        self.do(put, "alice", Card(points=99))
        self.refused_order(InsufficientPoints, "you have 99 points, and 5.00 off costs 100", "cake", 4, reward="off5")
        self.refused(InsufficientPoints, "99 points", cards.redeem, "alice", "off5", USUAL, at=self.at)
        self.assertNotIn("off5", self.available())

    def test_just_enough(self) -> None:
        self.do(put, "alice", Card(points=100))
        self.assertIn("off5", self.available())
        self.assertEqual(self.do(cards.redeem, "alice", "off5", USUAL, at=self.at).points, 0)
        self.assertEqual(self.available().count("off5"), 1)

    def available(self) -> list[str]:
        """The rewards that the card says can be had."""
        return [row.reward for row in self.card().rewards if row.available]

    def test_nothing_to_take_off(self) -> None:
        """A reward is not used up for nothing."""
        self.do(put, "alice", Card(points=100))
        self.do(promotions.set_promotion, "bob", "all", promotions.Draft(None, 100, *[None] * 5), USD, at=self.at, zone=UTC)
        self.refused_order(Conflict, "keep the reward", "cake", 4, reward="off5", code="all")

    def test_another_currency(self) -> None:
        self.open("bob", "hours", "HOURS")
        hours = self.open("alice", "hours", "HOURS")
        self.deposit(hours, "10")
        self.item("lesson", "1", currency="HOURS", stock=5)
        self.do(put, "alice", Card(points=100))
        self.do(programme.set_reward, "half", 50, None, 50, None, USUAL)
        self.refused_order(Conflict, "and this order is in HOURS", "lesson", 2, reward="off5")
        self.assertEqual(self.order("lesson", 2, reward="half").total, "1.0")
        self.assertEqual((self.card().points, self.card().spent), (50, "0.00"))

    def test_nothing_by_another_currency(self) -> None:
        """Another one than the programme's brings stamps, but neither points nor a tier, and has no part in what is free up to a sum."""
        self.open("bob", "hours", "HOURS")
        self.deposit(self.open("alice", "hours", "HOURS"), "1000")
        self.item("course", "100", currency="HOURS", stock=9)
        self.do(programme.set_programme, None, 2, amount("3"), USUAL)
        first, second = (self.order("course", 1) for _ in range(2))
        self.assertEqual((first.total, second.total, second.points, self.card().spent), ("100.0", "100.0", 0, "0.00"))
        self.assertEqual(self.card().until_free, 0)
        self.refund(first.order)
        self.assertEqual((self.card().points, self.card().until_free), (0, 0))

    def test_voucher(self) -> None:
        """The one that waits longest is used, as it was when it was redeemed; the others stay, and the history tells."""
        half = Voucher("half", "Half", 50, 0, 50)
        old, new = Voucher("off5", "5.00 off", 100, 500, 0), Voucher("off5", "1.00 off", 100, 100, 0)
        self.do(put, "alice", Card(vouchers=(half, old, half, new)))
        self.assertEqual(self.order("coffee", 2, reward="off5").total, "0.00")
        self.assertEqual(self.setting.get(Card, "alice").vouchers, (half, half, new))
        (row,) = self.ask(cards.history_of, "alice", limit=9, before=None).items
        self.assertEqual((row.kind, row.points, row.balance, row.reward), ("order", 0, 0, "off5"))

    def test_so_many_wait(self) -> None:
        vouchers = (Voucher("off5", "5.00 off", 100, 500, 0),) * cards.MOST_VOUCHERS
        self.do(put, "alice", Card(points=1000, vouchers=vouchers))
        self.refused(LimitExceeded, "20 are allowed", cards.redeem, "alice", "off5", USUAL, at=self.at)


class ProgrammeTests(Shopping):
    """What admins may set."""

    def test_tiers(self) -> None:
        self.refused(Conflict, "everybody's", programme.set_tier, "bronze", amount("1"), 100, USUAL)
        self.refused(Conflict, "everybody's", programme.remove_tier, "bronze", USUAL)
        self.refused(NotFound, "no tier tin", programme.remove_tier, "tin", USUAL)
        shown = self.do(programme.set_tier, "tin", arguments.NONE, 50, replace(USUAL, tiers=(Tier("tin", 0, 100),)))
        self.assertEqual([(tier.name, tier.percent) for tier in shown.tiers], [("tin", 50)])
        self.refused(Conflict, "everybody's", programme.remove_tier, "tin", USUAL)
        for number in range(programme.MOST_TIERS - 1):
            self.do(programme.set_tier, f"t{number}", amount(f"{number + 1}"), 100, USUAL)
        self.refused(LimitExceeded, "10 are allowed", programme.set_tier, "more", amount("99"), 100, USUAL)

    def test_rewards(self) -> None:
        self.refused(BadArgument, "either", programme.set_reward, "both", 5, amount("1"), 5, None, USUAL)
        self.refused(BadArgument, "either", programme.set_reward, "none", 5, None, None, None, USUAL)
        for number in range(programme.MOST_REWARDS - 2):
            self.do(programme.set_reward, f"r{number}", 5, amount("1"), None, None, USUAL)
        self.refused(LimitExceeded, "50 are allowed", programme.set_reward, "more", 5, amount("1"), None, None, USUAL)
        self.do(programme.set_reward, "r1", 7, amount("2"), None, "Two", USUAL)

    def test_no_rewards(self) -> None:
        shown = [self.do(programme.remove_reward, reward, USUAL) for reward in ("off5", "off10")][1]
        self.assertEqual(shown.status(), "A point for each 1.00 USD; no order is free. Rewards: none. Tiers: bronze, silver, gold.")


class PromotionTests(Shopping):
    """Codes."""

    def code(self, code: str = "spring", seller: str = "bob", **said: Any) -> promotions.PromotionSet:
        names = ("amount", "percent", "least", "uses", "each", "expires", "active")
        draft = promotions.Draft(*(said.get(name) for name in names))
        return self.do(promotions.set_promotion, seller, code, draft, USD, at=self.at, zone=UTC)

    def test_amount(self) -> None:
        """Never more than there is to pay."""
        self.code(amount=amount("3"))
        self.assertEqual([self.order("coffee", count, code="spring").total for count in (1, 2)], ["0.00", "2.00"])

    def test_limits(self) -> None:
        self.code(percent=10, uses=2, each=1)
        self.open("dan")
        self.open("eve")
        for name in ("dan", "eve"):
            self.deposit(name, "10")
        first = self.order("coffee", 1, code="spring").order
        self.refused_order(LimitExceeded, "1 are allowed", "coffee", 1, code="spring")
        self.order("coffee", 1, code="spring", customer="dan")
        self.refused_order(LimitExceeded, "2 are allowed", "coffee", 1, code="spring", customer="eve")
        self.do(stepping.cancel, first, "alice", **self.booking)
        self.order("coffee", 1, code="spring", customer="eve")
        self.assertEqual(self.setting.get(Promotion, "spring").used, 2)

    def test_changed(self) -> None:
        """From a percentage to an amount and back; what is not said stays."""
        self.code(percent=10, each=3)
        found = [self.code(amount=amount("1")), self.code(least=amount("2")), self.code(percent=20)]
        self.assertEqual(
            [(each.amount, each.percent, each.least) for each in found],
            [("1.00", None, "0.00"), ("1.00", None, "2.00"), (None, 20, "2.00")],
        )
        self.assertEqual(found[2].each, 3)

    def test_least(self) -> None:
        """What an order costs before the code; in its own currency."""
        self.code(percent=10, least=amount("5"))
        self.refused_order(Conflict, "from 5.00 USD on; this one is 2.50 USD", "coffee", 1, code="spring")
        self.assertEqual(self.order("coffee", 2, code="spring").total, "4.50")

    def test_another_currency(self) -> None:
        """A percentage is good for any; an amount, even of what an order has to cost at least, for its own."""
        self.open("bob", "hours", "HOURS")
        self.deposit(self.open("alice", "hours", "HOURS"), "10")
        self.item("lesson", "5", currency="HOURS", stock=5)
        for code, said in (("off", {"amount": amount("1")}), ("least", {"percent": 10, "least": amount("1")})):
            self.code(code, **said)
            self.refused_order(Conflict, f"the code {code} is for orders in USD", "lesson", 1, code=code)
        self.code(percent=10)
        self.assertEqual(self.order("lesson", 1, code="spring").total, "4.5")

    def test_so_many(self) -> None:
        for number in range(promotions.MOST_CODES):
            self.code(f"c{number}", percent=5)
        draft = promotions.Draft(None, 5, *[None] * 5)
        self.refused(LimitExceeded, "100 are allowed", promotions.set_promotion, "bob", "more", draft, USD, at=self.at, zone=UTC)
        self.code("c7", percent=6)

    def test_over(self) -> None:
        self.code(percent=10, expires=timedelta(hours=1))
        self.at += timedelta(hours=1)
        self.refused_order(Conflict, "is over", "coffee", 1, code="spring")

    def test_of_another(self) -> None:
        self.code(percent=10)
        self.open("sue")
        self.item("pear", "1", seller="sue", stock=5)
        self.refused_order(NotFound, "no code spring for what sue sells", "pear", 1, code="spring")
        draft = promotions.Draft(None, 5, *[None] * 5)
        self.refused(Exists, "is taken", promotions.set_promotion, "sue", "spring", draft, USD, at=self.at, zone=UTC)

    def test_forgotten(self) -> None:
        self.code(percent=10)
        self.order("coffee", 1, code="spring")
        kept = {name: self.ask(memory.remembered, name, "", 9) for name in ("alice", "bob")}
        kinds = {name: [each.kind for each in found] for name, found in kept.items()}
        self.assertEqual(kinds, {"alice": ["card", "change", "use"], "bob": ["code"]})
        card = {"order_count": 1, "open": 1, "points": 2, "spent": {"2026-11": 225}, "stamps": f"0/{FREE_ORDER}", "redeemed": []}
        self.assertEqual(kept["alice"][0].values, card)
        self.assertEqual(self.pages(memory.remembered, "alice", 1), kept["alice"])
        self.assertEqual(kept["alice"][1].values["order"], 1)
        self.code("autumn", percent=5)
        self.assertEqual([each.values["code"] for each in self.pages(memory.remembered, "bob", 1)], ["autumn", "spring"])
        self.assertEqual(self.do(memory.forget, "bob", ""), None)
        self.refused_order(Conflict, "is over", "coffee", 1, code="spring")
