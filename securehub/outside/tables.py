"""
CSV: tables in which every bank has columns and names of its own.

Columns are found by the names in the header, which may stand below lines that the bank writes above it; without a header, by what is in
them.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Callable, Sequence

from securehub.casefolding import fold
from securehub.money import Currency
from securehub.outside import figures
from securehub.outside.rows import Row, cleaned
from securehub.refusals import BadArgument, LimitExceeded, shown

DELIMITERS = ",;\t|"
PREAMBLE = 40
"""So many lines may stand above the header."""

MOST_LINES = 300
"""Of a text, of which no more than sixty are entered; to look at a request full of the shortest took 30 ms, in which nobody is served."""

MOST_COLUMNS = 64
"""What stands to the right of these is not looked at; banks have thirty at most."""

MAX_NAME = 100
"""
Characters of a column's name that are looked at. To bring the accents on one letter into order takes a time that grows with the square of
their number, 0.3 s for a statement of nothing else, in which nobody is served.
"""

# English, German and Spanish, as banks write them; what stands first is looked for first.
NAMES = {
    "day": "date, booking date, transaction date, posting date, posted date, buchungstag, buchungsdatum, buchung, datum, fecha,"
    " fecha de operacion, fecha operacion, completed date, started date, value date, valuta, wertstellung, dia, at",
    "sign": "debit credit, credit debit, dr cr, cr dr, soll haben, cargo abono",
    "type": "type, transaction type, tipo",
    "out": "debit, debit amount, amount debit, amount debited, withdrawal, withdrawals, money out, paid out, soll, cargo, cargos, retiro,"
    " retiros",
    "in": "credit, credit amount, amount credit, amount credited, deposit, deposits, money in, paid in, haben, abono, abonos, deposito,"
    " depositos",
    "amount": "amount, betrag, umsatz, importe, monto, cantidad, transaction amount",
    "payee": "payee, name, name description, merchant, counterparty, counterparty name, beneficiary, partner name, empfanger,"
    " auftraggeber, name zahlungsbeteiligter, beguenstigter zahlungspflichtiger, zahlungsempfanger, beneficiario, comercio, with",
    "id": "id, fitid, transaction id",
    "text": "text, description, memo, details, narrative, transaction description, transaction details, narration, particulars,"
    " payment reference, verwendungszweck, vorgang verwendungszweck, buchungstext, concepto, descripcion, referencia, reference, notes,"
    " note",
    "which": "which",
    "account": "account, account number, account name, konto, cuenta",
    "currency": "currency, wahrung, waehrung, moneda, divisa",
}

IN = frozenset(("c", "cr", "credit", "h", "haben", "abono", "bij"))
"""In a column that says which way unsigned amounts went: that they came; L{figures.OUT} says that they went."""

OPEN = "\0"
"""Stands behind the last row of a table if that begins with a quote that is never closed: who knows how many rows it has swallowed."""

Table = list[list[str]]


def read(text: str, money: Currency, order: str | None) -> list[Row]:
    """
    @param order: see L{figures.days}.

    @raise BadArgument: there are no columns with days and amounts, or one of those cannot be read; or all is in another currency.
    @raise LimitExceeded: it has too many lines.
    """
    if (count := text.rstrip("\n").count("\n") + 1) > MOST_LINES:
        raise LimitExceeded(f"it has {count} lines; {MOST_LINES} are looked at, so send it in parts that each have the header")
    table, place, columns = _understood(text.removeprefix("\ufeff"), money)
    if table[-1][-1:] == [OPEN]:
        raise BadArgument("a cell begins with a quote that is never closed")
    lines = [(number, row) for number, row in enumerate(table[place + 1 :], place + 2) if _cell(row, columns, "day")]
    days = figures.days([_cell(row, columns, "day") for _, row in lines], order)
    mark = figures.decimal_mark(_cell(row, columns, thing) for _, row in lines for thing in ("amount", "out", "in"))
    rows = []
    foreign = ""
    for day, (number, line) in zip(days, lines, strict=True):
        if _cell(line, columns, "currency").upper() not in ("", money.code):
            foreign = _cell(line, columns, "currency")
            continue
        try:
            units = _units(line, columns, money, mark)
        except BadArgument as refusal:
            raise BadArgument(f"row {number}: {refusal}") from None
        payee, said, id, account = (cleaned(_cell(line, columns, name)) for name in ("payee", "text", "id", "account"))
        rows.append(Row(day, units, payee, said, id, _which(line, columns), account))
    if foreign and not rows:
        raise BadArgument(f"the statement is in {shown(foreign)}, and the budget in {money.code}")
    return [row for row in rows if row.units]


def _understood(text: str, money: Currency) -> tuple[Table, int, dict[str, int]]:
    """The table, where its header is (-1 if it has none), and the column of each thing: with the mark between cells that tells most."""
    tables = [_table(text, mark) for mark in DELIMITERS]
    found = max(((table, *_header(table)) for table in tables), key=lambda each: len(each[2]))
    if found[2]:
        return found
    guessed = max(((table, -1, _guessed(table, money)) for table in tables), key=lambda each: len(each[2]))
    for needed, what in (("day", "dates"), ("amount", "amounts")):
        if needed not in guessed[2]:
            raise BadArgument(f"no column with {what} is found; a header with names such as date, amount, payee, text helps")
    return guessed


def _table(text: str, delimiter: str) -> Table:
    try:
        # With their ends, which part the words of a cell of several lines. The last line is a row of its own, unless a quote is open.
        lines = [f"{line}\n" for line in text.split("\n")]
        *rows, last = csv.reader([*lines, OPEN], delimiter=delimiter, skipinitialspace=True)
    except csv.Error as error:
        raise BadArgument(f"it is neither OFX nor CSV: {error}") from None
    table = [row[:MOST_COLUMNS] for row in rows]
    return table if last == [OPEN] else [*table, [*last[:MOST_COLUMNS], OPEN]]


def _header(table: Table) -> tuple[int, dict[str, int]]:
    """Where the header is, and the column of each thing that it names; no columns if there is no header."""
    for place, row in enumerate(table[:PREAMBLE]):
        names = [_plain(cell) for cell in row]
        columns: dict[str, int] = {}
        for thing, known in NAMES.items():
            found = _named(names, known.split(", "), set(columns.values()))
            if found is not None:
                columns[thing] = found
        if "day" in columns and ("amount" in columns or "out" in columns or "in" in columns):
            return place, _nameless(names, table[place + 1 :]) | columns
    return 0, {}


def _named(names: Sequence[str], known: Sequence[str], taken: set[int]) -> int | None:
    """The column with the first of the known names; else one whose name begins with one, as in C{Amount (USD)}."""
    for name in known:
        if name in names and names.index(name) not in taken:
            return names.index(name)
    beginnings = tuple(f"{name} " for name in known)
    longer = [(place, each) for place, each in enumerate(names) if each.startswith(beginnings) and place not in taken]
    return next((place for beginning in beginnings for place, each in longer if each.startswith(beginning)), None)


def _nameless(names: Sequence[str], rows: Table) -> dict[str, int]:
    """The column without a name that says which way amounts went, as cooperative banks of Germany have it."""
    for place, name in enumerate(names):
        said = {_plain(row[place]) for row in rows if place < len(row)} - {""}
        if not name and said and said <= figures.OUT | IN:
            return {"sign": place}
    return {}


def _guessed(table: Table, money: Currency) -> dict[str, int]:
    """The columns of a table without a header, by what is in them."""
    rows = [row for row in table if any(cell.strip() for cell in row)]
    columns: dict[str, int] = {}
    width = min(map(len, rows), default=0)
    for place in range(width):
        cells = [row[place] for row in rows]
        if "day" not in columns and all(_is_day(cell) for cell in cells):
            columns["day"] = place
        elif "amount" not in columns and all(_is_amount(cell, money) for cell in cells):
            columns["amount"] = place
        elif not any(map(str.isalpha, "".join(cells))):
            # Such as the number of a cheque, or a star in each row.
            continue
        elif "payee" not in columns:
            columns["payee"] = place
        elif "text" not in columns:
            columns["text"] = place
    return columns


def _is_day(text: str) -> bool:
    return any(_parses(figures.day, text, order) for order in figures.ORDERS)


def _is_amount(text: str, money: Currency) -> bool:
    return _parses(figures.units, text, money)


def _parses(parse: Callable[..., object], *args: object) -> bool:
    try:
        parse(*args)
    except BadArgument:
        return False
    return True


def _units(row: list[str], columns: dict[str, int], money: Currency, mark: str) -> int:
    """The amount of a row: signed, or beside a word that says which way it went, or in a column for either way."""
    if amount := _cell(row, columns, "amount"):
        units = figures.units(amount, money, mark=mark)
        # Where the amount has a sign, that is all there is to know.
        went = _plain(_cell(row, columns, "sign")) in {"-", *figures.OUT} or _plain(_cell(row, columns, "type")) in figures.OUT
        return -units if units > 0 and went else units
    out, in_ = _cell(row, columns, "out"), _cell(row, columns, "in")
    if not out and not in_:
        raise BadArgument("it has no amount")
    return (figures.units(in_, money, mark=mark) if in_ else 0) - (abs(figures.units(out, money, mark=mark)) if out else 0)


def _which(row: list[str], columns: dict[str, int]) -> int:
    written = _cell(row, columns, "which")
    if written and not re.fullmatch("[0-9]{1,6}", written):
        raise BadArgument(f"{shown(written)} is not a whole number")
    return int(written or 0)


def _cell(row: list[str], columns: dict[str, int], thing: str) -> str:
    place = columns.get(thing)
    return row[place].strip() if place is not None and place < len(row) else ""


def _plain(text: str) -> str:
    """A name without accents, signs and capitals: C{Empfänger/in} is C{empfanger in}."""
    return " ".join(re.sub(r"[^a-z0-9 -]", " ", fold(unicodedata.normalize("NFKC", text[:MAX_NAME]))).split())
