"""
The two things that systemd and a daemon tell each other: sd_notify(3), and sockets that are handed over, sd_listen_fds(3).

Both are a few lines of a documented and frozen interface, so no library is needed for them. Twisted's own C{ListenFDs} is not used, because
it ignores sockets without names.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import MutableMapping
from contextlib import suppress

FIRST_DESCRIPTOR = 3
"""SD_LISTEN_FDS_START of sd_listen_fds(3)."""


class BadSocket(OSError):
    """A socket that was handed over cannot be listened on; the text says why."""


class Notifier:
    """
    Tells the service manager, if there is one, how the daemon is.

    @param environment: read, and cleared, so that no child process speaks for us.

    @ivar watchdog_seconds: how often the service manager wants to hear that we are alive; None if it does not.
    """

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        address = environment.pop("NOTIFY_SOCKET", "")
        microseconds = environment.pop("WATCHDOG_USEC", "")
        pid = environment.pop("WATCHDOG_PID", "")
        self._socket: socket.socket | None = None
        self.watchdog_seconds: float | None = None
        if address[:1] in ("/", "@"):
            self._address = "\0" + address[1:] if address[0] == "@" else address
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            # A service manager that does not listen must not block us.
            self._socket.setblocking(False)
        if microseconds.isdecimal() and int(microseconds) and pid in ("", str(os.getpid())):
            self.watchdog_seconds = int(microseconds) / 1_000_000

    def ready(self, status: str) -> None:
        self._send("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """Until L{ready} is called next."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        self._send("STOPPING=1", "STATUS=Stopping")

    def alive(self) -> None:
        self._send("WATCHDOG=1")

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, *lines: str) -> None:
        if self._socket is not None:
            with suppress(OSError):
                self._socket.sendto("\n".join(lines).encode(), self._address)


def inherited(environment: MutableMapping[str, str]) -> list[int]:
    """The descriptors of the sockets that were handed over to this process; the environment is cleared of them."""
    pid = environment.pop("LISTEN_PID", "")
    count = environment.pop("LISTEN_FDS", "")
    environment.pop("LISTEN_FDNAMES", "")
    if pid != str(os.getpid()) or not count.isdecimal():
        return []
    return list(range(FIRST_DESCRIPTOR, FIRST_DESCRIPTOR + int(count)))


def family(descriptor: int) -> socket.AddressFamily:
    """
    The address family of a TCP socket that listens.

    @raise BadSocket: it is something else.
    """
    try:
        with socket.socket(fileno=os.dup(descriptor)) as found:
            if found.family not in (socket.AF_INET, socket.AF_INET6) or found.type != socket.SOCK_STREAM:
                raise BadSocket(f"the socket {descriptor} that was handed over is not a TCP socket")
            if not found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                raise BadSocket(f"the socket {descriptor} that was handed over does not listen; is it Accept=yes?")
            return found.family
    except OSError as error:
        if isinstance(error, BadSocket):
            raise
        raise BadSocket(f"the socket {descriptor} that was handed over cannot be used: {error.strerror}") from None
