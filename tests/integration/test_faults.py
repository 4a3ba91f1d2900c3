"""
A real daemon on a disk that fails, or that is stopped in the middle of a call of the system: C{strace} does both. And a disk that is
full, until somebody makes room.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from tests.integration.real import SECONDS, Daemon, Program
from tests.integration.test_daemon import PASSWORD, VERIFY, DaemonCase
from tests.store.setting import FIRST

COUNT = 240
AT_ONCE = 6
"""Payments of a group, more or less; so there are some forty groups."""


@cache
def strace() -> str | None:
    """Why strace is of no use here; None if it is."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(["strace", "-D", "-f", "-o", "/dev/null", "true"], capture_output=True, text=True)
    return None if tried.returncode == 0 else f"strace cannot be used here: {tried.stderr.strip()}"


class Payments:
    """
    Alice pays bob, with a key for each payment, whatever happens.

    @ivar answers: what was answered, by payment. An answer to the same key must be the same for ever.
    @ivar refused: how often something was C{unavailable}.
    """

    def __init__(self) -> None:
        self.answers: dict[int, Any] = {}
        self.refused = 0

    def go_on(self, alice: Program) -> bool:
        """
        Pay what is not paid, and ask for some of the rest again.

        @return: whether all is paid; or else the connection has been closed.
        """
        for begin in range(0, COUNT, AT_ONCE):
            numbers = [number for number in range(begin, begin + AT_ONCE) if number not in self.answers or number % AT_ONCE == 0]
            if not self._pay(alice, numbers):
                return False
        return len(self.answers) == COUNT

    def _pay(self, alice: Program, numbers: list[int]) -> bool:
        try:
            first = alice.send_all(("ledger.transfer", {"to": "bob", "amount": "0.10", "key": f"k{number}"}) for number in numbers)
        except OSError:
            return False
        for _ in numbers:
            answer = alice.receive()
            if answer is None:
                return False
            number = numbers[answer["id"] - first]
            if "error" in answer:
                assert answer["error"]["data"]["code"] == "unavailable", answer
                self.refused += 1
            else:
                assert self.answers.setdefault(number, answer["result"]) == answer["result"], answer
        return True


class FaultCase(DaemonCase):
    """What the tests have in common."""

    def faulty(self, calls: str, injection: str, path: Path | None = None) -> Daemon:
        """
        A daemon beneath strace.

        @param calls: the calls of the system that are watched.
        @param injection: what happens in them.
        @param path: only those that have to do with this file.
        """
        if (reason := strace()) is not None:
            self.skipTest(reason)
        only = ["-P", str(path)] if path else []
        beneath = ["strace", "-D", "-f", "-o", "/dev/null", *only, "-e", f"trace={calls}", "-e", f"inject={calls}:{injection}"]
        return self.start(beneath=beneath)

    def stop(self, daemon: Daemon) -> None:
        """Once it answers (before that it would end without a word), and with nobody to wait for."""
        self.program(daemon.port).call("hub.ping")
        for talk in self.programs:
            talk.close()
        daemon.terminate()

    def log_in(self, daemon: Daemon, name: str) -> Program:
        program = self.program(daemon.port)
        program.call("auth.login", username=name, password=PASSWORD)
        return program

    def pay_until_done(self, payments: Payments, daemon: Daemon) -> int:
        """
        Whenever the connection is closed, connect again.

        @return: how often that was.
        """
        for again in range(20):
            program = self.program(daemon.port)
            if program.call("auth.login", username="alice", password=PASSWORD) != "unavailable" and payments.go_on(program):
                return again
            time.sleep(0.2)  # the hub tries its disk again once a second
        raise AssertionError(f"{len(payments.answers)} payments were made, and no more")

    def check(self, payments: Payments, daemon: Daemon) -> None:
        """The books have each payment once, and the chain is whole."""
        for name, balance in (("alice", "976.00"), ("bob", "24.00")):
            self.assertEqual(self.log_in(daemon, name).call("ledger.balance")["balance"], balance)
        transfers = {answer["transfer"] for answer in payments.answers.values()}
        history = {item["transfer"] for item in self.log_in(daemon, "bob").call("ledger.history", limit=1000)["items"]}
        self.assertEqual((len(transfers), transfers), (COUNT, history))
        self.assertEqual(self.operator().ask("ledger.trial_balance")[1:-1], ["  USD       0.00"])
        self.stop(daemon)
        verified = subprocess.run([sys.executable, str(VERIFY), str(self.state)], capture_output=True, text=True)
        self.assertEqual(verified.returncode, 0, verified.stderr)


class KilledInACallTests(FaultCase):
    """Killed in the middle of a call of the system, under load, the daemon has done what it said."""

    def test_while_it_writes(self) -> None:
        """In the n-th write of the journal."""
        for when in (15, 40):
            self.kill_and_come_back("write", when)

    def test_while_it_syncs(self) -> None:
        """In the n-th sync of it."""
        for when in (16, 33):
            self.kill_and_come_back("fdatasync", when)

    def kill_and_come_back(self, call: str, when: int) -> None:
        self.state = Path(tempfile.mkdtemp(prefix="securehub-")) / "state"
        self.addCleanup(shutil.rmtree, self.state.parent, ignore_errors=True)
        daemon = self.faulty(call, f"signal=KILL:when={when}", self.state / FIRST).started()
        alice, payments = self.make_rich(daemon.port, "alice", "bob"), Payments()
        self.assertFalse(payments.go_on(alice))
        self.assertEqual(daemon.wait(), -9)
        self.assertGreater(len(payments.answers), 0)
        daemon = self.start().started()
        self.assertEqual(self.pay_until_done(payments, daemon), 0)
        self.check(payments, daemon)

    def test_before_it_is_ready(self) -> None:
        """In a sync of the directory, while it makes its first files: the next start is a first start again, or goes on."""
        for when in (1, 2):
            daemon = self.faulty("fsync", f"signal=KILL:when={when}")
            self.assertEqual(daemon.wait(), -9)
        daemon = self.start().started()
        alice, payments = self.make_rich(daemon.port, "alice", "bob"), Payments()
        self.assertTrue(payments.go_on(alice))
        self.check(payments, daemon)

    def test_while_it_renames(self) -> None:
        """In the rename of a new snapshot, and in that of the first old file which goes into the archive. The next stop does the rest."""
        daemon = self.start().started()
        alice, payments = self.make_rich(daemon.port, "alice", "bob"), Payments()
        self.assertTrue(payments.go_on(alice))
        self.move_about(alice)
        daemon.kill()
        self.assertEqual(self.stop_in_rename(1), -9)
        self.assertEqual(self.files("snapshot-*.jsonl"), 0)
        self.stop(self.start().started())
        daemon = self.start().started()
        self.move_about(self.log_in(daemon, "alice"))
        daemon.kill()
        self.assertEqual(self.stop_in_rename(2), -9)
        self.assertEqual((self.files("snapshot-*.jsonl"), self.files("archive/*")), (2, 0))
        daemon = self.start().started()
        self.move_about(self.log_in(daemon, "alice"))
        self.stop(daemon)
        self.assertEqual(self.files("snapshot-*.jsonl"), 2)
        self.assertGreater(self.files("archive/*"), 0)
        self.check(payments, self.start().started())

    def move_about(self, alice: Program) -> None:
        """So many commits that a stop leaves a snapshot; in the end all is where it was."""
        alice.call("ledger.open", name="savings")
        main, other = (item["account"] for item in alice.call("ledger.accounts")["items"])
        for _ in range(6):
            for to, source in ((other, main), (main, other)):
                alice.send_all(("ledger.transfer", {"to": to, "from": source, "amount": "0.01"}) for _ in range(90))
                for _ in range(90):
                    answer = alice.receive()
                    assert answer is not None and "result" in answer, answer

    def stop_in_rename(self, when: int) -> int:
        """Stop a daemon that is killed in the n-th rename which it makes; its exit status."""
        daemon = self.faulty("rename", f"signal=KILL:when={when}").started()
        self.stop(daemon)
        return daemon.wait()

    def files(self, pattern: str) -> int:
        return len(list(self.state.glob(pattern)))


class FailingDiskTests(FaultCase):
    """A disk that fails for a while."""

    def test_full(self) -> None:
        """No room, in three writes in a row."""
        self.fail_and_go_on("write", "error=ENOSPC:when=20..22", "No space left on device")

    def test_write_error(self) -> None:
        """An error of the device, in a write."""
        self.fail_and_go_on("write", "error=EIO:when=17", "Input/output error")

    def test_sync_error(self) -> None:
        """An error of the device, in a sync: what it has taken until then is not believed, and the next segment begins before that."""
        self.fail_and_go_on("fdatasync", "error=EIO:when=18..19", "Input/output error")

    def fail_and_go_on(self, call: str, injection: str, told: str) -> None:
        """What had no answer is asked again; the daemon goes on by itself, and a kill afterwards changes nothing."""
        daemon = self.faulty(call, injection, self.state / FIRST).started()
        self.make_rich(daemon.port, "alice", "bob")
        payments = Payments()
        self.assertGreater(self.pay_until_done(payments, daemon), 0)
        self.assertTrue(daemon.log.until(lambda line: "The journal could not be written" in line and told in line))
        self.assertTrue(daemon.log.until(lambda line: "The journal can be written again" in line))
        daemon.kill()
        daemon = self.start().started()
        self.check(payments, daemon)


class FullDiskTests(FaultCase):
    """A small file system of its own, which fills up."""

    def test_room_is_made(self) -> None:
        """What writes is unavailable, reads go on; and when there is room, writes come back without a restart."""
        with small_disk(self.state.parent / "disk") as disk:
            self.state = disk / "state"
            ballast = disk / "ballast"
            daemon = self.start().started()
            alice = self.make_rich(daemon.port, "alice", "bob")
            bob = self.log_in(daemon, "bob")
            fill(ballast)
            payments = Payments()
            self.assertFalse(payments.go_on(alice))
            self.assertEqual(bob.call("ledger.transfer", to="alice", amount="0.01"), "unavailable")
            for _ in range(3):
                self.assertEqual(len(bob.call("ledger.history")["items"]), min(20, len(payments.answers)))
            self.assertIn("No space left on device", "".join(self.operator().ask("admin.status")))

            ballast.unlink()
            until = time.monotonic() + SECONDS
            while bob.call("ledger.transfer", to="alice", amount="0.01", key="k") == "unavailable":
                self.assertLess(time.monotonic(), until)
                time.sleep(0.1)
            bob.call("ledger.transfer", to="alice", amount="0.01")
            self.assertEqual(self.pay_until_done(payments, daemon), 0)
            daemon.kill()
            daemon = self.start().started()
            self.assertEqual(self.log_in(daemon, "bob").call("ledger.balance")["balance"], "23.98")
            self.stop(daemon)

    def test_start(self) -> None:
        """A hub that starts on a full disk shows what there is, and says what is the matter; it goes on when there is room."""
        with small_disk(self.state.parent / "disk") as disk:
            self.state = disk / "state"
            ballast = disk / "ballast"
            daemon = self.start().started()
            self.make_rich(daemon.port, "alice", "bob")
            daemon.kill()
            fill(ballast, 0)
            daemon = self.start().started()
            operator = self.operator()
            self.assertIn("No space left on device", "".join(operator.ask("admin.status")))
            self.assertIn("ERR unavailable", "".join(operator.ask("DEPOSIT bob 1")))
            self.assertIn("alice", "".join(operator.ask("admin.users")))

            ballast.unlink()
            self.assertTrue(daemon.log.until(lambda line: "The journal can be written again" in line))
            operator.ask("DEPOSIT bob 1")
            daemon.kill()
            daemon = self.start().started()
            self.assertEqual(self.log_in(daemon, "alice").call("ledger.balance")["balance"], "1000.00")
            self.assertEqual(self.log_in(daemon, "bob").call("ledger.balance")["balance"], "1.00")
            self.stop(daemon)

    def test_first_start(self) -> None:
        """A hub that has nothing to show does not start on a full disk, and says which directory that is about."""
        with small_disk(self.state.parent / "disk") as disk:
            self.state = disk / "state"
            self.state.mkdir()
            fill(disk / "ballast", 0)
            daemon = self.start()
            said = daemon.log.rest()[-1]
            self.assertEqual(daemon.wait(), 1)
            self.assertTrue(said.endswith(f"SecureHub cannot start: [Errno 28] No space left on device: '{self.state}'"), said)


@contextmanager
def small_disk(path: Path) -> Iterator[Path]:
    """A file system of two MiB, while this lasts."""
    path.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(path)], capture_output=True, text=True)
    if mounted.returncode:
        from twisted.trial.unittest import SkipTest

        raise SkipTest(f"a tmpfs cannot be mounted here, which needs root: {mounted.stderr.strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def fill(path: Path, left: int = 48 * 1024) -> None:
    """Leave so many bytes of room."""
    found = os.statvfs(path.parent)
    with path.open("wb") as ballast:
        ballast.write(bytes(found.f_bavail * found.f_frsize - left))
