"""
C{securehub import}: takes in what members had in other programs, into a state directory in which no daemon runs.
"""

from __future__ import annotations

import re
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from random import SystemRandom
from tempfile import TemporaryDirectory

from securehub import config, hashing, service
from securehub.clock import Clock
from securehub.hub import Hub
from securehub.imports import rules, sources
from securehub.imports.offline import CannotWrite, LookingDisk, Offline
from securehub.imports.rules import Done, Terms
from securehub.imports.sources import CannotRead, Found, Person
from securehub.money import Currencies
from securehub.program import CANNOT, WELL, disk_fault
from securehub.refusals import Refusal
from securehub.services.ledger.accounts import Numbering, refuse_other_digits
from securehub.store import keys
from securehub.store.disk import InUse
from securehub.store.files import Directory, RealDirectory
from securehub.store.recovery import CannotStart
from securehub.store.transaction import Transaction
from securehub.vault import BadKey, Vault

LEFT_OUT = 1

_MONTH = re.compile(r"(?!0000)[0-9]{4}-(?:0[1-9]|1[0-2])")


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what C{securehub import} is given."""
    parser.add_argument("--budget", metavar="DIR", type=Path, help="the directory of the budget manager, with its users.json")
    parser.add_argument("--orders", metavar="FILE", type=Path, help="the users.json of the ordering service")
    parser.add_argument("--bank", metavar="FILE", type=Path, help="the SQLite file of the bank")
    parser.add_argument("--table", metavar="NAME", help="the bank's table, if several tables have its columns")
    parser.add_argument(
        "--last-month", metavar="YYYY-MM", type=_month, help="the month of each budget's last item; by default the month before this one"
    )
    parser.add_argument("--members-too", action="store_true", help="also import for members of that name, who are the same people")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    parser.add_argument("--config", metavar="FILE", type=Path, help="the hub's configuration file")
    parser.add_argument("--state", metavar="DIR", help="the state directory")


def run(given: Namespace) -> int:
    """
    @return: the exit status: 0; 1 if something was left out; 2 if it could not be done.
    """
    if not (given.budget or given.orders or given.bank):
        return _cannot("say what to import: --budget, --orders, --bank")
    try:
        found = _found(given)
        importing = Importing(given, tell=_say)
        try:
            importing.bring_all(found.people.values())
        finally:
            importing.close()
    except InUse as refusal:
        return _cannot(f"{refusal}; stop it first")
    except (CannotRead, CannotStart, CannotWrite, keys.NoKey, BadKey, config.BadSetting, service.BadServices) as fault:
        return _cannot(str(fault))
    except BrokenPipeError:
        raise  # Nobody reads what is printed.
    except OSError as fault:
        return _cannot(disk_fault(fault))
    problems = found.problems + importing.problems
    for problem in problems:
        _say(f"left out: {problem}")
    counts = importing.counts
    print(f"{counts['new']} new members, {counts['changed']} with something new, {counts['same']} as they were, {len(problems)} left out.")
    if given.dry_run:
        print("This was a dry run: nothing was changed.")
    return LEFT_OUT if problems else WELL


def _found(given: Namespace) -> Found:
    readers: list[tuple[Path | None, Callable[[Path], Found]]] = [
        (given.budget, sources.read_budget),
        (given.orders, sources.read_orders),
        (given.bank, lambda file: sources.read_bank(file, given.table)),
    ]
    return sources.together(read(path) for path, read in readers if path is not None)


class Importing:
    """
    One import.

    @ivar problems: who was left out, or what of them, and why.
    @ivar counts: people, by what became of them: C{new}, C{changed}, C{same}.
    """

    def __init__(self, given: Namespace, *, tell: Callable[[str], object]) -> None:
        factories = service.find()
        settings = config.settings(given.config, {"state": given.state}, service.settings_of(factories))
        state: Path = settings["state"]
        records = service.records_of(factories, Hub.core_records)
        self._tell = tell
        self._dry = given.dry_run
        self._random = SystemRandom()
        self._passwords = hashing.context()
        self._clock = Clock()
        self.problems: list[str] = []
        self.counts: Counter[str] = Counter()
        currencies = Currencies.parse(settings["currencies"], settings["currency"])
        today = self._clock.now().astimezone(settings["time_zone"])
        last = given.last_month or rules.month_after(f"{today:%Y-%m}", -1)
        self._terms = Terms(currencies.default, Numbering(settings["bank"], settings["branch"]), last, given.members_too)
        found = keys.find(settings["seal_key"], beside=state)
        self._ends = ExitStack()
        if self._dry and not state.is_dir():
            tell(f"{state} is not there yet, and would be made")
            state = Path(self._ends.enter_context(TemporaryDirectory()))
        self._directory = Directory(LookingDisk(state), found) if self._dry else RealDirectory(state, found)
        self._directory.hold()
        self._ends.callback(self._directory.release)
        try:
            self._store = Offline(self._directory, self._clock, records)
            self._store.read(refuse_other_digits, currencies)
            Vault(self._directory, self._random).load(first_start=self._store.is_first_start)
        except BaseException:
            self._ends.close()
            raise

    def bring_all(self, people: Iterable[Person]) -> None:
        for person in sorted(people):
            told, refusal = self._bring(person)
            if refusal is not None:
                self.problems.append(f"{person.username}: {refusal}")
            if told:
                self._tell(f"{person.username}: {'; '.join(told)}")
                self.counts["new" if told[0] == "new member" else "changed"] += 1
            elif refusal is None:
                self.counts["same"] += 1

    def close(self) -> None:
        self._store.close()
        self._ends.close()

    def _bring(self, person: Person) -> tuple[list[str], Refusal | None]:
        """What is done, and what is refused then: the steps before it stay."""
        hashed = ""
        how: list[str] = []
        if self._store.read(rules.is_new, person.username):
            hashed, how = self._password(person)
        given = (person, hashed, self._terms)
        if self._dry:
            told, refusal = self._store.attempt(_bring_whole, *given, at=self._clock.now())
        else:
            told, refusal = _all_steps(lambda: self._store.transact(rules.bring, *given, at=self._clock.now()))
        return [*told[:1], *how, *told[1:]] if told else told, refusal

    def _password(self, person: Person) -> tuple[str, list[str]]:
        """The hash of a new member's password, and what to say of it."""
        secret = person.secret
        if secret is None or len(secret.text) > hashing.MAX_PASSWORD:
            # One that nobody knows.
            return self._hash(f"{self._random.getrandbits(256):x}"), ["no password: give one with admin.password"]
        if not secret.sha256:
            return self._hash(secret.text), ["with the password"]
        return "" if self._dry else hashing.hash_old(self._passwords, secret.text), ["with the old password"]

    def _hash(self, password: str) -> str:
        return "" if self._dry else self._passwords.hash(password)


def _bring_whole(tx: Transaction, person: Person, hashed: str, terms: Terms, *, at: datetime) -> tuple[list[str], Refusal | None]:
    """All steps at once, for a dry run."""
    return _all_steps(lambda: rules.bring(tx, person, hashed, terms, at=at))


def _all_steps(step: Callable[[], Done]) -> tuple[list[str], Refusal | None]:
    told: list[str] = []
    more = True
    while more:
        try:
            done, more = step()
        except Refusal as refusal:
            return told, refusal
        told += done
    return told, None


def _month(text: str) -> str:
    if not _MONTH.fullmatch(text):
        raise ArgumentTypeError(f"{text!r} is not a month such as 2026-10")
    return text


def _say(text: str) -> None:
    """What a terminal's encoding does not have, and names of files that are in none, must not end an import."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding))


def _cannot(reason: str) -> int:
    print(f"securehub: {reason}", file=sys.stderr)
    return CANNOT
