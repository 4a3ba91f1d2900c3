"""
Holds: what is held cannot be spent, is taken at most once, and comes back to the payer in the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from securehub.agenda import Due
from securehub.members import OPERATOR, Member
from securehub.refusals import BadArgument, Conflict, Forbidden, LimitExceeded, NotFound
from securehub.reply import Listing
from securehub.services.ledger import books, holds, movement
from securehub.services.ledger.holds import Captured, Held, Hold
from securehub.services.ledger.movement import InsufficientFunds
from securehub.services.ledger.pending import Pending
from securehub.services.ledger.records import Transfer, transfer_key
from tests.rules.money import Money
from tests.rules.setting import amount
from tests.store.setting import everything, put

DAY = timedelta(days=1)


class HoldTests(Money):
    """Alice holds money for Bob; Tom is a treasurer."""

    def setUp(self) -> None:
        super().setUp()
        self.do(put, "tom", Member(1, roles=("treasurer",)), "mary", Member(2))
        self.deposit("alice", "50")
        self.heard()

    def tearDown(self) -> None:
        """The books are right, and of each account so much is held as its open holds say."""
        super().tearDown()
        sums: dict[str, int] = {}
        for _, hold in self.ask(lambda tx: [(key, tx.get(Hold, key)) for key in self.keys(tx)]):
            if hold.state == "open":
                sums[hold.source] = sums.get(hold.source, 0) + hold.units
        for number in (self.alice, self.bob):
            self.assertEqual(self.setting.get(movement.Account, number).held, sums.get(number, 0))
        open_holds = len([key for key, _ in self.ask(everything, Due)])
        self.assertEqual(self.setting.get(Pending, "alice") or Pending(), Pending(holds=open_holds))

    def keys(self, tx: Any) -> set[str]:
        places = [f"{ended}{number}" for number in (self.alice, self.bob) for ended in ("", "ended ")]
        return {key for place in places for key, _ in tx.beneath(Hold, place)}

    def hold(self, units: str, payer: str = "alice", to: str = "bob", expires: Any = DAY, memo: str = "", limit: int = 9) -> Held:
        return self.do(holds.hold, payer, to, amount(units), expires, memo, None, limit=limit, at=self.at, zone=UTC)

    def refused_hold(self, refusal: Any, text: str, units: str, to: str = "bob", expires: Any = DAY, limit: int = 9) -> None:
        args = ("alice", to, amount(units), expires, "", None)
        self.refused(refusal, text, holds.hold, *args, limit=limit, at=self.at, zone=UTC)

    def capture(self, number: int, units: str | None = None, by: str = "bob") -> Captured:
        return self.do(holds.capture, number, units and amount(units), by, at=self.at, zone=UTC)

    def refused_capture(self, refusal: Any, text: str, number: int, units: str | None = None, by: str = "bob") -> None:
        self.refused(refusal, text, holds.capture, number, units and amount(units), by, at=self.at, zone=UTC)

    def held(self) -> tuple[str, str]:
        found = self.ask(books.balance_of, "alice", None)
        return found.balance, found.held

    def states(self, owner: str, ended: bool = True) -> list[tuple[int, str, str]]:
        rows = self.ask(holds.holds_of, owner, ended=ended, limit=9, before=None).items
        return [(row.hold, row.state, row.captured) for row in rows]

    def test_hold(self) -> None:
        """Money is set aside and stays in the balance; the payee is told."""
        made = self.hold("20", memo="deposit for the hall")
        self.assertEqual((made.amount, made.to_name, made.balance, made.held), ("20.00", "bob", "50.00", "20.00"))
        self.assertEqual(self.held(), ("50.00", "20.00"))
        ((channel, event),) = self.heard()
        self.assertEqual((channel, event.hold, event.from_name, event.memo), ("member/bob", made.hold, "alice", "deposit for the hall"))

    def test_held_money_counts(self) -> None:
        """Six holds of ten do not fit into fifty; and what is held cannot be spent, nor paid out."""
        for _ in range(5):
            self.hold("10")
        self.refused_hold(InsufficientFunds, "of which 50.00 USD is held", "10")
        self.refused_pay(InsufficientFunds, "of which 50.00 USD is held, 0.01 USD is needed", "alice", "bob", "0.01")
        self.refused(InsufficientFunds, "held", movement.withdraw, "alice", amount("1"), "", OPERATOR, at=self.at)

    def test_capture(self) -> None:
        """The payee takes all of it; payer and payee are told."""
        made = self.hold("20", memo="hall")
        self.heard()
        taken = self.capture(made.hold)
        self.assertEqual((taken.amount, taken.freed), ("20.00", "0.00"))
        kept = self.setting.get(Transfer, transfer_key(taken.transfer))
        self.assertEqual((kept.kind, kept.reference, kept.by), ("capture", f"hold/{made.hold}", "bob"))
        self.assertEqual((self.held(), self.balance("bob")), (("30.00", "0.00"), "20.00"))
        heard = dict(self.heard())
        self.assertEqual((heard["member/bob"].transfer, heard["member/bob"].memo), (taken.transfer, "hall"))
        self.assertEqual((heard["member/alice"].state, heard["member/alice"].transfer), ("captured", taken.transfer))

    def test_capture_a_part(self) -> None:
        """What is not taken is freed."""
        made = self.hold("20")
        self.assertEqual(self.capture(made.hold, "5.5").freed, "14.50")
        self.assertEqual(self.held(), ("44.50", "0.00"))
        self.assertEqual(self.states("alice"), [(made.hold, "captured", "5.50")])

    def test_capture_all_there_is(self) -> None:
        """What is held can be taken even if nothing else is left."""
        made = self.hold("50")
        self.capture(made.hold)
        self.assertEqual(self.held(), ("0.00", "0.00"))

    def test_capture_too_much(self) -> None:
        made = self.hold("20")
        self.refused_capture(LimitExceeded, "is of 20.00 USD, 20.01 USD is asked for", made.hold, "20.01")
        self.refused_capture(BadArgument, "decimals", made.hold, "1.001")

    def test_once(self) -> None:
        """A hold ends once, in whichever way."""
        one, two, three = (self.hold("10").hold for _ in range(3))
        self.capture(one, "1")
        self.do(holds.release, two, "bob")
        self.do(holds.expire, f"{three:015d}", at=self.at + DAY)
        for number, state in ((one, "captured"), (two, "released"), (three, "expired")):
            self.refused_capture(Conflict, f"hold {number} is {state}", number)
            self.refused(Conflict, f"is {state}", holds.release, number, "bob")
            before = self.setting.store.number
            self.do(holds.expire, f"{number:015d}", at=self.at)
            self.assertEqual(self.setting.store.number, before)
        self.do(holds.expire, f"{99:015d}", at=self.at)

    def test_release(self) -> None:
        made = self.hold("20")
        self.heard()
        self.assertEqual(self.do(holds.release, made.hold, "bob").amount, "20.00")
        self.assertEqual(self.held(), ("50.00", "0.00"))
        ((channel, event),) = self.heard()
        self.assertEqual((channel, event.state, event.transfer), ("member/alice", "released", None))

    def test_who_may(self) -> None:
        """The payee and treasurers; the payer may not, and for everybody else there is no such hold."""
        one, two, three = (self.hold("10").hold for _ in range(3))
        self.refused_capture(Forbidden, "only bob and treasurers", one, by="alice")
        self.refused(Forbidden, "only bob", holds.release, one, "alice")
        for by in ("mary", "nobody"):
            self.refused_capture(NotFound, f"no hold {one}", one, by=by)
            self.refused(NotFound, f"no hold {one}", holds.release, one, by)
        self.refused_capture(NotFound, "no hold 99", 99, by="tom")
        self.capture(one, by="tom")
        self.capture(two, by="operator")
        self.do(holds.release, three, "tom")
        self.assertEqual(self.balance("bob"), "20.00")

    def test_expired(self) -> None:
        """From the moment on nothing can be taken, even if nobody has come to ending it; then both are told."""
        made = self.hold("20")
        self.at += DAY
        self.refused_capture(Conflict, "is expired", made.hold)
        self.heard()
        self.do(holds.expire, f"{made.hold:015d}", at=self.at)
        self.assertEqual(
            [(channel, event.state) for channel, event in self.heard()], [("member/alice", "expired"), ("member/bob", "expired")]
        )
        self.assertEqual(self.held(), ("50.00", "0.00"))

    def test_until_when(self) -> None:
        """Until an instant, the beginning of a day, or for some time; to come in any case."""
        self.assertEqual(self.hold("1", expires=DAY).expires, self.at + DAY)
        self.assertEqual(self.hold("1", expires=date(2026, 12, 1)).expires, datetime(2026, 12, 1, tzinfo=UTC))
        self.assertEqual(self.hold("1", expires=self.at + DAY).expires, self.at + DAY)
        for wrong in (timedelta(0), self.at, self.at - DAY, date(2026, 11, 19), timedelta(days=4000), date(9999, 12, 31)):
            self.refused_hold(BadArgument, "expires", "1", expires=wrong)

    def test_as_many_as_allowed(self) -> None:
        one, _ = self.hold("1", limit=2).hold, self.hold("1", limit=2)
        self.refused_hold(LimitExceeded, "you have 2 holds open; 2 are allowed", "1", limit=2)
        self.do(holds.release, one, "bob")
        self.hold("1", limit=2)

    def test_wrong_accounts(self) -> None:
        self.refused_hold(BadArgument, "same account", "1", to="alice")
        self.refused_hold(NotFound, "no member nobody", "1", to="nobody")
        yen = self.open("bob", "yen", "YEN")
        self.refused_hold(Conflict, "is in YEN", "1", to=yen)

    def test_list(self) -> None:
        """Those that are open, of both sides, the newest first and in pages; those that have ended if one asks."""
        made = [self.hold("1").hold for _ in range(4)]
        self.do(holds.release, made[1], "bob")
        for owner in ("alice", "bob"):
            self.assertEqual([number for number, *_ in self.states(owner, ended=False)], [made[3], made[2], made[0]])
            self.assertEqual([number for number, *_ in self.states(owner)], made[::-1])
        page = self.ask(holds.holds_of, "alice", ended=True, limit=2, before=made[3])
        self.assertEqual(([row.hold for row in page.items], page.more), ([made[2], made[1]], True))
        self.assertEqual(self.states("mary"), [])

    def test_a_page_of_many(self) -> None:
        """However many accounts and holds there are, no more of these are looked at than are listed, and one of each account."""
        for number in range(3):
            account = self.open("alice", f"account {number}")
            for _ in range(5):
                self.do(holds.release, self.hold("1", to=account).hold, "alice")

        def listed(tx: Any, limit: int, before: int | None) -> tuple[Listing[holds.HoldRow], int]:
            looked_at = []

            class Counting:
                get = tx.get

                def beneath(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
                    for each in tx.beneath(*args, **kwargs):
                        looked_at.append(each)
                        yield each

            return holds.holds_of(Counting(), "alice", ended=True, limit=limit, before=before), len(looked_at)

        numbers: list[int] = []
        more = True
        while more:
            page, count = self.ask(listed, 4, numbers[-1] if numbers else None)
            # Each of these is found beneath two of the four accounts.
            self.assertLessEqual(count, 2 * (4 + 1) + 4)
            numbers += [row.hold for row in page.items]
            more = page.more
        self.assertEqual(numbers, sorted(numbers, reverse=True))
        self.assertEqual(len(set(numbers)), 15)

    def test_between_own_accounts(self) -> None:
        """A hold for oneself is listed, and told, once."""
        savings = self.open("alice", "savings")
        made = self.hold("5", to=savings)
        self.assertEqual(len(self.states("alice")), 1)
        self.assertFalse(self.ask(holds.holds_of, "alice", ended=True, limit=1, before=None).more)
        self.heard()
        self.do(holds.expire, f"{made.hold:015d}", at=self.at)
        self.assertEqual(len(self.heard()), 1)
