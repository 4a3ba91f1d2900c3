"""
The files of the programs that SecureHub replaces, as they are.

    budget manager     users.json: {"name": {"password": "<SHA-256>"}}, and for each NAME_budget_history.json:
                       [{"income": ..., "actual_expenses": {"needs": ..., "wants": ..., "savings": ...}, ...}, ...]
    ordering service   users.json: {"name": {"password": "<hash>", "orders": N}}
    bank               an SQLite table: owner, username, password, balance, clabe

What cannot be read is told and left out; the rest is there.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NamedTuple

from securehub import arguments
from securehub.arguments import ArgumentType
from securehub.refusals import BadArgument, Refusal, shown
from securehub.wire import characters

BUCKETS = ("needs", "wants", "savings")
HISTORY = "_budget_history.json"
COLUMNS = ("owner", "username", "password", "balance", "clabe")

MOST_BYTES = 64 * 1024 * 1024
"""Of a file; those programs wrote all of it anew at every change, so none has ever been near that."""

MOST_MONTHS = 1_200
"""Of one history: a hundred years."""

MOST_ORDERS = 10**9

MOST_CHARACTERS = 64
"""Of a name, whatever the hub allows."""

_NUMBER = re.compile(r"[0-9A-Za-z][0-9A-Za-z -]{0,33}")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
# As long as MD5, SHA-1, SHA-384 or SHA-512 in hexadecimal, or the beginnings of what crypt, Django, Werkzeug and LDAP write.
_OTHER_HASH = re.compile(
    r"[0-9a-fA-F]{32}|[0-9a-fA-F]{40}|[0-9a-fA-F]{96}|[0-9a-fA-F]{128}"
    r"|(\$[0-9A-Za-z-]+\$|(pbkdf2|scrypt|argon2|bcrypt|sha|md5)[0-9a-z_]*[$:]|\{[0-9A-Za-z-]+\}).*",
    re.S,
)


class CannotRead(Exception):
    """A file is not what it should be; the text says which, and what is wrong."""


class Secret(NamedTuple):
    """
    How somebody logged in.

    @ivar sha256: whether C{text} is the SHA-256 of the password, in hexadecimal, and not the password itself.
    """

    text: str
    sha256: bool


class Month(NamedTuple):
    """One item of the budget manager's history. It has no date; they stand in their order."""

    income: Decimal
    needs: Decimal
    wants: Decimal
    savings: Decimal


class Account(NamedTuple):
    """
    What somebody had at the bank.

    @ivar number: the bank's, so that it is booked once.
    """

    number: str
    balance: Decimal


class Person(NamedTuple):
    """
    Somebody, as the other programs knew them.

    @ivar name: what they are called; may be empty.
    @ivar secret: None if there is nothing that can be verified.
    @ivar orders: how many orders they had placed; None if the ordering service did not know them.
    """

    username: str
    name: str = ""
    secret: Secret | None = None
    months: tuple[Month, ...] = ()
    orders: int | None = None
    accounts: tuple[Account, ...] = ()

    def joined(self, other: Person) -> Person:
        """The same person in two programs; where both know something, the first one counts."""
        return self._replace(
            name=self.name or other.name,
            secret=self.secret or other.secret,
            months=self.months or other.months,
            orders=other.orders if self.orders is None else self.orders,
            accounts=(*self.accounts, *other.accounts),
        )


class Found(NamedTuple):
    """
    What files have.

    @ivar problems: what had to be left out, and why.
    """

    people: dict[str, Person]
    problems: list[str]


def together(sources: Iterable[Found]) -> Found:
    """All of several programs. Who has one username in all of them is one person."""
    all_of_them = Found({}, [])
    for source in sources:
        for username, person in source.people.items():
            known = all_of_them.people.get(username)
            all_of_them.people[username] = person if known is None else known.joined(person)
        all_of_them.problems.extend(source.problems)
    return all_of_them


def read_budget(directory: Path) -> Found:
    """
    The directory of the budget manager.

    @raise CannotRead: there is no list of users in it, or it is none.
    """
    found = Found({}, [])
    for name, values in _users(directory / "users.json", found):
        person = _person(directory / "users.json", name, found, secret=_hashed(values.get("password")))
        if person is None:
            continue
        history = directory / f"{name}{HISTORY}"
        if history.exists():
            try:
                person = person._replace(months=_history(history))
            except CannotRead as fault:
                found.problems.append(str(fault))
        found.people[person.username] = person
    known = {username.lower() for username in found.people}
    for path in sorted(directory.glob(f"*{HISTORY}")):
        if path.name.removesuffix(HISTORY).lower() not in known:
            found.problems.append(f"{path.name}: it is of nobody in users.json")
    return found


def read_orders(file: Path) -> Found:
    """
    The users of the ordering service.

    @raise CannotRead: it is no list of users.
    """
    found = Found({}, [])
    for name, values in _users(file, found):
        orders = values.get("orders", 0)
        if type(orders) is not int or not 0 <= orders <= MOST_ORDERS:
            found.problems.append(f"{file.name}: {shown(name)}: orders is not a number of orders")
            continue
        person = _person(file, name, found, secret=_hashed(values.get("password")), orders=orders)
        if person is not None:
            found.people[person.username] = person
    return found


def read_bank(file: Path, table: str | None = None) -> Found:
    """
    The bank's table.

    @param table: which one it is, if several have its columns.

    @raise CannotRead: it is no SQLite file, or there is no such table in it.
    """
    found = Found({}, [])
    written: dict[str, str] = {}
    numbers: set[str] = set()
    for row in _rows(file, table):
        owner, username, password, balance, number = row
        where = f"{file.name}: {shown(str(username))}"
        if not isinstance(username, str):
            found.problems.append(f"{where}: the username is not a text")
            continue
        person = _person(file, username, found, secret=_secret(password), again=written)
        if person is None:
            continue
        try:
            person = person._replace(name=_name(owner), accounts=(_account(number, balance, numbers),))
        except (CannotRead, Refusal) as fault:
            found.problems.append(f"{where}: {fault}")
            continue
        known = found.people.get(person.username)
        found.people[person.username] = person if known is None else known.joined(person)
    return found


def _users(file: Path, found: Found) -> Iterator[tuple[str, dict[str, Any]]]:
    users = _json(file)
    if not isinstance(users, dict):
        raise CannotRead(f"{file.name}: it is not an object of users")
    for name, values in users.items():
        if isinstance(values, dict):
            yield name, values
        else:
            found.problems.append(f"{file.name}: {shown(name)}: it is not an object")


def _person(file: Path, word: str, found: Found, *, again: dict[str, str] | None = None, **values: Any) -> Person | None:
    """
    @param again: where one username may come more than once, those that have come, and how they were written.
    """
    word = word.strip()
    try:
        username = arguments.username(word)
    except BadArgument as refusal:
        found.problems.append(f"{file.name}: {refusal}")
        return None
    if username in found.people if again is None else again.setdefault(username, word) != word:
        found.problems.append(f"{file.name}: {shown(word)}: there is another {username}, written differently")
        return None
    return Person(username, **values)


def _name(owner: object) -> str:
    """What somebody is called, as a member might say it themselves."""
    if not isinstance(owner, str) or not owner.strip():
        return ""
    characters.check(owner)
    name: str = ArgumentType.of(arguments.name).limited(MOST_CHARACTERS).parse(owner)
    return name


def _account(number: object, balance: object, numbers: set[str]) -> Account:
    """
    @param numbers: those of the accounts before it.
    """
    if not isinstance(number, (int, str)) or not _NUMBER.fullmatch(str(number)):
        raise CannotRead(f"clabe is not the number of an account: {shown(str(number))}")
    if str(number) in numbers:
        raise CannotRead(f"there is another account {number}")
    numbers.add(str(number))
    try:
        account = Account(str(number), _decimal(balance))
    except CannotRead as fault:
        raise CannotRead(f"the balance of account {number} {fault}") from None
    if account.balance < 0:
        raise CannotRead(f"the balance is {account.balance}; book by hand what is owed")
    return account


def _history(file: Path) -> tuple[Month, ...]:
    items = _json(file)
    if not isinstance(items, list) or len(items) > MOST_MONTHS:
        raise CannotRead(f"{file.name}: it is not a list of at most {MOST_MONTHS} months")
    return tuple(_month(f"{file.name}: item {place}", item) for place, item in enumerate(items, 1))


def _month(where: str, item: Any) -> Month:
    spent = item.get("actual_expenses") if isinstance(item, dict) else None
    if not isinstance(spent, dict):
        raise CannotRead(f"{where}: it has no actual_expenses")
    amounts = {"income": item.get("income", 0)} | {bucket: spent.get(bucket, 0) for bucket in BUCKETS}
    read = {}
    for name, value in amounts.items():
        try:
            read[name] = _decimal(value)
        except CannotRead as fault:
            raise CannotRead(f"{where}: {name} {fault}") from None
        if read[name] < 0:
            raise CannotRead(f"{where}: {name} is negative")
    return Month(**read)


def _decimal(value: object) -> Decimal:
    """A number as it was written; of a float, the shortest text that means it."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        raise CannotRead("is not a number")
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        raise CannotRead(f"is not a number: {shown(str(value))}") from None
    if not number.is_finite() or abs(number) >= 10**15:
        raise CannotRead(f"is not an amount: {shown(str(value))}")
    return number


def _hashed(value: object) -> Secret | None:
    """The SHA-256 of a password, in programs that keep nothing else."""
    return Secret(value.lower(), True) if isinstance(value, str) and _SHA256.fullmatch(value) else None


def _secret(value: object) -> Secret | None:
    """What the bank kept. Another kind of hash must never be taken for the password itself."""
    if not isinstance(value, str) or not value or _hashed(value) or _OTHER_HASH.fullmatch(value):
        return _hashed(value)
    # In the form that a login gives it.
    return Secret(arguments.password(value), False)


def _json(file: Path) -> Any:
    try:
        if file.stat().st_size > MOST_BYTES:
            raise CannotRead(f"{file.name}: it is larger than {MOST_BYTES} bytes")
        text = file.read_text(encoding="utf-8-sig")
        return json.loads(text, parse_float=Decimal, parse_constant=_no_constant, parse_int=_whole, object_pairs_hook=_once)
    except OSError as fault:
        raise CannotRead(f"{file}: {fault.strerror}") from None
    except (ValueError, RecursionError) as fault:
        raise CannotRead(f"{file.name}: it is not JSON: {fault}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{shown(name)} stands twice in one object")
        found[name] = value
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _whole(digits: str) -> int:
    if len(digits) > 20:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def _rows(file: Path, table: str | None) -> list[tuple[Any, ...]]:
    if not file.is_file():
        raise CannotRead(f"{file}: there is no such file")
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as bank:
            name = _table(bank, file, table).replace('"', '""')
            return bank.execute(f'SELECT {", ".join(COLUMNS)} FROM "{name}" ORDER BY rowid').fetchall()
    except sqlite3.Error as fault:
        raise CannotRead(f"{file.name}: {fault}") from None


def _table(bank: sqlite3.Connection, file: Path, wanted: str | None) -> str:
    """The name of the table that has the columns."""
    names = [name for (name,) in bank.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
    fits = [
        name for name in names if set(COLUMNS) <= {row[0].lower() for row in bank.execute("SELECT name FROM pragma_table_info(?)", (name,))}
    ]
    if wanted is not None:
        fits = [name for name in fits if name == wanted]
    if len(fits) != 1:
        what = f"the table {wanted!r}" if wanted else f"one table with the columns {', '.join(COLUMNS)}"
        raise CannotRead(f"{file.name}: there is not {what}; it has {', '.join(names) or 'none'}")
    name: str = fits[0]
    return name
