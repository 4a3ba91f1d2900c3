"""
Limits: what may be paid at once and in a day, how far an account may fall and rise.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from securehub import arguments
from securehub.members import OPERATOR, Member
from securehub.money import Amount
from securehub.refusals import BadArgument, LimitExceeded, NotFound
from securehub.services.ledger import holds, limits, movement
from securehub.services.ledger.limits import AccountLimit, LimitsOf, RoleLimits, Spent
from securehub.services.ledger.movement import InsufficientFunds
from tests.rules.money import Money
from tests.rules.setting import CURRENCIES, amount
from tests.store.setting import put

NONE = arguments.NONE


class LimitTests(Money):
    """Alice and Bob are members, and Bob is a seller; both have a hundred."""

    zone: Any = UTC

    def setUp(self) -> None:
        super().setUp()
        self.do(put, "alice", Member(1), "bob", Member(2, roles=("seller", "treasurer")))
        self.deposit("alice", "100")
        self.deposit("bob", "100")

    def pay(self, payer: str, to: str, units: str, memo: str = "", source: str | None = None) -> movement.Transferred:
        return self.do(movement.pay, payer, to, amount(units), memo, source, at=self.at, zone=self.zone)

    def refused_pay(self, refusal: Any, text: str, payer: str, to: str, units: str, source: str | None = None) -> None:
        self.refused(refusal, text, movement.pay, payer, to, amount(units), "", source, at=self.at, zone=self.zone)

    def limit(self, party: str, **wanted: str | int) -> LimitsOf:
        return self.do(limits.set_limits, party, self.bounds(wanted), at=self.at, zone=self.zone)

    def limit_role(self, role: str, currency: str = "USD", **wanted: str | int) -> limits.RoleLimitSet:
        return self.do(limits.set_role_limits, role, CURRENCIES[currency], self.bounds(wanted))

    def bounds(self, wanted: dict[str, str | int]) -> dict[str, Amount | int | str]:
        return {name: limits.bound(str(each)) for name, each in wanted.items()}

    def limits_of(self, owner: str) -> LimitsOf:
        return self.ask(limits.limits_of, owner, None, at=self.at, zone=self.zone)

    # Per payment

    def test_payment(self) -> None:
        """Of one account, to the cent; of its owner's other accounts and of others it says nothing."""
        self.limit("alice", payment="20")
        self.refused_pay(LimitExceeded, "a payment may be up to 20.00 USD; this is 20.01 USD", "alice", "bob", "20.01")
        self.pay("alice", "bob", "20")
        self.pay("bob", "alice", "50")

    def test_taken_away(self) -> None:
        """A limit of none is none, and nothing of it is left."""
        self.limit("alice", payment="20", day="30", ceiling="200")
        self.limit("alice", payment=NONE, day=NONE, ceiling=NONE)
        self.assertIsNone(self.setting.get(AccountLimit, self.alice))
        self.pay("alice", "bob", "100")
        self.assertEqual(self.limits_of("alice"), LimitsOf(self.alice, "USD", "0.00", None, None, None, "0.00"))

    def test_zero(self) -> None:
        """A limit of nothing is one."""
        self.limit("alice", payment=0)
        self.refused_pay(LimitExceeded, "up to 0.00 USD", "alice", "bob", "0.01")

    def test_what_is_left_out_stays(self) -> None:
        self.limit("alice", payment="20", credit="5")
        found = self.limit("alice", day="30")
        self.assertEqual((found.payment, found.day, found.credit), ("20.00", "30.00", "5.00"))

    # Per day

    def test_day(self) -> None:
        """Payments of one day add up; those that are refused do not count, and what comes in gives nothing back."""
        self.limit("alice", day="30")
        self.pay("alice", "bob", "20")
        self.refused_pay(LimitExceeded, "20.00 USD of 30.00 USD for a day are paid already; this is 10.01 USD", "alice", "bob", "10.01")
        self.pay("bob", "alice", "20")
        self.pay("alice", "bob", "10")
        self.refused_pay(LimitExceeded, "30.00 USD of 30.00 USD", "alice", "bob", "0.01")
        self.assertEqual(self.limits_of("alice").spent, "30.00")

    def test_whatever_comes_between(self) -> None:
        """What was paid is counted as it is paid, and not looked for among all that came in since."""
        self.patch(limits, "LOOKED_AT", 2)
        self.limit("alice", day="30")
        for _ in range(3):
            self.pay("alice", "bob", "10")
            for _ in range(3):
                self.pay("bob", "alice", "1")
        self.refused_pay(LimitExceeded, "30.00 USD of 30.00 USD", "alice", "bob", "0.01")

    def test_the_next_day(self) -> None:
        """A day is one of the hub's time zone."""
        self.zone = ZoneInfo("America/Mexico_City")
        self.limit("alice", day="30")
        self.at = datetime(2026, 11, 20, 5, 59, 59, tzinfo=UTC)
        self.pay("alice", "bob", "30")
        self.refused_pay(LimitExceeded, "30.00 USD of 30.00 USD", "alice", "bob", "1")
        self.at += timedelta(seconds=1)
        self.pay("alice", "bob", "30")

    def test_set_in_the_middle_of_a_day(self) -> None:
        """What was paid before there was a limit, or while there was none, counts; what treasurers booked, and yesterday, does not."""
        self.pay("alice", "bob", "5")
        self.at += timedelta(days=1)
        self.pay("alice", "bob", "10")
        self.withdraw("alice", "1")
        self.limit("alice", day="30")
        self.refused_pay(LimitExceeded, "10.00 USD of 30.00 USD", "alice", "bob", "20.01")
        self.pay("alice", "bob", "5")
        self.limit("alice", day=NONE)
        self.pay("alice", "bob", "10")
        self.limit("alice", day="30")
        self.refused_pay(LimitExceeded, "25.00 USD of 30.00 USD", "alice", "bob", "5.01")
        self.pay("alice", "bob", "5")

    def test_from_the_first_to_the_last(self) -> None:
        """Of a day that nobody has counted, what was paid as it began counts, even if it is an account's first entry, and of one cent."""
        self.open("carol")
        self.limit("carol", credit="10")
        self.at = datetime(2026, 11, 21, tzinfo=UTC)
        self.pay("carol", "bob", "5")
        self.pay("carol", "bob", "0.01")
        self.assertEqual(self.limit("carol", day="30").spent, "5.01")

    def test_holds_count(self) -> None:
        """When they are made, and not once more when they are captured."""
        self.limit("alice", day="30", payment="20")
        hold = ("alice", "bob", amount("20.01"), timedelta(1), "", None)
        self.refused(LimitExceeded, "a payment may be up to", holds.hold, *hold, limit=9, at=self.at, zone=UTC)
        made = self.do(holds.hold, "alice", "bob", amount("20"), timedelta(1), "", None, limit=9, at=self.at, zone=UTC)
        self.refused_pay(LimitExceeded, "20.00 USD of 30.00 USD", "alice", "bob", "10.01")
        self.do(holds.capture, made.hold, None, "bob", at=self.at, zone=UTC)
        self.pay("alice", "bob", "10")

    def test_only_where_there_is_a_limit(self) -> None:
        """Nobody counts what nobody asked for."""
        self.pay("alice", "bob", "5")
        self.limit("alice", payment="20")
        self.pay("alice", "bob", "5")
        self.assertIsNone(self.setting.get(Spent, self.alice))

    # Roles

    def test_roles(self) -> None:
        """All are members; of several roles the most generous counts, and a role that has no limit gives no freedom."""
        self.limit_role("member", payment="10")
        self.limit_role("seller", payment="40")
        self.refused_pay(LimitExceeded, "up to 10.00 USD", "alice", "bob", "10.01")
        self.refused_pay(LimitExceeded, "up to 40.00 USD", "bob", "alice", "40.01")
        self.pay("bob", "alice", "40")

    def test_roles_by_currency(self) -> None:
        self.limit_role("member", "HOURS", payment="1")
        self.pay("alice", "bob", "50")
        hours = self.open("alice", "hours", "HOURS")
        self.deposit(hours, "5")
        self.refused_pay(LimitExceeded, "up to 1.0 HOURS", "alice", self.open("bob", "hours", "HOURS"), "1.1", hours)

    def test_own_before_role(self) -> None:
        """An account's own limit counts, be it narrower or wider, each for itself."""
        self.limit_role("member", payment="10", day="15")
        self.limit("alice", payment="12")
        self.pay("alice", "bob", "12")
        self.refused_pay(LimitExceeded, "12.00 USD of 15.00 USD", "alice", "bob", "3.01")
        self.limit("bob", day="5", payment=NONE)
        self.refused_pay(LimitExceeded, "up to 10.00 USD", "bob", "alice", "11")
        self.refused_pay(LimitExceeded, "of 5.00 USD", "bob", "alice", "5.01")

    def test_list_of_roles(self) -> None:
        self.limit_role("seller", payment="40")
        self.limit_role("member", "HOURS", day="2.5", payment="1")
        rows = [(row.role, row.currency, row.payment, row.day) for row in self.ask(limits.role_limits, CURRENCIES).items]
        self.assertEqual(rows, [("member", "HOURS", "1.0", "2.5"), ("seller", "USD", "40.00", None)])
        self.limit_role("seller", payment=NONE)
        self.assertIsNone(self.setting.get(RoleLimits, "USD"))
        self.limit_role("seller", payment=NONE)

    # Credit and ceilings

    def test_credit(self) -> None:
        """An account may fall below zero, as far as its line goes."""
        self.limit("alice", credit="20")
        self.pay("alice", "bob", "120")
        self.refused_pay(InsufficientFunds, "Balance is -20.00 USD", "alice", "bob", "0.01")
        self.limit("alice", credit=0)
        self.deposit("alice", "5")
        self.refused_pay(InsufficientFunds, "Balance is -15.00 USD", "alice", "bob", "0.01")
        self.limit("bob", credit="20")
        self.assertEqual(self.limit("bob", credit=NONE).credit, "0.00")

    def test_ceiling(self) -> None:
        """An account takes no more than it may have, whoever pays; what it has already it keeps."""
        self.limit("bob", ceiling="110")
        self.pay("alice", "bob", "10")
        self.refused_pay(LimitExceeded, f"account {self.bob} would have more than it may, with 0.01 USD more", "alice", "bob", "0.01")
        self.refused(
            LimitExceeded,
            f"account {self.bob} may have up to 110.00 USD; with this it would have more",
            *(movement.deposit, "bob", amount("1"), "", OPERATOR),
            at=self.at,
        )
        self.limit("bob", ceiling="50")
        self.pay("bob", "alice", "1")
        self.refused_pay(LimitExceeded, "more than it may", "alice", "bob", "0.01")

    # Setting them

    def test_told(self) -> None:
        self.heard()
        self.limit("alice", credit="20", payment="5")
        ((channel, event),) = self.heard()
        self.assertEqual((channel, event.credit, event.ceiling, event.payment, event.day), ("member/alice", "20.00", None, "5.00", None))

    def test_wrong_bounds(self) -> None:
        self.refused(NotFound, "no member nobody", limits.set_limits, "nobody", {}, at=self.at, zone=UTC)
        self.refused(BadArgument, "decimals", limits.set_limits, "alice", {"day": amount("0.001")}, at=self.at, zone=UTC)
        for word in ("", "-1", ".", "1e3", "nothing", "0.0.1x"):
            self.assertRaises(BadArgument, limits.bound, word)
        self.assertEqual([limits.bound(word) for word in ("0", "0.00", "000", "None")], [0, 0, 0, NONE])
