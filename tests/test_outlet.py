"""
The way out of a connection.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from securehub.network.outlet import CLOSING_SECONDS, TransportOutlet


class SmallTransport(StringTransport):
    """
    Pauses its producer as soon as it has so many bytes; a test may take them out.

    @ivar aborted: whether it was ended at once.
    """

    room = 10
    aborted = False

    def write(self, data: bytes) -> None:
        super().write(data)
        if len(self.value()) >= self.room and self.producer is not None:
            self.producer.pauseProducing()

    def abortConnection(self) -> None:
        self.aborted = True


class OutletTests(SynchronousTestCase):
    """As fast as the peer reads, and no more than it may let wait."""

    def setUp(self) -> None:
        self.time = Clock()
        self.transport = SmallTransport()
        self.ready = 0
        self.outlet = TransportOutlet(self.transport, self.time, limit=100, ready=self.note_ready, peer="127.0.0.1")

    def note_ready(self) -> None:
        self.ready += 1

    def read_all(self) -> bytes:
        """The peer reads until nothing more comes."""
        content = b""
        while self.transport.value():
            content += self.transport.value()
            self.transport.clear()
            if self.transport.producer is not None:
                self.transport.producer.resumeProducing()
        return content

    def test_written_at_once(self) -> None:
        self.outlet.release(b"abc", 0)
        self.assertEqual((self.transport.value(), self.outlet.queued), (b"abc", 0))

    def test_nothing_is_written_as_nothing(self) -> None:
        """A write costs a system call, even if it has nothing to say."""
        self.outlet.pauseProducing()
        self.outlet.release(b"", 0)
        self.assertEqual((self.transport.value(), self.outlet.queued), (b"", 0))

    def test_queued(self) -> None:
        """While the transport is full; and written in order, as much as it takes each time."""
        for content in (b"a" * 12, b"b" * 12, b"c" * 12):
            self.outlet.release(content, 0)
        self.assertEqual((self.transport.value(), self.outlet.queued, self.outlet.paused), (b"a" * 12, 24, True))
        self.transport.clear()
        self.outlet.resumeProducing()
        self.assertEqual((self.transport.value(), self.outlet.queued, self.ready), (b"b" * 12, 12, 0))
        self.transport.clear()
        self.outlet.resumeProducing()
        self.transport.clear()
        self.outlet.resumeProducing()
        self.assertEqual((self.outlet.queued, self.ready, self.outlet.paused), (0, 1, False))

    def test_slow_reader(self) -> None:
        """Whoever lets too many bytes of events wait is cut."""
        self.outlet.pauseProducing()
        self.outlet.release(b"e" * 100, 100)
        self.assertFalse(self.transport.aborted)
        self.outlet.release(b"e", 1)
        self.assertTrue(self.transport.aborted)
        self.assertEqual(self.outlet.queued, 0)

    def test_a_long_reply(self) -> None:
        """Replies were asked for, however long they are."""
        self.outlet.pauseProducing()
        self.outlet.release(b"r" * 10_000, 0)
        self.outlet.release(b"r" * 10_000 + b"e" * 50, 50)
        self.assertFalse(self.transport.aborted)
        self.assertEqual(self.outlet.queued, 20_050)

    def test_events_that_were_read_do_not_count(self) -> None:
        for _ in range(5):
            self.outlet.pauseProducing()
            self.outlet.release(b"e" * 90, 90)
            self.transport.room = 1000
            self.read_all()
            self.outlet.resumeProducing()
        self.assertFalse(self.transport.aborted)

    def test_what_was_written_does_not_count(self) -> None:
        """Somebody who reads, and never so fast that nothing waits, is no slow reader: what counts is what waits now."""
        self.outlet.release(b"a" * 10, 10)
        for _ in range(20):
            self.outlet.release(b"e" * 10, 10)
            self.outlet.release(b"r" * 10 + b"e" * 10, 10)
            for _ in range(2):
                self.transport.clear()
                self.outlet.resumeProducing()
            self.assertEqual((self.outlet.paused, self.outlet.queued), (True, 0))
        self.assertFalse(self.transport.aborted)
        self.outlet.release(b"e" * 100, 100)
        self.assertFalse(self.transport.aborted)
        self.outlet.release(b"e", 1)
        self.assertTrue(self.transport.aborted)

    def test_close(self) -> None:
        """When all is written, and the producer is gone: a transport with one never closes."""
        self.outlet.close()
        self.assertTrue(self.transport.disconnecting)
        self.assertIsNone(self.transport.producer)

    def test_close_while_something_waits(self) -> None:
        self.outlet.release(b"a" * 12, 0)
        self.outlet.release(b"goodbye", 0)
        self.outlet.close()
        self.outlet.close()
        self.assertFalse(self.transport.disconnecting)
        self.assertEqual(self.read_all(), b"a" * 12 + b"goodbye")
        self.assertTrue(self.transport.disconnecting)
        self.assertEqual(self.ready, 0)

    def test_close_of_one_that_never_reads(self) -> None:
        """It has its time, and is then cut."""
        self.outlet.release(b"a" * 12, 0)
        self.outlet.release(b"goodbye", 0)
        self.outlet.close()
        self.time.advance(CLOSING_SECONDS - 0.1)
        self.assertFalse(self.transport.aborted)
        self.time.advance(0.1)
        self.assertTrue(self.transport.aborted)

    def test_lost(self) -> None:
        """Nothing more is written, and no timer left behind."""
        self.outlet.release(b"a" * 12, 0)
        self.outlet.release(b"b", 0)
        self.outlet.close()
        self.outlet.lost()
        self.outlet.resumeProducing()
        self.outlet.release(b"c", 0)
        self.outlet.tell(b"d")
        self.assertEqual(self.outlet.queued, 0)
        self.outlet.cut()
        self.outlet.close()
        self.assertEqual((self.transport.value(), self.outlet.queued, self.transport.aborted), (b"a" * 12, 0, False))
        self.assertEqual(self.time.getDelayedCalls(), [])

    def test_the_transport_wants_no_more(self) -> None:
        self.outlet.pauseProducing()
        self.outlet.release(b"b", 0)
        self.outlet.stopProducing()
        self.assertEqual(self.outlet.queued, 0)
