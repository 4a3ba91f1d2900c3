"""
An order is one transaction: it is there with all that belongs to it, or not at all, whenever the power fails. The last item is sold once.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC
from functools import partial
from itertools import count
from typing import Any
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from securehub.members import Member
from securehub.once import digest, once, place
from securehub.refusals import Refusal
from securehub.services.budget import feeding
from securehub.services.ledger import movement
from securehub.services.ledger.accounts import open_account
from securehub.services.loyalty.usual import usual_programme
from securehub.services.orders import catalogue, placing, stepping
from securehub.services.orders.words import Wanted
from securehub.store.transaction import Transaction
from tests.rules.setting import CURRENCIES, NUMBERING, RECORDS, amount
from tests.store.setting import Setting, put
from tests.store.simulated import Crash, SimulatedDirectory, SimulatedDisk
from tests.world import PASSWORD, Client, World

MONEY = CURRENCIES.default
USUAL = usual_programme(MONEY)
WATCHERS = (partial(feeding.feed, zone=UTC, currency=MONEY),)
WANTED = (Wanted("coffee", 2), Wanted("bagel", 1), Wanted("cake", 3))
CHOICE = placing.Choice("desk", "soon")


def keep_shop(setting: Setting) -> None:
    """A seller with three items, and a customer with some money; settled."""
    at = setting.clock.now()
    for number, name in enumerate(("alice", "bob")):
        setting.transact(put, name, Member(number, roles=("seller",)))
        setting.transact(open_account, name, "main", MONEY, NUMBERING, limit=1, at=at)
    setting.transact(movement.deposit, "alice", amount("100"), "", "operator", at=at)
    for sku, price in (("coffee", "2.50"), ("bagel", "3"), ("cake", "4.20")):
        draft = catalogue.Draft(None, amount(price), 10, None, None, None, None, None)
        setting.transact(catalogue.set_item, "bob", sku, draft, MONEY, limit=9)
    setting.settle()


def order(setting: Setting) -> placing.Placed:
    """Alice orders, as a request with a key does."""
    kept = (place("alice", "k1"), digest("orders.place", ["k1"]), placing.Placed)
    return setting.transact(
        once, kept, placing.place, "alice", WANTED, CHOICE, USUAL, limit=9, at=setting.clock.now(), zone=UTC, watchers=WATCHERS
    )


def cancel(setting: Setting) -> stepping.Cancelled:
    return setting.transact(stepping.cancel, 1, "alice", at=setting.clock.now(), zone=UTC, watchers=WATCHERS)


def state(setting: Setting) -> dict[tuple[str, str], Any]:
    """All records of all collections."""
    found: dict[tuple[str, str], Any] = {}
    for record in setting.records:
        for row in setting.store._places[record].collection.items():
            found[record.collection, row[-2]] = bytes(row[-1])
    return found


class CrashTests(SynchronousTestCase):
    """The machine stops in the middle of a call to the disk, each in turn, in many ways; and then all of an order is there, or nothing."""

    def test_at_every_write_point(self) -> None:
        """An order, and then its cancelling; and after the last call, too."""
        outcomes: set[int] = set()
        states = self.calm(0)
        for seed in range(40):
            outcomes.update(self.crash(seed, call, *states) for call in range(1, self.calls + 2))
        self.assertEqual(outcomes, {0, 1, 2})

    def test_at_every_put(self) -> None:
        """A fault of ours in the middle of the rule leaves nothing, whichever record it was about to put."""
        setting, _ = self.begin(0)
        before = state(setting)
        puts = Transaction.put
        for number in count(1):
            left = iter(range(number))

            def put(tx: Transaction, key: str, record: Any, left: Iterator[int] = left) -> None:
                if next(left, None) is None:
                    raise ZeroDivisionError
                puts(tx, key, record)

            with mock.patch.object(Transaction, "put", put):
                try:
                    order(setting)
                except ZeroDivisionError:
                    self.assertEqual(state(setting), before)
                else:
                    break
        self.assertGreater(number, 12)
        self.assertNotEqual(state(setting), before)

    def calm(self, seed: int) -> list[dict[tuple[str, str], Any]]:
        """What is there before, between and behind, if nothing goes wrong."""
        setting, disk = self.begin(seed)
        states = [state(setting)]
        first = disk.calls
        for act in (order, cancel):
            act(setting)
            setting.settle()
            states.append(state(setting))
        self.calls = disk.calls - first
        self.assertEqual(len(states[1]) - len(states[0]) > 8, True)
        self.assertNotEqual(states[1], states[2])
        return states

    def crash(self, seed: int, call: int, *states: dict[tuple[str, str], Any]) -> int:
        """
        @param call: to the disk, counted from when the order begins, in which the machine stops.

        @return: which of the states was found.
        """
        setting, disk = self.begin(seed)
        disk.crash_at = disk.calls + call
        acknowledged = 0
        try:
            for number, act in enumerate((order, cancel), 1):
                act(setting)
                position = setting.gate.position
                setting.settle()
                if setting.gate.outcome(position) == "settled":
                    acknowledged = number
        except Crash:
            pass
        again = self.start(random.Random(f"{seed}/{call}"), disk.after_crash())
        found = state(again)
        self.assertIn(found, states, f"seed {seed}, call {call}: something of an order is there, and something is not")
        self.assertGreaterEqual(states.index(found), acknowledged)
        if found == states[0]:
            self.assertEqual(order(again).total, "20.60")
        elif found == states[1]:
            self.assertEqual(order(again).order, 1)
            self.assertEqual(state(again), found)
        return states.index(found)

    def begin(self, seed: int) -> tuple[Setting, SimulatedDisk]:
        setting = self.start(random.Random(seed), {})
        directory: Any = setting.disk
        keep_shop(setting)
        return setting, directory.disk

    def start(self, chance: random.Random, files: dict[str, bytes]) -> Setting:
        directory: Any = SimulatedDirectory(SimulatedDisk(chance, files))
        directory.hold()
        return Setting(disk=directory, records=RECORDS)


class RecordTests(SynchronousTestCase):
    """What belongs to an order is in one commit."""

    def test_one_commit(self) -> None:
        setting = Setting(records=RECORDS)
        keep_shop(setting)
        before = setting.store.number
        order(setting)
        self.assertEqual(setting.store.number, before + 1)
        kinds = {collection for (collection, _), raw in state(setting).items() if raw}
        for kind in ("order", "stock", "account", "transfer", "card", "points", "shop", "budget-entry", "budget-month", "once"):
            self.assertIn(kind, kinds)
        self.assertEqual([event.method for _, event in setting.announcer.heard][-3:], ["ledger.received", *["orders.updated"] * 2])

    def test_refused(self) -> None:
        """Who cannot pay has changed nothing, even if there is too little of one line alone."""
        setting = Setting(records=RECORDS)
        keep_shop(setting)
        before = state(setting)
        for wanted in ((Wanted("coffee", 1), Wanted("cake", 11)), (Wanted("coffee", 10), Wanted("cake", 10), Wanted("bagel", 12))):
            self.assertRaises(
                Refusal,
                setting.transact,
                *(placing.place, "alice", wanted, CHOICE, USUAL),
                limit=9,
                at=setting.clock.now(),
                zone=UTC,
                watchers=WATCHERS,
            )
        self.assertEqual(state(setting), before)


class LastItemTests(SynchronousTestCase):
    """Fifty connections order the last item at once."""

    def setUp(self) -> None:
        self.world = World()
        self.operator = self.world.operator()
        bob = self.world.member("bob")
        self.operator.ask("admin.grant bob seller")
        bob.ask("orders.item lamp price=7.50 stock=1")
        self.clients: list[Client] = []
        for number in range(50):
            self.clients.append(self.world.member(f"member{number}"))
            self.operator.ask(f"DEPOSIT member{number} 10")

    def test_one_has_it(self) -> None:
        """One succeeds, before the disk has settled anything; nobody else is charged, has a point, or an order."""
        for client in self.clients:
            client.received()
        self.world.disk_waits = True
        for client in self.clients:
            client.send("ORDER lamp 1 key=k")
        self.world.settle()
        self.world.disk_waits = False
        self.world.settle()
        answers = [next(line for line in client.received() if not line.startswith("*")) for client in self.clients]
        self.assertEqual(sum(answer.startswith("OK Order 1 is placed: 7.50 USD to bob.") for answer in answers), 1)
        self.assertEqual(sum(answer == "ERR out-of-stock lamp: 0 left, 1 ordered" for answer in answers), 49)
        self.check(1)

    def test_with_a_crash(self) -> None:
        """All ask again with their keys after a power cut, and it is still one."""
        self.world.disk_waits = True
        for client in self.clients:
            client.send("ORDER lamp 1 key=k")
        self.world.time.advance(0)
        self.world.worker.step()
        self.world.disk_waits = False
        self.world.restart(crash=True)
        self.operator = self.world.operator()
        self.clients = [self.world.connect() for _ in self.clients]
        for number, client in enumerate(self.clients):
            client.ask(f"LOGIN member{number} {PASSWORD}")
            client.send("ORDER lamp 1 key=k")
        self.world.settle()
        said = [line for client in self.clients for line in client.received()]
        self.assertEqual(sum(line.startswith("OK Order 1") for line in said), 1)
        self.assertEqual(sum(line.startswith("ERR out-of-stock") for line in said), 49)
        self.check(1)

    def check(self, sold: int) -> None:
        balances = [client.call("ledger.balance")["result"]["balance"] for client in self.clients]
        self.assertEqual(sorted(balances), ["10.00"] * (50 - sold) + ["2.50"] * sold)
        counts = [client.call("loyalty.card")["result"] for client in self.clients]
        self.assertEqual(sum(card["order_count"] for card in counts), sold)
        self.assertEqual(sum(card["points"] for card in counts), 7 * sold)
        self.assertEqual(sum(len(client.call("orders.list")["result"]["items"]) for client in self.clients), sold)
        sums = self.operator.call("ledger.trial_balance")["result"]["items"]
        self.assertEqual({row["sum"] for row in sums}, {"0.00"})


class SizeTests(SynchronousTestCase):
    """The largest order stays within what one transaction may touch."""

    def test_forty_lines(self) -> None:
        world = World()
        operator, bob, alice = world.operator(), world.member("bob"), world.member("alice")
        operator.ask("admin.grant bob seller", "DEPOSIT alice 100")
        for number in range(41):
            bob.ask(f"orders.item thing{number} price=1 stock=9 name={'x' * 64}")
        items = [{"sku": f"thing{number}", "quantity": 1} for number in range(41)]
        note = "é" * 256
        self.assertEqual(alice.call("orders.place", items=items)["error"]["data"]["code"], "bad-arguments")
        answer = alice.call("orders.place", items=items[:40], deliver_to=note, note=note, key="k")
        self.assertEqual(answer["result"]["total"], "40.00")
        self.assertEqual(alice.call("orders.cancel", order=1)["result"]["refunded"], "40.00")
        answer = alice.call("orders.quote", items=items[:40])
        self.assertEqual(alice.call("orders.confirm", quote=answer["result"]["quote"])["result"]["order"], 2)
