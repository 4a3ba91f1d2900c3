"""
A journal store that distrusts its rules, for tests.

Rules may do less than the journal store would allow, so that the same rules can run on an SQL engine with several daemons: again after a
conflict, in a thread, with all their keys locked in one trip. This store runs each rule more often than needed, once in a thread, and
raises L{BrokenRule} if it breaks one of these restrictions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from threading import Thread
from typing import Any, NamedTuple, NoReturn, TypeVar

import msgspec

from securehub.event import MAX_EVENT, End, Event, ToOthers, Tune
from securehub.refusals import Refusal
from securehub.store.journal import JournalStore
from securehub.store.records import R, Record
from securehub.store.transaction import MAX_BYTES, MAX_RECORDS, Places, ReadTransaction, Transaction

_T = TypeVar("_T")


class BrokenRule(AssertionError):
    """A rule does something that rules must not do; the text says which rule, and what."""


class SuspiciousStore(JournalStore):
    """A journal store that tries every rule before it runs it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._parented: dict[str, bool] = {}

    async def transact(self, rule: Callable[..., _T], /, *args: Any, **kwargs: Any) -> _T:
        result: _T = await super().transact(self._run, rule, args, kwargs)
        return result

    async def read(self, rule: Callable[..., _T], /, *args: Any, **kwargs: Any) -> _T:
        def run() -> Outcome:
            return _outcome(Looking(self._places), rule, args, kwargs)

        result: _T = _agreed(rule, run(), in_thread(run)).value()
        return result

    def _run(self, tx: Transaction, rule: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        def trial(drawn: dict[str, int]) -> Outcome:
            return _outcome(Watched(self._places, drawn, self._has_parents), rule, args, kwargs)

        tried = _agreed(rule, trial(self._drawn), in_thread(lambda: trial(self._drawn)))
        if tried.looked and trial(Later(self._drawn)).looked != tried.looked:
            raise BrokenRule(f"{_name(rule)} looks at records whose keys depend on a number that it drew")
        real = _outcome(tx, rule, args, kwargs)
        return _agreed(rule, tried, real._replace(writes=tried.writes)).value()

    def _has_parents(self, collection: Any) -> bool | None:
        """Whether the keys of a collection have parents, by its first record; None if it has none yet."""
        if collection.name not in self._parented:
            for *_, key, _ in collection.items():
                self._parented[collection.name] = "/" in key
                break
        return self._parented.get(collection.name)


class Later(dict[str, int]):
    """Numbers as they would be later, to show which records a rule looks at because of its numbers."""

    def get(self, name: str, default: int = 0) -> int:  # type: ignore[override]
        return super().get(name, default) + 1_000


class Outcome(NamedTuple):
    """
    The outcome of one run of a rule.

    @ivar writes: what it put and deleted, as far as that was watched.
    @ivar said: its events and numbers.
    @ivar looked: the places of records that it looked at after it drew a number, except those that it had put itself.
    """

    result: object
    fault: BaseException | None
    writes: object = None
    said: object = None
    looked: Sequence[tuple[str, str]] = ()

    def value(self) -> Any:
        if self.fault is not None:
            raise self.fault
        return self.result

    def compared(self) -> tuple[object, ...]:
        """Equal for runs with the same outcome."""
        fault = self.fault
        told = (type(fault), str(fault), fault.data if isinstance(fault, Refusal) else None)
        return self.result, told, self.writes, self.said

    def text(self) -> str:
        came = f"returned {self.result!r}" if self.fault is None else f"raised {self.fault!r}"
        return f"{came}, wrote {self.writes!r} and said {self.said!r}"


def in_thread(run: Callable[[], Outcome]) -> Outcome:
    """Run in a thread of its own, and wait for it."""
    outcomes: list[Outcome] = []
    thread = Thread(target=lambda: outcomes.append(run()), name="securehub-suspicious")
    thread.start()
    thread.join()
    return outcomes[0]


def _outcome(tx: ReadTransaction, rule: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Outcome:
    result, fault = None, None
    try:
        result = rule(tx, *args, **kwargs)
        if isinstance(result, Iterator) or hasattr(result, "__await__"):
            raise BrokenRule(f"returns {result!r}, which goes on after the transaction")
    except Exception as error:
        fault = error
    writes = tx.written if isinstance(tx, Watched) else None
    said = (list(tx.announced), dict(tx.drawn)) if isinstance(tx, Transaction) else None
    return Outcome(result, fault, writes, said, tx.looked if isinstance(tx, Watched) else ())


def _agreed(rule: Callable[..., object], one: Outcome, other: Outcome) -> Outcome:
    """
    The later one of two outcomes.

    @raise BrokenRule: they are not the same, or one of them broke a rule.
    """
    for outcome in (one, other):
        if isinstance(outcome.fault, BrokenRule):
            raise BrokenRule(f"{_name(rule)} {outcome.fault}") from outcome.fault
    if one.compared() != other.compared():
        raise BrokenRule(f"{_name(rule)} depends on more than its arguments: it {one.text()}, and then it {other.text()}")
    return other


def _name(rule: Callable[..., object]) -> str:
    return getattr(rule, "__qualname__", repr(rule))


def _refuse_untold(event: Event) -> None:
    """Try both forms of an event: otherwise a fault would show only if somebody listened in that form."""
    name = event.__class__.__name__
    if not isinstance(getattr(event, "method", None), str):
        raise BrokenRule(f"announces {name}, which has no method")
    try:
        told = event.text()
        msgspec.json.encode(event)
    except Exception as error:
        raise BrokenRule(f"announces {name}, which cannot be told: {error!r}") from error
    if not isinstance(told, str):
        raise BrokenRule(f"announces {name}, whose text is {told!r}")


def _refuse_change(tx: object, *args: object, **kwargs: object) -> NoReturn:
    raise BrokenRule("changes something in a read")


class Looking(ReadTransaction):
    """A transaction that only reads, and says so when it is asked to write."""

    __slots__ = ()

    put = delete = number = announce = _refuse_change


class Watched(Transaction):
    """
    A transaction, never to be committed, that watches what a rule does.

    @param has_parents: says of a collection whether its keys have parents; None if that is undecided.

    @ivar written: what it put (encoded) and deleted (None), by collection and key, in order.
    @ivar looked: see L{Outcome}.
    """

    __slots__ = ("_has_parents", "_touched", "looked", "written")

    def __init__(self, places: Places, numbers: dict[str, int], has_parents: Callable[[Any], bool | None]) -> None:
        super().__init__(places, numbers)
        self._has_parents = has_parents
        self._touched: dict[tuple[str, str], int] = {}
        self.written: list[tuple[str, str, bytes | None]] = []
        self.looked: list[tuple[str, str]] = []

    def get(self, record: type[R], key: str) -> R | None:
        self._look(record, key)
        return super().get(record, key)

    def fetch(self, record: type[R], key: str) -> R:
        self._look(record, key)
        return super().fetch(record, key)

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
        self._may_scan(record, limit)
        if not prefix.endswith("/"):
            raise BrokenRule(f"scans {record.collection} beneath {prefix!r}, which is no parent")
        self._has_got(record, prefix[:-1])
        found = super().scan(record, prefix, start=start, end=end, limit=limit, reverse=reverse)
        return self._scanned(record, found)

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
        self._may_scan(record, limit)
        self._has_got(record, parent)
        found = super().beneath(record, parent, start=start, end=end, limit=limit, reverse=reverse)
        return self._scanned(record, found)

    def _may_scan(self, record: type[Record], limit: int | None) -> None:
        if limit is None:
            raise BrokenRule(f"scans {record.collection} without a limit")

    def _has_got(self, record: type[Record], parent: str) -> None:
        if not any(key == parent for _, key in self._touched):
            raise BrokenRule(f"scans {record.collection} beneath {parent!r} without getting the parent's record first")

    def _scanned(self, record: type[R], found: Iterator[tuple[str, R]]) -> Iterator[tuple[str, R]]:
        for key, each in found:
            self._look(record, key)
            yield key, each

    def put(self, key: str, record: Record) -> None:
        place = self._places[record.__class__]
        raw = place.encode(record)
        try:
            place.decode(raw)
        except msgspec.MsgspecError as error:
            raise BrokenRule(f"puts {place.name} {key!r}, which cannot be read again: {error}") from error
        self._touch(record.__class__, key, raw)
        self._refuse_mixed(place.collection, key)
        self.written.append((place.collection.name, key, raw))
        super().put(key, record)

    def delete(self, record: type[Record], key: str) -> None:
        self._touch(record, key, None)
        self.written.append((record.collection, key, None))
        super().delete(record, key)

    def announce(self, channel: str, event: Event) -> None:
        if not isinstance(event, (Tune, End)):
            _refuse_untold(event.event if isinstance(event, ToOthers) else event)
        size = max(len(msgspec.json.encode(event)), len(event.text().encode()))
        if size > MAX_EVENT:
            raise BrokenRule(f"announces {event.__class__.__name__} with {size} bytes; {MAX_EVENT} are allowed")
        super().announce(channel, event)

    def _look(self, record: type[Record], key: str) -> None:
        if self.drawn and not any(name == record.collection and key == put for name, put, _ in self.written):
            self.looked.append((record.collection, key))
        self._touch(record, key, self._places[record].collection.get(key))

    def _touch(self, record: type[Record], key: str, raw: bytes | None) -> None:
        if not isinstance(key, str):
            raise BrokenRule(f"uses the key {key!r}, which is no text")
        if any(character < " " for character in key):
            raise BrokenRule(f"uses the key {key!r}, with a character below U+0020")
        if any("\ud800" <= character <= "\udfff" for character in key):
            raise BrokenRule(f"uses the key {key!r}, with a lone surrogate")
        place = record.collection, key
        self._touched[place] = max(self._touched.get(place, 0), len(raw or b""))
        if len(self._touched) > MAX_RECORDS:
            raise BrokenRule(f"touches more than {MAX_RECORDS} records")
        if sum(self._touched.values()) > MAX_BYTES:
            raise BrokenRule(f"touches more than {MAX_BYTES} bytes")

    def _refuse_mixed(self, collection: Any, key: str) -> None:
        has_parent = "/" in key
        others = [self._has_parents(collection), *("/" in other for name, other, raw in self.written if name == collection.name and raw)]
        if (not has_parent) in others:
            raise BrokenRule(f"puts {collection.name} {key!r} into a collection where some keys have a parent and others have none")
