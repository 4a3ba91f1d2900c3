"""
Conversations: what is said to the hub, and what it says, line by line.

A conversation is a text file. Its first lines, which start with C{#}, are its title and what it shows. Then come lines of this kind::

    C: alice  TRANSFER bob 12.50 for lunch
    S: bob    * You received 12.50 USD from alice: for lunch. Balance 62.50 USD.
    S: alice  OK Transfer 1: 12.50 USD to bob. Balance 87.50 USD.

C{C:} is what a client sends, C{S:} what the hub sends to it. All texts of a file begin in one column, two blanks after the longest name.
Whoever speaks for the first time is connected, and has heard the greeting; C{operator}, and who has a name that begins so, comes through
the admin door. Lines that one client sends one after the other are one packet.

In what the hub says, C{...} stands for any text, and more than three dots for themselves; in JSON, C{"..."} for any value, and as a name
for any further names. As a data line of its own it stands for any number of them. C{<token>} stands for a word, which from then on has
this name in what either side says. In what a client says, C{<x 500 times>} is what it says, C{<byte ff>} a byte, and C{<code of token>}
what an authenticator app makes of that word at this moment.

Between them something may happen, on a line that starts with C{--}::

    -- bob connects                 (and the greeting is to be heard)
    -- bob connects with the certificate laptop
    -- bob closes
    -- bob is disconnected          (by the hub)
    -- 30 seconds pass
    -- the hub restarts
    -- the hub is killed            (and starts again)
    -- registration is now closed   (a setting; the hub restarts for it)
    -- passwords take a while       (until they are verified)
    -- the passwords are verified
    -- the disk is full
    -- the disk has room again
    -- the certificate is broken    (that which a reload would read)
"""

from __future__ import annotations

import errno
import json
import re
from collections import deque
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from securehub import config
from tests.authenticator import Identity, code, identity
from tests.world import Client, World

SOME_LINES = "  ..."

FILES = Path(__file__).with_name("conversations")

_SAID = re.compile(r"([CS]): (\S+) *")
_CAPTURE = re.compile(r"<([a-z][a-z0-9-]*)>")
_TIMES = re.compile(r"<(.) ([0-9]+) times>")
_BYTE = re.compile(r"<byte ([0-9a-f]{2})>")
_PASS = re.compile(r"([0-9]+) seconds pass")
_SETS = re.compile(r"(\S+) is now (\S+)")
_ANY_TEXT = re.compile(r"(?<!\.)\.{3}(?!\.)")
_CODE = re.compile(r"<code of ([a-z][a-z0-9-]*)>")
_SHOWS = re.compile(r"(\S+) connects with the certificate (\S+)")
_DOES = re.compile(r"(\S+) (connects|closes|is disconnected)")


class Mismatch(AssertionError):
    """The hub said something else."""


class Line(NamedTuple):
    """
    One line of a conversation.

    @ivar kind: C{C}, C{S}, or C{-} for what happens.
    """

    place: int
    kind: str
    who: str
    text: str


def read(content: str) -> list[Line]:
    """The lines of a conversation, without its comments."""
    numbered = [(place, line) for place, line in enumerate(content.split("\n"), 1) if line and not line.startswith("#")]
    column = max(len(found[2]) for _, line in numbered if (found := _SAID.match(line))) + len("C: ") + 2
    return [_line(place, line, column) for place, line in numbered]


def _line(place: int, line: str, column: int) -> Line:
    if line.startswith("-- "):
        return Line(place, "-", "", line.removeprefix("-- "))
    said = _SAID.match(line)
    if said is None or len(said[0].rstrip()) > column or line[len(said[0].rstrip()) : column].strip():
        raise ValueError(f"line {place}: {line!r} does not begin its text in column {column + 1}")
    return Line(place, said[1], said[2], line[column:])


Chop = Callable[[bytes], Iterator[bytes]]


def whole(packet: bytes) -> Iterator[bytes]:
    """A packet as it is."""
    yield packet


def bytewise(packet: bytes) -> Iterator[bytes]:
    """A packet for each byte."""
    for byte in packet:
        yield bytes([byte])


def with_crlf(packet: bytes) -> Iterator[bytes]:
    """A packet whose lines end as on a teletype."""
    yield packet.replace(b"\n", b"\r\n")


class Player:
    """
    Plays a conversation in a world of its own.

    @param chop: how packets come in.
    """

    def __init__(self, chop: Chop) -> None:
        self._chop = chop
        self._world = World()
        self._clients: dict[str, Client] = {}
        self._heard: dict[str, deque[str]] = {}
        self._words: dict[str, str] = {}
        self._passing: set[str] = set()
        self._certificates: dict[str, Identity] = {}

    def play(self, lines: list[Line]) -> None:
        """
        @raise Mismatch: the hub said something else, or more.
        """
        for (kind, who), run in groupby(lines, key=lambda line: (line.kind, line.who)):
            if kind == "C":
                self._send(who, list(run))
            else:
                for line in run:
                    self._hear(line) if kind == "S" else self._happen(line)
        for who in self._heard:
            self._refuse_unheard(who, lines[-1].place + 1)

    def _send(self, who: str, lines: list[Line]) -> None:
        client = self._clients.get(who) or self._connect(who, greeted=True)
        self._refuse_unheard(who, lines[0].place)
        packet = b"".join(_spoken(self._filled(line.text)) + b"\n" for line in lines)
        for part in self._chop(packet):
            if not client.closed:
                client.feed(part)
        self._settle()

    def _hear(self, line: Line) -> None:
        if line.text == SOME_LINES:
            self._passing.add(line.who)
            return
        heard = self._heard.get(line.who)
        if line.who in self._passing:
            self._passing.discard(line.who)
            while heard and heard[0].startswith("  ") and not self._fits(line.text, heard[0]):
                heard.popleft()
        if not heard:
            raise Mismatch(f"line {line.place}: {line.who} hears nothing, where this is expected:\n  {line.text}")
        said = heard.popleft()
        if not self._fits(line.text, said):
            raise Mismatch(f"line {line.place}: {line.who} hears\n  {said}\nwhere this is expected:\n  {line.text}")

    def _happen(self, line: Line) -> None:
        text = line.text
        if found := _DOES.fullmatch(text):
            self._do(found[1], found[2], line.place)
        elif found := _SHOWS.fullmatch(text):
            self._connect(found[1], greeted=False, certificate=self._certificate(found[2]))
        elif found := _PASS.fullmatch(text):
            self._world.elapse(int(found[1]))
        elif found := _SETS.fullmatch(text):
            self._world.settings[found[1]] = config.settings(options={found[1]: found[2]})[found[1]]
            self._restart(crash=False)
        elif text == "the hub restarts":
            self._restart(crash=False)
        elif text == "the hub is killed":
            self._restart(crash=True)
        elif text == "passwords take a while":
            self._world.hashing_waits = True
        elif text == "the passwords are verified":
            self._world.hashing_waits = False
        elif text == "the disk is full":
            self._world.directory.fail(OSError(errno.ENOSPC, "No space left on device"), times=None)
        elif text == "the disk has room again":
            self._world.directory.heal()
        elif text == "the certificate is broken":
            self._world.broken = "certificate.pem is not PEM, or is damaged"
        else:
            raise ValueError(f"line {line.place}: {text!r} cannot happen")
        self._settle()

    def _do(self, who: str, what: str, place: int) -> None:
        if what == "connects":
            self._connect(who, greeted=False)
        elif what == "closes":
            self._clients.pop(who).close()
        elif not self._clients[who].closed:
            raise Mismatch(f"line {place}: {who} is connected")
        else:
            del self._clients[who]

    def _connect(self, who: str, *, greeted: bool, certificate: Identity | None = None) -> Client:
        client = self._clients[who] = self._world.connect(operator=who.startswith("operator"), certificate=certificate)
        if greeted:
            client.received()
        self._heard.setdefault(who, deque())
        return client

    def _certificate(self, name: str) -> Identity:
        """A certificate that is good for a year from when it is first named."""
        return self._certificates.setdefault(name, identity(name, self._world.now()))

    def _restart(self, *, crash: bool) -> None:
        if crash:
            self._world.restart(crash=True)
        else:
            self._world.stop()
            # Those who were connected hear goodbye.
            self._settle()
            self._world.start_again()
        self._clients.clear()

    def _settle(self) -> None:
        self._world.settle()
        for who, client in self._clients.items():
            self._heard[who].extend(client.received())

    def _refuse_unheard(self, who: str, place: int) -> None:
        if self._heard.get(who):
            raise Mismatch(f"line {place}: before it, {who} hears besides\n  " + "\n  ".join(self._heard[who]))

    def _filled(self, text: str) -> str:
        """What a client says, with the words for which names stand."""
        text = _CODE.sub(lambda found: code(self._words[found[1]], self._world.now()), text)
        return _CAPTURE.sub(self._said_before, text)

    def _said_before(self, found: re.Match[str]) -> str:
        return self._words[found[1]]

    def _fits(self, expected: str, said: str) -> bool:
        if said.startswith(("{", "[")) and expected.startswith(("{", "[")):
            return self._fits_json(json.loads(expected), json.loads(said))
        if not said.strip():
            return not expected.strip()
        return self._fits_text(expected, said)

    def _fits_json(self, expected: Any, said: Any) -> bool:
        if expected == "...":
            return True
        if isinstance(expected, dict):
            if not isinstance(said, dict):
                return False
            wanted = {name: value for name, value in expected.items() if name != "..."}
            if not (wanted.keys() == said.keys() or ("..." in expected and wanted.keys() <= said.keys())):
                return False
            return all(self._fits_json(value, said[name]) for name, value in wanted.items())
        if isinstance(expected, list):
            return isinstance(said, list) and len(expected) == len(said) and all(map(self._fits_json, expected, said))
        if isinstance(expected, str) and isinstance(said, str):
            return self._fits_text(expected, said)
        return type(expected) is type(said) and bool(expected == said)

    def _fits_text(self, expected: str, said: str) -> bool:
        """Compare, and note the words that have not had a name."""
        pattern = ""
        fresh: list[str] = []
        for place, part in enumerate(_CAPTURE.split(expected)):
            if place % 2 == 0:
                pattern += ".*".join(map(re.escape, _ANY_TEXT.split(part)))
            elif part in self._words:
                pattern += re.escape(self._words[part])
            elif part in fresh:
                pattern += rf"(?:\{fresh.index(part) + 1})"
            else:
                fresh.append(part)
                pattern += r"(\S+)"
        found = re.fullmatch(pattern, said)
        if found is None:
            return False
        self._words.update(zip(fresh, found.groups(), strict=True))
        return True


def _spoken(text: str) -> bytes:
    """What a client's line stands for."""
    repeated = _TIMES.sub(lambda found: found[1] * int(found[2]), text)
    parts = _BYTE.split(repeated)
    return b"".join(bytes.fromhex(part) if place % 2 else part.encode() for place, part in enumerate(parts))
