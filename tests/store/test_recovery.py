"""
The start after something went wrong: what was acknowledged is there, or the store says that it is not and touches nothing.
"""

from __future__ import annotations

import weakref
from hashlib import sha256
from itertools import combinations
from unittest import mock

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from securehub.store import journal, lines, recovery
from securehub.store.chain import Broken, Journal
from securehub.store.journal import RETRY_SECONDS
from securehub.store.keys import PLAIN, Keys
from securehub.store.recovery import CannotStart, Collections, recover
from tests.disk import MemoryDirectory
from tests.store.setting import FIRST, FULL, SPAN, Receipt, Room, Setting, everything
from tests.tools import logged

NEW_LINE = b"\n"
GROUPS = (1, 3, 2, 4)
"""How many commits were synced together, each time."""


def write(groups: tuple[int, ...] = GROUPS) -> MemoryDirectory:
    """A journal of commits that put the rooms 1, 2, 3, ...; a line states what was synced before its group."""
    setting = Setting()
    number = 0
    for count in groups:
        for _ in range(count):
            number += 1
            setting.put(f"{number:03d}", Room(str(number)))
        setting.step()
    return setting.disk.crashed()


class Newer(lines.Commit, frozen=True):
    """A commit as a later SecureHub may write it."""

    added: tuple[str, ...] = ()


def split(content: bytes) -> list[bytes]:
    return content.splitlines(keepends=True)


def extent(serial: int, content: bytes) -> lines.Extent:
    return lines.Extent(serial, len(content), sha256(content).hexdigest())


class Recovery(SynchronousTestCase):
    """The start on a disk that is given."""

    def expect(self, disk: MemoryDirectory, count: int, case: object = None) -> Setting:
        """The store starts with that many commits; goes on; and the same is there at the next start."""
        setting = Setting(disk=disk)
        rooms = [f"{number:03d}" for number in range(1, count + 1)]
        self.assertEqual(list(setting.topics()), rooms, case)
        self.assertEqual(setting.store.number, count, case)
        setting.put("later", Room())
        setting.settle()
        again = setting.crashed()
        self.assertEqual(list(again.topics()), [*rooms, "later"], case)
        return again

    def refuse(self, disk: MemoryDirectory, *told: str) -> None:
        """The store does not start, says why, and leaves everything as it was."""
        before = dict(disk.files)
        refusal = str(self.assertRaises(CannotStart, Setting, disk=disk))
        for text in told:
            self.assertIn(text, refusal)
        self.assertEqual(disk.files, before)

    def damaged(self, content: bytes, name: str = FIRST, groups: tuple[int, ...] = GROUPS) -> MemoryDirectory:
        """The journal of L{write} with one file changed."""
        disk = write(groups)
        disk.files[name] = content
        disk.settle()
        return disk

    # The file ends early

    def test_cut_at_every_byte(self) -> None:
        """
        Wherever a crash stops the writing of the journal, each whole line is there and nothing else.

        What was acknowledged by then was synced, so it is among them.
        """
        content = write().files[FIRST]
        for end in range(len(content) + 1):
            whole = content[:end].count(b"\n")
            self.expect(self.damaged(content[:end]), max(whole - 1, 0), end)

    def test_cut_and_zeros(self) -> None:
        """So it is when the file has its length already, and zeros where nothing has been written."""
        content = write().files[FIRST]
        header = content.index(b"\n") + 1
        for end in range(header, len(content), 3):
            whole = content[:end].count(b"\n")
            self.expect(self.damaged(content[:end] + bytes(len(content) - end)), whole - 1, end)

    def test_zeros_at_the_end(self) -> None:
        """A file that was written ahead ends in zeros; they are no damage."""
        self.expect(self.damaged(write().files[FIRST] + bytes(4096)), sum(GROUPS))

    def test_header_of_zeros(self) -> None:
        """A segment that was never begun is passed over, whatever its first bytes are."""
        whole = write().files[FIRST].splitlines(keepends=True)[0]
        for content in (b"", bytes(300), b"{", bytes(64) + whole[64:], whole[:64] + bytes(64) + whole[128:]):
            disk = write()
            disk.files["journal-000000000000010-0002.jsonl"] = content
            self.expect(disk, sum(GROUPS), content)

    # Something in the middle is lost

    def test_every_byte_is_damaged(self) -> None:
        """
        Wherever a byte is another than was written: if a later line states that it was synced, the start is refused and the line named;
        if none does, the store starts with what is before it.
        """
        content = write().files[FIRST]
        synced = sum(GROUPS[:-1])
        for number, line in enumerate(split(content)[1:], 1):
            begin = content.index(line)
            for place in range(begin, begin + len(line)):
                damaged = self.damaged(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
                if number <= synced:
                    self.refuse(damaged, FIRST, f"line {number + 1}:")
                else:
                    self.start_or_refuse(damaged, number - 1)

    def test_after_a_clean_stop(self) -> None:
        """Then all was acknowledged, to the last line, and nothing of it can be taken for what a crash left."""
        setting = Setting()
        for number in range(1, 4):
            setting.put(f"{number:03d}", Room(str(number)))
        setting.settle()
        setting.close()
        content = setting.disk.files[FIRST]
        begin = content.rindex(b"\n", 0, -1) + 1
        for place in range(begin, len(content) - 1):
            disk = setting.disk.crashed()
            disk.files[FIRST] = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
            disk.settle()
            self.refuse(disk, FIRST, "line 4:")
        disk = setting.disk.crashed()
        disk.files[FIRST] = content[:begin]
        disk.settle()
        self.refuse(disk, "3")
        self.expect(setting.disk.crashed(), 3)

    def start_or_refuse(self, disk: MemoryDirectory, count: int) -> None:
        """
        The store starts with that many commits, or is over-careful.

        A damaged line may by chance state that more was synced; to believe that is on the safe side.
        """
        try:
            self.expect(disk, count)
        except CannotStart as refusal:
            self.assertIn(f"line {count + 2}:", str(refusal))

    def test_damaged_header(self) -> None:
        """A damaged first line in front of commits stops the start."""
        content = write().files[FIRST]
        for place in range(content.index(b"\n")):
            damaged = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
            self.refuse(self.damaged(damaged), FIRST)

    def test_lines_of_the_last_group(self) -> None:
        """The lines of the group that was being synced may be missing in any choice; those before the first gap are kept."""
        content = split(write().files[FIRST])
        last = range(len(content) - GROUPS[-1], len(content))
        for count in range(1, GROUPS[-1] + 1):
            for lost in combinations(last, count):
                for blank in (b"\0", b"x"):
                    pieces = [blank * len(line) if place in lost else line for place, line in enumerate(content)]
                    self.expect(self.damaged(b"".join(pieces)), lost[0] - 1, lost)

    def test_lines_of_an_earlier_group(self) -> None:
        """A line that a later one states to have been synced is missed, and named, whatever else is lost with it."""
        content = split(write().files[FIRST])
        for first in range(1, len(content) - GROUPS[-1]):
            for second in range(first, len(content) - 1):
                pieces = [b"\0" * len(line) if place in (first, second) else line for place, line in enumerate(content)]
                self.refuse(self.damaged(b"".join(pieces)), f"{FIRST}, line {first + 1}: ", f"Commit {first} was synced")

    def test_missing_and_doubled_lines(self) -> None:
        """Lines that were taken out, doubled or put in another order stop the start if they were synced."""
        content = split(write().files[FIRST])
        for place in range(1, len(content) - GROUPS[-1]):
            self.refuse(self.damaged(b"".join(content[:place] + content[place + 1 :])), f"line {place + 1}: ")
            swapped = [*content[:place], content[place + 1], content[place], *content[place + 2 :]]
            self.refuse(self.damaged(b"".join(swapped)), f"line {place + 1}: ")
            if place < sum(GROUPS[:-1]):
                self.refuse(self.damaged(b"".join([*content[: place + 1], *content[place:]])), f"line {place + 2}: ")

    def test_forged(self) -> None:
        """A line with another content and a hash that fits it breaks the chain at the next one."""
        content = split(write().files[FIRST])
        before = lines.check(content[0], lines.FIRST_HASH)
        forged, _ = lines.seal(lines.Commit(1, lines.commit(content[1]).at, 0), before)
        self.refuse(self.damaged(b"".join([content[0], forged, *content[2:]])), FIRST, "line 3: ")

    def test_whole_and_not_understood(self) -> None:
        """
        A line that fits the chain is as it was written, and no crash leaves such a one: if it says what is not known, or comes out of its
        turn, it is not left out, though none behind it states that it was synced.
        """
        content = write((2,)).files[FIRST]
        *_, last = split(content)
        head, commit = last[lines.HASH], lines.commit(last)
        later, _ = lines.seal(msgspec.structs.replace(commit, n=3, hash=""), head)
        more, _ = lines.seal(Newer(3, commit.at, 0, added=("this",)), head)
        skipped, _ = lines.seal(msgspec.structs.replace(commit, n=4, hash=""), head)
        self.assertEqual(Setting(disk=self.damaged(content + later)).store.number, 3)
        self.refuse(self.damaged(content + more), f"{FIRST}, line 4: not a commit: ", "unknown field `added`")
        self.refuse(self.damaged(content + skipped), f"{FIRST}, line 4: it has number 4 where 3 is expected")
        self.assertRaises(Broken, list, Journal(self.damaged(content + skipped)).walk())

    # Many segments

    def several(self) -> MemoryDirectory:
        """Three segments: of 2, 3 and 1 commits."""
        disk, number = MemoryDirectory(), 0
        for count in (2, 3, 1):
            setting = Setting(disk=disk)
            for _ in range(count):
                number += 1
                setting.put(f"{number:03d}", Room(str(number)))
                setting.settle()
            disk = setting.disk.crashed()
        return disk

    def test_several(self) -> None:
        """Each start begins a segment, and hangs it on the one before."""
        disk = self.several()
        self.assertEqual(
            disk.names(),
            [FIRST, "journal-000000000000002-0002.jsonl", "journal-000000000000005-0003.jsonl"],
        )
        self.expect(disk, 6)

    def stated(self, disk: MemoryDirectory, name: str) -> lines.Extent | None:
        """What the header of a segment states of the one before."""
        return lines.header(split(disk.files[name])[0]).stated

    def test_stated(self) -> None:
        """A header states what counts of the segment before it: to the byte, be that closed by the daemon, by a start, or cut by one."""
        disk = self.several()
        first, second, third = disk.names()
        self.assertIsNone(self.stated(disk, first))
        for serial, (before, name) in enumerate(((first, second), (second, third)), 1):
            content = disk.files[before]
            self.assertEqual(self.stated(disk, name), extent(serial, content))
        setting = Setting(disk=disk, segment_bytes=1)
        setting.put("more", Room())
        setting.settle()
        setting.put("most", Room())
        setting.settle()
        fourth, fifth = setting.disk.names()[3:]
        content = setting.disk.files[fourth]
        self.assertEqual(self.stated(setting.disk, fifth), extent(4, content))
        torn = setting.disk.crashed()
        whole = torn.files[fifth]
        torn.files[fifth] += b'{"n":9,'
        torn.settle()
        sixth = Setting(disk=torn).disk.names()[-1]
        self.assertEqual(self.stated(torn, sixth), extent(5, whole))

    def test_stated_after_trouble(self) -> None:
        """What a failed append may have left is not in it. A segment that could not be begun may be there all the same: it is not meant."""
        setting = Setting()
        setting.put("first", Room())
        setting.settle()
        whole = setting.disk.files[FIRST]
        setting.put("lost", Room())
        setting.disk.fail(FULL, times=2, on={"append", "create"}, kept=None)
        setting.settle()
        while setting.store.trouble:
            setting.time.advance(RETRY_SECONDS)
            setting.settle()
        setting.put("second", Room())
        setting.settle()
        disk = setting.disk.crashed()
        self.assertEqual(len(disk.names()), 3)
        self.assertEqual(self.stated(disk, disk.names()[-1]), extent(1, whole))
        self.assertEqual(len(list(Journal(disk).walk())), 5)
        self.assertEqual(list(Setting(disk=disk).topics()), ["first", "second"])

    def checked_lines(self, disk: MemoryDirectory) -> int:
        """How many commits a start checks line by line."""
        with mock.patch.object(lines, "check", wraps=lines.check) as check:
            Setting(disk=disk)
        return sum(call.args[0].startswith(b'{"n":') for call in check.call_args_list)

    def test_closed_segments_as_wholes(self) -> None:
        """
        Of a closed segment that is what the next header states, no line is looked at by itself. If it is not, or none states it, all are:
        the same start, but longer.
        """
        self.assertEqual(self.checked_lines(self.several()), 1)
        for change in (
            {"previous": None},
            {"previous": lines.Extent(1, 1, "00" * 32)},
            {"previous": lines.Extent(9, 1, "00" * 32)},
        ):
            disk = self.several()
            first, second, _ = disk.names()
            disk.files.pop(disk.names()[2])
            header, *commits = split(disk.files[second])
            head = split(disk.files[first])[-1][lines.HASH]
            content, head = lines.seal(msgspec.structs.replace(lines.header(header), **change), head)
            for each in commits:
                line, head = lines.seal(lines.commit(each), head)
                content += line
            disk.files[second] = content
            disk.settle()
            self.assertEqual(self.checked_lines(MemoryDirectory(disk.files)), 5, change)
            self.expect(disk, 5, change)

    def test_damage_in_a_closed_segment(self) -> None:
        """Damage is found to the line, wherever it is; and so is a line too much or too little."""
        for name in self.several().names()[:-1]:
            content = self.several().files[name]
            begin = content.index(b"\n") + 1
            for place in range(begin, len(content)):
                disk = self.several()
                disk.files[name] = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
                self.refuse(disk, name, f"line {content.count(NEW_LINE, 0, place) + 1}:")
            lines_of = split(content)
            for number in range(1, len(lines_of)):
                disk = self.several()
                disk.files[name] = b"".join(lines_of[:number] + lines_of[number + 1 :])
                self.refuse(disk, name)
                disk.files[name] = b"".join(lines_of[:number] + lines_of[number - 1 : number] + lines_of[number:])
                self.refuse(disk, name, f"line {number + 1}:")

    def test_nonsense_in_a_closed_segment(self) -> None:
        """Bytes that make no sense where they are trusted are damage like any other: the start is refused, and the line named."""
        for keys in (PLAIN, Keys(bytes(32))):
            setting = Setting(disk=MemoryDirectory(keys=keys), wall=0.25)
            for number in range(12):
                setting.put(f"{number:03d}", Room("topic"))
                setting.settle()
            whole = setting.crashed().disk
            for old, new in (
                (b'"n":11,', b'"n":-1,'),
                (b'"n":11,', b'"n":' + b"9" * 40 + b","),
                (b'25Z","synced":10', b'255","synced":10'),
                (b'2026-11-19T18:02:00.25Z","synced":10', b'9999-12-31T18:02:00.25Z","synced":10'),
                (b'"synced":10,', b'"synced":"",'),
                (b'"sealed":"', b'"sealed":"!'),
            ):
                if old in whole.files[FIRST]:
                    content = whole.files[FIRST].replace(old, new)
                    place = next(place for place, line in enumerate(split(content), 1) if line not in split(whole.files[FIRST]))
                    self.refuse(MemoryDirectory({**whole.files, FIRST: content}, keys), FIRST, f"line {place}:")

    def test_no_memory(self) -> None:
        """What has no room in memory is not damaged: nothing is said of it, and it is not read a second time."""
        disk, events = self.several(), logged(self)
        with mock.patch.object(recovery, "_apply", side_effect=MemoryError) as lacking:
            self.assertRaises(MemoryError, Setting, disk=disk)
        self.assertEqual((lacking.call_count, events), (1, []))

    def test_damaged_statement(self) -> None:
        """What a header states of the segment before is covered by its hash like the rest, though nothing but the header is there."""
        setting = Setting(disk=write())
        setting.put("later", Room())
        setting.settle()
        setting.close()
        disk = setting.disk
        last = disk.names()[-1]
        self.assertEqual(len(split(disk.files[last])), 1)
        stated = self.stated(disk, last)
        assert stated
        for old, new in (
            (b'"serial"', b'"serhal"'),
            (b'"bytes":', b'"bytes":-'),
            (stated.sha256.encode(), b""),
            (b'"previous"', b'"prexious"'),
        ):
            self.refuse(MemoryDirectory({**disk.files, last: disk.files[last].replace(old, new)}), last, "line 1:")

    def test_nothing_is_kept(self) -> None:
        """When a start begins anew, what was made by then is gone from memory: it may be most of what there is."""
        disk = self.several()
        disk.files[FIRST] = disk.files[FIRST].replace(b'"1"', b'"7"')
        begun: list[weakref.ref[Collections]] = []

        def fresh() -> Collections:
            self.assertEqual([each() for each in begun], [None] * len(begun))
            collections = Collections()
            begun.append(weakref.ref(collections))
            return collections

        self.assertRaises(CannotStart, recover, disk, fresh, {})
        self.assertEqual(len(begun), 2)

    def test_generations(self) -> None:
        """What expires is replayed as it was written: what lives is there, and nothing else."""
        setting = Setting()
        keys = [f"key{number}" for number in range(30)]
        for key in keys:
            setting.put(key, Receipt("text"))
            setting.settle()
            setting.live(SPAN / 6)
        living = [key for key in keys if setting.get(Receipt, key)]
        self.assertTrue(0 < len(living) < len(keys))
        again = setting.crashed()
        self.assertEqual([key for key in keys if again.get(Receipt, key)], living)

    def test_a_segment_is_missing(self) -> None:
        """A segment that is not there is missed; of the last one nobody can know."""
        for name in self.several().names()[:-1]:
            disk = self.several()
            del disk.files[name]
            self.refuse(disk, "journal-0000000000000")

    def test_a_segment_ends_early(self) -> None:
        """A segment behind which another begins must have everything up to there."""
        for name in self.several().names()[:-1]:
            content = self.several().files[name]
            for end in range(content.index(b"\n") + 1, len(content)):
                disk = self.several()
                disk.files[name] = content[:end]
                self.refuse(disk, name)

    def test_a_segment_of_another_journal(self) -> None:
        """A segment of the same numbers, but of another history, is none of this journal."""
        disk, other = self.several(), self.several_later()
        for name in disk.names()[1:]:
            mixed = MemoryDirectory({**disk.files, name: other.files[name]})
            self.refuse(mixed, name)

    def test_a_segment_hangs_too_early(self) -> None:
        """A segment has to hang on the last line before it; on an earlier one, it is a forgery."""
        disk = self.several()
        first, second, third = disk.names()
        early = lines.check(split(disk.files[first])[0], lines.FIRST_HASH)
        header = lines.header(split(disk.files[second])[0])
        forged, _ = lines.seal(header, early)
        disk.files[second] = forged + b"".join(split(disk.files[second])[1:])
        self.refuse(disk, f"{second}, line 1: ")
        for serial in (second, third):
            disk.files.pop(serial)
        disk.files[second] = forged
        self.refuse(disk, f"{second}, line 1: ")

    def several_later(self) -> MemoryDirectory:
        """As L{several}, with other records."""
        disk = MemoryDirectory()
        for count in (2, 3, 1):
            setting = Setting(disk=disk, wall=60)
            for number in range(count):
                setting.put(f"other{number}", Room())
                setting.settle()
            disk = setting.disk.crashed()
        return disk

    def test_cut_tail_stays_dead(self) -> None:
        """What was cut off is not replayed by later starts, even if it turns out to be whole after all."""
        whole = write().files[FIRST]
        content = split(whole)
        first_of_last = len(content) - GROUPS[-1]
        content[first_of_last] = b"\0" * len(content[first_of_last])
        setting = self.expect(self.damaged(b"".join(content)), first_of_last - 1)
        setting.disk.files[FIRST] = whole
        setting.disk.settle()
        again = setting.crashed()
        self.assertEqual(len(again.topics()), first_of_last)
        self.assertIn("later", again.topics())

    def test_crashes_in_a_row(self) -> None:
        """Starts that crash before anything is committed leave headers behind each other, which is fine."""
        disk = write()
        for _ in range(5):
            disk = Setting(disk=disk).disk.crashed()
        self.expect(disk, sum(GROUPS))

    def test_cannot_begin(self) -> None:
        """A store that cannot write its first line does not open; at whichever byte that stops, the next start is well."""
        length = len(Setting().disk.files[FIRST])
        for kept in range(length + 1):
            disk = write()
            disk.fail(FULL, kept=kept)
            self.assertRaises(OSError, Setting, disk=disk)
            self.expect(disk.crashed(), sum(GROUPS), kept)

    def test_closed_in_trouble(self) -> None:
        """The number of a segment that could not be begun, which the snapshot of a store in trouble covers, is no later segment's."""
        self.patch(journal, "SNAPSHOT_AFTER", 1)
        setting = Setting()
        setting.put("first", Room())
        setting.settle()
        setting.put("lost", Room())
        setting.disk.fail(FULL, times=None, on={"append", "create"})
        setting.settle()
        for _ in range(3):
            setting.time.advance(RETRY_SECONDS)
            setting.settle()
        setting.close()
        for name in set(setting.disk.names()) - {FIRST}:
            if name.startswith("journal"):
                setting.disk.remove(name)
        setting.disk.settle()
        again = setting.crashed()
        again.put("second", Room())
        again.settle()
        self.assertEqual(list(again.crashed().topics()), ["first", "second"])

    def test_killed_before_the_sync(self) -> None:
        """
        What a killed daemon had written and not synced may be lost, or be there; once a start has shown it, it is there for good.
        """
        setting = Setting(disk=write())
        setting.disk.fail(FULL, kept=0)
        setting.put("written", Room())
        setting.step()
        after_kill = Setting(disk=setting.disk)
        shown = after_kill.topics()
        self.assertEqual(after_kill.crashed().topics(), shown)

    def test_many_segments(self) -> None:
        """However often the store has started, its newest segment is found."""
        disk = write()
        disk.files["journal-000000000000000-9998.jsonl"] = b""
        for number in range(3):
            setting = Setting(disk=disk)
            setting.put(f"more{number}", Room())
            setting.settle()
            disk = setting.disk.crashed()
        self.assertEqual(len(Setting(disk=disk).topics()), sum(GROUPS) + 3)

    # Other files

    def test_newer_format(self) -> None:
        """A journal of a newer format stops the start."""
        header, head = lines.seal(lines.Header(lines.NEWEST_FORMAT + 1, 0, Setting().now(), {}), lines.FIRST_HASH)
        commit, _ = lines.seal(lines.Commit(1, Setting().now(), 0), head)
        self.refuse(MemoryDirectory({FIRST: header + commit}), FIRST, "newer version")

    def test_strangers(self) -> None:
        """Files that are none of the store's are left alone."""
        strangers = {"lock": b"", "admin.sock": b"", "journal-1.jsonl": b"x", f"{FIRST}.bak": b"x", "notes.txt": b"mine"}
        setting = self.expect(MemoryDirectory({**write().files, **strangers}), sum(GROUPS))
        self.assertEqual({name: setting.disk.files[name] for name in strangers}, strangers)

    def test_what_was_found(self) -> None:
        """The start tells how much it replayed, and that is all of it."""
        setting = Setting(disk=write())
        self.assertEqual((setting.found.number, setting.found.replayed), (sum(GROUPS), sum(GROUPS)))
        self.assertEqual(setting.found.snapshot, None)
        self.assertEqual(len(setting.read(everything, Room)), sum(GROUPS))
        self.assertEqual(setting.store.counts()["room"], sum(GROUPS))

    def test_time_goes_on(self) -> None:
        """No record may have an earlier time than those in the journal."""
        setting = Setting(wall=3600)
        setting.put("001", Room())
        setting.settle()
        later = Setting(disk=setting.disk.crashed(), wall=0)
        self.assertEqual(later.clock.now(), setting.now())

    def test_time_of_a_start(self) -> None:
        """Nor an earlier one than that of a start after which nothing was committed."""
        later = Setting(disk=Setting(wall=3600).disk.crashed(), wall=0)
        self.assertEqual(later.clock.now(), Setting(wall=3600).now())
