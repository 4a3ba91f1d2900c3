"""
Folding by a real child process, and a daemon that calls for it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import TestCase

from securehub.store.child import ChildFolding, FoldFailed
from securehub.store.files import RealDirectory
from securehub.store.fold import Order
from securehub.store.layout import segment_names
from tests.integration.real import SECONDS
from tests.integration.test_daemon import PASSWORD, VERIFY, DaemonCase
from tests.store.setting import SPAN, Room, Setting

ORDER = Order(3, {"receipt": SPAN}, "")


class ChildTests(TestCase):
    """The child by itself, on a directory in which nobody else works."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        directory: Any = RealDirectory(self.path)
        self.setting = Setting(disk=directory, segment_bytes=400)
        self.setting.say(8)
        self.folding = ChildFolding(reactor, self.path)

    def names(self) -> list[str]:
        return sorted(os.listdir(self.path))

    def test_fold(self) -> Deferred[None]:
        """It prepares a snapshot, from which a start goes on."""

        async def fold() -> None:
            folded = await self.folding.fold(ORDER)
            assert folded is not None
            self.setting.disk.put_in_place(f"snapshot-{folded.number:015d}.jsonl")
            directory: Any = RealDirectory(self.path)
            started = Setting(disk=directory)
            self.assertEqual(started.found.snapshot, folded.digest)
            self.assertEqual(started.found.replayed, 8 - folded.number)
            self.assertEqual(started.get(Room, "lobby").seq, 8)

        return ensureDeferred(fold())

    def test_nothing(self) -> Deferred[None]:
        """Where there is nothing to fold, it says so."""

        async def fold() -> None:
            self.assertIsNone(await self.folding.fold(Order(1, {}, "")))

        return ensureDeferred(fold())

    def test_refusal(self) -> Deferred[None]:
        """What is wrong with the journal it tells in one line."""

        async def fold() -> None:
            name = segment_names(self.names())[1]
            (self.path / name).unlink()
            try:
                await self.folding.fold(ORDER)
            except FoldFailed as refusal:
                self.assertIn("ends at commit 2", str(refusal))
            else:
                self.fail("it was folded")

        return ensureDeferred(fold())

    def test_stopped(self) -> Deferred[None]:
        """A child that is stopped is gone when that is said, and what it did not do is told."""

        async def fold() -> None:
            before = self.names()
            folding = self.folding.fold(ORDER)
            failed: list[Any] = []
            folding.addErrback(failed.append)
            await self.folding.stop()
            self.assertEqual(len(failed), 1)
            failed[0].trap(FoldFailed)
            self.assertEqual(failed[0].getErrorMessage(), "the child that folds was killed")
            self.assertEqual([name for name in self.names() if not name.endswith(".new")], before)
            await self.folding.stop()

        return ensureDeferred(fold())

    def test_ends_with_the_daemon(self) -> None:
        """A child whose daemon is gone does not go on, wherever it is."""
        name = segment_names(self.names())[0]
        (self.path / name).unlink()
        os.mkfifo(self.path / name)  # whoever opens this waits
        arguments = [sys.executable, "-m", "securehub.store.child", str(self.path), '{"serial":3,"spans":{}}']
        child = subprocess.Popen(arguments, stdin=subprocess.PIPE)
        assert child.stdin is not None
        child.stdin.close()
        self.assertEqual(child.wait(SECONDS), 1)


class DaemonFoldTests(DaemonCase):
    """A daemon under load, with segments of a MiB."""

    def test_fold(self) -> None:
        """It folds what it has closed while it goes on; killed after that, it starts from the snapshot, and the books are right."""
        config = self.state.with_name("securehub.ini")
        config.write_text("[store]\nsegment_mib = 1\n")
        daemon = self.start(config=config).started()
        alice = self.make_rich(daemon.port, "alice", "bob")
        paid = 0
        while paid < 3_000:
            alice.send_all(("ledger.transfer", {"to": "bob", "amount": "0.01", "key": f"k{paid + number}"}) for number in range(100))
            for _ in range(100):
                answer = alice.receive()
                assert answer is not None and "result" in answer, answer
            paid += 100
        daemon.log.until(lambda line: "The journal is folded into a snapshot" in line)
        daemon.kill()
        again = self.start(config=config).started()
        said = "\n".join(again.log.seen)
        self.assertNotIn(f"{paid} commits were replayed", said)
        bob = self.program(again.port)
        bob.call("auth.login", username="bob", password=PASSWORD)
        self.assertEqual(bob.call("ledger.balance")["balance"], f"{paid // 100}.{paid % 100:02d}")
        again.terminate()
        self.assertEqual(subprocess.run([sys.executable, str(VERIFY), str(self.state)], capture_output=True).returncode, 0)
