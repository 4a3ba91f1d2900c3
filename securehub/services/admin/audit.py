"""
The audit, as an admin reads it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from securehub.audit import Audit, audit_key
from securehub.reply import Listing, Row
from securehub.services.ledger.records import Account
from securehub.store.transaction import ReadTransaction


class AuditRow(Row, frozen=True):
    """
    What somebody did with the power that a role gives.

    @ivar by: a username, or C{operator}.
    @ivar target: to whom: a username; null if to nobody.
    @ivar arguments: what was asked for, without passwords and the like.
    """

    entry: int
    at: datetime
    by: str
    command: str
    target: str | None
    arguments: dict[str, Any]


def entries(tx: ReadTransaction, *, limit: int, before: int | None) -> Listing[AuditRow]:
    """
    The entries, newest first.

    @param before: only those with a smaller number.
    """
    end = None if before is None else audit_key(before)
    rows: list[AuditRow] = []
    for key, entry in tx.scan(Audit, end=end, limit=limit + 1, reverse=True):
        if len(rows) == limit:
            return Listing(rows, more=True)
        rows.append(AuditRow(int(key), entry.at, entry.by, entry.command, _member(tx, entry.target), entry.arguments))
    return Listing(rows)


def _member(tx: ReadTransaction, target: str) -> str | None:
    """The member to whom it was done, where the number of an account was given."""
    if not target[:1].isdigit():
        return target or None
    account = tx.get(Account, target)
    return account.owner if account is not None else target
