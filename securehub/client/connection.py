"""
Connecting to a hub: over TLS, or through its admin door.
"""

from __future__ import annotations

import re
import socket
import ssl
import sys
from hashlib import sha256
from pathlib import Path
from types import TracebackType

from securehub import config
from securehub.network import keepalive

PORT = 5555
LOOPBACK = ("localhost", "127.0.0.1", "::1")

_ADDRESS = re.compile(r"(?:\[(?P<six>[^\]]+)\]|(?P<host>[^:\[\]]+))(?::(?P<port>[0-9]{1,5}))?")


class CannotConnect(Exception):
    """There is no hub to talk to, or not the one that is meant; the text says why."""


class Connection:
    """
    A connection with a hub. Nothing here waits for the hub: to send or to receive.

    @ivar broken: no more will come, as its end has been read.
    """

    def __init__(self, connected: socket.socket) -> None:
        connected.setblocking(False)
        self._socket = connected
        self._unsent = bytearray()
        self.broken = False

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._socket.close()

    def fileno(self) -> int:
        """To wait on until something can be received, or sent."""
        return self._socket.fileno()

    @property
    def sending(self) -> bool:
        """Whether something of what was said is not sent yet."""
        return bool(self._unsent)

    def receive(self) -> bytes:
        """All that is there, without waiting for more."""
        # What makes the socket readable may be part of a TLS record, or no data at all (a session ticket): so never wait for more.
        received = []
        try:
            while content := self._socket.recv(65536):
                received.append(content)
            self.broken = True
        except (ssl.SSLWantReadError, BlockingIOError):
            pass
        except OSError:
            self.broken = True
        return b"".join(received)

    def send(self, line: bytes) -> None:
        """
        Send a line, as far as the hub takes it now; L{send_on} once it takes more.

        @param line: without its end.
        """
        self._unsent += line + b"\n"
        self.send_on()

    def send_on(self) -> None:
        """Send more of what is not sent yet."""
        try:
            while self._unsent:
                del self._unsent[: self._socket.send(self._unsent)]
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError, BlockingIOError):
            pass
        except OSError:
            # The hub has ended the connection: read what it said last, and then the end.
            self._unsent.clear()


def open_admin_door(state: Path) -> Connection:
    """
    @raise CannotConnect: no hub runs on that state directory, or it is not ours.
    """
    opened, door = socket.socket(socket.AF_UNIX), config.admin_socket(state)
    try:
        opened.connect(str(door))
    except OSError as error:
        raise CannotConnect(f"{door}: {error.strerror or error}; does a hub run with --state {state}?") from None
    return Connection(opened)


def open_port(
    host: str,
    port: int,
    *,
    fingerprint: str | None = None,
    ca: Path | None = None,
    certificate: Path | None = None,
    key: Path | None = None,
) -> Connection:
    """
    Connect over TLS.

    A fingerprint settles who is at the other end. Without one, a certificate authority must have signed the certificate: one of the
    system's, or the one that is given. Only a hub on this machine is not checked, if no authority is given.

    @param ca: a file with the CA that must have signed the certificate; the hub's own is C{ca.pem} in its state directory.
    @param fingerprint: SHA-256, in hexadecimal, with or without colons.
    @param certificate: a file with a client certificate of ours, and its key where C{key} is None.

    @raise CannotConnect: nobody listens there, or it is not the hub that is meant.
    """
    try:
        context = ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise CannotConnect(f"{ca} cannot be used as a CA: {error.strerror or error}") from None
    context.set_alpn_protocols(["securehub/1"])
    if fingerprint or (host in LOOPBACK and ca is None):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate:
        try:
            context.load_cert_chain(certificate, key)
        except OSError as error:
            raise CannotConnect(f"{certificate} cannot be used as a client certificate: {error}") from None
    try:
        connected = socket.create_connection((host, port), timeout=30)
        keepalive.watch(connected)
        opened = context.wrap_socket(connected, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        advice = "" if ca else "; give the hub's CA with --ca, or its --fingerprint"
        raise CannotConnect(f"{host}:{port}: the certificate is not trusted: {error.verify_message.rstrip('.')}{advice}") from None
    except (OSError, UnicodeError) as error:
        raise CannotConnect(f"{host}:{port}: {getattr(error, 'strerror', None) or error}") from None
    found = sha256(opened.getpeercert(binary_form=True) or b"").digest().hex(":").upper()
    if fingerprint and fingerprint.replace(":", "").upper() != found.replace(":", ""):
        raise CannotConnect(f"{host}:{port} has the certificate {found}, which is not the one that was asked for")
    return Connection(opened)


def address(text: str) -> tuple[str, int]:
    """
    @param text: HOST or HOST:PORT; an IPv6 address stands in brackets.

    @raise ValueError: it is none.
    """
    found = _ADDRESS.fullmatch(text)
    if found is None:
        raise ValueError
    port = int(found["port"] or PORT)
    if not 1 <= port <= 65535:
        raise ValueError
    return found["six"] or found["host"], port


def complain(text: str) -> None:
    """Say on stderr what is wrong."""
    print(f"securehub-client: {text}", file=sys.stderr)
