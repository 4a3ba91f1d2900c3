"""
Payment requests: paid at most once, by whoever was asked, and closed in the end.
"""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Any

from securehub.agenda import Due
from securehub.refusals import BadArgument, Conflict, Forbidden, LimitExceeded, NotFound
from securehub.services.ledger import requests
from securehub.services.ledger.movement import InsufficientFunds
from securehub.services.ledger.pending import Pending
from securehub.services.ledger.records import Transfer, transfer_key
from securehub.store.records import number_key
from tests.rules.money import Money
from tests.rules.setting import amount
from tests.store.setting import everything

DAY = timedelta(days=1)


class RequestTests(Money):
    """Bob asks Alice, who has fifty."""

    def setUp(self) -> None:
        super().setUp()
        self.open("carol")
        self.deposit("alice", "50")
        self.heard()

    def tearDown(self) -> None:
        """As many are open as are counted, and as many are on the agenda."""
        super().tearDown()
        count = len(self.ask(lambda tx: list(tx.beneath(requests.Request, "bob"))))
        self.assertEqual((self.setting.get(Pending, "bob") or Pending()).requests, count)
        self.assertEqual(len(self.ask(everything, Due)), count)

    def request(self, units: str = "20", payer: str = "alice", expires: Any = DAY, to: str | None = None, limit: int = 9) -> int:
        args = ("bob", payer, amount(units), "for lunch", to, expires)
        return self.do(requests.ask, *args, limit=limit, at=self.at, zone=UTC).request

    def refused_request(self, refusal: Any, text: str, units: str = "1", payer: str = "alice", to: Any = None, limit: int = 9) -> None:
        args = ("bob", payer, amount(units), "", to, DAY)
        self.refused(refusal, text, requests.ask, *args, limit=limit, at=self.at, zone=UTC)

    def accept(self, number: int, payer: str = "alice", source: str | None = None) -> requests.Accepted:
        return self.do(requests.accept, number, payer, source, at=self.at, zone=UTC)

    def refused_accept(self, refusal: Any, text: str, number: int, payer: str = "alice", source: str | None = None) -> None:
        self.refused(refusal, text, requests.accept, number, payer, source, at=self.at, zone=UTC)

    def states(self, owner: str, ended: bool = True) -> list[tuple[int, str]]:
        rows = self.ask(requests.requests_of, owner, ended=ended, limit=9, before=None).items
        return [(row.request, row.state) for row in rows]

    def test_ask(self) -> None:
        """Whoever is asked is told; nothing moves."""
        number = self.request()
        ((channel, event),) = self.heard()
        self.assertEqual(
            (channel, event.request, event.to_name, event.amount, event.memo), ("member/alice", number, "bob", "20.00", "for lunch")
        )
        self.assertEqual(self.balance("alice"), "50.00")

    def test_of_the_erased(self) -> None:
        """What is open when one of both is erased ends, and the other one is told; what has ended stays as it is."""
        for erased, state, channel in (("bob", "recalled", "member/alice"), ("alice", "refused", "member/bob")):
            key = number_key(self.request())
            self.heard()
            for told in ([(channel, state)], []):
                ended = self.do(lambda tx, key, by: requests.give_up(tx, key, tx.fetch(requests.Request, key), by), key, erased)
                self.assertEqual((ended.state, self.setting.get(requests.Request, key).state), (state, state))
                self.assertEqual([(channel, event.state) for channel, event in self.heard()], told)

    def test_in_another_currency(self) -> None:
        """It is paid from the first account in that currency, if no other one is named."""
        yen = self.open("alice", "yen", "YEN")
        self.deposit(yen, "30")
        self.accept(self.request(to=self.open("bob", "yen", "YEN")))
        self.assertEqual((self.balance("alice"), self.balance("alice", yen)), ("50.00", "10"))

    def test_ended_in_time(self) -> None:
        """What was paid in time is not called expired later."""
        number = self.request()
        self.accept(number)
        self.at += DAY
        self.refused_accept(Conflict, f"request {number} is accepted", number)

    def test_accept(self) -> None:
        """It is paid as any transfer is, which names the request; whoever asked is told."""
        number = self.request()
        self.heard()
        paid = self.accept(number)
        self.assertEqual((paid.amount, paid.to_name, paid.balance, self.balance("bob")), ("20.00", "bob", "30.00", "20.00"))
        kept = self.setting.get(Transfer, transfer_key(paid.transfer))
        self.assertEqual((kept.reference, kept.memo, kept.by), (f"request/{number}", "for lunch", ""))
        received, ended = self.heard()
        self.assertEqual((received[0], received[1].transfer), ("member/bob", paid.transfer))
        self.assertEqual((ended[0], ended[1].state, ended[1].transfer), ("member/bob", "accepted", paid.transfer))

    def test_accept_from(self) -> None:
        """From any account of the payer's in that currency."""
        savings = self.open("alice", "savings")
        self.deposit(savings, "20")
        self.accept(self.request(), source=savings)
        self.assertEqual(self.balance("alice", savings), "0.00")
        number = self.request()
        self.refused_accept(NotFound, "you have no account", number, source=self.bob)
        yen = self.open("alice", "yen", "YEN")
        self.refused_accept(Conflict, "is in USD", number, source=yen)

    def test_no_money(self) -> None:
        """A request that cannot be paid stays open."""
        number = self.request("50.01")
        self.refused_accept(InsufficientFunds, "50.01 USD is needed", number)
        self.deposit("alice", "0.01")
        self.accept(number)

    def test_once(self) -> None:
        """A request ends once, in whichever way."""
        one, two, three, four = (self.request("1") for _ in range(4))
        self.accept(one)
        self.do(requests.refuse, two, "alice", "not mine", at=self.at)
        self.do(requests.recall, three, "bob", at=self.at)
        self.do(requests.expire, f"{four:015d}", at=self.at + DAY)
        self.do(requests.expire, f"{99:015d}", at=self.at)
        for number, state in ((one, "accepted"), (two, "refused"), (three, "recalled"), (four, "expired")):
            self.refused_accept(Conflict, f"request {number} is {state}", number)
            self.refused(Conflict, f"is {state}", requests.refuse, number, "alice", "", at=self.at)
            self.refused(Conflict, f"is {state}", requests.recall, number, "bob", at=self.at)
            self.do(requests.expire, f"{number:015d}", at=self.at)
        self.assertEqual(self.states("alice"), [(four, "expired"), (three, "recalled"), (two, "refused"), (one, "accepted")])
        self.assertEqual(self.states("bob"), self.states("alice"))
        self.assertEqual(self.states("bob", ended=False), [])

    def test_who_hears_of_the_end(self) -> None:
        """The other side; both, if nobody did anything."""
        one, two, three = (self.request("1") for _ in range(3))
        self.heard()
        self.do(requests.refuse, one, "alice", "not mine", at=self.at)
        self.do(requests.recall, two, "bob", at=self.at)
        self.do(requests.expire, f"{three:015d}", at=self.at + DAY)
        told = [(channel, event.state, event.reason) for channel, event in self.heard()]
        self.assertEqual(
            told,
            [
                ("member/bob", "refused", "not mine"),
                ("member/alice", "recalled", ""),
                ("member/alice", "expired", ""),
                ("member/bob", "expired", ""),
            ],
        )

    def test_who_may(self) -> None:
        """Each side does its own; for everybody else there is no such request."""
        number = self.request()
        self.refused_accept(Forbidden, "that is for alice to do", number, payer="bob")
        self.refused(Forbidden, "that is for bob to do", requests.recall, number, "alice", at=self.at)
        self.refused_accept(NotFound, f"no request {number}", number, payer="carol")
        self.refused(NotFound, f"no request {number}", requests.refuse, number, "carol", "", at=self.at)
        self.refused_accept(NotFound, "no request 99", 99)

    def test_expired(self) -> None:
        """From the moment on it cannot be paid, even if nobody has come to ending it yet."""
        number = self.request()
        self.at += DAY
        self.refused_accept(Conflict, "is expired", number)

    def test_wrong_ones(self) -> None:
        self.refused_request(BadArgument, "that is yourself", payer="bob")
        self.refused_request(NotFound, "no member nobody", payer="nobody")
        self.refused_request(NotFound, "you have no account", to=self.alice)
        self.refused_request(NotFound, "alice has no account in YEN", to=self.open("bob", "yen", "YEN"))
        self.refused_request(BadArgument, "decimals", units="0.001")

    def test_as_many_as_allowed(self) -> None:
        one = self.request(limit=1)
        self.refused_request(LimitExceeded, "you have 1 requests open; 1 are allowed", limit=1)
        self.do(requests.recall, one, "bob", at=self.at)
        self.request(limit=1)

    def test_pages(self) -> None:
        made = [self.request("1") for _ in range(4)]
        page = self.ask(requests.requests_of, "alice", ended=False, limit=2, before=made[3])
        self.assertEqual(([row.request for row in page.items], page.more), ([made[2], made[1]], True))
