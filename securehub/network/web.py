"""
HTTP: the web page, and the way to its WebSocket.

A browser says by ALPN that it speaks HTTP, and so comes here after the handshake. It finds some files that never change while the hub runs,
and C{/ws}, behind which the connection is a WebSocket (L{securehub.network.websocket}) and speaks JSON-RPC as any other does. HTTP itself
is left to h11; this decides what there is, and how much one may ask for (docs/decisions/0115-web-page.md).
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Iterable
from datetime import datetime
from email.utils import format_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import h11
from wsproto.connection import ConnectionType
from wsproto.events import AcceptConnection
from wsproto.handshake import H11Handshake
from wsproto.utilities import RemoteProtocolError

from securehub.network.websocket import WebSocket
from securehub.page import File

if TYPE_CHECKING:
    from securehub.network.protocol import HubProtocol

Headers = list[tuple[str, str]]

WEBSOCKET = "/ws"

MAX_HEAD = 16 * 1024
"""
Bytes of a request's line and headers. A browser sends 1 KiB, plus the cookies of everything that runs on other ports of the same host.
"""

_END = re.compile(rb"\n\r?\n")

# Many blanks in a row, or folded lines (which begin with a blank and continue the header before), of which h11 makes many blanks: no
# browser sends either. h11's search for where the blanks before a value end, and those after it begin, tries every pair of places: a head
# of nothing but blanks took a second.
_BLANKS = re.compile(rb"[ \t]{64}|\n[ \t]")

SAFE: Headers = [
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
]
"""
Sent with every answer: the page runs only its own script, which makes no markup; it talks only to its hub, and is shown in no other page.
"""

FRESH: Headers = [("Cache-Control", "no-cache"), ("Vary", "Accept-Encoding")]
"""A browser may keep a file, but asks each time whether it is still current, so no script meets the page of another version."""

TEXT: Headers = [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")]


class _Form:
    """A file in the form in which it is sent, ready."""

    def __init__(self, kind: str, content: bytes, *encoding: str) -> None:
        self.content = content
        self.tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        self.headers = [("Content-Type", kind), *(("Content-Encoding", each) for each in encoding)]


class Site:
    """
    What HTTP serves.

    @param files: those of the page.
    """

    def __init__(self, files: Iterable[File]) -> None:
        self.files: dict[str, tuple[_Form, _Form]] = {}
        for path, kind, content in files:
            # Without the time, so that the same file always has the same tag.
            self.files[path] = _Form(kind, content), _Form(kind, gzip.compress(content, mtime=0), "gzip")

    def visit(self, guest: HubProtocol) -> Visit:
        """A client has come over HTTP."""
        return Visit(self, guest)

    def full(self, reason: str) -> bytes:
        """The answer to any request when there is no room."""
        body = f"{reason}\n".encode()
        head = [f"{name}: {value}" for name, value in (*SAFE, *TEXT, ("Content-Length", str(len(body))), ("Connection", "close"))]
        return "\r\n".join(["HTTP/1.1 503 Service Unavailable", *head, "", ""]).encode() + body


class Visit:
    """
    One connection while HTTP is spoken on it: one request at a time, in their order, one a turn.

    @param guest: the connection, whose transport, outlet and clock these are.
    """

    def __init__(self, site: Site, guest: HubProtocol) -> None:
        self._site = site
        self._guest: Any = guest
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        # Bytes that were received but not yet read, and how many of them are known not to contain the end of a head.
        self._came = bytearray()
        self._searched = 0
        self._head_alone = False
        self._continuing = False
        self._closing = False
        self._reading = True

    def take(self, data: bytes) -> None:
        """Bytes have come."""
        if not self._closing:
            self._came += data
            self.go_on()

    def lost(self) -> None:
        """The connection is gone, and nothing here refers to it any more."""
        self._guest = None

    def go_on(self) -> None:
        """Answer the next request, if it is there and may be answered now."""
        guest = self._guest
        if guest is None or self._continuing or self._closing or guest.session is not None:
            return
        if guest.outlet.paused:
            # A peer that does not read is not read. The outlet calls this when it reads again.
            self._read(False)
            return
        end = self._find_end()
        if (end or len(self._came)) > MAX_HEAD:
            self._refuse(431, "It could not be read.", close=True)
            return
        if not end:
            self._read(True)
            return
        # Before it is read: that is most of the work.
        wait = guest.charge_request(end)
        if wait:
            self._go_on_in(wait)
            return
        guest.expect_request()
        try:
            request = self._take_request(end)
        except h11.RemoteProtocolError as error:
            self._refuse(error.error_status_hint, "It could not be read.", close=True)
            return
        self._serve(request)
        if not self._closing and guest.session is None:
            ended = self._http.next_event()
            assert isinstance(ended, h11.EndOfMessage), ended
            self._http.start_next_cycle()
            self._head_alone = False
            self._go_on_in(0)

    def _find_end(self) -> int:
        """How many bytes the head of the next request has; 0 if it is not there as a whole."""
        found = _END.search(self._came, self._searched)
        self._searched = max(0, found.start() if found else len(self._came) - 2)
        return found.end() if found else 0

    def _take_request(self, end: int) -> h11.Request:
        """
        The next request.

        @raise h11.RemoteProtocolError: it is not a request.
        """
        head = bytes(self._came[:end])
        del self._came[:end]
        self._searched = 0
        if _BLANKS.search(head):
            raise h11.RemoteProtocolError("more blanks than anybody sends")
        self._http.receive_data(head)
        request = self._http.next_event()
        assert isinstance(request, h11.Request), request
        return request

    def _serve(self, request: h11.Request) -> None:
        self._head_alone = request.method == b"HEAD"
        headers = {name.decode("ascii"): value.decode("latin-1") for name, value in request.headers}
        path = request.target.decode("ascii").partition("?")[0]
        forms = self._site.files.get(path)
        if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
            self._refuse(413, "No request here has a body.", close=True)
        elif forms is None and path != WEBSOCKET:
            self._refuse(404, "There is no such page.")
        elif request.method != b"GET" and (forms is None or request.method != b"HEAD"):
            self._refuse(405, "It can only be read.", [("Allow", "GET" if forms is None else "GET, HEAD")])
        elif forms is None:
            self._upgrade(request, headers)
        else:
            self._send_file(forms[_takes_gzip(headers.get("accept-encoding", ""))], headers.get("if-none-match", ""))

    def _send_file(self, form: _Form, known: str) -> None:
        headers = [*FRESH, ("ETag", form.tag)]
        if form.tag in (each.strip().removeprefix("W/") for each in known.split(",")) or known == "*":
            self._answer(304, headers)
        else:
            self._answer(200, [*form.headers, *headers], form.content)

    def _upgrade(self, request: h11.Request, headers: dict[str, str]) -> None:
        """Let the connection be a WebSocket."""
        origin = headers.get("origin")
        if origin is not None and origin.lower() != f"https://{headers.get('host', '')}".lower():
            # A page of somebody else's, in a browser that has a certificate for this hub.
            self._refuse(403, "Only the page of this hub may speak to it.")
            return
        handshake = H11Handshake(ConnectionType.SERVER)
        # Without the Host: the handshake does not need it, and would slowly decode it as a name.
        named = [(b"Host", b"hub"), *(each for each in request.headers if each[0] != b"host")]
        try:
            if request.http_version < b"1.1":
                raise RemoteProtocolError("there is no way from HTTP/1.0")
            handshake.initiate_upgrade_connection(named, request.target.decode("ascii"))
        except (RemoteProtocolError, UnicodeError):
            self._refuse(426, "Here is a WebSocket, of version 13.", [("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")])
            return
        answer = handshake.send(AcceptConnection())
        assert handshake.connection is not None
        guest, transport = self._guest, self._guest.transport
        transport.write(answer)
        self._read(True)
        websocket = WebSocket(guest, transport, handshake.connection, guest.factory.reactor)
        guest.speak_over(websocket)
        if self._came:
            websocket.take(bytes(self._came))

    def _refuse(self, status: int, reason: str, headers: Headers | None = None, *, close: bool = False) -> None:
        self._answer(status, [*TEXT, *(headers or [])], f"{reason}\n".encode(), close=close)

    def _answer(self, status: int, headers: Headers, body: bytes = b"", *, close: bool = False) -> None:
        guest, http = self._guest, self._http
        now: datetime = guest.factory.clock.now()
        headers = [("Date", format_datetime(now, usegmt=True)), *SAFE, *headers]
        if status != 304:
            headers.append(("Content-Length", str(len(body))))
        if close:
            headers.append(("Connection", "close"))
        sent = [http.send(h11.Response(status_code=status, reason=HTTPStatus(status).phrase.encode(), headers=headers))]
        if body and not self._head_alone:
            sent.append(http.send(h11.Data(data=body)))
        sent.append(http.send(h11.EndOfMessage()))
        guest.answer_request(b"".join(each for each in sent if each))
        if close or http.our_state is h11.MUST_CLOSE:
            self._close()

    def _close(self) -> None:
        self._closing = True
        self._read(True)
        self._guest.outlet.close()

    def _read(self, reading: bool) -> None:
        if reading is not self._reading:
            self._reading = reading
            transport = self._guest.transport
            (transport.resumeProducing if reading else transport.pauseProducing)()

    def _go_on_in(self, seconds: float) -> None:
        # Further bytes stay unread; only what arrived together is kept.
        self._read(False)
        if not self._continuing:
            self._continuing = True
            self._guest.factory.reactor.callLater(seconds, self._continue)

    def _continue(self) -> None:
        self._continuing = False
        self.go_on()


def _takes_gzip(accepted: str) -> bool:
    """Whether a browser says that it accepts it, with a weight above zero."""
    for each in accepted.split(","):
        name, _, weight = each.partition(";")
        if name.strip().lower() == "gzip":
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
