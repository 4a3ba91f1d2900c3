"""
The switchboard.
"""

from __future__ import annotations

import gc
import itertools
import json

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from securehub.event import End, Event, ToOthers, Tune
from securehub.gate import Gate
from securehub.store.journal import Position
from securehub.switchboard import FEW, MAX_EVENT, Switchboard, member


class Rung(Event, frozen=True):
    """A bell was rung."""

    method = "bell.rung"
    by: str

    def text(self) -> str:
        ENCODED.append(self.by)
        return f"{self.by} rings the bell."


ENCODED: list[str] = []


class Ear:
    """
    Listens.

    @ivar anew: how often it was told to find out anew what it hears.
    @ivar cuts: how often it was cut off.
    """

    numbers = itertools.count(1)

    def __init__(self, switchboard: Switchboard, *, json: bool = False) -> None:
        self.number = next(self.numbers)
        self.speaks_json = json
        self.heard: list[bytes] = []
        self.anew = 0
        self.cuts = 0
        self._switchboard = switchboard

    def hear(self, events: bytes, series: str | None) -> None:
        self.heard.append(events)

    def tune(self, channel: str, on: bool) -> None:
        (self._switchboard.listen if on else self._switchboard.leave)(channel, self)

    def tune_anew(self) -> None:
        self.anew += 1

    def cut(self) -> None:
        self.cuts += 1

    def is_meant(self, end: End) -> bool:
        return end.family == "family"

    def end(self, bye: bytes) -> None:
        self.heard += [b"ended", bye]


class Numbered(Event, frozen=True):
    """One of a series."""

    method = "bell.numbered"
    number: int

    @property
    def series(self) -> str:
        return "bells"

    def text(self) -> str:
        return str(self.number)


class Case(SynchronousTestCase):
    """A switchboard and its gate."""

    def setUp(self) -> None:
        ENCODED.clear()
        self.gate = Gate(Clock())
        self.switchboard = Switchboard(self.gate)

    def ear(self, *channels: str, json: bool = False) -> Ear:
        """Somebody who listens to these."""
        ear = Ear(self.switchboard, json=json)
        for channel in channels:
            self.switchboard.listen(channel, ear)
        return ear

    def say(self, *announced: tuple[str, Event]) -> None:
        """Announce, and do not let it out yet."""
        self.switchboard.deliver(self.switchboard.prepare(announced))

    def announce(self, *announced: tuple[str, Event]) -> None:
        """Announce, and let it out."""
        self.say(*announced)
        self.gate.flush()

    def commit(self, *announced: tuple[str, Event]) -> Position:
        """Announce what belongs to a commit that is not settled."""
        self.gate.position = position = Position()
        self.say(*announced)
        return position

    def settle(self, position: Position) -> None:
        """The commit is settled."""
        self.gate.position = None
        self.gate.settled(position)


class SwitchboardTests(Case):
    """Who listens to a channel hears what is announced there, in its own form."""

    def test_forms(self) -> None:
        people, program = self.ear("tower"), self.ear("tower", json=True)
        self.announce(("tower", Rung("bob")))
        self.assertEqual(people.heard, [b"* bob rings the bell.\n"])
        self.assertEqual(json.loads(program.heard[0]), {"jsonrpc": "2.0", "method": "bell.rung", "params": {"by": "bob"}})
        self.assertTrue(program.heard[0].endswith(b"\n"))

    def test_nothing_is_left(self) -> None:
        """What has been told is let go at once; nothing of it waits for the garbage collector."""
        self.ear("tower")
        for end in (self.settle, self.gate.lost):
            gc.collect()
            gc.disable()
            self.addCleanup(gc.enable)
            end(self.commit(("tower", Rung("bob"))))
            self.gate.position = None
            self.announce(("tower", Rung("eve")))
            self.assertEqual(self.left(), [])

    def left(self) -> list[object]:
        """What of ours the collector alone finds; other tests may have left something that goes on by itself."""
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            gc.collect()
            return [each for each in gc.garbage if type(each).__module__.startswith("securehub.")]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()

    def test_an_end(self) -> None:
        """Those whom it means are ended, each in its own form, before the commit is settled; goodbye is theirs to keep back."""
        people, program = self.ear("member/alice"), self.ear("member/alice", json=True)
        self.announce(("member/alice", Rung("bob")), ("member/alice", End("enough.", "family")), ("member/alice", End("no", "other")))
        self.assertEqual(people.heard, [b"ended", b"* Bye: enough.\n", b"* bob rings the bell.\n"])
        self.assertEqual(json.loads(program.heard[1]), {"jsonrpc": "2.0", "method": "hub.bye", "params": {"reason": "enough."}})
        self.assertEqual(len(program.heard), 3)

    def test_encoded_once(self) -> None:
        """However many listen; and not at all if nobody does."""
        ears = [self.ear("tower") for _ in range(100)]
        self.announce(("tower", Rung("bob")), ("cellar", Rung("carol")))
        self.assertEqual(ENCODED, ["bob"])
        self.assertEqual({id(ear.heard[0]) for ear in ears}, {id(ears[0].heard[0])})

    def test_forms_that_are_heard(self) -> None:
        """Of few it is known in which they listen; for many, and for those who may come in the same commit, both are made."""

        def forms(*announced: tuple[str, Event]) -> list[bool]:
            *_, as_text, as_json = self.switchboard.prepare(announced)[-1]
            return [as_text is not None, as_json is not None]

        ears = [self.ear("tower") for _ in range(FEW)]
        self.assertEqual(forms(("tower", Rung("bob"))), [True, False])
        ears[0].speaks_json = True
        self.assertEqual(forms(("tower", Rung("bob"))), [True, True])
        for ear in ears:
            ear.speaks_json = True
        self.assertEqual(forms(("tower", Rung("bob"))), [False, True])
        self.ear("tower", json=True)
        self.assertEqual(forms(("tower", Rung("bob"))), [True, True])
        self.ear("member/bob")
        self.assertEqual(forms(("member/bob", Tune("cellar", True)), ("cellar", Rung("bob"))), [True, True])

    def test_order(self) -> None:
        """Events in the order in which they were announced."""
        ear = self.ear("a", "b")
        self.announce(("b", Rung("one")), ("a", Rung("two")), ("b", Rung("three")))
        self.assertEqual(ENCODED, ["one", "two", "three"])
        self.assertEqual([line.split()[1] for line in ear.heard], [b"one", b"two", b"three"])

    def test_listening_twice(self) -> None:
        """An event is heard once."""
        ear = self.ear("tower", "tower")
        self.announce(("tower", Rung("bob")))
        self.assertEqual(len(ear.heard), 1)

    def test_leaving(self) -> None:
        """Who has left hears nothing more; to leave what one does not listen to is no error."""
        ear, other = self.ear("tower"), self.ear("tower")
        self.switchboard.leave("tower", ear)
        self.switchboard.leave("tower", ear)
        self.switchboard.leave("cellar", ear)
        self.announce(("tower", Rung("bob")))
        self.assertEqual((ear.heard, len(other.heard)), ([], 1))
        self.assertEqual(self.switchboard.listeners("tower"), [other])
        self.switchboard.leave("tower", other)
        self.assertEqual(self.switchboard.listeners("tower"), [])

    def test_too_long(self) -> None:
        """It is found before the commit, and not when half of the listeners have heard it."""
        self.ear("tower")
        most = MAX_EVENT - len(Rung("").text()) - len("* \n")
        self.assertEqual(len(self.switchboard.prepare([("tower", Rung("x" * most))])), 1)
        self.assertRaises(AssertionError, self.switchboard.prepare, [("tower", Rung("x" * (most + 1)))])

    def test_channels_of_members(self) -> None:
        self.assertNotEqual(member("bob"), member("alice"))

    def test_who_caused_it(self) -> None:
        """It has the reply, and hears what others cause."""
        ringer, other = self.ear("tower"), self.ear("tower")
        self.announce(("tower", ToOthers(ringer.number, Rung("bob"))), ("tower", ToOthers(other.number, Rung("carol"))))
        self.assertEqual(ringer.heard, [b"* carol rings the bell.\n"])
        self.assertEqual(other.heard, [b"* bob rings the bell.\n"])

    def test_watching(self) -> None:
        """The first who comes and the last who goes are seen, and nobody between."""
        seen: list[tuple[str, bool]] = []
        self.switchboard.watchers.append(lambda channel, listened: seen.append((channel, listened)))
        one, other = self.ear("tower"), self.ear("tower")
        self.switchboard.leave("tower", one)
        self.assertEqual(seen, [("tower", True)])
        self.switchboard.leave("tower", other)
        self.assertEqual(seen, [("tower", True), ("tower", False)])
        self.switchboard.listen("tower", other)
        self.assertEqual(seen[2:], [("tower", True)])


class RunTests(Case):
    """What a channel says in one go is joined once, and handed to all of its listeners."""

    def test_joined_once(self) -> None:
        """In either form."""
        ears, programs = [self.ear("tower") for _ in range(100)], [self.ear("tower", json=True) for _ in range(100)]
        self.announce(*(("tower", Rung(name)) for name in ("bob", "carol")))
        self.assertEqual(ears[0].heard, [b"* bob rings the bell.\n* carol rings the bell.\n"])
        self.assertEqual(len(programs[0].heard[0].splitlines()), 2)
        for group in (ears, programs):
            self.assertEqual({id(ear.heard[0]) for ear in group}, {id(group[0].heard[0])})

    def test_one_alone_is_not_joined(self) -> None:
        """The very bytes that were encoded go to all."""
        ears = [self.ear("tower", json=json) for json in [False, True] * 10]
        prepared = self.switchboard.prepare([("tower", Rung("bob"))])
        self.switchboard.deliver(prepared)
        self.gate.flush()
        self.assertEqual({id(ear.heard[0]) for ear in ears}, {id(form) for form in prepared[0][-2:]})

    def test_order_of_commits(self) -> None:
        """Whoever listens to two channels hears the events of both in their order."""
        ear = self.ear("a", "b")
        for channel, name in (("a", "1"), ("a", "2"), ("b", "3"), ("a", "4")):
            self.say((channel, Rung(name)))
        self.gate.flush()
        self.assertEqual(b"".join(ear.heard).split()[1::5], [b"1", b"2", b"3", b"4"])
        self.assertEqual(len(ear.heard), 3)

    def test_order_of_what_is_not_stored(self) -> None:
        """It is heard between what came before and after it."""
        ear, other = self.ear("a", "b"), self.ear("b", "c")
        self.say(("a", Rung("1")))
        self.switchboard.announce(Rung("2"), "a", "b", but="c", lost=lambda: None)
        self.say(("a", Rung("3")))
        self.gate.flush()
        self.assertEqual((b"".join(ear.heard).split()[1::5], other.heard), ([b"1", b"2", b"3"], []))

    def test_next_turn(self) -> None:
        """What has been let out is not said again, nor forgotten."""
        ear = self.ear("tower")
        self.announce(("tower", Rung("bob")))
        self.announce(("tower", Rung("carol")))
        self.assertEqual(ear.heard, [b"* bob rings the bell.\n", b"* carol rings the bell.\n"])

    def test_positions(self) -> None:
        """Each commit's events wait for that commit."""
        ear = self.ear("tower")
        first = self.commit(("tower", Rung("bob")))
        second = self.commit(("tower", Rung("carol")))
        self.assertEqual(ear.heard, [])
        self.gate.settled(first)
        self.assertEqual(ear.heard, [b"* bob rings the bell.\n"])
        self.settle(second)
        self.assertEqual(ear.heard[1:], [b"* carol rings the bell.\n"])

    def test_who_comes_later(self) -> None:
        """Hears nothing of what was said before, though it has not been let out."""
        early = self.ear("tower")
        position = self.commit(("tower", Rung("bob")))
        late = self.ear("tower")
        self.say(("tower", Rung("carol")))
        self.settle(position)
        self.assertEqual(late.heard, [b"* carol rings the bell.\n"])
        self.assertEqual(b"".join(early.heard), b"* bob rings the bell.\n* carol rings the bell.\n")

    def test_many_leave(self) -> None:
        """What is on its way is not gone through again for each of them: a thousand may lose their connections at once."""
        looks = 0

        class Counted(Ear):
            def __hash__(self) -> int:
                nonlocal looks
                looks += 1
                return id(self)

        ears = [Counted(self.switchboard) for _ in range(100)]
        for ear in ears:
            self.switchboard.listen("tower", ear)
        position = self.commit(*(("tower", ToOthers(number, Rung(str(number)))) for number in range(10)))
        looks = 0
        for ear in ears[:90]:
            self.switchboard.leave("tower", ear)
        self.assertLess(looks, 90 * 10 * 5)
        self.settle(position)
        self.assertEqual([len(b"".join(ear.heard).splitlines()) for ear in ears], [0] * 90 + [10] * 10)

    def test_who_has_left(self) -> None:
        """Hears nothing more, not even what was on its way; and not twice if it comes back."""
        leaver, other = self.ear("tower"), self.ear("tower")
        position = self.commit(("tower", Rung("bob")), ("tower", Numbered(1)))
        self.switchboard.leave("tower", leaver)
        self.switchboard.listen("tower", leaver)
        self.settle(position)
        self.assertEqual((leaver.heard, len(other.heard)), ([], 2))

    def test_another_form_in_between(self) -> None:
        """A listener may have changed its form since the event was encoded."""
        ear = self.ear("tower")
        position = self.commit(("tower", Rung("bob")), ("tower", Rung("carol")))
        ear.speaks_json = True
        self.settle(position)
        self.assertEqual([json.loads(line)["params"]["by"] for line in ear.heard[0].splitlines()], ["bob", "carol"])
        position = self.commit(("tower", Rung("eve")))
        ear.speaks_json = False
        self.settle(position)
        self.assertEqual(ear.heard[1:], [b"* eve rings the bell.\n"])

    def test_undone(self) -> None:
        """Nobody is told of what has not happened."""
        ear = self.ear("tower")
        position = self.commit(("tower", Rung("bob")))
        self.gate.position = None
        self.gate.lost(position)
        self.announce(("tower", Rung("carol")))
        self.assertEqual(ear.heard, [b"* carol rings the bell.\n"])


class TuningTests(Case):
    """A commit changes what a member hears, from this very commit on."""

    def test_on_and_off(self) -> None:
        ear = self.ear("member/bob")
        self.announce(("tower", Rung("1")), ("member/bob", Tune("tower", True)), ("tower", Rung("2")))
        self.assertEqual(ear.heard, [b"* 2 rings the bell.\n"])
        self.announce(("tower", Rung("3")), ("member/bob", Tune("tower", False)), ("tower", Rung("4")))
        self.assertEqual(ear.heard, [b"* 2 rings the bell.\n"])

    def test_undone(self) -> None:
        """Then whoever was tuned finds out anew; others do not."""
        ear, other = self.ear("member/bob"), self.ear("member/carol")
        position = self.commit(("member/bob", Tune("tower", True)))
        self.gate.position = None
        self.gate.lost(position)
        self.assertEqual((ear.anew, other.anew), (1, 0))

    def test_undone_and_others_on_their_way(self) -> None:
        """Whoever was tuned in had missed nothing of what was said before."""
        ear, other = self.ear("member/bob"), self.ear("tower")
        before = self.commit(("tower", Rung("1")))
        position = self.commit(("member/bob", Tune("tower", True)))
        self.gate.settled(before)
        self.gate.position = None
        self.gate.lost(position)
        self.assertEqual((ear.anew, ear.cuts, len(other.heard)), (1, 0, 1))

    def test_off_where_nobody_listens(self) -> None:
        ear = self.ear("member/bob")
        self.announce(("member/bob", Tune("tower", False)), ("member/bob", Rung("1")))
        self.assertEqual(len(ear.heard), 1)

    def test_undone_with_something_on_its_way(self) -> None:
        """Whoever was tuned out was left out of what was said before, which nobody would send again; so the connection is cut."""
        ear, other = self.ear("member/bob", "tower"), self.ear("tower")
        before = self.commit(("tower", Rung("1")))
        position = self.commit(("member/bob", Tune("tower", False)))
        self.gate.settled(before)
        self.gate.position = None
        self.gate.lost(position)
        self.assertEqual(((ear.heard, ear.cuts), (other.heard, other.cuts)), (([], 1), ([b"* 1 rings the bell.\n"], 0)))

    def test_at_the_end_of_somebody(self) -> None:
        """What ends others in the same commit does not hide that there are new listeners."""
        ear = self.ear("member/bob")
        self.announce(("member/bob", Tune("tower", True)), ("member/bob", End("no", "other")), ("tower", Rung("1")))
        self.assertEqual(ear.heard, [b"* 1 rings the bell.\n"])

    def test_undone_with_nothing_on_its_way(self) -> None:
        """Then nothing was missed: what was said before has been told, or is itself undone."""
        ear = self.ear("member/bob", "tower")
        self.settle(self.commit(("tower", Rung("1"))))
        before = self.commit(("tower", Rung("2")))
        self.gate.position = None
        self.gate.lost(before)
        position = self.commit(("member/bob", Tune("tower", False)))
        self.gate.position = None
        self.gate.lost(position)
        self.assertEqual((ear.anew, ear.cuts), (1, 0))


class SeriesTests(Case):
    """Who catches up with a series hears nothing newer of it; all else goes on."""

    def test_held_back(self) -> None:
        ear, other = self.ear("tower"), self.ear("tower")
        self.switchboard.hold_back("tower", "bells", ear)
        self.announce(("tower", Numbered(1)), ("tower", Rung("bob")))
        self.assertEqual(ear.heard, [b"* bob rings the bell.\n"])
        self.assertEqual(b"".join(other.heard), b"* 1\n* bob rings the bell.\n")
        self.switchboard.let_on("bells", ear)
        self.announce(("tower", Numbered(2)))
        self.assertEqual(ear.heard[1:], [b"* 2\n"])

    def test_what_was_on_its_way(self) -> None:
        """It is in the store, so it will be among the pages."""
        ear = self.ear("tower")
        position = self.commit(("tower", Numbered(1)), ("tower", Rung("bob")))
        self.switchboard.hold_back("tower", "bells", ear)
        self.switchboard.let_on("bells", ear)
        self.settle(position)
        self.assertEqual(ear.heard, [b"* bob rings the bell.\n"])

    def test_nobody_waits(self) -> None:
        """Nothing is left of it when the last one has caught up."""
        ear = self.ear("tower")
        self.switchboard.hold_back("tower", "bells", ear)
        self.switchboard.let_on("bells", ear)
        self.switchboard.let_on("bells", ear)
        self.announce(("tower", Numbered(1)), ("tower", Numbered(2)))
        self.assertEqual(ear.heard, [b"* 1\n* 2\n"])

    def test_each_for_itself(self) -> None:
        """Who has caught up lets on nobody else."""
        ear, other = self.ear("tower"), self.ear("tower")
        for each in (ear, other):
            self.switchboard.hold_back("tower", "bells", each)
        self.switchboard.let_on("bells", ear)
        self.announce(("tower", Numbered(1)))
        self.assertEqual((ear.heard, other.heard), ([b"* 1\n"], []))

    def test_a_channel_of_nobody(self) -> None:
        """Whoever is about to listen may catch up first."""
        ear = self.ear()
        self.switchboard.hold_back("tower", "bells", ear)
        self.switchboard.listen("tower", ear)
        self.announce(("tower", Numbered(1)), ("tower", Rung("bob")))
        self.assertEqual(ear.heard, [b"* bob rings the bell.\n"])
