"""
Password hashes, and what a failed login costs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from itertools import chain, repeat
from threading import Thread
from typing import Any
from unittest import mock

from twisted.internet.defer import Deferred, execute, succeed
from twisted.internet.task import Clock as Time
from twisted.trial.unittest import SynchronousTestCase

from securehub.hashing import NICE, Hashing, context, hash_old, politely
from securehub.refusals import RateLimited
from tests.world import CHEAP, PASSWORD, World


class HashingTests(SynchronousTestCase):
    """One computation each, and not too many at once."""

    def hashing(self, limit: int = 10) -> Hashing:
        return Hashing(CHEAP, execute, limit, at_once=2, reactor=Time())

    def test_argon2id(self) -> None:
        """With 19 MiB and two passes; nothing weaker is accepted."""
        passwords = context()
        self.assertIn("$argon2id$v=19$m=19456,t=2,p=1$", passwords.hash("secret"))
        self.assertEqual(passwords.schemes(), ("argon2", "sha256_in_argon2"))
        self.assertEqual(passwords.default_scheme(), "argon2")

    def test_verify(self) -> None:
        hashing = self.hashing()
        hashed = self.successResultOf(hashing.hash("secret"))
        self.assertNotIn("secret", hashed)
        self.assertEqual(self.successResultOf(hashing.verify("secret", hashed)), (True, None))
        self.assertFalse(self.successResultOf(hashing.verify("Secret", hashed))[0])
        self.assertEqual(hashing.computed, 3)

    def test_nobody(self) -> None:
        """For a member whom there is not, one hash is computed as well, and nothing fits."""
        hashing = self.hashing()
        for password in ("secret", "nobody has this password"):
            before = hashing.computed
            self.assertEqual(self.successResultOf(hashing.verify(password, None)), (False, None))
            self.assertEqual(hashing.computed - before, 1)

    def test_an_older_hash_is_raised(self) -> None:
        """Whoever logs in with a hash of a weaker kind gets one of today's."""
        hashed = CHEAP.copy(argon2__time_cost=3).hash("secret")
        stronger = Hashing(CHEAP.copy(argon2__time_cost=4), execute, 10, at_once=2, reactor=Time())
        fits, newer = self.successResultOf(stronger.verify("secret", hashed))
        self.assertTrue(fits)
        assert newer is not None
        self.assertIn("t=4", newer)

    def test_the_hash_of_another_program(self) -> None:
        """Its SHA-256 is kept within argon2id; the password fits, the SHA-256 itself does not, and one verification raises it."""
        sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
        old, hashing = hash_old(CHEAP, sha256.upper()), self.hashing()
        self.assertTrue(old.startswith("$sha256$argon2id$"))
        self.assertEqual(self.successResultOf(hashing.verify(sha256, old)), (False, None))
        fits, newer = self.successResultOf(hashing.verify("secret", old))
        self.assertTrue(fits)
        assert newer is not None
        self.assertTrue(newer.startswith("$argon2id$"))
        self.assertEqual(self.successResultOf(hashing.verify("secret", newer)), (True, None))

    def test_no_thread(self) -> None:
        """Where the system gives no thread nothing is computed; whoever comes later is served, as no place was taken for good."""
        threads = mock.Mock(side_effect=[RuntimeError("can't start new thread")] * 3 + [succeed("hash")])
        time = Time()
        hashing = Hashing(CHEAP, threads, 10, at_once=2, reactor=time)
        for _ in range(3):
            self.failureResultOf(hashing.hash("a"), RuntimeError)
            time.advance(0)
        self.assertEqual((self.successResultOf(hashing.hash("a")), hashing.waiting), ("hash", 0))

    def test_no_thread_for_many(self) -> None:
        """Whoever waits behind the one that got none is told so one after the other, with everybody else in between."""
        first, time = Deferred[str](), Time()
        threads = mock.Mock(side_effect=chain([first], repeat(RuntimeError("can't start new thread"))))
        hashing = Hashing(CHEAP, threads, 500, at_once=1, reactor=time)
        served, *others = [hashing.hash("a") for _ in range(500)]
        first.callback("hash")
        self.assertEqual(self.successResultOf(served), "hash")
        for other in others:
            self.failureResultOf(other, RuntimeError)
            time.advance(0)
        self.assertEqual(hashing.waiting, 0)

    def test_bound(self) -> None:
        """Whoever is beyond it is told when to come back; room is made by whoever is done, however that ended."""
        waiting: list[Deferred[Any]] = []

        def later(*_: object) -> Deferred[Any]:
            waiting.append(Deferred())
            return waiting[-1]

        hashing = Hashing(CHEAP, later, 2, at_once=2, reactor=Time())
        first, second = hashing.hash("a"), hashing.hash("b")
        refusal = self.assertRaises(RateLimited, hashing.verify, "c", None)
        self.assertGreaterEqual(refusal.retry_after, 1)
        self.assertEqual(hashing.waiting, 2)
        waiting[0].callback("hash")
        self.assertEqual(self.successResultOf(first), "hash")
        waiting[1].errback(RuntimeError("no memory"))
        self.failureResultOf(second, RuntimeError)
        self.assertEqual(hashing.waiting, 0)


class QueueTests(SynchronousTestCase):
    """Who waits for how long: the networks take turns, and none has all the room."""

    def setUp(self) -> None:
        self.time = Time()
        self.running: list[tuple[Deferred[Any], str]] = []
        self.refused: list[str] = []

    def hashing(self, limit: int = 500, at_once: int = 1) -> Hashing:
        return Hashing(CHEAP, self.later, limit, at_once=at_once, reactor=self.time)

    def later(self, _: object, password: str) -> Deferred[Any]:
        self.running.append((Deferred(), password))
        return self.running[-1][0]

    def finish(self) -> str:
        """Let the first one that is computed be done; tells which it was."""
        done, password = self.running.pop(0)
        done.callback(password)
        return password

    def finish_all(self) -> list[str]:
        finished = []
        while self.running:
            finished.append(self.finish())
            self.time.advance(0)
        return finished

    def ask(self, hashing: Hashing, *passwords: str) -> None:
        """Hash some passwords; the first letter of each is from where it comes."""
        for password in passwords:
            hashing.hash(password, origin=password[0]).addErrback(lambda _, password=password: self.refused.append(password))

    def test_turns(self) -> None:
        """Who comes from elsewhere does not wait behind all who are there already."""
        self.ask(self.hashing(), *[f"a{number}" for number in range(6)], "b0", "b1", "c0")
        self.assertEqual(self.finish_all(), ["a0", "a1", "b0", "c0", "a2", "b1", "a3", "a4", "a5"])

    def test_at_once(self) -> None:
        """As many as there are threads, and the next when one is done."""
        self.ask(self.hashing(at_once=2), "a0", "a1", "a2")
        self.assertEqual([password for _, password in self.running], ["a0", "a1"])
        self.finish()
        self.assertEqual([password for _, password in self.running], ["a1", "a2"])

    def test_one_network_has_not_all_the_room(self) -> None:
        """The newest of the longest line makes room for whoever has fewer; those who have as many are turned away themselves."""
        hashing = self.hashing(limit=5)
        self.ask(hashing, "a0", "a1", "a2", "a3", "a4", "b0")
        self.assertEqual(self.refused, ["a4"])
        self.ask(hashing, "b1")
        self.assertEqual(self.refused, ["a4", "a3"])
        for password in ("a5", "b2", "c0"):
            if password == "c0":
                self.ask(hashing, password)
            else:
                self.assertRaises(RateLimited, hashing.hash, password, origin=password[0])
        self.assertEqual(hashing.waiting, 5)
        self.assertEqual(len(self.finish_all()), 5)
        self.assertEqual(hashing.waiting, 0)

    def test_who_would_have_as_many(self) -> None:
        """Nobody makes room for somebody who would then have no fewer."""
        hashing = self.hashing(limit=4)
        self.ask(hashing, "a0", "a1", "a2", "b0")
        self.assertRaises(RateLimited, hashing.hash, "b1", origin="b")
        self.assertEqual((self.refused, len(self.finish_all())), ([], 4))

    def test_when_to_come_back_at_first(self) -> None:
        """Before anybody has logged in, what it took at the start is all that is known."""
        self.time.advance(1_000)
        hashing = self.hashing(limit=100)
        self.ask(hashing, *["a"] * 100)
        self.assertEqual(self.assertRaises(RateLimited, hashing.hash, "a", origin="a").retry_after, 1)

    def test_when_to_come_back(self) -> None:
        """What is told is what it has really taken lately, not what it ought to take."""
        hashing = self.hashing(limit=100, at_once=2)
        for seconds in (0.1, 0.5):
            for _ in range(100):
                self.ask(hashing, "a", "a")
                self.time.advance(seconds)
                self.finish_all()
            self.ask(hashing, *["a"] * 100)
            refusal = self.assertRaises(RateLimited, hashing.hash, "a", origin="a")
            self.assertEqual(refusal.retry_after, round(100 * seconds / 2))
            self.finish_all()
            self.assertEqual(hashing.waiting, 0)

    def test_a_turn_that_is_not_taken(self) -> None:
        """Whoever is not wanted any more when the turn comes is not computed, and hundreds of them hold nobody up."""
        hashing = self.hashing()

        def refuse() -> None:
            raise RateLimited("no", 1)

        self.ask(hashing, "a0")
        refused = [hashing.hash("a", origin="a", turn=refuse) for _ in range(300)]
        self.ask(hashing, "a1")
        self.finish()
        self.assertEqual(sum(each.called for each in refused), 1)
        self.time.advance(0)
        self.assertTrue(all(self.failureResultOf(each, RateLimited) for each in refused))
        self.assertEqual(self.finish_all(), ["a1"])
        self.assertEqual((hashing.computed, hashing.waiting), (2, 0))


class ThreadTests(SynchronousTestCase):
    """The threads that hash give way to the one that answers."""

    def priority(self) -> int:
        return os.getpriority(os.PRIO_PROCESS, 0)

    def in_thread(self, compute: Callable[[], int]) -> int:
        found: list[int] = []
        thread = Thread(target=lambda: found.append(compute()))
        thread.start()
        thread.join()
        return found[0]

    def test_nice_is_forbidden(self) -> None:
        """Where a service manager does not let threads be nice, they compute all the same."""
        with mock.patch("os.setpriority", side_effect=PermissionError):
            self.assertEqual(self.in_thread(lambda: politely(lambda: "done")), "done")

    def test_nice(self) -> None:
        """Only the thread that computes, and one that is nicer already stays so."""
        before = self.priority()
        self.assertEqual(self.in_thread(lambda: politely(self.priority)), max(NICE, before))
        self.assertEqual(self.priority(), before)
        most = 19

        def nicer_already() -> int:
            os.setpriority(os.PRIO_PROCESS, 0, most)
            return politely(self.priority)

        self.assertEqual(self.in_thread(nicer_already), most)

    if sys.platform != "linux":
        test_nice.skip = "threads have no priority of their own"  # type: ignore[attr-defined]


class FailedLoginTests(SynchronousTestCase):
    """Every failed login has one text, and costs one computation."""

    def setUp(self) -> None:
        self.world = World()
        self.world.member("alice")
        self.guest = self.world.connect()
        self.guest.received()

    def costs(self, *lines: str) -> tuple[list[str], int]:
        before = self.world.hashing.computed
        return self.guest.ask(*lines), self.world.hashing.computed - before

    def test_text(self) -> None:
        wrong = self.costs("LOGIN alice wrong-password")
        self.assertEqual(wrong, (["ERR bad-credentials wrong name or password"], 1))
        others = ("nobody wrong-password", "operator wrong-password", 'alice ""', "alice x", f"alice {'x' * 5000}", f"nobody {'x' * 5000}")
        for other in others:
            self.assertEqual(self.costs(f"LOGIN {other}"), wrong, other[:20])

    def test_json(self) -> None:
        def request(name: str, password: str) -> str:
            return f'{{"jsonrpc":"2.0","id":1,"method":"auth.login","params":["{name}","{password}"]}}'

        wrong = self.costs(request("alice", "wrong-password"))
        self.assertIn("bad-credentials", wrong[0][0])
        for name, password in (("nobody", "wrong-password"), ("operator", PASSWORD), ("alice", ""), ("alice", "x" * 5000)):
            self.assertEqual(self.costs(request(name, password)), wrong, name)

    def test_prompt(self) -> None:
        for name in ("alice", "nobody"):
            answer, computed = self.costs(f"LOGIN {name}", "x" * 5000)
            self.assertEqual((answer, computed), (["* Password:", "ERR bad-credentials wrong name or password"], 1))

    def test_too_many(self) -> None:
        """They are told when to come back, and the connection lives."""
        world = World(hashing_waiting=1)
        world.hashing_waits = True
        first, second = world.connect(), world.connect()
        first.ask("LOGIN alice wrong-password")
        answer = second.call("auth.login", username="alice", password="wrong-password")
        self.assertEqual(answer["error"]["data"], {"code": "rate-limited", "retry_after": 1})
        self.assertEqual(second.ask("PING here"), ["OK here"])

    def test_no_hash_for_what_is_refused_anyway(self) -> None:
        """A taken name, a bad password, a login in a session that has one: none of them makes work. Nor does a token."""
        alice = self.world.connect()
        token = alice.call("auth.login", username="alice", password=PASSWORD)["result"]["resume"]
        before = self.world.hashing.computed
        self.guest.ask("CREATE alice long-enough", "CREATE carol short", "CREATE operator long-enough", f"RESUME {token}", "RESUME x")
        alice.ask(f"LOGIN alice {PASSWORD}", "CREATE dora long-enough")
        self.assertEqual(self.world.hashing.computed, before)
