"""
What the support desk keeps about a member, and what of it is forgotten when the member is erased.

Their own cases go as a whole, with what agents answered and noted: it is about them, whoever wrote it, and nobody else has a part in it.
What they wrote as an agent in the cases of others is blanked; its number stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from msgspec.structs import replace

from securehub.members import Member
from securehub.service import Kept, behind
from securehub.services import messages
from securehub.services.messages import CASE, PAST_CASES, Message
from securehub.services.support import retention
from securehub.services.support.cases import let_go
from securehub.services.support.records import Case, Given
from securehub.store.transaction import ReadTransaction, Transaction

AT_ONCE = 60
"""Messages that one transaction blanks, with what each was before."""


def remembered(tx: ReadTransaction, username: str, after: str, limit: int) -> list[Kept]:
    """The member's cases, then what they said in cases, be it as an agent. What agents noted about them is not theirs to see."""
    return list(islice(_all(tx, username, after), limit))


def _all(tx: ReadTransaction, username: str, after: str) -> Iterator[Kept]:
    kind, _, place = after.partition("/")
    if kind != "message":
        for key, case in tx.beneath(Case, username, start=behind(place)):
            yield Kept("case", f"case/{key}", _case(int(key), case))
    start = behind(place) or CASE if kind == "message" else CASE
    for key, message in tx.beneath(Message, username, start=start, end=PAST_CASES):
        ticket = int(messages.conversation_of(key).strip(CASE))
        values = {"ticket": ticket, "seq": messages.seq_of(key), "at": message.at, "text": message.text}
        yield Kept("message", f"message/{key}", values)


def _case(ticket: int, case: Case) -> dict[str, Any]:
    shown = ("opened", "closed", "status", "agent", "order", "seq", "read", "stars", "comment")
    return {"ticket": ticket} | {name: getattr(case, name) for name in shown}


def refuse_to_forget(tx: ReadTransaction, username: str) -> None:
    """Nothing has to be settled first: who is erased waits for no answer."""


def forget(tx: Transaction, username: str, after: str) -> str | None:
    """
    Delete the member's cases, one after the other, then blank what they wrote in those of others.

    @param after: C{cases/} and the key of a case, and how many of its messages are gone; or C{messages/} and the key of the last that is
        blank.
    """
    step, _, place = after.partition("/")
    if step != "messages":
        return _forget_case(tx, username, place)
    return _blank(tx, username, place)


def _forget_case(tx: Transaction, username: str, place: str) -> str:
    tx.get(Member, username)
    first = next(iter(tx.beneath(Case, username, limit=1)), None)
    if first is None:
        tx.delete(Given, username)
        return "messages/"
    key, case = first
    if case.closed is None:
        # So that nothing is said in it while it goes.
        let_go(tx, int(key), case)
        tx.put(key, replace(case, closed=case.changed, comment=""))
        return "cases/"
    begun, _, gone = place.partition(" ")
    # The case that was begun may be gone by now: its days were over.
    done = int(gone) if begun == key else 0
    some = retention.keys(int(key), case)[done : done + AT_ONCE]
    for each in some:
        messages.delete(tx, each)
    if len(some) == AT_ONCE:
        return f"cases/{key} {done + AT_ONCE}"
    tx.delete(Case, key)
    return "cases/"


def _blank(tx: Transaction, username: str, place: str) -> str | None:
    tx.get(Member, username)
    found = list(tx.beneath(Message, username, start=behind(place) or CASE, end=PAST_CASES, limit=AT_ONCE))
    for key, message in found:
        messages.blank(tx, key, message)
    return f"messages/{found[-1][0]}" if len(found) == AT_ONCE else None
