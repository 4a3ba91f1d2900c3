"""
What banks and other programs say about accounts elsewhere: CSV and OFX, read into rows.

Pure: texts in, rows out. Nothing here knows who reads it, or why.
"""

from __future__ import annotations

from securehub.money import Currency
from securehub.outside import ofx, tables
from securehub.outside.rows import Row, counted


def read(text: str, money: Currency, *, account: str = "", order: str | None = None) -> list[Row]:
    """
    The rows of a statement, in its order, in whichever of the known forms it is.

    @param money: the currency whose amounts it has; rows that say that they are in another are left out.
    @param account: of which account it is, where it does not say that itself.
    @param order: C{dmy} or C{mdy} for dates such as 1/2/2026; None to find out from all of them.

    @raise BadArgument: it cannot be read; the text says where and why.
    """
    rows = ofx.read(text, money) if ofx.is_ofx(text) else tables.read(text, money, order)
    return counted([row if row.account else row._replace(account=account) for row in rows])
