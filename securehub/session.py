"""
A session: what one connection's commands have in common, and all that they see of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple, NoReturn, TypeVar, cast

from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from securehub import members
from securehub.audit import Act, audited
from securehub.command import ROLES
from securehub.event import Bye, End, Event
from securehub.eventqueue import EventQueue
from securehub.gate import Outbox
from securehub.once import Key, once
from securehub.peer import PeerCertificate
from securehub.refusals import BadCredentials, NotFound, NotLoggedIn, Refusal
from securehub.reply import MoneyReply
from securehub.store.transaction import ReadTransaction, Store
from securehub.switchboard import EVERYBODY, Switchboard, connection, encode, member, role
from securehub.trying import Tried, try_out
from securehub.turns import Turns
from securehub.wire import text

T = TypeVar("T")

_log = Logger()


class Gone(Exception):
    """The connection was lost while its command waited."""


class Page(NamedTuple):
    """
    Some events of a series, in their order.

    @ivar last: the number up to which it goes.
    @ivar whole: whether there is nothing newer at this moment.
    """

    events: Sequence[Event]
    last: int
    whole: bool


Pages = Callable[[int], Awaitable[Page]]
"""Gives the page after a number; refuses what the session may not hear any more."""


class _CatchingUp:
    """What a session has still to hear of a series."""

    __slots__ = ("after", "pages")

    def __init__(self, pages: Pages, after: int) -> None:
        self.pages = pages
        self.after = after


class Session:
    """
    One connection, from its greeting to its end.

    @ivar number: of the connection, for operators.
    @ivar address: of the peer, as text.
    @ivar since: when the connection was ready.
    @ivar operator: whether it is at the admin door.
    @ivar user: who is logged in; C{operator} at the admin door; None before a login.
    @ivar family: of the resume token of this login, see L{securehub.services.auth}.
    @ivar token: the digest of the resume token that this session was given; no other session has the same.
    @ivar speaks_json: the form of the latest request.
    @ivar hears: whether events are sent.
    @ivar catching_up: the series whose older events it hears first.
    @ivar asking: what gets the next line instead of the dispatch, while a person is asked for something.
    @ivar act: what the audit says of the command that runs, if anything.
    @ivar committed: whether the command that runs has changed something.
    @ivar gone: whether the connection is lost.
    @ivar leaving: whether the connection ends as soon as its answers have left.
    """

    def __init__(
        self,
        store: Store,
        switchboard: Switchboard,
        outbox: Outbox,
        turns: Turns,
        *,
        number: int,
        address: str,
        since: datetime,
        operator: bool = False,
    ) -> None:
        self._store = store
        self._turns = turns
        self._switchboard = switchboard
        self._outbox = outbox
        self._events = EventQueue(outbox)
        self._channels: dict[str, None] = {}
        self._running = False
        self._writes = False
        self._wrote = False
        self._key: Key | None = None
        self._tries = False
        self._bye: bytes | None = None
        self._said_bye = False
        self._end_of_parts = b""
        self._ended = False
        self.act: Act | None = None
        self.number = number
        self.address = address
        self.since = since
        self.operator = operator
        self.user: str | None = members.OPERATOR if operator else None
        self.family: str | None = None
        self.token: bytes | None = None
        self.speaks_json = False
        self.hears = True
        self.catching_up: dict[str, _CatchingUp] = {}
        self.asking: Deferred[str] | None = None
        self.committed = False
        self.gone = False
        self.leaving = False
        switchboard.listen(connection(number), self)

    @property
    def member(self) -> str:
        """
        The member who is logged in; for commands whose access says that there is one.

        @raise NotLoggedIn: this session has been ended while the command waited.
        """
        user = self.user
        if user is None:
            _refuse_ended()
        assert not self.operator
        return user

    @property
    def caller(self) -> str:
        """
        Who is logged in, or C{operator}; for commands whose access needs a login.

        @raise NotLoggedIn: this session has been ended while the command waited.
        """
        user = self.user
        if user is None:
            _refuse_ended()
        return user

    @property
    def queued(self) -> int:
        """Bytes on their way to the peer, whether they wait for the disk or for the peer."""
        return self._outbox.waiting_bytes + self._outbox.outlet.queued

    def roles(self) -> Awaitable[tuple[str, ...] | None]:
        """
        What the caller has been granted at this moment, not at the login.

        @return: None if nobody is logged in.

        @raise Locked: the member has been locked out since.
        """
        if self.user is None or self.operator:
            return _at_once(ROLES if self.operator else None)
        return self._store.read(members.roles, self.user)

    async def transact(self, rule: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """
        Run C{rule(tx, ...)} in the transaction of the command that is running, which applies once if the request has a key.

        A command with a key has one transaction, and answers with what that returned.

        @raise NotLoggedIn: this session has been ended while the command waited.
        """
        assert self._writes, "the command does not declare that it writes"
        if self._ended:
            _refuse_ended()
        if self._tries:
            return cast(T, await self._try(rule, *args, **kwargs))
        act = self.act
        if act is not None:
            self.act = None
            args = (act, rule, *args)
            rule = audited
        key = self._key
        if key is None:
            result = await self._store.transact(rule, *args, **kwargs)
        else:
            self._key = None
            result = await self._store.transact(once, key, rule, *args, **kwargs)
        self.committed = self._wrote = True
        return result

    async def look(self, rule: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """
        Run C{rule(tx, ...)}, which only looks, for a command that writes when it is given more arguments.

        With a key it is a transaction nevertheless: what is seen now is the answer to every repeat.
        """
        return await (self._store.read if self._key is None else self.transact)(rule, *args, **kwargs)

    async def in_turns(self, parts: Iterable[T]) -> list[T]:
        """
        Make something long, such as a text, from what was read, part by part, with others in between; for commands that are declared as
        C{long}.

        @raise NotLoggedIn: this session has been ended meanwhile.
        """
        # If what was read is undone meanwhile, the connection is cut.
        self.answer_in_part(b"")
        made: list[T] = []
        for part in parts:
            made.append(part)
            if self._turns.over:
                await self._turns.next(begun=True)
                if self.user is None:
                    _refuse_ended()
        return made

    async def _try(self, rule: Callable[..., Any], /, *args: Any, **kwargs: Any) -> MoneyReply:
        """What the command that is running would answer, marked as tried."""
        try:
            return await self._store.transact(try_out, rule, *args, **kwargs)
        except Tried as tried:
            reply: MoneyReply = tried.result
            return replace(reply, try_=True)

    def certificate(self) -> PeerCertificate | None:
        """The client certificate with which the peer came, if it has one."""
        return None if self.gone else self._outbox.outlet.certificate()

    def concerns(self, target: str) -> None:
        """Tell the audit to whom the running command does something, if none of its arguments is a name."""
        if self.act is not None:
            self.act = self.act._replace(target=target)

    async def ask(self, prompt: str) -> str:
        """
        Ask the person for a line that is not a command. Programs cannot be asked.

        @raise BadCredentials: it is empty, which cancels.
        @raise Refusal: it cannot be read.
        """
        # It is an answer, not an event: if it is lost, so is the connection.
        self._outbox.reply(text.event(f"{prompt}:"))
        asking: Deferred[str] = Deferred()
        self.asking = asking
        answer = await asking
        if not answer:
            raise BadCredentials("cancelled")
        return answer

    async def log_in(self, username: str, family: str, token: bytes) -> None:
        """
        Log a member in to this session, which then hears all that the member hears, unless it has ended while the password was being
        verified.
        """
        if self.gone:
            return
        self.user = username
        self.family = family
        self.token = token
        self._switchboard.listen(member(username), self)
        self._switchboard.listen(EVERYBODY, self)
        await self._tune_in(username)
        for greeting in self._switchboard.greetings:
            try:
                for event in await self._store.read(_given_by, greeting, username):
                    self.hear(encode(event, self.speaks_json), event.series)
            except Exception:
                # A fault of one service must not keep everybody out.
                _log.failure("A greeting failed")

    def log_out(self) -> None:
        """Log the member out of this session."""
        if self.user is not None and not self.operator:
            for channel in list(self._channels):
                self.tune(channel, False)
            for series in list(self.catching_up):
                self._let_on(series)
            self._switchboard.leave(member(self.user), self)
            self._switchboard.leave(EVERYBODY, self)
            self.user = self.family = self.token = None

    def is_meant(self, end: End) -> bool:
        """Whether this session is among those that a commit ends."""
        return end.means(self.family, self.token)

    @property
    def answering(self) -> bool:
        """Whether a command is running whose answer is still to come, perhaps followed by goodbye."""
        return self._running and not self._said_bye

    def end(self, bye: bytes) -> None:
        """
        A commit has ended this session. From now on it is nobody's and does nothing more; once the commit is settled, it says goodbye and
        closes. Goodbye is held like an answer, not like an event: if the commit is lost, the connection is cut, and the client may come
        back.
        """
        self.log_out()
        self._switchboard.leave(connection(self.number), self)
        self._ended = self.leaving = True
        if self._running and self.asking is None:
            # The reply first, if this was the session's own command. Any other wait is short, except for a person.
            self._bye = bye
            bye = b""
        else:
            self._said_bye = True
            if self._end_of_parts:
                # That line ends with goodbye, and nothing may come before its end.
                self._events.clear()
            else:
                self._events.finish()
        self._outbox.reply(bye)
        self._cancel_asking()

    def tune(self, channel: str, on: bool) -> None:
        if on:
            self._channels[channel] = None
            self._switchboard.listen(channel, self)
        else:
            self._channels.pop(channel, None)
            self._switchboard.leave(channel, self)

    def tune_anew(self) -> None:
        if self.user is not None:
            tuned = Deferred.fromCoroutine(self._tune_in(self.user))
            # If the member is undone as well, so is this login, and the connection is cut.
            tuned.addErrback(lambda failure: failure.trap(NotFound))
            tuned.addErrback(lambda failure: _log.failure("A session hears nothing", failure))

    async def _tune_in(self, username: str) -> None:
        """Hear what the member hears, and nothing else."""
        channels = [role(each) for each in (await self._store.read(members.fetch, username)).roles]
        for subscription in self._switchboard.subscriptions:
            try:
                channels += await self._store.read(_given_by, subscription, username)
            except Exception:
                # As with greetings.
                _log.failure("A subscription failed")
        if self.user == username:
            for channel in [each for each in self._channels if each not in channels]:
                self.tune(channel, False)
            for channel in channels:
                self.tune(channel, True)

    def catch_up(self, channel: str, series: str, pages: Pages, after: int) -> None:
        """
        Send this session what came after a number of a series, page by page as its peer reads, before anything newer.

        No events are kept for it meanwhile: new ones are in the store, too, and so in one of the pages. If it is already catching up with
        the series, what it was promised then still comes.

        @param channel: where the series is announced.
        """
        self._switchboard.hold_back(channel, series, self)
        # Events from the middle of a long batch are in one of the pages, too.
        self._events.drop(series)
        earlier = self.catching_up.get(series)
        if earlier is not None:
            after = min(after, earlier.after)
        self.catching_up[series] = _CatchingUp(pages, after)

    @property
    def takes_page(self) -> bool:
        """Whether it is catching up with something, and no answers are in the way."""
        return bool(self.catching_up) and not self._running and not self.leaving

    async def send_page(self) -> None:
        """Send one page of what this session catches up with, of each series in turn."""
        series, state = next(iter(self.catching_up.items()))
        try:
            page = await state.pages(state.after)
        except Refusal:
            # Parted, or put out, in the meantime.
            page = None
        if self.catching_up.get(series) is not state:
            return
        if page is None or page.whole or not self.hears:
            # In one turn with the look at the store, so nothing is missed in between.
            self._let_on(series)
        else:
            state.after = page.last
            del self.catching_up[series]
            self.catching_up[series] = state
        if page is not None and self.hears:
            # As an answer, which it is: if it is lost, so is the connection, and no gap is left.
            self._outbox.reply(b"".join(encode(event, self.speaks_json) for event in page.events))

    def _let_on(self, series: str) -> None:
        del self.catching_up[series]
        self._switchboard.let_on(series, self)

    def leave(self) -> None:
        """End the connection once its answers have left."""
        self.leaving = True

    def cut(self) -> None:
        """End the connection at once, with nothing more said."""
        self._outbox.outlet.cut()

    def begin(self, writes: bool, key: Key | None, *, tries: bool = False) -> None:
        """
        A command is about to run; from now on events wait for its reply.

        @param tries: it is only tried, so its transaction is thrown away.
        """
        self._running = True
        self._writes = writes
        self._key = key
        self.act = None
        self._tries = tries
        self.committed = False

    def answer_in_part(self, chunk: bytes, end: bytes = b"") -> None:
        """
        Send a part of a reply, which ends with L{answer}.

        A command that waits after it has read or written must call this first, if only with nothing: then, if the position is lost, so is
        the connection.

        @param end: what completes the line if no more parts come.
        """
        if not self._said_bye:
            self._outbox.reply(chunk)
            if end:
                self._end_of_parts = end
                self._events.line_begun()

    def answer(self, chunk: bytes | None) -> None:
        """Send the reply, if the request wants one, and then the events that waited for it."""
        if self._said_bye:
            return
        self._running = False
        if chunk is not None:
            self._outbox.reply(chunk)
        elif self._wrote or self._events.waiting:
            # Nothing is sent. But this session (a login, say) may depend on the commit, and must go if that is lost; also, nobody would
            # send the events below again.
            self._outbox.reply(b"")
        self._wrote = False
        if self._events.waiting:
            self._end_of_parts = b""
            if self.leaving:
                self._events.finish()
            else:
                self._events.answered()
        if self._bye is not None:
            self._outbox.reply(self._bye)
            self._bye = None
            self._said_bye = True

    def hear(self, events: bytes, series: str | None) -> None:
        """Send events that are settled, after the reply of the command that is running."""
        if not self.hears or self.leaving:
            return
        if self._running or self._events.waiting:
            self._events.add(events, series, answering=self._running)
        else:
            self._outbox.deliver(events)

    def say_bye(self, reason: str) -> None:
        """
        End the connection, telling why, without a commit that asks for it. A command that is still waiting is dropped, and not answered any
        more.
        """
        self._running = False
        self.end(self._end_of_parts + encode(Bye(reason), self.speaks_json))

    def lost(self) -> None:
        """The connection is gone."""
        self.log_out()
        self._switchboard.leave(connection(self.number), self)
        self.gone = True
        self._cancel_asking()

    def _cancel_asking(self) -> None:
        if self.asking is not None:
            asking, self.asking = self.asking, None
            asking.errback(Gone())


def _refuse_ended() -> NoReturn:
    raise NotLoggedIn("this session has ended in the meantime")


def _given_by(tx: ReadTransaction, rule: Callable[[ReadTransaction, str], Iterable[T]], username: str) -> list[T]:
    """What one service's rule gives for a member, and all of it in the rule's own read."""
    return list(rule(tx, username))


async def _at_once(value: T) -> T:
    return value
