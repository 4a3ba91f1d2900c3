"""
Retention: closed cases are kept for some days, which a setting says. Then what was said in them goes, some messages at a time, and the
case last.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from securehub import agenda
from securehub.services import messages
from securehub.services.support.cases import DUTY
from securehub.services.support.records import Case, noted_in, said_in
from securehub.store.transaction import Transaction

AT_ONCE = 60
"""Messages in one transaction, each with what it was before: below the 256 records and the 1 MiB that one may touch."""


def keep_of(settings: Mapping[str, Any]) -> timedelta | None:
    """For how long a closed case is kept; None for ever."""
    days = settings["case_days"]
    return timedelta(days=days) if days else None


def forget(tx: Transaction, what: str, *, at: datetime) -> None:
    """
    Delete some of a closed case whose days are over.

    @param what: the case's key, and behind a blank how many of its messages are gone.
    """
    key, _, gone = what.partition(" ")
    case = tx.get(Case, key)
    if case is not None:
        done = delete_some(tx, key, case, int(gone or 0))
        if done is not None:
            agenda.remind(tx, DUTY, f"{key} {done}", at)


def delete_some(tx: Transaction, key: str, case: Case, gone: int) -> int | None:
    """
    Delete some of a case's messages and notes; when there are none left, the case.

    @param gone: how many there are no more.

    @return: how many then; None if the case is gone.
    """
    some = _keys(int(key), case)[gone : gone + AT_ONCE]
    for each in some:
        messages.delete(tx, each)
    if len(some) == AT_ONCE:
        return gone + AT_ONCE
    tx.delete(Case, key)
    return None


def _keys(ticket: int, case: Case) -> list[str]:
    """Where all messages of a case are kept, and after them all notes."""
    said = [messages.key(said_in(ticket), seq) for seq in range(1, case.seq + 1)]
    return said + [messages.key(noted_in(ticket), seq) for seq in range(1, case.notes + 1)]
