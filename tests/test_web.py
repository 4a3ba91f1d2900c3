"""
The web page's side of the hub: HTTP, and the WebSocket on which it is a client like any other.
"""

from __future__ import annotations

import gc
import gzip
import json
import sys
import weakref
from typing import Any
from unittest import SkipTest, mock

from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from securehub import page, tap
from securehub.network.outlet import CLOSING_SECONDS
from securehub.network.protocol import TURN
from tests.authenticator import identity
from tests.browser import HANDSHAKE, HOST, MISSING, Browser
from tests.world import PASSWORD, Client, World

FAR = "203.0.113.7"


class WebCase(SynchronousTestCase):
    """A hub with a web page."""

    skip = MISSING or None

    def setUp(self) -> None:
        self.make()

    def make(self, **settings: Any) -> None:
        self.world = World(**settings)

    def browser(self, **how: Any) -> Browser:
        return Browser(self.world, **how)

    def socket(self, **how: Any) -> Browser:
        return self.browser(**how).open()

    def logged_in(self, username: str, **how: Any) -> Browser:
        """A new member, on a WebSocket."""
        socket = self.socket(**how)
        answer = socket.call("auth.create", username=username, password=PASSWORD)
        self.assertEqual(answer["result"]["username"], username)
        return socket


class RoutingTests(WebCase):
    """What was agreed on in the handshake decides what is spoken."""

    def test_http(self) -> None:
        """A browser is told nothing until it asks."""
        browser = self.browser()
        self.assertEqual(browser.answers(), [])
        self.assertEqual(browser.get("/").status, 200)

    def test_lines(self) -> None:
        """With our own protocol or none it is lines, as if there were no page."""
        for protocol in (None, b"securehub/1"):
            client = self.world.connect(protocol=protocol)
            self.assertEqual(len(client.received()), 1)
            self.assertTrue(client.ask("GET / HTTP/1.1")[0].startswith("ERR unknown-command"))

    def test_off(self) -> None:
        """Where there is no page nothing else is spoken; ALPN does not even offer it."""
        self.make(page=False)
        self.assertIsNone(self.world.hub.members_door.site)

    def test_admin_door(self) -> None:
        """It has no page: whoever could open it in a browser would be the operator."""
        self.assertIsNone(self.world.hub.admin_door.site)

    def test_not_welcome(self) -> None:
        """Whoever finds no place is told so over HTTP."""
        self.make(connections=1)
        self.world.connect()
        browser = self.browser()
        (answer,) = browser.answers()
        self.assertEqual((answer.status, browser.closed), (503, True))
        self.assertIn(b"as many connections as it takes", answer.body)

    def test_slow_handshake_of_http(self) -> None:
        """A connection that asks for nothing is closed as any other is, and so is one that asks for half a thing."""
        silent, half = self.browser(), self.browser()
        half.feed(b"GET / HT")
        self.world.elapse(29.9)
        half.feed(b"TP")
        self.assertFalse(silent.closed or half.closed)
        self.world.elapse(0.1)
        self.assertTrue(silent.closed and half.closed)

    def test_idle(self) -> None:
        """A connection is kept for the next request, but not for ever."""
        browser = self.browser()
        browser.get("/")
        self.world.elapse(29)
        browser.get("/")
        self.world.elapse(29)
        self.assertFalse(browser.closed)
        self.world.elapse(1)
        self.assertTrue(browser.closed)

    def test_stop(self) -> None:
        """A connection of HTTP keeps no hub from stopping."""
        browser = self.browser()
        self.world.stop()
        self.assertTrue(browser.closed)

    def test_room_is_made(self) -> None:
        """Whoever sits on HTTP is a stranger, and makes room for others."""
        self.make(connections=1)
        first = self.browser(address=FAR)
        second = self.world.connect(address="198.51.100.9")
        self.assertTrue(first.closed)
        self.assertTrue(second.received()[0].startswith("* SecureHub"))


class FileTests(WebCase):
    """Some files, to be read; and nothing else."""

    def test_files(self) -> None:
        """Each with its kind, and nothing that lets a browser do more than it should."""
        browser = self.browser()
        for each in page.load():
            answer = browser.get(each.path)
            self.assertEqual((answer.status, answer.body, answer.headers["content-type"]), (200, each.content, each.kind))
            self.assertEqual(answer.headers["x-content-type-options"], "nosniff")
            self.assertEqual(answer.headers["referrer-policy"], "no-referrer")
            self.assertEqual(answer.headers["cache-control"], "no-cache")
            self.assertEqual(
                answer.headers["content-security-policy"],
                "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
                "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
            )
            self.assertEqual(answer.headers["date"], "Thu, 19 Nov 2026 18:02:00 GMT")
            self.assertNotIn("set-cookie", answer.headers)

    def test_query(self) -> None:
        """What is behind a question mark is for nobody here."""
        self.assertEqual(self.browser().get("/?x=1").status, 200)

    def test_head(self) -> None:
        browser = self.browser()
        (answer,) = browser.ask("/", method="HEAD")
        self.assertEqual((answer.status, answer.body), (200, b""))
        self.assertEqual(answer.headers["content-length"], str(len(browser.get("/").body)))

    def test_unchanged(self) -> None:
        """What a browser has already is not sent again."""
        browser = self.browser()
        tag = browser.get("/app.js").headers["etag"]
        self.assertFalse(tag.startswith("W/"))
        for known in (tag, f'"other", {tag}', "*"):
            answer = browser.get("/app.js", If_None_Match=known)
            self.assertEqual((answer.status, answer.body, answer.headers["etag"]), (304, b"", tag))
        self.assertEqual(browser.get("/app.js", If_None_Match='"other"').status, 200)

    def test_compressed(self) -> None:
        """For whoever takes that; and it is another thing, with a tag of its own."""
        browser = self.browser()
        plain, small = browser.get("/app.js"), browser.get("/app.js", Accept_Encoding="br, gzip;q=1.0")
        self.assertEqual((small.headers["content-encoding"], gzip.decompress(small.body)), ("gzip", plain.body))
        self.assertNotEqual(small.headers["etag"], plain.headers["etag"])
        self.assertEqual(small.headers["vary"], "Accept-Encoding")
        for accepted in ("gzip;q=0", "br", ""):
            self.assertNotIn("content-encoding", browser.get("/app.js", Accept_Encoding=accepted).headers)

    def test_head_of_nothing(self) -> None:
        """What is refused is refused without a body, too."""
        browser = self.browser()
        for path, status in (("/nothing", 404), ("/ws", 405), ("/", 200)):
            (answer,) = browser.ask(path, method="HEAD")
            self.assertEqual((answer.status, answer.body), (status, b""))

    def test_nothing_else(self) -> None:
        browser = self.browser()
        for path in ("/index.html", "/__init__.py", "/favicon.ico", "/../setup.cfg", "/%2e%2e/setup.cfg", "//", "*", "/ws/"):
            answer = browser.get(path)
            self.assertEqual((answer.status, answer.headers["x-content-type-options"]), (404, "nosniff"), path)

    def test_other_methods(self) -> None:
        browser = self.browser()
        for path, allowed in (("/", "GET, HEAD"), ("/ws", "GET")):
            for method in ("POST", "OPTIONS", "DELETE"):
                (answer,) = browser.ask(path, method=method)
                self.assertEqual((answer.status, answer.headers["allow"]), (405, allowed))

    def test_bodies(self) -> None:
        """Nothing takes one, and so nothing of it is read."""
        for how in ({"Content_Length": "3"}, {"Transfer_Encoding": "chunked"}, {"Content_Length": "100000000000"}):
            browser = self.browser()
            self.assertEqual(browser.get("/", **how).status, 413)
            self.assertTrue(browser.closed)

    def test_in_order(self) -> None:
        """Requests that come together are answered one after the other."""
        answers = self.browser().ask("/", "/app.css", "/nothing", "/app.js", "/")
        self.assertEqual([answer.status for answer in answers], [200, 200, 404, 200, 200])
        self.assertEqual(
            [answer.headers["content-type"][:8] for answer in answers], ["text/htm", "text/css", "text/pla", "text/jav", "text/htm"]
        )

    def test_in_turns(self) -> None:
        """One a turn, also where TLS gives what it has read in many pieces, and does not stop for a pause."""
        browser = self.browser()
        for _ in range(10):
            browser.client.protocol.dataReceived(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        self.assertEqual(browser.client.transport.value().count(b"HTTP/1.1 200 "), 1)
        self.assertEqual(browser.client.transport.producerState, "paused")
        self.world.settle()
        self.assertEqual([answer.status for answer in browser.answers()], [200] * 10)
        self.assertEqual(browser.client.transport.producerState, "producing")

    def test_byte_by_byte(self) -> None:
        browser = self.browser()
        for byte in f"GET /app.css HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode():
            browser.feed(bytes([byte]))
        self.world.settle()
        self.assertEqual([answer.status for answer in browser.answers()], [200])

    def test_asked_to_close(self) -> None:
        browser = self.browser()
        self.assertEqual(browser.get("/", Connection="close").status, 200)
        self.assertTrue(browser.closed)

    def test_no_http(self) -> None:
        """What cannot be read ends the connection, and is not quoted."""
        for nonsense in (b"HELP\r\n\r\n", b"\x16\x03\x01\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"):
            browser = self.browser()
            browser.feed(nonsense)
            self.world.settle()
            (answer,) = browser.answers()
            self.assertEqual((answer.status, answer.body, browser.closed), (400, b"It could not be read.\n", True))

    def test_long_heads(self) -> None:
        """Of a request no more is kept than a browser has to say."""
        browser = self.browser()
        browser.feed(b"GET / HTTP/1.1\r\nHost: a\r\nCookie: " + b"x" * 20_000)
        self.world.settle()
        (answer,) = browser.answers()
        self.assertEqual((answer.status, browser.closed), (431, True))
        for before in ([], ["/"]):
            browser = self.browser()
            whole = f"GET / HTTP/1.1\r\nHost: a\r\nCookie: {'x' * 16_384}\r\n\r\n".encode()
            browser.feed(b"".join(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" for _ in before) + whole)
            self.world.settle()
            self.assertEqual((browser.client.transport.take().count(b"HTTP/1.1 431 "), browser.closed), (1, True))

    def test_blanks(self) -> None:
        """A head that h11 would read for seconds is not given to it."""
        for blank in (" ", "\t", " \t"):
            browser = self.browser()
            self.assertEqual(browser.get("/", Cookie=blank * 1_000 + "x").status, 400)
            self.assertTrue(browser.closed)
        self.assertEqual(self.browser().get("/", Cookie=" " * 60 + "x").status, 200)
        for end in ("\r\n", "\n"):
            self.assertEqual(self.browser().get("/", Cookie=f"x{end} y").status, 400)

    def test_does_not_read(self) -> None:
        """Whoever asks and does not read is asked for nothing more, and gets the rest later."""
        browser = self.browser()
        transport = browser.client.transport
        transport.stop_reading()
        path = max((each.path for each in page.load()), key=lambda path: len(browser.get(path).body))
        size = len(browser.get(path).body)
        transport.stop_reading()
        many = 400_000 // size
        browser.client.feed(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode() * many)
        self.world.settle()
        self.assertLess(len(transport.value()) + browser.client.protocol.queued, 66_000 + 2 * size)
        self.assertEqual(transport.producerState, "paused")
        data = b""
        while more := transport.read_again():
            data += more
            self.world.settle()
        self.assertEqual(data.count(b"HTTP/1.1 200"), many)


class HandshakeTests(WebCase):
    """The way to the WebSocket."""

    def test_open(self) -> None:
        """It begins with nothing but the answers to what is asked: neither text nor a greeting."""
        socket = self.socket()
        self.assertEqual(socket.received(), [])
        self.assertEqual(json.loads(socket.say('{"jsonrpc":"2.0","id":7,"method":"hub.whoami"}')[0])["id"], 7)

    def test_with_the_first_message(self) -> None:
        """What comes right behind the handshake is not lost."""
        socket = self.browser()
        socket.open(socket.request("hub.ping"))
        self.assertEqual(len(socket.received()), 1)

    def test_after_the_page(self) -> None:
        """On the connection on which the page was loaded, too."""
        browser = self.browser()
        browser.get("/")
        self.assertIn("result", browser.open().call("hub.version"))

    def test_foreign_origins(self) -> None:
        """The script of another page has no say here, though the browser it runs in may have a certificate for this hub."""
        browser = self.browser()
        for origin in ("https://evil.example", "https://hub.example", f"http://{HOST}", "null", "", f"https://{HOST}.evil.example"):
            self.assertEqual(browser.get("/ws", **HANDSHAKE | {"Origin": origin}).status, 403, origin)
        self.assertEqual(self.world.hub.sessions, {})

    def test_programs(self) -> None:
        """A program says nothing of an origin."""
        browser = self.browser()
        named = {name: value for name, value in HANDSHAKE.items() if name != "Origin"}
        head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
        browser.client.feed(f"GET /ws HTTP/1.1\r\nHost: {HOST}\r\n{head}\r\n".encode())
        self.world.settle()
        self.assertTrue(browser.client.transport.take().startswith(b"HTTP/1.1 101"))

    def test_no_websocket(self) -> None:
        """Whoever asks for the path and means something else is told what is there."""
        browser = self.browser()
        for how in ({}, HANDSHAKE | {"Sec-WebSocket-Version": "8"}, HANDSHAKE | {"Upgrade": "h2c"}):
            answer = browser.get("/ws", **how)
            self.assertEqual((answer.status, answer.headers["sec-websocket-version"]), (426, "13"))

    def test_old_http(self) -> None:
        """HTTP/1.0 may leave out whom it asks, and is told all the same that this is no way to a WebSocket."""
        head = "".join(f"{name}: {value}\r\n" for name, value in HANDSHAKE.items() if name != "Origin")
        browser = self.browser()
        browser.feed(f"GET /ws HTTP/1.0\r\n{head}\r\n".encode())
        self.world.settle()
        (answer,) = browser.answers()
        self.assertEqual((answer.status, browser.closed), (426, True))

    def test_certificate(self) -> None:
        """A client certificate lets its member in here as on lines."""
        laptop = identity("alice", self.world.now())
        first = self.logged_in("alice", certificate=laptop)
        self.assertIn("fingerprint", first.call("auth.cert_add")["result"])
        second = self.socket(certificate=laptop)
        self.assertEqual(second.call("auth.login", username="alice")["result"]["username"], "alice")


class MessageTests(WebCase):
    """A message is a line."""

    def setUp(self) -> None:
        super().setUp()
        self.alice = self.logged_in("alice")

    def code(self, *messages: str) -> list[str]:
        """The codes with which messages are refused, or the kinds of what comes otherwise."""
        return [json.loads(each).get("error", {}).get("data", {}).get("code", "fine") for each in self.alice.say(*messages)]

    def test_in_order(self) -> None:
        """As many as come together, though a few in one turn."""
        wanted = [json.dumps({"jsonrpc": "2.0", "id": number, "method": "hub.ping"}) for number in range(500)]
        self.assertEqual([json.loads(each)["id"] for each in self.alice.say(*wanted)], list(range(500)))

    def test_in_turns(self) -> None:
        """A packet full of frames does not hold up others: in one turn some are taken, and nothing more is read meanwhile."""
        self.alice.feed(self.alice.frame('{"jsonrpc":"2.0","id":1,"method":"hub.ping"}') * 200)
        self.assertEqual(self.alice.client.transport.producerState, "paused")
        self.world.settle()
        self.assertEqual(len(self.alice.received()), 200)
        self.assertEqual(self.alice.client.transport.producerState, "producing")

    def test_a_turn_of_many_pieces(self) -> None:
        """However many pieces TLS makes of what it has read; what is no message counts, too."""
        for frame in (self.alice.frame('{"jsonrpc":"2.0","method":"hub.ping"}'), self.alice.ping(b"")):
            for _ in range(3 * TURN):
                self.alice.client.protocol.dataReceived(frame)
            self.assertEqual(self.alice.client.transport.producerState, "paused")
            self.assertEqual(self.alice.received(), [])
            self.assertLess(len(self.alice.pongs), 2 * TURN)
            self.world.settle()
            self.assertEqual(self.alice.client.transport.producerState, "producing")
        self.alice.received()
        self.assertEqual(len(self.alice.pongs), 3 * TURN)

    def test_batches(self) -> None:
        """A long answer that leaves in parts is one message all the same."""
        (answer,) = self.alice.say(json.dumps([{"jsonrpc": "2.0", "id": number, "method": "hub.ping"} for number in range(100)]))
        self.assertEqual([each["id"] for each in json.loads(answer)], list(range(100)))

    def test_no_json(self) -> None:
        """There is no text form here; what is no JSON-RPC is refused as on lines, in JSON."""
        self.assertEqual(
            self.code("HELP", "\x00", "{", "[]", '{"jsonrpc":"2.0"}', "7"), ["bad-json"] * 3 + ["bad-request"] * 2 + ["bad-json"]
        )
        self.assertEqual(self.code('{"a":"\x01"}'), ["bad-line"])
        self.assertEqual(self.alice.say("", "  \n "), [])
        self.assertIn("result", self.alice.call("hub.ping"))

    def test_line_ends(self) -> None:
        """Between the tokens they are blanks, as JSON has it; within a string they are not allowed."""
        self.assertEqual(self.code('\n{"jsonrpc":"2.0",\n"id":1,\r\n"method":\n"hub.ping"}\n'), ["fine"])
        self.assertEqual(self.code('{"jsonrpc":"2.0","id":1,"method":"hub.ping","params":{"text":"a\nb"}}'), ["bad-line"])
        self.assertEqual(self.code('{"jsonrpc":"2.0","id":1,\n"method":"hub.ping","params":{"text":"a\\"\\n"}}'), ["fine"])
        self.assertEqual(self.code('{"\n' + '\\"' * 8_000), ["bad-line"])

    def test_fragments(self) -> None:
        """A message in parts, with a ping among them, is the message."""
        whole = self.alice.request("hub.ping", text="Grüße")
        parts = [self.alice.frame(each, whole=False) for each in whole]
        self.alice.feed(b"".join([*parts[:5], self.alice.ping(b"x"), *parts[5:], self.alice.frame("")]))
        self.world.settle()
        (answer,) = self.alice.received()
        self.assertEqual((json.loads(answer)["result"]["text"], self.alice.pongs), ("Grüße", [b"x"]))

    def test_byte_by_byte(self) -> None:
        for byte in self.alice.frame(self.alice.request("hub.ping", text="é")):
            self.alice.feed(bytes([byte]))
        self.world.settle()
        self.assertEqual(len(self.alice.received()), 1)

    def test_too_long(self) -> None:
        """Nothing of it is kept, in one frame or in many; and the connection goes on."""
        text = "x" * 20_000
        before = self.alice.call("hub.ping")["id"]
        for parts in ([text], ["xx"] * 10_000, ["x" * 10_000, "é" * 5_000, ""]):
            frames = [self.alice.frame(each, whole=False) for each in parts[:-1]]
            self.alice.feed(b"".join(frames) + self.alice.frame(parts[-1]))
            self.world.settle()
            (answer,) = map(json.loads, self.alice.received())
            self.assertEqual((answer["id"], answer["error"]["data"]["code"]), (None, "line-too-long"))
        self.assertEqual(self.alice.call("hub.ping")["id"], before + 1)

    def test_never_ends(self) -> None:
        """A message that goes on and on is not kept either."""
        for _ in range(300):
            self.alice.feed(self.alice.frame("x" * 10_000, whole=False))
            self.world.settle()
        websocket: Any = self.alice.client.protocol.web
        self.assertLess(sum(map(sys.getsizeof, vars(websocket).values())), 4_000)

    def test_never_begins(self) -> None:
        """Nor is one of empty parts, which never becomes too long."""
        self.alice.feed(self.alice.frame("", whole=False))
        for _ in range(100):
            self.alice.feed(self.alice.frame("", whole=False) * 100)
            self.world.settle()
        websocket: Any = self.alice.client.protocol.web
        self.assertLess(sum(map(sys.getsizeof, vars(websocket).values())), 4_000)

    def test_just_long_enough(self) -> None:
        """As long as a line without its end."""
        frame = '{"jsonrpc":"2.0","id":1,"method":"hub.ping","params":{"text":"%s"}}'
        room = 16_383 - len(frame) + 2
        self.assertEqual(self.code(frame % ("x" * room)), ["fine"])
        self.assertEqual(self.code(frame % ("x" * (room + 1))), ["line-too-long"])

    def test_binary(self) -> None:
        """It says nothing here."""
        self.alice.feed(b"\x82\x81\x00\x00\x00\x00x")
        self.world.settle()
        self.alice.received()
        self.assertEqual((self.alice.code, self.alice.closed), (1003, True))

    def test_broken(self) -> None:
        """What is no WebSocket, or no UTF-8, ends it, as its standard has it; what came before is answered."""
        for broken, code in ((b"\x81\x01x", 1002), (b"\x81\x81\x00\x00\x00\x00\xff", 1007), (b"\x83\x80\x00\x00\x00\x00", 1002)):
            socket = self.socket()
            socket.feed(socket.frame(socket.request("hub.ping")) + broken)
            self.world.settle()
            self.assertEqual(len(socket.received()), 1)
            self.assertEqual((socket.code, socket.closed), (code, True))

    def test_goodbye(self) -> None:
        """The peer's is answered; what was asked before has been done."""
        self.alice.feed(self.alice.frame(self.alice.request("ledger.open", name="savings")) + self.alice.goodbye())
        self.world.settle()
        self.assertTrue(self.alice.closed)
        self.assertFalse(self.alice.client.transport.aborted)
        accounts = self.back().call("ledger.accounts")["result"]["items"]
        self.assertEqual(len(accounts), 2)

    def test_goodbye_with_a_code(self) -> None:
        """Whatever the code is, also one of the program's own; without one it is as if all were well."""
        for goodbye, code in ((b"\x0f\xa0", 4000), (b"\x03\xe9", 1001), (b"", 1000)):
            socket = self.socket()
            socket.feed(bytes([0x88, 0x80 + len(goodbye), 0, 0, 0, 0]) + goodbye)
            self.world.settle()
            socket.received()
            self.assertEqual((socket.code, socket.closed, socket.client.transport.aborted), (code, True, False))

    def test_quit(self) -> None:
        self.assertEqual(len(self.alice.say(self.alice.request("hub.quit"))), 1)
        self.assertEqual((self.alice.code, self.alice.closed), (1000, True))

    def back(self) -> Browser:
        socket = self.socket()
        socket.call("auth.login", username="alice", password=PASSWORD)
        return socket


class SessionTests(WebCase):
    """A session as any other."""

    def setUp(self) -> None:
        super().setUp()
        self.alice = self.logged_in("alice")
        self.bob: Client = self.world.member("bob")

    def test_events(self) -> None:
        """Each is a message; a program that never said anything but a login hears them in JSON."""
        self.alice.call("chat.join", room="lobby")
        self.bob.ask("JOIN lobby", "SAY lobby one", "SAY lobby two")
        events = [json.loads(each) for each in self.alice.received()]
        self.assertEqual([each["params"]["text"] for each in events if each["method"] == "chat.message"], ["one", "two"])

    def test_between(self) -> None:
        """What one says on a WebSocket the other hears on lines."""
        self.alice.call("chat.join", room="lobby")
        self.bob.ask("JOIN lobby")
        self.alice.call("chat.say", room="lobby", text="from the page")
        self.assertEqual(self.bob.received(), ["* [lobby] alice: from the page"])

    def test_before_a_login(self) -> None:
        """Even goodbye is JSON, though nothing was ever asked."""
        socket = self.socket()
        self.world.elapse(30)
        (bye,) = map(json.loads, socket.received())
        self.assertEqual((bye["method"], bye["params"]["reason"]), ("hub.bye", "nothing was asked in time."))
        self.assertEqual((socket.code, socket.closed), (1000, True))

    def test_idle(self) -> None:
        """Once something was asked it may stay, as any connection."""
        self.world.elapse(100_000)
        self.assertIn("result", self.alice.call("hub.ping"))

    def test_stop(self) -> None:
        self.world.stop()
        (bye,) = map(json.loads, self.alice.received())
        self.assertEqual((bye["params"]["reason"], self.alice.code), ("the hub is stopping.", 1000))
        self.assertTrue(self.alice.closed and not self.alice.client.transport.aborted)

    def test_disconnect(self) -> None:
        operator = self.world.operator()
        number = self.alice.client.protocol.session.number  # type: ignore[union-attr]
        self.assertIn(f"  {number} ", "\n".join(operator.ask("admin.connections")))
        operator.ask(f"admin.disconnect {number} enough")
        (bye,) = map(json.loads, self.alice.received())
        self.assertEqual((bye["method"], "enough" in bye["params"]["reason"], self.alice.closed), ("hub.bye", True, True))

    def test_the_gate(self) -> None:
        """Nothing leaves that a crash could take back."""
        self.world.disk_waits = True
        self.assertEqual(self.alice.say(self.alice.request("ledger.open", name="savings")), [])
        self.world.disk_waits = False
        self.world.settle()
        self.assertEqual(len(self.alice.received()), 1)

    def test_slow_reader(self) -> None:
        """A client that does not read while events pile up is cut, without more ado."""
        self.alice.call("chat.join", room="lobby")
        self.alice.client.transport.stop_reading()
        self.bob.ask("JOIN lobby")
        for _ in range(20):
            self.bob.ask(*[f"SAY lobby {'x' * 4000}"] * 30)
        self.assertTrue(self.alice.closed and self.alice.client.transport.aborted)

    def test_pings_of_one_who_does_not_read(self) -> None:
        """They are not answered, or the answers would pile up."""
        transport = self.alice.client.transport
        transport.stop_reading()
        self.alice.send(*[self.alice.request("hub.help")] * 100)
        self.world.settle()
        written = len(transport.value())
        for _ in range(100):
            if transport.producerState == "producing":
                self.alice.feed(self.alice.ping(b"x" * 100) * 100)
            self.world.settle()
        self.assertLess(len(transport.value()), written + 1_000)

    def test_catches_up(self) -> None:
        """With a room, page by page."""
        self.bob.ask("JOIN lobby", *[f"SAY lobby {number}" for number in range(300)])
        messages = self.alice.say(self.alice.request("chat.join", room="lobby", since=0))
        events = [json.loads(each) for each in messages]
        self.assertEqual([each["params"]["seq"] for each in events if each.get("method") == "chat.message"], list(range(1, 301)))

    def test_goodbye_to_one_who_does_not_read(self) -> None:
        """It does not keep the connection for long."""
        self.alice.client.transport.stop_reading()
        self.alice.send(*[self.alice.request("hub.help")] * 100)
        self.alice.send(self.alice.request("hub.quit"))
        self.world.settle()
        self.alice.client.transport.loseConnection = lambda: None  # type: ignore[method-assign]
        self.world.hub.members_door.say_bye("the hub is stopping.")
        self.world.settle()
        self.world.elapse(CLOSING_SECONDS)
        self.assertTrue(self.alice.closed)

    def test_nothing_is_left(self) -> None:
        """When the connection is lost all that there was of it is free at once."""
        gc.disable()
        self.addCleanup(gc.enable)
        socket, browser = self.logged_in("carol"), self.browser()
        browser.get("/")
        protocols = [each.client.protocol for each in (socket, browser)]
        left = [weakref.ref(each) for protocol in protocols for each in (protocol, protocol.web)]
        protocols.clear()
        for each in (socket, browser):
            each.client.close()
            each.client.transport.protocol = each.client.transport.producer = None
            del each.client.protocol
        self.world.clients.clear()
        self.world.elapse(60)
        self.assertEqual([each() for each in left], [None] * 4)


class StrangerTests(WebCase):
    """Before a login: bounded work, over HTTP as on lines."""

    def test_requests_over_http(self) -> None:
        """They take from the allowance of their address; whoever has used it up waits."""
        self.make(stranger_requests=10, stranger_requests_per_second=1)
        browser = self.browser(address=FAR)
        self.assertEqual(len(browser.ask(*["/nothing"] * 15)), 9)
        self.assertEqual(browser.client.transport.producerState, "paused")
        self.world.elapse(4)
        self.assertEqual(len(browser.answers()), 4)
        line = self.world.connect(address="198.51.100.9")
        self.assertEqual(line.ask("PING")[-1], "OK")

    def test_bytes_over_http(self) -> None:
        """So do the bytes of long requests and answers."""
        self.make(stranger_requests=100, stranger_requests_per_second=1)
        browser = self.browser(address=FAR)
        self.assertEqual(len(browser.ask("/nothing", "/nothing", "/nothing", "/nothing", Cookie="x" * 15_000)), 4)
        self.assertEqual(len(browser.ask(*["/nothing"] * 50)), 100 - 1 - 4 * 15)

    def test_headers_over_http(self) -> None:
        """However little is in each: to read them is the work."""
        self.make(stranger_requests=100, stranger_requests_per_second=1)
        browser = self.browser(address=FAR)
        browser.feed((f"GET /nothing HTTP/1.1\r\nHost: {HOST}\r\n" + "a:\r\n" * 3_800 + "\r\n").encode() * 4)
        self.world.settle()
        self.assertEqual(len(browser.answers()), 4)
        self.assertEqual(len(browser.ask(*["/nothing"] * 50)), 100 - 1 - 4 * 15)

    def test_waits_once(self) -> None:
        """Who waits has one time at which they go on, however many pieces come meanwhile; others at that address get theirs."""
        self.make(stranger_requests=10, stranger_requests_per_second=1)
        browser = self.browser(address=FAR)
        browser.ask(*["/nothing"] * 9)
        for _ in range(100):
            browser.client.protocol.dataReceived(f"GET /nothing HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        browser.client.transport.take()
        self.world.elapse(3)
        self.assertEqual(len(browser.answers()), 3)

    def test_messages(self) -> None:
        """As lines do; pings and parts of messages are no way around."""
        self.make(stranger_requests=20, stranger_requests_per_second=1)
        socket = self.socket(address=FAR)
        answers = socket.say(*[socket.request("hub.ping")] * 30)
        self.assertEqual(len(answers), 18)
        self.make(stranger_requests=20, stranger_requests_per_second=1)
        socket = self.socket(address=FAR)
        socket.feed(socket.ping(b"") * 60)
        self.world.settle()
        self.assertEqual(socket.say(socket.request("hub.ping")), [])
        self.world.elapse(60)
        self.assertEqual(len(socket.received()), 1)

    def test_loads(self) -> None:
        """A browser can load the page and log in at once, with the allowance that there is unless another is set."""
        browser = self.browser(address=FAR)
        browser.ask(*[each.path for each in page.load()], Accept_Encoding="gzip")
        socket = self.logged_in("alice", address=FAR)
        self.assertIn("result", socket.call("rpc.discover"))
        self.assertEqual(self.world.time.seconds(), 0)


class StartTests(SynchronousTestCase):
    """Whether there is a page is decided at the start."""

    def test_on(self) -> None:
        if MISSING:
            raise SkipTest(MISSING)
        self.assertIsNotNone(tap._site({"page": True}))

    def test_off(self) -> None:
        self.assertIsNone(tap._site({"page": False}))

    def test_extra_is_missing(self) -> None:
        """Without what it needs there is none, and the log says how to have one."""
        said: list[str] = []
        self.patch(Logger, "info", lambda self, form, **values: said.append(form.format(**values)))
        with mock.patch.dict(sys.modules, {"h11": None}):
            sys.modules.pop("securehub.network.web", None)
            self.assertIsNone(tap._site({"page": True}))
        self.assertEqual(said, ["There is no web page, as h11 is not installed: pip install 'securehub[web]' brings it."])
