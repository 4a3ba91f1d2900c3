"""
Records in memory: encoded, by key, in the order of their keys.

A read decodes, a write replaces. Nothing is shared that a caller could spoil, and undoing means putting the old bytes back.
"""

from __future__ import annotations

import sys
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

# A dict of over a million entries stops everything for 50 ms when it grows; so a collection has parts, each of which grows by itself.
PARTS = 64
SHIFT = sys.hash_info.width - 6
"""
C{hash(key) >> SHIFT} is the part that a key is in: -32 to 31, of which a list takes the negative ones from its end.

It takes the upper bits because a dict begins its search with the lower ones: keys that share those would all begin at the same few places.
"""

# New keys are put in order a few thousand at a time, which takes some milliseconds.
_UNORDERED = 4096

# Putting one key into the middle of a million moves half of the others, which takes 0.2 ms; sorting them anew takes 15 ms, because nearly
# all are in order. So more than a few are sorted in. Otherwise a member with many messages would hold everybody up for a second every few
# thousand messages.
_FEW = 64


class Collection:
    """
    The records of one class.

    Keys may have a parent: what stands before the first slash. Keys of one parent are kept together in one sorted list, so that a new one
    is mostly an append, and a scan beneath a parent touches nothing else. All keys of a collection have a parent, or none has.
    Alternatively the records say what their parents are; then each may have several.

    New keys wait to be put in order until somebody scans, or many have gathered; most are written far more often than scanned.

    @param scanned: whether an order is kept at all.
    @param parents: gives the parents of a record, if its key does not.

    @ivar parts: the records. A start puts them here directly, and then calls L{put_in_order}.
    """

    def __init__(self, name: str, *, scanned: bool = True, parents: Callable[[bytes], Sequence[str]] | None = None) -> None:
        self.name = name
        self.parts: list[dict[str, bytes]] = [{} for _ in range(PARTS)]
        self._scanned = scanned
        self._parents = parents
        self._families: dict[str, list[str]] = {}
        self._unordered: list[tuple[str, bytes]] = []

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def get(self, key: str) -> bytes | None:
        return self.parts[hash(key) >> SHIFT].get(key)

    def loader(self, decode: Callable[[bytes], Any]) -> Callable[[str], Any]:
        """
        @return: the function from a key to its decoded record, or None. It does L{get} in one step, because every command needs it.
        """
        parts = self.parts

        def load(key: str) -> Any:
            raw = parts[hash(key) >> SHIFT].get(key)
            return None if raw is None else decode(raw)

        return load

    def replace(self, key: str, raw: bytes | None) -> bytes | None:
        """
        Put a record in place of what is there, or take it away.

        @param raw: the encoded record; None takes it away.

        @return: what was there before; putting that back undoes it.
        """
        part = self.parts[hash(key) >> SHIFT]
        old = part.get(key)
        if raw is None:
            part.pop(key, None)
            if old is not None and self._scanned:
                self._forget(key, old)
            return old
        part[key] = raw
        if old is None:
            if self._scanned:
                self._unordered.append((key, raw))
        elif self._parents is not None and self._parents(old) != self._parents(raw):
            self._forget(key, old)
            self._unordered.append((key, raw))
        return old

    def drop(self, key: str) -> None:
        """Take a record away while there is no order yet."""
        self.parts[hash(key) >> SHIFT].pop(key, None)

    def put_in_order(self) -> None:
        """Order all keys at once; after a start that is far cheaper than one by one."""
        if not self._scanned:
            return
        families: defaultdict[str, list[str]] = defaultdict(list)
        parents_of = self._parents
        if parents_of is None:
            for key in chain.from_iterable(self.parts):
                families[key.partition("/")[0] if "/" in key else ""].append(key)
        else:
            for key, raw in chain.from_iterable(part.items() for part in self.parts):
                for parent in parents_of(raw):
                    families[parent].append(key)
        for family in families.values():
            family.sort()
        self._families = dict(families)

    def tidy(self) -> None:
        """Put new keys in order if many have gathered; called now and then, outside of requests."""
        if len(self._unordered) >= _UNORDERED:
            self._order()

    def scan(self, start: str, end: str | None, limit: int | None, reverse: bool) -> Iterator[tuple[str, bytes]]:
        """
        Keys and records from C{start} (inclusive) up to C{end} (exclusive, None for no end), in the order of code points.
        """
        assert self._scanned and self._parents is None, f"{self.name} records are declared not to be scanned by their keys"
        self._order()
        return self._records(self._keys(start, end, reverse), limit)

    def beneath(self, parent: str, start: str, end: str | None, limit: int | None, reverse: bool) -> Iterator[tuple[str, bytes]]:
        """Keys and records of a parent, if the records say what their parents are; otherwise as L{scan}."""
        assert self._parents is not None, f"the parents of {self.name} records are in their keys"
        self._order()
        return self._records(_between(self._families.get(parent, ()), start, end, reverse), limit)

    def items(self) -> Iterator[tuple[str, bytes]]:
        """All keys and records; in order, if there is one."""
        if self._scanned and self._parents is None:
            return self.scan("", None, None, False)
        return chain.from_iterable(sorted(part.items()) for part in self.parts)

    def _keys(self, start: str, end: str | None, reverse: bool) -> Iterator[str]:
        parent, slash, _ = start.partition("/")
        if slash and end is not None and end <= f"{parent}0":  # "0" is the character after "/"
            yield from _between(self._families.get(parent, ()), start, end, reverse)
            return
        # A parent has no slash in it, so families follow each other whole, in the order of the parents with their slashes.
        for name in sorted(self._families, key=lambda parent: parent and f"{parent}/", reverse=reverse):
            yield from _between(self._families[name], start, end, reverse)

    def _records(self, keys: Iterable[str], limit: int | None) -> Iterator[tuple[str, bytes]]:
        for key in islice(keys, limit):
            raw = self.get(key)
            assert raw is not None, key
            yield key, raw

    def _order(self) -> None:
        """Put the new keys where they belong."""
        unordered, self._unordered = self._unordered, []
        between: defaultdict[str, list[str]] = defaultdict(list)
        for key, raw in unordered:
            for parent in self._parents_of(key, raw):
                family = self._families.get(parent)
                if family is None:
                    self._families[parent] = [key]
                elif key > family[-1]:
                    family.append(key)
                else:
                    between[parent].append(key)
        for parent, keys in between.items():
            _put_between(self._families[parent], keys)

    def _forget(self, key: str, raw: bytes) -> None:
        self._order()
        for parent in self._parents_of(key, raw):
            family = self._families[parent]
            del family[bisect_left(family, key)]
            if not family:
                del self._families[parent]

    def _parents_of(self, key: str, raw: bytes) -> Sequence[str]:
        if self._parents is not None:
            return self._parents(raw)
        return (key.partition("/")[0] if "/" in key else "",)


def _put_between(family: list[str], keys: list[str]) -> None:
    """Put new keys among those that are in order."""
    if len(keys) > _FEW:
        family += keys
        family.sort()
    else:
        for key in keys:
            insort(family, key)


def _between(keys: list[str] | tuple[()], start: str, end: str | None, reverse: bool) -> Iterable[str]:
    low = bisect_left(keys, start)
    high = len(keys) if end is None else bisect_left(keys, end)
    places = range(high - 1, low - 1, -1) if reverse else range(low, high)
    return (keys[place] for place in places)


class ExpiringCollection:
    """
    Records that vanish by themselves, a generation at a time.

    The current generation is there, and the one before it; each lasts at least as long as a record must be kept. So a record lives for
    one to two generations, no timer watches it, and no journal line says that it went.

    @ivar span: how long a generation lasts, in seconds of their age (L{securehub.store.age}).
    @ivar parts: the current generation.
    """

    def __init__(self, name: str, span: int) -> None:
        self.name = name
        self.span = span
        self._generation = 0
        self.parts: list[dict[str, bytes]] = [{} for _ in range(PARTS)]
        self._previous: list[dict[str, bytes]] = [{} for _ in range(PARTS)]
        self._expired: list[dict[str, bytes]] = []

    def __len__(self) -> int:
        return sum(map(len, self.parts)) + sum(map(len, self._previous))

    def get(self, key: str) -> bytes | None:
        part = hash(key) >> SHIFT
        raw = self.parts[part].get(key)
        return self._previous[part].get(key) if raw is None else raw

    def loader(self, decode: Callable[[bytes], Any]) -> Callable[[str], Any]:
        """As L{Collection.loader}."""

        def load(key: str) -> Any:
            raw = self.get(key)
            return None if raw is None else decode(raw)

        return load

    def replace(self, key: str, raw: bytes | None) -> bytes | None:
        """As L{Collection.replace}. The old record may be in the previous generation."""
        part = hash(key) >> SHIFT
        old = self.parts[part].get(key) or self._previous[part].get(key)
        if raw is None:
            self.parts[part].pop(key, None)
            self._previous[part].pop(key, None)
        else:
            self.parts[part][key] = raw
        return old

    def beginning(self, start: str, part: int) -> list[str]:
        """The keys of one part that begin with a text. There is no order, so each of them is looked at."""
        return [key for generation in (self.parts, self._previous) for key in generation[part] if key.startswith(start)]

    def tidy(self) -> None:
        """Nothing to do: there is no order."""

    def drop(self, key: str) -> None:
        self.replace(key, None)

    def put_in_order(self) -> None:
        """Nothing to do: these are never scanned."""

    def expire(self, seconds: float) -> float:
        """
        Tell it how old the records are by now (L{securehub.store.age}).

        The parts of a generation that has passed are let go one at a time, because freeing a million records at once would be a pause that
        everybody feels. Empty ones are left out: on a hub with little to do, a generation has fewer calls of this than parts.

        @param seconds: which only grow; a smaller number changes nothing.

        @return: in how many seconds this has to be called again.
        """
        generation = int(seconds // self.span)
        if generation > self._generation:
            self._expired += filter(None, self._previous)
            if generation == self._generation + 1:
                self._previous = self.parts
            else:
                self._expired += filter(None, self.parts)
                self._previous = [{} for _ in range(PARTS)]
            self.parts = [{} for _ in range(PARTS)]
            self._generation = generation
        if self._expired:
            self._expired.pop()
            return 0.01
        return (generation + 1) * self.span - seconds

    def items(self) -> Iterator[tuple[int, str, bytes]]:
        """All records with the age (in seconds) at which their generation began, older ones first."""
        for age, generation in ((1, self._previous), (0, self.parts)):
            began = (self._generation - age) * self.span
            for part in generation:
                for key, raw in sorted(part.items()):
                    yield began, key, raw
