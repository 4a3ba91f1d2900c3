"""
What is said between a client and a hub, line by line, and whose turn it is. Nothing here reads or writes anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import NamedTuple

from msgspec import UNSET

from securehub.refusals import Refusal
from securehub.wire import characters, jsonrpc

# "* New password:", say. Other events have a name, a number or a text in their first line, except an announcement of several lines.
_PROMPT = re.compile(rb"\* (?!Announcement:)[A-Z][A-Za-z ]*:")
# The hub closes the connection after this one, so its end is no fault.
_GOODBYE = re.compile(rb'\s*(?:hub\.)?quit\s*|.*"hub\.quit".*', re.IGNORECASE)


class Kind(Enum):
    """What a line of the hub's is, for whoever waits for an answer."""

    ANSWER = auto()
    """The end of an answer."""

    REFUSAL = auto()
    """Likewise, of one that says no."""

    PROMPT = auto()
    """A question: the next line that is said answers it, and is no request."""

    OTHER = auto()
    """An event, or a part of an answer."""


class Heard(NamedTuple):
    """A line, without its end."""

    line: bytes
    kind: Kind


class Conversation:
    """
    @ivar waiting: whether the last request has not been answered yet. Until it is, nothing else should be asked, as answers do not say to
        what they belong.
    @ivar refused: whether any answer was a refusal.
    @ivar goodbye: whether the last request was to end it.
    """

    def __init__(self) -> None:
        self._rest = b""
        self.waiting = False
        self.refused = False
        self.goodbye = False

    def ask(self, line: bytes) -> None:
        """Note that this was said; not to be called for what answers a prompt."""
        self.goodbye = _GOODBYE.fullmatch(line) is not None
        self.waiting = is_answered(line)

    def hear(self, content: bytes) -> Iterator[Heard]:
        """
        @param content: bytes as they came.

        @return: the whole lines, each with what it is at that moment.
        """
        *lines, self._rest = (self._rest + content).split(b"\n")
        for line in lines:
            yield Heard(line, self._kind(line))

    def _kind(self, line: bytes) -> Kind:
        if not self.waiting:
            return Kind.OTHER
        if _PROMPT.fullmatch(line):
            return Kind.PROMPT
        if line.startswith((b"OK", b"ERR ")) or (line.startswith((b"{", b"[")) and b'"method":' not in line[:40]):
            self.waiting = False
            if line.startswith(b"ERR ") or b'"error":{"code":' in line:
                self.refused = True
                return Kind.REFUSAL
            return Kind.ANSWER
        return Kind.OTHER


def is_answered(line: bytes) -> bool:
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
