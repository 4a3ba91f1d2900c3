"""
What may take long waits for its turn, and everybody else is served between.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from itertools import groupby
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from securehub.services.budget import statements
from securehub.services.chat import presence, reading
from securehub.services.ledger import exports
from securehub.services.orders import selling
from securehub.services.support import looking
from securehub.store.transaction import ReadTransaction
from securehub.turns import SLICE_SECONDS, Turns
from tests.world import Client, World


class TurnsTests(SynchronousTestCase):
    """A little of each turn of the reactor."""

    def setUp(self) -> None:
        self.time = Clock()
        self.turns = Turns(self.time)
        self.said: list[str] = []

    def ask(self, name: str, seconds: float) -> None:
        """Wait for a turn, and then do something that takes as long."""

        def take(_: None) -> None:
            self.said.append(name)
            self.time.rightNow += seconds

        self.turns.next().addCallback(take)

    def test_begun(self) -> None:
        """What was begun is gone on with before others begin, and those who need no turn come between all the same."""

        def begin(_: None) -> None:
            self.said.append("one")
            self.time.rightNow += SLICE_SECONDS
            self.turns.next(begun=True).addCallback(lambda _: self.said.append("more of one"))

        self.turns.next().addCallback(begin)
        self.ask("two", 0)
        self.assertEqual(self.all_of_it(), ["one", "another", "more of one", "two"])

    def all_of_it(self) -> list[str]:
        self.time.callLater(0, self.said.append, "another")
        self.assertEqual(self.said, [])
        self.time.advance(0)
        return self.said

    def test_long(self) -> None:
        """Others come between."""
        self.ask("one", SLICE_SECONDS)
        self.ask("two", SLICE_SECONDS)
        self.assertEqual(self.all_of_it(), ["one", "another", "two"])

    def test_short(self) -> None:
        """What took no longer than others need not have waited for a turn of its own."""
        for name in ("one", "two", "three"):
            self.ask(name, SLICE_SECONDS / 2)
        self.assertEqual(self.all_of_it(), ["one", "two", "another", "three"])

    def test_later(self) -> None:
        self.ask("one", 0)
        self.all_of_it()
        self.ask("two", 0)
        self.time.advance(0)
        self.assertEqual((self.said, self.time.getDelayedCalls()), (["one", "another", "two"], []))

    def test_meanwhile(self) -> None:
        """Whoever asks again at once is behind those who wait."""
        self.turns.next().addCallback(lambda _: self.ask("again", 0))
        self.ask("two", 0)
        self.assertEqual(self.all_of_it(), ["two", "again", "another"])


class LongCommandTests(SynchronousTestCase):
    """Commands that are declared to take long, as members meet them."""

    def setUp(self) -> None:
        self.world = World()
        self.alice, self.bob = self.world.member("alice"), self.world.member("bob")
        self.happened: list[str] = []
        search = reading.search

        def noted(tx: ReadTransaction, username: str, *given: Any, **named: Any) -> reading.Found:
            self.happened.append(username)
            self.world.time.rightNow += SLICE_SECONDS
            return search(tx, username, *given, **named)

        self.patch(reading, "search", noted)

    def order(self) -> list[str]:
        """What happened, in its order; a store that tries its rules twice counts once."""
        self.world.time.callLater(0, self.happened.append, "another")
        self.world.settle()
        return [name for name, _ in groupby(self.happened)]

    def test_many_in_a_row(self) -> None:
        self.alice.feed(b"SEARCH tea\n" * 3)
        self.assertEqual(self.order(), ["alice", "another", "alice"])
        self.assertEqual(self.alice.received(), ["OK"] * 3)

    def test_a_batch(self) -> None:
        request = b'{"jsonrpc":"2.0","id":1,"method":"chat.search","params":["tea"]}'
        self.alice.feed(b"[%b,%b]\n" % (request, request))
        self.assertEqual(self.order(), ["alice", "another", "alice"])

    def test_many_connections(self) -> None:
        """The next one's turn is another one, so a member with many connections holds up nobody longer."""
        for client in (self.alice, self.bob):
            client.feed(b"SEARCH tea\n")
        self.assertEqual(self.order(), ["alice", "another", "bob"])

    def test_order_of_replies(self) -> None:
        """They are answered in the order of the requests, as all are."""
        self.assertEqual(self.alice.ask("PING 1", "SEARCH tea", "PING 2"), ["OK 1", "OK", "OK 2"])

    def test_locked_meanwhile(self) -> None:
        """Whoever may no more when the turn comes is not served any more."""
        self._meanwhile(self.alice, "admin.lock alice spam")
        refused, bye = self.alice.received()
        self.assertEqual((refused[:18], bye), ("ERR not-logged-in ", "* Bye: the account is locked: spam"))

    def test_others(self) -> None:
        """
        So do sixty rows that are imported by a hundred rules, ten thousand who are there, a thousand who wait, a thousand items: none of
        these takes long, and thirty in one packet would.
        """
        for module, name, line in (
            (statements, "preview", '{"jsonrpc":"2.0","method":"budget.import_preview","params":["date,amount"]}'),
            (presence, "who", "WHO"),
            (looking, "tickets", "TICKETS"),
            (looking, "shown", "support.show 1"),
            (selling, "stock_of", "orders.stock low=on"),
        ):
            self.happened.clear()
            rule = getattr(module, name)

            def noted(*given: Any, rule: Callable[..., Any] = rule, **named: Any) -> Any:
                self.happened.append("alice")
                self.world.time.rightNow += SLICE_SECONDS
                return rule(*given, **named)

            self.patch(module, name, noted)
            self.alice.send(line)
            self.bob.send("SEARCH tea")
            self.assertEqual(self.order(), ["alice", "another", "bob"], line)

    def test_gone_meanwhile(self) -> None:
        self.alice.feed(b"SEARCH tea\n")
        self.alice.close()
        self.assertEqual(self.order(), ["another"])

    def _meanwhile(self, client: Client, line: str) -> None:
        """An operator does something before the client's turn comes."""
        operator = self.world.operator()
        client.feed(b"SEARCH tea\n")
        operator.feed(line.encode() + b"\n")
        self.assertEqual(self.order(), ["another"])


class PartsTests(SynchronousTestCase):
    """What takes long to write is written a little in each turn, as members meet it."""

    def setUp(self) -> None:
        self.world = World()
        self.alice, self.operator = self.world.member("alice"), self.world.operator()
        self.operator.ask("DEPOSIT alice 1 one", "DEPOSIT alice 1 two")
        self.alice.received()
        self.happened: list[str] = []
        harmless = exports.harmless

        def slow(memo: str) -> str:
            self.happened.append(memo)
            self.world.time.rightNow += SLICE_SECONDS
            return harmless(memo)

        self.patch(exports, "harmless", slow)

    def meanwhile(self, what: Callable[[], object]) -> list[str]:
        """
        Something happens between the first part and the second one.

        @return: what alice is told.
        """
        self.alice.feed(b"STATEMENT format=csv\n")
        self.world.time.callLater(0, what)
        self.world.settle()
        return self.alice.received()

    def test_others_come_between(self) -> None:
        told = self.meanwhile(lambda: self.happened.append("another"))
        self.assertEqual(self.happened, ["one", "another", "two"])
        self.assertEqual([line.rpartition(",")[2] for line in told], ["memo", "one", "two", "OK"])

    def test_locked(self) -> None:
        """For whoever may no more it is not gone on with."""
        refused, bye = self.meanwhile(lambda: self.operator.feed(b"admin.lock alice spam\n"))
        self.assertEqual((refused[:18], bye), ("ERR not-logged-in ", "* Bye: the account is locked: spam"))
        self.assertEqual(self.happened, ["one"])

    def test_gone(self) -> None:
        self.assertEqual(self.meanwhile(self.alice.close), [])
        self.assertEqual(self.happened, ["one"])

    def test_undone(self) -> None:
        """What was looked at, and is undone before all of it is written, is shown to nobody."""
        self.world.disk_waits = True
        self.operator.feed(b"DEPOSIT alice 1 three\n")

        def fail() -> None:
            self.world.directory.fail(OSError(errno.EIO, "broken"))
            self.world.worker.step()

        self.assertEqual(self.meanwhile(fail), [])
        self.assertTrue(self.alice.closed)
        self.assertEqual(self.happened, ["one", "two"])
