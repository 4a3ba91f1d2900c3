"""
The gate.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from securehub.gate import Gate, Outbox
from securehub.store.journal import Position


class MemoryOutlet:
    """
    Notes what is let out.

    @ivar answers: how often something was let out that somebody had asked for.
    """

    def __init__(self) -> None:
        self.released: list[tuple[bytes, int]] = []
        self.answers = 0
        self.was_cut = False

    def release(self, content: bytes, event_bytes: int) -> None:
        self.released.append((content, event_bytes))
        self.answers += 1

    def tell(self, events: bytes) -> None:
        self.released.append((events, len(events)))

    def cut(self) -> None:
        self.was_cut = True


class Told:
    """Something that some are told."""

    def __init__(self, events: bytes, *outboxes: Outbox) -> None:
        self.events = events
        self.outboxes = outboxes
        self.lost = False

    def release(self) -> None:
        for outbox in self.outboxes:
            outbox.deliver(self.events)

    def lose(self) -> None:
        self.lost = True


class GateTests(SynchronousTestCase):
    """Nothing leaves before it is settled, and what leaves together leaves in one write."""

    def setUp(self) -> None:
        self.time = Clock()
        self.gate = Gate(self.time)
        self.outlet = MemoryOutlet()
        self.outbox = Outbox(self.gate, self.outlet)

    def test_nothing_to_wait_for(self) -> None:
        """It leaves at the end of the turn, all of it at once."""
        self.outbox.reply(b"a\n")
        self.outbox.event(b"b\n")
        self.outbox.reply(b"c\n")
        self.assertEqual(self.outlet.released, [])
        self.gate.flush()
        self.assertEqual(self.outlet.released, [(b"a\nb\nc\n", 2)])
        self.assertEqual((self.outbox.waiting, self.outbox.waiting_bytes), (0, 0))

    def test_nobody_ends_the_turn(self) -> None:
        """Then the gate does it itself, soon."""
        self.outbox.event(b"a\n")
        self.outbox.event(b"b\n")
        self.assertEqual(len(self.time.getDelayedCalls()), 1)
        self.time.advance(0)
        self.assertEqual(self.outlet.released, [(b"a\nb\n", 4)])

    def test_once_a_turn(self) -> None:
        """However many connections have something, and whatever it is."""
        self.outbox.reply(b"a\n")
        Outbox(self.gate, MemoryOutlet()).reply(b"b\n")
        self.gate.tell(Told(b"told\n", self.outbox), None)
        self.gate.tell(Told(b"more\n", self.outbox), None)
        self.outbox.reply(b"c\n")
        self.assertEqual(len(self.time.getDelayedCalls()), 1)
        self.time.advance(0)
        self.assertEqual(self.outlet.released, [(b"a\nc\ntold\nmore\n", 10)])
        for _ in range(2):
            self.gate.tell(Told(b"again\n", self.outbox), None)
        self.assertEqual(len(self.time.getDelayedCalls()), 1)

    def test_events_alone(self) -> None:
        """They are told, as nobody has waited for them; an answer that has left before does not make them one."""
        self.outbox.reply(b"a\n")
        self.gate.flush()
        self.outbox.event(b"b\n")
        self.gate.flush()
        self.assertEqual((self.outlet.released, self.outlet.answers), ([(b"a\n", 0), (b"b\n", 2)], 1))

    def test_waits_for_its_position(self) -> None:
        """A read, too, if what it saw could still be lost."""
        first, second = Position(), Position()
        self.gate.position = first
        self.outbox.reply(b"a\n")
        self.gate.position = second
        self.outbox.reply(b"b\n")
        self.gate.flush()
        self.assertEqual((self.outlet.released, self.outbox.waiting, self.outbox.waiting_bytes), ([], 2, 4))
        self.gate.settled(first)
        self.assertEqual(self.outlet.released, [(b"a\n", 0)])
        self.gate.position = None
        self.gate.settled(second)
        self.assertEqual(self.outlet.released, [(b"a\n", 0), (b"b\n", 0)])

    def test_events_wait_for_their_position(self) -> None:
        """Each for its own, as replies do."""
        self.gate.position = first = Position()
        self.outbox.event(b"a\n")
        self.gate.position = Position()
        self.outbox.event(b"b\n")
        self.gate.settled(first)
        self.assertEqual((self.outlet.released, self.outbox.waiting_bytes), ([(b"a\n", 2)], 2))

    def test_order(self) -> None:
        """What waits for nothing was made before what waits, and leaves before it."""
        self.outbox.reply(b"a\n")
        self.gate.position = position = Position()
        self.outbox.reply(b"b\n")
        self.gate.position = None
        self.gate.settled(position)
        self.assertEqual(b"".join(content for content, _ in self.outlet.released), b"a\nb\n")

    def test_after_a_position_is_settled(self) -> None:
        """What comes then does not go where the old was."""
        self.gate.position = position = Position()
        self.outbox.reply(b"a\n")
        self.gate.position = None
        self.gate.settled(position)
        self.outbox.reply(b"b\n")
        self.gate.flush()
        self.assertEqual(self.outlet.released, [(b"a\n", 0), (b"b\n", 0)])

    def test_lost(self) -> None:
        """Whoever waited for an answer is cut off, and hears nothing of what was undone."""
        self.outbox.reply(b"a\n")
        self.gate.position = position = Position()
        self.outbox.reply(b"b\n")
        self.gate.position = None
        self.gate.lost(position)
        self.assertEqual((self.outlet.released, self.outlet.was_cut), ([(b"a\n", 0)], True))

    def test_lost_events(self) -> None:
        """Whoever would only have been told lives on, as if there had been nothing."""
        self.gate.position = position = Position()
        self.outbox.event(b"a\n")
        self.gate.position = None
        self.gate.lost(position)
        self.assertFalse(self.outlet.was_cut)
        self.outbox.reply(b"b\n")
        self.gate.flush()
        self.assertEqual(self.outlet.released, [(b"b\n", 0)])
        self.assertEqual((self.outbox.waiting, self.outbox.waiting_bytes), (0, 0))

    def test_a_reply_without_words(self) -> None:
        """It says that somebody hangs on the commit, though nobody is to be answered."""
        self.gate.position = position = Position()
        self.outbox.reply(b"")
        self.assertEqual(self.outbox.waiting, 1)
        self.gate.position = None
        self.gate.lost(position)
        self.assertTrue(self.outlet.was_cut)

    def test_each_its_own(self) -> None:
        """Several connections wait for one position."""
        others = [MemoryOutlet() for _ in range(3)]
        outboxes = [Outbox(self.gate, outlet) for outlet in others]
        self.gate.position = position = Position()
        for number, outbox in enumerate(outboxes):
            outbox.reply(b"%d\n" % number)
        self.gate.settled(position)
        self.assertEqual([outlet.released for outlet in others], [[(b"0\n", 0)], [(b"1\n", 0)], [(b"2\n", 0)]])

    def test_what_listeners_are_told(self) -> None:
        """It waits as a reply does, leaves behind it, and in the same write."""
        other = MemoryOutlet()
        told = Told(b"told\n", self.outbox, Outbox(self.gate, other))
        position = Position()
        self.gate.tell(told, position)
        self.gate.position = position
        self.outbox.reply(b"a\n")
        self.gate.flush()
        self.assertEqual((self.outlet.released, other.released), ([], []))
        self.gate.settled(position)
        self.assertEqual((self.outlet.released, other.released), ([(b"a\ntold\n", 5)], [(b"told\n", 5)]))

    def test_told_of_nothing_that_waits(self) -> None:
        """What belongs to no commit leaves at the end of the turn."""
        self.gate.tell(Told(b"told\n", self.outbox), None)
        self.assertEqual(self.outlet.released, [])
        self.time.advance(0)
        self.assertEqual(self.outlet.released, [(b"told\n", 5)])

    def test_told_and_undone(self) -> None:
        """Nobody hears of it, and nobody is cut off."""
        told = Told(b"told\n", self.outbox)
        position = Position()
        self.gate.tell(told, position)
        self.gate.lost(position)
        self.assertEqual((self.outlet.released, self.outlet.was_cut, told.lost), ([], False, True))

    def test_a_broken_listener(self) -> None:
        """The others get what they wait for."""
        broken = MemoryOutlet()
        broken.tell = lambda events: 1 / 0  # type: ignore[assignment,method-assign,return-value]
        self.gate.tell(Told(b"told\n", Outbox(self.gate, broken), self.outbox), None)
        self.gate.flush()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.outlet.released, [(b"told\n", 5)])

    def test_a_broken_event(self) -> None:
        """What cannot be told keeps nobody from hearing the rest."""
        broken = Told(b"broken\n", self.outbox)
        broken.release = lambda: 1 / 0  # type: ignore[assignment,method-assign,return-value]
        for each in (broken, Told(b"told\n", self.outbox)):
            self.gate.tell(each, None)
        self.outbox.reply(b"a\n")
        self.gate.flush()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.outlet.released, [(b"a\ntold\n", 5)])
