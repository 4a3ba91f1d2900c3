"""
Reports: somebody shows a message to the moderators, and one of them sees to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec
from msgspec.structs import replace

from securehub.event import Event
from securehub.refusals import Conflict, Forbidden, LimitExceeded, NotFound
from securehub.reply import Listing, Reply, Row, when
from securehub.services import messages
from securehub.services.chat.events import Reported, ReportsWaiting
from securehub.services.chat.records import ALL_REPORTS, OPEN_REPORTS, Complaints, Report
from securehub.services.chat.rooms import is_moderator
from securehub.services.chat.saying import conversation
from securehub.services.messages import Line
from securehub.store.records import number_key
from securehub.store.transaction import ReadTransaction, Transaction
from securehub.switchboard import role

MAX_OPEN = 20
"""Reports of one member that nobody has seen to; so nobody floods the moderators."""

AROUND = 5
"""Messages before and after the one that is reported, for those who were not there."""


MOST = 50
"""Reports of one answer, each with eleven messages."""


MOST_COUNTED = 100
"""Reports that are counted at a login; if all have the longest messages, it takes 40 ms."""


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
    @ivar settled: when a moderator settled it; null if none has.
    @ivar settled_by: the moderator.
    @ivar note: what they wrote about it.
    """

    report: int
    at: datetime
    by: str
    room: str
    seq: int
    reason: str
    context: tuple[Line, ...]
    settled: datetime | None = None
    settled_by: str = ""
    note: str = ""


class Queue(Listing[ReportRow], frozen=True):
    """Reports, the newest first."""

    def lines(self) -> Iterable[str]:
        for row in self.items:
            yield f"{row.report}  {when(row.at)}  {row.by} reports message {row.seq} in {row.room}: {row.reason or '-'}"
            for line in row.context:
                mark = ">" if line.seq == row.seq else " "
                yield from (f"  {mark} {each}" for each in line.shown().split("\n"))
            if row.settled:
                yield f"  {when(row.settled)}  {row.settled_by}: {row.note or 'seen to'}"


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
        earlier = tx.fetch(Report, number_key(number))
        if (earlier.room, earlier.seq) == (place, seq):
            raise Conflict(f"you have reported it already: report {number}")
    if len(complaints.reports) >= MAX_OPEN:
        raise LimitExceeded(f"{MAX_OPEN} of your reports are open; more are not taken until one is seen to")
    context = tuple(_context(tx, found.key, seq))
    number = tx.number("report")
    tx.put(number_key(number), Report(at, username, place, seq, reason, context))
    tx.put(username, Complaints((*complaints.reports, number)))
    tx.announce(role("moderator"), Reported(number, place, seq, username, reason))
    return Made(number)


def _context(tx: ReadTransaction, key: str, seq: int) -> Iterable[Line]:
    """A message and those around it. What was reported stands there as it was, though its author has removed it since."""
    for each in range(max(1, seq - AROUND), seq + AROUND + 1):
        place = messages.key(key, each)
        message = tx.get(messages.Message, place)
        if message is None:
            continue
        before = messages.versions(tx, place) if each == seq and message.removed else ()
        yield Line.of(each, replace(message, text=before[-1].text) if before else message)


def reports(tx: ReadTransaction, *, settled: bool, limit: int, before: int | None) -> Queue:
    """
    Reports that nobody has seen to, the newest first.

    @param settled: the others, too.
    """
    end = None if before is None else number_key(before)
    found = tx.beneath(Report, ALL_REPORTS if settled else OPEN_REPORTS, end=end, reverse=True)
    return Queue.up_to(min(limit, MOST), (ReportRow(int(key), *msgspec.structs.astuple(each)) for key, each in found))


def greeting(tx: ReadTransaction, username: str) -> list[Event]:
    """What a moderator is told at a login: how many reports wait."""
    if not is_moderator(tx, username):
        return []
    waiting = [report for _, report in tx.beneath(Report, OPEN_REPORTS, limit=MOST_COUNTED)]
    return [ReportsWaiting(len(waiting), waiting[0].at)] if waiting else []


def settle(tx: Transaction, number: int, by: str, note: str, *, at: datetime) -> None:
    """
    Say that a report has been seen to.

    @raise Conflict: somebody has done so.
    @raise NotFound: there is no such report.
    @raise Forbidden: it is about what the moderator has said.
    """
    key = number_key(number)
    found = tx.get(Report, key)
    if found is None:
        raise NotFound(f"there is no report {number}")
    if found.settled is not None:
        raise Conflict(f"{found.settled_by} has seen to report {number}")
    if any(line.seq == found.seq and line.from_ == by for line in found.context):
        raise Forbidden(f"report {number} is about what you said; another moderator sees to it")
    tx.put(key, replace(found, settled=at, settled_by=by, note=note))
    complaints = tx.get(Complaints, found.by)
    if complaints is not None:
        tx.put(found.by, Complaints(tuple(each for each in complaints.reports if each != number)))
