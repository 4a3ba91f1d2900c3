"""
The hub: all parts, put together.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from securehub import openrpc
from securehub.agenda import Agenda, Due
from securehub.audit import Audit
from securehub.chores import Chores
from securehub.clock import Clock
from securehub.command import Command
from securehub.config import Settings
from securehub.daemon.beside import Beside
from securehub.daemon.operations import Operations
from securehub.daemon.safekeeping import Safekeeping
from securehub.daemon.vitals import Vitals
from securehub.dispatch import Clash, Dispatch
from securehub.gate import Gate, Outbox
from securehub.hashing import Hashing
from securehub.members import Joined, Member, Visits
from securehub.mistakes import Mistakes
from securehub.money import Currencies
from securehub.network.doorkeeper import Doorkeeper
from securehub.network.protocol import HubFactory
from securehub.once import Once, forget_all
from securehub.service import BadServices, commands_of, made, parts_of, records_of, refuse_forgetful, roles_of
from securehub.services.ledger.accounts import Numbering, refuse_other_digits, whose
from securehub.services.ledger.watching import Watcher
from securehub.services.support.facts import OrderFacts, OrderRefund
from securehub.session import Session
from securehub.store.files import Directory
from securehub.store.journal import JournalStore
from securehub.store.upkeep import Folding, Upkeep
from securehub.store.worker import Worker
from securehub.switchboard import Switchboard
from securehub.vault import Random, Vault

if TYPE_CHECKING:
    from securehub.network.web import Site

_log = Logger()

MIB = 1024 * 1024

BEHIND = timedelta(minutes=1)
"""A clock that is set back by less is not worth a warning."""

STOPPING_SECONDS = 5.0
"""How long a stop waits for a disk that stands still."""

GOODBYE_SECONDS = 2.0
"""
How long a stop waits for clients that have been told and do not close: among many, some have always vanished. What was written to the
others reaches them even after the daemon has ended, because the system sends it.
"""

SNAPSHOT_SECONDS = 80.0
"""How long a stop may write its snapshot; a service manager gives it 90 s, and without it the next start only takes longer."""


class Hub:
    """
    A hub. It is given everything that it needs of the world, so a whole one runs in a test, in virtual time.

    What services may take from it in their C{__init__}:

    @ivar settings: see L{securehub.config}.
    @ivar reactor: for timers; its C{seconds} is monotonic.
    @ivar clock: the time for records.
    @ivar random: the source of tokens.
    @ivar hashing: passwords.
    @ivar vault: seals what has to be read again.
    @ivar operations: what can be done to the process in which the hub runs.
    @ivar store: C{read} and C{transact}; a command's own transaction is C{session.transact}.
    @ivar switchboard: who hears what.
    @ivar zone: the time zone of days and months.
    @ivar currencies: those that accounts may have.
    @ivar numbering: how account numbers are made.
    @ivar watchers: who is told of movements of money; a service adds its own, see L{securehub.services.ledger.watching}.
    @ivar own_references: how references begin, such as C{raffle/}, of transfers that only their service may give back; services add theirs.
    @ivar safekeeping: backups, drills and verification.
    @ivar upkeep: what keeps the store's files few; None where nobody folds them.
    @ivar order_facts: who tells the support desk of orders; services add theirs, see L{securehub.services.support.facts}.
    @ivar order_refunds: how agents give back some of an order's price; likewise.
    @ivar chores: what is done by itself, at the start or every so often.
    @ivar forget_answers: forgets the answers that are kept for a user's requests with keys.
    @ivar agenda: what is done by itself when its time has come; a service adds its duties, see L{securehub.agenda}.
    @ivar sessions: all connections that are ready for requests, by number.
    @ivar doorkeeper: who may connect.
    @ivar vitals: how the process is doing.
    @ivar roles: what members may be granted, those of all services among it.
    @ivar services: all services, by name; filled once all are made.
    @ivar commands: all commands; likewise.
    @ivar mistakes: suggests a command to somebody who has mistyped one.
    """

    core_records = (Member, Visits, Joined, Once, Audit, Due)

    def __init__(
        self,
        settings: Settings,
        factories: Sequence[Any],
        *,
        directory: Directory,
        worker: Worker,
        reactor: IReactorTime,
        clock: Clock,
        random: Random,
        hashing: Hashing,
        make_store: Callable[..., JournalStore] = JournalStore,
        folding: Folding | None = None,
        operations: Operations | None = None,
        beside: Beside | None = None,
        site: Site | None = None,
    ) -> None:
        self.settings = settings
        self.reactor = reactor
        self.clock = clock
        self.random = random
        self.hashing = hashing
        self.vault = Vault(directory, random)
        self.operations = operations or Operations()
        self.gate = Gate(reactor)
        self.switchboard = Switchboard(self.gate)
        records = records_of(factories, self.core_records)
        segment_bytes = settings["segment_mib"] * MIB
        self.store = make_store(directory, worker, reactor, clock, records, self.gate, self.switchboard, segment_bytes=segment_bytes)
        self.upkeep: Upkeep | None = None
        if folding is not None:
            self.upkeep = Upkeep(
                self.store,
                directory,
                worker,
                reactor,
                clock,
                folding,
                segment_bytes=segment_bytes,
                percent=settings["fold_percent"],
                archive_days=lambda: settings["archive_days"],
            )
        self.vitals = Vitals(reactor, lambda: self.store.number)
        self.zone = settings["time_zone"]
        self.currencies = Currencies.parse(settings["currencies"], settings["currency"])
        self.numbering = Numbering(settings["bank"], settings["branch"])
        self.watchers: list[Watcher] = []
        self.own_references: list[str] = []
        self.order_facts: list[OrderFacts] = []
        self.order_refunds: list[OrderRefund] = []
        self.chores = Chores(reactor)
        self.forget_answers = partial(forget_all, self.store, self.chores.others_first)
        self.safekeeping = Safekeeping(self.store, clock, settings, beside)
        self.agenda = Agenda(self.store, clock, self.chores)
        self.services: dict[str, Any] = {}
        self.commands: list[Command] = []
        self.mistakes = Mistakes(self.commands)
        self.sessions: dict[int, Session] = {}
        self.doorkeeper = Doorkeeper(settings, reactor.seconds)
        self._numbers = itertools.count(1)
        self.roles = roles_of(factories)
        self._add_services(factories)
        self.dispatch = _dispatch(self.commands, self.mistakes, reactor, self.vault, clock)
        self.members_door = self._door(secure=True, operator=False, site=site)
        self.admin_door = self._door(secure=False, operator=True)

    def open(self) -> None:
        """
        Load what is stored. Nobody may connect before.

        @raise CannotStart: acknowledged commits are missing.
        @raise BadSetting: a currency has other decimals than its accounts.
        @raise BadKey: the vault's key file is damaged.
        """
        found = self.store.open()
        with suppress(StopIteration):
            # A read waits for nothing.
            self.store.read(refuse_other_digits, self.currencies).send(None)
        self.vault.load(first_start=not found.number)
        self.vitals.start()
        _log.info(
            "Commit {number} is the last; {replayed} commits were replayed after the snapshot.",
            number=found.number,
            replayed=found.replayed,
        )
        behind = self.clock.behind()
        if behind > BEHIND:
            _log.warn(
                "clock-behind: the last commit is of {at}, {minutes} minutes from now; until then times stand still. "
                "If that one is wrong, restore a backup from before it.",
                at=f"{self.clock.now():%Y-%m-%dT%H:%M:%SZ}",
                minutes=round(behind.total_seconds() / 60),
            )
        self.chores.start()
        if self.upkeep:
            self.upkeep.start()

    def stop(self) -> Deferred[None]:
        """
        Take no new commands, sync what was acknowledged, say goodbye, close the store.

        @return: fires when all that is done, or has taken too long.
        """
        self.vitals.stop()
        self.chores.stop()
        doors = (self.members_door, self.admin_door)
        for door in doors:
            door.stopping = True
        self.safekeeping.stop()
        alone = self.upkeep.stop() if self.upkeep else succeed(None)
        stopped = _at_most(self.reactor, DeferredList([self.store.drain(), alone]), STOPPING_SECONDS)
        stopped.addCallback(lambda _: self._say_bye(doors))
        return stopped.addCallback(lambda _: _at_most(self.reactor, self.store.close(), SNAPSHOT_SECONDS))

    def count_connections(self) -> int:
        """How many connections are open."""
        return len(self.members_door.open) + len(self.admin_door.open)

    def _add_services(self, factories: Iterable[Any]) -> None:
        for factory in factories:
            parts = [made(factory, make, self) for make in parts_of(factory)]
            declared = made(factory, partial(commands_of, factory, parts), self.settings)
            if not declared:
                raise BadServices(f"the service {factory.name} declares no command")
            refuse_forgetful(factory.name, parts[0])
            for command in declared:
                _refuse_untold(command)
                if command.access.role not in (None, *self.roles):
                    raise BadServices(f"{command.name} needs the role {command.access.role}, which no service declares")
            self.commands += declared
            self.services[factory.name] = parts[0]

    def _say_bye(self, doors: Iterable[HubFactory]) -> Deferred[None]:
        closed = DeferredList([door.say_bye("the hub is stopping.") for door in doors])
        return _at_most(self.reactor, closed, GOODBYE_SECONDS)

    def _door(self, *, secure: bool, operator: bool, site: Site | None = None) -> HubFactory:
        return HubFactory(
            self.dispatch,
            self.gate,
            self.settings,
            self.reactor,
            clock=self.clock,
            doorkeeper=self.doorkeeper,
            make_session=self._make_session,
            sessions=self.sessions,
            secure=secure,
            operator=operator,
            site=site,
        )

    def _make_session(self, outbox: Outbox, address: str, operator: bool) -> Session:
        return Session(
            self.store,
            self.switchboard,
            outbox,
            self.dispatch.turns,
            number=next(self._numbers),
            address=address,
            since=self.clock.now(),
            operator=operator,
        )


def _refuse_untold(command: Command) -> None:
    try:
        for reply in filter(None, command.replies):
            openrpc.refuse_untold(reply)
    except (TypeError, NameError) as error:
        raise BadServices(f"the replies of {command.name} cannot be described: {error}") from None


def _dispatch(commands: Iterable[Command], mistakes: Mistakes, reactor: IReactorTime, vault: Vault, clock: Clock) -> Dispatch:
    try:
        return Dispatch(commands, mistakes, reactor, vault.mark, clock, whose)
    except Clash as clash:
        raise BadServices(str(clash)) from None


def _at_most(reactor: IReactorTime, waited: Deferred[Any], seconds: float) -> Deferred[None]:
    """Wait, but not for ever: at a stop, going on is better than waiting for what never comes."""
    either: Deferred[None] = Deferred()

    def go_on(_: object = None) -> None:
        if not either.called:
            either.callback(None)

    timer = reactor.callLater(seconds, go_on)

    def done(result: object) -> None:
        if timer.active():
            timer.cancel()
        go_on()

    waited.addBoth(done)
    return either
