"""
OFX (Open Financial Exchange), versions 1 (SGML, where values have no end tags) and 2 (XML): the transactions of bank and card statements.

Only tags and values are looked at, so both versions are read alike, and nothing in a file (no entity, no external document) can make the
reader do anything.
"""

from __future__ import annotations

import re
from html import unescape

from securehub.money import Currency
from securehub.outside import figures
from securehub.outside.rows import Row, cleaned
from securehub.refusals import BadArgument

_TAG = re.compile(r"<(/?)([A-Za-z0-9.]{1,32})>([^<]*)")
_IS_OFX = re.compile(r"<OFX>|OFXHEADER|<STMTTRN>", re.IGNORECASE)


def is_ofx(text: str) -> bool:
    return _IS_OFX.search(text[:4096]) is not None


def read(text: str, money: Currency) -> list[Row]:
    """
    @raise BadArgument: a transaction lacks its day or amount, or the statement is in another currency.
    """
    rows = []
    account = ""
    fields: dict[str, str] | None = None
    for end, tag, value in _TAG.findall(text):
        name, value = tag.upper(), unescape(value).strip()
        if name == "STMTTRN":
            # In SGML the next one may begin without an end of the one before.
            if fields:
                rows.append(_row(fields, account, money))
            fields = None if end else {}
        elif end:
            if name == "BANKTRANLIST" and fields:
                rows.append(_row(fields, account, money))
                fields = None
        elif fields is not None:
            # NAME stands in the transaction or within its PAYEE; the first one is the payee's either way.
            fields.setdefault(name, value)
        elif name == "ACCTID":
            account = cleaned(value)
        elif name == "CURDEF" and value.upper() != money.code:
            raise BadArgument(f"the statement is in {cleaned(value)}, and the budget in {money.code}")
    if fields:
        rows.append(_row(fields, account, money))
    return [row for row in rows if row.units]


def _row(fields: dict[str, str], account: str, money: Currency) -> Row:
    for needed in ("DTPOSTED", "TRNAMT"):
        if not fields.get(needed):
            raise BadArgument(f"a transaction has no {needed}")
    return Row(
        # The time and its zone, which follow, are the bank's.
        figures.day(fields["DTPOSTED"][:8]),
        # Nor are there thousands that are parted (3.2.9.1).
        figures.units(fields["TRNAMT"], money, parted=False),
        cleaned(fields.get("NAME", "")),
        cleaned(fields.get("MEMO", "")),
        id=cleaned(fields.get("FITID", "")),
        account=account,
    )
