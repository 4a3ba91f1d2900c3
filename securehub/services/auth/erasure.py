"""
Erasing a member: texts are blanked in the records, the books and the chain stay.

What lets a member in goes first, in one transaction, together with a note that there is something to forget. Then every service forgets
what it keeps, a little in each transaction, which also notes how far it is. So a crash or a full disk in the middle only interrupts:
the next start, the next hour or the next call goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from msgspec.structs import replace
from twisted.logger import Logger

from securehub import members
from securehub.members import Joined, Member, Visits, joined_key
from securehub.refusals import Unavailable
from securehub.remembering import IRemembers
from securehub.reply import Reply
from securehub.services.auth import certificates, tokens
from securehub.services.auth.credentials import refuse_changed
from securehub.services.auth.invitations import Vouched
from securehub.services.auth.known import Known
from securehub.services.auth.otp import OneTime
from securehub.services.auth.records import Brought, Credential, Logins
from securehub.services.ledger import accounts
from securehub.session import Session
from securehub.store.records import Record
from securehub.store.transaction import ReadTransaction, Transaction

if TYPE_CHECKING:
    from securehub.hub import Hub

_log = Logger()

Forget = Callable[[Transaction, str, str], str | None]
Check = Callable[[ReadTransaction, str], None]


class Erasure(Record, frozen=True):
    """
    A member of whom something is left to forget, by username.

    @ivar service: which service forgets now; empty for the first.
    @ivar after: how far it is.
    """

    collection: ClassVar[str] = "erasure"

    service: str = ""
    after: str = ""


class Erased(Reply, frozen=True):
    """
    A member who was erased.

    @ivar archived_until: when the journal's archive is over in which the texts still stand.
    """

    username: str
    archived_until: datetime

    def status(self) -> str:
        return f"{self.username} is erased. The journal's archive may have the texts until {self.archived_until:%Y-%m-%d}."


class Erasing:
    """Erases members, through all services of a hub."""

    def __init__(self, hub: Hub) -> None:
        self._store = hub.store
        self._clock = hub.clock
        self._chores = hub.chores
        self._services = hub.services
        self._settings = hub.settings
        self._forget_answers = hub.forget_answers

    async def erase(self, session: Session, username: str, verified: str | None = None) -> Erased:
        """
        Erase a member for a command of C{session}, see L{erase}, and forget as much as the disk allows now.
        """
        at = self._clock.now()
        checks = tuple(each.refuse_to_forget for each in self._services.values() if IRemembers.providedBy(each))
        archived_until = at + timedelta(days=self._settings["archive_days"])
        erased = await session.transact(erase, username, checks, archived_until, verified, at=at)
        # Before the wait: should this commit be lost, so is the connection.
        session.answer_in_part(b"")
        # The command has been carried out even if the rest has to wait.
        with suppress(Unavailable):
            await self.forget(username)
        return erased

    def go_on_by_itself(self) -> None:
        """Go on with what was interrupted, at the start of the hub and every hour."""
        self._chores.at_start(self.go_on)
        self._chores.hourly(self.go_on)

    async def go_on(self) -> None:
        """Forget what is left to forget of anybody."""
        await self._chores.for_each(await self._store.read(unfinished), self.forget)

    async def forget(self, username: str) -> None:
        """
        Forget all about a member whose erasure has begun, as far as the disk allows now. A service at fault keeps none of the others from
        it; with that one it is tried again the next time.
        """
        await self._forget_answers(username)
        forgetting = {name: each.forget for name, each in self._services.items() if IRemembers.providedBy(each)}
        left_out: set[str] = set()
        left = True
        while left:
            services = tuple((name, forget) for name, forget in forgetting.items() if name not in left_out)
            try:
                left = await self._store.transact(forget_some, username, services, again=bool(left_out))
            except Unavailable:
                raise
            except Exception:
                service = await self._store.read(whose_turn, username, services)
                left_out.add(service)
                _log.failure("{service} cannot forget {username} now", service=service, username=username)
            await self._chores.others_first()


def erase(
    tx: Transaction, username: str, checks: Sequence[Check], archived_until: datetime, verified: str | None = None, *, at: datetime
) -> Erased:
    """
    Erase a member: nobody is let in by that name any more, nobody else can have it, and what is left is going to be forgotten.

    @param checks: what each service has to say before; see L{IRemembers}.
    @param verified: the hash against which the member's own password was verified, if they ask for it themselves.

    @raise NotFound: there is no such member.
    @raise BadCredentials: the password has been changed in the meantime.
    @raise Conflict: something has to be settled first.
    """
    member = members.fetch(tx, username)
    if verified is not None:
        refuse_changed(tx, username, verified)
    for check in checks:
        check(tx, username)
    tokens.end_all(tx, username, "the account is erased.")
    certificates.remove_all(tx, username)
    tx.delete(OneTime, username)
    tx.delete(Credential, username)
    tx.delete(Logins, username)
    tx.delete(Vouched, username)
    tx.delete(Known, username)
    tx.delete(Brought, username)
    tx.delete(Joined, joined_key(member.number))
    accounts.unname(tx, username)
    tx.put(username, Member(member.number, erased=at))
    tx.put(username, replace(tx.fetch(Visits, username), last_address=""))
    tx.put(username, Erasure())
    return Erased(username, archived_until)


def forget_some(tx: Transaction, username: str, services: Sequence[tuple[str, Forget]], *, again: bool = False) -> bool:
    """
    One step of an erasure.

    @param services: in their order, how to make each forget.
    @param again: whether it begins once more when all of them are done, as one was left out.

    @return: whether something is left that can be forgotten now.
    """
    erasure = tx.get(Erasure, username)
    if erasure is None:
        return False
    place = _place(erasure, services)
    if place < len(services):
        name, forget = services[place]
        after = forget(tx, username, erasure.after if name == erasure.service else "")
        if after is not None:
            tx.put(username, Erasure(name, after))
            return True
        if place + 1 < len(services):
            tx.put(username, Erasure(services[place + 1][0]))
            return True
    if again:
        tx.put(username, Erasure())
    else:
        tx.delete(Erasure, username)
    return False


def whose_turn(tx: ReadTransaction, username: str, services: Sequence[tuple[str, Forget]]) -> str:
    """Which service the next step of an erasure asks to forget."""
    return services[_place(tx.fetch(Erasure, username), services)][0]


def _place(erasure: Erasure, services: Sequence[tuple[str, Forget]]) -> int:
    """How many services are done. One that is no longer there cannot go on; to begin again does no harm."""
    names = [name for name, _ in services]
    return names.index(erasure.service) if erasure.service in names else 0


def unfinished(tx: ReadTransaction) -> list[str]:
    """The members of whom something is left to forget."""
    return [username for username, _ in tx.scan(Erasure)]


def refuse_nothing(tx: ReadTransaction, username: str) -> None:
    """Nothing of the auth service's has to be settled first."""


def forget_nothing(tx: Transaction, username: str, after: str) -> None:
    """All that the auth service keeps about a member is gone with L{erase} itself."""
