"""
Lives of a store on a disk that does its worst: members pay each other, groups are written, segments become full and are folded by a child,
snapshots are left, old files are put away and removed, and in the middle of some call the machine stops, or the child is killed. What
comes back is compared with a model.

    python -m tests.store.crashes 250000

plays that many crashes on all cores, and prints a line for every violation; with its seed behind the number 15 it is played again.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from multiprocessing import get_context
from typing import Any, NamedTuple, get_type_hints
from unittest import mock

from securehub.money import Amount
from securehub.once import Once, digest, once, place
from securehub.refusals import Refusal, Unavailable
from securehub.services.ledger import Ledger, movement
from securehub.services.ledger.accounts import open_account
from securehub.services.ledger.records import Account
from securehub.store import archive, journal, snapshot, upkeep, writer
from securehub.store.chain import Broken
from securehub.store.collection import Collection
from securehub.store.journal import RETRY_SECONDS
from securehub.store.keys import PLAIN, Keys
from securehub.store.layout import ARCHIVE, segment_names, snapshot_names
from securehub.store.lines import Damaged
from securehub.store.recovery import CannotStart
from securehub.store.upkeep import Upkeep
from securehub.store.verification import verify as verify_whole
from tests.rules.setting import CURRENCIES, NUMBERING, RECORDS
from tests.store.beside import FoldingBeside
from tests.store.setting import Setting, everything
from tests.store.simulated import Crash, SimulatedDirectory, SimulatedDisk
from tests.store.verifier import verify

MEMBERS = ("ann", "bob", "eve")
LIVES = 15
"""Crashes that one state directory lives through before another begins; the journal grows, and with it the time of a start."""


PORTION = 20 * LIVES
"""Crashes that a core plays at a time."""

SEGMENT_BYTES = 1_500
"""Some three commits."""

HURRY = (
    (journal, "SNAPSHOT_AFTER", 5),
    (upkeep, "LOOK_SECONDS", 0.2),
    (upkeep, "FOLD_AGE", timedelta(seconds=2)),
    (upkeep, "AGAIN_SECONDS", 0.5),
    (writer, "SEGMENT_AGE", timedelta(seconds=2)),
    (archive, "DAY", timedelta(seconds=1)),
)
"""What takes days in a daemon comes in every life here."""

ARCHIVE_DAYS = 4


class Violation(AssertionError):
    """The store broke a promise."""


class Books(NamedTuple):
    """
    What a commit leaves.

    @ivar balances: by account.
    @ivar keys: those of the requests that were carried out.
    """

    balances: dict[str, int]
    keys: frozenset[str]


class Community:
    """
    One state directory from its making through many crashes.

    @param make_disk: a kind of disk.

    @ivar crashes: how many it has lived through.
    @ivar folds: how many snapshots a child has made.
    @ivar archived: names of segments that were ever found in the archive.
    """

    def __init__(self, seed: int, make_disk: Callable[..., SimulatedDisk] = SimulatedDisk) -> None:
        self.seed = seed
        self.chance = random.Random(seed)
        self.crashes = 0
        self.folds = 0
        self.archived: set[str] = set()
        self._make_disk = make_disk
        self._keys = 0
        # Every second community seals what it keeps from the beginning, others may begin at a start; all change their key now and then.
        self._keys_at_rest = Keys(self.chance.randbytes(32), source="test", randbytes=self.chance.randbytes) if seed % 2 else PLAIN
        self._numbers: dict[str, str] = {}
        self._settled = Books({}, frozenset())
        self._wall = 0.0
        # What was committed since, with the position that it waits for; and what was lost, but may be on the disk all the same.
        self._live: list[tuple[Any, Books]] = []
        self._lost: list[Books] = []
        self._setting = self._start({}, None)

    def play(self, lives: int) -> None:
        """
        @raise Violation: a promise was broken.
        """
        for _ in range(lives):
            self._live_once()

    def archive(self) -> list[str]:
        """The segments that are in the archive now."""
        return segment_names(self._disk().names(ARCHIVE))

    def _live_once(self) -> None:
        disk = self._disk()
        disk.crash_at = disk.calls + self.chance.randint(1, 60)
        disk.fault_rate = self.chance.choice([0.0, 0.0, 0.02, 0.2])
        moves = [self._pay] * 8 + [self._again] + [self._step] * 5 + [self._wait] * 2 + [self._restart, self._change_keys]
        moves += [self._child_steps] * 6 + [self._child_dies]
        try:
            while True:
                self.chance.choice(moves)()
                self._look()
        except Crash:
            pass
        self._folding.kill()
        self._look()
        self.crashes += 1
        self.folds += self._folding.finished
        self.archived.update(self.archive())
        self._come_back(self._disk().after_crash())

    def _come_back(self, files: dict[str, bytes]) -> None:
        """Start on what is left, a little later; the machine may stop while it starts, too."""
        self._wall += self._setting.time.seconds() + self.chance.random()
        if self.chance.random() < 0.05:
            self._take_another_key()
        while True:
            crash_at = self.chance.randint(1, 6) if self.chance.random() < 0.2 else None
            try:
                setting = self._start(files, crash_at)
            except Crash:
                files = self._crashed_at_start
                continue
            except CannotStart as refusal:
                raise Violation(f"it does not start: {refusal}") from None
            break
        self._setting = setting
        found = self._found()
        possible = [self._settled, *(books for _, books in self._live), *self._lost]
        if found not in possible:
            raise Violation(
                f"what was found is none of the {len(possible)} states that could be there; {_difference(found, self._settled)}"
            )
        if sum(found.balances.values()):
            raise Violation(f"the books do not balance: {found.balances}")
        for name in snapshot_names(self._disk().names()):
            try:
                snapshot.load(snapshot.stored(self._setting.disk, name), Collection)  # type: ignore[arg-type]
            except Damaged as damage:
                raise Violation(f"{name} was put in place before it was whole: {damage}") from None
        if self.crashes % 5 == 0:
            try:
                verify({name: content for name, content in self._disk().files().items() if not name.endswith(".new")})
            except (AssertionError, ValueError) as broken:
                raise Violation(f"the chain is broken: {broken}") from None
            try:
                verify_whole(self._setting.disk, RECORDS, Ledger.invariants)  # type: ignore[arg-type]
            except Broken as broken:
                raise Violation(f"what a start takes for true is refused by a verification: {broken}") from None
        self._settled, self._live, self._lost = found, [], []

    def _change_keys(self) -> None:
        """Go on under another key. It may fail like all that has to do with a disk, and the next commit tries again."""
        if self._keys_at_rest.current and self.chance.random() < 0.3:
            self._take_another_key()
            self._setting.store.change_keys(self._keys_at_rest).addErrback(lambda failure: failure.trap(OSError))

    def _take_another_key(self) -> None:
        """What was the current key is an older one from now on; if there was none, sealing begins."""
        older = [key for key in (self._keys_at_rest.current, *self._keys_at_rest.older) if key]
        self._keys_at_rest = Keys(self.chance.randbytes(32), tuple(older), source="test", randbytes=self.chance.randbytes)

    def _start(self, files: dict[str, bytes], crash_at: int | None) -> Setting:
        disk = self._make_disk(self.chance, files, crash_at=crash_at)
        directory: Any = SimulatedDirectory(disk, self._keys_at_rest)
        try:
            directory.hold()
            setting = Setting(disk=directory, records=RECORDS, wall=self._wall, segment_bytes=SEGMENT_BYTES)
        except Crash:
            self._crashed_at_start = disk.after_crash()
            raise
        disk.crash_at = None
        self._folding = FoldingBeside(disk, lambda: self._keys_at_rest)
        self._upkeep = Upkeep(
            setting.store,
            setting.disk,  # type: ignore[arg-type]
            setting.worker,
            setting.time,
            setting.clock,
            self._folding,
            segment_bytes=SEGMENT_BYTES,
            percent=self.chance.choice([10, 100]),
            archive_days=lambda: ARCHIVE_DAYS,
        )
        self._upkeep.start()
        if not self._numbers:
            for name in MEMBERS:
                self._numbers[name] = setting.transact(
                    open_account, name, "main", CURRENCIES.default, NUMBERING, limit=1, at=setting.clock.now()
                )
            setting.settle()
            self._setting = setting
            self._settled = self._found()
        return setting

    def _disk(self) -> SimulatedDisk:
        directory: Any = self._setting.disk
        disk: SimulatedDisk = directory.disk
        return disk

    def _found(self) -> Books:
        """What the store has."""
        accounts = self._setting.read(everything, Account)
        used = self._setting.read(lambda tx: {f"k{n}" for n in range(self._keys) if tx.get(Once, place("ann", f"k{n}"))})
        return Books({number: account.balance for number, account in accounts}, frozenset(used))

    def _newest(self) -> Books:
        return self._live[-1][1] if self._live else self._settled

    def _look(self) -> None:
        """Take note of what was settled and lost since."""
        gate, kept = self._setting.gate, []
        for position, books in self._live:
            outcome = gate.outcome(position)
            if outcome == "settled":
                self._settled, self._lost = books, []
            elif outcome == "lost":
                self._lost.append(books)
            else:
                kept.append((position, books))
        self._live = kept

    def _pay(self) -> None:
        self._keys += 1
        self._request(f"k{self._keys - 1}")

    def _again(self) -> None:
        """Ask again with a key, as somebody whose connection was lost."""
        if self._keys:
            self._request(f"k{self.chance.randrange(max(0, self._keys - 20), self._keys)}")

    def _request(self, key: str) -> None:
        """What a key asks for is always the same."""
        asked = random.Random(f"{self.seed}/{key}")
        payer, payee = asked.sample([*MEMBERS, "@cash"], 2)
        amount, before = Amount.parse(str(asked.randint(1, 50))), self._newest()
        setting = self._setting
        at = setting.clock.now()
        if payer == "@cash":
            rule: Any = (movement.deposit, payee, amount, "", "operator")
        elif payee == "@cash":
            rule = (movement.withdraw, payer, amount, "", "operator")
        else:
            rule = (movement.pay, payer, payee, amount, "", None)
        kept = (place("ann", key), digest("pay", [key]), get_type_hints(rule[0])["return"])
        try:
            setting.transact(once, kept, *rule, at=at)
        except Unavailable:
            return
        except Refusal:
            if key in before.keys:
                raise Violation(f"{key} was carried out, and is refused when it comes again") from None
            return
        after = self._books_after(key)
        if key in before.keys and after.balances != before.balances:
            raise Violation(f"{key} was carried out twice")
        if key not in before.keys:
            self._live.append((setting.gate.position, after))

    def _books_after(self, key: str) -> Books:
        accounts = self._setting.read(everything, Account)
        return Books({number: account.balance for number, account in accounts}, self._newest().keys | {key})

    def _step(self) -> None:
        self._setting.turn()
        if self._setting.worker.jobs:
            self._setting.worker.step()

    def _child_steps(self) -> None:
        for _ in range(self.chance.randint(1, 25)):
            self._folding.step()

    def _child_dies(self) -> None:
        if self.chance.random() < 0.1:
            self._folding.kill()

    def _wait(self) -> None:
        self._setting.time.advance(self.chance.choice([0.1, RETRY_SECONDS]))

    def _restart(self) -> None:
        """Stop in peace, with a snapshot, and start again."""
        if self.chance.random() < 0.8:
            return
        closed: list[object] = []
        self._upkeep.stop()
        self._setting.store.close().addBoth(closed.append)
        self._setting.settle()
        self._look()
        self._come_back(self._disk().after_crash())
        raise Crash


def _difference(found: Books, settled: Books) -> str:
    lacks, more = sorted(settled.keys - found.keys), sorted(found.keys - settled.keys)
    return f"of what was acknowledged it lacks {lacks}, and it has {more} besides; balances {found.balances}, were {settled.balances}"


@contextmanager
def hurry() -> Iterator[None]:
    """While this lasts, what is rare in a daemon is not."""
    with ExitStack() as stack:
        for module, name, value in HURRY:
            stack.enter_context(mock.patch.object(module, name, value))
        yield


def play(crashes: int, seed: int = 0, make_disk: Callable[..., SimulatedDisk] = SimulatedDisk) -> list[str]:
    """
    @return: the violations, each with the seed of its community.
    """
    violations = []
    with hurry():
        for begin in range(0, crashes, LIVES):
            community_seed = seed + begin // LIVES
            try:
                Community(community_seed, make_disk).play(min(LIVES, crashes - begin))
            except Violation as violation:
                violations.append(f"seed {community_seed}: {violation}")
    return violations


def play_on_all_cores(crashes: int, seed: int = 0) -> list[str]:
    """
    As L{play}, in as many processes as there are cores. The order in which sets and dicts come is fixed in them, so the same seed plays the
    same again on any day.
    """
    cores = len(os.sched_getaffinity(0))
    begins = range(0, crashes, PORTION)
    counts = [min(PORTION, crashes - begin) for begin in begins]
    seeds = [seed + begin // LIVES for begin in begins]
    with mock.patch.dict(os.environ, PYTHONHASHSEED="0"), ProcessPoolExecutor(cores, get_context("spawn")) as pool:
        return [violation for found in pool.map(play, counts, seeds) for violation in found]


def main() -> None:
    crashes = int(sys.argv[1]) if len(sys.argv) > 1 else 250_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    violations = play_on_all_cores(crashes, seed)
    print(*violations, f"{crashes} crashes, {len(violations)} violations", sep="\n")
    raise SystemExit(bool(violations))


if __name__ == "__main__":
    main()
