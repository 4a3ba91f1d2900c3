"""
The agenda: what is to be done by itself when its time has come, such as ending a hold or paying a rent.

A rule that knows of something to be done later puts it on the agenda with L{remind}. The agenda is made of records, so it is there after
every crash. When the time has come, L{Agenda} takes the entry off and runs its duty's step, both in one transaction: so each is done
once, or not yet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, NamedTuple

from twisted.logger import Logger

from securehub.chores import LOOKED_AT, Chores, Some
from securehub.clock import Clock
from securehub.refusals import Unavailable
from securehub.store.records import Record, behind
from securehub.store.transaction import ReadTransaction, Store, Transaction

_log = Logger()

LOOK_SECONDS = 1.0
"""
How often the agenda is looked at; a look takes some microseconds. Entries have no timers, so none can be wrong after a failed sync, after a
change of the wall clock, or when another daemon puts an entry there.
"""

STEPS_A_TURN = 16
"""After this many steps others have their turn, however much has become due while the hub stood still."""

PUT_OFF = timedelta(seconds=60)
"""When a step that failed by a fault of ours is tried again; the others do not wait for it."""


class Due(Record, frozen=True):
    """An entry of the agenda. Its key says it all: when it is due, which duty it is, and what of."""

    collection: ClassVar[str] = "due"


def remind(tx: Transaction, duty: str, what: str, at: datetime) -> None:
    """
    Put something on the agenda.

    @param what: given to the duty's step, mostly the key of a record; it has no slash in it.
    """
    tx.put(_key(at, duty, what), Due())


def forget(tx: Transaction, duty: str, what: str, at: datetime) -> None:
    """Take something off the agenda that was to be done at that time; it need not be there."""
    tx.delete(Due, _key(at, duty, what))


class _Duty(NamedTuple):
    """
    @ivar step: a rule, called with what is to be done and the arguments of C{given}.
    @ivar given: gives the time, and whatever else the step has to be told.
    """

    step: Callable[..., object]
    given: Callable[[], Mapping[str, Any]]


class Agenda:
    """What carries out the agenda of a running hub: one of its chores."""

    def __init__(self, store: Store, clock: Clock, chores: Chores) -> None:
        self._store = store
        self._clock = clock
        self._chores = chores
        self._duties: dict[str, _Duty] = {}
        self._put_off: dict[str, datetime] = {}
        chores.at_start(self.look)
        chores.every(LOOK_SECONDS, self.look)

    def add(self, duty: str, step: Callable[..., object], given: Callable[[], Mapping[str, Any]] | None = None) -> None:
        """
        Say what a duty is; services do so when they are made.

        @param step: a rule C{step(tx, what, *, at)}. It may put the next entry on the agenda, for work that goes on.
        @param given: gives the arguments by name, if the step takes others than C{at}.
        """
        assert duty not in self._duties and " " not in duty, duty
        self._duties[duty] = _Duty(step, given or (lambda: {"at": self._clock.now()}))

    async def look(self) -> None:
        """Do all that is due, some steps at a time."""
        now = until = self._clock.now()
        self._put_off = {key: again for key, again in self._put_off.items() if again > now}
        # The store has told the log why it takes nothing; what is due is there when it is well again.
        with suppress(Unavailable):
            while await self._go_through(until):
                # What a step puts on the agenda for this very moment, as some always do, waits for the next look.
                until = now - datetime.resolution

    async def _go_through(self, until: datetime) -> bool:
        """
        Do what is due at a moment, each entry once, with others in between.

        @return: whether anything was due: doing it may have put something on the agenda that is due by now, too.
        """
        found = False
        last: str | None = ""
        while last is not None and not self._chores.stopped:
            some = await self._store.read(_due, frozenset(self._duties), frozenset(self._put_off), until, last)
            for key in some.things:
                await self._carry_out(key)
            last, found = some.last, found or bool(some.things)
            if last is not None or found:
                await self._chores.others_first()
        return found

    async def _carry_out(self, key: str) -> None:
        _, name, what = key.split(" ", 2)
        duty = self._duties[name]
        try:
            await self._store.transact(_take, key, duty.step, what, **duty.given())
        except Unavailable:
            raise
        except Exception:
            _log.failure("The duty {name} could not be done for {what}; it is put off.", name=name, what=what)
            self._put_off[key] = self._clock.now() + PUT_OFF


def _key(at: datetime, duty: str, what: str) -> str:
    assert "/" not in duty and "/" not in what, (duty, what)
    return f"{_stamp(at)} {duty} {what}"


def _stamp(at: datetime) -> str:
    """A time with a fixed width, in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _due(tx: ReadTransaction, names: Set[str], put_off: Set[str], until: datetime, after: str) -> Some[str]:
    """
    The keys of some entries that are due, except those of duties that no service declares, and those that are put off.

    @param after: the last key that was looked at; empty to begin.
    """
    keys: list[str] = []
    # The exclamation mark is the character after the blank.
    for count, (key, _) in enumerate(tx.scan(Due, start=behind(after), end=f"{_stamp(until)}!"), 1):
        if key.split(" ", 2)[1] in names and key not in put_off:
            keys.append(key)
        if len(keys) == STEPS_A_TURN or count == LOOKED_AT:
            return Some(keys, key)
    return Some(keys, None)


def _take(tx: Transaction, key: str, step: Callable[..., object], what: str, **given: Any) -> None:
    """Take an entry off the agenda, if it is still there, and do it."""
    if tx.get(Due, key) is not None:
        tx.delete(Due, key)
        step(tx, what, **given)
