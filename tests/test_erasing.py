"""
Members take out what is kept about them, and are erased, however much it is and whatever happens in the middle.
"""

from __future__ import annotations

import errno
import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from securehub.services.auth import export
from securehub.services.ledger import memory
from securehub.services.ledger.records import Account
from securehub.store.collection import PARTS
from securehub.store.transaction import ReadTransaction
from tests.authenticator import code, identity
from tests.store.setting import at_once
from tests.world import PASSWORD, Client, World

PAYMENTS = 2 * memory.AT_ONCE + 20
"""So that it takes three steps to blank their memos."""


class Ends(SynchronousTestCase):
    """Whatever somebody takes for the end of a page, it is no fault of ours."""

    def test_unknown(self) -> None:
        world = World()
        alice = world.member("alice")
        world.operator().ask("admin.grant alice seller")
        for request in ("OPEN savings", "INCOME 10", "JOIN kitchen", "SAY kitchen hello", "orders.item tea price=1", "SUPPORT help"):
            self.assertIn("OK", alice.ask(request)[-1], request)
        for service in ("admin", "auth", "budget", "chat", "ledger", "loyalty", "orders", "support"):
            for end in ("", "/", "/x", "/entry/x", "/case/x", "/message/x", "/bogus/1", "/999000000000000014/x", "/item/~", "/change/x"):
                answer = alice.call("auth.export", after=service + end)
                code = answer["error"]["data"]["code"] if "error" in answer else "bad-arguments"
                self.assertEqual(code, "bad-arguments", service + end)


class Factors(SynchronousTestCase):
    """Alice logs in with a certificate and one-time codes."""

    def setUp(self) -> None:
        self.world = World()
        self.laptop = identity("laptop", self.world.now())
        self.alice = self.world.connect(certificate=self.laptop)
        self.alice.received()
        self.alice.ask(f"CREATE alice {PASSWORD}")
        self.fingerprint = self.alice.call("auth.cert_add")["result"]["fingerprint"]
        secret = self.alice.call("auth.otp_setup")["result"]["secret"]
        self.recovery = self.alice.call("auth.otp_confirm", code=code(secret, self.world.now()))["result"]["recovery_codes"]
        self.secret = secret

    def test_shown(self) -> None:
        """What is kept of them, and nothing with which to log in."""
        result = self.alice.call("auth.export")["result"]
        items = {item["kind"]: item["values"] for item in result["items"]}
        self.assertEqual(items["codes"], {"secret": "kept sealed", "on": True, "recovery_codes_left": 10})
        self.assertEqual(items["certificate"]["fingerprint"], self.fingerprint)
        for word in (self.secret, *self.recovery):
            self.assertNotIn(word, json.dumps(result))

    def test_gone(self) -> None:
        """With the member; the certificate is free for another."""
        self.alice.call("auth.erase", password=PASSWORD)
        counts = self.world.hub.store.counts()
        self.assertEqual([counts[kind] for kind in ("otp", "certificate", "certificates")], [0, 0, 0])
        bob = self.world.connect(certificate=self.laptop)
        bob.received()
        self.assertEqual(bob.ask("LOGIN alice x-wrong-horse"), ["ERR bad-credentials wrong name or password"])
        bob.ask(f"CREATE bob {PASSWORD}")
        self.assertEqual(bob.call("auth.cert_add")["result"], {"fingerprint": self.fingerprint})


class Much(SynchronousTestCase):
    """Alice has paid bob many times, each time with a memo, and has nothing left."""

    def setUp(self) -> None:
        self.world = World()
        self.operator = self.world.operator()
        self.alice, self.bob = self.world.member("alice"), self.world.member("bob")
        self.operator.ask(f"DEPOSIT alice {PAYMENTS}")
        for number in range(PAYMENTS):
            self.alice.send(f"TRANSFER bob 1 memo-{number}")
        self.world.settle()
        self.alice.received()

    def memos(self) -> list[str]:
        """Those that bob sees; not empty ones."""
        bob = self.world.back("bob")
        items = bob.call("ledger.history", limit=1000)["result"]["items"]
        self.assertEqual(len(items), PAYMENTS)
        return [item["memo"] for item in items if item["memo"]]

    def left(self) -> int:
        """How many members there are of whom something is left to forget."""
        return int(self.world.hub.store.counts()["erasure"])

    def export(self, client: Client, **params: Any) -> dict[str, Any]:
        result: dict[str, Any] = client.call("auth.export", **params)["result"]
        return result

    def test_in_steps(self) -> None:
        """Each part of the answers that are kept has a turn, and each step of each service."""
        self.assertEqual(len(self.memos()), PAYMENTS)
        others: list[int] = []

        def other() -> None:
            others.append(self.left())
            if others[-1]:
                self.world.time.callLater(0, other)

        self.operator.send("admin.erase alice")
        self.world.time.callLater(0, other)
        self.world.settle()
        self.assertGreater(len(others), PARTS + len(self.world.hub.services))
        self.assertEqual((self.memos(), self.left()), ([], 0))

    def test_a_crash_in_the_middle(self) -> None:
        """The next start goes on."""
        self.operator.send("admin.erase alice")
        self.world.time.advance(0)
        self.world.worker.step()
        self.world.restart(crash=True)
        self.assertEqual(self.left(), 1)
        self.world.settle()
        self.assertEqual((self.memos(), self.left()), ([], 0))

    def test_a_full_disk_at_the_beginning(self) -> None:
        """Who has asked is told nothing that the disk did not take: the connection is cut, and the member is there as before."""
        self.world.directory.fail(OSError(errno.ENOSPC, "full"), times=None)
        self.operator.send("admin.erase alice")
        # While it waits for others.
        self.world.time.callLater(0, self.world.worker.step)
        self.world.settle()
        self.assertEqual((self.operator.received(), self.operator.closed), ([], True))
        self.world.directory.heal()
        self.world.elapse(2)
        self.assertEqual((len(self.memos()), self.left()), (PAYMENTS, 0))
        self.world.back("alice")

    def test_a_full_disk_in_the_middle(self) -> None:
        """What has begun goes on by itself; the account is gone from the beginning."""
        self.operator.send("admin.erase alice")
        self.world.time.advance(0)
        self.world.worker.step()
        self.world.directory.fail(OSError(errno.ENOSPC, "full"), times=None)
        self.world.settle()
        self.assertEqual(self.left(), 1)
        self.world.directory.heal()
        self.world.elapse(2)
        self.assertTrue(self.world.connect().ask(f"LOGIN alice {PASSWORD}")[-1].startswith("ERR bad-credentials"))
        self.assertNotEqual(self.memos(), [])
        self.world.elapse(3600)
        self.assertEqual((self.memos(), self.left()), ([], 0))

    def test_a_fault_with_one(self) -> None:
        """Whatever is wrong with what is kept about one member, the others are forgotten."""
        self.world.member("carol")
        another = self.world.operator()
        self.operator.send("admin.erase alice")
        another.send("admin.erase carol")
        self.world.time.advance(0)
        self.world.worker.step()
        self.world.restart(crash=True)
        self.assertEqual(self.left(), 2)
        ledger = self.world.hub.services["ledger"]
        forget = ledger.forget

        def faulty(tx: Any, username: str, after: str) -> Any:
            if username == "alice":
                raise ZeroDivisionError
            return forget(tx, username, after)

        self.patch(ledger, "forget", faulty)
        self.world.settle()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.left(), 1)

    def test_a_fault_with_a_service(self) -> None:
        """The others, those behind it among them, forget all the same; it is asked again within the hour, until it has forgotten, too."""
        budget = self.world.hub.services["budget"]
        forget = budget.forget

        def faulty(tx: Any, username: str, after: str) -> Any:
            raise ZeroDivisionError

        self.patch(budget, "forget", faulty)
        self.assertTrue(self.operator.ask("admin.erase alice")[-1].startswith("OK alice is erased."))
        self.assertEqual((self.memos(), self.left(), len(self.flushLoggedErrors(ZeroDivisionError))), ([], 1, 1))
        self.world.elapse(3600)
        self.assertEqual((self.left(), len(self.flushLoggedErrors(ZeroDivisionError))), (1, 1))
        self.patch(budget, "forget", forget)
        self.world.elapse(3600)
        self.assertEqual(self.left(), 0)

    def test_who_asked_is_gone(self) -> None:
        """It is done all the same."""
        self.world.disk_waits = True
        self.operator.send("admin.erase alice")
        self.operator.close()
        self.world.disk_waits = False
        self.world.settle()
        self.assertTrue(self.alice.closed)
        self.assertEqual((self.memos(), self.left()), ([], 0))

    def test_nothing_is_left(self) -> None:
        """In no record, as a snapshot shows, is any of it: neither names nor memos nor addresses nor hashes."""
        self.alice.ask('PROFILE name="Alice Liddell"', "OPEN rabbit-hole")
        self.alice.ask("JOIN tea", "SAY tea mock-turtle", "chat.edit tea 1 mock-soup", "SAY @bob gryphon", "STATUS asleep-in-the-grass")
        self.operator.ask("admin.grant bob agent")
        self.alice.ask("SUPPORT my white-rabbit is late")
        self.bob.ask("support.take 1", "support.reply 1 the red-queen has it", "support.note 1 she is a cheshire-cat")
        self.alice.ask("STATUS sleepy-dormouse key=1", "budget.goal_set hat-ter 600 2027-05-01 key=ten-shillings")
        self.alice.call("chat.status", text="sleepy-dormouse", key="2")
        self.bob.call("chat.status", text="mad-hare", key="2")
        self.operator.ask("admin.erase alice")
        self.bob.send(*["PROFILE name=Bob"] * 1000)
        self.world.settle()
        self.world.stop()
        snapshot = next(content for name, content in self.world.directory.files.items() if name.startswith("snapshot"))
        for text in (b"Liddell", b"rabbit-hole", b"memo-", b"mock-", b"gryphon", b"asleep", b"white-", b"red-queen", b"cheshire"):
            self.assertNotIn(text, snapshot)
        for text in (b"dormouse", b"hat-ter", b"ten-shillings"):
            self.assertNotIn(text, snapshot)
        self.assertEqual(snapshot.count(b"mad-hare"), 2)
        self.assertIn(b'"alice"', snapshot)
        self.assertEqual(snapshot.count(b"$argon2"), 1)

    def test_the_archive_can_go(self) -> None:
        """What is older than a snapshot can be removed, and the hub starts without it."""
        self.operator.ask("admin.erase alice")
        self.bob.send(*["PROFILE name=Bob"] * 1000)
        self.world.settle()
        self.world.stop()
        for name in self.world.directory.names():
            if name.startswith("journal"):
                self.world.directory.remove(name)
        for content in self.world.directory.files.values():
            self.assertNotIn(b"memo-", content)
        self.world.start_again()
        self.assertEqual(self.memos(), [])
        self.assertEqual(self.world.operator().ask("ledger.trial_balance")[-2:], ["  USD       0.00", "OK"])

    def test_pages(self) -> None:
        """All pages together are all, each thing once and in order."""
        page = self.export(self.alice)
        self.assertFalse(page["more"])
        for limit in (1, 7, 50):
            self.patch(export, "PAGE", limit)
            part = self.export(self.alice)
            found, after = part["items"], part["next"]
            while after is not None:
                part = self.export(self.alice, after=after)
                self.assertLessEqual(len(part["items"]), limit)
                self.assertEqual(part["username"], "alice")
                self.assertEqual(part["more"], part["next"] is not None)
                found += part["items"]
                after = part["next"]
            self.assertEqual(found, page["items"])
        self.assertEqual(len(found), 8 + PAYMENTS)

    def test_pages_for_people(self) -> None:
        """They are told how to go on, and nothing where there is no more."""
        self.patch(export, "PAGE", PAYMENTS)
        told = self.alice.ask("auth.export")[-1]
        self.assertTrue(told.startswith("OK there is more; ask with after="), told)
        self.assertEqual(self.alice.ask(f"auth.export {told.rpartition(' ')[2]}")[-1], "OK")

    def test_long_items(self) -> None:
        """A page has so many bytes: five hundred long messages, with all that they had been, were 170 MB. What is left comes behind it."""
        world = World()
        alice = world.member("alice")
        alice.ask("JOIN lobby", *[f"SAY lobby {'x' * 4000}"] * 30, *[f"chat.edit lobby {seq} {'y' * 4000}" for seq in range(1, 31)])
        whole = self.export(alice)["items"]
        self.patch(export, "MOST_BYTES", 40_000)
        part = self.export(alice)
        found = part["items"]
        self.assertTrue(part["more"])
        while part["more"]:
            self.assertLess(len(json.dumps(part)), 60_000)
            part = self.export(alice, after=part["next"])
            found += part["items"]
        self.assertEqual(found, whole)
        self.assertEqual(sum("before" in each["values"] for each in found), 30)

    def test_no_secrets(self) -> None:
        """An export has neither hashes nor tokens."""
        text = json.dumps(self.export(self.alice))
        for secret in ("$argon2", "digest", "used", "fresh", PASSWORD):
            self.assertNotIn(secret, text)

    def test_nobody_watches(self) -> None:
        """Their accounts are watched for nobody's budget any more."""

        def watched(tx: ReadTransaction) -> dict[str, bool]:
            return {account.owner: account.watched for _, account in tx.scan(Account)}

        self.alice.ask("budget.rule_add wants payee=bob")
        self.assertTrue(at_once(self.world.hub.store.read(watched))["alice"])
        self.operator.ask("admin.erase alice")
        self.assertFalse(at_once(self.world.hub.store.read(watched))["alice"])

    def test_a_name_is_never_given_away(self) -> None:
        """Also after a restart."""
        self.operator.ask("admin.erase alice")
        self.world.restart()
        self.assertEqual(self.world.connect().ask(f"CREATE alice {PASSWORD}")[-1], "ERR exists the name alice is taken")


class NotYetForgotten(SynchronousTestCase):
    """Alice is erased, and the disk is full before what is open with her has ended."""

    def setUp(self) -> None:
        self.world = World()
        self.operator = self.world.operator()
        self.alice, self.bob = self.world.member("alice"), self.world.member("bob")
        self.operator.ask("DEPOSIT bob 50")
        self.alice.ask("ledger.request bob 20 for the tea")
        self.bob.ask("ledger.hold alice 10")
        self.operator.send("admin.erase alice")
        self.world.time.advance(0)
        self.world.worker.step()
        self.world.directory.fail(OSError(errno.ENOSPC, "full"), times=None)
        self.world.settle()
        self.world.directory.heal()
        self.world.elapse(2)
        self.assertEqual(self.world.hub.store.counts()["erasure"], 1)

    def test_request(self) -> None:
        """Nobody pays into an account that is nobody's."""
        self.assertEqual(self.bob.ask("ledger.accept 1"), ["ERR not-found there is no account 999000000000000014"])

    def test_hold(self) -> None:
        """Nor does a treasurer take money out of a hold for it."""
        operator = self.world.operator()
        self.assertEqual(operator.ask("ledger.capture 1"), ["ERR not-found there is no account 999000000000000014"])
        self.assertIn("OK", operator.ask("ledger.release 1")[-1])
