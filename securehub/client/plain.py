"""
Lines from the standard input, and what the hub says on the standard output: in a pipe, or on a terminal that only takes lines.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from getpass import getpass

from securehub.client.connection import Connection, complain
from securehub.client.conversation import Conversation, Kind

STDIN = 0
TERMINAL_BYTES = 4095
"""The longest line that Linux accepts from a terminal (N_TTY_BUF_SIZE, the line's end included); it silently drops the rest."""


class Plain:
    """One conversation with a hub."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._typed = b""
        self._ended = False
        self.conversation = Conversation()

    def talk(self) -> bool:
        """See L{securehub.client.Face}."""
        said, connection = self.conversation, self._connection
        while (busy := said.waiting or connection.sending) or not self._ended or self._typed:
            if not busy and self._send_next():
                continue
            sources: list[Connection | int] = [connection] if busy or self._ended else [connection, STDIN]
            ready, taking, _ = select.select(sources, [connection] if connection.sending else [], [])
            if taking:
                connection.send_on()
            if STDIN in ready:
                self._read_typed()
            if connection in ready:
                self._hear(connection.receive())
                if connection.broken:
                    return (self._ended or said.goodbye) and not said.waiting and not connection.sending and not self._typed.strip()
        return True

    def _send_next(self) -> bool:
        """Send the next line that was typed, if there is a whole one."""
        line, end, rest = self._typed.partition(b"\n")
        if not end and not (self._ended and line):
            return False
        self._typed = rest
        if (unfit := _unfit(line)) and os.isatty(STDIN):
            complain(f"not sent, as {unfit}")
            self.conversation.refused = True
            return True
        self.conversation.ask(line)
        self._connection.send(line)
        return True

    def _read_typed(self) -> None:
        content = os.read(STDIN, 65536)
        self._ended = not content
        self._typed += content

    def _hear(self, content: bytes) -> None:
        for heard in self.conversation.hear(content):
            sys.stdout.buffer.write(heard.line + b"\n")
            sys.stdout.flush()
            if heard.kind is Kind.PROMPT:
                self._connection.send(self._secret())

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
                complain("cancelled, as the terminal sent what is no text")
                return b""
            finally:
                signal.signal(signal.SIGTSTP, stopped)
        while b"\n" not in self._typed and not self._ended:
            self._read_typed()
        line, _, self._typed = self._typed.partition(b"\n")
        return line


def _unfit(line: bytes) -> str:
    """Why a line cannot be what a person meant to type on a terminal; empty if it can."""
    if len(line) >= TERMINAL_BYTES:
        return f"a terminal cuts a line off at {TERMINAL_BYTES:,} bytes; give this one from a file"
    if b"\x1b" in line:
        return "arrows and the like move nothing here; with prompt_toolkit installed they do (pip install 'securehub[terminal]')"
    return ""
