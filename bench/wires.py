"""
Some thousand TLS connections in one thread: a loop over epoll and timers, and the client's end of a connection.

A connection here can do what no good client does: read nothing, or too slowly, and be gone without a word.
"""

import heapq
import itertools
import select
import socket
import ssl
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

RECORD = 65536
# linux/tcp.h: a socket that is under repair is closed without a packet, as if its machine had lost its current.
TCP_REPAIR = 19
# What a client on the net has, where loopback would give it megabytes: bytes of a segment, and of its kernel's buffer.
NARROW_SEGMENT, NARROW_BUFFER = 1400, 8192

LOST = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR


class Loop:
    """
    Calls who waits for a socket or for a time.

    @ivar now: seconds since the loop was made, as of the latest turn.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._ready: dict[int, Callable[[int], None]] = {}
        self._timers: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._count = itertools.count()
        self._began = time.monotonic()
        self.now = 0.0

    def at(self, when: float, call: Callable[..., None], *args: Any) -> None:
        heapq.heappush(self._timers, (when, next(self._count), call, args))

    def after(self, seconds: float, call: Callable[..., None], *args: Any) -> None:
        self.at(self.now + seconds, call, *args)

    def watch(self, fd: int, mask: int, ready: Callable[[int], None]) -> None:
        if fd in self._ready:
            self._epoll.modify(fd, mask)
        else:
            self._epoll.register(fd, mask)
        self._ready[fd] = ready

    def forget(self, fd: int) -> None:
        if self._ready.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def run_until(self, done: Callable[[], bool]) -> None:
        while not done():
            self._turn()

    def _turn(self) -> None:
        wait = min(max(self._timers[0][0] - self.now, 0.0), 0.1) if self._timers else 0.1
        events = self._epoll.poll(wait, 256)
        self.now = time.monotonic() - self._began
        for fd, event in events:
            ready = self._ready.get(fd)
            if ready is not None:
                ready(event)
        self.now = time.monotonic() - self._began
        while self._timers and self._timers[0][0] <= self.now:
            _, _, call, args = heapq.heappop(self._timers)
            call(*args)


class Owner(Protocol):
    """Whose connection it is."""

    def connected(self) -> None: ...
    def told(self, lines: list[bytes]) -> None: ...
    def lost(self) -> None: ...


class Wire:
    """
    A TLS connection to this port; certificates are not verified.

    @param narrow: whether the kernel takes little for it, as on the net.

    @ivar number: of this connection; no other has the same.
    """

    _numbers = itertools.count(1)

    def __init__(self, loop: Loop, port: int, context: ssl.SSLContext, owner: Owner, *, narrow: bool) -> None:
        self._loop = loop
        self._owner = owner
        self._context = context
        self._out = b""
        self._partial = b""
        self._open = False
        self._reading = True
        self._mask = 0
        self.number = next(self._numbers)
        plain = socket.socket()
        plain.setblocking(False)
        if narrow:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, NARROW_BUFFER)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, NARROW_SEGMENT)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.connect_ex(("127.0.0.1", port))
        self._plain: socket.socket | None = plain
        self._tls: Any = None
        self._fd = plain.fileno()
        loop.watch(self._fd, select.EPOLLOUT, self._shake)

    def send(self, content: bytes) -> None:
        """Send all of it, as soon as it is taken."""
        if self._out or not self._open:
            self._out += content
            return
        self._out = content
        self._flush()

    def read_on(self, on: bool) -> None:
        """Read whatever comes, or nothing any more; even then it is noticed if the other side closes."""
        self._reading = on
        if self._open:
            self._watch()

    def read_once(self) -> None:
        """Read a little."""
        if self._open:
            self._read()

    def close(self, *, reset: bool = False) -> None:
        """
        Be gone, without a goodbye in TLS.

        @param reset: without one in TCP either: with RST.
        """
        if reset:
            self._option(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._close()

    def vanish(self) -> None:
        """Be gone without a packet: the other side finds out when it next sends something. Needs CAP_NET_ADMIN, and else it only closes."""
        with suppress(PermissionError):
            self._option(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        self._close()

    def half_close(self) -> None:
        """Say in TCP that no more will come, and go on reading."""
        if self._tls is not None:
            self._open = False
            self._loop.watch(self._fd, LOST, lambda _: self._lose())
            self._tls.shutdown(socket.SHUT_WR)

    def _option(self, *words: Any) -> None:
        found = self._tls or self._plain
        if found is not None:
            found.setsockopt(*words)

    def _close(self) -> None:
        self._loop.forget(self._fd)
        self._open = False
        for each in (self._tls, self._plain):
            if each is not None:
                each.close()
        self._tls = self._plain = None

    def _lose(self) -> None:
        self._close()
        self._owner.lost()

    def _watch(self) -> None:
        mask = LOST | (select.EPOLLIN if self._reading else 0) | (select.EPOLLOUT if self._out else 0)
        if mask != self._mask:
            self._mask = mask
            self._loop.watch(self._fd, mask, self._ready)

    def _shake(self, _: int) -> None:
        try:
            if self._tls is None:
                assert self._plain is not None
                self._tls = self._context.wrap_socket(self._plain, do_handshake_on_connect=False, suppress_ragged_eofs=False)
                self._plain = None
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._loop.watch(self._fd, select.EPOLLIN, self._shake)
        except ssl.SSLWantWriteError:
            self._loop.watch(self._fd, select.EPOLLOUT, self._shake)
        except OSError:
            self._lose()
        else:
            self._open = True
            self._watch()
            self._owner.connected()

    def _ready(self, event: int) -> None:
        if event & select.EPOLLOUT:
            self._flush()
        if event & select.EPOLLIN and self._open:
            self._read()
        elif event & LOST and self._open:
            self._lose()

    def _read(self) -> None:
        tls = self._tls
        try:
            data = tls.read(RECORD)
            while tls.pending():
                data += tls.read(RECORD)
        except ssl.SSLWantReadError:
            return
        except OSError:
            self._lose()
            return
        if not data:
            self._lose()
            return
        lines = (self._partial + data).split(b"\n") if self._partial else data.split(b"\n")
        self._partial = lines.pop()
        if lines:
            self._owner.told(lines)

    def _flush(self) -> None:
        try:
            while self._out:
                self._out = self._out[self._tls.write(self._out) :]
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            pass
        except OSError:
            # Reading will tell that it is lost.
            self._out = b""
        self._watch()
