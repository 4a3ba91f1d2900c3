"""
Bytes in, bytes out: lines, their limits, the order of requests, timeouts.

The one place that knows the network. What a line means is the dispatch's business, when an answer may leave the gate's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol, IHandshakeListener, IReactorTime
from twisted.internet.protocol import ServerFactory, connectionDone
from twisted.logger import Logger
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from securehub import __version__
from securehub.event import Bye
from securehub.gate import Gate, Outbox
from securehub.network.doorkeeper import FULL, Answer, Doorkeeper
from securehub.network.outlet import TransportOutlet
from securehub.network.shown import MAX_SHOWN, certificate_of, shows_too_much
from securehub.peer import PeerCertificate
from securehub.refusals import LineTooLong, Refusal
from securehub.session import Gone, Session
from securehub.wire import characters, text

if TYPE_CHECKING:
    from securehub.clock import Clock
    from securehub.config import Settings
    from securehub.dispatch import Dispatch
    from securehub.network.web import Site, Visit
    from securehub.network.websocket import WebSocket

_log = Logger()

TURN = 32
"""Requests of one connection in one turn; 400 fit into one packet, and others want their turn."""

HELD_BYTES = 64 * 1024
"""With this much at the gate, a connection is read no further."""

HTTP = b"http/1.1"
"""What a browser offers by ALPN; the page and its WebSocket speak it."""

UNIT_BYTES = 1024
"""This many bytes that a stranger sends or is answered count as one request more, because many bytes mean much work."""


@implementer(IHandshakeListener, IHalfCloseableProtocol)
class HubProtocol(LineReceiver):
    """
    One connection.

    C{dataReceived} is our own: LineReceiver's costs five times as much for each line, and its time grows with the square of what
    waits when it is paused (docs/decisions/0003-lines.md). Everything else about it is LineReceiver.
    """

    delimiter = b"\n"
    factory: HubFactory
    transport: Any
    session: Session | None = None
    outlet: TransportOutlet | None = None
    web: Visit | WebSocket | None = None

    def connectionMade(self) -> None:
        # None stands for a line that was too long.
        self._lines: deque[bytes | None] = deque()
        self._partial = b""
        self._skipping = False
        # Requests that may still be carried out in this turn. TLS makes a piece of each record of a packet, and stops for no pause.
        self._room = TURN
        self._waiting = False
        self._reading = True
        self._continuing = False
        self._paging = False
        self._ended = False
        self._welcome = True
        self._watched = self._stranger = False
        self._timer: Any = None
        self._request = self.factory.dispatch.request
        self._most_waiting = self.factory.settings["waiting_requests"]
        self.MAX_LENGTH = self.factory.settings["line_bytes"]
        address = getattr(self.transport.getPeer(), "host", None) or "local"
        self.address = str(address)
        answer = self.factory.admit(self)
        if answer is Answer.CLOSED:
            self.transport.abortConnection()
            return
        self._welcome = answer is Answer.WELCOME
        if self.factory.secure:
            # Before the handshake is over, TLS would keep what is written without bound. So nothing is written, and it must be over soon.
            self._expire_in(self.factory.settings["handshake_seconds"])
        else:
            self._begin()

    def handshakeCompleted(self) -> None:
        self._stop_timer()
        site = self.factory.site
        if site is not None and self.transport.negotiatedProtocol != HTTP:
            site = None
        if self._welcome:
            self._watched = self._stranger = self.factory.doorkeeper.shook_hands(self)
            if site is None:
                self._begin()
            else:
                self.outlet = self._make_outlet()
                self.web = site.visit(self)
                self.expect_request()
            if shows_too_much(self.transport):
                self.say_bye(f"your client certificate and those sent with it have over {MAX_SHOWN} bytes; send it alone.")
        else:
            self.outlet = self._make_outlet()
            self.outlet.release(text.event(Bye(FULL).text()) if site is None else site.full(FULL), 0)
            self.outlet.close()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._stop_timer()
        self._lines.clear()
        self.factory.lost(self)
        if self.outlet is not None:
            self.outlet.lost()
        if self.web is not None:
            self.web.lost()
            self.__dict__.pop("dataReceived", None)
        if self.session is not None:
            self.session.lost()
            self.outbox.close()

    def readConnectionLost(self) -> None:
        """
        The peer will send no more, but still listens: C{echo HELP | socat ...} does so. Its requests are answered, then we close.
        """
        self._ended = True
        if self._partial:
            self._lines.append(self._partial)
            self._partial = b""
        if self.session is None:
            self.transport.loseConnection()
        else:
            self._continue_soon()

    def writeConnectionLost(self) -> None:
        """We never close our side alone."""

    def dataReceived(self, data: bytes) -> None:
        if self.session is None:
            if self.web is not None:
                self.web.take(data)
            return
        self._split(data)
        self._work()

    def take(self, messages: list[bytes | None]) -> None:
        """Take the messages that replace lines on a WebSocket: each without an end, None for one that was too long."""
        self._lines += messages
        self._work()

    def lineReceived(self, line: bytes) -> None:
        """Take one request; the caller has checked that it may be handled now."""
        assert self.session is not None
        waited = self._request(self.session, line)
        if waited is not None:
            self._waiting = True
            waited.addErrback(_log_unless_gone).addBoth(self._answered)
        elif self._timer is not None:
            self._stop_timer()

    def release(self, content: bytes, event_bytes: int) -> None:
        """Write what the gate has let out. Now that requests are answered, more may be taken."""
        assert self.outlet is not None and self.session is not None
        if self._stranger:
            self.factory.doorkeeper.charge(self, len(content) // UNIT_BYTES)
        self.outlet.release(content, event_bytes)
        self._room = TURN
        if (self._lines or self.session.catching_up) and not self._continuing:
            self._continue_soon()
        elif self.session.leaving:
            self._close_when_released()

    def tell(self, events: bytes) -> None:
        """Write events, which answer no request of this connection."""
        assert self.outlet is not None
        self.outlet.tell(events)

    def cut(self) -> None:
        """Close at once, without an answer."""
        assert self.outlet is not None
        self._lines.clear()
        self.outlet.cut()

    def certificate(self) -> PeerCertificate | None:
        """The client certificate with which the peer came, if it has one."""
        return certificate_of(self.transport)

    def abort(self) -> None:
        """Close at once, whatever is still to be sent."""
        self.transport.abortConnection()

    @property
    def busy(self) -> bool:
        """Whether a command waits for something other than the peer."""
        return self._waiting and self.session is not None and self.session.asking is None

    @property
    def queued(self) -> int:
        """Bytes that wait for the peer to read."""
        return self.outlet.queued if self.outlet is not None else 0

    def say_bye(self, reason: str) -> None:
        """Close, telling why."""
        if self.session is None:
            self.transport.abortConnection()
        elif not self.session.leaving:
            self._lines.clear()
            self.session.say_bye(reason)

    def expect_request(self) -> None:
        """From now on, wait for a request over HTTP."""
        self._stop_timer()
        self._expire_in(self.factory.settings["first_request_seconds"])

    def charge_request(self, size: int) -> float:
        """
        Take a request from the allowance of strangers.

        @param size: its bytes.

        @return: seconds that it has to wait instead.
        """
        if not self._stranger:
            return 0.0
        wait = self.factory.doorkeeper.wait(self)
        if not wait:
            self.factory.doorkeeper.charge(self, 1 + size // UNIT_BYTES)
        return wait

    def answer_request(self, answer: bytes) -> None:
        """Answer a request over HTTP. It reveals nothing of what is stored, so it does not wait at the gate."""
        assert self.outlet is not None
        if self._stranger:
            self.factory.doorkeeper.charge(self, len(answer) // UNIT_BYTES)
        self.outlet.release(answer, 0)

    def speak_over(self, websocket: WebSocket) -> None:
        """From now on a WebSocket is the transport, and its messages are the lines: JSON-RPC alone."""
        assert self.outlet is not None
        self.transport.unregisterProducer()
        self.outlet.lost()
        self._stop_timer()
        self.web = self.transport = websocket
        self.dataReceived = websocket.take  # type: ignore[method-assign]
        self._request = self.factory.dispatch.message
        self._begin(greets=False)

    def _make_outlet(self) -> TransportOutlet:
        factory = self.factory
        return TransportOutlet(
            self.transport, factory.reactor, limit=factory.settings["outbound_bytes"], ready=self._continue_soon, peer=self.address
        )

    def _begin(self, *, greets: bool = True) -> None:
        """
        The connection is ready to be spoken on.

        @param greets: greet in text, as the line protocol does; otherwise everything is JSON.
        """
        factory = self.factory
        self.outlet = self._make_outlet()
        # In a room of a thousand it is a thousand steps less for each message.
        self.tell = self.outlet.tell  # type: ignore[method-assign]
        self.outbox = Outbox(factory.gate, self)
        self.session = factory.make_session(self.outbox, self.address, factory.operator)
        factory.sessions[self.session.number] = self.session
        # The admin door has no such option; some versions of Twisted offer it there, too, and fail.
        set_no_delay = None if factory.operator else getattr(self.transport, "setTcpNoDelay", None)
        if set_no_delay is not None:
            # Output is already one write a turn; Nagle's algorithm would only make it wait for the peer's ACK.
            set_no_delay(True)
        self.session.speaks_json = not greets
        if greets:
            self.outbox.event(f"* SecureHub {__version__} ready. HELP lists the commands.\n".encode())
        if not factory.operator:
            self._expire_in(factory.settings["first_request_seconds"])

    def _split(self, data: bytes) -> None:
        """Take lines out of the bytes, without their ends."""
        if self._skipping:
            end = data.find(b"\n")
            if end < 0:
                # It counts as an empty line does, so a stranger's allowance pays for it. It cannot answer a prompt: what was too long has.
                self._lines.append(b"")
                return
            self._skipping = False
            data = data[end + 1 :]
        if self._partial:
            data = self._partial + data
        lines = data.split(b"\n")
        self._partial = lines.pop()
        if len(data) < self.MAX_LENGTH:
            self._lines += lines
            return
        self._lines += [line if len(line) < self.MAX_LENGTH else None for line in lines]
        if len(self._partial) >= self.MAX_LENGTH:
            self._partial = b""
            self._skipping = True
            self._lines.append(None)

    def _work(self) -> None:
        """Handle the lines that are there, as far as this connection may go in one turn."""
        session, outbox, lines, outlet = self.session, self.outbox, self._lines, self.outlet
        assert session is not None and outlet is not None
        room = self._room
        while lines and room and outbox.waiting < self._most_waiting and outbox.waiting_bytes < HELD_BYTES:
            if self._waiting or session.leaving or outlet.paused or self.factory.stopping:
                if session.asking is None or not self._waiting:
                    break
                self._answer(session, lines.popleft())
                continue
            if self._stranger and not self._may_ask(lines[0]):
                break
            room -= 1
            line = lines.popleft()
            if line is None:
                session.answer(self.factory.dispatch.refuse(session, self._too_long()))
                continue
            if line[-1:] == b"\r":
                line = line[:-1]
            if line:
                self.lineReceived(line)
        self._room = room
        if self._watched and (session.user is None) is not self._stranger:
            self._change_standing()
        if session.leaving:
            lines.clear()
            self._close_when_released()
        elif lines:
            if self._reading:
                self._reading = False
                self.transport.pauseProducing()
            if not room:
                self._continue_soon()
        elif not self._reading and not outlet.paused and not self._ended:
            self._reading = True
            self.transport.resumeProducing()
        if session.catching_up:
            self._send_page()

    def _send_page(self) -> None:
        """Send the next page of what the session catches up with, if the peer has taken the one before."""
        session, outlet = self.session, self.outlet
        assert session is not None and outlet is not None
        if session.takes_page and not (self._paging or outlet.paused or self.factory.stopping):
            self._paging = True
            Deferred.fromCoroutine(session.send_page()).addErrback(self._cannot_page).addBoth(self._paged)

    def _paged(self, _: object) -> None:
        # Not only after the last waiting answer: a program that always asks for more always has one waiting.
        self.factory.gate.then(settled=self._page_left, lost=self._page_left)

    def _page_left(self) -> None:
        self._paging = False
        self._continue_soon()

    def _cannot_page(self, failure: Failure) -> None:
        _log.failure("A session cannot catch up", failure)
        self.cut()

    def _may_ask(self, line: bytes | None) -> bool:
        """Whether a stranger's next request may be carried out now; if not, it will be asked again when it may."""
        assert self.session is not None
        if self.session.user is not None:
            self._change_standing()
            return True
        if self._continuing:
            # A time has been promised already. Asking again would promise another one, and each is later than the one before.
            return False
        # Nothing is known of a line that was too long, and nothing was done with it.
        wait = self.charge_request(len(line or b""))
        if wait:
            self._continue_in(wait)
        return not wait

    def _change_standing(self) -> None:
        """Somebody has logged in here, or out."""
        self._stranger = not self._stranger
        if self._stranger:
            self.factory.doorkeeper.logged_out(self)
        else:
            self.factory.doorkeeper.logged_in(self)

    def _continue_soon(self) -> None:
        self._continue_in(0)

    def _continue_in(self, seconds: float) -> None:
        if not self._continuing:
            self._continuing = True
            self.factory.reactor.callLater(seconds, self._continue)

    def _continue(self) -> None:
        self._continuing = False
        self._room = TURN
        if self.session is not None:
            self._work()
            if self._ended:
                self._end(self.session)
        elif self.web is not None:
            self.web.go_on()

    def _end(self, session: Session) -> None:
        """The peer sends no more: close, once it has its answers."""
        if self._lines:
            # They have their turn, and one of them may answer what was asked for.
            return
        if session.asking is not None:
            # Nobody is there who could answer.
            self._answer(session, b"")
        if not self._waiting:
            session.leave()
            self._close_when_released()

    def _answer(self, session: Session, line: bytes | None) -> None:
        """Give a line to the command that asked for it. Whatever it looks like, it is not a request."""
        asking, session.asking = session.asking, None
        assert asking is not None
        try:
            if line is None:
                raise self._too_long()
            answer, _ = characters.decode(line[:-1] if line.endswith(b"\r") else line)
        except Refusal as refusal:
            asking.errback(Failure(refusal))
        else:
            asking.callback(answer)

    def _answered(self, _: object) -> None:
        """The command that the connection waited for is done."""
        self._waiting = False
        self._stop_timer()
        if self._stranger and self.session is not None and self.session.user is not None:
            self._change_standing()
        if self.session is not None and self.session.leaving:
            self._close_when_released()
        if self._lines or self._ended or not self._reading or (self.session is not None and self.session.catching_up):
            self._continue_soon()

    def _close_when_released(self) -> None:
        assert self.outlet is not None and self.session is not None
        if not self.outbox.waiting_bytes and not self.outbox.waiting and not self.session.answering:
            self.outlet.close()

    def _too_long(self) -> LineTooLong:
        return LineTooLong(f"a line has at most {self.MAX_LENGTH} bytes with its end; nothing of it was used")

    def _expire_in(self, seconds: float) -> None:
        self._timer = self.factory.reactor.callLater(seconds, self._expired)

    def _expired(self) -> None:
        self._timer = None
        if self.session is None:
            self.transport.abortConnection()
        elif not self.busy:
            # A request that came in time may take longer: a login waits for its turn to be hashed.
            self.say_bye("nothing was asked in time.")

    def _stop_timer(self) -> None:
        if self._timer is not None:
            timer, self._timer = self._timer, None
            timer.cancel()


def _log_unless_gone(failure: Failure) -> None:
    if not failure.check(Gone):
        _log.failure("A request ended in a fault", failure)
    # Its traceback refers to it, and to the connection: a cycle, and nothing of that would be freed until the collector comes.
    failure.cleanFailure()


class HubFactory(ServerFactory):
    """
    Makes the protocols of one door: the TLS port, or the admin door.

    @ivar secure: whether a TLS handshake comes before the first line.
    @ivar operator: whether all who connect are the operator, whom the doorkeeper ignores.
    @ivar make_session: makes the session of a connection that is ready, with its outbox, its peer's address, and whether that is the
        operator.
    @ivar sessions: those of all doors, by number.
    @ivar stopping: whether no new commands are taken.
    @ivar site: the web page; None where there is none.
    """

    protocol: Any = HubProtocol
    noisy = False

    def __init__(
        self,
        dispatch: Dispatch,
        gate: Gate,
        settings: Settings,
        reactor: IReactorTime,
        *,
        clock: Clock,
        doorkeeper: Doorkeeper,
        make_session: Callable[[Outbox, str, bool], Session],
        sessions: dict[int, Session],
        secure: bool,
        operator: bool,
        site: Site | None = None,
    ) -> None:
        self.site = site
        self.dispatch = dispatch
        self.gate = gate
        self.settings = settings
        self.reactor = reactor
        self.clock = clock
        self.doorkeeper = doorkeeper
        self.make_session = make_session
        self.sessions = sessions
        self.secure = secure
        self.operator = operator
        self.stopping = False
        self.open: dict[HubProtocol, None] = {}
        self._emptied: Deferred[None] | None = None

    def admit(self, protocol: HubProtocol) -> Answer:
        """Note a new connection."""
        self.open[protocol] = None
        return Answer.WELCOME if self.operator else self.doorkeeper.arrive(protocol, protocol.address)

    def lost(self, protocol: HubProtocol) -> None:
        self.open.pop(protocol, None)
        self.doorkeeper.lost(protocol)
        if protocol.session is not None:
            self.sessions.pop(protocol.session.number, None)
        if self._emptied is not None and not self.open:
            emptied, self._emptied = self._emptied, None
            emptied.callback(None)

    def say_bye(self, reason: str) -> Deferred[None]:
        """
        End all connections.

        @return: fires when the last one is closed.
        """
        self.stopping = True
        emptied: Deferred[None] = Deferred()
        if not self.open:
            emptied.callback(None)
            return emptied
        self._emptied = emptied
        for protocol in list(self.open):
            protocol.say_bye(reason)
        return emptied
