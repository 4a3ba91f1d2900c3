"""
Buckets of tokens: how often something may be done, and how long one waits then.
"""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock as Time
from twisted.trial.unittest import SynchronousTestCase

from securehub.services.auth.buckets import FIRST_WAIT_SECONDS, Buckets, Rate


def most_takings(rate: Rate, seconds: float) -> float:
    """How many tokens can be taken, whatever the rhythm: all there are, the doublings of the wait, and one in every C{rate.seconds}."""
    doublings = 0
    while FIRST_WAIT_SECONDS * 2**doublings < rate.seconds:
        doublings += 1
    return rate.tokens + doublings + 2 + seconds / rate.seconds


class BucketTests(SynchronousTestCase):
    """Tokens, waits, and how they come back."""

    def setUp(self) -> None:
        self.time = Time()
        self.rate = Rate(3, 100)
        self.buckets = Buckets(lambda: self.rate, self.time.seconds, most=10)

    def take(self, times: int, key: str = "alice") -> None:
        for _ in range(times):
            self.buckets.take(key)

    def test_growing_wait(self) -> None:
        """The tokens cost no wait; each one after that costs twice as much as the one before, up to the time that a token takes."""
        self.take(3)
        self.assertEqual(self.buckets.wait("alice"), 0)
        waits = []
        for _ in range(9):
            self.take(1)
            waits.append(self.buckets.wait("alice"))
            self.time.advance(waits[-1])
            self.assertEqual(self.buckets.wait("alice"), 0)
        self.assertEqual(waits[0], FIRST_WAIT_SECONDS)
        self.assertEqual(sorted(waits), waits)
        self.assertTrue(90 < waits[-1] <= 100, waits[-1])

    def test_tokens_come_back(self) -> None:
        """One in each time, and never more than there were."""
        self.take(4)
        self.time.advance(200)
        self.take(1)
        self.assertEqual(self.buckets.wait("alice"), 0)
        self.take(1)
        self.assertEqual(self.buckets.wait("alice"), FIRST_WAIT_SECONDS)
        self.time.advance(10_000)
        self.take(3)
        self.assertEqual(self.buckets.wait("alice"), 0)
        self.take(1)
        self.assertGreater(self.buckets.wait("alice"), 0)

    def test_apart(self) -> None:
        """What one has taken is nothing to others."""
        self.take(10)
        self.assertEqual(self.buckets.wait("bob"), 0)

    def test_without_end(self) -> None:
        """Were each of very many counted, the wait would still be a number."""
        self.take(5000)
        self.assertEqual(self.buckets.wait("alice"), 100)

    @settings(max_examples=200)
    @given(st.lists(st.floats(0, 500), max_size=300))
    def test_no_rhythm_helps(self, pauses: list[float]) -> None:
        """Whatever pauses somebody makes, what is allowed stays below the bound."""
        time = Time()
        buckets = Buckets(lambda: self.rate, time.seconds)
        taken = 0
        for pause in pauses:
            time.advance(pause)
            if not buckets.wait("alice"):
                buckets.take("alice")
                taken += 1
        self.assertLessEqual(taken, most_takings(self.rate, time.seconds()))

    def test_bounded(self) -> None:
        """There are only so many buckets, and many new ones do not wash away one that was emptied."""
        self.take(6)
        wait = self.buckets.wait("alice")
        for number in range(1000):
            self.take(2, f"stranger{number}")
            self.assertLessEqual(len(self.buckets), 10)
        self.assertEqual(self.buckets.wait("alice"), wait)

    def test_full_ones_go_first(self) -> None:
        """A bucket that has all its tokens again makes room before one that has not."""
        for number in range(10):
            self.take(2, f"old{number}")
        self.time.advance(1000)
        self.take(1, "new")
        self.assertLess(len(self.buckets), 10)
