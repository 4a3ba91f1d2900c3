"""
Backups, drills and verification while a hub runs: what is told, refused, and done by itself.
"""

from __future__ import annotations

import errno
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import msgspec
from msgspec.structs import replace
from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import LogEvent, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from securehub import config
from securehub.daemon import safekeeping
from securehub.daemon.beside import Processes
from securehub.services.admin import safety
from securehub.services.ledger.records import Account
from securehub.store import journal
from securehub.store.child import ChildFolding
from securehub.store.fold import Folded, Order
from securehub.store.journal import JournalStore
from securehub.store.keys import Keys, NoKey, name_of
from securehub.store.rotation import Use
from securehub.store.transaction import Transaction
from tests.disk import MemoryDirectory
from tests.store.setting import ONE, TWO, at_once
from tests.tools import logged
from tests.world import Client, World

HOUR = 3600
SECRETS = [b'"alice"', b'"bobby"', b'"cellar', b"the wedding", b"secret-savings", b"let us meet", b":1234567", b"1234567,", b"flowers"]


def told_by(module: ModuleType, told: list[LogEvent]) -> list[tuple[str, str]]:
    """What a module has said in the log, each with its level."""
    return [(each["log_level"].name, formatEvent(each)) for each in told if each["log_namespace"] == module.__name__]


class Exhausted:
    """A reactor of a system that begins no more processes."""

    def spawnProcess(self, *_: object, **given: object) -> None:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")


class ProcessesTests(SynchronousTestCase):
    """What the processes beside a hub come to."""

    def test_no_process_can_be_begun(self) -> None:
        """That is told like anything else that keeps a tool from its work, and is not in the way of a stop."""
        processes = Processes(Exhausted(), config.settings(None, {"state": self.mktemp()}))
        said = self.successResultOf(processes.run("backup", "--until", "1"))
        self.assertEqual(said, {"refused": "no process can be begun: Resource temporarily unavailable", "status": 2})
        processes.stop()

    def test_no_disk_for_backups(self) -> None:
        """One that cannot be read is as one without backups; so a hub starts without."""
        file = Path(self.mktemp())
        file.touch()
        last = Processes(Exhausted(), config.settings(None, {"state": self.mktemp(), "backups": str(file)})).last()
        self.assertEqual((last.backup, last.drill), (None, None))
        processes = Processes(Exhausted(), config.settings(None, {"state": self.mktemp()}))
        with mock.patch("os.stat", side_effect=PermissionError), mock.patch("io.open", side_effect=PermissionError):
            last = processes.last()
        self.assertEqual((last.backup, last.drill), (None, None))

    def test_no_child_can_be_begun(self) -> None:
        """Nor is that, of the child that folds."""
        folding = ChildFolding(Exhausted(), Path(self.mktemp()))
        self.assertRaises(OSError, folding.fold, Order(1, {}, ""))
        self.successResultOf(folding.stop())


class Safekeeping(SynchronousTestCase):
    """A hub with somebody beside it."""

    def start(self, **settings: Any) -> None:
        self.world = World(**settings)
        self.operator = self.world.operator()

    def setUp(self) -> None:
        self.start()

    def call(self, method: str, client: Client | None = None) -> dict[str, Any]:
        answer = (client or self.operator).call(method)
        found: dict[str, Any] = answer.get("result") or answer["error"]
        return found

    def troubles(self) -> str:
        health = self.call("admin.health")
        self.assertEqual(health["well"], not health["troubles"])
        self.assertEqual(health["line"].startswith("unwell"), not health["well"])
        return "; ".join(health["troubles"])

    def test_backup_of_what_is_synced(self) -> None:
        """A backup is asked for up to what is on the disk at that moment, and not beyond."""
        alice = self.world.member("alice")
        self.world.disk_waits = True
        alice.send("OPEN savings")
        self.world.settle()
        self.operator.send("admin.backup")
        self.world.settle()
        self.assertEqual(self.world.beside.asked, [("backup", "--until", "1", "--kept", "7")])

    def test_told(self) -> None:
        """Status and health tell of the last backup and drill, also after a restart."""
        self.call("admin.backup")
        self.world.elapse(HOUR)
        self.call("admin.drill")
        for _ in range(2):
            status = self.call("admin.status")
            self.assertEqual((status["last_backup"], status["last_drill"]), ("2026-11-19T18:02:00Z", "2026-11-19T19:02:00Z"))
            self.assertEqual((status["drill_passed"], status["balanced"]), (True, True))
            self.assertIn("backup 1 h ago, drill 0 h ago", self.call("admin.health")["line"])
            self.world.restart()
            self.operator = self.world.operator()

    def test_in_the_log(self) -> None:
        """The line that admin.health shows is there every hour; as an error where something has to be done."""
        told = logged(self)
        self.call("admin.backup")
        self.world.elapse(HOUR)
        self.world.beside.says = {"backup": {"refused": "the disk: full", "status": 2}}
        self.call("admin.backup")
        self.world.elapse(HOUR)
        lines = told_by(safety, told)
        self.assertEqual([level for level, _ in lines], ["info", "error"])
        self.assertTrue(lines[0][1].startswith("Health: well, books balance, commit 0, head "), lines)
        self.assertTrue(lines[1][1].startswith("Health: unwell: the last backup failed (the disk: full), books balance"), lines)
        self.assertEqual(lines[1][1], f"Health: {self.call('admin.health')['line']}")

    def test_what_came_of_it_in_the_log(self) -> None:
        """Of what was made and found to be whole, and of what is wrong, as an error: it may have been begun by nobody."""
        told = logged(self)
        for tool in ("backup", "drill", "verify"):
            self.call(f"admin.{tool}")
        made = {"backup": "/backups/new", "at": self.world.now(), "status": 0, "commits": 0, "head": "3f6d", "bytes": 4711}
        self.world.beside.says = {
            "backup": {**made, "not_removed": "/backups/old: Operation not permitted"},
            "drill": {"passed": False, "why": "it is empty", "backup": "x", "number": 0, "status": 1, "at": self.world.now()},
            "verify": {"bad": "x, line 3: torn", "status": 1},
        }
        for tool in ("backup", "drill", "verify"):
            self.call(f"admin.{tool}")
        self.assertEqual(
            told_by(safekeeping, told),
            [
                ("info", "Backup /backups/backup-20261119T180200Z-0 was made, up to commit 0."),
                ("info", "A drill has opened the newest backup, up to commit 0: it is whole."),
                ("info", "Backup /backups/new was made, up to commit 0."),
                ("error", "An old backup could not be removed: /backups/old: Operation not permitted."),
                ("error", "A drill has failed: it is empty."),
                ("error", "What is kept is damaged: x, line 3: torn."),
            ],
        )

    def test_one_at_a_time(self) -> None:
        """While one is under way others are refused, and the hub goes on."""
        self.world.beside.waits = True
        self.operator.send("admin.backup")
        self.world.settle()
        other = self.world.operator()
        self.assertIn("a backup is under way", self.call("admin.verify", other)["message"])
        self.assertEqual(other.ask("PING"), ["OK"])
        self.world.beside.finish()
        self.world.settle()
        self.assertEqual(self.operator.received()[-1], "OK")
        self.world.beside.waits = False
        self.assertTrue(self.call("admin.verify", other)["passed"])

    def test_gone_meanwhile(self) -> None:
        """Who has asked for it need not wait; nobody is told, and it is done."""
        self.world.beside.waits = True
        self.operator.send("admin.backup")
        self.world.settle()
        self.operator.close()
        self.world.beside.finish()
        self.world.settle()
        self.operator = self.world.operator()
        self.assertIsNotNone(self.call("admin.status")["last_backup"])

    def test_refused(self) -> None:
        """What could not be done is a refusal that says why; that there is no backup is a trouble until there is one."""
        self.world.beside.says = {tool: {"refused": "the disk: full", "status": 2} for tool in ("backup", "drill", "verify")}
        for tool in ("backup", "drill", "verify"):
            refusal = self.call(f"admin.{tool}")
            self.assertEqual(refusal["data"]["code"], "unavailable")
            self.assertIn("the disk: full", refusal["message"])
        self.assertEqual(self.troubles(), "the last backup failed (the disk: full)")
        self.world.beside.says = {}
        self.call("admin.backup")
        self.assertEqual(self.troubles(), "")

    def test_damage(self) -> None:
        """Damage is an answer where one has asked for it, and a refusal of a backup; from then on the hub is unwell."""
        bad = {"bad": "journal-1.jsonl, line 3: the line's hash does not fit", "file": "journal-1.jsonl", "line": 3, "status": 1}
        self.world.beside.says = {"verify": bad, "backup": bad}
        self.assertIn("line 3", self.call("admin.backup")["message"])
        self.assertEqual(self.troubles(), f"the last backup failed ({bad['bad']})")
        found = self.call("admin.verify")
        self.assertEqual((found["passed"], found["why"]), (False, bad["bad"]))
        self.assertIn("verification failed (journal-1.jsonl, line 3", self.troubles())
        self.world.beside.says = {}
        self.call("admin.backup")
        self.call("admin.verify")
        self.assertEqual(self.troubles(), "")

    def test_failed_drill(self) -> None:
        failed = {"passed": False, "why": "it is empty", "backup": "x", "number": 0, "status": 1}
        self.world.beside.says["drill"] = {**failed, "at": self.world.now()}
        self.assertFalse(self.call("admin.drill")["passed"])
        self.assertIn("the last drill failed (it is empty)", self.troubles())
        self.assertFalse(self.call("admin.status")["drill_passed"])

    def test_disk(self) -> None:
        """A disk that takes no writes is a trouble."""
        alice = self.world.member("alice")
        self.world.directory.fail(OSError(28, "No space left on device"), times=None)
        alice.send("OPEN savings")
        self.world.settle()
        self.assertIn("No space left", self.troubles())

    def test_not_folded(self) -> None:
        """A journal that cannot be folded is a trouble: what stands in the way of that may stand in the way of a start."""
        self.start(make_folding=lambda directory: FailingFolding())
        self.world.member("alice")
        self.assertEqual(self.troubles(), "")
        self.world.elapse(25 * HOUR)
        self.assertIn("the journal is not folded (segment 1 is damaged)", self.troubles())

    def test_books(self) -> None:
        """Whether the books balance is looked at there and then, while accounts are few; then the last look at all has to do."""
        self.world.member("alice")

        def steal(tx: Transaction) -> None:
            key, found = next(iter(tx.scan(Account)))
            tx.put(key, replace(found, balance=1))

        break_a_rule(self.world.hub.store, steal)
        self.assertEqual(self.troubles(), "the books do not balance")
        self.assertIs(self.call("admin.status")["balanced"], False)
        self.patch(safety, "FEW_ACCOUNTS", 0)
        self.assertIsNone(self.call("admin.status")["balanced"])
        self.call("admin.verify")
        self.assertIs(self.call("admin.status")["balanced"], True)
        self.world.beside.says["verify"] = {"bad": "x, line 2: the books do not balance: all accounts ...", "status": 1}
        self.world.elapse(1)
        self.call("admin.verify")
        self.assertIs(self.call("admin.status")["balanced"], False)
        self.world.beside.says["verify"] = {"bad": "x, line 2: the line's hash does not fit", "status": 1}
        self.world.elapse(1)
        self.call("admin.verify")
        self.assertIsNone(self.call("admin.status")["balanced"])
        self.world.elapse(1)
        self.call("admin.backup")
        self.call("admin.drill")
        self.assertIs(self.call("admin.status")["balanced"], True)

    def test_by_itself(self) -> None:
        """Backups are made every so many hours, drilled, and overdue when there is none for twice as long."""
        self.world.elapse(30 * HOUR)
        self.assertEqual(self.world.beside.asked, [])
        self.start(backup_hours=24, backups_kept=3)
        self.world.elapse(600)
        self.assertEqual([tool for tool, *_ in self.world.beside.asked], ["backup", "drill"])
        self.assertEqual(self.world.beside.asked[0][-1], "3")
        for _ in range(2 * 24 * 6):
            self.world.elapse(600)
        self.assertEqual(len(self.world.beside.asked), 6)
        self.world.beside.says["backup"] = {"refused": "the disk: full", "status": 2}
        for _ in range(50 * 6):
            self.world.elapse(600)
        self.assertEqual(self.troubles(), "the last backup failed (the disk: full); a backup is overdue")

    def test_an_old_backup_that_stays(self) -> None:
        """That is a trouble until it is gone, but the new one is there: no other is made before its time."""
        self.start(backup_hours=24)
        made = {"backup": "/backups/new", "at": self.world.now(), "status": 0, "commits": 0, "head": "3f6d", "bytes": 4711}
        self.world.beside.says["backup"] = {**made, "not_removed": "/backups/old: Operation not permitted"}
        self.call("admin.backup")
        self.world.elapse(HOUR)
        self.assertEqual(len(self.world.beside.asked), 1)
        self.assertEqual(self.troubles(), "an old backup cannot be removed (/backups/old: Operation not permitted)")
        self.world.beside.says.clear()
        self.call("admin.backup")
        self.assertEqual(self.troubles(), "")

    def test_a_fresh_start(self) -> None:
        """Whoever has just started could not make a backup yet; to wait longer than for the second look is to be overdue."""
        self.start(backup_hours=24)
        self.assertEqual(self.troubles(), "")
        self.patch(self.world.hub.safekeeping, "_busy", "verification")
        self.world.elapse(600)
        self.assertEqual(self.troubles(), "")
        self.world.elapse(600)
        self.assertEqual(self.troubles(), "a backup is overdue")

    def test_a_clock_that_was_wrong(self) -> None:
        """While times stand still far ahead of the clock, backups are made as often as otherwise: more would let those from before go."""
        self.start(backup_hours=24)
        self.world.skew = 365 * 24 * HOUR
        self.world.member("alice")
        self.world.skew = 0
        for _ in range(2 * 24 * 6):
            self.world.elapse(600)
        self.assertEqual(len(self.world.beside.asked), 4)
        self.assertEqual(self.troubles(), "")
        self.assertIn("backup 24 h ago", self.call("admin.health")["line"])

    def test_a_backup_from_ahead(self) -> None:
        """What was made while the clock was far ahead is no reason to make none when it is right."""
        self.start(backup_hours=24)
        self.world.elapse(600)
        self.world.skew = 365 * 24 * HOUR
        self.world.elapse(600)
        self.world.skew = 0
        self.assertEqual(self.troubles(), "a backup is overdue")
        self.assertIn("backup 365 days ahead of the clock", self.call("admin.health")["line"])
        self.world.elapse(600)
        self.assertEqual([tool for tool, *_ in self.world.beside.asked], ["backup", "drill"] * 3)
        self.assertEqual(self.troubles(), "")

    def test_damage_by_itself(self) -> None:
        """A backup that cannot be made as something is damaged is in the log, and tried again."""
        self.world.beside.says["backup"] = {"bad": "x, line 3: torn", "status": 1}
        self.start(backup_hours=24)
        self.world.beside.says["backup"] = {"bad": "x, line 3: torn", "status": 1}
        self.world.elapse(600)
        self.world.elapse(600)
        self.assertEqual([tool for tool, *_ in self.world.beside.asked], ["backup", "backup"])

    def test_stop(self) -> None:
        """What runs is ended with the hub."""
        self.world.stop()
        self.assertTrue(self.world.beside.stopped)

    def test_nobody_beside(self) -> None:
        """A hub without anybody beside it says so."""
        self.world.hub.safekeeping._beside = None
        self.assertEqual(self.call("admin.backup")["data"]["code"], "unavailable")

    def test_sealed(self) -> None:
        """Of all that members do nothing can be read in any file of the store, be it journal or snapshot."""
        self.patch(journal, "SNAPSHOT_AFTER", 3)
        for keys, readable in ((Keys(ONE), False), (Keys(), True)):
            self.start(directory=MemoryDirectory(keys=keys))
            alice, bob = self.world.member("alice"), self.world.member("bobby")
            self.operator.ask("DEPOSIT alice 98765.43")
            for line in ("TRANSFER bobby 12345.67 for the wedding", "OPEN secret-savings", "JOIN cellar", "SAY cellar let us meet there"):
                self.assertTrue(alice.ask(line)[-1].startswith("OK"), line)
            bob.ask("EXPENSE flowers 23.45 wants")
            self.world.stop()
            files = {name: text for name, text in self.world.directory.files.items() if name.endswith(".jsonl")}
            self.assertEqual({name.partition("-")[0] for name in files}, {"journal", "snapshot"})
            found = [secret for secret in SECRETS if any(secret in content for content in files.values())]
            self.assertEqual(found, SECRETS if readable else [])

    def test_change_key(self) -> None:
        """The new key is taken when the old one stands behind it, and what comes next is sealed under it."""
        self.start(directory=MemoryDirectory(keys=Keys(ONE)))
        wrong = {
            "names no key": Keys(),
            "the one that is used": Keys(ONE),
            "keep " + name_of(ONE): Keys(TWO),
            "no such file": NoKey("no such file"),
        }
        for text, found in wrong.items():
            self.world.beside.found_keys = found
            refusal = self.call("admin.change_key")
            self.assertEqual(refusal["data"]["code"], "conflict")
            self.assertIn(text, refusal["message"])
        self.world.beside.found_keys = Keys(TWO, (ONE,))
        self.assertEqual(self.call("admin.change_key"), {"key": name_of(TWO)})
        self.world.member("alice")
        newest = self.world.directory.files[max(name for name in self.world.directory.files if name.startswith("journal"))]
        self.assertEqual(
            [(entry["by"], entry["command"]) for entry in self.call("admin.audit")["items"]], [("operator", "admin.change_key")]
        )
        self.assertIn(name_of(TWO).encode(), newest)
        self.assertNotIn(b'"alice"', newest)

    def test_keys(self) -> None:
        """What each key is needed for is told as the tool says it, with the archive's days as they are set."""
        gone_at = datetime(2027, 2, 3, 12, tzinfo=UTC)
        uses = [Use("aa11", True, True, 1, 2), Use("bb22", False, False, archive=3, gone_at=gone_at, backups=1)]
        self.start(archive_days=77)
        self.world.beside.says["keys"] = {"keys": list(map(msgspec.structs.asdict, uses)), "status": 0}
        found = self.call("admin.keys")["items"]
        self.assertEqual(self.world.beside.asked, [("keys", "--archive-days", "77")])
        self.assertEqual(
            [(row["key"], row["there"], row["gone_at"]) for row in found], [("aa11", True, None), ("bb22", False, "2027-02-03T12:00:00Z")]
        )
        self.world.beside.says["keys"] = {"refused": "no such file", "status": 2}
        self.assertIn("no such file", self.call("admin.keys")["message"])

    def test_change_key_on_a_full_disk(self) -> None:
        self.start(directory=MemoryDirectory(keys=Keys(ONE)))
        self.world.beside.found_keys = Keys(TWO, (ONE,))
        self.world.directory.fail(OSError(28, "No space left on device"))
        self.assertEqual(self.call("admin.change_key")["data"]["code"], "unavailable")
        self.assertEqual(self.world.member("alice").ask("OPEN savings")[-1][:2], "OK")


class FailingFolding:
    """Somebody beside the daemon who cannot fold."""

    def fold(self, order: Order) -> Deferred[Folded | None]:
        return fail(RuntimeError("segment 1 is damaged"))

    def stop(self) -> Deferred[None]:
        return succeed(None)


def break_a_rule(store: Any, rule: Any) -> None:
    """Run a rule that a suspicious store would not let pass."""
    at_once(JournalStore.transact(store, rule))
