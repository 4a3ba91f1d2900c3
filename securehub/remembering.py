"""
What services keep about members: how a member is shown all of it, and how it is forgotten when one is erased.

A service that keeps something is an L{IRemembers}. What it keeps is of several kinds, which follow one another: L{page} shows them a page
at a time, L{forget} goes through them a step at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from zope.interface import Interface

from securehub.reply import Row
from securehub.store.transaction import ReadTransaction, Transaction


class Kept(Row, frozen=True):
    """
    Something that a service keeps about a member.

    @ivar kind: what it is, in a word.
    @ivar key: where it stands among all that this service keeps about the member; at most once each.
    @ivar values: all of it that may be shown to the member, by name.
    """

    kind: str
    key: str
    values: dict[str, Any]


class IRemembers(Interface):
    """
    A service that keeps something about members. It says what, and forgets it when a member is erased.

    All three are rules: plain functions of a transaction and their arguments.
    """

    def remembered(tx: ReadTransaction, username: str, after: str, limit: int) -> list[Kept]:
        """
        What is kept about a member, in an order of the service's own.

        @param after: the key of the last one that is known already; empty to begin.
        @param limit: at most so many.
        """

    def refuse_to_forget(tx: ReadTransaction, username: str) -> None:
        """
        @raise Conflict: something of the member's has to be settled first; the text says what.
        """

    def forget(tx: Transaction, username: str, after: str) -> str | None:
        """
        Blank what is kept about a member who is being erased: names, and what they or others wrote. Not numbers and amounts, as the books
        stay. A little at a time: at most 200 records are touched. It may be called again for what is already blank.

        @param after: what the call before this one returned; empty to begin.

        @return: where to go on, None if nothing is left.
        """


Section = Callable[[ReadTransaction, str, str], Iterable[tuple[str, dict[str, Any]]]]
"""Gives what is kept of one kind about a member, behind a key (empty for all of it): keys and values, in the order of the keys."""


def page(sections: Mapping[str, Section], tx: ReadTransaction, username: str, after: str, limit: int) -> list[Kept]:
    """
    A page of what is kept about a member, kind by kind.

    @param after: the key of the last one on the page before. A key of an unknown kind counts as none.
    """
    kind, _, place = after.partition("/")
    kinds = list(sections)
    found: list[Kept] = []
    for each in kinds[kinds.index(kind) if kind in kinds else 0 :]:
        for key, values in sections[each](tx, username, place if each == kind else ""):
            if len(found) == limit:
                return found
            found.append(Kept(each, f"{each}/{key}", values))
    return found


Step = Callable[[Transaction, str, str], str | None]
"""Forgets some of what is kept of one kind about a member, from a place on (empty to begin), and gives the place where to go on, if any."""


def forget(steps: Mapping[str, Step], tx: Transaction, username: str, after: str) -> str | None:
    """
    Forget some of what is kept about a member, one kind after the other.

    @param after: what this returned before; empty to begin. A place of an unknown kind counts as none.

    @return: where to go on; None if nothing is left.
    """
    kinds = list(steps)
    kind, _, place = after.partition("/")
    if kind not in steps:
        kind, place = kinds[0], ""
    reached = steps[kind](tx, username, place)
    if reached is not None:
        return f"{kind}/{reached}"
    later = kinds[kinds.index(kind) + 1 :]
    return f"{later[0]}/" if later else None
