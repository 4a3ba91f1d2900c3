"""
The start: from the state directory to the records in memory.

The newest good snapshot is loaded and the journal's segments replayed after it. What may be cut, and what stops the start, is the
whole point of this module:

 - The lines of one group reach the disk in any order, so after a power cut a line may be missing before one that is there. Each line states
   up to which number the journal was synced when it was written. Damage after the highest number so stated was never acknowledged to
   anybody: it is cut off there, and logged.
 - Damage at or before that number means that acknowledged commits are lost, and stops the start.
 - A segment begins where the daemon that wrote it found the journal to end. What an earlier segment holds beyond that is dead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from hashlib import sha256
from itertools import pairwise
from typing import NamedTuple

from twisted.logger import Logger

from securehub.store import lines, snapshot
from securehub.store.age import LONG_AGO, Age, age_of_older
from securehub.store.collection import SHIFT, Collection, ExpiringCollection
from securehub.store.files import Directory
from securehub.store.keys import FileKey, NoKey
from securehub.store.layout import segment_names, segment_paths, serial_of, snapshot_names
from securehub.store.lines import Damaged

_log = Logger()

AnyCollection = Collection | ExpiringCollection


class Collections(dict[str, AnyCollection]):
    """Collections by name. A collection that no service declares now is kept as it is: its service may be back tomorrow."""

    def __missing__(self, name: str) -> AnyCollection:
        found = self[name] = Collection(name)
        return found


class CannotStart(Exception):
    """The state directory holds something that must not be ignored; the text says what, where and what to do."""


class _Segment(NamedTuple):
    name: str
    serial: int
    header: lines.Header
    first_line: bytes


@dataclass
class Recovered:
    """
    The state as it was found.

    @ivar number: the last commit.
    @ivar head: the hash of the last line, which the next one hangs on.
    @ivar drawn: the highest number drawn for each name.
    @ivar serial: of the newest segment that is there.
    @ivar extent: the part that counts of the newest segment that was replayed; None if none was.
    @ivar snapshot: the digest of the snapshot that was loaded.
    @ivar replayed: how many commits were replayed after it.
    @ivar at: the time of the last line; no later record may have an earlier one.
    @ivar forms: collections and their records' forms (L{securehub.store.records.forms}), including those that no service declares now.
    @ivar age: of the records that vanish by themselves.
    @ivar next_expiry: when that has to be looked at.
    """

    collections: Collections
    number: int = 0
    head: bytes = lines.FIRST_HASH
    drawn: dict[str, int] = field(default_factory=dict)
    serial: int = 0
    extent: lines.Extent | None = None
    snapshot: str | None = None
    replayed: int = 0
    at: datetime = LONG_AGO
    forms: dict[str, int] = field(default_factory=dict)
    age: Age = field(default_factory=Age)
    next_expiry: datetime = LONG_AGO


def recover(directory: Directory, fresh: Callable[[], Collections], forms: dict[str, int]) -> Recovered:
    """
    Read all that is needed of a state directory.

    @param fresh: makes empty collections for the records that the services declare. Those of services which are not there now are
        kept as they are.
    @param forms: the records' forms that this daemon knows, see L{securehub.store.records.forms}.

    @raise CannotStart: acknowledged commits are missing, or a newer daemon wrote here.
    """
    try:
        return _recover(directory, fresh, forms, trusting=True)
    except _NotAsStated as difference:
        _log.warn("{difference}. Starting over; this time each line is checked.", difference=str(difference))
    # Not in the exception's handler: the exception would keep everything that was replayed in memory.
    return _recover(directory, fresh, forms, trusting=False)


class _NotAsStated(Exception):
    """
    A closed segment is not what the header after it states. Only the hash of each line tells which line is wrong, and what that means.
    """


def _recover(directory: Directory, fresh: Callable[[], Collections], forms: dict[str, int], *, trusting: bool) -> Recovered:
    """
    See L{recover}.

    @param trusting: whether closed segments are compared whole with what the headers after them state, in a third of the time of checking
        each line.
    """
    names = directory.names()
    state = _load_snapshot(directory, names, fresh, forms)
    segments = _segments(directory, state.serial, forms)
    # Not below the snapshot's serial, which may count segments that could not be begun: what a snapshot covers is never replayed.
    state.serial = max([state.serial, *map(serial_of, segment_names(names))])
    # The journal may hang on the last line, or on any header that followed it: all of them stand for the same state.
    heads = {state.head}
    for segment, following in pairwise([*segments, None]):
        assert segment is not None
        _replay(directory, segment, following.header if following else None, state, heads, trusting=trusting)
    if segments:
        # Its last lines may never have been synced, and nobody may see what a power cut could still take back.
        directory.sync(segments[-1].name)
    for collection in state.collections.values():
        collection.put_in_order()
    return state


def recovered(head: snapshot.Head, collections: Collections) -> Recovered:
    """The state that a snapshot states, with its records in these collections."""
    age = head.age or age_of_older(head.at)
    return Recovered(
        collections, head.number, head.hash.encode(), dict(head.drawn), head.serial, at=head.at, forms=dict(head.forms), age=age
    )


def snapshot_head(state: Recovered) -> snapshot.Head:
    """What a snapshot of a state states; L{recovered} is the way back."""
    return snapshot.Head(lines.FORMAT, state.number, state.serial, state.head.decode(), state.at, state.forms, state.drawn, state.age)


def replay_closed(directory: Directory, serial: int, state: Recovered) -> None:
    """
    Apply the commits of closed segments that count to the state of a snapshot.

    @param serial: of a segment that has begun; those before it are closed for ever.
    @param state: the state of the snapshot; changed.

    @raise CannotStart: something before that segment is damaged.
    """
    segments = [each for each in _segments(directory, state.serial, {}) if each.serial <= serial]
    if not segments or segments[-1].serial != serial:
        raise CannotStart(f"segment {serial} of the journal is missing. {_RESTORE}")
    heads = {state.head}
    for segment, following in pairwise(segments):
        _replay(directory, segment, following.header, state, heads, trusting=False)
    if state.number != segments[-1].header.after:
        raise CannotStart(
            f"{segments[-1].name} begins after another commit than {state.number}, where the journal before it ends. {_RESTORE}"
        )
    state.head = _below(segments[-1], heads)
    state.serial = serial - 1


def _load_snapshot(directory: Directory, names: list[str], fresh: Callable[[], Collections], forms: dict[str, int]) -> Recovered:
    """The newest good snapshot; a damaged one is skipped, because the journal after the one before it is still there."""
    for name in reversed(snapshot_names(names)):
        collections = fresh()
        try:
            head, digest = snapshot.load(snapshot.stored(directory, name), collections.__getitem__)
        except (NoKey, Damaged) as fault:
            damage = snapshot.damage(directory, name, fault)
            if damage is None:
                raise CannotStart(f"{name}: {fault}.") from None
            _log.error("Snapshot {name} is damaged ({damage}); going back to an older one and the journal.", name=name, damage=damage)
            continue
        _refuse_newer(name, head.forms, forms)
        found = recovered(head, collections)
        found.snapshot = digest
        return found
    return Recovered(fresh())


def _segments(directory: Directory, covered: int, forms: dict[str, int]) -> list[_Segment]:
    """
    The segments after those that the snapshot covers, in the order in which they were written. Two snapshots cover those in the archive, so
    they are of use only if both are damaged.
    """
    segments = []
    for name, path in segment_paths(directory).items():
        serial = serial_of(name)
        if serial <= covered:
            continue
        try:
            begun = lines.begun(directory.lines(path))
        except Damaged as damage:
            raise CannotStart(f"{path}, line 1: {damage}. {_RESTORE}") from None
        if begun is None:
            _log.warn("Segment {name} was never begun; passed over.", name=path)
            continue
        first, header = begun
        if header.format > lines.NEWEST_FORMAT:
            raise CannotStart(
                f"{path} has format {header.format}; this SecureHub reads up to {lines.NEWEST_FORMAT}. Start the newer version again."
            )
        _refuse_newer(path, header.forms, forms)
        segments.append(_Segment(path, serial, header, first))
    return segments


def _replay(
    directory: Directory, segment: _Segment, following: lines.Header | None, state: Recovered, heads: set[bytes], *, trusting: bool
) -> None:
    """
    Apply the commits of a segment.

    @param following: the header of the next segment. What this one holds beyond its beginning is dead. None for the last segment.
    @param heads: the hashes that the next segment may hang on; changed.
    @param trusting: see L{_recover}.

    @raise _NotAsStated: the segment should not have been trusted. What has been made from it is useless.
    """
    if segment.header.after != state.number:
        raise CannotStart(
            f"{segment.name} begins after commit {segment.header.after}, but the journal before it ends at {state.number}. {_RESTORE}"
        )
    state.head = _head_of(segment, heads)
    state.at = max(state.at, segment.header.at)
    state.forms.update(segment.header.forms)
    heads.add(state.head)
    first = state.number
    try:
        _apply(_commits(directory, segment, following, state, trusting=trusting), state)
    except (CannotStart, OSError, MemoryError, _NotAsStated):
        raise
    except Exception as error:
        if not trusting:
            raise
        # Bytes that nobody has checked may be anything, and make anything happen.
        raise _NotAsStated(f"{segment.name} cannot be read ({error})") from None
    if state.number > first:
        heads.clear()
        heads.add(state.head)
    if following is not None and state.number < following.after:
        raise CannotStart(f"{segment.name} ends at commit {state.number}, but {following.after} was synced. {_RESTORE}")


def _key_of(directory: Directory, segment: _Segment) -> FileKey | None:
    """The key under which the segment's commits are sealed; None where they are not."""
    if not segment.header.key:
        return None
    try:
        return directory.keys.for_file(segment.header.key, segment.header.salt)
    except NoKey as lack:
        raise CannotStart(f"{segment.name}: {lack}.") from None


def _apply(commits: Iterator[lines.Commit], state: Recovered) -> None:
    """Make the changes of commits, without ordering keys. Its loop runs a million times at a start."""
    collections, shift = state.collections, SHIFT
    places: dict[str, list[dict[str, bytes]]] = {}
    for commit in commits:
        if commit.at >= state.next_expiry:
            state.next_expiry = state.age.advance(commit.at, collections.values())
            places.clear()  # What expires has another generation now.
        for name, key, record in commit.changes:
            encoded = b"" + record  # bytes(record) takes twice as long
            if encoded == b"null":
                collections[name].drop(key)
                continue
            try:
                parts = places[name]
            except KeyError:
                parts = places[name] = collections[name].parts
            parts[hash(key) >> shift][key] = encoded
        if commit.drawn:
            state.drawn.update(commit.drawn)


def _commits(
    directory: Directory, segment: _Segment, following: lines.Header | None, state: Recovered, *, trusting: bool
) -> Iterator[lines.Commit]:
    """
    The commits of a segment that count. When all are taken, the state says where they end; the caller changes its records.

    @raise _NotAsStated: they were not checked, and are not what the next segment states.
    """
    until = following.after if following else None
    stated = following.stated if following and trusting else None
    checking = stated is None or stated.serial != segment.serial
    file_key = _key_of(directory, segment)
    decode = partial(lines.commit, key=file_key) if checking else lines.reader(file_key)
    number, head, at = state.number, state.head, state.at
    rest = directory.lines(segment.name)
    last = next(rest)
    size, digest = len(last), sha256(last)  # As in L{lines.Counting}, with one call less for each of a million lines.
    for raw in rest:
        if number == until:
            break
        place = 2 + number - segment.header.after
        try:
            if checking:
                head = lines.check(raw, head)
        except Damaged as damage:
            _cut(segment, place, damage, raw, rest, number, until)
            break
        try:
            commit = decode(raw)
            if commit.n != number + 1:
                raise Damaged(f"it has number {commit.n} where {number + 1} is expected")
        except Damaged as damage:
            if not checking:
                raise
            # No crash leaves a line that fits the chain: it is as it was written.
            raise CannotStart(f"{segment.name}, line {place}: {damage}. {_AS_WRITTEN} {_RESTORE}") from None
        last = raw
        digest.update(raw)
        size += len(raw)
        number, at = commit.n, commit.at
        yield commit
    extent = lines.Extent(segment.serial, size, digest.hexdigest())
    if not checking and extent != stated:
        raise _NotAsStated(f"{segment.name} is not what the header after it states")
    if number > state.number:
        state.head = last[lines.HASH]
    state.replayed += number - state.number
    state.number, state.at, state.extent = number, at, extent


def _head_of(segment: _Segment, heads: set[bytes]) -> bytes:
    """The hash of the segment's header, if that hangs on what came before."""
    _below(segment, heads)
    return segment.first_line[lines.HASH]


def _below(segment: _Segment, heads: set[bytes]) -> bytes:
    """The line on which the segment hangs."""
    head = lines.below(segment.first_line, heads)
    if head is None:
        raise CannotStart(f"{segment.name}, line 1: it does not hang on the journal before it. {_RESTORE}")
    return head


def _cut(segment: _Segment, place: int, damage: Damaged, raw: bytes, rest: Iterator[bytes], number: int, until: int | None) -> None:
    """
    Decide about a damaged line: cut here, or refuse to start.
    """
    synced = until if until is not None else max(map(lines.stated, (raw, *rest)))
    if synced > number:
        raise CannotStart(
            f"{segment.name}, line {place}: {damage}. "
            f"Commit {number + 1} was synced and acknowledged (up to {synced} were), so it cannot be left out. {_RESTORE}"
        )
    _log.warn(
        "{name} is cut at line {place} ({damage}): nothing from there on was ever acknowledged.",
        name=segment.name,
        place=place,
        damage=damage,
    )


def newer_form(written: dict[str, int], known: dict[str, int]) -> str:
    """In words, which records have a newer form than this SecureHub knows; empty if none have."""
    for collection, form in written.items():
        if form > known.get(collection, form):
            return f"{collection} records of form {form}; this SecureHub knows up to {known[collection]}"
    return ""


def _refuse_newer(name: str, written: dict[str, int], known: dict[str, int]) -> None:
    if newer := newer_form(written, known):
        raise CannotStart(f"{name} holds {newer}. Start the newer version again.")


_AS_WRITTEN = "The line fits the chain, so it is as it was written, and cannot be left out. A newer SecureHub that has written it reads it."
_RESTORE = "Restore the state directory from a backup; a copy of the damaged one is worth keeping."
