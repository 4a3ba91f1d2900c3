"""
The state directory on a real disk.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from securehub.store import files
from securehub.store.disk import InUse, RealDisk, RealFile
from securehub.store.files import RealDirectory


class Files(SynchronousTestCase):
    """A directory of its own for each test."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp()) / "deep" / "state"
        self.directory = RealDirectory(self.path)

    def mode(self, path: Path) -> int:
        return stat.S_IMODE(path.stat().st_mode)

    def read(self, name: str) -> bytes:
        return (self.path / name).read_bytes()

    def test_private(self) -> None:
        """The directory is its owner's alone, and so is each file in it."""
        self.assertEqual(self.mode(self.path), 0o700)
        self.directory.create("journal", b"").close()
        self.directory.write("snapshot", [b"1"])
        self.directory.hold()
        self.addCleanup(self.directory.release)
        for name in self.directory.names():
            self.assertEqual(self.mode(self.path / name), 0o600, name)

    def test_there_already(self) -> None:
        """A directory that is there is used with what is in it."""
        self.directory.write("snapshot", [b"1"])
        self.assertEqual(RealDirectory(self.path).names(), ["snapshot"])

    def test_two_holders(self) -> None:
        """A second daemon is kept out, with a text that names the directory, until the first one lets go."""
        second = RealDirectory(self.path)
        self.directory.hold()
        refusal = self.assertRaises(InUse, second.hold)
        self.assertIn(str(self.path), str(refusal))
        self.directory.release()
        second.hold()
        second.release()
        second.release()

    def test_moved(self) -> None:
        """What is held and was moved away is not written to any more, nor is what came in its place, until it is back."""
        self.directory.hold()
        self.addCleanup(self.directory.release)
        self.directory.create("journal", b"one\n").close()
        aside = self.path.with_name("aside")
        self.path.rename(aside)
        for others in ((), ("journal", "lock", "snapshot.new")):
            for name in others:
                self.path.mkdir(exist_ok=True)
                (self.path / name).write_bytes(b"of others")
            for call in (
                self.directory.refuse_moved,
                lambda: self.directory.create("next", b""),
                lambda: self.directory.write("snapshot", [b"1"]),
                lambda: self.directory.put_away(["journal"], "archive"),
                lambda: self.directory.remove("journal"),
            ):
                self.assertIn("was moved", str(self.assertRaises(OSError, call)))
            self.assertEqual(self.directory.names(), sorted(others))
        self.path.rename(self.path.with_name("others"))
        aside.rename(self.path)
        self.directory.refuse_moved()
        self.directory.write("snapshot", [b"1"])
        self.assertEqual(self.directory.names(), ["journal", "lock", "snapshot"])

    def test_append(self) -> None:
        """A file grows at its end, and is synced before an append returns."""
        file = self.directory.create("journal", b"one\n")
        for name in ("fdatasync", "fsync"):
            self.patch(os, name, mock.Mock(wraps=getattr(os, name)))
        file.append(b"two\n")
        self.assertEqual(self.read("journal"), b"one\ntwo\n")
        self.assertEqual(os.fdatasync.call_count + os.fsync.call_count, 1)  # type: ignore[attr-defined]
        file.close()

    def test_create_is_synced(self) -> None:
        """A new file and its name are synced: the file first, then the directory."""
        synced = []
        for name in ("fdatasync", "fsync"):
            real = getattr(os, name)

            def sync(descriptor: int, real: object = real) -> None:
                synced.append("directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
                real(descriptor)  # type: ignore[operator]

            self.patch(os, name, sync)
        self.directory.create("journal", b"one\n").close()
        self.assertEqual(synced, ["file", "directory"])
        synced.clear()
        self.directory.write("snapshot", [b"1"])
        self.assertEqual(synced, ["file", "directory"])

    def test_create_anew_only(self) -> None:
        """A file that is there is never opened as a new one."""
        self.directory.create("journal", b"one\n").close()
        self.assertRaises(FileExistsError, self.directory.create, "journal", b"two\n")
        self.assertEqual(self.read("journal"), b"one\n")

    def test_short_writes(self) -> None:
        """What the system takes in pieces is written whole."""
        write = os.write
        self.patch(os, "write", lambda descriptor, content: write(descriptor, content[:3]))
        file = self.directory.create("journal", b"0123456789")
        file.append(b"abcdefgh")
        file.close()
        self.assertEqual(self.read("journal"), b"0123456789abcdefgh")

    def test_failed_create(self) -> None:
        """When a new file cannot be synced, that is said and no descriptor is left open."""
        self.patch(os, "fsync", mock.Mock(side_effect=OSError(5, "Input/output error")))
        before = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
        self.assertRaises(OSError, self.directory.create, "journal", b"one\n")
        after = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
        self.assertEqual(after, before)
        self.assertEqual(self.directory.names(), [])

    def test_failed_append(self) -> None:
        """What was written of an append that failed is taken away again, so that nobody finds it at the next start."""
        file = self.directory.create("journal", b"one\n")
        file.append(b"two\n")
        with mock.patch.object(RealFile, "sync", side_effect=[OSError(5, "Input/output error"), None]) as sync:
            self.assertRaises(OSError, file.append, b"three\n")
        self.assertEqual((self.read("journal"), sync.call_count), (b"one\ntwo\n", 2))
        write = os.write
        with mock.patch("os.write", side_effect=lambda descriptor, content: write(descriptor, content[:3]) and self.fill()):
            self.assertRaises(OSError, file.append, b"three\n")
        self.assertEqual(self.read("journal"), b"one\ntwo\n")

    def fill(self) -> int:
        raise OSError(28, "No space left on device")

    def test_leftovers(self) -> None:
        """What a killed daemon was writing as a whole is taken away by the next that holds the directory."""
        (self.path / "snapshot.jsonl.new").write_bytes(b"half")
        self.directory.hold()
        self.addCleanup(self.directory.release)
        self.assertEqual(self.directory.names(), ["lock"])

    def test_write_is_atomic(self) -> None:
        """While a file is written, and when that fails in the middle, its name has what it had before."""
        self.directory.write("snapshot", [b"old"])

        def fails() -> Iterator[bytes]:
            yield b"new" * 1_000_000
            self.assertEqual(self.read("snapshot"), b"old")
            raise OSError(28, "No space left on device")

        self.assertEqual(self.assertRaises(OSError, self.directory.write, "snapshot", fails()).errno, 28)
        self.assertEqual(self.read("snapshot"), b"old")
        self.assertEqual(self.directory.names(), ["snapshot"])
        self.directory.write("snapshot", (b"new", b"er"))
        self.assertEqual(self.read("snapshot"), b"newer")
        self.assertEqual(self.directory.names(), ["snapshot"])

    def test_in_pieces(self) -> None:
        """A large file is written in pieces, all of it, and synced as it grows."""
        self.patch(files, "_PIECE", 10)
        self.patch(files, "GENTLE_BYTES", 25)
        chunks = [b"%04d" % number for number in range(25)]
        with (
            mock.patch.object(RealFile, "write", autospec=True, side_effect=RealFile.write) as write,
            mock.patch.object(RealFile, "sync", autospec=True) as sync,
        ):
            self.directory.write("snapshot", iter(chunks))
        self.assertEqual(self.read("snapshot"), b"".join(chunks))
        self.assertEqual([len(call.args[1]) for call in write.mock_calls], [12] * 8 + [4])
        self.assertEqual(sync.call_count, 4)

    def test_cannot_be_named(self) -> None:
        """Then that is said, and nothing is left of it."""
        self.directory.write("snapshot", [b"old"])
        with mock.patch("os.rename", side_effect=OSError(5, "Input/output error")):
            self.assertRaises(OSError, self.directory.write, "snapshot", [b"new"])
        self.assertEqual((self.read("snapshot"), self.directory.names()), (b"old", ["snapshot"]))

    def test_put_away(self) -> None:
        """The new place is on the disk before the old one; where nothing is moved, nothing is waited for."""
        self.directory.write("one", [b"1"])
        with mock.patch.object(RealDisk, "sync_names") as sync:
            self.directory.put_away([], "archive")
            self.directory.put_away(["one"], "archive")
        self.assertEqual(sync.mock_calls, [mock.call("archive"), mock.call()])
        self.assertEqual((self.directory.names("archive"), self.directory.names()), (["one"], ["archive"]))

    def test_nothing_stays_open(self) -> None:
        """And a file that somebody else has written is synced."""
        before = len(os.listdir("/dev/fd"))
        self.directory.write("snapshot", [b"1"])
        with mock.patch.object(RealFile, "sync", autospec=True) as sync:
            self.directory.sync("snapshot")
        self.directory.create("journal", b"").close()
        self.assertEqual((len(os.listdir("/dev/fd")), sync.call_count), (before, 1))

    def test_write_over_a_leftover(self) -> None:
        """What a crash left of an earlier write is not in the way."""
        (self.path / "snapshot.new").write_bytes(b"half of something that was longer")
        self.directory.write("snapshot", [b"new"])
        self.assertEqual(self.read("snapshot"), b"new")
        self.assertEqual(self.directory.names(), ["snapshot"])

    def test_lines(self) -> None:
        """Lines end with LF alone; the last one may lack it."""
        self.directory.write("journal", [b"one\n", b"tw\r\0o\x0b\n\n", b"three"])
        self.assertEqual(list(self.directory.lines("journal")), [b"one\n", b"tw\r\0o\x0b\n", b"\n", b"three"])
        self.directory.write("journal", [])
        self.assertEqual(list(self.directory.lines("journal")), [])

    def test_remove(self) -> None:
        """What is removed is gone; what is not there need not be."""
        self.directory.write("snapshot", [b"1"])
        for _ in range(2):
            self.directory.remove("snapshot")
            self.assertEqual(self.directory.names(), [])
