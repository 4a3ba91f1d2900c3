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
    Delete some of a case's messages and notes; when there are none left, the case.

    @param what: the case's key, and behind a blank how many of its messages are gone.
    """
    key, _, done = what.partition(" ")
    case = tx.get(Case, key)
    if case is None:
        return
    first = int(done or 0)
    some = keys(int(key), case)[first : first + AT_ONCE]
    for each in some:
        messages.delete(tx, each)
    if len(some) == AT_ONCE:
        agenda.remind(tx, DUTY, f"{key} {first + AT_ONCE}", at)
    else:
        tx.delete(Case, key)


def keys(ticket: int, case: Case) -> list[str]:
    """Where all messages of a case are kept, and after them all notes."""
    said = [messages.key(said_in(ticket), seq) for seq in range(1, case.seq + 1)]
    return said + [messages.key(noted_in(ticket), seq) for seq in range(1, case.notes + 1)]
