"""
Events that wait behind answers, whatever the order in which commands, passwords' hashes and the disk are done.
"""

from __future__ import annotations

import json
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from tests.world import World

PLAYS = 60
STEPS = 40


class Play:
    """
    One connection of alice's that asks in all ways, an operator who announces, and a disk and hashes that take their time.

    @ivar asked: the numbers of what was asked on that connection, in order; a batch counts as a list.
    @ivar announced: how many times something was announced.
    """

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.world = World()
        self.operator = self.world.operator()
        self.alice = self.world.member("alice")
        self.alice.ask(json.dumps({"jsonrpc": "2.0", "id": 0, "method": "hub.ping"}))
        self.world.disk_waits = self.world.hashing_waits = True
        self.asked: list[int | list[int]] = []
        self.announced = 0
        self._numbers = 0

    def go(self) -> None:
        actions = (self.announce, self.announce, self.ask, self.ask_many, self.ask_many, self.hash, self.hash, self.sync, self.sync)
        for _ in range(STEPS):
            self.chance.choice(actions)()
            self.world.settle()
        self.world.disk_waits = self.world.hashing_waits = False
        self.world.settle()

    def announce(self) -> None:
        self.announced += 1
        self.operator.ask(f"admin.announce {self.announced}")

    def ask(self) -> None:
        number = self._next()
        self.asked.append(number)
        self.alice.send(self._request(number))

    def ask_many(self) -> None:
        numbers = [self._next() for _ in range(self.chance.randint(1, 3))]
        self.asked.append(numbers)
        self.alice.send(f"[{','.join(map(self._request, numbers))}]")

    def hash(self) -> None:
        if self.world.to_hash:
            self.world.hash_next()

    def sync(self) -> None:
        if self.world.worker.jobs:
            self.world.worker.step()

    def _next(self) -> int:
        self._numbers += 1
        return self._numbers

    def _request(self, number: int) -> str:
        """Something that reads, something that writes, or something that waits for a hash and refuses."""
        method, params = self.chance.choice(
            [
                ("hub.ping", {}),
                ("hub.whoami", {}),
                ("admin.grant", {}),
                ("ledger.open", {"currency": "USD"}),
                ("auth.erase", {"password": "wrong"}),
            ]
        )
        return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params})


class PlayTests(SynchronousTestCase):
    """Any order of things."""

    def test_plays(self) -> None:
        """Each answer and each event comes once, in its order, in a line of its own."""
        for seed in range(PLAYS):
            play = Play(seed)
            play.go()
            said = [json.loads(line) for line in play.alice.received()]
            events = [each["params"]["text"] for each in said if "method" in each]
            answers = [[one["id"] for one in each] if isinstance(each, list) else each["id"] for each in said if "method" not in each]
            self.assertEqual(events, [str(number + 1) for number in range(play.announced)], seed)
            self.assertEqual(answers, play.asked, seed)
