"""
How the benchmarks talk to a hub, line by line: over TLS, or through its admin door.
"""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from servers import Server

PATIENCE_SECONDS = 30


def trusting() -> ssl.SSLContext:
    """For clients that ask nobody who they are: they talk to what was started on this machine just now."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@contextmanager
def connected(server: Server) -> Iterator[TextIO]:
    """A connection over TLS."""
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS) as plain,
        trusting().wrap_socket(plain) as connection,
        connection.makefile("rw") as lines,
    ):
        yield lines


@contextmanager
def at_the_door(state: Path) -> Iterator[TextIO]:
    """A connection through the admin door of the hub on this state directory."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PATIENCE_SECONDS)
        connection.connect(str(state / "admin.sock"))
        with connection.makefile("rw") as lines:
            yield lines


def say(lines: TextIO, request: str) -> None:
    """Make a request in the text form, which must not be refused."""
    lines.write(f"{request}\n")
    lines.flush()
    status = next(line for line in lines if not line.startswith(("*", " ")))
    if not status.startswith("OK"):
        raise SystemExit(f"{request}: {status}")
