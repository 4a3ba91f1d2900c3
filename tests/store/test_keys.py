"""
What is sealed can be read with its key, and with no other; and nothing of it shows.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from securehub.store import journal, keys
from securehub.store.fold import Order, fold
from securehub.store.keys import PLAIN, Changed, FileKey, Keys, NoKey, find, name_of, unwrapped, wrapped
from securehub.store.layout import snapshot_names
from securehub.store.recovery import CannotStart
from tests.disk import MemoryDirectory
from tests.store.setting import ONE, SPAN, TWO, Message, Room, Setting
from tests.store.verifier import linked, verify

SECRETS = ("topic-of-theirs", "text-of-theirs", "key-of-theirs")


def with_key(key: bytes, *older: bytes) -> MemoryDirectory:
    return MemoryDirectory(keys=Keys(key, older, "file:/etc/key"))


def fill(setting: Setting) -> None:
    """Commits with something that nobody else may know."""
    for number in range(5):
        setting.put(f"key-of-theirs-{number}", Room("topic-of-theirs"))
        setting.put(f"key-of-theirs-{number}/1", Message("text-of-theirs"))
        setting.settle()


def chained(*lines: bytes) -> bytes:
    """The lines with hashes that fit."""
    content, head = b"", b"0" * 64
    for line in lines:
        changed, head = linked(line, head)
        content += changed
    return content


class SealedStore(SynchronousTestCase):
    """A store with a key."""

    def setUp(self) -> None:
        self.patch(journal, "SNAPSHOT_AFTER", 3)

    def assert_sealed(self, files: dict[str, bytes]) -> None:
        self.assertTrue(files)
        for name, content in files.items():
            for secret in SECRETS:
                self.assertNotIn(secret.encode(), content, name)

    def test_nothing_readable(self) -> None:
        """Neither journal nor snapshots show a name or a text, and the chain can be checked without the key."""
        setting = Setting(disk=with_key(ONE))
        fill(setting)
        setting = setting.reopened()
        fill(setting)
        self.assertEqual(sorted({name.split("-")[0] for name in setting.disk.files}), ["journal", "snapshot"])
        self.assert_sealed(setting.disk.files)
        self.assertEqual(verify(setting.disk.files), 20)
        self.assertEqual(len(setting.topics()), 5)

    def test_readable_without_a_key(self) -> None:
        """The test above can fail."""
        setting = Setting()
        fill(setting)
        self.assertRaises(self.failureException, self.assert_sealed, setting.disk.files)

    def test_wrong_key(self) -> None:
        """With another key, or none, nothing is started and nothing is changed; the text names both keys."""
        for snapshot_after in (3, 1000):
            with mock.patch.object(journal, "SNAPSHOT_AFTER", snapshot_after):
                setting = Setting(disk=with_key(ONE))
                fill(setting)
                setting.close()
            files = dict(setting.disk.files)
            other = MemoryDirectory(files, Keys(TWO, source="file:/etc/key"))
            refusal = str(self.assertRaises(CannotStart, Setting, disk=other))
            for part in (name_of(ONE), name_of(TWO), "file:/etc/key"):
                self.assertIn(part, refusal)
            self.assertIn("no key", str(self.assertRaises(CannotStart, Setting, disk=MemoryDirectory(files))))
            self.assertEqual(other.files, files)

    def test_damaged_name(self) -> None:
        """A snapshot whose key's name is damaged lacks no key: it is passed over like any other that is damaged, by a fold as well."""
        setting = Setting(disk=with_key(ONE))
        fill(setting)
        setting = setting.reopened()
        fill(setting)
        setting.close()
        newest = snapshot_names(setting.disk.names())[-1]
        setting.disk.files[newest] = setting.disk.files[newest].replace(name_of(ONE).encode(), name_of(TWO).encode())
        setting.disk.settle()
        setting = setting.crashed()
        self.assertEqual(len(setting.topics()), 5)
        fill(setting)
        setting = setting.crashed()
        folded = fold(setting.disk, Order(setting.store.writer.serial, {"receipt": SPAN}, name_of(ONE)))  # type: ignore[arg-type]
        assert folded is not None
        self.assertEqual(folded.damaged, [newest])

    def test_turned_on(self) -> None:
        """A plain store goes on sealed when it is given a key; and plain again when the key is no longer current."""
        setting = Setting()
        setting.put("old", Room("plain"))
        setting.settle()
        setting.disk.keys = Keys(ONE)
        before = dict(setting.disk.files)
        setting = setting.reopened()
        fill(setting)
        self.assert_sealed({name: content for name, content in setting.disk.files.items() if name not in before})
        self.assertEqual(len(setting.topics()), 6)

    def test_change_keys(self) -> None:
        """A key is changed while commits go on: what is new needs the new one alone, once a snapshot has been left."""
        setting = Setting(disk=with_key(ONE))
        fill(setting)
        setting.put("in flight", Room())
        setting.turn()
        changed: list[Any] = []
        setting.store.change_keys(Keys(TWO, (ONE,))).addBoth(changed.append)
        setting.put("gathering", Room())
        setting.settle()
        self.assertEqual(changed, [None])
        fill(setting)
        crashed = setting.crashed()
        self.assertEqual(len(crashed.topics()), 7)
        setting.close()
        setting.disk.keys = Keys(TWO)
        self.assertEqual(len(setting.followed(setting.disk).topics()), 7)

    def test_change_keys_fails(self) -> None:
        """Should the new segment not be writable, the commits after it are not put into the old one."""
        setting = Setting(disk=with_key(ONE))
        fill(setting)
        changed: list[Any] = []
        setting.disk.fail(OSError(28, "full"), kept=None)
        setting.store.change_keys(Keys(TWO, (ONE,))).addErrback(changed.append)
        setting.put("after", Room())
        setting.settle()
        self.assertEqual([failure.type for failure in changed], [OSError])
        self.assertEqual(len(setting.crashed().topics()), 6)

    def test_changed_line(self) -> None:
        """Who makes a chain of their own over changed bytes cannot make them say anything."""
        setting = Setting(disk=with_key(ONE))
        fill(setting)
        name = next(iter(setting.disk.files))
        first, second, third, *_ = setting.disk.files[name].splitlines()
        whole = chained(first, second, third)
        self.assertEqual(Setting(disk=MemoryDirectory({name: whole}, setting.disk.keys)).store.number, 2)
        swapped = chained(first, third.replace(b'"n":2', b'"n":1'), second.replace(b'"n":1', b'"n":2'))
        self.assertEqual(verify({name: swapped}), 2)
        refusal = self.assertRaises(CannotStart, Setting, disk=MemoryDirectory({name: swapped}, setting.disk.keys))
        self.assertIn(f"{name}, line 2: what is sealed in it has been changed", str(refusal))


class Pieces(SynchronousTestCase):
    """Whole files that are sealed."""

    def setUp(self) -> None:
        self.keys = Keys(ONE)
        self.content = [b"first\nsecond\n", b"third\n", b""]
        self.lines = list(wrapped(self.content, self.keys))

    def test_as_before(self) -> None:
        """What went in comes out, line by line; without a key it is stored as it is."""
        self.assertEqual(list(unwrapped(iter(self.lines), self.keys)), [b"first\n", b"second\n", b"third\n"])
        self.assertEqual(list(wrapped(self.content, PLAIN)), self.content)
        self.assertEqual(list(unwrapped(iter([b"a\n", b"b"]), self.keys)), [b"a\n", b"b"])
        self.assertEqual(list(unwrapped(iter([]), self.keys)), [])

    def test_fresh_salt(self) -> None:
        """The same content is never sealed to the same bytes."""
        self.assertFalse(set(self.lines) & set(wrapped(self.content, self.keys)))

    def test_not_whole(self) -> None:
        """Whatever is cut, left out, doubled, swapped or changed, it shows."""
        lines = self.lines
        wrong: list[list[bytes]] = [
            *(lines[:count] for count in range(1, len(lines))),
            *(lines[:place] + lines[place + 1 :] for place in range(1, len(lines))),
            *(lines[:place] + lines[place - 1 :] for place in range(2, len(lines) + 1)),
            [lines[0], lines[2], lines[1], *lines[3:]],
            [lines[0], lines[1].replace(b"A", b"B").replace(b"a", b"b"), *lines[2:]],
        ]
        for each in wrong:
            self.assertRaises(Changed, list, unwrapped(iter(each), self.keys))

    def test_newer(self) -> None:
        first = self.lines[0].replace(b'"format":2', b'"format":3')
        self.assertIn("format 3", str(self.assertRaises(Changed, list, unwrapped(iter([first, *self.lines[1:]]), self.keys))))

    def test_damaged_first_line(self) -> None:
        """A salt that is none is damage as any, so that a start passes over the snapshot."""
        salt = self.lines[0].index(b'"salt":"') + len(b'"salt":"')
        for first in (self.lines[0][:salt] + b"x" + self.lines[0][salt + 1 :], self.lines[0][:salt] + self.lines[0][salt + 1 :]):
            self.assertRaises(Changed, list, unwrapped(iter([first, *self.lines[1:]]), self.keys))

    def test_nonce(self) -> None:
        """No number is used twice."""
        key = FileKey(ONE, b"salt")
        key.seal(1, b"a")
        self.assertRaises(AssertionError, key.seal, 1, b"b")
        self.assertRaises(AssertionError, key.seal, 0, b"b")

    def test_as_it_was_sealed(self) -> None:
        """What an earlier version has sealed is found by the name of its key, and opened."""
        self.assertEqual(name_of(ONE), "8ab34fd6457c36c0")
        self.assertEqual(FileKey(ONE, b"salt").open(1, b"VKsQF2aHvWcvnVm53rR0x4I2pqaqtIY=", b"beside"), b"content")

    def test_beside(self) -> None:
        """What stands beside it is protected, too."""
        found = FileKey(ONE, b"salt").seal(1, b"content", b"beside")
        self.assertEqual(FileKey(ONE, b"salt").open(1, found, b"beside"), b"content")
        for number, what, beside in ((2, found, b"beside"), (1, found, b""), (1, b"!" + found, b"beside")):
            self.assertRaises(Changed, FileKey(ONE, b"salt").open, number, what, beside)
        self.assertRaises(Changed, FileKey(ONE, b"other").open, 1, found, b"beside")


class Sources(SynchronousTestCase):
    """Where keys come from."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.path.mkdir()
        (self.path / "key").write_text(f"{ONE.hex()}\n{TWO.hex()}\n")

    def test_found(self) -> None:
        """A file, an environment variable, a credential of systemd."""
        variables = {"KEY": ONE.hex(), "CREDENTIALS_DIRECTORY": str(self.path)}
        with mock.patch.dict(os.environ, variables):
            self.assertEqual(find("env:KEY")[:2], (ONE, ()))
            self.assertEqual(find("credential:key")[:2], (ONE, (TWO,)))
        self.assertEqual(find(f"file:{self.path}/key")[:2], (ONE, (TWO,)))
        self.assertEqual(find(""), PLAIN)

    def test_refused(self) -> None:
        """What is no key is refused, with where it is said to be; and never quoted, as it may nearly be one."""
        almost = ONE.hex()[1:]
        (self.path / "almost").write_text(almost)
        (self.path / "mixed").write_text(f"{ONE.hex()} {almost}")
        (self.path / "empty").write_text("")
        (self.path / "binary").write_bytes(bytes(range(256)))
        with mock.patch.dict(os.environ, clear=True):
            for source in (
                "env:KEY",
                "credential:key",
                "key",
                "url:key",
                *(f"file:{self.path}/{n}" for n in ("none", "almost", "mixed", "empty", "binary")),
            ):
                text = str(self.assertRaises(NoKey, find, source))
                self.assertIn(source, text)
                self.assertNotIn(almost, text)

    def test_in_the_state_directory(self) -> None:
        """A key beside what it protects protects nothing."""
        source = f"file:{self.path}/key"
        self.assertIn("must not lie", str(self.assertRaises(NoKey, find, source, beside=self.path)))
        self.assertEqual(find(source, beside=self.path / "state").current, ONE)

    def test_names(self) -> None:
        """A key's name tells which it is, and not what."""
        self.assertNotEqual(name_of(ONE), name_of(TWO))
        self.assertNotIn(name_of(ONE), ONE.hex())
        self.assertIn(name_of(ONE), str(self.assertRaises(NoKey, keys.PLAIN.for_file, name_of(ONE), "00")))
