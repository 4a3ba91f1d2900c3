"""
The journal store among failures of all kinds, by chance.
"""

from __future__ import annotations

import random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from securehub.refusals import Unavailable
from securehub.store import journal
from tests.disk import MemoryDirectory
from tests.store.setting import FULL, Room, Setting
from tests.store.verifier import verify


class Chaos(SynchronousTestCase):
    """Everything at once, by chance; the seeds make each run the same."""

    def test_what_was_settled_is_there(self) -> None:
        """
        After any choice of commits, syncs, failures, closes and crashes the records are those of a commit between the last one that was
        settled and the last one that may have reached the disk.
        """
        self.patch(journal, "SNAPSHOT_AFTER", 5)
        for seed in range(120):
            Run(self, seed).play(80)


class Run:
    """
    One run.

    @ivar settled: the newest state that somebody may have seen.
    @ivar live: states of commits since, with their positions.
    @ivar lost: states of commits that were lost last, and may come back until a new segment has begun.
    """

    def __init__(self, test: SynchronousTestCase, seed: int) -> None:
        self.test = test
        self.seed = seed
        self.chance = random.Random(seed)
        self.setting = Setting()
        self.settled: dict[str, str] = {}
        self.live: list[tuple[Any, dict[str, str]]] = []
        self.lost: list[dict[str, str]] = []
        self.serial = 0

    def play(self, count: int) -> None:
        moves = [self.commit] * 8 + [self.turn] * 3 + [self.step] * 4 + [self.fail] + [self.advance] * 2 + [self.crash] + [self.close]
        for _ in range(count):
            self.chance.choice(moves)()
            self.look()

    def state(self) -> dict[str, str]:
        return self.live[-1][1] if self.live else self.settled

    def look(self) -> None:
        """Take note of what was settled and lost; memory is what it should be."""
        gate, kept = self.setting.gate, []
        for position, state in self.live:
            outcome = gate.outcome(position)
            if outcome == "settled":
                self.settled, self.lost = state, []
            elif outcome == "lost":
                self.lost.append(state)
            else:
                kept.append((position, state))
        self.live = kept
        self.test.assertEqual(self.setting.topics(), dict(sorted(self.state().items())), self.seed)

    def commit(self) -> None:
        self.serial += 1
        key, topic = self.chance.choice("abcdef"), str(self.serial)
        after = {**self.state(), key: topic}
        try:
            if self.chance.random() < 0.3:
                after.pop(key)
                self.setting.transact(lambda tx: tx.delete(Room, key))
            else:
                self.setting.put(key, Room(topic))
        except Unavailable:
            return
        self.live.append((self.setting.gate.position, after))

    def turn(self) -> None:
        self.setting.turn()

    def step(self) -> None:
        if self.setting.worker.jobs:
            self.setting.worker.step()

    def fail(self) -> None:
        kept = self.chance.choice([0, None, self.chance.randrange(600)])
        self.setting.disk.fail(FULL, times=self.chance.randint(1, 3), kept=kept)

    def advance(self) -> None:
        self.setting.time.advance(self.chance.random() * 2)

    def crash(self) -> None:
        self.come_back(self.setting.disk.crashed())

    def close(self) -> None:
        closed: list[object] = []
        self.setting.store.close().addCallback(closed.append)
        self.setting.settle()
        self.test.assertEqual(closed, [None])
        self.look()
        self.come_back(self.setting.disk.crashed())

    def come_back(self, disk: MemoryDirectory) -> None:
        """Start again, and take what is there for settled."""
        disk.heal()
        self.setting = self.setting.followed(disk)
        found = self.setting.topics()
        possible = [self.settled, *(state for _, state in self.live), *self.lost]
        self.test.assertIn(found, possible, self.seed)
        verify(disk.files)
        self.settled, self.live, self.lost = found, [], []
