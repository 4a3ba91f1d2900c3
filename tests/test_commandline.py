"""
The C{securehub} command: what it prints, and how it ends.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from securehub import commandline, program
from securehub.store.disk import RealDisk
from securehub.store.keys import name_of
from tests.store.books import Books, put
from tests.store.setting import FIRST
from tests.tools import called


class Commands(SynchronousTestCase):
    """Books in a state directory, with no daemon."""

    def setUp(self) -> None:
        books = Books()
        books.pay(5)
        books.stop(snapshot=False)
        self.head = books.setting.store.head
        self.state = Path(self.mktemp()).absolute()
        put(self.state, books.files)
        self.other = self.state.with_name("other")

    def run_tool(self, *arguments: str, state: Path | None = None) -> tuple[int, str, str]:
        """
        @return: the exit status, what it printed, what it complained of.
        """
        return called("store", *arguments, "--state", str(state or self.state))

    def found(self, *arguments: str, state: Path | None = None) -> dict[str, object]:
        """What a tool that does well says as JSON."""
        status, output, complaints = self.run_tool(*arguments, "--json", state=state)
        self.assertEqual((status, complaints), (0, ""), output)
        return dict(json.loads(output))

    def test_help(self) -> None:
        """What a tool does is told as it is written; JSON is not json."""
        told = io.StringIO()
        with contextlib.redirect_stdout(told):
            self.assertRaises(SystemExit, commandline.main, ["store", "export", "--help"])
        self.assertIn("Write all records as plain JSON lines.", told.getvalue())

    def test_verify(self) -> None:
        status, output, _ = self.run_tool("verify")
        self.assertEqual(status, 0)
        self.assertIn("commits    9\n", output)
        self.assertIn(f"head       {self.head}\n", output)

    def test_damaged(self) -> None:
        """The first bad file and line, and a status that a script can tell from others."""
        path = self.state / FIRST
        path.write_bytes(path.read_bytes().replace(b"for lunch", b"for crime", 1))
        status, output, complaints = self.run_tool("verify")
        self.assertEqual((status, output), (1, ""))
        self.assertTrue(complaints.startswith(f"securehub: {FIRST}, line 6: "), complaints)
        status, output, _ = self.run_tool("verify", "--json")
        self.assertEqual((status, json.loads(output)["line"]), (1, 6))

    def test_head(self) -> None:
        self.assertEqual(self.found("head"), {"commits": 9, "head": self.head, "status": 0})
        self.assertEqual(self.found("head", "--until", "3")["commits"], 3)

    def test_backup_restore(self) -> None:
        """A backup beside the state directory unless told otherwise; drilled, pruned, and restored elsewhere."""
        made = self.found("backup", "--kept", "1")
        self.assertTrue(str(made["backup"]).startswith(f"{self.state}/backups/backup-"))
        self.assertTrue(self.found("drill")["passed"])
        self.assertEqual(self.found("verify", state=Path(str(made["backup"])))["commits"], 9)
        restored = self.found("restore", str(made["backup"]), state=self.other)
        self.assertEqual((restored["commits"], restored["head"]), (9, self.head))
        status, _, complaints = self.run_tool("restore", str(made["backup"]), state=self.other)
        self.assertEqual(status, 2)
        self.assertIn("Move it away", complaints)

    def test_an_old_backup_that_stays(self) -> None:
        """The new one is made all the same, which is told with what could not be removed."""
        old = str(self.found("backup")["backup"])
        with mock.patch.object(shutil, "rmtree", side_effect=PermissionError(errno.EPERM, "Operation not permitted", FIRST)):
            made = self.found("backup", "--kept", "1")
        self.assertEqual(made["not_removed"], f"{old}: Operation not permitted")
        self.assertEqual(self.found("drill")["backup"], Path(str(made["backup"])).name)

    def test_wrong_numbers(self) -> None:
        """How many backups are kept, and for how many days the archive is, is no number below zero: that would remove the oldest one."""
        made = Path(str(self.found("backup")["backup"]))
        for wrong in ("-1", "1.5", "x", ""):
            self.assertRaises(SystemExit, self.run_tool, "backup", "--kept", wrong)
            self.assertRaises(SystemExit, self.run_tool, "keys", "--archive-days", wrong)
        self.assertTrue(made.is_dir())

    def test_a_path_that_is_no_text(self) -> None:
        """It is told as well as it can be, in both forms."""
        place = self.other.with_name("caf\udce9")
        self.assertIn("/caf\\udce9/backup-", str(self.found("backup", "--backups", str(place))["backup"]))
        status, output, _ = self.run_tool("restore", str(place), "--json", state=self.other)
        self.assertEqual((status, "/caf\\udce9" in json.loads(output)["bad"]), (1, True))
        self.run_tool("drill", "--backups", str(place))
        self.assertEqual((place / "drill.json").stat().st_mode & 0o777, 0o600)

    def test_restore_until(self) -> None:
        """To a commit that the backup has, and no other: what is restored is never less than was asked for."""
        backup = str(self.found("backup")["backup"])
        self.assertEqual(self.found("restore", backup, "--until", "9", state=self.other)["commits"], 9)
        further = self.other.with_name("further")
        status, _, complaints = self.run_tool("restore", backup, "--until", "10", state=further)
        self.assertEqual((status, complaints), (2, "securehub: the backup goes up to commit 9, not to 10\n"))
        for wrong in ("-1", "x"):
            self.assertRaises(SystemExit, self.run_tool, "restore", backup, "--until", wrong, state=further)
        self.assertEqual(list(further.glob("journal-*")), [])

    def test_failed_drill(self) -> None:
        """A drill that fails is told as its result, with the status of damage."""
        status, output, _ = self.run_tool("drill")
        self.assertEqual(status, 1)
        self.assertIn("passed   no", output)

    def test_export_import(self) -> None:
        """By way of a file, or of the standard output."""
        file = str(self.state.with_name("export.jsonl"))
        self.assertEqual(self.found("export", file)["bytes"], Path(file).stat().st_size)
        self.assertEqual(self.found("import", file, state=self.other)["commits"], 9)
        self.assertEqual(self.found("head", state=self.other)["head"], self.head)
        output = mock.Mock(buffer=io.BytesIO())
        with mock.patch("sys.stdout", output):
            self.assertEqual(commandline.main(["store", "export", "--state", str(self.state)]), 0)
        self.assertEqual(output.buffer.getvalue(), Path(file).read_bytes())

    def test_ended(self) -> None:
        """Whoever is told to end, or loses the terminal, leaves nothing half done behind: least of all what is sealed otherwise."""
        self.other.mkdir()
        for number in (signal.SIGTERM, signal.SIGHUP):
            before = signal.getsignal(number)
            self.assertEqual(self.export_and_hear(number), 128 + number)
            self.assertEqual(list(self.other.iterdir()), [])
            self.assertEqual(signal.getsignal(number), before)

    def test_ended_without_a_terminal(self) -> None:
        """Who does not want to hear of the terminal's end goes on."""
        self.other.mkdir()
        self.addCleanup(signal.signal, signal.SIGHUP, signal.signal(signal.SIGHUP, signal.SIG_IGN))
        self.assertEqual(self.export_and_hear(signal.SIGHUP), 0)

    def export_and_hear(self, number: int) -> int:
        """Export, and be sent a signal in the middle of that; the exit status."""

        def hear(_: int) -> None:
            if list(self.other.glob("export.new")):
                signal.raise_signal(number)

        with mock.patch("os.fdatasync", hear):
            return self.run_tool("export", str(self.other / "export"))[0]

    def test_export_no_file(self) -> None:
        """What is there and is no file is written to, /dev/stdout, say, and a link stays; an import reads what comes by a pipe."""
        pipe, link, file = (self.state.with_name(name) for name in ("pipe", "link", "file"))
        os.mkfifo(pipe)
        link.symlink_to(file)
        reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reading)
        self.assertEqual(self.found("export", str(pipe)), {"status": 0})
        content = os.read(reading, 1 << 16)
        self.assertEqual(self.found("export", str(link))["file"], str(file))
        self.assertTrue(pipe.is_fifo() and link.is_symlink())
        self.assertEqual(file.read_bytes(), content)
        with mock.patch("sys.stdin", mock.Mock(buffer=io.BytesIO(content))):
            self.assertEqual(self.found("import", "-", state=self.other)["commits"], 9)

    def test_upgrade(self) -> None:
        self.assertEqual(self.found("upgrade", "--dry-run"), {"formats": {"1": 1}, "older": {}, "commits": 0, "done": False, "status": 0})

    def test_upgrade_of_a_backup(self) -> None:
        """It would be another than was made, and a daemon that runs on a copy would not be kept out: it is looked at, and no more."""
        backup = Path(str(self.found("backup")["backup"]))
        self.assertEqual(self.found("upgrade", "--dry-run", state=backup)["commits"], 0)
        status, _, complaints = self.run_tool("upgrade", state=backup)
        self.assertEqual((status, complaints.count("\n")), (2, 1))
        self.assertIn(f"{backup} is a backup", complaints)

    def test_keys(self) -> None:
        """Also while a daemon runs, and where a key is not there any more."""
        disk = RealDisk(self.state)
        disk.hold()
        self.addCleanup(disk.release)
        self.assertEqual(self.run_tool("keys")[1], "(plain)  current, 1 journal files\n")
        key = self.state.with_name("key")
        key.write_text("ab" * 32)
        options = ("--key", f"file:{key}", "--archive-days", "10")
        self.assertEqual(self.run_tool("keys", *options)[1], "(plain)  current, 1 journal files\n")
        name = name_of(bytes.fromhex(key.read_text()))
        (self.state / "journal-000000000000009-0002.jsonl").write_text(f'{{"format":2,"key":"{name}"}}\n')
        told = [line.split("  ", 1) for line in self.run_tool("keys", *options)[1].splitlines()]
        self.assertEqual([each[0] for each in told], [name, "(plain)"])
        self.assertEqual([each[1].strip() for each in told], ["current, 1 journal files", "1 journal files, files gone by 2026-11-29"])
        self.assertEqual(self.run_tool("keys", state=self.other)[0], 2)

    def test_in_use(self) -> None:
        """While a daemon runs nothing is done, unless up to some commit."""
        disk = RealDisk(self.state)
        disk.hold()
        self.addCleanup(disk.release)
        for tool in ("verify", "backup", "export", "head", "upgrade"):
            status, _, complaints = self.run_tool(tool)
            self.assertEqual(status, 2)
            self.assertIn("admin.verify", complaints)
        for tool in ("verify", "backup", "head"):
            self.assertEqual(self.found(tool, "--until", "9")["commits"], 9)

    def test_one_restores(self) -> None:
        """Nor does a second one put something in place where another does, whatever else is there."""
        backup = str(self.found("backup")["backup"])
        disk = RealDisk(self.other)
        disk.hold()
        self.addCleanup(disk.release)
        for _ in range(2):
            for tool in ("restore", "import"):
                status, _, complaints = self.run_tool(tool, backup, state=self.other)
                self.assertEqual((status, "another SecureHub" in complaints), (2, True))
            (self.other / "backup.json").touch()

    def test_nothing_can_be_written(self) -> None:
        """What only looks does so on a file system that takes no writes: the damaged one of a machine that is being rescued, say."""
        backup = str(self.found("backup")["backup"])
        lock = self.state / "lock"
        lock.unlink()
        takes_none = OSError(errno.EROFS, "Read-only file system")
        open_ = os.open

        def open_to_read(path: Any, flags: int, *mode: int) -> int:
            if flags & (os.O_WRONLY | os.O_RDWR) and str(path).startswith(str(self.state)):
                raise takes_none
            return open_(path, flags, *mode)

        with mock.patch("os.open", open_to_read):
            for tool in (["verify"], ["head"], ["backup", "--backups", str(self.other)], ["upgrade", "--dry-run"], ["drill"]):
                self.assertEqual(self.found(*tool)["status"], 0)
            self.assertIn("head", str(self.found("backup", "--backups", f"{self.other}2")))
            self.assertEqual(self.run_tool("export", str(self.other / "export"))[0], 0)
            self.assertEqual(self.run_tool("restore", backup)[0], 2)
        self.assertFalse(lock.exists())

    def test_cannot(self) -> None:
        """What is not there, or cannot be read, is told in a line; nothing is made of a directory that is only looked at."""
        for arguments in (["verify"], ["export"], ["head"]):
            status, _, complaints = self.run_tool(*arguments, state=self.other)
            self.assertEqual((status, complaints.count("\n")), (2, 1))
            self.assertFalse(self.other.exists())
        self.assertEqual(self.run_tool("import", str(self.state / "none"), state=self.other)[0], 2)

    def test_another_directory(self) -> None:
        """One in which nothing is of a hub, mistyped maybe, is not verified as a hub to which nothing has ever happened."""
        self.other.mkdir()
        (self.other / "vault.key").touch()
        for arguments in (["verify"], ["verify", "--until", "1"], ["backup"], ["export"], ["head"], ["keys"], ["upgrade"]):
            status, _, complaints = self.run_tool(*arguments, state=self.other)
            self.assertEqual((status, complaints), (2, f"securehub: there is neither a journal nor a snapshot in {self.other}\n"))
        self.assertEqual([path.name for path in self.other.iterdir()], ["vault.key"])
        self.assertEqual(self.run_tool("verify", "--key", "env:NO_SUCH_VARIABLE")[0], 2)

    def test_no_memory(self) -> None:
        """What has no room in memory could not be done; nothing is called damaged for that."""
        self.found("backup")
        for place, tool in (
            ("recovery._apply", ["export", str(self.other)]),
            ("recovery._apply", ["drill"]),
            ("verification._Verification._change", ["verify"]),
        ):
            with mock.patch(f"securehub.store.{place}", side_effect=MemoryError):
                status, output, _ = self.run_tool(*tool, "--json")
            self.assertEqual((status, json.loads(output)["refused"]), (2, program.NO_MEMORY))


class Streams(SynchronousTestCase):
    """How our programs end where nobody reads what they print, and where the shell has closed their standard streams."""

    def status(self, output: object, main: Callable[[], int] = lambda: 0) -> tuple[int, str]:
        complaints = io.StringIO()
        with mock.patch("sys.stdout", output), contextlib.redirect_stderr(complaints):
            return program.run("securehub", main), complaints.getvalue()

    def test_ends(self) -> None:
        """A reader that has enough is no fault; a disk that is full is; what is printed late is noticed, too."""
        for fault, expected in (
            (BrokenPipeError(errno.EPIPE, "Broken pipe"), (141, "")),
            (OSError(errno.ENOSPC, "full"), (2, "securehub: what there is to say cannot be written: full\n")),
        ):
            self.assertEqual(self.status(mock.Mock(**{"flush.side_effect": fault})), expected)
            self.assertEqual(self.status(io.StringIO(), mock.Mock(side_effect=fault)), expected)
        self.assertEqual(self.status(io.StringIO(), mock.Mock(side_effect=KeyboardInterrupt)), (130, ""))
        self.assertEqual(self.status(io.StringIO(), lambda: 1), (1, ""))

    def test_closed(self) -> None:
        """What is closed is replaced, so that nothing else gets its number."""
        script = "import os, sys; from securehub import program; program.open_standard_streams(); print(1); print(2, file=sys.stderr)"
        script += "; sys.exit(0 if os.pipe()[0] > 2 and not sys.stdin.read() else 3)"
        closing = 'exec "$0" -c "$1" <&- >&- 2>&-'
        done = subprocess.run(["sh", "-c", closing, sys.executable, script], env={"PYTHONPATH": os.pathsep.join(sys.path)}, timeout=60)
        self.assertEqual(done.returncode, 0)
