"""
Reports: somebody shows a message to the moderators, and one of them sees to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from securehub.refusals import Conflict, LimitExceeded, NotFound
from securehub.reply import Listing, Reply, Row, when
from securehub.services import messages
from securehub.services.chat.events import Reported
from securehub.services.chat.records import Complaints, Report, Settled, report_key
from securehub.services.chat.saying import conversation
from securehub.services.messages import Line
from securehub.store.transaction import ReadTransaction, Transaction
from securehub.switchboard import role

MAX_OPEN = 20
"""Reports of one member that nobody has seen to; so nobody floods the moderators."""

AROUND = 5
"""Messages before and after the one that is reported, for those who were not there."""


class Made(Reply, frozen=True):
    """A report that the moderators have."""

    report: int

    def status(self) -> str:
        return f"Report {self.report}. The moderators will look at it."


class ReportRow(Row, frozen=True):
    """
    A report.

    @ivar by: who made it.
    @ivar room: where, as the reporter calls it.
    @ivar seq: the message.
    @ivar context: it and those around it, as they were at that moment.
    """

    report: int
    at: datetime
    by: str
    room: str
    seq: int
    reason: str
    context: tuple[Line, ...]


class Queue(Listing[ReportRow], frozen=True):
    """Reports that nobody has seen to, the newest first."""

    def lines(self) -> Iterable[str]:
        for row in self.items:
            yield f"{row.report}  {when(row.at)}  {row.by} reports message {row.seq} in {row.room}: {row.reason or '-'}"
            for line in row.context:
                mark = ">" if line.seq == row.seq else " "
                yield from (f"  {mark} {each}" for each in line.shown().split("\n"))


def report(tx: Transaction, place: str, seq: int, username: str, reason: str, *, at: datetime) -> Made:
    """
    Show a message to the moderators, with those around it.

    @raise NotFound: there is no such message.
    @raise Forbidden: the caller may not read it.
    @raise Conflict: the caller has reported it already.
    @raise LimitExceeded: so many of the caller's reports are open.
    """
    found = conversation(tx, place, username, at)
    messages.fetch(tx, found.key, seq)
    complaints = tx.get(Complaints, username) or Complaints(())
    for number in complaints.reports:
        earlier = tx.fetch(Report, report_key(number))
        if (earlier.room, earlier.seq) == (place, seq):
            raise Conflict(f"you have reported it already: report {number}")
    if len(complaints.reports) >= MAX_OPEN:
        raise LimitExceeded(f"{MAX_OPEN} of your reports are open; more are not taken until one is seen to")
    context = tuple(_context(tx, found.key, seq))
    number = tx.number("report")
    tx.put(report_key(number), Report(at, username, place, seq, reason, context))
    tx.put(username, Complaints((*complaints.reports, number)))
    tx.announce(role("moderator"), Reported(number, place, seq, username, reason))
    return Made(number)


def _context(tx: ReadTransaction, key: str, seq: int) -> Iterable[Line]:
    for each in range(max(1, seq - AROUND), seq + AROUND + 1):
        message = tx.get(messages.Message, messages.key(key, each))
        if message is not None:
            yield Line.of(each, message)


def reports(tx: ReadTransaction, *, limit: int, before: int | None) -> Queue:
    """Reports that nobody has seen to, the newest first."""
    end = None if before is None else report_key(before)
    found = list(tx.scan(Report, end=end, limit=limit + 1, reverse=True))
    rows = [ReportRow(int(key), each.at, each.by, each.room, each.seq, each.reason, each.context) for key, each in found[:limit]]
    return Queue(rows, more=len(found) > limit)


def settle(tx: Transaction, number: int, by: str, note: str, *, at: datetime) -> None:
    """
    Say that a report has been seen to.

    @raise Conflict: somebody has done so.
    @raise NotFound: there is no such report.
    """
    key = report_key(number)
    found = tx.get(Report, key)
    if found is None:
        settled = tx.get(Settled, key)
        if settled is not None:
            raise Conflict(f"{settled.by} has seen to report {number}")
        raise NotFound(f"there is no report {number}")
    tx.delete(Report, key)
    tx.put(key, Settled(found, at, by, note))
    complaints = tx.fetch(Complaints, found.by)
    tx.put(found.by, Complaints(tuple(each for each in complaints.reports if each != number)))
