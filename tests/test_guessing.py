"""
Guessing: how many guesses get through to a hash, who has to wait, and who never has.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock as Time
from twisted.trial.unittest import SynchronousTestCase

from securehub.origins import Origin, origin
from securehub.refusals import BadCredentials, NotFound, RateLimited
from securehub.services.auth.buckets import Rate
from securehub.services.auth.guessing import Guessing
from securehub.store.journal import JournalStore
from tests.test_buckets import most_takings
from tests.world import PASSWORD, Client, World

HOUR = 3600
HOME, AWAY = "198.51.100.7", "192.0.2.1"


class OriginTests(SynchronousTestCase):
    """Where an address belongs."""

    def test_networks(self) -> None:
        expected = {
            "192.0.2.77": Origin("192.0.2.0/24", "192.0.2.77", False),
            "127.0.0.1": Origin("127.0.0.0/24", "127.0.0.1", True),
            "127.9.9.9": Origin("127.9.9.0/24", "127.9.9.9", True),
            "2001:db8:1:2:3:4:5:6": Origin("2001:db8:1:2::/64", "2001:db8:1:2::/64", False),
            "::1": Origin("::/64", "::/64", True),
            "fe80::1%eth0": Origin("fe80::/64", "fe80::/64", False),
            "local": Origin("local", "local", False),
        }
        self.assertEqual({address: origin(address) for address in expected}, expected)

    def test_ipv4_over_ipv6(self) -> None:
        """A socket for both shows IPv4 peers within one /64; they are IPv4 peers all the same."""
        for address in ("192.0.2.77", "127.0.0.1"):
            self.assertEqual(origin(f"::ffff:{address}"), origin(address))


def guessing(time: Time, *, trust_loopback: bool) -> Guessing:
    """With the rates that are the defaults."""
    return Guessing(lambda: Rate(10, HOUR), lambda: Rate(30, 120), time.seconds, trust_loopback=lambda: trust_loopback)


class TrialTests(SynchronousTestCase):
    """Which buckets a try counts in."""

    def setUp(self) -> None:
        self.time = Time()
        self.guessing = guessing(self.time, trust_loopback=True)

    def guess(self, username: str | None, address: str, *known: str) -> bool:
        """Guess wrong; whether the guess got through."""
        try:
            with self.guessing.trial(username, address, known):
                raise BadCredentials("wrong name or password")
        except BadCredentials:
            return True
        except RateLimited:
            return False

    def guesses(self, username: str | None, address: str, *known: str) -> int:
        """Guess until it does not get through; how often it did."""
        count = 0
        while self.guess(username, address, *known):
            count += 1
            assert count < 1000, "nothing ends this"
        return count

    def test_account(self) -> None:
        """From as many networks as one likes, an account can be guessed at no more often."""
        got_through = sum(self.guess("alice", f"10.0.{number}.1") for number in range(250))
        self.assertEqual(got_through, 11)
        self.assertTrue(self.guess("bob", "10.0.0.1"))

    def test_network(self) -> None:
        """From one network, no more for as many accounts as one likes."""
        for address in ("192.0.2.{}", "2001:db8::{}"):
            got_through = sum(self.guess(f"member{number}", address.format(number)) for number in range(250))
            self.assertEqual(got_through, 31)
        self.assertTrue(self.guess("member1", "192.0.3.1"))
        self.assertTrue(self.guess("member2", "2001:db8:0:1::1"))

    def test_loopback(self) -> None:
        """It has no bucket as a network, but accounts keep theirs; unless it is not trusted."""
        self.assertTrue(all(self.guess(f"member{number}", "127.0.0.1") for number in range(250)))
        self.assertEqual(self.guesses("alice", "127.0.0.1"), 11)
        self.guessing = guessing(self.time, trust_loopback=False)
        self.assertEqual(sum(self.guess(f"member{number}", "::1") for number in range(250)), 31)

    def test_known(self) -> None:
        """From a known network one gets in whatever strangers did, there too, and guesses no more often."""
        self.assertEqual(self.guesses("alice", AWAY), 11)
        for number in range(100):
            self.guess(f"member{number}", "198.51.100.8")
        self.assertFalse(self.guess("bob", HOME))
        home = "198.51.100.0/24"
        self.assertEqual(self.guesses("alice", "198.51.100.8", home), 11)
        self.assertEqual(self.guesses("alice", HOME, home), 11)

    def test_known_looks_like_unknown(self) -> None:
        """To who guesses from one address, an account that is known there and one that does not exist give the same answers."""

        def waits(username: str, *known: str) -> list[int]:
            found = []
            for _ in range(40):
                try:
                    with self.guessing.trial(username, "127.0.0.1", known):
                        raise BadCredentials("wrong name or password")
                except RateLimited as refusal:
                    found.append(refusal.retry_after)
                    self.time.advance(refusal.retry_after)
                except BadCredentials:
                    found.append(0)
            return found

        self.assertEqual(waits("alice", "127.0.0.0/24"), waits("nobody"))

    def test_failures_alone(self) -> None:
        """What succeeds, or is refused for another reason, costs nothing."""
        for _ in range(100):
            with self.guessing.trial("alice", AWAY):
                pass
            with self.assertRaises(NotFound), self.guessing.trial("alice", AWAY):
                raise NotFound
        self.assertEqual(self.guesses("alice", AWAY), 11)

    def test_text(self) -> None:
        """The text and the data agree on when to come back, and then one may."""
        self.guesses("alice", AWAY)
        refusal = self.assertRaises(RateLimited, self.guessing.trial("alice", AWAY).check)
        self.assertEqual(str(refusal), "too many tries have failed; try again in 5 s")
        self.assertEqual(refusal.data, {"code": "rate-limited", "retry_after": 5})
        self.time.advance(4.5)
        refusal = self.assertRaises(RateLimited, self.guessing.trial("alice", AWAY).check)
        self.assertEqual(refusal.data["retry_after"], 1)
        self.time.advance(0.5)
        self.guessing.trial("alice", AWAY).check()


class HubTests(SynchronousTestCase):
    """The same, asked of a hub."""

    def setUp(self) -> None:
        self.begin()

    def begin(self, **settings: Any) -> None:
        self.world = World(**settings)
        self.alice = self.world.connect(address=HOME)
        self.token = self.alice.call("auth.create", username="alice", password=PASSWORD)["result"]["resume"]

    def code(self, client: Client, method: str, **params: object) -> str:
        answer = client.call(method, **params)
        return answer["error"]["data"]["code"] if "error" in answer else "ok"

    def login(self, client: Client, username: str = "alice", password: str = "wrong-password") -> str:
        return self.code(client, "auth.login", username=username, password=password)

    def exhaust(self, client: Client, username: str = "alice") -> list[str]:
        return [self.login(client, username) for _ in range(13)]

    def test_no_hash(self) -> None:
        """A refused try costs none, and the right password is not looked at."""
        stranger = self.world.connect(address=AWAY)
        self.assertEqual(self.exhaust(stranger), ["bad-credentials"] * 11 + ["rate-limited"] * 2)
        before = self.world.hashing.computed
        self.assertEqual(self.login(stranger, password=PASSWORD), "rate-limited")
        self.assertEqual(self.world.hashing.computed, before)

    def test_names_that_do_not_exist(self) -> None:
        """They are limited as those that do, with the same texts."""
        answers = []
        for username, address in (("alice", AWAY), ("nobody", "203.0.113.9")):
            stranger = self.world.connect(address=address)
            answers.append([stranger.ask(f"LOGIN {username} wrong-password") for _ in range(15)][1:])
        self.assertEqual(answers[0], answers[1])

    def test_the_owner_gets_in(self) -> None:
        """From home, while a stranger is kept out; after a restart too, which empties the buckets but not what is known."""
        for _ in range(2):
            self.exhaust(self.world.connect(address=AWAY))
            self.assertEqual(self.login(self.world.connect(address="203.0.113.5"), password=PASSWORD), "rate-limited")
            self.assertEqual(self.login(self.world.connect(address="198.51.100.200"), password=PASSWORD), "ok")
            self.world.restart()

    def test_a_new_network(self) -> None:
        """Becomes known by a login there, with a password or a token; the next stranger's guesses do not matter there."""
        token = self.token
        for address, params in ((AWAY, {"password": PASSWORD}), ("203.0.113.5", None)):
            traveller = self.world.connect(address=address)
            if params:
                self.assertEqual(self.login(traveller, **params), "ok")
            else:
                self.assertEqual(self.code(traveller, "auth.resume", token=token), "ok")
        self.exhaust(self.world.connect(address="10.1.1.1"))
        for address in (HOME, AWAY, "203.0.113.5"):
            self.assertEqual(self.login(self.world.connect(address=address), password=PASSWORD), "ok")
        self.assertEqual(self.login(self.world.connect(address="10.2.2.2"), password=PASSWORD), "rate-limited")

    def test_all_at_once(self) -> None:
        """Guesses that are all sent before the first is verified are not verified for that; the right passwords of others are."""
        self.world.hashing_waits = True
        guessers = [self.world.connect(address=f"10.0.{number}.1") for number in range(100)]
        before = self.world.hashing.computed
        for guesser in guessers:
            guesser.send("LOGIN alice wrong-password")
        owner = self.world.connect(address=HOME)
        owner.received()
        owner.send(f"LOGIN alice {PASSWORD}")
        self.world.hashing_waits = False
        self.world.settle()
        answers = [guesser.received()[-1].split()[1] for guesser in guessers]
        self.assertEqual((answers.count("bad-credentials"), answers.count("rate-limited")), (12, 88))
        self.assertEqual(self.world.hashing.computed - before, 13)
        self.assertTrue(owner.received()[-1].startswith("OK Welcome back"))

    def test_who_left_costs_nothing(self) -> None:
        """What was asked on a connection that is lost before its turn is not computed."""
        self.world.hashing_waits = True
        clients = [self.world.connect(address=AWAY) for _ in range(6)]
        before = self.world.hashing.computed
        for number, client in enumerate(clients):
            client.send(f"LOGIN alice {PASSWORD}" if number % 2 else f"CREATE member{number} {PASSWORD}")
        for client in clients:
            client.close()
        self.world.hashing_waits = False
        self.world.settle()
        self.assertEqual(self.world.hashing.computed - before, 2)
        self.assertEqual(self.world.hashing.waiting, 0)

    def test_tokens(self) -> None:
        """Guessed tokens are limited by network; a good one is good all the same, and not in the way of logins elsewhere."""
        stranger = self.world.connect(address=HOME)
        tries = [self.code(stranger, "auth.resume", token=f"guess.{number}") for number in range(33)]
        self.assertEqual(tries, ["bad-credentials"] * 31 + ["rate-limited"] * 2)
        self.assertIn("too many tries have failed", stranger.ask("RESUME x")[-1])
        self.assertEqual(self.login(self.world.connect(address=HOME), "bob"), "rate-limited")
        self.assertEqual(self.login(self.world.connect(address=AWAY), "bob"), "bad-credentials")
        self.assertEqual(self.code(stranger, "auth.resume", token=self.token), "ok")

    def test_many_guesses(self) -> None:
        """
        Of a hundred thousand guesses over a week, from a thousand networks, less than two hundred get through to the hash; and the owner
        logs in from home every hour, at the first try.
        """
        # A store that runs everything thrice would only take longer.
        self.begin(make_store=JournalStore)
        guessers = [self.world.connect(address=f"10.{number // 250}.{number % 250}.1") for number in range(1000)]
        owner = self.world.connect(address=HOME)
        for client in (*guessers, owner):
            client.ask("PING")
        week = 7 * 24 * HOUR
        before, logins, outcomes = self.world.hashing.computed, 0, {"bad-credentials": 0, "rate-limited": 0}
        for number in range(100_000):
            outcomes[self.quick_guess(guessers[number * 7 % 1000], number)] += 1
            if number % 595 == 0:
                self.assertEqual(self.login(owner, password=PASSWORD), "ok", f"after {number} guesses")
                owner.ask("LOGOUT")
                logins += 1
            self.world.time.advance(week / 100_000)
        self.assertEqual(sum(outcomes.values()), 100_000)
        self.assertEqual(outcomes["bad-credentials"], self.world.hashing.computed - before - logins)
        self.assertLessEqual(outcomes["bad-credentials"], most_takings(Rate(10, HOUR), week))
        self.assertGreater(outcomes["bad-credentials"], 24 * 7)
        self.assertGreater(logins, 7 * 24 - 1)

    def quick_guess(self, guesser: Client, number: int) -> str:
        guesser.send(f"LOGIN alice guess-{number}")
        self.world.settle()
        return guesser.received()[-1].split()[1]
