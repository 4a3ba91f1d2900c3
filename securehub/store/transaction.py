"""
What a rule sees of the store, and what those see of it who have rules run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from msgspec import Raw

from securehub.refusals import NotFound
from securehub.store.lines import DELETED

if TYPE_CHECKING:
    from securehub.event import Event
    from securehub.store.records import Decoder, Encoder, R, Record

T = TypeVar("T")

MAX_RECORDS = 256
MAX_BYTES = 1024 * 1024


class Place:
    """Where the records of one class are, and how they are encoded."""

    __slots__ = ("collection", "decode", "encode", "load", "name", "replace")

    def __init__(self, collection: Any, encode: Encoder, decode: Decoder, name: str) -> None:
        self.collection = collection
        self.encode = encode
        self.decode = decode
        self.name = name
        self.load = collection.loader(decode)
        self.replace = collection.replace


Places = dict[type["Record"], Place]


class ReadTransaction:
    """
    Looks, and changes nothing. What it sees is one state, whole.
    """

    __slots__ = ("_places",)

    def __init__(self, places: Places) -> None:
        self._places = places

    def get(self, record: type[R], key: str) -> R | None:
        """The record of that class and key, or None."""
        found: R | None = self._places[record].load(key)
        return found

    def fetch(self, record: type[R], key: str) -> R:
        """
        The record of that class and key.

        @raise NotFound: there is none.
        """
        found = self.get(record, key)
        if found is None:
            raise NotFound(f"there is no {self._places[record].name} {key}")
        return found

    def scan(
        self,
        record: type[R],
        prefix: str = "",
        *,
        start: str | None = None,
        end: str | None = None,
        limit: int | None = None,
        reverse: bool = False,
    ) -> Iterator[tuple[str, R]]:
        """
        Keys and records in the order of their keys (by code point).

        @param prefix: only keys that start with it.
        @param start: only keys from here on, inclusive.
        @param end: only keys before here, exclusive.
        @param limit: at most so many.
        @param reverse: from the last to the first.
        """
        place = self._places[record]
        start = max(prefix, start or "")
        past = _past(prefix)
        end = past if end is None else end if past is None else min(past, end)
        for key, raw in place.collection.scan(start, end, limit, reverse):
            yield key, place.decode(raw)

    def beneath(
        self,
        record: type[R],
        parent: str,
        *,
        start: str = "",
        end: str | None = None,
        limit: int | None = None,
        reverse: bool = False,
    ) -> Iterator[tuple[str, R]]:
        """
        Keys and records of a parent, in the order of their keys, for records that say what their parents are.

        @param start: only keys from here on, inclusive.
        @param end: only keys before here, exclusive.
        @param limit: at most so many.
        @param reverse: from the last to the first.
        """
        place = self._places[record]
        for key, raw in place.collection.beneath(parent, start, end, limit, reverse):
            yield key, place.decode(raw)


UNTOUCHED: Any = object()
"""Stands for what a transaction has neither put nor deleted."""


def _past(prefix: str) -> str | None:
    """The first key after all keys that start with a prefix; None if there is no such key."""
    prefix = prefix.rstrip("\U0010ffff")
    return prefix[:-1] + chr(ord(prefix[-1]) + 1) if prefix else None


class Transaction(ReadTransaction):
    """
    Looks and changes. Its gets see its own changes; its scans see only what is committed.

    @ivar staged: what it puts and deletes: encoded records, or None for what is deleted, by place and key, in the order in which they were
        first touched.
    @ivar announced: events with their channels, in order.
    @ivar drawn: the numbers that it drew, by name.
    """

    __slots__ = ("_numbers", "announced", "drawn", "staged")

    def __init__(self, places: Places, numbers: dict[str, int]) -> None:
        self._places = places
        self._numbers = numbers
        self.staged: dict[tuple[Place, str], bytes | None] = {}
        self.announced: list[tuple[str, Event]] = []
        self.drawn: dict[str, int] = {}

    def get(self, record: type[R], key: str) -> R | None:
        place = self._places[record]
        if self.staged:
            raw = self.staged.get((place, key), UNTOUCHED)
            if raw is not UNTOUCHED:
                return None if raw is None else place.decode(raw)
        found: R | None = place.load(key)
        return found

    def put(self, key: str, record: Record) -> None:
        """Put a record in place of whatever its key has."""
        # Anything else would become another key after a restart, or a line that no start can read.
        assert key.__class__ is str, f"a key is a text, not {key!r}"
        place = self._places[record.__class__]
        self.staged[place, key] = place.encode(record)

    def delete(self, record: type[Record], key: str) -> None:
        """Take a record away; it need not be there."""
        assert key.__class__ is str, f"a key is a text, not {key!r}"
        self.staged[self._places[record], key] = None

    def changes(self) -> list[tuple[str, str, Raw]]:
        """The staged changes, as the journal has them."""
        return [(place.name, key, DELETED if raw is None else Raw(raw)) for (place, key), raw in self.staged.items()]

    def number(self, name: str) -> int:
        """A number greater than all that were drawn under that name before; gaps are possible."""
        number = (self.drawn.get(name) or self._numbers.get(name, 0)) + 1
        self.drawn[name] = number
        return number

    def announce(self, channel: str, event: Event) -> None:
        """Tell all who listen to the channel, once this is committed and synced, and not at all if it is not."""
        self.announced.append((channel, event))


class Store(Protocol):
    """Runs rules."""

    async def transact(self, rule: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """
        Run C{rule(tx, ...)} in a L{Transaction}, which is serial with all others.

        @raise Unavailable: nothing can be written now; the rule was not run.
        """
        raise NotImplementedError

    async def read(self, rule: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """Run C{rule(tx, ...)}, which only looks, in a L{ReadTransaction}."""
        raise NotImplementedError
