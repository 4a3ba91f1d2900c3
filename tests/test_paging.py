"""
Listings, page by page: whatever the size of the pages, they show what one page shows, and C{more} says whether there is another.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

from twisted.trial.unittest import SynchronousTestCase

from tests.authenticator import identity
from tests.world import PASSWORD, World

NAMES = ("alice", "bob", "carol", "dave", "erin")
CURRENCIES = ("USD", "EUR", "HOURS", "JPY", "MXN")
WHOLE = 100


class Paged(NamedTuple):
    """
    A command that lists.

    @ivar who: asks.
    @ivar cursor: with which parameter one asks for the next page; empty where there is none.
    @ivar place: which field of the last row is given for it.
    """

    method: str
    who: str = "alice"
    cursor: str = "before"
    place: str = ""
    params: Mapping[str, Any] = MappingProxyType({})


PAGED = (
    Paged("admin.users", "operator", place="username"),
    Paged("admin.connections", "operator", place="connection"),
    Paged("admin.audit", "operator", place="entry"),
    Paged("admin.audit", "operator", place="entry", params={"member": "alice"}),
    Paged("auth.sessions", place="session"),
    Paged("auth.certs", cursor="after", place="fingerprint"),
    Paged("budget.entries", place="entry"),
    Paged("budget.months", place="month"),
    Paged("budget.rule_preview", cursor="", params={"bucket": "needs", "payee": "bob"}),
    Paged("chat.rooms", cursor="after", place="room"),
    Paged("chat.rooms", cursor="after", place="room", params={"mine": True}),
    Paged("chat.log", place="seq", params={"room": "lobby"}),
    Paged("chat.names", cursor="after", place="username", params={"room": "lobby"}),
    Paged("chat.who", cursor="after", place="username"),
    Paged("chat.unread", cursor=""),
    Paged("chat.conversations", place="room"),
    Paged("chat.search", place="seq", params={"words": "hello", "room": "lobby"}),
    Paged("chat.sanctions", cursor="after", place="username", params={"room": "lobby"}),
    Paged("chat.deeds", place="deed", params={"room": "lobby"}),
    Paged("chat.reports", "operator", place="report"),
    Paged("ledger.accounts", cursor="after", place="account"),
    Paged("ledger.history", place="transfer"),
    Paged("ledger.bookings", "operator", place="transfer"),
    Paged("ledger.holds", place="hold"),
    Paged("ledger.holds", place="hold", params={"all": True}),
    Paged("ledger.requests", place="request"),
    Paged("ledger.requests", place="request", params={"all": True}),
    Paged("ledger.schedules", place="schedule"),
    Paged("ledger.schedules", place="schedule", params={"all": True}),
    Paged("ledger.trial_balance", "operator", cursor="after", place="currency"),
    Paged("loyalty.history", place="change"),
    Paged("orders.catalog", cursor="after", place="sku", params={"seller": "bob"}),
    Paged("orders.list", place="order"),
    Paged("orders.queue", "bob", cursor="after", place="order"),
    Paged("orders.sold", "bob", place="order"),
    Paged("orders.sold", "bob", place="order", params={"customer": "alice"}),
    Paged("orders.stock", "bob", cursor="after", place="sku"),
    Paged("orders.best", "bob", cursor=""),
    Paged("orders.log", place="seq", params={"order": 1}),
    Paged("support.tickets", place="ticket"),
    Paged("support.log", place="seq", params={"ticket": 1}),
    Paged("support.queue", "erin", cursor="after", place="ticket"),
    Paged("support.cases", "erin", place="ticket", params={"all": True}),
    Paged("support.notes", "erin", place="seq", params={"ticket": 1}),
)
OTHERWISE = {"support.csv"}
"""Whose pages are texts, and tested with the others of that kind."""


class PagingTests(SynchronousTestCase):
    """Five members have done five of everything, or so."""

    def setUp(self) -> None:
        self.world = World()
        self.clients = {name: self.world.member(name) for name in NAMES}
        self.clients["operator"] = self.world.operator()
        self.do("operator", "admin.grant", username="bob", role="seller")
        self.do("operator", "admin.grant", username="erin", role="agent")
        self.do("operator", "ledger.deposit", to="alice", amount="1000")
        for each in range(5):
            self.come(each)
            self.deal(each)
        for name in NAMES:
            self.do(name, "chat.join", room="lobby")
        for _ in range(5):
            self.do("bob", "chat.say", room="lobby", text="hello all")
        self.talk()
        self.ask()

    def come(self, each: int) -> None:
        """One more session, with one more certificate."""
        laptop = self.world.connect(certificate=identity(f"laptop {each}", self.world.now()))
        for method, params in (("auth.login", {"username": "alice", "password": PASSWORD}), ("auth.cert_add", {})):
            self.assertIn("result", laptop.call(method, **params))

    def deal(self, each: int) -> None:
        """Everything about money that there may be several of."""
        day = (self.world.now() + timedelta(days=5)).date().isoformat()
        self.do("operator", "ledger.deposit", to="alice", amount="1")
        self.do("alice", "ledger.open", name=f"account {each}", currency=CURRENCIES[each])
        self.do("bob", "orders.item", sku=f"item{each}", name=f"Item {each}", price="1.50", stock=9, low=20)
        self.do("alice", "orders.place", items=[{"sku": f"item{each}", "quantity": each + 1}])
        self.do("alice", "orders.say", order=1, text=f"line {each}")
        self.do("alice", "ledger.transfer", to="bob", amount="2", memo=f"payment {each}")
        self.do("alice", "ledger.hold", to="bob", amount="3")
        self.do("bob", "ledger.request", from_="alice", amount="1")
        self.do("alice", "ledger.schedule", to="bob", amount="1", every="monthly", start=day)
        self.do("alice", "budget.expense", item=f"thing {each}", amount="1", bucket="needs", date=f"2026-0{each + 1}-01")

    def talk(self) -> None:
        """Everything that there is in rooms, which are not joined in the order of their names."""
        for each in reversed(range(5)):
            self.do("alice", "chat.join", room=f"room{each}")
            self.do("bob", "chat.join", room=f"room{each}")
            self.do("bob", "chat.say", room=f"room{each}", text="hello")
            self.do("alice", "chat.report", room="lobby", seq=each + 1)
        for name in NAMES[1:]:
            self.do("alice", "chat.direct", to=name, text="hello")
            self.do("alice", "chat.mute", room="lobby", username=name, until=3600)
        self.do("operator", "admin.grant", username="alice", role="moderator")

    def ask(self) -> None:
        """Everything of the support desk."""
        for each in range(5):
            self.do("alice", "support.ask", text="help", order=each + 1)
            self.do("alice", "support.ask", text="help", ticket=1)
        self.do("erin", "support.take", ticket=1)
        for each in range(5):
            self.do("erin", "support.note", ticket=1, text=f"note {each}")

    def do(self, who: str, method: str, **params: Any) -> Any:
        answer = self.clients[who].call(method, **params)
        self.assertIn("result", answer, (method, params, answer))
        return answer["result"]

    def test_all(self) -> None:
        """Pages of one, two and three rows, and such that the last one is full to the brim."""
        for paged in PAGED:
            found = self.do(paged.who, paged.method, limit=WHOLE, **paged.params)
            self.assertFalse(found.get("more"), paged)
            rows = found["items"]
            self.assertGreaterEqual(len(rows), 4, paged)
            for size in {1, 2, 3, len(rows) - 1, len(rows)}:
                self.walk(paged, rows, size)

    def test_before_everywhere(self) -> None:
        """The protocol promises one name to programs: so a list that goes forward with C{after} takes C{before} for it."""
        for paged in PAGED:
            if paged.cursor == "after":
                self.walk(paged._replace(cursor="before"), self.page(paged, WHOLE)["items"], 2)

    def walk(self, paged: Paged, rows: list[Any], size: int) -> None:
        """Go on until there is no more."""
        pages = [self.page(paged, size)]
        while paged.cursor and pages[-1].get("more"):
            last = pages[-1]["items"][-1]
            pages.append(self.page(paged, size, **{paged.cursor: last[paged.place]}))
        shown = [row for page in pages for row in page["items"]]
        self.assertEqual(shown, rows if paged.cursor else rows[:size], (paged, size))
        self.assertEqual(len(pages), -(-len(rows) // size) if paged.cursor else 1, (paged, size))
        self.assertEqual(bool(pages[-1].get("more")), len(shown) < len(rows), (paged, size))

    def page(self, paged: Paged, size: int, **place: Any) -> Any:
        return self.do(paged.who, paged.method, limit=size, **paged.params, **place)

    def test_twenty(self) -> None:
        """So many are shown to whoever does not say how many, as the protocol promises; more only of what is wanted as a whole."""
        usual = {
            each.name: inspect.signature(each.function).parameters["limit"].default
            for each in self.world.hub.commands
            if any(one.name == "limit" for one in each.parameters)
        }
        whole = {"admin.connections": 1000, "ledger.trial_balance": 1000, "support.csv": 1000}
        self.assertEqual({name: count for name, count in usual.items() if count != 20}, whole)

    def test_none_is_left_out(self) -> None:
        """Each command that shows so many rows at a time is among these."""
        listing = {each.name for each in self.world.hub.commands if any("limit" in one.names for one in each.parameters)}
        self.assertEqual(listing - OTHERWISE, {paged.method for paged in PAGED})
