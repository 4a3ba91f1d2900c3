"""
Rooms under whatever happens: members talk, stop reading, vanish and come back, and the disk waits and fails. Whoever says up to which
number they have heard hears all that came after it, once and in order.
"""

from __future__ import annotations

import errno
import json
import random

from twisted.trial.unittest import SynchronousTestCase

from securehub.store.journal import JournalStore
from tests.world import Client, World

ROOMS = ("attic", "cellar")
STEPS = 600


class Listener:
    """
    A member's program, which remembers what it has heard and said.

    @ivar heard: the number of the last message, by room.
    @ivar said: its own messages, by room and number, of which it has the reply; these it does not hear.
    """

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.heard = dict.fromkeys(ROOMS, 0)
        self.said: set[tuple[str, int]] = set()
        self.client: Client | None = world.member(name)
        self._number = 0
        for room in ROOMS:
            self.client.call("chat.join", room=room)

    def come_back(self, other: Listener) -> None:
        """With a login, and from where it was, while something that somebody else said is still on its way."""
        self.client = self.world.back(self.name)
        self.client.call("hub.ping")
        self.world.disk_waits = True
        if other.client is not None and not other.client.closed:
            other.say(ROOMS[0], 2)
        for room in ROOMS:
            self._send("chat.join", {"room": room, "since": self.heard[room]})

    def say(self, room: str, count: int) -> None:
        for _ in range(count):
            self._send("chat.say", {"room": room, "text": f"{self._number} " * (self._number % 400 + 1)})

    def read(self) -> None:
        """Take what there is; see that nothing is missing, twice, or out of order."""
        if self.client is None:
            return
        for line in self.client.received():
            message = json.loads(line) if line.startswith("{") else {}
            if message.get("method") == "chat.message":
                self._hear(message["params"]["room"], message["params"]["seq"])
            elif "result" in message and str(message["id"]).startswith("chat.say"):
                self.said.add((message["id"].split()[1], message["result"]["seq"]))
        if self.client.closed:
            self.client = None

    def missing(self, room: str, until: int) -> list[int]:
        """What it has neither heard nor said, up to a number."""
        return [number for number in range(self.heard[room] + 1, until) if (room, number) not in self.said]

    def _hear(self, room: str, number: int) -> None:
        assert number > self.heard[room], f"{self.name} hears message {number} of {room} after {self.heard[room]}"
        missing = self.missing(room, number)
        assert not missing, f"{self.name} hears message {number} of {room}, but not {missing}"
        self.heard[room] = number

    def _send(self, method: str, params: dict[str, object]) -> None:
        assert self.client is not None
        self._number += 1
        id = f"{method} {params['room']} {self._number}"
        self.client.send(json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))


class ModelTests(SynchronousTestCase):
    """One run for each seed."""

    def setUp(self) -> None:
        self.world = World(make_store=JournalStore, outbound_bytes=65536)
        self.listeners = [Listener(self.world, f"m{number}") for number in range(6)]
        self.world.elapse(3)

    def calm(self) -> None:
        """The disk is well, and all that waited for it has been done."""
        self.world.directory.heal()
        self.world.disk_waits = False
        self.world.elapse(2)

    def step(self, chance: random.Random) -> None:
        """One thing happens to one member."""
        listener, room, what = chance.choice(self.listeners), chance.choice(ROOMS), chance.random()
        client = listener.client
        if client is None:
            self.calm()
            listener.come_back(chance.choice(self.listeners))
        elif what < 0.7:
            listener.say(room, chance.randrange(1, 6))
        elif what < 0.75:
            listener.read()
            client.close()
            listener.client = None
        elif what < 0.82:
            client.transport.stop_reading()
        elif what < 0.88:
            client.transport.reads = True
            assert client.transport.producer is not None
            client.transport.producer.resumeProducing()
        elif what < 0.93:
            self.world.disk_waits = not self.world.disk_waits
        elif what < 0.95:
            self.world.directory.fail(OSError(errno.EIO, "broken"))
            self.calm()
        else:
            self.world.settle()
        if chance.random() < 0.3:
            self.world.time.advance(0)
        for each in self.listeners:
            each.read()

    def play(self, seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(STEPS):
            self.step(chance)
        self.calm()
        for listener in self.listeners:
            if listener.client is not None:
                listener.client.close()
            listener.client = None
            listener.come_back(listener)
            self.calm()
        for _ in range(50):
            self.world.elapse(0.01)
            for listener in self.listeners:
                listener.read()
        for room in ROOMS:
            newest = max(each.heard[room] for each in self.listeners)
            self.assertGreater(newest, STEPS // 10)
            for listener in self.listeners:
                self.assertEqual(listener.missing(room, newest + 1), [], f"{listener.name} in {room}")

    def test_one(self) -> None:
        self.play(1)

    def test_two(self) -> None:
        self.play(2)

    def test_three(self) -> None:
        self.play(3)
