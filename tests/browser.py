"""
Somebody who comes by HTTP: a browser, as far as the hub can tell.

C{h11} and C{wsproto} on the client's side; a test that uses this is skipped where they are missing.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from tests.world import Client, World

try:
    import h11
    from wsproto import Connection, ConnectionType
    from wsproto.connection import ConnectionState
    from wsproto.events import CloseConnection, Message, Ping, Pong, TextMessage

    MISSING = ""
except ModuleNotFoundError as error:  # pragma: no cover
    MISSING = f"{error.name} is not installed, which the web page needs: pip install 'securehub[web]'"

HOST = "hub.example:5555"
HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Origin": f"https://{HOST}",
}


class Answer(NamedTuple):
    """What came back over HTTP; the names of headers in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes


class Browser:
    """
    A connection on which HTTP is spoken, and after L{open} a WebSocket.

    @ivar client: the connection.
    @ivar pongs: the payloads with which pings were answered.
    @ivar code: with which the hub has closed the WebSocket, once it has.
    """

    def __init__(self, world: World, **how: Any) -> None:
        self._world = world
        self.client: Client = world.connect(protocol=b"http/1.1", **how)
        self._http = h11.Connection(h11.CLIENT)
        self._connection = Connection(ConnectionType.CLIENT)
        self._text = ""
        self._number = 0
        self.pongs: list[bytes] = []
        self.code: int | None = None

    @property
    def closed(self) -> bool:
        return self.client.closed

    def ask(self, *targets: str, method: str = "GET", **headers: str) -> list[Answer]:
        """Send requests, as one packet, and wait for all that comes of them. In the names of headers _ stands for a hyphen."""
        named = {"Host": HOST} | {name.replace("_", "-"): value for name, value in headers.items()}
        lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
        self.client.feed("".join(f"{method} {target} HTTP/1.1\r\n{lines}\r\n" for target in targets).encode())
        self._world.settle()
        return self.answers(method)

    def get(self, target: str, **headers: str) -> Answer:
        (answer,) = self.ask(target, **headers)
        return answer

    def answers(self, method: str = "GET") -> list[Answer]:
        """All answers that came."""
        answers = []
        data = self.client.transport.take()
        while data:
            # One after the other: each with a connection of its own, as nothing but the method decides how its answer is read.
            http = h11.Connection(h11.CLIENT)
            http.send(h11.Request(method=method, target="/", headers=[("Host", HOST)]))
            http.send(h11.EndOfMessage())
            http.receive_data(data)
            response, body = http.next_event(), b""
            assert isinstance(response, h11.Response), response
            while isinstance(event := http.next_event(), h11.Data):
                body += event.data
            assert isinstance(event, h11.EndOfMessage), event
            answers.append(Answer(response.status_code, {name.decode(): value.decode() for name, value in response.headers}, body))
            data = http.trailing_data[0]
        return answers

    def open(self, *first: str, **headers: str) -> Browser:
        """
        Let the connection be a WebSocket.

        @param first: messages that are in the packet of the handshake.
        """
        named = {"Host": HOST} | HANDSHAKE | {name.replace("_", "-"): value for name, value in headers.items()}
        head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
        self.client.feed(f"GET /ws HTTP/1.1\r\n{head}\r\n".encode() + b"".join(self.frame(each) for each in first))
        self._world.settle()
        answer, end, rest = self.client.transport.take().partition(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 101 ") and end, answer
        assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in answer, answer
        self._connection.receive_data(rest)
        return self

    def frame(self, message: str, *, whole: bool = True) -> bytes:
        """A message as a frame, or the first part of one."""
        return bytes(self._connection.send(TextMessage(message, message_finished=whole)))

    def feed(self, data: bytes) -> None:
        """Send frames, as one packet."""
        self.client.feed(data)

    def send(self, *messages: str) -> None:
        """Send messages, as one packet."""
        self.feed(b"".join(self.frame(each) for each in messages))

    def received(self) -> list[str]:
        """The messages that came since this was asked last."""
        if self._connection.state != ConnectionState.OPEN:
            return []
        self._connection.receive_data(self.client.transport.take())
        messages = []
        for event in self._connection.events():
            if isinstance(event, Message):
                assert isinstance(event, TextMessage)
                self._text += event.data
                if event.message_finished:
                    messages.append(self._text)
                    self._text = ""
            elif isinstance(event, Pong):
                self.pongs.append(bytes(event.payload))
            elif isinstance(event, CloseConnection):
                self.code = int(event.code)
        return messages

    def say(self, *messages: str) -> list[str]:
        """Send messages, and wait for all that comes of them."""
        self.send(*messages)
        self._world.settle()
        return self.received()

    def request(self, method: str, **params: Any) -> str:
        """A request of JSON-RPC; its C{id} is a growing number."""
        self._number += 1
        return json.dumps({"jsonrpc": "2.0", "id": self._number, "method": method, "params": params})

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Make one request; events that come besides are passed over."""
        messages = [json.loads(each) for each in self.say(self.request(method, **params))]
        (answer,) = [each for each in messages if "id" in each]
        assert answer["id"] == self._number, answer
        return answer

    def ping(self, payload: bytes) -> bytes:
        return bytes(self._connection.send(Ping(payload)))

    def goodbye(self) -> bytes:
        return bytes(self._connection.send(CloseConnection(1000)))
