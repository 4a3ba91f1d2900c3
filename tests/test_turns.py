"""
Who may take long has a turn of the reactor alone, and others have theirs between.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from securehub.services.chat import reading
from securehub.store.transaction import ReadTransaction
from securehub.turns import Turns
from tests.world import Client, World


class TurnsTests(SynchronousTestCase):
    """One at a time."""

    def test_others_between(self) -> None:
        time, said = Clock(), []
        turns = Turns(time)
        for name in ("one", "two"):
            turns.next().addCallback(lambda _, name=name: said.append(name))
        time.callLater(0, said.append, "another")
        self.assertEqual(said, [])
        time.advance(0)
        self.assertEqual(said, ["one", "another", "two"])
        turns.next().addCallback(lambda _: said.append("three"))
        time.advance(0)
        self.assertEqual((said[-1], time.getDelayedCalls()), ("three", []))


class LongCommandTests(SynchronousTestCase):
    """Commands that are declared to take long, as members meet them."""

    def setUp(self) -> None:
        self.world = World()
        self.alice, self.bob = self.world.member("alice"), self.world.member("bob")
        self.happened: list[str] = []
        search = reading.search

        def noted(tx: ReadTransaction, username: str, *given: Any, **named: Any) -> reading.Found:
            self.happened.append(username)
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
