"""
Before a login: little time, few places, bounded work; and what that costs those who are members.
"""

from __future__ import annotations

import errno
import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from securehub.network.outlet import CLOSING_SECONDS
from tests.world import PASSWORD, Client, World

FAR = "203.0.113.7"
ELSEWHERE = "198.51.100.9"


class StrangerCase(SynchronousTestCase):
    """A world with one member, and strangers who come from afar."""

    def setUp(self) -> None:
        self.make()

    def make(self, **settings: Any) -> None:
        self.world = World(**settings)
        self.world.member("alice").close()

    def stranger(self, address: str = FAR) -> Client:
        client = self.world.connect(address=address)
        client.received()
        return client

    def log_in(self, client: Client) -> None:
        answer = client.ask(f"LOGIN alice {PASSWORD}")[-1]
        self.assertTrue(answer.startswith("OK Welcome back"), answer)

    def open(self, clients: list[Client]) -> int:
        return sum(not client.closed for client in clients)


class SilentTests(StrangerCase):
    """A thousand who say nothing do not keep a member from logging in, and are gone after the limit."""

    def test_unfinished_handshakes(self) -> None:
        silent = [self.world.connect(handshake=False) for _ in range(1_000)]
        began = self.world.time.seconds()
        self.log_in(self.stranger())
        self.assertEqual(self.world.time.seconds(), began)
        self.assertEqual(self.open(silent), 1_000)
        self.world.elapse(10)
        self.assertEqual(self.open(silent), 0)

    def test_no_request(self) -> None:
        silent = [self.world.connect() for _ in range(1_000)]
        member = self.stranger()
        self.log_in(member)
        self.world.elapse(29.9)
        self.assertEqual(self.open(silent), 1_000)
        self.world.elapse(0.1)
        self.assertEqual((self.open(silent), self.open([member])), (0, 1))
        self.assertEqual(silent[0].received()[1:], ["* Bye: nothing was asked in time."])

    def test_of_one_address(self) -> None:
        """Only few of them stay, and they keep nobody out: neither elsewhere, nor a moment later at the same address."""
        silent = [self.world.connect(handshake=False, address=FAR) for _ in range(1_000)]
        self.assertEqual(self.open(silent), 20)
        self.log_in(self.stranger(ELSEWHERE))
        self.world.elapse(0.1)
        self.log_in(self.stranger())

    def test_of_many_addresses(self) -> None:
        """They take all places, and still a member gets one: the stranger who came first has to go."""
        self.make(connections=200)
        silent = [self.world.connect(handshake=False, address=f"10.0.{number // 250}.{number % 250}") for number in range(1_000)]
        self.assertEqual(self.open(silent), 200)
        member = self.stranger()
        self.log_in(member)
        more = [self.world.connect(address=f"10.1.{number // 250}.{number % 250}") for number in range(1_000)]
        self.assertEqual((self.open([member]), self.open(more) <= 200), (True, True))
        self.assertEqual(member.ask("PING"), ["OK"])
        self.world.elapse(30)
        self.assertEqual((self.open(silent), self.open(more)), (0, 0))


class FullTests(StrangerCase):
    """When there are as many connections as there may be."""

    def setUp(self) -> None:
        self.make(connections=2)
        self.first, self.second = self.world.connect(), self.world.connect()

    def test_refused_politely(self) -> None:
        """Whoever comes then is told why; when one goes there is room again."""
        third = self.world.connect()
        self.assertEqual(third.received(), ["* Bye: the hub has as many connections as it takes; try again later."])
        self.assertTrue(third.closed and not third.transport.aborted)
        self.assertEqual(self.open([self.first, self.second]), 2)
        self.first.close()
        self.assertTrue(self.world.connect().received()[0].startswith("* SecureHub"))

    def test_refused_before_the_handshake(self) -> None:
        """Nothing can be said yet, and the wait for it is as short as for others."""
        third = self.world.connect(handshake=False)
        self.world.elapse(9.9)
        self.assertFalse(third.closed)
        third.feed(b"PING\n")
        self.world.elapse(0.1)
        self.assertTrue(third.closed and third.transport.aborted)
        self.assertEqual(third.transport.value(), b"")

    def test_what_the_refused_say(self) -> None:
        """Is not looked at; and one who never closes does not stay."""
        third = self.world.connect(handshake=False)
        third.transport.loseConnection = lambda: None  # type: ignore[method-assign]
        third.protocol.handshakeCompleted()
        third.feed(b"PING\n" * 100)
        self.world.settle()
        self.assertEqual(len(third.received()), 1)
        self.assertFalse(third.closed)
        self.world.elapse(CLOSING_SECONDS)
        self.assertTrue(third.closed)

    def test_a_stop(self) -> None:
        """Does not wait for those who are being refused."""
        third = self.world.connect(handshake=False)
        self.world.stop()
        self.assertTrue(third.closed)

    def test_the_operator(self) -> None:
        """Always comes in, and sees it."""
        self.world.connect()
        status = self.world.operator().call("admin.status")["result"]
        self.assertEqual((status["turned_away"], status["sent_away"], status["connections"]), (1, 0, 3))

    def test_sent_away(self) -> None:
        """A stranger who has to make room is told so, also one who is asked for a password."""
        self.make(connections=2)
        asked, idle = self.stranger(), self.stranger()
        self.assertEqual(asked.ask("LOGIN alice"), ["* Password:"])
        idle.ask("PING")
        self.stranger(ELSEWHERE)
        self.assertEqual(asked.received(), ["* Bye: your place is needed; log in to keep one."])
        self.assertEqual((asked.closed, idle.closed), (True, False))

    def test_not_while_a_password_is_verified(self) -> None:
        """Whoever is about to be a member is the last who should go."""
        self.make(connections=2)
        member, idle = self.stranger(), self.stranger()
        self.world.hashing_waits = True
        member.ask(f"LOGIN alice {PASSWORD}")
        self.stranger(ELSEWHERE)
        self.assertEqual((member.closed, idle.closed), (False, True))
        self.world.hashing_waits = False
        self.world.settle()
        self.stranger()
        self.assertEqual(member.ask("PING"), ["OK Welcome back, alice. Last login 2026-11-19 18:02 UTC from 127.0.0.1.", "OK"])

    def test_sent_away_while_leaving(self) -> None:
        """Goodbye is said once."""
        self.make(connections=1)
        first = self.stranger()
        first.transport.stop_reading()
        first.send("QUIT")
        self.stranger(ELSEWHERE)
        self.assertEqual(first.received(), ["OK"])


class WorkTests(StrangerCase):
    """What strangers at one address may ask for."""

    def test_a_flood(self) -> None:
        """It is answered in order, a hundred at once and then twenty in a second, and read no faster."""
        stranger = self.stranger()
        answers = stranger.ask(*(f"PING {number}" for number in range(300)))
        self.assertEqual(answers, [f"OK {number}" for number in range(99)])
        self.assertEqual(stranger.transport.told[-1], "pause")
        for second in range(1, 10):
            for _ in range(20):
                self.world.elapse(0.05)
            answers += stranger.received()
            self.assertLessEqual(abs(len(answers) - 99 - 20 * second), 2)
        for _ in range(60):
            self.world.elapse(0.05)
        self.assertEqual(answers + stranger.received(), [f"OK {number}" for number in range(300)])
        self.assertEqual(stranger.transport.told[-1], "resume")

    def test_in_pieces(self) -> None:
        """Whoever waits has one time at which they go on, however many pieces come meanwhile."""
        stranger = self.stranger()
        stranger.ask(*["PING"] * 99)
        for _ in range(50):
            stranger.protocol.dataReceived(b"PING\nPI")
            stranger.protocol.dataReceived(b"NG\n")
        for _ in range(20):
            self.world.elapse(0.05)
        self.assertAlmostEqual(len(stranger.received()), 20, delta=1)

    def test_others(self) -> None:
        """Members, those elsewhere and those on this machine are not slowed down."""
        member = self.stranger()
        self.log_in(member)
        self.stranger().send(*["PING"] * 1_000)
        self.world.settle()
        for client in (member, self.stranger(ELSEWHERE), self.stranger("127.0.0.1")):
            self.assertEqual(len(client.ask(*["PING"] * 90)), 90)

    def test_many_connections(self) -> None:
        """They share it, so more of them are of no use; and no more come in while it is used up."""
        strangers = [self.stranger() for _ in range(10)]
        for stranger in strangers:
            stranger.send(*["PING"] * 50)
        self.world.settle()
        self.assertEqual(sum(len(stranger.received()) for stranger in strangers), 90)
        self.assertTrue(self.world.connect(address=FAR).closed)

    def test_a_login_ends_it(self) -> None:
        """From that line on, pipelined or not; and nothing is left of it for the next one there."""
        stranger = self.stranger()
        answers = stranger.ask(*["PING"] * 98, f"LOGIN alice {PASSWORD}", *["PING"] * 200)
        self.assertEqual((len(answers), answers[98][:2]), (299, "OK"))
        self.assertEqual(len(self.stranger().ask(*["PING"] * 90)), 90)

    def test_after_logging_out(self) -> None:
        member = self.stranger()
        self.log_in(member)
        self.assertEqual(len(member.ask("LOGOUT", *["PING"] * 300)), 100 + 32)
        self.world.elapse(1_000)

    def test_large_answers(self) -> None:
        """They are worth many requests, in whatever way they are asked for."""
        batch = json.dumps([{"jsonrpc": "2.0", "id": number, "method": "rpc.discover"} for number in range(50)])
        stranger = self.stranger()
        self.assertEqual(len(json.loads(stranger.ask(batch)[0])), 50)
        self.assertEqual(stranger.ask("PING"), [])
        for _ in range(11):
            self.world.elapse(1)
        self.assertEqual(stranger.received(), ["OK"])

    def test_large_requests(self) -> None:
        answers = self.stranger().ask(*["PING " + "x" * 10_000] * 100)
        self.assertLess(len(answers), 10)

    def test_an_endless_line(self) -> None:
        """It is dropped as it comes, and each piece of it counts: nobody is read for nothing."""
        stranger = self.stranger()
        for _ in range(200):
            stranger.feed(b"x" * 20_000)
        self.world.settle()
        self.assertEqual(stranger.transport.told[-1], "pause")
        for _ in range(3):
            self.world.elapse(5)
        self.assertEqual(stranger.transport.told[-1], "resume")
        answers = stranger.ask("", "PING")
        self.assertEqual((answers[0][:17], answers[1:]), ("ERR line-too-long", ["OK"]))

    def test_pings_now_and_then(self) -> None:
        """Whoever has asked something may stay a stranger as long as there is room."""
        stranger = self.stranger()
        for _ in range(100):
            self.assertEqual(stranger.ask("PING"), ["OK"])
            self.world.elapse(3_600)

    def test_gone_while_it_waits(self) -> None:
        """Nothing is left behind."""
        stranger = self.stranger()
        stranger.send(*["PING"] * 300)
        self.world.settle()
        stranger.close()
        self.world.elapse(60)
        self.assertEqual(len(self.stranger().ask(*["PING"] * 90)), 90)


class LostGoodbyeTests(StrangerCase):
    """A goodbye that waits for the disk."""

    def test_the_disk_fails(self) -> None:
        """It cannot be said any more, but who was to go goes."""
        alice = self.stranger()
        self.log_in(alice)
        silent = self.stranger(ELSEWHERE)
        self.world.elapse(29)
        self.world.disk_waits = True
        alice.ask("OPEN savings")
        self.world.elapse(2)
        self.assertFalse(silent.closed)
        self.world.directory.fail(OSError(errno.ENOSPC, "No space left on device"), times=None)
        self.world.disk_waits = False
        self.world.settle()
        self.assertTrue(silent.closed)
