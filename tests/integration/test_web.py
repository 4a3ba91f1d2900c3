"""
The web page of the real daemon, over real TLS; with Python's own HTTP, and with the frames of wsproto.
"""

from __future__ import annotations

import http.client
import json
import ssl
from typing import Any

from tests.browser import MISSING
from tests.integration.real import SECONDS, connect
from tests.integration.test_daemon import PASSWORD, DaemonCase

if not MISSING:
    from wsproto import ConnectionType, WSConnection
    from wsproto.events import AcceptConnection, CloseConnection, Request, TextMessage


class Page:
    """A WebSocket to a daemon."""

    def __init__(self, port: int) -> None:
        self.socket = connect(port, "http/1.1")
        self.socket.settimeout(SECONDS)
        self._connection = WSConnection(ConnectionType.CLIENT)
        self._events: Any = iter(())
        self._id = 0
        host = f"localhost:{port}"
        self.socket.sendall(self._connection.send(Request(host, "/ws", extra_headers=[(b"Origin", f"https://{host}".encode())])))
        assert isinstance(self.next(), AcceptConnection)

    def next(self) -> Any:
        """The next thing that comes."""
        while (event := next(self._events, None)) is None:
            self._connection.receive_data(self.socket.recv(65_536) or None)
            self._events = iter(list(self._connection.events()))
        return event

    def message(self) -> Any:
        """The next message."""
        parts = []
        while isinstance(event := self.next(), TextMessage):
            parts.append(event.data)
            if event.message_finished:
                return json.loads("".join(parts))
        raise AssertionError(event)

    def call(self, method: str, **params: Any) -> Any:
        """Ask; events that come before the answer are passed over."""
        self._id += 1
        asked = json.dumps({"jsonrpc": "2.0", "id": self._id, "method": method, "params": params})
        self.socket.sendall(self._connection.send(TextMessage(asked)))
        while "method" in (answer := self.message()):
            pass
        assert answer["id"] == self._id, answer
        return answer.get("result", answer.get("error"))


class WebTests(DaemonCase):
    """What a browser gets."""

    skip = MISSING or None

    def page(self, port: int) -> Page:
        page = Page(port)
        self.addCleanup(page.socket.close)
        return page

    def test_page(self) -> None:
        """The files, and a WebSocket on which one becomes a member and hears others; the daemon says goodbye when it stops."""
        daemon = self.start().started()
        context = ssl._create_unverified_context()
        context.set_alpn_protocols(["http/1.1"])
        browser = http.client.HTTPSConnection("127.0.0.1", daemon.port, timeout=SECONDS, context=context)
        self.addCleanup(browser.close)
        for path, kind in (("/", "text/html"), ("/app.js", "text/javascript")):
            browser.request("GET", path)
            answer = browser.getresponse()
            self.assertEqual(answer.status, 200)
            self.assertTrue(str(answer.headers["Content-Type"]).startswith(kind))
            self.assertIn(b"SecureHub" if path == "/" else b"import", answer.read())

        alice = self.page(daemon.port)
        self.assertEqual(alice.call("auth.create", username="alice", password=PASSWORD)["username"], "alice")
        self.assertEqual(alice.call("chat.join", room="lobby")["room"], "lobby")
        self.assertGreater(len(alice.call("rpc.discover")["methods"]), 100)
        bob = self.program(daemon.port)
        bob.call("auth.create", username="bob", password=PASSWORD)
        bob.call("chat.join", room="lobby")
        bob.call("chat.say", room="lobby", text="hello, page")
        while (event := alice.message())["method"] != "chat.message":
            pass
        self.assertEqual(event["params"]["text"], "hello, page")

        daemon.terminate()
        self.assertEqual(alice.message()["method"], "hub.bye")
        self.assertIsInstance(alice.next(), CloseConnection)

    def test_lines(self) -> None:
        """Without ALPN all is as if there were no page."""
        program = self.program(self.start().started().port)
        self.assertTrue(program.greeting.startswith(b"* SecureHub "))
        self.assertEqual(program.call("hub.ping", text="there"), {"text": "there"})

    def test_off(self) -> None:
        """Where the page is off, a browser is refused in the handshake, and lines are spoken on."""
        config = self.state.parent / "securehub.ini"
        config.write_text("[web]\npage = off\n")
        port = self.start(config=config).started().port
        self.assertRaises(ssl.SSLError, connect, port, "h2", "http/1.1")
        self.assertEqual(self.program(port).call("hub.ping", text="there"), {"text": "there"})
