"""
Many in one room: what each delivery costs, who catches up, who is cut, and how little is told in a large room.
"""

from __future__ import annotations

import errno
import itertools
import json
from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from securehub import config, switchboard
from securehub.services.chat import presence, retention
from securehub.store.transaction import ReadTransaction, Transaction
from tests.world import Client, World

TEXT = "x" * 4000


class Room(SynchronousTestCase):
    """Members of the lobby, of whom the first operates it."""

    settings: ClassVar[dict[str, Any]] = {}

    def setUp(self) -> None:
        self.world = World(**self.settings)
        self.clients: dict[str, Client] = {}

    def enter(self, *usernames: str) -> list[Client]:
        """New members join."""
        for username in usernames:
            self.clients[username] = self.world.member(username)
            self.clients[username].ask("JOIN lobby")
        self.silence()
        return [self.clients[username] for username in usernames]

    def silence(self) -> None:
        """Whatever was said so far is heard."""
        self.world.elapse(self.world.settings["presence_seconds"])
        for client in self.clients.values():
            if client.transport.reads:
                client.received()

    def back(self, username: str, *, json: bool = False) -> Client:
        """Somebody comes back."""
        client = self.clients[username] = self.world.back(username)
        if json:
            client.call("hub.ping")
        self.silence()
        return client

    def numbers(self, lines: list[str]) -> list[int]:
        """Of the messages that a program heard."""
        events = [json.loads(line) for line in lines]
        return [each["params"]["seq"] for each in events if each.get("method") == "chat.message"]


class FanOutTests(Room):
    """Whatever is said is encoded once, and leaves in one write."""

    def encoded(self) -> list[bool]:
        """What is encoded from now on; whether as JSON."""
        forms: list[bool] = []
        encode = switchboard.encode

        def counted(event: Any, json: bool) -> bytes:
            forms.append(json)
            return encode(event, json)

        self.patch(switchboard, "encode", counted)
        return forms

    def test_once_for_each_form(self) -> None:
        alice, *others = self.enter("alice", *(f"m{number}" for number in range(12)))
        others[0].call("hub.ping")
        forms = self.encoded()
        alice.ask("SAY lobby hello")
        self.assertEqual(sorted(forms), [False, True])
        self.assertEqual([each.received() for each in others[1:]], [["* [lobby] alice: hello"]] * 11)
        self.assertEqual(self.numbers(others[0].received()), [1])

    def test_one_write(self) -> None:
        """What is said in one turn, by whomever, reaches each in one write, in its order."""
        alice, bob, carol = self.enter("alice", "bob", "carol")
        writes = carol.transport.writes
        alice.send(*(f"SAY lobby a{number}" for number in range(5)))
        bob.send(*(f"SAY lobby b{number}" for number in range(5)))
        self.world.settle()
        self.assertEqual(carol.transport.writes, writes + 1)
        said = [f"* [lobby] {name}: {name[0]}{number}" for name in ("alice", "bob") for number in range(5)]
        self.assertEqual(carol.received(), said)

    def test_nothing_before_it_is_on_the_disk(self) -> None:
        alice, bob = self.enter("alice", "bob")
        self.world.disk_waits = True
        alice.send("SAY lobby hello")
        self.world.settle()
        self.assertEqual((alice.received(), bob.received()), ([], []))
        self.world.disk_waits = False
        self.world.settle()
        self.assertEqual((alice.received(), bob.received()), (["OK Message 1."], ["* [lobby] alice: hello"]))

    def test_no_hole(self) -> None:
        """
        What was settled while a request waited that wants no answer is heard, or else the connection is lost, even if what others did
        since is undone.
        """
        alice, bob, carol = self.enter("alice", "bob", "carol")
        bob.call("hub.ping")
        self.world.hashing_waits = True
        bob.send('{"jsonrpc":"2.0","method":"auth.passwd","params":{"old":"wrong-horse-battery","new":"another-horse-battery"}}')
        alice.ask("SAY lobby one")
        self.world.disk_waits = True
        carol.send("SAY lobby two")
        self.world.time.advance(0)
        self.world.hash_next()
        self.world.directory.fail(OSError(errno.EIO, "broken"))
        self.world.disk_waits = self.world.hashing_waits = False
        self.world.settle()
        self.assertTrue(carol.closed)
        if not bob.closed:
            self.assertEqual(self.numbers(bob.received()), [1])

    def test_no_hole_around_a_kick_that_is_undone(self) -> None:
        """Who was put out hears nothing more; if they were not, and something was settled meanwhile, the connection is lost."""
        alice, bob, carol = self.enter("alice", "bob", "carol")
        bob.call("hub.ping")
        self.world.disk_waits = True
        carol.send("SAY lobby one")
        self.world.settle()
        alice.send("chat.kick lobby bob")
        self.world.settle()
        self.world.worker.step()
        self.world.directory.fail(OSError(errno.EIO, "broken"))
        self.world.disk_waits = False
        self.world.settle()
        self.assertEqual(carol.received(), ["OK Message 1."])
        self.assertTrue(alice.closed)
        if not bob.closed:
            self.assertEqual(self.numbers(bob.received()), [1])

    def test_a_slow_reader_delays_nobody(self) -> None:
        """It is cut when too much waits; all others hear all, and it catches up when it comes back."""
        alice, bob, carol = self.enter("alice", "bob", "carol")
        bob.transport.stop_reading()
        limit = self.world.settings["outbound_bytes"]
        for count in itertools.count(1):
            alice.ask(f"SAY lobby {TEXT}")
            self.assertEqual(len(carol.received()), 1)
            self.assertLessEqual(bob.protocol.outlet.queued, limit + 2 * len(TEXT))
            if bob.closed:
                break
            self.assertLess(count, 2 * limit // len(TEXT), "bob is never cut")
        bob = self.back("bob", json=True)
        bob.send('{"jsonrpc":"2.0","id":9,"method":"chat.join","params":{"room":"lobby","since":0}}')
        self.world.settle()
        self.assertEqual(self.numbers(bob.received()), [*range(1, count + 1)])


class CatchingUpTests(Room):
    """Who joins with C{since} is fed from the store as fast as they read."""

    COUNT = 700

    def setUp(self) -> None:
        super().setUp()
        self.alice, self.bob = self.enter("alice", "bob")
        self.bob.close()
        for number in range(self.COUNT // 100):
            self.alice.ask(*(f"SAY lobby {number} {TEXT[:1000]}" for _ in range(100)))
        self.bob = self.back("bob", json=True)

    def join(self, since: int) -> None:
        self.bob.send(json.dumps({"jsonrpc": "2.0", "id": 9, "method": "chat.join", "params": {"room": "lobby", "since": since}}))
        self.world.settle()

    def read_on(self) -> list[str]:
        """The lines that bob hears, as he reads until there is no more."""
        lines: list[str] = []
        while more := self.bob.transport.read_again():
            self.world.settle()
            lines += more.decode().splitlines()
        return lines

    def test_in_order(self) -> None:
        """What is said meanwhile comes after it, once."""
        self.bob.transport.stop_reading()
        self.join(0)
        self.alice.ask("SAY lobby newer")
        lines = self.bob.received()
        self.bob.transport.reads = True
        lines += self.read_on()
        self.alice.ask("SAY lobby newest")
        lines += self.bob.received()
        self.assertEqual(json.loads(lines[0])["result"]["seq"], self.COUNT)
        self.assertEqual(self.numbers(lines), [*range(1, self.COUNT + 3)])

    def test_bounded(self) -> None:
        """However much there is, and however long it is not read: no more waits than a page and what the socket takes."""
        self.bob.transport.stop_reading()
        self.join(0)
        for _ in range(20):
            self.alice.ask(f"SAY lobby {TEXT}")
            self.assertLess(self.bob.protocol.outlet.queued + len(self.bob.transport.value()), 2 * 64 * 1024 + 32 * 1024)
        self.assertFalse(self.bob.closed)

    def test_requests_in_between(self) -> None:
        """Are answered; the pages go on."""
        self.bob.transport.stop_reading()
        self.join(0)
        self.bob.send('{"jsonrpc":"2.0","id":10,"method":"hub.ping"}')
        lines = self.read_on()
        self.assertEqual(self.numbers(lines), [*range(1, self.COUNT + 1)])
        self.assertIn('{"jsonrpc":"2.0","id":10,"result":{"text":""}}', lines)

    def test_a_batch_in_between(self) -> None:
        """No page comes between the parts of its answer, even if the rest takes its time."""
        self.bob.transport.stop_reading()
        self.join(0)
        self.world.hashing_waits = True
        ping, erase = '{"jsonrpc":"2.0","id":10,"method":"hub.ping"}', '{"jsonrpc":"2.0","id":11,"method":"auth.erase","params":["wrong"]}'
        self.bob.send(f"[{ping},{erase}]")
        told = b""
        for _ in range(self.COUNT):
            told += self.bob.transport.read_again()
            self.world.settle()
        self.world.hashing_waits = False
        self.world.settle()
        lines = (told.decode() + "\n".join(self.bob.received())).splitlines() + self.read_on()
        answers = [json.loads(line) for line in lines if line.startswith("[")]
        self.assertEqual([each["id"] for each in answers[0]], [10, 11])
        self.assertEqual(self.numbers([line for line in lines if not line.startswith("[")]), [*range(1, self.COUNT + 1)])

    def test_bounded_at_the_gate(self) -> None:
        """Nor does more than a page wait for the disk, however much is asked meanwhile."""
        self.world.disk_waits = True
        self.bob.send('{"jsonrpc":"2.0","id":0,"method":"chat.join","params":{"room":"den"}}')
        self.join(0)
        page = self.bob.protocol.outbox.waiting_bytes
        for _ in range(5):
            self.bob.send('{"jsonrpc":"2.0","method":"hub.ping"}')
            self.world.settle()
            self.assertEqual(self.bob.protocol.outbox.waiting_bytes, page)
        self.world.disk_waits = False
        self.world.settle()
        self.assertEqual(self.numbers(self.bob.received()), [*range(1, self.COUNT + 1)])

    def test_at_the_end_of_a_long_batch(self) -> None:
        """What came while others had their turn in the middle of it is among that with which one catches up, and comes once."""
        params: list[dict[str, Any]] = [{"method": "chat.log", "params": {"room": "lobby", "limit": 200}}]
        params += [{"method": "hub.ping"}, {"method": "chat.join", "params": {"room": "lobby", "since": self.COUNT}}]
        self.alice.ask("SAY lobby earlier")
        self.silence()
        self.world.disk_waits = True
        self.alice.send("SAY lobby meanwhile")
        self.world.time.callLater(0, self.world.worker.step)
        self.bob.send(json.dumps([{"jsonrpc": "2.0", "id": number} | each for number, each in enumerate(params)]))
        self.world.disk_waits = False
        self.world.settle()
        self.assertEqual(self.numbers(self.bob.received()[1:]), [self.COUNT + 1, self.COUNT + 2])

    def test_always_something_on_its_way(self) -> None:
        """A program that asks again before it is answered, so that an answer of it always waits for the disk, is fed all the same."""
        self.bob.ask('{"jsonrpc":"2.0","id":0,"method":"chat.join","params":{"room":"den"}}')
        self.world.disk_waits = True
        say = '{"jsonrpc":"2.0","id":1,"method":"chat.say","params":{"room":"den","text":"busy"}}'
        for _ in range(2):
            self.bob.send(say)
            self.world.settle()
        self.join(0)
        lines: list[str] = []
        for _ in range(self.COUNT // 10):
            self.bob.send(say)
            self.world.settle()
            self.world.worker.step()
            self.world.settle()
            self.assertTrue(self.bob.protocol.outbox.waiting)
            lines += self.bob.received()
        self.assertEqual(self.numbers(lines), [*range(1, self.COUNT + 1)])

    def test_a_long_request_that_wants_no_answer(self) -> None:
        """The pages go on when it is done."""
        self.bob.transport.stop_reading()
        self.join(0)
        self.bob.send('{"jsonrpc":"2.0","method":"chat.rooms"}')
        lines = self.read_on()
        self.assertEqual(self.numbers(lines), [*range(1, self.COUNT + 1)])

    def test_asked_again_in_the_middle(self) -> None:
        """Whoever asks for less while more is on its way is not sent less: the first answer has promised it."""
        self.bob.transport.stop_reading()
        self.join(0)
        self.join(self.COUNT - 1)
        lines = self.read_on()
        self.assertEqual(self.numbers(lines), [*range(1, self.COUNT + 1)])

    def test_put_out_in_the_middle(self) -> None:
        """Nothing more is told of the room."""
        self.bob.transport.stop_reading()
        self.join(0)
        self.alice.ask("chat.ban lobby bob", "SAY lobby about bob")
        lines = self.read_on()
        self.assertNotIn("about bob", "".join(lines))
        self.assertLess(len(self.numbers(lines)), self.COUNT)
        self.assertEqual(json.loads(self.bob.ask('{"jsonrpc":"2.0","id":11,"method":"hub.ping"}')[-1])["id"], 11)

    def test_logged_out_in_the_middle(self) -> None:
        self.bob.transport.stop_reading()
        self.join(0)
        self.bob.send('{"jsonrpc":"2.0","id":10,"method":"auth.logout"}')
        lines = self.read_on()
        self.assertLess(len(self.numbers(lines)), self.COUNT)
        self.alice.ask("SAY lobby after")
        self.assertEqual(self.bob.received(), [])


class LargeRoomTests(Room):
    """A room with more members than are told of each other."""

    settings: ClassVar[dict[str, Any]] = {"told_members": 5}
    MEMBERS = 20

    def setUp(self) -> None:
        super().setUp()
        self.everybody = self.enter(*(f"m{number}" for number in range(self.MEMBERS)))

    def test_joining_tells_nobody(self) -> None:
        newcomer = self.world.member("newcomer")
        self.assertEqual(newcomer.ask("JOIN lobby"), [f"OK lobby has {self.MEMBERS + 1} members, and nothing has been said there yet."])
        self.world.elapse(self.world.settings["presence_seconds"])
        self.assertEqual([each.received() for each in self.everybody], [[]] * self.MEMBERS)
        newcomer.ask("PART lobby")
        self.assertEqual([each.received() for each in self.everybody], [[]] * self.MEMBERS)

    def test_all_come_back(self) -> None:
        """After a restart nobody is told of anybody, and all can be asked for."""
        self.world.restart()
        for number in range(self.MEMBERS):
            self.back(f"m{number}")
        self.world.elapse(10)
        self.assertEqual([each.received() for each in self.clients.values()], [[]] * self.MEMBERS)
        self.assertEqual(len(self.clients["m0"].ask("NAMES lobby limit=100")), self.MEMBERS + 2)
        self.assertEqual(len(self.clients["m0"].ask("WHO limit=100")), self.MEMBERS + 2)


class SmallRoomTests(Room):
    """A room in which each is told of each."""

    def test_each_once(self) -> None:
        """However many rooms they share."""
        alice, bob = self.enter("alice", "bob")
        for client in (alice, bob):
            client.ask("JOIN garden")
        self.silence()
        bob.ask("STATUS at lunch", "STATUS away=on")
        self.world.elapse(self.world.settings["presence_seconds"])
        self.assertEqual(alice.received(), ["* bob is away: at lunch"])

    def test_a_little_in_each_turn(self) -> None:
        """Where many listen, others have their turn before the next one is told of."""
        self.patch(presence, "MOST_TOLD", 6)
        members = self.enter("alice", "bob", "carol", "dave")
        happened: list[str] = []
        look = presence.state_and_rooms

        def noted(tx: ReadTransaction, username: str, *args: Any) -> Any:
            if username not in happened:
                happened.append(username)
                self.world.time.callLater(0, happened.append, "others")
            return look(tx, username, *args)

        self.patch(presence, "state_and_rooms", noted)
        for client in members:
            client.ask("STATUS away=on")
        self.world.elapse(self.world.settings["presence_seconds"])
        self.assertEqual(happened, ["alice", "bob", "others", "others", "carol", "dave", "others", "others"])
        self.assertEqual(members[3].received(), [f"* {each} is away." for each in ("alice", "bob", "carol")])

    def test_a_fault(self) -> None:
        """If one change cannot be told, the others are, and so are those that come later."""
        alice, bob, carol = self.enter("alice", "bob", "carol")
        self.silence()
        healthy = presence.state_and_rooms

        def faulty(tx: ReadTransaction, username: str, *args: Any) -> Any:
            if username == "bob":
                raise RuntimeError("no")
            return healthy(tx, username, *args)

        self.patch(presence, "state_and_rooms", faulty)
        bob.ask("STATUS away=on")
        carol.ask("STATUS away=on")
        self.world.elapse(self.world.settings["presence_seconds"])
        self.assertEqual(alice.received(), ["* carol is away."])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        carol.ask("STATUS away=off")
        self.world.elapse(self.world.settings["presence_seconds"])
        self.assertEqual(alice.received(), ["* carol is here."])

    def test_undone(self) -> None:
        """What was to be told of somebody, and waited at the gate with what others did, is told again if that is undone."""
        alice, bob, carol = self.enter("alice", "bob", "carol")
        self.world.disk_waits = True
        bob.close()
        carol.send("SAY lobby hello")
        self.silence()
        self.world.directory.fail(OSError(errno.EIO, "broken"))
        self.world.disk_waits = False
        self.world.elapse(2 * self.world.settings["presence_seconds"])
        self.assertTrue(carol.closed)
        self.assertEqual(sorted(alice.received()), ["* bob is gone.", "* carol is gone."])

    def test_after_a_restart(self) -> None:
        """Those who are there before the others are told of them."""
        self.enter("alice", "bob")
        self.world.restart()
        alice = self.back("alice")
        self.back("bob")
        alice.received()
        self.clients["bob"].close()
        self.world.elapse(self.world.settings["presence_seconds"])
        self.assertEqual(alice.received(), ["* bob is gone."])


class RetentionTests(Room):
    """Old messages go by themselves."""

    def test_every_hour(self) -> None:
        alice, bob = self.enter("alice", "bob")
        alice.ask(*["SAY lobby old"] * 100, "chat.keep lobby 1")
        self.world.elapse(24 * 3600 + 1)
        alice.ask("SAY lobby new")
        self.world.elapse(3600)
        self.assertEqual([line.split("alice: ")[1] for line in bob.ask("LOG lobby")[-2:-1]], ["new"])
        self.assertEqual(self.world.hub.store.counts()["message"], 1)

    def test_one_room_a_turn(self) -> None:
        """However many rooms forget little or nothing, others have their turn after each."""
        (alice,) = self.enter("alice")
        for room in ("one", "two", "three"):
            alice.ask(f"JOIN {room}", f"SAY {room} old", f"chat.keep {room} {9 if room == 'two' else 1}")
        self.world.elapse(24 * 3600 + 1)
        happened: list[str] = []
        forget = retention.forget

        def noted(tx: Transaction, room: str, **given: Any) -> bool:
            if room not in happened:
                happened.append(room)
                self.world.time.callLater(0, happened.append, "others")
            return forget(tx, room, **given)

        self.patch(retention, "forget", noted)
        self.world.elapse(3600)
        self.assertEqual(happened, ["one", "others", "three", "others", "two", "others"])

    def test_at_the_start(self) -> None:
        alice, _ = self.enter("alice", "bob")
        alice.ask("SAY lobby old", "chat.keep lobby 1")
        self.world.time.advance(1800)
        self.world.restart()
        self.world.time.advance(24 * 3600)
        self.world.restart()
        self.world.settle()
        self.assertEqual(self.world.hub.store.counts()["message"], 0)


class LongestTests(SynchronousTestCase):
    """The longest memo that a hub may be set to allow fits into all that tells of it."""

    def test_payments(self) -> None:
        settings = {each.name: each for each in config.SETTINGS}
        most = next(number for number in range(4_000, 0, -1) if not _refused(settings["memo_characters"], str(number)))
        world = World(memo_characters=most)
        alice, bob = world.member("alice"), world.member("bob")
        world.operator().ask("DEPOSIT alice 100")
        for each in (alice, bob):
            each.ask("JOIN kitchen")
        alice.received()
        memo = "\U0001f600" * most
        for command in ("chat.pay kitchen bob 1", "chat.request kitchen bob 1", "TRANSFER bob 1", "ledger.request bob 1"):
            self.assertTrue(alice.ask(f"{command} {memo}")[-1].startswith("OK "), command)
            self.assertIn(memo, "".join(bob.received()))


def _refused(setting: config.Setting, text: str) -> bool:
    try:
        setting.parse(text)
    except ValueError:
        return True
    return False
