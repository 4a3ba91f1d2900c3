"""
The ledger against a model of it: whatever members do, and whatever happens to the disk, the books are right.
"""

from __future__ import annotations

from copy import deepcopy
from decimal import Decimal
from typing import Any, get_type_hints

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from securehub.money import Amount
from securehub.once import digest, once, place
from securehub.refusals import KeyReused, Refusal, Unavailable
from securehub.services.ledger import books, movement
from securehub.services.ledger.accounts import open_account
from securehub.services.ledger.records import Account
from securehub.store.journal import RETRY_SECONDS
from securehub.store.suspicious import SuspiciousStore
from tests.rules.setting import CURRENCIES, NUMBERING, RECORDS
from tests.store.setting import BEGIN, FULL, Setting, everything

MEMBERS = ("alice", "bob", "carol")
KEYS = (None, None, "one", "two", "three")

members = some.sampled_from(MEMBERS)
keys = some.sampled_from(KEYS)
amounts = some.sampled_from(("0.01", "1", "2.50", "7.2", "100", "0.001"))


class Model:
    """
    What the books have to say.

    @ivar accounts: the numbers of each member's accounts.
    @ivar currencies: of each account.
    @ivar entries: amounts of each account, the newest last.
    @ivar kept: request and reply of each user and key.
    """

    def __init__(self) -> None:
        self.accounts: dict[str, list[str]] = {name: [] for name in MEMBERS}
        self.currencies: dict[str, str] = {}
        self.entries: dict[str, list[Decimal]] = {}
        self.kept: dict[tuple[str, str], tuple[Any, Any]] = {}

    def open(self, owner: str, number: str, currency: str) -> None:
        self.accounts[owner].append(number)
        self.currencies[number] = currency
        self.entries[number] = []

    def balance(self, number: str) -> Decimal:
        return sum(self.entries[number], Decimal(0))

    def account(self, owner: str, currency: str) -> str | None:
        """An owner's first account in a currency."""
        return next((number for number in self.accounts[owner] if self.currencies[number] == currency), None)

    def allows(self, source: str | None, target: str | None, amount: str) -> bool:
        """
        Whether money may move.

        @param source: None for @cash; C{target} likewise.
        """
        number = source or target
        assert number is not None
        digits = CURRENCIES[self.currencies[number]].digits
        if source == target or len(amount.partition(".")[2]) > digits:
            return False
        return source is None or self.balance(source) >= Decimal(amount)

    def move(self, source: str | None, target: str | None, amount: str) -> None:
        if source is not None:
            self.entries[source].append(-Decimal(amount))
        if target is not None:
            self.entries[target].append(Decimal(amount))


class LedgerMachine(RuleBasedStateMachine):
    """
    Members at a ledger whose disk fails and whose power is cut.

    @ivar now: the model of what is in memory.
    @ivar settled: the model of what somebody may have seen, and must never be taken back.
    @ivar since: the models after each commit since then.
    @ivar lost: those of commits that the disk failed to take; after a crash one of them may be what is there, as bytes may have been
        written all the same.
    """

    @initialize()
    def begin(self) -> None:
        self.setting = Setting(SuspiciousStore, records=RECORDS)
        self.now = self.settled = Model()
        self.since: list[Model] = []
        self.lost: list[Model] = []
        for name in MEMBERS:
            self.open(name, "USD")
        self.sync()

    def ask(self, user: str, key: str | None, rule: Any, *args: Any) -> bool:
        """
        Make one request, with its key if it has one.

        @return: whether it took effect just now.
        """
        if key is None:
            self.setting.transact(rule, *args, at=BEGIN)
            return True
        request = rule.__name__, *map(str, args)
        known = self.now.kept.get((user, key))
        kept = place(user, key), digest(rule.__name__, list(args)), get_type_hints(rule)["return"]
        try:
            reply = self.setting.transact(once, kept, rule, *args, at=BEGIN)
        except Unavailable:
            raise
        except Refusal as refusal:
            assert isinstance(refusal, KeyReused) == (known is not None), refusal
            assert known is None or known[0] != request, "the first request was refused at its repetition"
            raise
        assert known is None or known == (request, reply), "a key was answered with something else than the first time"
        self.now.kept[user, key] = request, reply
        return known is None

    def attempt(self, allowed: bool, moved: tuple[str | None, str | None, str], user: str, key: str | None, *request: Any) -> None:
        """Make a request, and take over into the model what it did, which must be what the model allows."""
        try:
            effective = self.ask(user, key, *request)
        except Unavailable:
            assert self.setting.store.trouble is not None
        except KeyReused:
            pass
        except Refusal as refusal:
            assert not allowed, f"refused without a reason: {refusal}"
        else:
            if effective:
                assert allowed, f"{request} should have been refused"
                self.now.move(*moved)
                self.since.append(deepcopy(self.now))

    # What members do

    def open(self, owner: str, currency: str) -> None:
        name = f"{len(self.now.accounts[owner])}"
        number = self.setting.transact(open_account, owner, name, CURRENCIES[currency], NUMBERING, limit=4, at=BEGIN)
        self.now.open(owner, number, currency)
        self.since.append(deepcopy(self.now))

    @rule(owner=members, currency=some.sampled_from(("USD", "HOURS")))
    def open_one_more(self, owner: str, currency: str) -> None:
        if self.setting.store.trouble is None and len(self.now.accounts[owner]) < 4:
            self.open(owner, currency)

    @rule(payer=members, payee=members, amount=amounts, key=keys)
    def transfer(self, payer: str, payee: str, amount: str, key: str | None) -> None:
        source, target = self.now.accounts[payer][0], self.now.account(payee, "USD")
        allowed = self.now.allows(source, target, amount)
        moved = source, target, amount
        self.attempt(allowed, moved, payer, key, movement.pay, payer, payee, Amount.parse(amount), "", None)

    @rule(payer=members, payee=members, which=some.integers(0, 3), to=some.integers(0, 3), amount=amounts, key=keys)
    def transfer_between(self, payer: str, payee: str, which: int, to: int, amount: str, key: str | None) -> None:
        """From any account of a member's to any account, by number."""
        own, theirs = self.now.accounts[payer], self.now.accounts[payee]
        source, target = own[which % len(own)], theirs[to % len(theirs)]
        allowed = self.now.currencies[source] == self.now.currencies[target] and self.now.allows(source, target, amount)
        moved = source, target, amount
        self.attempt(allowed, moved, payer, key, movement.pay, payer, target, Amount.parse(amount), "memo", source)

    @rule(to=members, which=some.integers(0, 3), amount=amounts, key=keys)
    def deposit(self, to: str, which: int, amount: str, key: str | None) -> None:
        target = self.now.accounts[to][which % len(self.now.accounts[to])]
        allowed = self.now.allows(None, target, amount)
        self.attempt(allowed, (None, target, amount), "t", key, movement.deposit, target, Amount.parse(amount), "", "t")

    @rule(source=members, amount=amounts, key=keys)
    def withdraw(self, source: str, amount: str, key: str | None) -> None:
        number = self.now.accounts[source][0]
        allowed = self.now.allows(number, None, amount)
        self.attempt(allowed, (number, None, amount), "t", key, movement.withdraw, source, Amount.parse(amount), "", "t")

    # What happens to the hub

    @rule()
    def sync(self) -> None:
        """The disk does all that it was given; what it took may be seen from now on, and the rest is undone."""
        before = len(self.setting.gate.settlements)
        self.setting.settle()
        outcomes = {outcome for outcome, _ in self.setting.gate.settlements[before:]}
        assert len(outcomes) <= 1, outcomes
        if "lost" in outcomes:
            self.lost, self.since = self.since, []
            self.now = deepcopy(self.settled)
        else:
            self.settled, self.since = deepcopy(self.now), []

    @precondition(lambda self: self.setting.store.trouble is None)
    @rule(kept=some.sampled_from((0, 300, 700, 1500, None)))
    def fail_sync(self, kept: int | None) -> None:
        """The next sync fails, with so many bytes written all the same."""
        self.setting.disk.fail(FULL, kept=kept)
        self.sync()
        self.setting.disk.heal()

    @rule()
    def wait(self) -> None:
        """Time passes, and a store that could not write tries again; what was lost does not come back after that."""
        self.sync()
        self.setting.time.advance(RETRY_SECONDS)
        self.sync()
        assert self.setting.store.trouble is None
        self.lost = []

    @rule()
    def crash(self) -> None:
        """The power is cut before the disk was given what was done last."""
        self.come_back()

    @rule()
    def stop(self) -> None:
        """The store is closed in peace."""
        self.setting.close()
        self.settled = deepcopy(self.now)
        self.come_back()

    def come_back(self) -> None:
        """Start again: what is there is what was settled, and perhaps some of what was lost, whole."""
        self.setting = self.setting.crashed()
        found = {
            number: self.history(account.owner, number) for number, account in self.setting.read(everything, Account) if number[0] != "@"
        }
        fitting = [model for model in (self.settled, *self.lost) if model.entries == found]
        assert fitting, f"nothing that was ever committed: {found}"
        self.now = fitting[-1]
        self.settled, self.since, self.lost = deepcopy(self.now), [], []

    # What must be so at any moment

    def history(self, owner: str, number: str) -> list[Decimal]:
        rows = self.setting.read(books.history_of, owner, number, limit=1000, before=None).items
        return [Decimal(row.amount) for row in reversed(rows)]

    @invariant()
    def sums_are_zero(self) -> None:
        for row in self.setting.read(books.trial_balance, CURRENCIES).items:
            assert Decimal(row.sum) == 0, row

    @invariant()
    def balances_are_the_models(self) -> None:
        for owner, numbers in self.now.accounts.items():
            rows = self.setting.read(books.accounts_of, owner, limit=1000).items
            assert [row.account for row in rows] == numbers
            for row in rows:
                assert Decimal(row.balance) == self.now.balance(row.account) >= 0, row

    @invariant()
    def histories_add_up(self) -> None:
        """Each account's entries are those of the model, count up from 1, and each balance is the sum so far."""
        for owner, numbers in self.now.accounts.items():
            for number in numbers:
                rows = self.setting.read(books.history_of, owner, number, limit=1000, before=None).items[::-1]
                assert [Decimal(row.amount) for row in rows] == self.now.entries[number], number
                total = Decimal(0)
                for row in rows:
                    total += Decimal(row.amount)
                    assert Decimal(row.balance) == total, row
                assert self.setting.get(Account, number).entries == len(rows)

    @invariant()
    def cash_has_the_rest(self) -> None:
        for code in ("USD", "HOURS"):
            accounts = [account for _, account in self.setting.read(everything, Account) if account.currency == code]
            outside = sum(account.balance for account in accounts if account.owner == "@cash")
            inside = sum(account.balance for account in accounts if account.owner != "@cash")
            assert outside == -inside


class LedgerModel(SynchronousTestCase):
    """The machine, run."""

    def test_model(self) -> None:
        """Random members, failures and restarts; the same ones in each run of the tests."""
        run_state_machine_as_test(
            LedgerMachine,
            settings=settings(
                max_examples=60,
                stateful_step_count=40,
                deadline=None,
                derandomize=True,
                database=None,
                phases=(Phase.generate, Phase.shrink),
                suppress_health_check=list(HealthCheck),
            ),
        )
