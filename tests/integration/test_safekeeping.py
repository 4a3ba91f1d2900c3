"""
Backups of a real daemon under load: made, drilled and restored.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path
from threading import Event, Thread
from typing import Any

from tests.integration.real import SECONDS, Program
from tests.integration.test_daemon import DaemonCase

TOOL = [sys.executable, "-m", "securehub.commandline", "store"]


class Load:
    """Payments one after the other, as fast as they are answered."""

    def __init__(self, payer: Program) -> None:
        self._payer = payer
        self._enough = Event()
        self.paid = 0
        self._thread = Thread(target=self._pay)
        self._thread.start()

    def _pay(self) -> None:
        for number in itertools.count():
            if self._enough.is_set():
                return
            self._payer.call("ledger.transfer", to="bob", amount="0.01", memo="for lunch", key=f"k{number}")
            self.paid += 1

    def stop(self) -> None:
        self._enough.set()
        self._thread.join(SECONDS)


class SafekeepingTests(DaemonCase):
    def tool(self, *arguments: str, state: Path | None = None) -> dict[str, Any]:
        command = [*TOOL, *arguments, "--json", "--state", str(state or self.state)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def test_backup_under_load(self) -> None:
        """A backup that is made while payments go on is whole, balanced and without keys, and a daemon goes on with it."""
        daemon = self.start().started()
        load = Load(self.make_rich(daemon.port, "alice", "bob"))
        self.addCleanup(load.stop)
        operator = self.operator()
        backup = Path(next(line for line in operator.ask("admin.backup") if "backup-" in line).split()[1])
        for question in ("admin.drill", "admin.verify"):
            answer = operator.ask(question)
            self.assertIn("  passed   yes", answer)
        load.stop()
        self.assertGreater(load.paid, 3)
        names = {path.name.split("-")[0] for path in backup.iterdir()}
        self.assertLessEqual(names, {"journal", "snapshot", "backup.json"})
        daemon.terminate()
        head = self.tool("verify")
        other = self.state.with_name("other")
        restored = self.tool("restore", str(backup), state=other)
        self.assertLessEqual(restored["commits"], head["commits"])
        self.assertEqual(self.tool("verify", state=other)["head"], restored["head"])
        self.state = other
        self.start().started()
        found = self.operator().ask("admin.status")
        self.assertTrue(any(line.split() == ["balanced", "yes"] for line in found), found)
