"""
The line client: C{securehub-client}, or C{python -m securehub.client}.

Lines go to a hub, one at a time, and what it says is printed. Without HOST it goes through the admin door. In a pipe it knows just
enough of the protocol to wait for each answer (L{securehub.client.plain}), so that C{echo "DEPOSIT alice 100" | securehub-client} prints
the answer and ends. On a terminal it edits lines, completes commands, and keeps what comes in apart from what is being typed
(L{securehub.client.terminal}), if prompt_toolkit is installed.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from securehub import config, program
from securehub.client import connection
from securehub.client.connection import CannotConnect, Connection
from securehub.client.conversation import Conversation
from securehub.client.plain import Plain


class Face(Protocol):
    """
    How somebody talks to a hub.

    @ivar conversation: what was said so far.
    """

    conversation: Conversation

    def talk(self) -> bool:
        """
        Pass lines to and fro until there are no more and everything is answered, or the hub ends the connection.

        @return: whether everything was sent and answered.
        """


def main(arguments: Sequence[str] | None = None) -> int:
    """
    @return: the exit status: 0; 1 if a request was refused; 2 if the connection was not made or broke off, or nothing can be printed.
    """
    return program.run("securehub-client", lambda: _main(arguments))


def _main(arguments: Sequence[str] | None) -> int:
    parser = ArgumentParser("securehub-client", description="Talk to a hub, line by line; without HOST, through its admin door.")
    where = "connect over TLS; the port is 5555 by default"
    parser.add_argument("address", metavar="HOST[:PORT]", nargs="?", type=connection.address, help=where)
    parser.add_argument("--state", metavar="DIR", type=Path, help="the state directory whose admin door is used")
    parser.add_argument("--fingerprint", help="the SHA-256 fingerprint that the hub's certificate must have")
    parser.add_argument("--ca", metavar="FILE", type=Path, help="the CA that must have signed the hub's certificate, such as its ca.pem")
    parser.add_argument("--cert", metavar="FILE", type=Path, help="a client certificate to connect with, in PEM form")
    parser.add_argument("--key", metavar="FILE", type=Path, help="its key; without it, the key is in the certificate's file")
    parser.add_argument("--plain", action="store_true", help="on a terminal, too, read lines as it gives them, without editing")
    given = parser.parse_args(arguments)
    if given.address and given.state:
        parser.error("HOST and --state exclude each other")
    if given.ca and given.fingerprint:
        parser.error("--ca and --fingerprint exclude each other")
    if (given.cert and not given.address) or (given.key and not given.cert):
        parser.error("--cert is for connecting to HOST, and --key belongs to it")
    try:
        with _connect(given) as made:
            face = _face(made, plain=given.plain)
            complete = face.talk()
    except CannotConnect as error:
        connection.complain(str(error))
        return program.CANNOT
    except KeyboardInterrupt:
        return program.CANNOT
    if not complete:
        connection.complain("the connection ended before the answer came" if face.conversation.waiting else "the connection has ended")
        return program.CANNOT
    return int(face.conversation.refused)


def _connect(given: Namespace) -> Connection:
    if given.address is None:
        return connection.open_admin_door(given.state or config.settings()["state"])
    host, port = given.address
    return connection.open_port(host, port, fingerprint=given.fingerprint, ca=given.ca, certificate=given.cert, key=given.key)


def _face(made: Connection, *, plain: bool) -> Face:
    if not plain and sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") not in (None, "", "dumb"):
        try:
            from securehub.client.terminal import Terminal
        except ModuleNotFoundError:
            return Plain(made)
        return Terminal(made)
    return Plain(made)
