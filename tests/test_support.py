"""
The support desk in a whole hub: what is told when somebody comes, what happens by itself, and what is left after a crash or an erasure.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from securehub.services.messages import Message
from securehub.services.support.records import Case
from tests.world import PASSWORD, Client, World, installed

HOUR_SECONDS = 60 * 60
DAY_SECONDS = 24 * HOUR_SECONDS


class Desk(SynchronousTestCase):
    """Alice is a customer, bob an agent."""

    settings: ClassVar[dict[str, Any]] = {}

    def setUp(self) -> None:
        self.world = World(**self.settings)
        self.operator = self.world.operator()
        self.alice, self.bob = self.world.member("alice"), self.world.member("bob")
        self.operator.ask("admin.grant bob agent")

    def back(self, username: str) -> Client:
        client = self.world.connect()
        client.received()
        client.send(f"LOGIN {username} {PASSWORD}")
        self.world.settle()
        return client

    def count(self, record: type[Case | Message]) -> int:
        return int(self.world.hub.store.counts()[record.collection])


class ComingTests(Desk):
    """Whoever comes is told what waits for them, and nobody else is."""

    def setUp(self) -> None:
        super().setUp()
        self.alice.ask("SUPPORT help")
        self.bob.ask("support.take 1", "support.reply 1 hello")
        self.alice.received()

    def test_another_session(self) -> None:
        """Behind the reply, to that session alone."""
        again = self.back("alice")
        welcome, told = again.received()
        self.assertTrue(welcome.startswith("OK Welcome back"))
        self.assertEqual(told, "* You have unread answers of the support desk: 1 in ticket 1.")
        self.assertEqual(self.alice.received(), [])

    def test_with_a_token(self) -> None:
        """Resuming is coming, too, in the form of the request."""
        client = self.world.connect()
        client.received()
        token = client.call("auth.login", username="alice", password=PASSWORD)["result"]["resume"]
        program = self.world.connect()
        program.received()
        program.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "auth.resume", "params": {"token": token}}))
        self.world.settle()
        reply, told = map(json.loads, program.received())
        self.assertEqual((reply["id"], told["method"], told["params"]), (1, "support.unread", {"tickets": [{"ticket": 1, "unread": 1}]}))

    def test_after_a_crash(self) -> None:
        """What was answered is there, and told."""
        self.world.restart(crash=True)
        self.assertEqual(len(self.back("alice").received()), 2)
        self.alice = self.back("alice")
        self.alice.ask("support.read 1")
        self.assertEqual(len(self.back("alice").received()), 1)

    def test_a_newcomer(self) -> None:
        """Who has asked nothing is told nothing."""
        carol = self.world.connect()
        carol.received()
        self.assertEqual(len(carol.ask(f"CREATE carol {PASSWORD}")), 1)

    def test_an_agent_no_more(self) -> None:
        """Hears no more of cases, and sees none."""
        self.operator.ask("admin.ungrant bob agent")
        self.bob.received()
        self.alice.ask("SUPPORT are you there?")
        self.assertEqual(self.bob.received(), [])
        self.assertEqual(self.bob.ask("support.log 1"), ["ERR not-found you have no ticket 1"])
        self.assertEqual(self.bob.ask("support.reply 1 yes"), ["ERR forbidden this needs the role agent"])
        self.assertEqual(self.alice.ask("support.show 1")[1], "  status    waiting")


class LeavingTests(Desk):
    """Whoever saw to cases, and is an agent no more."""

    def test_back_in_the_queue(self) -> None:
        """Within an hour their cases wait again where agents look for them, and customers and agents are told."""
        carol = self.world.member("carol")
        self.operator.ask("admin.grant carol agent")
        self.alice.ask("SUPPORT one")
        self.world.member("dave").ask("SUPPORT two")
        self.bob.ask("support.take 1")
        carol.ask("support.take 2")
        self.world.elapse(HOUR_SECONDS)
        for client in (self.alice, carol):
            client.received()
        self.operator.ask("admin.ungrant bob agent")
        self.world.elapse(HOUR_SECONDS)
        told = ["* bob has left ticket 1, which waits for another agent."]
        self.assertEqual((self.alice.received(), carol.received()), (told, told))
        self.assertIn("  1         1       alice", carol.ask("support.queue")[1])
        self.assertIn("left by bob", self.alice.ask("support.show 1")[-2])
        self.assertEqual(carol.ask("support.show 2")[1], "  status    open")

    def test_a_lock_that_ends(self) -> None:
        """Who can log in again before that goes on."""
        self.alice.ask("SUPPORT one")
        self.bob.ask("support.take 1")
        self.operator.ask("admin.lock bob lost", "admin.unlock bob")
        self.world.elapse(HOUR_SECONDS)
        self.alice.received()
        self.assertEqual(self.alice.ask("support.show 1")[1], "  status    open")


class KeepingTests(Desk):
    """Closed cases go by themselves."""

    settings: ClassVar[dict[str, Any]] = {"case_days": 1}

    def test_after_a_day(self) -> None:
        """With all that was said, however much; open ones stay."""
        carol = self.world.member("carol")
        carol.ask("SUPPORT help")
        self.alice.ask(*["SUPPORT help"] * 130)
        self.bob.ask("support.take 2", "support.note 2 a note", "support.close 2")
        self.world.elapse(DAY_SECONDS - 10)
        self.assertEqual((self.count(Case), self.count(Message)), (2, 132))
        for _ in range(20):
            self.world.elapse(1)
        self.assertEqual((self.count(Case), self.count(Message)), (1, 1))
        self.alice.received()
        self.assertEqual(self.alice.ask("TICKETS"), ["OK"])


class ExportTests(Desk):
    """What is kept about a member, each thing once, whichever service keeps it."""

    def test_messages_of_both(self) -> None:
        self.alice.ask("JOIN lobby", "SAY lobby in the lobby", "SUPPORT at the desk")
        items = self.alice.call("auth.export")["result"]["items"]
        said = [(item["service"], item["values"]["text"]) for item in items if item["kind"] == "message"]
        self.assertEqual(said, [("chat", "in the lobby"), ("support", "at the desk")])

    def test_without_a_chat(self) -> None:
        """The desk forgets by itself."""
        world = World(factories=[each for each in installed() if each.name != "chat"])
        alice, bob, operator = world.member("alice"), world.member("bob"), world.operator()
        operator.ask("admin.grant bob agent")
        alice.ask("SUPPORT help")
        bob.ask("support.take 1", "support.reply 1 hello", "SUPPORT help")
        operator.ask("admin.erase bob")
        self.assertEqual(alice.ask("support.log 1")[-2:], ["  2  2026-11-19 18:02 UTC  bob: (removed by bob)", "OK"])
        operator.ask("admin.erase alice")
        self.assertEqual(int(world.hub.store.counts()["message"]), 0)


class LongTests(Desk):
    """The longest texts fit into an event, which the store of the tests sees to."""

    def test_four_bytes_each(self) -> None:
        text = "\U0001f600" * self.world.settings["message_characters"]
        self.alice.ask("SUPPORT help")
        self.bob.ask("support.take 1")
        self.alice.received()
        self.assertEqual(self.bob.ask(f"support.note 1 {text}"), ["OK Ticket 1, note 1."])
        self.assertEqual(self.bob.ask(f"support.reply 1 {text}"), ["OK Ticket 1, message 2."])
        self.assertEqual(self.alice.received(), [f"* [ticket 1] bob: {text}"])
