"""
Statements for other programs: CSV, a journal for hledger and ledger-cli, OFX. Plain functions of a statement, which give the text in parts:
a long one takes a tenth of a second, and others have their turn in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, tzinfo
from typing import Any
from xml.etree import ElementTree as xml

from securehub.arguments import one_of
from securehub.money import is_zero
from securehub.services.ledger.books import HistoryRow, Statement
from securehub.services.tables import as_table, harmless, stamp


def form(word: str) -> str:
    """json, csv, ledger or ofx"""
    return one_of(word, ("json", *FORMATS))


def as_csv(statement: Statement, zone: tzinfo) -> Iterator[str]:
    """A table with a head."""
    return as_table(_rows(statement, zone))


def _rows(statement: Statement, zone: tzinfo) -> Iterator[tuple[Any, ...]]:
    yield "transfer", "at", "kind", "amount", "currency", "balance", "with", "memo"
    for row in statement.items:
        at = stamp(row.at, zone)
        yield row.transfer, at, row.kind, row.amount, row.currency, row.balance, row.with_, harmless(row.memo)


def as_journal(statement: Statement, zone: tzinfo) -> Iterator[str]:
    """
    A journal of transactions for hledger and ledger-cli. Each asserts the balance after it, so those programs check the statement.
    """
    own = f"assets:securehub:{statement.account}"
    unit = statement.currency if statement.currency.isalpha() else f'"{statement.currency}"'
    return (f"{line}\n" for line in _journal(statement, zone, own, unit))


def _journal(statement: Statement, zone: tzinfo, own: str, unit: str) -> Iterator[str]:
    yield f"; SecureHub account {statement.account}, from {stamp(statement.start)} up to {stamp(statement.end)}"
    if not is_zero(statement.opening):
        yield ""
        yield f"{statement.start.astimezone(zone):%Y-%m-%d} opening balance"
        yield f"    {own}  {statement.opening} {unit} = {statement.opening} {unit}"
        yield "    equity:opening balances"
    for row in statement.items:
        yield ""
        # A semicolon would begin a comment, in which those programs look for dates and tags.
        memo = row.memo.replace(";", ",").replace("\n", " / ")
        yield f"{row.at.astimezone(zone):%Y-%m-%d} ({row.transfer}) {row.with_} | {memo or row.kind}"
        yield f"    {own}  {row.amount} {unit} = {row.balance} {unit}"
        yield f"    securehub:{row.with_}"


def as_ofx(statement: Statement, zone: tzinfo) -> Iterator[str]:
    """
    A bank statement response of OFX 2.2 (Open Financial Exchange, 11.4.2). Written by hand: the one library that is alive, ofxtools, is
    under the GPL; it reads this in the tests.
    """
    ofx = xml.Element("OFX")
    sonrs = _add(ofx, "SIGNONMSGSRSV1", "SONRS")
    _status(sonrs)
    _fill(sonrs, DTSERVER=_ofx_time(statement.end), LANGUAGE="ENG")
    response = _add(ofx, "BANKMSGSRSV1", "STMTTRNRS")
    _fill(response, TRNUID="0")
    _status(response)
    body = _add(response, "STMTRS")
    # Codes are those of ISO 4217 there; a community's own unit is XXX, no currency.
    _fill(body, CURDEF=statement.currency if len(statement.currency) == 3 and statement.currency.isalpha() else "XXX")
    _fill(_add(body, "BANKACCTFROM"), BANKID=statement.account[:3], ACCTID=statement.account, ACCTTYPE="CHECKING")
    listed = _add(body, "BANKTRANLIST")
    _fill(listed, DTSTART=_ofx_time(statement.start), DTEND=_ofx_time(statement.end))
    _fill(_add(body, "LEDGERBAL"), BALAMT=statement.closing, DTASOF=_ofx_time(statement.end))
    xml.indent(ofx)
    head, end, foot = xml.tostring(ofx, encoding="unicode").partition(f"{_OFX_MARGIN}</BANKTRANLIST>")
    yield f"{_OFX_HEAD}{head}"
    for row in statement.items:
        element = xml.Element("STMTTRN")
        _ofx_row(element, row)
        xml.indent(element, level=_OFX_ROW_LEVEL)
        yield f"{_OFX_MARGIN}  {xml.tostring(element, encoding='unicode')}"
    yield f"{end}{foot}\n"


_OFX_HEAD = """\
<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<?OFX OFXHEADER="200" VERSION="220" SECURITY="NONE" OLDFILEUID="NONE" NEWFILEUID="NONE"?>
"""
# How deep the rows stand, and what is in front of the end of their list.
_OFX_ROW_LEVEL, _OFX_MARGIN = 5, f"\n{'  ' * 4}"
# 11.4.4.3; all others are what their sign says.
_OFX_KINDS = {"transfer": "XFER", "deposit": "DEP", "withdrawal": "CASH"}
_OFX_MEMO = 255
# What the rules for strings let pass, and XML 1.0 (2.2) does not know.
_NO_XML = dict.fromkeys((0xFFFE, 0xFFFF), 0xFFFD)


def _ofx_row(element: xml.Element, row: HistoryRow) -> None:
    kind = _OFX_KINDS.get(row.kind, "DEBIT" if row.amount.startswith("-") else "CREDIT")
    _fill(element, TRNTYPE=kind, DTPOSTED=_ofx_time(row.at), TRNAMT=row.amount, FITID=str(row.transfer), NAME=row.with_)
    if row.memo:
        _fill(element, MEMO=row.memo.translate(_NO_XML)[:_OFX_MEMO])


def _ofx_time(at: datetime) -> str:
    """3.2.8.2, to the millisecond."""
    # Not all systems' %Y has four digits for the first years.
    return f"{at.year:04d}{at:%m%d%H%M%S}.{at.microsecond // 1000:03d}[0:GMT]"


def _status(element: xml.Element) -> None:
    _fill(_add(element, "STATUS"), CODE="0", SEVERITY="INFO")


def _add(element: xml.Element, *names: str) -> xml.Element:
    for name in names:
        element = xml.SubElement(element, name)
    return element


def _fill(element: xml.Element, **texts: str) -> None:
    for name, text in texts.items():
        xml.SubElement(element, name).text = text


FORMATS: dict[str, Callable[[Statement, tzinfo], Iterator[str]]] = {"csv": as_csv, "ledger": as_journal, "ofx": as_ofx}
