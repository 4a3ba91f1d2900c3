"""
What the support desk keeps about a member, and what of it is forgotten when the member is erased.

Their own cases go as a whole, with what agents answered and noted: it is about them, whoever wrote it, and nobody else has a part in it.
What they wrote as an agent in the cases of others is blanked; its number stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from securehub import remembering
from securehub.members import Member
from securehub.remembering import Kept, page
from securehub.services import messages
from securehub.services.messages import CASE, PAST_CASES, Message
from securehub.services.support import retention
from securehub.services.support.cases import let_go
from securehub.services.support.records import Case, Given
from securehub.store.records import behind
from securehub.store.transaction import ReadTransaction, Transaction

AT_ONCE = 60
"""Messages that one transaction blanks, with what each was before."""


def remembered(tx: ReadTransaction, username: str, after: str, limit: int) -> list[Kept]:
    """The member's cases, then what they said in cases, as an agent, too. What agents noted about them is not theirs to see."""
    return page(_KEPT, tx, username, after, limit)


def _cases(tx: ReadTransaction, username: str, after: str) -> Iterator[tuple[str, dict[str, Any]]]:
    shown = ("opened", "closed", "status", "agent", "order", "seq", "read", "stars", "comment")
    for key, case in tx.beneath(Case, username, start=behind(after)):
        yield key, {"ticket": int(key)} | {name: getattr(case, name) for name in shown}


def _said(tx: ReadTransaction, username: str, after: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, message in tx.beneath(Message, username, start=behind(after) or CASE, end=PAST_CASES):
        ticket = int(messages.conversation_of(key).strip(CASE))
        yield key, {"ticket": ticket, "seq": messages.seq_of(key), "at": message.at, "text": message.text}


_KEPT = {"case": _cases, "message": _said}
"""How to get each kind of what is kept, from a key on."""


def refuse_to_forget(tx: ReadTransaction, username: str) -> None:
    """Nothing has to be settled first: who is erased waits for no answer."""


def forget(tx: Transaction, username: str, after: str) -> str | None:
    """
    Delete the member's cases, one after the other, then blank what they wrote in those of others.

    @param after: the step, and how far it is.
    """
    return remembering.forget(_STEPS, tx, username, after)


def _forget_case(tx: Transaction, username: str, place: str) -> str | None:
    """
    @param place: the key of a case, and how many of its messages are gone; empty for the next one.
    """
    tx.get(Member, username)
    first = next(iter(tx.beneath(Case, username, limit=1)), None)
    if first is None:
        tx.delete(Given, username)
        return None
    key, case = first
    if case.closed is None:
        # So that nothing is said in it while it goes.
        let_go(tx, int(key), case)
        tx.put(key, replace(case, closed=case.changed, comment=""))
        return ""
    begun, _, gone = place.partition(" ")
    # The case that was begun may be gone by now: its days were over.
    done = retention.delete_some(tx, key, case, int(gone) if begun == key else 0)
    return "" if done is None else f"{key} {done}"


def _blank_messages(tx: Transaction, username: str, place: str) -> str | None:
    return messages.blank_some(tx, username, place, AT_ONCE, first=CASE, past=PAST_CASES)


_STEPS = {"cases": _forget_case, "messages": _blank_messages}
