"""
A WebSocket in place of lines: each line is a text message here, in either direction.

To the connection (L{securehub.network.protocol}) it is the transport, so limits, order, back-pressure and slow readers are the same. The
frames are wsproto's.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IReactorTime
from wsproto.connection import Connection, ConnectionState
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.frame_protocol import CloseReason

if TYPE_CHECKING:
    from securehub.network.protocol import HubProtocol

FRAMES = 32
"""Frames of one connection in one turn, as with lines; thousands fit into one packet, and others want their turn."""

# Matches each string as a whole, even an unfinished one, and line ends between the strings, which are blanks in JSON.
_STRINGS_AND_ENDS = re.compile(rb'"(?:[^"\\]|\\.?)*+"?|[\r\n]', re.DOTALL)


class WebSocket:
    """
    The transport of a connection that speaks over a WebSocket.

    @param protocol: the connection.
    @param transport: the transport below, which has completed its handshake.
    """

    def __init__(self, protocol: HubProtocol, transport: Any, connection: Connection, reactor: IReactorTime) -> None:
        # Not by its type, which would refer back here.
        self._protocol: Any = protocol
        self._transport = transport
        self._connection = connection
        self._reactor = reactor
        self._most = protocol.MAX_LENGTH
        # A message that is not whole yet; None once it is too long. Not a list of its parts, which could be empty and without end.
        self._partial: bytearray | None = bytearray()
        self._code: int = CloseReason.NORMAL_CLOSURE
        self._over = False
        self._held = False
        self._reading = True
        self._more = False
        self._continuing = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def take(self, data: bytes) -> None:
        """Bytes have come."""
        if not self._over:
            self._connection.receive_data(data)
            self._more = True
            if not self._held and not self._continuing:
                self.go_on()
            self._read_or_not()

    def write(self, data: bytes) -> None:
        """Send whole lines, each as a message; or the first parts of one, as parts of a message."""
        if self._connection.state is not ConnectionState.OPEN:
            # The peer has said goodbye.
            return
        *lines, rest = data.decode().split("\n")
        send = self._connection.send
        frames = [send(TextMessage(line)) for line in lines]
        if rest:
            frames.append(send(TextMessage(rest, message_finished=False)))
        self._transport.write(b"".join(frames))

    def pauseProducing(self) -> None:
        self._held = True
        self._read_or_not()

    def resumeProducing(self) -> None:
        self._held = False
        if self._more:
            self._go_on_soon()
        self._read_or_not()

    def loseConnection(self) -> None:
        self._over = True
        if self._connection.state in (ConnectionState.OPEN, ConnectionState.REMOTE_CLOSING):
            self._transport.write(bytes(self._connection.send(CloseConnection(self._code))))
        self._transport.loseConnection()

    def lost(self) -> None:
        """The connection is gone, and nothing here refers to it any more."""
        self._over = True
        self._protocol = None

    def go_on(self) -> None:
        """Take the frames that are there, as far as one connection may go in one turn."""
        self._continuing = False
        protocol = self._protocol
        if protocol is None or self._held or not self._more:
            return
        messages: list[bytes | None] = []
        for event in islice(self._connection.events(), FRAMES):
            messages.append(self._message(event))
            if self._over:
                break
        self._more = len(messages) == FRAMES and not self._over
        if self._more:
            self._go_on_soon()
        if messages:
            protocol.take(messages)
        if self._over:
            protocol.readConnectionLost()
        self._read_or_not()

    def _message(self, event: object) -> bytes | None:
        """
        A whole message, or None in place of one that was too long. Other frames count as an empty message: that is ignored in its turn, and
        a stranger's allowance pays for it.
        """
        if isinstance(event, TextMessage):
            return self._text(event)
        if isinstance(event, Ping):
            self._answer(event)
        elif isinstance(event, BytesMessage):
            self._end(CloseReason.UNSUPPORTED_DATA)
        elif isinstance(event, CloseConnection):
            # The peer's goodbye is answered with its own code; for a fault, wsproto has the code.
            self._end(event.code)
        return b""

    def _text(self, event: TextMessage) -> bytes | None:
        content, partial = event.data.encode(), self._partial
        if partial is not None:
            if len(partial) + len(content) < self._most:
                partial += content
            else:
                self._partial = None
        if not event.message_finished:
            return b""
        partial, self._partial = self._partial, bytearray()
        return None if partial is None else _line(bytes(partial))

    def _answer(self, ping: Ping) -> None:
        outlet = self._protocol.outlet if self._protocol is not None else None
        if outlet is not None and not outlet.paused and self._connection.state is ConnectionState.OPEN:
            # A peer that does not read is sent no pong; the standard requires an answer only to the last ping.
            self._transport.write(bytes(self._connection.send(ping.response())))

    def _end(self, code: int) -> None:
        self._code = CloseReason.NORMAL_CLOSURE if code == CloseReason.NO_STATUS_RCVD else code
        self._over = True

    def _go_on_soon(self) -> None:
        if not self._continuing:
            self._continuing = True
            self._reactor.callLater(0, self.go_on)

    def _read_or_not(self) -> None:
        # While frames wait here nothing more is read, or they would pile up.
        reading = not (self._held or self._more)
        if reading is not self._reading and self._protocol is not None:
            self._reading = reading
            (self._transport.resumeProducing if reading else self._transport.pauseProducing)()


def _line(message: bytes) -> bytes:
    """A message as a line: without what is blank around it, and with blanks for the line ends between its tokens."""
    message = message.strip(b" \t\r\n")
    if b"\n" in message or b"\r" in message:
        message = _STRINGS_AND_ENDS.sub(lambda found: b" " if found[0] in b"\r\n" else found[0], message)
    return message
