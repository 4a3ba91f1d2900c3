"""
What an operator needs in bad times: who is connected, how the hub is, what was done; and that none of it tells a lie.
"""

from __future__ import annotations

import errno
import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from securehub.daemon.operations import Operations
from securehub.hub import Hub
from tests.store.setting import at_once
from tests.world import PASSWORD, Client, World

FULL = OSError(errno.ENOSPC, "No space left on device")


class AdminCase(SynchronousTestCase):
    """Two members, and the operator."""

    def setUp(self) -> None:
        self.world = World()
        self.alice, self.bob = self.world.member("alice"), self.world.member("bob")
        self.operator = self.world.operator()

    def number(self, client: Client) -> int:
        assert client.protocol.session is not None
        return client.protocol.session.number

    def result(self, method: str, **params: Any) -> Any:
        return self.operator.call(method, **params)["result"]

    def audit(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.result("admin.audit")["items"]
        return items


class PasswordTests(AdminCase):
    """An admin gives somebody a new password."""

    def test_an_admin_no_more(self) -> None:
        """Who has lost the role before it is hashed has lost it."""
        self.operator.ask("admin.grant alice admin")
        self.world.hashing_waits = True
        self.alice.ask("admin.password bob taken-over-battery")
        self.operator.ask("admin.ungrant alice admin")
        self.world.hashing_waits = False
        self.world.settle()
        self.assertEqual(self.alice.received()[-1], "ERR forbidden this needs the role admin")
        self.assertIn("OK", self.world.connect().ask(f"LOGIN bob {PASSWORD}")[-1])


class DisconnectTests(AdminCase):
    """A connection that is ended is that one, once."""

    def test_numbers(self) -> None:
        """Are one row over both doors, so each means one connection."""
        self.assertEqual([self.number(each) for each in (self.alice, self.bob, self.operator)], [1, 2, 3])

    def test_one_of_several(self) -> None:
        """The member's other sessions stay, and nothing of the ended one is left."""
        second = self.world.back("bob")
        self.result("admin.disconnect", connection=self.number(self.bob), reason="you may come back")
        self.assertEqual((self.bob.received(), self.bob.closed), (["* Bye: you may come back"], True))
        self.assertFalse(second.closed)
        self.assertNotIn(self.number(self.bob), self.world.hub.sessions)
        self.assertEqual(len(self.world.hub.switchboard.listeners("connection/2")), 0)

    def test_events_are_off(self) -> None:
        """Goodbye is said all the same."""
        self.bob.ask("EVENTS off")
        self.operator.ask("admin.disconnect 2")
        self.assertEqual(self.bob.received(), ["* Bye: an admin has ended this connection."])

    def test_a_key(self) -> None:
        """A repeat ends nothing more, also where the number means another connection by then."""
        first = self.result("admin.disconnect", connection=2, key="k")
        self.assertEqual(self.result("admin.disconnect", connection=2, key="k"), first)
        self.world.restart()
        one, two = self.world.connect(), self.world.connect()
        self.operator = self.world.operator()
        self.assertEqual([self.number(one), self.number(two)], [1, 2])
        self.assertEqual(self.result("admin.disconnect", connection=2, key="k"), first)
        self.assertFalse(two.closed)
        self.assertEqual([entry["command"] for entry in self.audit()], ["admin.disconnect"])

    def test_what_was_asked_is_answered(self) -> None:
        """Be it still at the gate; what was not begun is not carried out."""
        self.world.disk_waits = True
        self.bob.send("OPEN savings")
        self.world.settle()
        self.operator.send("admin.disconnect 2")
        self.world.settle()
        self.bob.send("OPEN more")
        self.world.disk_waits = False
        self.world.settle()
        self.assertEqual([line[:9] for line in self.bob.received()], ["OK Accoun", "* Bye: an"])
        self.assertEqual(self.world.hub.store.counts()["account"], 3)

    def test_while_a_password_is_verified(self) -> None:
        """It comes to nothing: it is answered first, and then the connection ends."""
        guest = self.world.connect()
        guest.received()
        self.world.hashing_waits = True
        guest.ask(f"LOGIN bob {PASSWORD}")
        self.operator.ask(f"admin.disconnect {self.number(guest)}")
        self.world.hashing_waits = False
        self.world.settle()
        self.assertEqual([line[:6] for line in guest.received()], ["ERR no", "* Bye:"])
        self.assertTrue(guest.closed)

    def test_goodbye_is_the_last(self) -> None:
        """Also where a command was not waited for, and is done before the goodbye can leave."""
        guest = self.world.connect()
        guest.received()
        self.world.hashing_waits = self.world.disk_waits = True
        guest.ask(f"LOGIN bob {PASSWORD}")
        self.alice.send("OPEN more")
        self.world.settle()
        guest.protocol.say_bye("enough.")
        self.world.hashing_waits = False
        self.world.settle()
        self.assertEqual(guest.received(), [])
        self.world.disk_waits = False
        self.world.settle()
        self.assertEqual(guest.received(), ["* Bye: enough."])
        self.assertTrue(guest.closed)

    def test_one_who_does_not_read(self) -> None:
        """Is not waited for."""
        self.bob.transport.stop_reading()
        self.bob.ask(*[f"PING {'x' * 10_000}"] * 20)
        self.operator.ask("admin.disconnect 2")
        self.world.elapse(6)
        self.assertTrue(self.bob.closed)

    def test_the_disk_is_full(self) -> None:
        """What cannot be noted is not done."""
        self.world.directory.fail(FULL, times=None)
        self.operator.ask("admin.disconnect 2")
        again = self.world.operator()
        self.assertTrue(again.ask("admin.disconnect 1")[0].startswith("ERR unavailable"))
        self.assertFalse(self.alice.closed)


class AnnounceTests(AdminCase):
    """What is said to all reaches those who are logged in."""

    def test_who_hears(self) -> None:
        """Not strangers, not who has logged out, not who wants no events; and each session once."""
        guest, second, quiet = self.world.connect(), self.world.back("alice"), self.world.member("carol")
        quiet.ask("EVENTS off")
        self.bob.ask("LOGOUT")
        for client in (guest, second):
            client.received()
        self.operator.ask("admin.announce tea is ready")
        for client, count in ((self.alice, 1), (second, 1), (self.bob, 0), (guest, 0), (quiet, 0)):
            self.assertEqual(client.received(), ["* Announcement: tea is ready"] * count)

    def test_the_longest(self) -> None:
        """4,000 characters of whatever kind fit into an event; one more is refused, and so is none."""
        for character in ("x", "🎉", '"', "\n"):
            text = "a" + character * 3_998 + "b"
            request = {"jsonrpc": "2.0", "id": 1, "method": "admin.announce", "params": {"text": text}}
            self.assertEqual(self.operator.ask(json.dumps(request, ensure_ascii=False)), ['{"jsonrpc":"2.0","id":1,"result":{}}'])
            heard = "\n".join(line.removeprefix("  ") for line in self.alice.received())
            self.assertEqual(heard.removeprefix("* Announcement:").strip(), text)
        for text in ("x" * 4_001, "", " \n "):
            self.assertEqual(self.operator.call("admin.announce", text=text)["error"]["data"]["code"], "bad-arguments")


class AuditTests(AdminCase):
    """The entries stand in the journal, with what they tell of."""

    def test_in_the_same_commit(self) -> None:
        """One line of the chain has both."""
        self.operator.ask("DEPOSIT alice 5")
        newest = max(name for name in self.world.directory.names() if name.startswith("journal"))
        line = json.loads(self.world.directory.files[newest].splitlines()[-1])
        self.assertLessEqual({"audit", "transfer", "account"}, {collection for collection, _, _ in line["changes"]})

    def test_what_is_lost(self) -> None:
        """If the disk takes neither, there is neither."""
        self.world.directory.fail(FULL, times=None)
        self.operator.ask("DEPOSIT alice 5")
        self.world.directory.heal()
        self.world.elapse(2)
        self.operator = self.world.operator()
        self.assertEqual(self.audit(), [])
        self.operator.ask("DEPOSIT alice 5")
        self.assertEqual(len(self.audit()), 1)

    def test_after_a_crash(self) -> None:
        self.operator.ask("DEPOSIT alice 5")
        before = self.audit()
        self.world.restart(crash=True)
        self.operator = self.world.operator()
        self.assertEqual(self.audit(), before)

    def test_nothing_is_left_over(self) -> None:
        """A command that was refused before it came to its transaction leaves nothing for the next one of that session."""
        self.operator.ask("admin.grant alice treasurer")
        self.alice.ask("DEPOSIT nobody 5", "TRANSFER bob 1", "DEPOSIT alice 5", "TRANSFER bob 1", "OPEN savings")
        self.assertEqual([entry["command"] for entry in self.audit()], ["ledger.deposit", "admin.grant"])


class StatusTests(AdminCase):
    """The figures are those of this moment."""

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.result("admin.status")
        return found

    def test_who_is_there(self) -> None:
        self.world.connect()
        self.world.connect(handshake=False)
        status = self.status()
        self.assertEqual((status["connections"], status["sessions"], status["handshakes"]), (5, 2, 1))

    def test_commits_per_second(self) -> None:
        """Over the last minute; quiet after it."""
        for _ in range(240):
            self.operator.ask("DEPOSIT alice 1")
            self.world.elapse(0.25)
        self.assertEqual(self.status()["commits_per_second"], 4)
        for _ in range(240):
            self.world.elapse(0.25)
        self.assertEqual(self.status()["commits_per_second"], 0)

    def test_loop_delay(self) -> None:
        """A minute of which one beat was late."""
        for _ in range(200):
            self.world.elapse(0.25)
        self.world.elapse(0.25 + 0.5)
        status = self.status()
        self.assertEqual((status["loop_delay_p99_ms"], status["loop_delay_max_ms"]), (0, 500))
        for _ in range(240):
            self.world.elapse(0.25)
        self.assertEqual(self.status()["loop_delay_max_ms"], 0)

    def test_queues(self) -> None:
        """What waits for peers, and for the disk."""
        self.bob.transport.stop_reading()
        self.bob.ask(*[f"PING {'x' * 10_000}"] * 20)
        self.assertEqual(self.status()["queued_bytes"], 0)
        for _ in range(10):
            self.operator.ask("DEPOSIT bob 1 " + "m" * 200)
        queued = self.status()["queued_bytes"]
        self.assertGreater(queued, 10 * 200)
        rows = {row["username"]: row["queued"] for row in self.result("admin.connections")["items"]}
        self.assertEqual(rows, {"alice": 0, "bob": queued, "operator": 0})

    def test_unsynced(self) -> None:
        """What is waiting for the disk is told by the store; the answer itself would wait for it."""
        store = self.world.hub.store
        self.world.disk_waits = True
        self.alice.send("OPEN savings")
        self.world.settle()
        self.assertGreater(store.unsynced_bytes, 100)
        self.assertGreater(self.world.hub.sessions[1].queued, 0)
        self.world.disk_waits = False
        self.world.settle()
        self.assertEqual(store.unsynced_bytes, 0)

    def test_journal(self) -> None:
        """The size of all segments, also after a restart and a disk that failed."""

        def on_disk() -> int:
            return sum(len(content) for name, content in self.world.directory.files.items() if name.startswith("journal"))

        self.alice.ask("OPEN savings")
        self.assertEqual(self.status()["journal_bytes"], on_disk())
        self.world.restart()
        self.operator = self.world.operator()
        self.assertEqual(self.status()["journal_bytes"], on_disk())

    def test_what_the_world_tells(self) -> None:
        """Memory and certificate are nothing that a hub knows by itself."""
        world = self.world
        hub = Hub(
            world.settings,
            world._factories,
            directory=world.directory,
            worker=world.worker,
            reactor=world.time,
            clock=world.hub.clock,
            random=world.random,
            hashing=world.hashing,
            operations=Operations(certificate_days=lambda: 3, memory_bytes=lambda: 123, certificate_trouble=lambda: "it ends"),
        )
        hub.store.open()
        status = at_once(hub.services["admin"].status(None))
        self.assertEqual((status.memory_bytes, status.certificate_days), (123, 3))
        health = at_once(hub.services["admin"].health(None))
        self.assertEqual((health.well, health.troubles), (False, ["it ends"]))

    def test_a_stop(self) -> None:
        """Leaves no timer behind."""
        self.world.stop()
        self.world.elapse(60)
        self.assertEqual(self.world.time.getDelayedCalls(), [])
