"""
Records of older forms can be tried, and brought into the newest form.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from securehub.store.chain import Broken
from securehub.store.lines import header
from securehub.store.records import Record
from securehub.store.upgrade import upgrade
from securehub.store.verification import verify
from tests.disk import MemoryDirectory
from tests.store.books import put
from tests.store.contract import RoomThree, RoomTwo
from tests.store.setting import BEGIN, Message, Receipt, Room, Setting, everything

NEW = (RoomThree, Message, Receipt)


class Impossible(Record, frozen=True):
    """A form to which there is no way."""

    collection: ClassVar[str] = "room"
    version: ClassVar[int] = 2

    colour: str
    shade: str = ""


class Upgrading(SynchronousTestCase):
    def setUp(self) -> None:
        setting = Setting()
        for number in range(300):
            setting.put(f"{number}", Room(f"topic {number}"))
        setting.put("a/1", Message("text"))
        setting.put("r", Receipt("text"))
        setting.settle()
        setting = setting.crashed(records=(RoomTwo, Message, Receipt))
        for number in range(10):
            setting.put(f"{number}", RoomTwo("subject", 1))
        setting.settle()
        self.directory = put(Path(self.mktemp()), setting.disk.files)

    def files(self) -> dict[str, bytes]:
        return {name: (self.directory.path / name).read_bytes() for name in self.directory.names()}

    def upgrade(self, records: Any = NEW, *, dry_run: bool = False) -> Any:
        return upgrade(self.directory, records, dry_run=dry_run, at=BEGIN)

    def test_dry_run(self) -> None:
        """It says what there is to do, and changes nothing."""
        before = self.files()
        self.assertEqual(self.upgrade(dry_run=True), ({1: 2}, {"room": 300}, 2))
        self.assertEqual(self.files(), before)

    def test_upgrade(self) -> None:
        """All records have the newest form then, the chain tells of it, and there is nothing more to do."""
        self.upgrade()
        stated = [header(content.splitlines(keepends=True)[0]).stated for _, content in sorted(self.files().items())]
        self.assertEqual([each and each.serial for each in stated], [None, 1, 2])
        found = verify(self.directory, NEW, [])
        self.assertEqual(found.commits, 314)
        self.assertEqual(self.upgrade(), ({1: 3}, {}, 0))
        setting = Setting(disk=MemoryDirectory(self.files()), records=NEW)
        rooms = dict(setting.read(everything, RoomThree))
        self.assertEqual((rooms["3"], rooms["42"]), (RoomThree(("subject",), 1), RoomThree(("topic 42",), 0)))
        self.assertIsNotNone(setting.get(Receipt, "r"))

    def test_time_goes_on(self) -> None:
        """A clock that is behind makes no commit that is older than the one before."""
        upgrade(self.directory, NEW, dry_run=False, at=BEGIN - timedelta(days=1))
        found = Setting(disk=MemoryDirectory(self.files()), records=NEW).found
        self.assertGreaterEqual(found.at, BEGIN)

    def test_unreadable(self) -> None:
        """What cannot be read is found beforehand, and nothing is changed."""
        before = self.files()
        self.assertIn("room", str(self.assertRaises(Broken, self.upgrade, (Impossible, Message, Receipt))))
        self.assertEqual(self.files(), before)
