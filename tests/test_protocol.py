"""
Connections: lines and their limits, order, timeouts, slow readers, disk failures, goodbyes.
"""

from __future__ import annotations

import errno
import json
import tracemalloc
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from securehub import dispatch
from securehub.hub import GOODBYE_SECONDS, SNAPSHOT_SECONDS, STOPPING_SECONDS
from securehub.network.outlet import CLOSING_SECONDS
from securehub.network.protocol import TURN
from securehub.store import journal
from securehub.switchboard import member
from tests.world import PASSWORD, SOCKET_BYTES, Client, MemoryTransport, World

LIMIT = 16_384
FULL = OSError(errno.ENOSPC, "No space left on device")


class ProtocolCase(SynchronousTestCase):
    """A world, and somebody in it."""

    def setUp(self) -> None:
        self.world = World()
        self.client = self.greeted()

    def greeted(self) -> Client:
        client = self.world.connect()
        client.received()
        return client

    def ping(self, length: int, end: str = "\n") -> str:
        """A PING of so many bytes, with its end."""
        return "PING " + "x" * (length - len("PING ") - len(end)) + end

    def feed(self, *packets: str | bytes) -> list[str]:
        for packet in packets:
            self.client.feed(packet.encode() if isinstance(packet, str) else packet)
        self.world.settle()
        return self.client.received()


class LineTests(ProtocolCase):
    """What a line is, and what is none."""

    def test_the_limit(self) -> None:
        """16,384 bytes with the end, whichever that is, are taken; one more is not."""
        for end in ("\n", "\r\n"):
            answers = self.feed(self.ping(LIMIT, end), self.ping(LIMIT + 1, end))
            self.assertEqual(answers[0], "OK " + "x" * (LIMIT - 5 - len(end)))
            self.assertTrue(answers[1].startswith("ERR line-too-long"), answers[1][:80])

    def test_the_limit_byte_by_byte(self) -> None:
        """However it comes in."""
        for length, code in ((LIMIT, "OK xxx"), (LIMIT + 1, "ERR line-too-long"), (3 * LIMIT, "ERR line-too-long")):
            answers = self.feed(*(bytes([byte]) for byte in self.ping(length).encode()), "PING next\n")
            self.assertTrue(answers[0].startswith(code), answers[0][:80])
            self.assertEqual(answers[1:], ["OK next"])

    def test_the_limit_in_bytes(self) -> None:
        """Not in characters."""
        self.assertTrue(self.feed("PING " + "é" * 8_189 + "\n")[0].startswith("OK é"))
        self.assertTrue(self.feed("PING " + "é" * 8_190 + "\n")[0].startswith("ERR line-too-long"))

    def test_cut_anywhere(self) -> None:
        """A too long line among others is answered in its place, however the packets are cut."""
        content = b"PING a\n" + self.ping(LIMIT + 1).encode() + b"PING b\r\n\n" + self.ping(40_000).encode() + b"PING c\n"
        for size in (1_000, 7_919, 16_383, 16_384, 16_385, 30_000, len(content)):
            answers = self.feed(*(content[begin : begin + size] for begin in range(0, len(content), size)))
            self.assertEqual([answer.split()[1] for answer in answers], ["a", "line-too-long", "b", "line-too-long", "c"], size)

    def test_an_endless_line(self) -> None:
        """It is answered once, and none of it is kept."""
        packet = b"x" * 65_536
        self.feed(packet)
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            for _ in range(200):
                self.client.feed(packet)
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        self.assertLess(after - before, 100_000)
        self.assertEqual(self.feed("\n", "PING here\n"), ["OK here"])

    def test_half_a_line_is_bounded(self) -> None:
        """Whatever has no end yet is at most one line."""
        for _ in range(10):
            self.feed(b"y" * 10_000)
        self.assertEqual(self.feed("\nPING here\n"), ["OK here"])

    def test_empty_lines(self) -> None:
        self.assertEqual(self.feed("\n\r\n\n  \n\t\nPING x\n"), ["OK x"])

    def test_line_ends(self) -> None:
        """A CR elsewhere is a control character."""
        answers = self.feed("PING a\r\nPING b\nPING c\rPING d\n")
        self.assertEqual(answers[:2], ["OK a", "OK b"])
        self.assertTrue(answers[2].startswith("ERR bad-line"))

    def test_invalid_utf8(self) -> None:
        for line in (b"\xff\n", b"PING \xc3\n", b"\xe2\x82\r\n"):
            answers = self.feed(line, "PING here\n")
            self.assertTrue(answers[0].startswith("ERR bad-line"), answers)
            self.assertEqual(answers[1:], ["OK here"])

    def test_form_of_the_answer(self) -> None:
        """What cannot be read is answered in the session's current form."""
        self.feed('{"jsonrpc":"2.0","id":1,"method":"hub.ping"}\n')
        for line, code in ((b"\xff\n", "bad-line"), (self.ping(LIMIT + 1).encode(), "line-too-long")):
            answer = json.loads(self.feed(line)[0])
            self.assertEqual((answer["id"], answer["error"]["data"]["code"]), (None, code))

    def test_password_that_cannot_be_read(self) -> None:
        """It is refused like any line, and asked for no longer."""
        for line, code in ((b"\xff\n", "bad-line"), (self.ping(LIMIT + 1).encode(), "line-too-long"), (b"\x07\n", "bad-line")):
            answers = self.feed("LOGIN alice\n", line, "PING here\n")
            self.assertEqual(answers[0], "* Password:")
            self.assertTrue(answers[1].startswith(f"ERR {code}"), answers[1])
            self.assertEqual(answers[2:], ["OK here"])

    def test_endless_password(self) -> None:
        """What still comes of a line that was too long answers nothing, neither this prompt nor the next."""
        answers = self.feed("LOGIN alice\n", *["x" * 20_000] * 3, "\nLOGIN alice\n", "\nPING here\n")
        self.assertEqual([answer[:17] for answer in answers[:3]], ["* Password:", "ERR line-too-long", "* Password:"])
        self.assertEqual(answers[3:], ["ERR bad-credentials cancelled", "OK here"])

    def test_batches_of_a_hundred(self) -> None:
        ping = '{"jsonrpc":"2.0","id":1,"method":"hub.ping"}'
        self.assertEqual(len(json.loads(self.client.ask(f"[{','.join([ping] * 100)}]")[0])), 100)
        refused = json.loads(self.client.ask(f"[{','.join([ping] * 101)}]")[0])
        self.assertEqual(refused["error"]["code"], -32600)


class HandshakeTests(ProtocolCase):
    """Before the handshake is over nothing is said, and it must be over soon."""

    def test_no_delay(self) -> None:
        """Nagle is turned off where there is TCP; the transport of a UNIX socket may offer that, too, and fails."""
        asked: list[bool] = []
        with mock.patch.object(MemoryTransport, "setTcpNoDelay", lambda _, on: asked.append(on), create=True):
            self.world.operator()
            self.assertEqual(asked, [])
            self.world.connect()
            self.assertEqual(asked, [True])

    def test_nothing_before(self) -> None:
        client = self.world.connect(handshake=False)
        self.assertEqual(client.transport.value(), b"")
        client.protocol.handshakeCompleted()
        self.world.settle()
        self.assertTrue(client.received()[0].startswith("* SecureHub"))

    def test_timeout(self) -> None:
        """A silent client does not hold a connection for ever."""
        client = self.world.connect(handshake=False)
        self.world.elapse(9.9)
        self.assertFalse(client.closed)
        self.world.elapse(0.2)
        self.assertTrue(client.closed and client.transport.aborted)
        self.assertEqual(client.transport.value(), b"")

    def test_lost(self) -> None:
        """One that goes leaves nothing behind."""
        client = self.world.connect(handshake=False)
        client.close()
        self.world.elapse(60)
        self.assertNotIn(client.protocol, self.world.hub.members_door.open)

    def test_not_at_the_admin_door(self) -> None:
        self.assertTrue(self.world.connect(operator=True).received()[0].startswith("* SecureHub"))

    def test_first_request(self) -> None:
        """Whoever says nothing is closed; whoever has said something may be idle for ever."""
        silent, anonymous, logged_in = self.greeted(), self.greeted(), self.world.member("alice")
        anonymous.ask("PING")
        self.world.elapse(29)
        self.assertFalse(silent.closed)
        self.world.elapse(2)
        self.assertTrue(silent.closed)
        self.world.elapse(1_000_000)
        self.assertEqual((anonymous.ask("PING x"), logged_in.ask("PING y")), (["OK x"], ["OK y"]))

    def test_half_a_request_is_none(self) -> None:
        """Nor is an empty line, nor a password that is asked for and never comes."""
        empty, asked = self.greeted(), self.greeted()
        self.client.feed(b"PIN")
        empty.feed(b"\r\n\n")
        asked.send("LOGIN alice")
        self.world.elapse(31)
        self.assertEqual((self.client.closed, empty.closed, asked.closed), (True, True, True))

    def test_a_login_whose_turn_has_not_come(self) -> None:
        """Whoever has asked for something is not told that they have not, however long it takes."""
        self.world.member("alice").close()
        self.world.elapse(25)
        self.world.hashing_waits = True
        self.client.ask(f"LOGIN alice {PASSWORD}")
        self.world.elapse(10)
        self.world.hashing_waits = False
        self.world.settle()
        self.assertTrue(self.client.received()[0].startswith("OK Welcome back"))
        self.world.elapse(1_000)
        self.assertFalse(self.client.closed)

    def test_the_operator_may_be_silent(self) -> None:
        operator = self.world.operator()
        self.world.elapse(1_000)
        self.assertEqual(operator.ask("PING x"), ["OK x"])


class OrderTests(ProtocolCase):
    """One connection's requests take effect in their order, and others have their turn."""

    def test_replies_are_joined(self) -> None:
        """What is answered in one turn leaves in one write, which decides the throughput of the hub."""
        before = self.client.transport.writes
        answers = self.client.ask(*(f"PING {number}" for number in range(TURN)))
        self.assertEqual(answers, [f"OK {number}" for number in range(TURN)])
        self.assertEqual(self.client.transport.writes - before, 1)

    def test_a_turn(self) -> None:
        """Handles so many requests, and lets others have theirs."""
        before = self.client.transport.writes
        answers = self.client.ask(*(f"PING {number}" for number in range(3 * TURN)))
        self.assertEqual(answers, [f"OK {number}" for number in range(3 * TURN)])
        self.assertEqual(self.client.transport.writes - before, 3)

    def test_a_turn_of_many_pieces(self) -> None:
        """However many pieces TLS makes of what it has read, as it does of small records: it does not stop for a pause."""
        before = self.client.transport.writes
        for number in range(3 * TURN):
            self.client.protocol.dataReceived(f"PING {number}\n".encode())
        self.world.settle()
        self.assertEqual(self.client.received(), [f"OK {number}" for number in range(3 * TURN)])
        self.assertEqual(self.client.transport.writes - before, 3)

    def test_a_turn_without_answers(self) -> None:
        """What is not answered counts as well."""
        for request in (b'{"jsonrpc":"2.0","method":"hub.ping"}\n', b"\n"):
            for _ in range(TURN + 1):
                self.client.protocol.dataReceived(request)
            self.assertEqual(self.client.transport.producerState, "paused")
            self.world.settle()
            self.assertEqual(self.client.transport.producerState, "producing")

    def test_a_batch_gives_others_their_turn(self) -> None:
        """A batch whose answers are long is not answered in one turn, but in one line all the same."""
        request = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "hub.ping", "params": {"text": "x" * 150}})
        before = self.client.transport.writes
        self.assertEqual(len(self.client.ask("[" + ",".join([request] * 60) + "]", "PING behind it")), 2)
        self.assertEqual(self.client.transport.writes - before, 1)

        long = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "rpc.discover"})
        answers = self.client.ask("[" + ",".join([long] * 60) + "]", "PING behind it")
        self.assertEqual((len(json.loads(answers[0])), answers[1:]), (60, ["OK behind it"]))
        self.assertGreater(self.client.transport.writes - before, 5)

    def test_a_batch_of_long_answers(self) -> None:
        """
        When they have got so long, what is left is refused and not carried out: answers of a megabyte each would be a hundred megabytes,
        for a line of nine thousand bytes. What wants no answer is carried out.
        """
        self.patch(dispatch, "MOST_ANSWERED", 1_000)
        alice = self.world.member("alice")
        alice.ask("JOIN lobby")
        say = {"jsonrpc": "2.0", "method": "chat.say", "params": {"room": "lobby", "text": "hello"}}
        ping = {"jsonrpc": "2.0", "id": 1, "method": "hub.ping", "params": {"text": "x" * 600}}
        (line,) = alice.ask(json.dumps([say | {"id": 0}, ping, ping, say | {"id": 2}, say, say | {"id": 3}, {"id": 4}]))
        answers = json.loads(line)
        refused = {"code": "limit-exceeded"}
        self.assertEqual([each["id"] for each in answers], [0, 1, 1, 2, 3, None])
        self.assertEqual([each["error"]["data"] for each in answers[3:5]], [refused, refused])
        self.assertEqual(alice.call("chat.log", room="lobby")["result"]["items"][0]["seq"], 2)

    def test_a_batch_of_refusals(self) -> None:
        """No event gets in between its answers, even if none of its requests comes to a command."""
        self.world = World(line_bytes=65_536)
        operator, self.client = self.world.operator(), self.world.member("alice")
        self.world.disk_waits = True
        operator.ask("admin.announce hello")
        self.client.received()
        unknown = json.dumps({"jsonrpc": "2.0", "id": "x" * 570, "method": "hub.dance"})
        self.client.send(f"[{','.join([unknown] * 99)}]")
        self.world.worker.step()
        self.world.settle()
        answers, event = map(json.loads, self.client.received())
        self.assertEqual((len(answers), event["method"]), (99, "hub.announcement"))

    def settle_in_two(self) -> None:
        """What was committed first settles, and then the rest."""
        self.world.worker.step()
        self.world.settle()
        self.world.disk_waits = False
        self.world.settle()

    def test_a_batch_over_several_syncs(self) -> None:
        """Its answers leave as they settle; an event that settles with the first of them waits for the last."""
        operator, alice = self.world.operator(), self.world.member("alice")
        alice.received()
        self.world.disk_waits = self.world.hashing_waits = True
        operator.ask("admin.announce one")
        ping = '{"jsonrpc":"2.0","id":1,"method":"hub.ping"}'
        erase = json.dumps({"jsonrpc": "2.0", "id": 2, "method": "auth.erase", "params": ["wrong"]})
        alice.ask(f"[{ping},{erase}]")
        operator.ask("admin.announce two")
        self.world.hash_next()
        self.world.settle()
        self.settle_in_two()
        said = [json.loads(line) for line in alice.received()]
        self.assertEqual([each["id"] for each in said[0]], [1, 2])
        self.assertEqual([each["params"]["text"] for each in said[1:]], ["one", "two"])

    def test_two_batches_over_several_syncs(self) -> None:
        """Events that waited for the first do not come between the answers of the second, though some of those leave with the first."""
        operator, alice = self.world.operator(), self.world.member("alice")
        alice.received()
        ping = '{"jsonrpc":"2.0","id":1,"method":"hub.ping"}'
        erase = json.dumps({"jsonrpc": "2.0", "id": 2, "method": "auth.erase", "params": ["wrong"]})
        self.world.hashing_waits = True
        alice.ask(f"[{ping},{erase}]")
        operator.ask("admin.announce one")
        self.world.disk_waits = True
        operator.ask("admin.announce two")
        alice.send(f"[{ping},{erase}]")
        self.world.hash_next()
        self.world.settle()
        operator.ask("admin.announce three")
        self.world.hash_next()
        self.world.settle()
        self.settle_in_two()
        said = [json.loads(line) for line in alice.received()]
        self.assertEqual([[answer["id"] for answer in each] for each in said if isinstance(each, list)], [[1, 2], [1, 2]])
        self.assertEqual([each["params"]["text"] for each in said if isinstance(each, dict)], ["one", "two", "three"])

    def answer_and_two_events(self) -> tuple[Client, Client]:
        """
        Alice waits for an answer, and so does an event that is settled; another one waits for the disk.

        @return: the operator, who announces; and alice.
        """
        operator, alice = self.world.operator(), self.world.member("alice")
        alice.received()
        self.world.hashing_waits = True
        alice.ask("auth.erase wrong")
        operator.ask("admin.announce one")
        self.world.disk_waits = True
        operator.ask("admin.announce two")
        return operator, alice

    def test_events_in_the_order_of_their_commits(self) -> None:
        """One that has waited for an answer is not overtaken, though the answer waits for a later commit than the next event."""
        operator, alice = self.answer_and_two_events()
        operator.ask("admin.announce three")
        self.world.hash_next()
        self.world.settle()
        self.assertEqual(alice.received(), [])
        self.settle_in_two()
        said = [line.removeprefix("* Announcement: ") for line in alice.received()]
        self.assertEqual(said, ["ERR bad-credentials wrong name or password", "one", "two", "three"])

    def test_events_before_goodbye(self) -> None:
        """What waits for an answer is told before the session ends."""
        operator, alice = self.answer_and_two_events()
        self.world.hash_next()
        operator.ask("admin.lock alice spam")
        self.world.disk_waits = False
        self.world.settle()
        said = [line.removeprefix("* Announcement: ") for line in alice.received()]
        self.assertEqual((said[1], said[-1]), ("one", "* Bye: the account is locked: spam"))

    def test_a_batch_that_quits(self) -> None:
        """The connection ends behind the answer to all of it, however long the rest of it takes."""
        self.world.member("alice").close()
        self.world.hashing_waits = True
        leaving = '{"jsonrpc":"2.0","id":1,"method":"hub.quit"}'
        login = json.dumps({"jsonrpc": "2.0", "id": 2, "method": "auth.login", "params": ["alice", PASSWORD]})
        self.assertEqual(self.client.ask(f"[{leaving},{login}]"), [])
        self.assertFalse(self.client.closed)
        self.world.hashing_waits = False
        self.world.settle()
        answers = json.loads(self.client.received()[0])
        self.assertEqual((answers[0]["result"], answers[1]["result"]["username"]), ({}, "alice"))
        self.assertTrue(self.client.closed)

    def test_nothing_behind_quit(self) -> None:
        """What a client says behind its goodbye is not heard."""
        self.assertEqual(self.client.ask("QUIT", "PING"), ["OK"])
        self.assertTrue(self.client.closed)

    def test_reads_no_further_while_it_has_lines(self) -> None:
        """So no client can pile up requests."""
        self.client.ask(*(f"PING {number}" for number in range(TURN + 1)))
        self.assertEqual(self.client.transport.told, ["pause", "resume"])

    def test_a_login_holds_back_the_rest(self) -> None:
        """And reading, until it is verified."""
        self.world.member("alice").close()
        self.world.hashing_waits = True
        told = self.client.transport.told
        self.assertEqual(self.client.ask(f"LOGIN alice {PASSWORD}", *["WHOAMI"] * 50), [])
        self.assertEqual(told, ["pause"])
        self.world.hashing_waits = False
        self.world.settle()
        answers = self.client.received()
        self.assertTrue(answers[0].startswith("OK Welcome back"))
        self.assertEqual(sum(answer == "  username  alice" for answer in answers), 50)
        self.assertEqual(told[-1], "resume")

    def test_a_hundred_waiting_requests(self) -> None:
        """With so many at the gate the connection is read no further, until the disk has caught up."""
        alice = self.world.member("alice")
        self.world.disk_waits = True
        told = alice.transport.told
        self.assertEqual(alice.ask("OPEN savings", *["PING x"] * 149), [])
        self.assertEqual((alice.protocol.outbox.waiting, told[-1]), (100, "pause"))
        self.world.disk_waits = False
        self.world.settle()
        self.assertEqual(len(alice.received()), 150)
        self.assertEqual((alice.protocol.outbox.waiting, told[-1]), (0, "resume"))

    def test_nothing_leaves_before_it_is_synced(self) -> None:
        """Neither the reply, nor the event, nor what somebody else reads of it; what has nothing to do with it waits no longer."""
        alice, bob = self.world.member("alice"), self.world.member("bob")
        operator = self.world.operator()
        self.world.disk_waits = True
        self.assertEqual(bob.ask("PING before"), ["OK before"])
        self.assertEqual(operator.ask("DEPOSIT alice 5"), [])
        self.assertEqual((alice.ask("BALANCE"), bob.ask("PING behind")), ([], []))
        self.world.disk_waits = False
        self.world.settle()
        self.assertEqual(operator.received(), ["OK Transfer 1: 5.00 USD to alice."])
        # Of what waited for one sync, replies leave first.
        self.assertEqual(alice.received()[-2:], ["OK", "* You received 5.00 USD from @cash. Balance 5.00 USD."])
        self.assertEqual(bob.received(), ["OK behind"])


class HalfClosedTests(ProtocolCase):
    """A peer who has said all, but still listens, as socat does at the end of its input."""

    def half_closed(self, *lines: str) -> tuple[Client, list[str]]:
        operator = self.world.operator()
        operator.send(*lines)
        operator.protocol.readConnectionLost()
        self.world.settle()
        return operator, operator.received()

    def test_answers_come_first(self) -> None:
        """What was asked is answered, be it still at the gate or not yet begun, and then we close."""
        self.world.member("alice")
        operator, answers = self.half_closed("DEPOSIT alice 5", *["PING"] * (3 * TURN), "DEPOSIT alice 6")
        self.assertEqual(answers, ["OK Transfer 1: 5.00 USD to alice.", *["OK"] * (3 * TURN), "OK Transfer 2: 6.00 USD to alice."])
        self.assertTrue(operator.closed)

    def test_a_last_line_without_an_end(self) -> None:
        operator = self.world.operator()
        operator.feed(b"PING without an end")
        operator.protocol.readConnectionLost()
        self.world.settle()
        self.assertEqual(operator.received(), ["OK without an end"])

    def test_a_password_that_will_not_come(self) -> None:
        """Nobody is there who could answer, so it is as if an empty line had come."""
        client = self.greeted()
        client.send("LOGIN alice")
        client.protocol.readConnectionLost()
        self.world.settle()
        self.assertEqual(client.received(), ["* Password:", "ERR bad-credentials cancelled"])
        self.assertTrue(client.closed)

    def test_a_password_behind_as_much_as_a_turn_takes(self) -> None:
        """What was asked for is there, and only waits for the next turn."""
        self.world.member("alice")
        client = self.greeted()
        client.send(*["PING"] * (2 * TURN - 1), "LOGIN alice", PASSWORD)
        client.protocol.readConnectionLost()
        self.world.settle()
        answers = client.received()
        self.assertEqual(answers[2 * TURN - 1], "* Password:")
        self.assertTrue(answers[2 * TURN].startswith("OK Welcome back"), answers[2 * TURN])
        self.assertEqual(len(answers), 2 * TURN + 1)

    def test_nothing_was_asked(self) -> None:
        operator, answers = self.half_closed()
        self.assertEqual(answers, [])
        self.assertTrue(operator.closed)


class SlowReaderTests(ProtocolCase):
    """A client that does not read cannot fill the hub's memory."""

    BOUND = 65_536

    def setUp(self) -> None:
        self.world = World(outbound_bytes=self.BOUND)
        self.alice, self.bob = self.world.member("alice"), self.world.member("bob")
        self.world.operator().ask("DEPOSIT alice 100000")
        self.alice.received()

    def pay(self, times: int) -> None:
        """Let bob have events, of some 330 bytes each."""
        for begin in range(0, times, 20):
            self.alice.ask(*[f"TRANSFER bob 0.01 {'m' * 256}"] * min(20, times - begin))
            self.alice.received()

    def test_cut(self) -> None:
        """At its bound, with its reason in the log; the others hear all."""
        self.bob.transport.stop_reading()
        self.pay(SOCKET_BYTES // 300 + 1)
        self.assertFalse(self.bob.closed)
        self.pay(2 * self.BOUND // 300)
        self.assertTrue(self.bob.closed and self.bob.transport.aborted)
        self.assertLess(len(self.bob.transport.value()), SOCKET_BYTES + 8_000)
        self.assertEqual(self.alice.ask("PING x"), ["OK x"])

    def test_under_the_bound(self) -> None:
        """Whoever reads again in time has missed nothing, and the order is right."""
        self.bob.transport.stop_reading()
        self.pay(300)
        self.assertFalse(self.bob.closed)
        content = self.bob.transport.take()
        content += self.bob.transport.read_again()
        self.world.settle()
        content += self.bob.transport.take()
        balances = [line.rsplit(" ", 2)[1] for line in content.decode().splitlines()]
        self.assertEqual(balances, [f"{number / 100:.2f}" for number in range(1, 301)])

    def test_a_long_reply(self) -> None:
        """However long, and however slowly it is read, it is no reason to cut; but while it waits, no more is read."""
        self.bob.transport.stop_reading()
        batch = "[" + ",".join(['{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}'] * 100) + "]"
        for _ in range(3):
            self.bob.send(batch)
            self.world.settle()
        self.assertFalse(self.bob.closed)
        lines = []
        for _ in range(10):
            content = self.bob.transport.take() + self.bob.transport.read_again()
            lines += content.splitlines()
            self.world.settle()
        self.assertEqual([len(json.loads(line)) for line in lines], [100] * 3)

    def test_a_reader_that_stops_is_read_no_further(self) -> None:
        """Its requests wait in its own socket, not here."""
        self.bob.transport.stop_reading()
        self.bob.send(*[f"PING {'x' * 1_000}"] * 200)
        self.world.settle()
        self.assertLess(len(self.bob.transport.value()) + self.bob.protocol.outlet.queued, 150_000)
        self.bob.transport.read_again()
        self.world.settle()
        self.assertFalse(self.bob.closed)


class DiskTests(ProtocolCase):
    """When the disk fails, whoever hangs on what is lost goes, and all others stay."""

    def setUp(self) -> None:
        super().setUp()
        self.alice, self.bob = self.world.member("alice"), self.world.member("bob")
        self.world.operator().ask("DEPOSIT alice 100")
        self.alice.received()

    def fill_disk(self) -> None:
        self.world.directory.fail(FULL, times=None)

    def recover(self) -> None:
        self.world.directory.heal()
        self.world.elapse(2)

    def test_who_waits_is_closed(self) -> None:
        """Without an answer; nothing has happened, and it may be asked again."""
        self.fill_disk()
        self.assertEqual(self.alice.ask("TRANSFER bob 5 key=k"), [])
        self.assertTrue(self.alice.closed)
        self.assertEqual(self.bob.ask("BALANCE")[1].split()[-1], "0.00")
        self.assertTrue(self.bob.ask("OPEN savings")[0].startswith("ERR unavailable"))
        self.recover()
        alice = self.greeted()
        alice.ask(f"LOGIN alice {PASSWORD}")
        self.assertIn("5.00 USD to bob. Balance 95.00 USD.", alice.ask("TRANSFER bob 5 key=k")[0])
        self.assertEqual(self.bob.received(), ["* You received 5.00 USD from alice. Balance 5.00 USD."])

    def test_who_has_read_what_is_lost(self) -> None:
        """Their answer would have been a lie."""
        self.world.disk_waits = True
        self.alice.ask("TRANSFER bob 5")
        reader = self.world.operator()
        self.assertEqual(self.bob.ask("BALANCE"), [])
        reader.ask("ledger.trial_balance")
        self.fill_disk()
        self.world.disk_waits = False
        self.world.settle()
        self.assertEqual((self.alice.closed, self.bob.closed, reader.closed), (True, True, True))

    def test_a_login_that_is_lost(self) -> None:
        """Its session is gone, though nobody waited for an answer to it: otherwise it would be the next member's of that name."""
        create = '{"jsonrpc":"2.0","method":"auth.create","params":["carol","correct-horse-battery"]}'
        ping = '{"jsonrpc":"2.0","method":"hub.ping"}'
        for line in (create, f"[{create}]", f"[{create},{ping}]"):
            client = self.greeted()
            self.fill_disk()
            self.assertEqual(client.ask(line), [])
            self.assertTrue(client.closed, line)
            self.assertEqual(self.world.hub.switchboard.listeners(member("carol")), [])
            self.recover()

    def test_a_batch_that_is_lost(self) -> None:
        """However long it takes to answer a batch: none of its answers may tell of what was lost meanwhile."""
        pay = '{"jsonrpc":"2.0","id":1,"method":"ledger.transfer","params":["bob","5"]}'
        long = '{"jsonrpc":"2.0","id":2,"method":"rpc.discover"}'
        self.fill_disk()
        self.assertEqual(self.alice.ask("[" + ",".join([pay, *[long] * 60]) + "]"), [])
        self.assertTrue(self.alice.closed)
        self.assertEqual(self.bob.ask("BALANCE")[1].split()[-1], "0.00")

        self.recover()
        alice = self.greeted()
        alice.ask(f"LOGIN alice {PASSWORD}")
        self.fill_disk()
        self.world.hashing_waits = True
        out_and_in = (
            f'{{"jsonrpc":"2.0","method":"auth.logout"}},{{"jsonrpc":"2.0","id":3,"method":"auth.login","params":["alice","{PASSWORD}"]}}'
        )
        self.assertEqual(alice.ask(f"[{pay},{out_and_in}]"), [])
        self.assertTrue(alice.closed)

    def test_a_part_of_a_batch_that_is_lost(self) -> None:
        """Be it one that wants no answer: nobody who waits for the rest is left to believe in it."""
        pay = '{"jsonrpc":"2.0","method":"ledger.transfer","params":["bob","5"]}'
        erase = '{"jsonrpc":"2.0","id":1,"method":"auth.erase","params":["wrong"]}'
        self.fill_disk()
        self.world.hashing_waits = True
        self.assertEqual(self.alice.ask(f"[{pay},{erase}]"), [])
        self.assertTrue(self.alice.closed)

    def test_a_logout_that_is_lost(self) -> None:
        """The login is as it was: its token is good."""
        client = self.greeted()
        token = client.call("auth.login", username="alice", password=PASSWORD)["result"]["resume"]
        self.fill_disk()
        self.assertEqual(client.ask("LOGOUT"), [])
        self.assertTrue(client.closed)
        self.recover()
        self.assertIn("result", self.greeted().call("auth.resume", token=token))

    def test_several_groups(self) -> None:
        """What was in flight and what gathered behind it are lost together."""
        self.world.disk_waits = True
        self.assertEqual(self.alice.ask("OPEN one"), [])
        self.assertEqual(self.bob.ask("OPEN two"), [])
        self.fill_disk()
        self.world.disk_waits = False
        self.world.settle()
        self.assertTrue(self.alice.closed and self.bob.closed)
        self.recover()
        again = self.greeted()
        self.assertEqual(len(again.ask(f"LOGIN bob {PASSWORD}", "ACCOUNTS")), 4)

    def test_after_a_crash(self) -> None:
        """What nobody was told is not there either."""
        self.fill_disk()
        self.alice.ask("TRANSFER bob 5")
        self.world.restart(crash=True)
        bob = self.greeted()
        bob.ask(f"LOGIN bob {PASSWORD}")
        self.assertEqual(bob.ask("BALANCE")[1].split()[-1], "0.00")


class GoneTests(ProtocolCase):
    """A connection that is lost takes nothing with it and leaves nothing behind."""

    def test_lost_while_hashing(self) -> None:
        """Nobody is subscribed, and nothing is written."""
        self.world.member("alice").close()
        commits = self.world.hub.store.number
        self.world.hashing_waits = True
        self.client.ask(f"LOGIN alice {PASSWORD}")
        self.client.close()
        self.world.hashing_waits = False
        self.world.settle()
        self.assertEqual(self.world.hub.switchboard.listeners(member("alice")), [])
        self.assertEqual((self.world.hub.store.number, self.world.hashing.waiting), (commits, 0))

    def test_lost_while_creating(self) -> None:
        self.world.hashing_waits = True
        self.client.ask(f"CREATE carol {PASSWORD}")
        self.client.close()
        self.world.hashing_waits = False
        self.world.settle()
        self.assertEqual(self.world.hub.store.counts()["member"], 0)

    def test_lost_while_asked(self) -> None:
        self.assertEqual(self.client.ask("LOGIN alice"), ["* Password:"])
        self.client.close()
        self.world.settle()

    def test_lost_while_logged_in(self) -> None:
        alice = self.world.member("alice")
        alice.close()
        self.assertEqual(self.world.hub.switchboard.listeners(member("alice")), [])
        self.assertEqual(self.world.operator().ask("DEPOSIT alice 1"), ["OK Transfer 1: 1.00 USD to alice."])

    def test_lost_while_it_waits_for_the_disk(self) -> None:
        """What was asked for happens."""
        alice = self.world.member("alice")
        self.world.disk_waits = True
        alice.send("OPEN savings")
        alice.close()
        self.world.disk_waits = False
        self.world.settle()
        self.assertEqual(self.world.hub.store.counts()["account"], 2)

    def test_lost_with_lines_left(self) -> None:
        """They are not carried out any more."""
        alice = self.world.member("alice")
        alice.send(*["PING"] * TURN, "OPEN savings")
        alice.close()
        self.world.settle()
        self.assertEqual(self.world.hub.store.counts()["account"], 1)

    def test_every_connection_is_counted(self) -> None:
        operator = self.world.operator()
        self.assertEqual(self.world.hub.count_connections(), 2)
        self.client.close()
        operator.close()
        self.assertEqual(self.world.hub.count_connections(), 0)


class StopTests(ProtocolCase):
    """A hub that stops says so, and forgets nothing."""

    def test_goodbye(self) -> None:
        """In each client's form; the one whose handshake is not over hears nothing."""
        program = self.greeted()
        program.ask('{"jsonrpc":"2.0","id":1,"method":"hub.ping"}')
        unready = self.world.connect(handshake=False)
        self.world.stop()
        self.assertEqual(len(self.client.received()), 1)
        self.assertEqual(json.loads(program.received()[0])["method"], "hub.bye")
        self.assertEqual(unready.transport.value(), b"")
        self.assertTrue(self.client.closed and program.closed and unready.closed)

    def test_what_was_asked_is_answered(self) -> None:
        """And then comes goodbye."""
        alice = self.world.member("alice")
        self.world.disk_waits = True
        alice.ask("OPEN savings")
        stopped = self.world.hub.stop()
        self.world.settle()
        self.assertNoResult(stopped)
        self.world.disk_waits = False
        self.world.settle()
        self.successResultOf(stopped)
        self.assertEqual([line[:4] for line in alice.received()], ["OK A", "* By"])
        self.world.start_again()
        again = self.greeted()
        self.assertEqual(len(again.ask(f"LOGIN alice {PASSWORD}", "ACCOUNTS")), 5)

    def test_no_new_commands(self) -> None:
        alice = self.world.member("alice")
        self.world.disk_waits = True
        alice.ask("OPEN savings")
        stopped = self.world.hub.stop()
        alice.send("OPEN more", "PING")
        self.world.disk_waits = False
        self.world.settle()
        self.successResultOf(stopped)
        self.assertEqual([line[:4] for line in alice.received()], ["OK A", "* By"])
        self.assertEqual(self.world.hub.store.counts()["account"], 2)

    def test_leaves_a_snapshot(self) -> None:
        """And does not end before that is written."""
        self.patch(journal, "SNAPSHOT_AFTER", 1)
        self.world.member("alice")
        self.world.disk_waits = True
        stopped = self.world.hub.stop()
        self.world.settle()
        self.assertNoResult(stopped)
        self.assertFalse([name for name in self.world.directory.names() if "snapshot" in name])
        self.world.disk_waits = False
        self.world.settle()
        self.successResultOf(stopped)
        self.assertTrue([name for name in self.world.directory.names() if "snapshot" in name])

    def test_a_client_that_does_not_read(self) -> None:
        """It cannot hold up the stop."""
        self.client.transport.stop_reading()
        self.client.ask(*[f"PING {'x' * 10_000}"] * 20)
        stopped = self.world.hub.stop()
        self.world.settle()
        self.assertNoResult(stopped)
        self.world.elapse(GOODBYE_SECONDS)
        self.successResultOf(stopped)
        self.world.elapse(CLOSING_SECONDS)
        self.assertTrue(self.client.closed)

    def test_a_disk_that_stands_still(self) -> None:
        """Nor can it."""
        alice = self.world.member("alice")
        self.world.disk_waits = True
        alice.ask("OPEN savings")
        stopped = self.world.hub.stop()
        for seconds in (STOPPING_SECONDS, GOODBYE_SECONDS, SNAPSHOT_SECONDS):
            self.assertNoResult(stopped)
            self.world.elapse(seconds)
        self.successResultOf(stopped)

    def test_a_login_that_is_being_verified(self) -> None:
        """It is not carried out any more."""
        self.world.member("alice").close()
        self.world.hashing_waits = True
        self.client.ask(f"LOGIN alice {PASSWORD}")
        commits = self.world.hub.store.number
        stopped = self.world.hub.stop()
        self.world.hashing_waits = False
        self.world.settle()
        self.world.elapse(6)
        self.successResultOf(stopped)
        self.assertEqual(self.world.hub.store.number, commits)

    def test_a_batch_of_which_some_is_answered(self) -> None:
        """That much can be read, and goodbye has a line of its own."""
        self.world.hashing_waits = True
        ping = '{"jsonrpc":"2.0","id":1,"method":"hub.ping"}'
        login = json.dumps({"jsonrpc": "2.0", "id": 2, "method": "auth.login", "params": ["alice", PASSWORD]})
        self.client.ask(f"[{ping},{login},{ping}]")
        self.world.stop()
        answers, goodbye = map(json.loads, self.client.received())
        self.assertEqual(([each["id"] for each in answers], goodbye["method"]), ([1], "hub.bye"))
        self.world.hashing_waits = False
        self.world.settle()
        self.assertEqual(self.client.received(), [])
