"""
Snapshots: written whole or not at all, believed only when whole, and never the only copy.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from itertools import product
from typing import ClassVar

from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from securehub.store import journal, snapshot
from securehub.store.age import generation
from securehub.store.collection import Collection, ExpiringCollection
from securehub.store.fold import Order, fold
from securehub.store.layout import segment_names, snapshot_name
from securehub.store.lines import Damaged
from securehub.store.records import Record
from securehub.store.recovery import CannotStart
from securehub.store.snapshot import Head
from tests.disk import MemoryDirectory
from tests.store.contract import RoomTwo
from tests.store.setting import BEGIN, FULL, LIFETIME, RECORDS, SPAN, Message, Receipt, Room, Setting, everything
from tests.store.verifier import digest_of

DAY = 24 * 60 * 60


class Slip(Record, frozen=True):
    """A record that is kept for a day."""

    collection: ClassVar[str] = "slip"
    lifetime: ClassVar[int | None] = DAY


HEAD = Head(format=1, number=7, serial=2, hash="ab" * 32, at=BEGIN, forms={"room": 1}, drawn={"transfer": 3})


def split(content: bytes) -> list[bytes]:
    return content.splitlines(keepends=True)


class Files(SynchronousTestCase):
    """The file by itself."""

    def setUp(self) -> None:
        self.rooms = Collection("room")
        self.receipts = ExpiringCollection("receipt", LIFETIME)
        self.receipts.expire(5 * LIFETIME)
        for number in range(5):
            self.rooms.replace(f'é"{number}', b'{"topic":"a\\nb"}')
            self.receipts.replace(f"{number}", b'{"text":""}')
        self.receipts.expire(6 * LIFETIME)
        self.receipts.replace("late", b"{}")

    def write(self, *collections: Collection | ExpiringCollection, head: Head = HEAD) -> bytes:
        return b"".join(snapshot.chunks(head, collections or (self.rooms, self.receipts)))

    def load(self, content: bytes) -> tuple[Head, str, Collection, ExpiringCollection]:
        found = {"room": Collection("room"), "receipt": ExpiringCollection("receipt", LIFETIME)}
        head, digest = snapshot.load(
            MemoryDirectory({"snapshot": content}).lines("snapshot"), lambda name: found.get(name, Collection(name))
        )
        return head, digest, *found.values()  # type: ignore[return-value]

    def test_there_and_back(self) -> None:
        """What is written is loaded as it was, in which generation each receipt is included."""
        content = self.write()
        head, digest, rooms, receipts = self.load(content)
        rooms.put_in_order()
        self.assertEqual(head, HEAD)
        self.assertEqual(digest, digest_of(content))
        self.assertEqual(list(rooms.items()), list(self.rooms.items()))
        self.assertEqual(list(receipts.items()), list(self.receipts.items()))

    def test_empty(self) -> None:
        """Nothing can be written, too."""
        head, _, rooms, _ = self.load(self.write(Collection("room")))
        self.assertEqual((head, len(rooms)), (HEAD, 0))

    def test_pieces(self) -> None:
        """A large one comes in pieces, of whole lines, and is the same."""
        for number in range(3000):
            self.rooms.replace(f"{number}", b"{}")
        pieces = list(snapshot.chunks(HEAD, [self.rooms]))
        self.assertGreater(len(pieces), 4)
        self.assertTrue(all(piece.endswith(b"\n") for piece in pieces))
        self.assertEqual(len(self.load(b"".join(pieces))[2]), 3005)

    def test_any_cut(self) -> None:
        """Wherever it ends too early, it is not believed."""
        content = self.write()
        for end in range(len(content) - 1):
            self.assertRaises(Damaged, self.load, content[:end])

    def test_any_byte(self) -> None:
        """Whichever byte is another, it is not believed, or the very same was loaded."""
        content = self.write()
        whole = self.load(content)
        for place in range(len(content)):
            for other in (content[place] ^ 1, 0, 0xFF):
                damaged = content[:place] + bytes([other]) + content[place + 1 :]
                try:
                    found = self.load(damaged)
                except Damaged:
                    continue
                self.assertEqual(found[:2], whole[:2], place)
                self.assertEqual(list(found[3].items()), list(whole[3].items()), place)

    def test_any_line(self) -> None:
        """So it is with lines that are missing, doubled, or in another order."""
        lines = split(self.write())
        for place in range(len(lines)):
            self.assertRaises(Damaged, self.load, b"".join(lines[:place] + lines[place + 1 :]))
            self.assertRaises(Damaged, self.load, b"".join(lines[: place + 1] + lines[place:]))
        for place in range(1, len(lines) - 2):
            swapped = [*lines[:place], lines[place + 1], lines[place], *lines[place + 2 :]]
            self.assertRaises(Damaged, self.load, b"".join(swapped))

    def test_newer(self) -> None:
        """A form that is not known is not believed either."""
        newer = self.write(head=replace(HEAD, format=2))
        self.assertIn("format 2", str(self.assertRaises(Damaged, self.load, newer)))
        self.assertIn("format 2", str(self.assertRaises(Damaged, snapshot.read_head, newer.splitlines(keepends=True)[0])))


class Closing(SynchronousTestCase):
    """The store that leaves and finds them."""

    def setUp(self) -> None:
        self.patch(journal, "SNAPSHOT_AFTER", 3)
        self.setting = Setting()

    def commit(self, count: int) -> None:
        """That many more rooms."""
        begin = len(self.setting.topics())
        for number in range(begin, begin + count):
            self.setting.put(f"{number:03d}", Room(str(number)))
        self.setting.settle()

    def reopen(self, *, records: Iterable[type[Record]] | None = None, after: float = 0.0) -> None:
        self.setting = self.setting.reopened(records=records, after=after)

    def damage(self, name: str) -> None:
        content = self.setting.disk.files[name]
        self.setting.disk.files[name] = content.replace(b'"topic"', b'"tropic"', 1)

    def snapshots(self) -> list[str]:
        return [name for name in self.setting.disk.names() if name.startswith("snapshot")]

    def test_only_when_worthwhile(self) -> None:
        """A close leaves one when enough has been committed since the last, and else not."""
        self.commit(2)
        self.reopen()
        self.assertEqual(self.snapshots(), [])
        self.commit(1)
        self.reopen()
        self.assertEqual(self.snapshots(), ["snapshot-000000000000003.jsonl"])
        self.assertEqual(self.setting.found.replayed, 0)
        self.commit(2)
        self.reopen()
        self.assertEqual(len(self.snapshots()), 1)
        self.assertEqual(self.setting.found.replayed, 2)
        self.assertEqual(len(self.setting.topics()), 5)

    def test_nothing_since(self) -> None:
        """Without a commit there is no new one, however often the store starts."""
        self.commit(3)
        for _ in range(3):
            self.reopen()
        self.assertEqual(len(self.snapshots()), 1)

    def test_nothing_since_a_crash(self) -> None:
        """A store that comes back from a crash and is closed before its next commit leaves one that can be started from."""
        self.commit(3)
        self.setting = self.setting.crashed()
        self.reopen()
        self.assertEqual(len(self.snapshots()), 1)
        self.assertEqual(len(self.setting.topics()), 3)
        self.commit(1)
        self.reopen()
        self.assertEqual(len(self.setting.topics()), 4)

    def test_two_are_kept(self) -> None:
        """The newest and the one before it are kept, and all of the journal: what the older of them covers, in the archive."""
        for _ in range(4):
            self.commit(3)
            self.reopen()
        self.assertEqual(self.snapshots(), ["snapshot-000000000000009.jsonl", "snapshot-000000000000012.jsonl"])
        self.assertEqual(len(segment_names(self.setting.disk.names("archive"))), 3)
        self.assertEqual(len(segment_names(self.setting.disk.names())), 2)

    def test_survives(self) -> None:
        """It is on the disk when the close is done."""
        self.commit(3)
        self.setting.close()
        self.setting = self.setting.crashed()
        self.assertEqual((self.setting.found.replayed, len(self.setting.topics())), (0, 3))

    def test_all_kinds(self) -> None:
        """Numbers, receipts and records that nobody declares now are in it."""
        self.setting.put("lobby/1", Message("hello"))
        self.setting.put("a", Receipt("kept"))
        self.assertEqual(self.setting.transact(lambda tx: tx.put("b", Receipt("kept")) or tx.number("transfer")), 1)
        self.reopen(records=(Room,))
        self.assertEqual(self.setting.found.replayed, 0)
        self.commit(3)
        self.reopen(records=RECORDS)
        self.assertEqual(self.setting.found.replayed, 0)
        self.assertEqual(self.setting.read(everything, Message), [("lobby/1", Message("hello"))])
        self.assertEqual(self.setting.transact(lambda tx: tx.put("b", Receipt("kept")) or tx.number("transfer")), 2)

    def test_damaged(self) -> None:
        """When the newest is damaged, the one before it and the journal have all that it had."""
        for _ in range(2):
            self.commit(3)
            self.reopen()
        self.commit(1)
        self.damage(self.snapshots()[1])
        self.reopen()
        self.assertEqual(self.setting.found.replayed, 4)
        self.assertEqual(len(self.setting.topics()), 7)

    def test_all_damaged(self) -> None:
        """When all are, the journal has it."""
        for _ in range(3):
            self.commit(3)
            self.reopen()
        for name in self.snapshots():
            self.damage(name)
        self.reopen()
        self.assertEqual(self.setting.found.replayed, 9)
        self.assertEqual(len(self.setting.topics()), 9)

    def test_damaged_without_journal(self) -> None:
        """When the journal behind a damaged one is gone, the store does not start."""
        self.commit(3)
        self.reopen()
        self.commit(1)
        self.setting.close()
        self.damage(self.snapshots()[0])
        del self.setting.disk.files[self.setting.disk.names()[0]]
        refusal = self.assertRaises(CannotStart, self.setting.followed, self.setting.disk)
        self.assertIn("journal-000000000000003-0002.jsonl begins after commit 3", str(refusal))

    def test_another_history(self) -> None:
        """A snapshot that is whole, but of another journal, stops the start."""
        self.commit(3)
        self.reopen()
        other = Setting()
        for number in range(3):
            other.put(f"{number}", Room("another"))
        other.close()
        name = self.snapshots()[0]
        self.setting.disk.files[name] = other.disk.files[name]
        self.assertRaises(CannotStart, self.setting.followed, self.setting.disk)

    def test_cannot_be_written(self) -> None:
        """When the disk is full at the close, the close is done all the same, and the journal has everything."""
        self.commit(3)
        self.setting.disk.fail(FULL, on=["write"])
        self.reopen()
        self.assertEqual((self.setting.found.replayed, len(self.setting.topics())), (3, 3))

    def test_half_written(self) -> None:
        """What a crash left of one that was being written is not looked at."""
        self.commit(3)
        self.setting.disk.files["snapshot-000000000000003.jsonl.new"] = b'{"format":1'
        self.reopen()
        self.assertEqual(len(self.setting.topics()), 3)

    def test_digest_in_the_journal(self) -> None:
        """The segment that begins after a snapshot states its digest."""
        self.commit(3)
        self.reopen()
        (name,) = self.snapshots()
        digest = digest_of(self.setting.disk.files[name])
        segment = self.setting.disk.files["journal-000000000000003-0002.jsonl"]
        self.assertIn(digest.encode(), segment)

    def test_receipts_expire_across(self) -> None:
        """A receipt in a snapshot is there for its lifetime, and gone after two, as if the store had gone on."""
        self.setting.put("a", Receipt("kept"))
        self.commit(3)
        self.setting.live(LIFETIME)
        self.reopen()
        self.commit(3)
        self.assertIsNotNone(self.setting.get(Receipt, "a"))
        self.setting.live(2 * SPAN)
        self.reopen()
        self.commit(3)
        self.assertIsNone(self.setting.get(Receipt, "a"))
        self.reopen()
        self.assertIsNone(self.setting.get(Receipt, "a"))

    def test_slips_of_older_versions(self) -> None:
        """
        A snapshot of a version that named generations by the clock: its records are there for their lifetime, be they of the generation
        that was the current one or of the one before, and gone in the end; and so it is when it has been folded.
        """
        for folded, begin in product((False, True), range(0, DAY, 2 * 60 * 60)):
            self.setting = Setting(records=(Room, Slip), wall=begin)
            self.commit(3)
            self.setting.close()
            (name,) = self.snapshots()
            current = int(BEGIN.timestamp() + begin) // DAY * DAY
            began = {"a": current - DAY, "b": current}
            rows = [snapshot.row(b'"slip"', key, b"{}", seconds) for key, seconds in began.items()]
            head = snapshot.read_head(self.setting.disk.files[name].splitlines()[0])
            self.setting.disk.files[name] = b"".join(snapshot.sealed(replace(head, age=None), iter(rows)))
            self.setting = self.setting.followed(self.setting.disk)
            if folded:
                self.commit(2)
                self.reopen()
                made = fold(self.setting.disk, Order(self.setting.store.writer.serial, self.setting.store.spans, ""))  # type: ignore[arg-type]
                assert made is not None
                self.setting.disk.put_in_place(snapshot_name(made.number))
                self.reopen()
                self.assertEqual(self.setting.found.replayed, 0)
            self.setting.live(DAY - 1)
            self.assertEqual([self.setting.get(Slip, key) for key in "ab"], [Slip(), Slip()], (folded, begin))
        self.setting.live(2 * DAY + 2 * generation(DAY))
        self.assertEqual([self.setting.get(Slip, key) for key in "ab"], [None, None])

    def test_time_goes_on(self) -> None:
        """A wall clock that was set back while the store was closed does not bring times back."""
        self.commit(3)
        self.assertEqual(self.setting.clock.now(), BEGIN)
        self.reopen(after=-3600)
        self.assertEqual(self.setting.found.replayed, 0)
        self.assertGreaterEqual(self.setting.clock.now(), BEGIN)
        self.assertLess(self.setting.clock.now(), BEGIN + timedelta(hours=1))

    def test_newer_behind_a_service_less(self) -> None:
        """A newer form is refused even if a daemon that does not know the records at all was there in between."""
        self.reopen(records=(RoomTwo,))
        self.setting.put("a", RoomTwo("two", 2))
        self.reopen(records=(Message,))
        for number in range(3):
            self.setting.put(f"lobby/{number}", Message("hello"))
        self.setting.close()
        self.assertRaises(CannotStart, self.setting.followed, self.setting.disk, records=RECORDS)
