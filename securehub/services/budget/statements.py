"""
Importing statements of accounts elsewhere: each row once, however often and in however many files it comes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, NamedTuple

import msgspec

from securehub import outside
from securehub.money import Currency
from securehub.outside.rows import Row as StatementRow
from securehub.refusals import LimitExceeded
from securehub.reply import Reply, shown, table, warned
from securehub.services.budget.entries import Draft, enter
from securehub.services.budget.plans import money_of
from securehub.services.budget.records import Book, month_of
from securehub.services.budget.sorting import Patterns, Payment, first_catch
from securehub.store.records import Record
from securehub.store.transaction import ReadTransaction, Transaction

MAX_ROWS = 60
"""Of one request: each may touch three records besides the book, the rules and the goals, and a transaction has 256."""


class Imported(Record, frozen=True):
    """
    That a row of a statement has been imported, by username and the row's identity. It stays when the entry is removed: the row would
    come back otherwise.
    """

    collection: ClassVar[str] = "budget-imported"

    entry: int


class Sorted(NamedTuple):
    """
    A row, and what is to become of it.

    @ivar known: whether it has been imported before.
    @ivar bucket: needs, wants, savings, C{income} or C{ignore}.
    @ivar rule: the number of the member's rule that says so; None if none does.
    """

    row: StatementRow
    known: bool
    bucket: str
    category: str
    rule: int | None


class PreviewRow(msgspec.Struct, frozen=True, gc=False):
    """
    A row of a statement.

    @ivar amount: signed.
    @ivar becomes: needs, wants, savings, C{income}, C{ignore}, or C{known} if it has been imported already.
    @ivar rule: the number of your rule that says so; null if none does.
    """

    date: str
    amount: str
    payee: str
    text: str
    becomes: str
    category: str
    rule: int | None


class Preview(Reply, frozen=True):
    """
    What an import would do.

    @ivar entered: how many rows would become entries.
    @ivar known: how many have been imported already.
    @ivar ignored: how many a rule, or bucket=ignore, leaves out.
    """

    items: list[PreviewRow]
    entered: int
    known: int
    ignored: int
    currency: str

    def lines(self) -> Iterable[str]:
        if not self.items:
            return []
        head = ["date", "amount", "payee", "text", "becomes", "category", "rule"]
        return table([head, *([*map(shown, msgspec.structs.astuple(row))] for row in self.items)], {1})

    def status(self) -> str:
        return f"Nothing is entered yet: {self.entered} would be entered, {self.known} are there already, {self.ignored} are ignored."


class Done(Reply, frozen=True):
    """
    What an import did.

    @ivar entered: how many rows have become entries.
    @ivar known: how many had been imported already.
    @ivar ignored: how many a rule, or bucket=ignore, left out.
    @ivar warnings: buckets that are overspent now.
    """

    entered: int
    known: int
    ignored: int
    warnings: list[str]

    def status(self) -> str:
        done = f"{self.entered} entered, {self.known} were there already, {self.ignored} ignored."
        return warned(done, self.warnings)


def preview(tx: ReadTransaction, owner: str, statement: str, account: str, leftover: str, order: str | None, currency: Currency) -> Preview:
    """
    What L{import_} would do.

    @raise BadArgument: the statement cannot be read.
    @raise LimitExceeded: it has too many rows for one request.
    """
    money = money_of(tx, owner, currency)
    rows = _sorted(tx, owner, _read(statement, money, account, order), leftover)
    items = [
        PreviewRow(
            each.row.day.isoformat(),
            money.text(each.row.units),
            each.row.payee,
            each.row.text,
            "known" if each.known else each.bucket,
            each.category,
            each.rule,
        )
        for each in rows
    ]
    return Preview(items, *_counts(rows), money.code)


def import_(tx: Transaction, owner: str, statement: str, account: str, leftover: str, order: str | None, currency: Currency) -> Done:
    """
    Enter the rows of a statement that have not been imported before.

    @param account: a name for the account elsewhere, where the statement does not say which it is of.
    @param leftover: where payments go that none of the owner's rules catches; what came in and none catches is income.
    @param order: see L{securehub.outside.read}.
    @param currency: of a book that is begun now.

    @raise BadArgument: the statement cannot be read.
    @raise LimitExceeded: it has too many rows for one request, or a month would have too many categories.
    """
    money = money_of(tx, owner, currency)
    rows = _sorted(tx, owner, _read(statement, money, account, order), leftover)
    warnings: dict[tuple[str, str], list[str]] = {}
    for each in rows:
        if each.known or each.bucket == "ignore":
            continue
        draft = _draft(each)
        book = tx.get(Book, owner) or Book(currency.code, currency.digits)
        number, warned = enter(tx, owner, book, draft)
        # The last one of a bucket and month has the sum of all.
        warnings[draft.bucket, month_of(draft.day)] = warned
        tx.put(_key(owner, each.row), Imported(number))
    return Done(*_counts(rows), [text for warned in warnings.values() for text in warned])


def _read(statement: str, money: Currency, account: str, order: str | None) -> list[StatementRow]:
    rows = outside.read(statement, money, account=account, order=order)
    if len(rows) > MAX_ROWS:
        raise LimitExceeded(
            f"it has {len(rows)} rows; {MAX_ROWS} are taken at once, so send it in parts that each have the header, and whole days"
        )
    return rows


def _sorted(tx: ReadTransaction, owner: str, rows: list[StatementRow], leftover: str) -> list[Sorted]:
    kept = tx.get(Patterns, owner) or Patterns()
    found: list[Sorted] = []
    seen: set[str] = set()
    for row in rows:
        rule = first_catch(kept.rules, Payment(row.units > 0, (row.payee,), f"{row.payee} {row.text}"))
        known = row.identity() in seen or tx.get(Imported, _key(owner, row)) is not None
        seen.add(row.identity())
        if rule is not None:
            found.append(Sorted(row, known, rule.bucket, rule.category, rule.number))
        else:
            found.append(Sorted(row, known, "income" if row.units > 0 else leftover, "", None))
    return found


def _draft(each: Sorted) -> Draft:
    row = each.row
    item = ": ".join(filter(None, (row.payee, row.text)))
    if each.bucket == "income":
        return Draft(row.day, "income", item, "", each.category, "import", abs(row.units))
    return Draft(row.day, "expense", item, each.bucket, each.category, "import", abs(row.units))


def _counts(rows: list[Sorted]) -> tuple[int, int, int]:
    known = sum(each.known for each in rows)
    ignored = sum(not each.known and each.bucket == "ignore" for each in rows)
    return len(rows) - known - ignored, known, ignored


def _key(owner: str, row: StatementRow) -> str:
    return f"{owner}/{row.identity()}"
