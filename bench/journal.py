"""
The state directory with a long history, for timing a start.
"""

from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from servers import BUILD, kept
from twisted.internet import task

from securehub.clock import Clock
from securehub.hub import Hub
from securehub.money import Amount, currency
from securehub.once import digest, once, place
from securehub.service import records_of
from securehub.services.auth import Auth
from securehub.services.ledger import Ledger
from securehub.services.ledger.accounts import Numbering, open_account
from securehub.services.ledger.movement import Transferred, deposit, pay
from securehub.store.files import RealDirectory
from securehub.store.journal import JournalStore
from securehub.store.worker import Done, Job
from securehub.switchboard import Switchboard

TRANSFERS = 1_000_000
MEMBERS = [f"member{number}" for number in range(1000)]


def make_journal(state: Path, transfers: int) -> None:
    """
    Make a state directory whose journal has so many transfers, by the ledger's own rule, without a daemon.

    Each has a key of its own, as dispatch gives it. There is no snapshot: the start that is timed first is the one from the journal
    alone.
    """
    reactor, gate, clock = task.Clock(), NoGate(), Clock()
    records = records_of([Ledger, Auth], Hub.core_records)
    store = JournalStore(UnsyncedDirectory(state), InlineWorker(reactor), reactor, clock, records, gate, Switchboard(gate))
    store.open()
    usd, numbering = currency("USD", 2), Numbering("999", "000")
    for member in MEMBERS:
        run(store.transact(open_account, member, "main", usd, numbering, limit=1, at=clock.now()))
        run(store.transact(deposit, member, Amount.parse("1000000"), "", "operator", at=clock.now()))
    cent = Amount.parse("0.01")
    for number in range(transfers):
        payer, payee = MEMBERS[number % len(MEMBERS)], MEMBERS[(number * 7 + 1) % len(MEMBERS)]
        if payer == payee:
            payee = MEMBERS[number % len(MEMBERS) - 1]
        key = place(payer, f"bench-{number}"), digest("ledger.transfer", [payee, cent, "", None]), Transferred
        run(store.transact(once, key, pay, payer, payee, cent, "", None, at=clock.now()))
        if number % 1000 == 0:
            reactor.advance(0)
    reactor.advance(0)


def run(transaction: Coroutine[Any, Any, Any]) -> None:
    """Finish a transaction of the journal store, which never waits."""
    try:
        transaction.send(None)
    except StopIteration:
        return
    raise AssertionError("the journal store does not wait")


class NoGate:
    """Lets everything through: nobody is there to be told."""

    position: Any = None

    def settled(self, position: Any) -> None:
        pass

    def lost(self, position: Any) -> None:
        raise AssertionError("the disk failed")


class InlineWorker:
    """Runs jobs in the reactor's thread."""

    def __init__(self, reactor: task.Clock) -> None:
        self._reactor = reactor

    def run(self, job: Job, done: Done) -> None:
        self._reactor.callLater(0, done, job(), None)

    def stop(self) -> None:
        pass


class UnsyncedDirectory(RealDirectory):
    """Does not wait for the disk: this history is not worth anything to anybody."""

    def create(self, name: str, content: bytes) -> "UnsyncedAppender":
        (self.path / name).write_bytes(content)
        return UnsyncedAppender(self.path / name)


class UnsyncedAppender:
    def __init__(self, path: Path) -> None:
        self._file = path.open("ab")

    def append(self, content: bytes) -> None:
        self._file.write(content)
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def long_history() -> Path:
    """The state directory with TRANSFERS journalled transfers, made if there is none."""
    return kept(BUILD / f"journal-{TRANSFERS}", f"Making {TRANSFERS:,} transfers", lambda state: make_journal(state, TRANSFERS))
