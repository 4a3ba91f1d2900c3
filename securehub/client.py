"""
A small line client: C{python -m securehub.client}, or C{securehub-client}.

Lines from the standard input go to a hub, one at a time, and what it says comes to the standard output. Without HOST it goes through the
admin door. It knows just enough of the protocol to wait for each answer, so that C{echo "DEPOSIT alice 100" | securehub-client} prints the
answer and ends.
"""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import ssl
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from contextlib import suppress
from getpass import getpass
from hashlib import sha256
from pathlib import Path

from msgspec import UNSET

from securehub import config, program
from securehub.refusals import Refusal
from securehub.wire import characters, jsonrpc

PORT = 5555
STDIN = 0
LOOPBACK = ("localhost", "127.0.0.1", "::1")
TERMINAL_BYTES = 4095
"""The longest line that Linux accepts from a terminal (N_TTY_BUF_SIZE, the line's end included); it silently drops the rest."""

# "* New password:", say. Other events have a name, a number or a text in their first line, except an announcement of several lines.
_PROMPT = re.compile(rb"\* (?!Announcement:)[A-Z][A-Za-z ]*:")
# The hub closes the connection after this one, so its end is no fault.
_GOODBYE = re.compile(rb'\s*(?:hub\.)?quit\s*|.*"hub\.quit".*', re.IGNORECASE)
_ADDRESS = re.compile(r"(?:\[(?P<six>[^\]]+)\]|(?P<host>[^:\[\]]+))(?::(?P<port>[0-9]{1,5}))?")


class CannotConnect(Exception):
    """There is no hub to talk to, or not the one that is meant; the text says why."""


class Client:
    """
    One conversation with a hub.

    @ivar refused: whether any answer was a refusal, or a line could not be sent.
    @ivar waiting: whether the last line has not been answered yet.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._heard = b""
        self._typed = b""
        self._ended = False
        self.waiting = False
        self._broken = False
        self._goodbye = False
        self.refused = False

    def talk(self) -> bool:
        """
        Pass lines to and fro until the standard input has ended and everything is answered, or the hub ends the connection.

        @return: whether everything was sent and answered.
        """
        while self.waiting or not self._ended or self._typed:
            if not self.waiting and self._send_next():
                continue
            sources: list[socket.socket | int] = [self._connection] if self.waiting or self._ended else [self._connection, STDIN]
            ready, _, _ = select.select(sources, [], [])
            if STDIN in ready:
                self._read_typed()
            if self._connection in ready:
                self._hear(self._receive())
                if self._broken:
                    return (self._ended or self._goodbye) and not self.waiting and not self._typed.strip()
        return True

    def _send_next(self) -> bool:
        """Send the next line that was typed, if there is a whole one."""
        line, end, rest = self._typed.partition(b"\n")
        if not end and not (self._ended and line):
            return False
        self._typed = rest
        if (unfit := _unfit(line)) and os.isatty(STDIN):
            _complain(f"not sent, as {unfit}")
            self.refused = True
            return True
        self._goodbye = _GOODBYE.fullmatch(line) is not None
        self._send(line)
        self.waiting = _is_answered(line)
        return True

    def _read_typed(self) -> None:
        content = os.read(STDIN, 65536)
        self._ended = not content
        self._typed += content

    def _receive(self) -> bytes:
        """All that is there; C{_broken} is set when no more will come."""
        # What makes the socket readable may be part of a TLS record, or no data at all (a session ticket): so never wait for more.
        self._connection.setblocking(False)
        received = []
        try:
            while content := self._connection.recv(65536):
                received.append(content)
            self._broken = True
        except (ssl.SSLWantReadError, BlockingIOError):
            pass
        except OSError:
            self._broken = True
        return b"".join(received)

    def _hear(self, content: bytes) -> None:
        *lines, self._heard = (self._heard + content).split(b"\n")
        for line in lines:
            sys.stdout.buffer.write(line + b"\n")
            sys.stdout.flush()
            if not self.waiting:
                continue
            if _PROMPT.fullmatch(line):
                self._send(self._secret())
            elif line.startswith((b"OK", b"ERR ")) or (line.startswith((b"{", b"[")) and b'"method":' not in line[:40]):
                self.waiting = False
                self.refused = self.refused or line.startswith(b"ERR ") or b'"error":{"code":' in line

    def _secret(self) -> bytes:
        """What a person is asked for: hidden on a terminal, where Ctrl-D cancels; else the next line of the input."""
        if os.isatty(STDIN):
            # A shell that resumes a stopped job makes the terminal show what is typed.
            stopped = signal.signal(signal.SIGTSTP, signal.SIG_IGN)
            try:
                return getpass("").encode()
            except EOFError:
                return b""
            except UnicodeError:
                _complain("cancelled, as the terminal sent what is no text")
                return b""
            finally:
                signal.signal(signal.SIGTSTP, stopped)
        while b"\n" not in self._typed and not self._ended:
            self._read_typed()
        line, _, self._typed = self._typed.partition(b"\n")
        return line

    def _send(self, line: bytes) -> None:
        self._connection.setblocking(True)
        # If the hub has ended the connection, read what it said last, and then the end.
        with suppress(OSError):
            self._connection.sendall(line + b"\n")


def _unfit(line: bytes) -> str:
    """Why a line cannot be what a person meant to type on a terminal; empty if it can."""
    if len(line) >= TERMINAL_BYTES:
        return f"a terminal cuts a line off at {TERMINAL_BYTES:,} bytes; give this one from a file"
    if b"\x1b" in line:
        return "arrows and the like move nothing here; with rlwrap before this program's name they do"
    return ""


def _is_answered(line: bytes) -> bool:
    """Whether a line gets an answer: not if it is empty, a notification, or a batch of notifications only. A wrong line gets one."""
    if not line.strip(b" \t\r"):
        return False
    if line[:1] not in b"{[":
        return True
    try:
        text, plain = characters.decode(line.removesuffix(b"\r"))
        requests = jsonrpc.read_batch(text) if text[0] == "[" else [jsonrpc.read(text, plain)]
    except Refusal:
        return True
    return any(isinstance(each, Refusal) or each.id is not UNSET for each in requests)


def open_admin_door(state: Path) -> socket.socket:
    """
    @raise CannotConnect: no hub runs on that state directory, or it is not ours.
    """
    connection, door = socket.socket(socket.AF_UNIX), config.admin_socket(state)
    try:
        connection.connect(str(door))
    except OSError as error:
        raise CannotConnect(f"{door}: {error.strerror or error}; does a hub run with --state {state}?") from None
    return connection


def open_port(
    host: str,
    port: int,
    *,
    fingerprint: str | None = None,
    ca: Path | None = None,
    certificate: Path | None = None,
    key: Path | None = None,
) -> socket.socket:
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
        connection = context.wrap_socket(socket.create_connection((host, port), timeout=30), server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        advice = "" if ca else "; give the hub's CA with --ca, or its --fingerprint"
        raise CannotConnect(f"{host}:{port}: the certificate is not trusted: {error.verify_message.rstrip('.')}{advice}") from None
    except (OSError, UnicodeError) as error:
        raise CannotConnect(f"{host}:{port}: {error}") from None
    found = sha256(connection.getpeercert(binary_form=True) or b"").hexdigest()
    if fingerprint and fingerprint.replace(":", "").lower() != found:
        raise CannotConnect(f"{host}:{port} has the certificate {found}, which is not the one that was asked for")
    return connection


def _address(text: str) -> tuple[str, int]:
    found = _ADDRESS.fullmatch(text)
    if found is None:
        raise ValueError
    port = int(found["port"] or PORT)
    if not 1 <= port <= 65535:
        raise ValueError
    return found["six"] or found["host"], port


_address.__name__ = "address"


def main(arguments: Sequence[str] | None = None) -> int:
    """
    @return: the exit status: 0; 1 if a request was refused; 2 if the connection was not made or broke off, or nothing can be printed.
    """
    return program.run("securehub-client", lambda: _main(arguments))


def _main(arguments: Sequence[str] | None) -> int:
    parser = ArgumentParser("securehub-client", description="Talk to a hub, line by line. Without HOST, through its admin door.")
    parser.add_argument("address", metavar="HOST[:PORT]", nargs="?", type=_address, help="connect over TLS; the port is 5555 by default")
    parser.add_argument("--state", metavar="DIR", type=Path, help="the state directory whose admin door is used")
    parser.add_argument("--fingerprint", help="the SHA-256 fingerprint that the hub's certificate must have")
    parser.add_argument("--ca", metavar="FILE", type=Path, help="the CA that must have signed the hub's certificate: its ca.pem, say")
    parser.add_argument("--cert", metavar="FILE", type=Path, help="a client certificate to connect with, in PEM form")
    parser.add_argument("--key", metavar="FILE", type=Path, help="its key; if it is not given, the key is in the file of the certificate")
    given = parser.parse_args(arguments)
    if given.address and given.state:
        parser.error("HOST and --state exclude each other")
    if given.ca and given.fingerprint:
        parser.error("--ca and --fingerprint exclude each other")
    if (given.cert and not given.address) or (given.key and not given.cert):
        parser.error("--cert is for connecting to HOST, and --key belongs to it")
    try:
        with _connect(given) as connection:
            client = Client(connection)
            complete = client.talk()
    except CannotConnect as error:
        _complain(str(error))
        return program.CANNOT
    except KeyboardInterrupt:
        return program.CANNOT
    if not complete:
        _complain("the connection ended before the answer came" if client.waiting else "the connection has ended")
        return program.CANNOT
    return int(client.refused)


def _complain(text: str) -> None:
    print(f"securehub-client: {text}", file=sys.stderr)


def _connect(given: Namespace) -> socket.socket:
    if given.address is None:
        return open_admin_door(given.state or config.settings()["state"])
    host, port = given.address
    return open_port(host, port, fingerprint=given.fingerprint, ca=given.ca, certificate=given.cert, key=given.key)


if __name__ == "__main__":
    raise SystemExit(main())
