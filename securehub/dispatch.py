"""
From a line to its answer: find the command, check access, bind the arguments, run it, turn a refusal into a reply.

The order of refusals is fixed (section 6 of the protocol): unknown command, login, role, form of the arguments, key, meaning.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Coroutine, Generator, Iterable
from functools import partial
from typing import Any

from msgspec import UNSET
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from securehub.audit import Act, Whose
from securehub.binding import MISSING, Binder, Bound, Try
from securehub.clock import Clock
from securehub.command import Audited, Command
from securehub.mistakes import Mistakes
from securehub.notices import FailedLogins, noted
from securehub.once import digest, place
from securehub.refusals import BadCredentials, BadJSON, Conflict, Internal, LimitExceeded, Refusal, UnknownCommand, shown
from securehub.session import Gone, Session
from securehub.turns import Turns
from securehub.wire import characters, jsonrpc, text, words

_log = Logger()


TURN_BYTES = 64 * 1024
"""Bytes of answers that one batch may make in one turn of the reactor."""

_UNANSWERED = TURN_BYTES // 32
"""What a request that wants no answer counts as: it may be as much work."""

MOST_ANSWERED = 8 * 1024 * 1024
"""
Once the answers of a batch have this many bytes, further requests that want an answer are not carried out. Answers are kept until the peer
has read them, and those of a hundred requests may have a hundred megabytes.
"""


class Clash(Exception):
    """Two commands have the same name or verb."""


class _Entry:
    """A command ready to run."""

    __slots__ = ("access", "asks", "audited", "bind_params", "bind_text", "binder", "command", "function", "secrets", "writes")

    def __init__(self, command: Command) -> None:
        binder = Binder(command)
        self.command = command
        self.access = command.access
        self.asks = any(parameter.prompt for parameter in command.parameters)
        self.binder = binder
        self.bind_params = binder.from_params
        self.bind_text = binder.from_words if binder.takes_words else binder.from_text
        self.function = noted(command)
        self.writes = command.writes
        self.audited = command.audited is not Audited.NEVER
        # A digest of a secret could be guessed, so a mark takes the secret's place.
        self.secrets = [place for place, parameter in enumerate(command.parameters) if parameter.secret]


class Dispatch:
    """
    Answers requests.

    @param mistakes: suggests which command was meant by a word that is none.
    @param reactor: gets its turns in the middle of a long batch.
    @param mark: turns a secret into a mark that can be compared but reveals nothing, see L{securehub.vault}.
    @param clock: the time for the audit.
    @param whose: tells the audit whose an account is.

    @ivar turns: of commands that may take long.
    """

    def __init__(
        self,
        commands: Iterable[Command],
        mistakes: Mistakes,
        reactor: IReactorTime,
        mark: Callable[[str], bytes],
        clock: Clock,
        whose: Whose,
    ) -> None:
        self._reactor = reactor
        self._mark = mark
        self._clock = clock
        self._whose = whose
        self._incidents = 0
        self._failed_logins = FailedLogins(reactor)
        self.turns = Turns(reactor)
        self._mistakes = mistakes
        self._methods: dict[str, _Entry] = {}
        self._verbs: dict[str, _Entry] = {}
        for command in commands:
            self._add(command)

    def request(self, session: Session, line: bytes) -> Deferred[None] | None:
        """
        Answer one line.

        @return: None if it has been answered, or a Deferred which fires when it has.
        """
        try:
            source, plain = characters.decode(line)
        except Refusal as refusal:
            session.answer(self.refuse(session, refusal))
            return None
        first = source[0]
        if first == "{":
            session.speaks_json = True
            answer = self._answer_json(session, source, plain)
        elif first == "[":
            session.speaks_json = True
            answer = self._answer_batch(session, source)
        elif first in " \t" and not source.strip():
            return None
        else:
            session.speaks_json = False
            answer = self._answer_text(session, source, plain)
        try:
            waited = answer.send(None)
        except StopIteration as stop:
            session.answer(stop.value)
            return None
        return Deferred.fromCoroutine(_rest(answer, waited)).addCallback(session.answer)

    def message(self, session: Session, line: bytes) -> Deferred[None] | None:
        """Answer one message of a connection without a text form, as L{request} answers a line."""
        if line[:1] in (b"{", b"["):
            return self.request(session, line)
        session.answer(jsonrpc.error(None, BadJSON("not JSON-RPC: a message starts with { or [")) + b"\n")
        return None

    def refuse(self, session: Session, refusal: Refusal) -> bytes:
        """The answer to a line that is not a request, in the session's current form."""
        if session.speaks_json:
            return jsonrpc.error(None, refusal) + b"\n"
        return text.refusal(refusal)

    async def _answer_text(self, session: Session, line: str, plain: bool) -> bytes:
        try:
            verb, rest = words.split_verb(line)
            entry = self._verbs.get(verb) or (self._verbs.get(verb.lower()) if verb.isascii() else None)
            if entry is None:
                raise UnknownCommand(f"unknown command {shown(verb)}; {self._mistakes.instead(verb)}")
            result = await self._run(session, entry, entry.bind_text, rest, plain)
            return text.reply(result, status_alone=entry.writes)
        except Exception as error:
            return text.refusal(self._refusal(session, error))

    async def _answer_json(self, session: Session, line: str, plain: bool) -> bytes | None:
        try:
            request = jsonrpc.read(line, plain)
        except Refusal as refusal:
            return jsonrpc.error(None, refusal) + b"\n"
        answer = await self._answer_request(session, request, plain and "\\" not in line)
        return None if answer is None else answer + b"\n"

    async def _answer_batch(self, session: Session, line: str) -> bytes | None:
        try:
            requests = jsonrpc.read_batch(line)
        except Refusal as refusal:
            return jsonrpc.error(None, refusal) + b"\n"
        # From the first answer on events wait, even if it only says that there is no such command.
        session.begin(False, None)
        opening, end = b"[", b""
        answered = unbroken = 0
        for request in requests:
            if isinstance(request, Refusal):
                answer: bytes | None = jsonrpc.error(None, request)
            elif answered > MOST_ANSWERED and request.id is not UNSET:
                answer = jsonrpc.error(
                    request.id, LimitExceeded(f"the batch has {answered} bytes of answers; send the rest in another one")
                )
            else:
                answer = await self._answer_request(session, request, False)
            # At once, not joined at the end: each answer has to wait at the gate for the position at which it was made.
            if answer is None:
                session.answer_in_part(b"")
                unbroken += _UNANSWERED
            else:
                end = b"]\n"
                session.answer_in_part(opening + answer, end)
                opening = b","
                answered += len(answer)
                unbroken += len(answer)
            if unbroken > TURN_BYTES:
                # Others want their turn.
                unbroken = 0
                await deferLater(self._reactor, 0)
            if session.gone:
                raise Gone
        return end or None

    async def _answer_request(self, session: Session, request: jsonrpc.Request, plain: bool) -> bytes | None:
        id = request.id
        try:
            entry = self._methods.get(request.method)
            if entry is None:
                raise UnknownCommand(f"unknown method {shown(request.method)}; rpc.discover lists them")
            result = await self._run(session, entry, entry.bind_params, request.params, plain)
            if id is UNSET:
                return None
            return jsonrpc.reply(id, {} if result is None else result)
        except Exception as error:
            refusal = self._refusal(session, error)
            return None if id is UNSET else jsonrpc.error(id, refusal)

    async def _run(self, session: Session, entry: _Entry, bind: Callable[[Any, bool], Bound], source: Any, plain: bool) -> Any:
        access = entry.access
        if access.login:
            access.check(await session.roles(), session.operator)
        values, key = bind(source, plain)
        if entry.asks:
            await self._excuse(session, entry, values)
        if access.stranger and session.user is not None:
            raise Conflict("the operator does not log in" if session.operator else f"you are logged in as {session.user}; LOGOUT first")
        if entry.asks:
            await self._ask(session, entry, values)
            # Access may have changed while the person was asked.
            access.check(await session.roles(), session.operator)
        if key is None:
            session.begin(entry.writes, None)
        elif isinstance(key, Try):
            session.begin(True, None, tries=True)
        else:
            session.begin(True, (place(session.caller, key), digest(entry.command.name, self._marked(entry, values)), entry.command.result))
        if entry.audited:
            session.act = Act.of(entry.command, session.caller, values, self._clock.now(), self._whose)
        result = entry.function(session, *values)
        if result.__class__ is types.CoroutineType:
            return await result
        return result

    async def _run_in_turn(self, command: Command, session: Session, *values: Any) -> Any:
        """Run a command when its turn has come."""
        await self.turns.next()
        # Access may have changed while others had their turn.
        command.access.check(await session.roles(), session.operator)
        return await command.function(session, *values)

    def _marked(self, entry: _Entry, values: list[Any]) -> list[Any]:
        """The values of a request with marks in place of its secrets."""
        if not entry.secrets:
            return values
        return [self._mark(value) if place in entry.secrets else value for place, value in enumerate(values)]

    async def _excuse(self, session: Session, entry: _Entry, values: list[Any]) -> None:
        """Put None for parameters that the request lacks and turns out not to need. Others that it lacks can only be asked of a person."""
        for index, parameter in enumerate(entry.command.parameters):
            if values[index] is MISSING:
                if parameter.unless is not None and await parameter.unless(session, *values[:index]):
                    values[index] = None
                elif session.speaks_json:
                    entry.binder.refuse_left_out(index)

    async def _ask(self, session: Session, entry: _Entry, values: list[Any]) -> None:
        """Ask the person for what the line lacks, and put it into the values."""
        for index, parameter in enumerate(entry.command.parameters):
            if values[index] is MISSING:
                assert parameter.prompt
                answer = await session.ask(parameter.prompt)
                values[index] = entry.binder.from_answer(index, answer, answer.isprintable() and answer.isascii())

    def _refusal(self, session: Session, error: Exception) -> Refusal:
        """What to answer when a command has ended with an exception."""
        if isinstance(error, Refusal):
            if isinstance(error, BadCredentials):
                self._failed_logins.note(session, error)
            # Its traceback refers to whoever keeps it, and to the connection: a cycle.
            return error.with_traceback(None)
        if isinstance(error, Gone):
            raise error
        self._incidents += 1
        _log.failure("Incident {incident} in {user}'s request", incident=self._incidents, user=session.user)
        if session.committed:
            # It was carried out, so 'nothing happened' would be a lie. As after a lost connection, the client can find out by its key.
            session.cut()
        return Internal(f"a fault of ours; nothing happened (incident {self._incidents})")

    def _add(self, command: Command) -> None:
        entry = _Entry(command)
        if command.long:
            entry.function = partial(self._run_in_turn, command)
        if command.name in self._methods:
            raise Clash(f"two commands are named {command.name}")
        self._methods[command.name] = entry
        for verb in {command.name, *([command.verb.lower()] if command.verb else [])}:
            if verb in self._verbs:
                raise Clash(f"{command.name} and {self._verbs[verb].command.name} both have the verb {verb.upper()}")
            self._verbs[verb] = entry
        if command.verb:
            # Verbs may be typed in any case; capitals are the most common, and are found at once.
            self._verbs[command.verb] = entry


@types.coroutine
def _rest(coroutine: Coroutine[Any, Any, bytes | None], waited: Any) -> Generator[Any, Any, bytes | None]:
    """What is left of a coroutine that has come to its first real wait."""
    while True:
        try:
            value = yield waited
        except GeneratorExit:
            coroutine.close()
            raise
        except BaseException as error:
            resume = partial(coroutine.throw, error)
        else:
            resume = partial(coroutine.send, value)
        try:
            waited = resume()
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]
