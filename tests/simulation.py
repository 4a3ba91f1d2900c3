"""
A whole hub and its members, in virtual time, on a disk and a network that do their worst.

    python -m tests.simulation 100 [SEED]

plays so many stories on all cores, each twice. Members pay, order, ask, talk and read; what they send comes in pieces, their connections
break in the middle of anything, some do not read for a while, clocks are set forward and back, the disk fails, the machine stops in the
middle of a call, the child that folds is killed. Members ask again for what was not answered, with the same keys, and now and then for
what was.

In the end everybody gets an answer, and what has to be so is checked: what was acknowledged is there, once; what anybody has seen, in an
answer or an event, is there, too, so nobody saw what a crash took back; the sums are zero; stock, money and points are what the orders
say; each room has its messages in order and without a gap, and everybody in it has heard all of them; the chain is whole. The same seed
tells the same story, to the byte.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from multiprocessing import get_context
from random import Random
from typing import Any, NamedTuple
from unittest import mock

from twisted.internet.address import IPv4Address, UNIXAddress

from securehub.services.ledger.records import Account, Transfer, transfer_key
from securehub.store.journal import JournalStore
from securehub.store.transaction import ReadTransaction
from tests import world as worlds
from tests.books import TREASURER, Asked, Play, Saying
from tests.shopping import Shopping
from tests.store import crashes
from tests.store.beside import FoldingBeside
from tests.store.setting import at_once
from tests.store.simulated import Crash, SimulatedDirectory, SimulatedDisk
from tests.store.verifier import verify
from tests.world import PASSWORD, Client, World

MEMBERS = 5
STEPS = 2_000
ROOM = "lobby"
MOST_WAITING = 8
"""Requests that a member has on their way."""

READS = ("ledger.history", "ledger.balance", "orders.list")
"""These have no key."""

SOCKET_BYTES = 2_000
OUTBOUND_BYTES = 6_000
"""Small enough for slow readers to be noticed, and to be cut."""

SETTINGS = {"segment_mib": 0.004, "sessions_per_member": 200, "outbound_bytes": OUTBOUND_BYTES, "quote_minutes": 1}


class Result(NamedTuple):
    """
    How a story went.

    @ivar digest: of all that everybody heard, and when.
    @ivar counts: how often what happened.
    """

    digest: str
    counts: Counter[str]


class Person:
    """
    Somebody with a program that connects again, and asks again.

    @ivar client: the connection, if there is one.
    @ivar outgoing: bytes on their way to the hub.
    @ivar waiting: requests without an answer, by number.
    @ivar done: the latest answers to requests with keys.
    @ivar heard: the room's messages that have come.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.client: Client | None = None
        self.outgoing = b""
        self.partial = b""
        self.entered = False
        self.token: str | None = None
        self.waiting: dict[int, Asked] = {}
        self.later: list[int] = []
        self.done: deque[tuple[Asked, Any]] = deque(maxlen=10)
        self.again: dict[int, tuple[Asked, Any]] = {}
        self.heard: dict[int, str] = {}

    def leave(self) -> None:
        """The connection is gone, and what was on its way with it."""
        self.client = None
        self.outgoing = self.partial = b""
        self.entered = False
        self.later.clear()

    def send(self, number: int | str, method: str, params: dict[str, Any]) -> None:
        request = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        self.outgoing += json.dumps(request).encode() + b"\n"


class Simulation(Play):
    """
    One story.

    @param make_disk: a kind of disk.

    @ivar counts: how often what happened.
    """

    def __init__(self, seed: int, make_disk: Callable[..., SimulatedDisk] = SimulatedDisk) -> None:
        chance = Random(seed)
        self._make_disk = make_disk
        directory: Any = SimulatedDirectory(make_disk(chance))
        settings = {"make_store": JournalStore, "make_folding": lambda here: FoldingBeside(here.disk), **SETTINGS}
        world = World(seed=seed, directory=directory, **settings)
        self.counts: Counter[str] = Counter()
        self._trace = sha256()
        self._seen_entries: dict[tuple[str, int], tuple[int, str]] = {}
        self._seen_transfers: set[int] = set()
        super().__init__(seed, world, MEMBERS, [self._shop])
        self.chance = chance
        self.people = {name: Person(name) for name in [*self.names, TREASURER]}
        for name in self.names:
            joined = self.clients[name].call("chat.join", room=ROOM)
            assert "result" in joined, joined
        for client in self.clients.values():
            client.close()
        self.moves: list[Callable[[Person], None]] = [
            *[self._think] * 6,
            *[self._deliver] * 14,
            *[self._read] * 10,
            *[self._turn] * 12,
            *[self._disk_works] * 8,
            *[self._hash] * 2,
            *[self._child_steps] * 4,
            *[self._time_passes] * 3,
            *[self._come] * 4,
            *[self._remember, self._babble, self._drop, self._stall, self._wake, self._set_clock, self._rarely],
        ]

    def _shop(self, play: Play) -> Shopping:
        self.shopping = Shopping(play)
        return self.shopping

    def tell(self) -> Result:
        """Play the story."""
        try:
            self._begin_life()
            for _ in range(STEPS):
                try:
                    self.chance.choice(self.moves)(self._somebody())
                except Crash:
                    self._come_back()
            self._end_well()
        finally:
            self.world.folding.kill()
        return Result(self._trace.hexdigest(), self.counts)

    def _somebody(self) -> Person:
        return self.people[self.chance.choice([*self.names, TREASURER])]

    def _disk(self) -> SimulatedDisk:
        directory: Any = self.world.directory
        disk: SimulatedDisk = directory.disk
        return disk

    def _begin_life(self) -> None:
        disk = self._disk()
        disk.crash_at = disk.calls + self.chance.randint(5, 120)
        disk.fault_rate = self.chance.choice([0.0, 0.0, 0.01, 0.1])

    # What people do

    def _think(self, person: Person) -> None:
        """Somebody wants something."""
        who, method, params = self._say_or_pay()
        person = self.people[who]
        if len(person.waiting) < MOST_WAITING:
            self.numbers += 1
            named = {name.rstrip("_"): value for name, value in params.items() if value is not None} | {"key": f"k{self.numbers}"}
            if method in READS:
                del named["key"]
            person.waiting[self.numbers] = Asked(who, method, named)
            self._ask(person, self.numbers)

    def _say_or_pay(self) -> Saying:
        name, kind = self.chance.choice(self.names), self.chance.random()
        if kind < 0.25:
            return Saying(name, "chat.say", {"room": ROOM, "text": f"text {self.numbers} " + "x" * self.chance.randrange(300)})
        if kind < 0.35:
            return Saying(name, "ledger.history", {"limit": self.chance.randint(1, 30)})
        if kind < 0.4:
            return Saying(name, "ledger.balance", {})
        if kind < 0.45:
            return Saying(name, "orders.list", {"limit": self.chance.randint(1, 30)})
        if kind < 0.65:
            return self.think(self.shopping.choices)
        return self.think()

    def _ask(self, person: Person, number: int) -> None:
        if person.entered:
            asked = person.waiting[number]
            person.send(number, asked.method, asked.params)

    def _remember(self, person: Person) -> None:
        """Somebody asks again for what was answered, as if the answer had been lost."""
        if person.entered and person.done:
            self.numbers += 1
            asked, result = self.chance.choice(person.done)
            person.again[self.numbers] = (asked, result)
            person.send(self.numbers, asked.method, asked.params)

    def _babble(self, person: Person) -> None:
        """Something comes that is no request."""
        if person.client is not None and person.outgoing.endswith(b"\n"):
            person.outgoing += self.chance.choice([b"{\n", b"\n", b"[]\n", b"\xff\xfe{}\n", b"{" + b"x" * 17_000 + b"\n", b'{"id":[]}\n'])

    def _come(self, person: Person) -> None:
        """Somebody connects, if they are not connected."""
        if person.client is not None and not person.client.closed:
            return
        person.leave()
        operator = person.name == TREASURER
        hub = self.world.hub
        if operator:
            person.client = Client(self.world, hub.admin_door, UNIXAddress(None))
            self._enter(person)
        else:
            person.client = Client(self.world, hub.members_door, IPv4Address("TCP", "127.0.0.1", 40_000))
            if person.client.transport.aborted:
                return
            person.client.protocol.handshakeCompleted()
            if person.token is not None and self.chance.random() < 0.7:
                person.send("enter", "auth.resume", {"token": person.token})
            else:
                person.send("enter", "auth.login", {"username": person.name, "password": PASSWORD})
        self.world.clients.append(person.client)
        self.counts["connections"] += 1

    def _enter(self, person: Person) -> None:
        """Somebody is in, hears what was said meanwhile, and asks again for what has no answer."""
        person.entered = True
        if person.name != TREASURER:
            person.send("join", "chat.join", {"room": ROOM, "since": self._heard_up_to(person)})
        for number in person.waiting:
            self._ask(person, number)

    def _heard_up_to(self, person: Person) -> int:
        seq = 0
        while seq + 1 in person.heard:
            seq += 1
        return seq

    def _deliver(self, person: Person) -> None:
        """Some of the bytes that are on their way arrive."""
        if person.client is None or person.client.closed or not person.outgoing:
            return
        size = self.chance.choice([1, 7, 100, 1_000, len(person.outgoing)])
        piece, person.outgoing = person.outgoing[:size], person.outgoing[size:]
        person.client.feed(piece)

    def _drop(self, person: Person) -> None:
        """A connection breaks; what was on its way, in both directions, is lost."""
        if person.client is not None and not person.client.closed:
            person.client.close()
            self.counts["drops"] += 1
        person.leave()

    def _stall(self, person: Person) -> None:
        """Somebody reads no further."""
        if person.client is not None:
            person.client.transport.stop_reading()
            self.counts["stalls"] += 1

    def _wake(self, person: Person) -> None:
        if person.client is not None and not person.client.closed and not person.client.transport.reads:
            self._hear_bytes(person, person.client.transport.read_again())

    def _read(self, person: Person) -> None:
        """Somebody takes what has come."""
        client = person.client
        if client is not None and client.transport.reads:
            self._hear_bytes(person, client.transport.take())
            if client.closed:
                self.counts["cut"] += 1
                person.leave()
        elif client is not None and client.closed:
            person.leave()

    # What people hear

    def _hear_bytes(self, person: Person, content: bytes) -> None:
        *lines, person.partial = (person.partial + content).split(b"\n")
        client = person.client
        for line in lines:
            if person.client is not client:
                return
            self._trace.update(f"{self.world.time.seconds():.6f} {person.name} ".encode() + line + b"\n")
            if line.startswith(b"{"):
                self._hear_message(person, json.loads(line))

    def _hear_message(self, person: Person, message: dict[str, Any]) -> None:
        if "method" in message:
            self._hear_event(person, message["method"], message["params"])
            return
        assert message.get("error", {}).get("data", {}).get("code") != "internal", message
        number = message["id"]
        if number == "enter":
            self._hear_welcome(person, message)
        elif number == "join" and "error" in message:
            self._drop(person)
        elif number in person.again:
            asked, result = person.again.pop(number)
            if "result" in message:
                assert message["result"] == result, f"{asked} was answered {result}, and now {message}"
                self.counts["answered again"] += 1
            else:
                assert message["error"]["data"]["code"] in ("unavailable", "not-logged-in"), (asked, message)
        elif number in person.waiting:
            self._hear_answer(person, number, message)

    def _hear_welcome(self, person: Person, message: dict[str, Any]) -> None:
        if "result" in message:
            person.token = message["result"]["resume"]
            self._enter(person)
            return
        person.token = None
        self._drop(person)
        self.counts[f"enter: {message['error']['data']['code']}"] += 1

    def _hear_answer(self, person: Person, number: int, message: dict[str, Any]) -> None:
        asked = person.waiting[number]
        if "error" in message and message["error"]["data"]["code"] in ("unavailable", "not-logged-in"):
            self.counts["unavailable"] += 1
            person.later.append(number)
            return
        del person.waiting[number]
        result = message.get("result")
        if result is not None and asked.method in READS:
            self._look_at(asked, result)
        elif asked.method == "chat.say":
            assert result is not None, message
            person.heard[result["seq"]] = asked.params["text"]
        else:
            self._heard(asked, message)
        if result is not None and "key" in asked.params and not asked.params.get("try"):
            person.done.append((asked, result))

    def _hear_event(self, person: Person, method: str, params: dict[str, Any]) -> None:
        self.counts["events"] += 1
        if method == "chat.message":
            text = person.heard.setdefault(params["seq"], params["text"])
            assert text == params["text"], f"message {params['seq']} was {text!r}, and now {params}"
        elif method == "ledger.received":
            self._see_entry(params["to"], params["entry"], params["transfer"], params["balance"])
        elif method == "orders.updated":
            self.shopping.saw(params["order"], params["status"], params["refunded"])

    def _look_at(self, asked: Asked, result: dict[str, Any]) -> None:
        if asked.method == "ledger.history":
            self._seen_transfers.update(item["transfer"] for item in result["items"])
        elif asked.method == "orders.list":
            for item in result["items"]:
                self.shopping.saw(item["order"], item["status"])

    def _see_entry(self, account: str, entry: int, transfer: int, balance: str) -> None:
        """Each entry of an account is the same for all who ever see it."""
        seen = self._seen_entries.setdefault((account, entry), (transfer, balance))
        assert seen == (transfer, balance), f"entry {entry} of {account} was {seen}, and now {transfer, balance}"

    # What happens by itself

    def _turn(self, _: Person) -> None:
        self.world.time.advance(0)

    def _disk_works(self, _: Person) -> None:
        if self.world.worker.jobs:
            self.world.worker.step()

    def _hash(self, _: Person) -> None:
        if self.world.to_hash:
            self.world.hash_next()

    def _child_steps(self, _: Person) -> None:
        for _step in range(self.chance.randint(1, 20)):
            self.world.folding.step()

    def _time_passes(self, person: Person) -> None:
        self.world.time.advance(self.chance.choice([0.01, 0.3, 1, 3]))
        for number in person.later:
            if number in person.waiting:
                self._ask(person, number)
        person.later.clear()

    def _set_clock(self, _: Person) -> None:
        """Somebody sets the wall clock. Keys are kept for a day, which all of it together is less than."""
        if self.chance.random() < 0.2:
            self.world.skew += self.chance.choice([-600, -5, 5, 600])
            self.counts["clock set"] += 1

    def _rarely(self, _: Person) -> None:
        fate = self.chance.random()
        if fate < 0.1:
            self.world.folding.kill()
        elif fate < 0.2:
            self._stop_in_peace()

    def _stop_in_peace(self) -> None:
        """The hub is stopped, and started again."""
        stopped: list[object] = []
        self.world.hub.stop().addBoth(stopped.append)
        for _ in range(40):
            self.world.settle()
            for person in self.people.values():
                self._read(person)
            self.world.time.advance(0.5)
        assert stopped == [None], stopped
        self.counts["stops"] += 1
        self._come_back()

    def _come_back(self) -> None:
        """The machine has stopped. What had left it by then arrives, or does not; then it starts again, and may stop in that, too."""
        self.counts["crashes"] += 1
        self.counts["folds"] += self.world.folding.finished
        self.world.folding.kill()
        for person in self.people.values():
            if self.chance.random() < 0.7:
                self._read(person)
            person.leave()
        files = self._disk().after_crash()
        while True:
            crash_at = self.chance.randint(1, 6) if self.chance.random() < 0.2 else None
            disk = self._make_disk(self.chance, files, crash_at=crash_at)
            directory: Any = SimulatedDirectory(disk)
            self.world.directory = directory
            try:
                directory.hold()
                self.world.start_again()
            except Crash:
                files = disk.after_crash()
            else:
                break
        self._begin_life()

    # What has to be so

    def _end_well(self) -> None:
        """The disk is well, and everybody gets their answers."""
        disk = self._disk()
        disk.crash_at, disk.fault_rate = None, 0.0
        for _ in range(60):
            for person in self.people.values():
                self._wake(person)
                self._come(person)
                while person.outgoing and person.client is not None and not person.client.closed:
                    self._deliver(person)
                self.world.settle()
                self._read(person)
                self._time_passes(person)
            self.world.settle()
            if self._all_is_said():
                break
        for person in self.people.values():
            assert not person.waiting, f"{person.name} was never answered {person.waiting}"
        self._check_all()
        self._come_back()
        self._disk().crash_at = None
        self._check_all()

    def _all_is_said(self) -> bool:
        """Everybody is there, has all answers, and has heard as much of the room as the others."""
        heard = {len(self.people[name].heard) for name in self.names}
        return len(heard) == 1 and all(person.entered and not person.waiting and not person.outgoing for person in self.people.values())

    def _check_all(self) -> None:
        disk = self._disk()
        disk.fault_rate = 0.0
        self.world.settle()
        self.clients = {TREASURER: self.world.operator()}
        self.check()
        at_once(self.world.hub.store.read(self._check_seen))
        self._check_room()
        verify({name: content for name, content in disk.files().items() if not name.endswith(".new")})

    def _check_seen(self, tx: ReadTransaction) -> None:
        for number in self._seen_transfers:
            assert tx.get(Transfer, transfer_key(number)) is not None, f"transfer {number} was seen, and is not there"
        for (account, entry), (number, _) in self._seen_entries.items():
            found, transfer = tx.get(Account, account), tx.get(Transfer, transfer_key(number))
            assert found is not None and found.entries >= entry, f"entry {entry} of {account} was seen, and is not there"
            assert transfer is not None, f"transfer {number} was announced, and is not there"
            assert (account, entry) in [(each.account, each.number) for each in transfer.entries], transfer

    def _check_room(self) -> None:
        client = self.world.back(self.names[0])
        items: list[dict[str, Any]] = []
        more = True
        while more:
            before = {"before": items[-1]["seq"]} if items else {}
            page = client.call("chat.log", room=ROOM, limit=1000, **before)["result"]
            items += page["items"]
            more = page.get("more", False)
        client.close()
        texts = {item["seq"]: item["text"] for item in items}
        assert sorted(texts) == list(range(1, len(items) + 1)), sorted(texts)
        assert len(set(texts.values())) == len(texts), "something was said twice"
        for name in self.names:
            heard = self.people[name].heard
            assert heard == texts, f"{name} heard {sorted(heard)} of {len(texts)} messages"
        self.counts["messages"] = len(texts)
        self.counts["orders"] = len(self.shopping.placed)


@contextmanager
def hurry() -> Iterator[None]:
    """What takes long in a daemon, and what needs much, comes soon."""
    with crashes.hurry(), mock.patch.object(worlds, "SOCKET_BYTES", SOCKET_BYTES):
        yield


def tell(seed: int, make_disk: Callable[..., SimulatedDisk] = SimulatedDisk) -> Result:
    """
    One story.

    @raise AssertionError: something was not so.
    """
    with hurry():
        return Simulation(seed, make_disk).tell()


def tell_twice(seed: int) -> tuple[int, str, Counter[str]]:
    """
    @return: the seed, what was wrong (empty if nothing), and what happened.
    """
    try:
        first, second = tell(seed), tell(seed)
    except Exception as wrong:
        return seed, f"{type(wrong).__name__}: {wrong}", Counter()
    return seed, "" if first == second else "it went another way the second time", first.counts


def tell_many(stories: int, seed: int = 0) -> tuple[list[str], Counter[str]]:
    """
    Many stories, each twice, on all cores.

    @return: what was wrong, with the seeds, and what happened in all of them together.
    """
    counts: Counter[str] = Counter()
    wrong = []
    cores = len(os.sched_getaffinity(0))
    with mock.patch.dict(os.environ, PYTHONHASHSEED="0"), ProcessPoolExecutor(cores, get_context("spawn")) as pool:
        for number, fault, happened in pool.map(tell_twice, range(seed, seed + stories)):
            counts += happened
            wrong += [f"seed {number}: {fault}"] if fault else []
    return wrong, counts


def main() -> None:
    stories = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    wrong, counts = tell_many(stories, int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    print(*wrong, ", ".join(f"{name} {count}" for name, count in sorted(counts.items())), sep="\n")
    print(f"{stories} stories, {len(wrong)} wrong")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
