"""
The script that anybody could have written agrees with us about journals.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from securehub.store.chain import Broken, Journal
from securehub.store.export import export, take_in
from securehub.store.files import RealDirectory
from securehub.store.keys import PLAIN, Keys
from tests.rules.setting import RECORDS
from tests.store.books import INVARIANTS, Books, put, taken

PAGE = Path(__file__).resolve().parents[1] / "docs" / "store.md"
SCRIPT = Path(__file__).resolve().parents[1] / "tools" / "verify_chain.py"
SEALED = Keys(bytes(32), source="test")


class Script(SynchronousTestCase):
    """C{tools/verify_chain.py}, on what a few runs of a daemon leave."""

    def books(self, keys: Keys) -> Books:
        books = Books(keys)
        books.pay(3)
        books.restart(snapshot=False)
        books.pay(2)
        books.stop(snapshot=False)
        return books

    def run_script(self, path: Path) -> tuple[int, str]:
        done = subprocess.run([sys.executable, "-I", SCRIPT, path], capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout + done.stderr

    def test_length(self) -> None:
        """It is short enough to be read by whoever has to believe it."""
        self.assertLess(len(SCRIPT.read_text(encoding="utf-8").splitlines()), 60)

    def test_whole(self) -> None:
        """It finds the same head, with or without a key, which it need not have."""
        for keys in (PLAIN, SEALED):
            books = self.books(keys)
            status, said = self.run_script(books.put(Path(self.mktemp())).path)
            self.assertEqual(status, 0, said)
            self.assertIn("commits 1 to 9, ", said)
            self.assertIn(books.setting.store.head, said)

    def test_damaged(self) -> None:
        """It names the same file and line."""
        for keys in (PLAIN, SEALED):
            files = self.books(keys).files
            name = min(files)
            for line in (1, 2, 4):
                lines = files[name].splitlines(keepends=True)
                lines[line - 1] = lines[line - 1].replace(b'"at"', b'"ta"', 1).replace(b'"synced":', b'"synced": ', 1)
                directory = put(Path(self.mktemp()), {**files, name: b"".join(lines)})
                status, said = self.run_script(directory.path)
                self.assertEqual(status, 1)
                fault = self.assertRaises(Broken, self.walk, directory)
                self.assertIn(f"{fault.file}, line {fault.line}: ", said)

    def test_imported(self) -> None:
        """A hub that was imported begins with the hash that the export named: that is taken as it is, and what follows is checked."""
        books = self.books(PLAIN)
        exported = b"".join(export(books.put(Path(self.mktemp())), RECORDS))
        imported = RealDirectory(Path(self.mktemp()))
        take_in(iter(exported.splitlines(keepends=True)), "export.jsonl", imported, RECORDS, INVARIANTS)
        books.setting = taken(imported)
        books.pay(3)
        directory = books.put(Path(self.mktemp()))
        status, said = self.run_script(directory.path)
        self.assertEqual(status, 0, said)
        self.assertIn("commits 10 to 12, ", said)
        name = min(books.files)
        put(directory.path, {name: books.files[name].replace(b"for lunch", b"for lynch")})
        status, said = self.run_script(directory.path)
        self.assertEqual(status, 1)
        self.assertIn(f"{name}, line 2: ", said)

    def test_nothing(self) -> None:
        """Where there is no journal nothing is whole: somebody has mistyped the directory."""
        empty = Path(self.mktemp())
        empty.mkdir()
        for path in (empty, empty / "elsewhere"):
            self.assertEqual(self.run_script(path), (1, f"{path}: there is no journal in it\n"))

    def test_no_directory(self) -> None:
        """Without one it says how it is used."""
        done = subprocess.run([sys.executable, "-I", SCRIPT], capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr.split()[0]), (1, "Checks"))

    def walk(self, directory: RealDirectory) -> None:
        for _ in Journal(directory).walk():
            pass


class Page(SynchronousTestCase):
    """What docs/store.md tells a stranger to type, in a directory without an archive and in one with it."""

    if shutil.which("jq") is None:
        skip = "jq is not installed"

    def run_lines(self, path: Path, beginning: str, count: int = 1) -> list[str]:
        """What so many lines of the page print that begin with that one."""
        lines = PAGE.read_text(encoding="utf-8").splitlines()
        place = next(place for place, line in enumerate(lines) if line.startswith(f"    {beginning}"))
        done = subprocess.run(["sh", "-c", "\n".join(lines[place : place + count])], cwd=path, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.stderr, "")
        return done.stdout.splitlines()

    def test_by_hand(self) -> None:
        """The hash of a line, every transfer, and a head that was noted."""
        books = Books()
        books.pay(3)
        head = books.setting.store.head
        for archived in (False, True):
            path = books.put(Path(self.mktemp())).path
            computed, stated = self.run_lines(path, "file=journal-", 4)
            self.assertEqual(computed.split()[0], stated)
            if archived:
                (path / "archive").mkdir()
                name = min(books.files)
                (path / name).rename(path / "archive" / name)
            self.assertEqual(len(self.run_lines(path, "cat archive/")), 5)
            (line,) = (line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("    grep -ls"))
            found = subprocess.run(["sh", "-c", line.replace("3f6d", head)], cwd=path, capture_output=True, text=True, timeout=60)
            self.assertEqual(len(found.stdout.splitlines()), 1)
