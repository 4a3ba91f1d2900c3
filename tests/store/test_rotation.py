"""
What old keys are still needed for.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from securehub.store.backup import back_up
from securehub.store.keys import Keys, name_of
from securehub.store.rotation import Use, described, uses
from tests.store.books import Books, put
from tests.store.setting import BEGIN, ONE, TWO


class Rotation(SynchronousTestCase):
    """Books whose key is changed, and which are folded then."""

    def setUp(self) -> None:
        self.books = Books(Keys(ONE))
        self.books.pay(4)
        self.books.restart()
        self.target = Path(self.mktemp())

    def uses(self, keys: Keys) -> list[Use]:
        return uses(put(Path(self.mktemp()), self.books.setting.disk.files, keys), self.target, 10)

    def test_one_key(self) -> None:
        """The current one is always told, and never goes."""
        (use,) = self.uses(Keys(ONE))
        self.assertEqual(use, Use(name_of(ONE), True, True, snapshots=1, journal=2))
        self.assertEqual(described(use), "current, 1 snapshots, 2 journal files")

    def test_changed(self) -> None:
        """What is under an old key, in the archive and in backups too, and when the last of it goes."""
        back_up(self.books.put(Path(self.mktemp())), self.target, "0")
        self.books.setting.time.advance(24 * 3600)
        self.books.setting.store.change_keys(Keys(TWO, (ONE,)))
        self.books.pay(4)
        self.books.restart()
        new, old = self.uses(Keys(TWO, (ONE,)))
        self.assertEqual(new, Use(name_of(TWO), True, True, snapshots=1, journal=2))
        self.assertEqual(old, Use(name_of(ONE), False, True, 1, 1, 1, BEGIN + timedelta(days=10), 1))
        self.books.pay(4)
        self.books.restart()
        _, old = self.uses(Keys(TWO))
        self.assertEqual(old, Use(name_of(ONE), False, False, 0, 0, 2, BEGIN + timedelta(days=10), 1))
        self.assertEqual(described(old), "2 archived files, 1 backups, files gone by 2026-11-29, this key is not there")

    def test_prepared(self) -> None:
        """A new key that stands in front is not the current one until the hub has changed to it, and the other one goes nowhere."""
        (use,) = self.uses(Keys(TWO, (ONE,)))
        self.assertEqual(use, Use(name_of(ONE), True, True, snapshots=1, journal=2))

    def test_removed_too_soon(self) -> None:
        """The current one is told to be away, if it is."""
        (use,) = self.uses(Keys(TWO))
        self.assertEqual(described(use), "current, 1 snapshots, 2 journal files, this key is not there")

    def test_nothing_yet(self) -> None:
        """Where there is no journal, what is to come will be under the first key."""
        self.assertEqual(uses(put(Path(self.mktemp()), {}, Keys(TWO, (ONE,))), self.target, 10), [Use(name_of(TWO), True, True)])

    def test_never_begun(self) -> None:
        """What a power cut has left of a first line is under no key."""
        self.books.setting.disk.files["journal-000000000000099-0009.jsonl"] = b'{"format":2,"key":"aa'
        self.assertEqual(len(self.uses(Keys(ONE))), 1)
