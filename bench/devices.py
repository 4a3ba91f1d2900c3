"""
Members' devices: programs that stay logged in, ask for things, and come back when they are cut off, to ask again for what was not answered.

A device does what the protocol's manual tells the author of a client to do: it resumes with its latest token, catches up with C{since},
and repeats with the same key whatever it does not know the end of.
"""

from __future__ import annotations

import ssl
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from random import Random
from typing import Any

import msgspec
from wires import Loop, Wire
from witness import Ear, Witness, between

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode

RETRY_SECONDS = 0.5
# So many of those that come back are gone again before they have an answer.
HASTY = 0.1


class Histogram:
    """How long things took, in tenths of a millisecond."""

    LAST = 300_000

    def __init__(self) -> None:
        self.counts: Counter[int] = Counter()
        self.total = 0

    def add(self, seconds: float) -> None:
        self.counts[min(int(seconds * 10_000), self.LAST)] += 1
        self.total += 1

    def take(self, other: Histogram) -> None:
        self.counts.update(other.counts)
        self.total += other.total

    def ms(self, share: float) -> float:
        """So long, at most, took this share of them."""
        left = share * self.total
        for tenth in sorted(self.counts):
            left -= self.counts[tenth]
            if left <= 0:
                return (tenth + 1) / 10
        return 0.0


@dataclass
class Figures:
    """What was measured in a stretch of time."""

    answers: Histogram = field(default_factory=Histogram)
    deliveries: Histogram = field(default_factory=Histogram)
    late: Histogram = field(default_factory=Histogram)
    happened: Counter[str] = field(default_factory=Counter)


@dataclass
class Crowd:
    """
    What all devices share.

    @ivar figures: those of the present minute.
    @ivar stored: what the hub has kept, by kind; and characters of messages.
    @ivar ending: whether connections may now be lost.
    """

    loop: Loop
    port: int
    context: ssl.SSLContext
    witness: Witness
    random: Random
    figures: Figures = field(default_factory=Figures)
    stored: Counter[str] = field(default_factory=Counter)
    ending: bool = False


@dataclass
class Request:
    """
    What a device asks for.

    @ivar due: when it was to be sent, in seconds of the soak. What is measured begins then, so that a load that is late hides nothing.
    @ivar done: called with the result.
    @ivar times: how often it was sent.
    """

    kind: str
    method: str
    params: dict[str, Any]
    due: float
    done: Callable[[dict[str, Any], Request], None]
    times: int = 0

    @property
    def key(self) -> str | None:
        return self.params.get("key")


class State(Enum):
    OFFLINE = auto()
    COMING = auto()
    READY = auto()
    STALLED = auto()
    CLOSING = auto()


class Member:
    """
    Who has the devices.

    @ivar rooms: those that they are always in.
    @ivar friends: with whom they have direct conversations.
    @ivar visits: the room in which they are besides, for the moment, with the device that took them there.
    """

    def __init__(self, username: str, rooms: list[str], friends: list[str]) -> None:
        self.username = username
        self.rooms = rooms
        self.friends = friends
        self.visits: str | None = None
        self.devices: list[Device] = []


class Device:
    """
    @ivar token: that of the latest login.
    @ivar since: up to which message it knows a conversation, by place as the member calls it.
    @ivar slow: whether it sometimes reads too little.
    @ivar may_be_cut: whether the hub has a reason to cut it now.
    @ivar unanswered: what has to be asked again, in its order.
    """

    def __init__(self, crowd: Crowd, member: Member, name: str, token: str, *, slow: bool) -> None:
        self.crowd = crowd
        self.member = member
        self.name = name
        self.token = token
        self.slow = slow
        self.state = State.OFFLINE
        self.since = dict.fromkeys([*member.rooms, *(f"@{each}" for each in member.friends)], 0)
        self.may_be_cut = False
        self.wire: Wire | None = None
        self.ear: Ear | None = None
        self.unanswered: list[Request] = []
        self.ready_at = 0.0
        self.once_ready: Callable[[], None] | None = None
        self._pending: dict[int, Request] = {}
        self._sent = 0
        self._keys = 0
        self._joined: set[str] = set()
        self._spoken_to = False
        self._greeting = 0
        self._hasty = False

    def __str__(self) -> str:
        return f"{self.member.username}'s {self.name}"

    def key(self) -> str:
        """A new one, which no other request of the soak has."""
        self._keys += 1
        return f"{self.name}-{self._keys}"

    @property
    def waits(self) -> bool:
        """Whether something that it asked for has not been answered."""
        return bool(self._pending or self.unanswered)

    def connect(self) -> None:
        self.state = State.COMING
        self._spoken_to = self.may_be_cut = False
        self._joined.clear()
        self.wire = Wire(self.crowd.loop, self.crowd.port, self.crowd.context, self, narrow=self.slow)

    def ask(self, request: Request) -> None:
        assert self.wire is not None
        self.wire.send(self._line(request))

    def begin_to_ask(self, request: Request) -> None:
        """Send the first half of a request."""
        assert self.wire is not None
        line = self._line(request)
        self.wire.send(line[: len(line) // 2])

    def _line(self, request: Request) -> bytes:
        assert self.wire is not None
        self._sent += 1
        request.times += 1
        self._pending[self._sent] = request
        if request.key is not None:
            self.crowd.witness.sent(request.key, self.wire.number)
        return _encode({"jsonrpc": "2.0", "id": self._sent, "method": request.method, "params": request.params}) + b"\n"

    # The connection, as its owner.

    def connected(self) -> None:
        """Log in, ask again for what was not answered, and catch up: all in one go."""
        repeated, self.unanswered = self.unanswered, []
        requests = [Request("resume", "auth.resume", {"token": self.token}, self.crowd.loop.now, self._resumed), *repeated]
        requests += [self._join(place, since) for place, since in self.since.items()]
        self._greeting = len(requests)
        assert self.wire is not None
        self.wire.send(b"".join(map(self._line, requests)))
        if self._hasty:
            self.vanish("while it logged in")

    def told(self, lines: list[bytes]) -> None:
        for line in lines:
            if line[:1] == b"{":
                self._spoken_to = True
                said = _decode(line)
                if "method" in said:
                    self._hear(said["method"], said["params"])
                else:
                    self._answered(said)
            elif self._spoken_to or line[:1] != b"*":
                self._note("line that is neither answer nor event", repr(line[:80]))
            if self.wire is None:
                return

    def lost(self) -> None:
        """The connection was not closed by this device."""
        happened = self.crowd.figures.happened
        if self.state is State.CLOSING:
            happened["closed after we did so"] += 1
        elif self.may_be_cut:
            happened["cut"] += 1
        elif not self.crowd.ending:
            self._note("connection lost", f"{self.state.name.lower()}, {len(self._pending)} unanswered")
        self._gone()
        self.crowd.loop.after(RETRY_SECONDS + self.crowd.random.random(), self.connect)

    # Misbehaviour.

    def vanish(self, way: str) -> None:
        """Be gone from one moment to the other, and come back after some seconds."""
        assert self.wire is not None
        wire = self.wire
        self.crowd.figures.happened[f"vanished: {way}"] += 1
        if way == "half-closed":
            self.state = State.CLOSING
            wire.half_close()
            self.crowd.loop.after(10.0, self._expect_closed, wire)
            return
        if way == "no packet":
            wire.vanish()
        else:
            wire.close(reset=self.crowd.random.random() < 0.5)
        self._gone()
        self._hasty = not self._hasty and not self.crowd.ending and self.crowd.random.random() < HASTY
        self.crowd.loop.after(self.crowd.random.uniform(0.2, 8.0), self.connect)

    def _expect_closed(self, wire: Wire) -> None:
        if self.wire is wire:
            self._note("not closed", "ten seconds after it said that no more will come")
            wire.close()
            self.lost()

    def stall(self, on: bool) -> None:
        """Read nothing, or read on."""
        assert self.wire is not None
        self.state = State.STALLED if on else State.READY
        self.wire.read_on(not on)

    def _gone(self) -> None:
        self.state = State.OFFLINE
        self.wire = None
        if self.ear is not None:
            for place in self._joined:
                following = self.ear.following.get(self.place(place))
                if following is not None and following.after is not None:
                    self.since[place] = following.after
            self.ear.close()
            self.ear = None
        pending, self._pending = self._pending, {}
        self.unanswered += [request for request in pending.values() if request.key is not None]

    # What comes.

    def place(self, name: str) -> str:
        """A conversation as all call it."""
        return between(self.member.username, name[1:]) if name.startswith("@") else name

    def _answered(self, said: dict[str, Any]) -> None:
        request = self._pending.pop(said["id"], None)
        if request is None:
            self._note("answer that nobody waits for", str(said)[:120])
            return
        now = self.crowd.loop.now
        self.crowd.figures.happened["answers"] += 1
        if request.times == 1 and not self.slow and not self._greeting:
            self.crowd.figures.answers.add(now - request.due)
        if "error" in said:
            code = said["error"]["data"]["code"]
            self._note(f"refused: {code}", f"{request.method} {str(request.params)[:80]}: {said['error']['message']}")
        else:
            request.done(said["result"], request)
        if self._greeting:
            self._greeting -= 1
            if not self._greeting:
                self._is_ready()

    def _is_ready(self) -> None:
        self.state = State.READY
        self.ready_at = self.crowd.loop.now
        self.crowd.figures.happened["back"] += 1
        if self.once_ready is not None:
            once_ready, self.once_ready = self.once_ready, None
            once_ready()

    def _resumed(self, result: dict[str, Any], _: Request) -> None:
        assert self.wire is not None
        self.token = result["resume"]
        self.ear = Ear(self.crowd.witness, self.wire.number, self.member.username, self.crowd.loop.now)

    def _join(self, place: str, since: int) -> Request:
        def joined(result: dict[str, Any], _: Request) -> None:
            assert self.ear is not None
            self.ear.follow(self.place(place), since, live=False)
            self._joined.add(place)

        return Request("join", "chat.join", {"room": place, "since": since}, self.crowd.loop.now, joined)

    def visited(self, room: str, result: dict[str, Any], request: Request) -> None:
        """It has joined a room for a while."""
        assert self.ear is not None
        self.since[room] = result["seq"]
        if request.times > 1:
            # Maybe it has been in there for some time.
            self.ask(self._join(room, result["seq"]))
            return
        self.ear.follow(room, result["seq"], live=True)
        self._joined.add(room)

    def left(self, room: str) -> None:
        assert self.ear is not None
        self.ear.leave(room)
        self.forget(room)

    def forget(self, room: str) -> None:
        """It is about to leave a room, and will not join it any more when it comes back."""
        self.since.pop(room, None)
        self._joined.discard(room)

    def _hear(self, method: str, params: dict[str, Any]) -> None:
        figures = self.crowd.figures
        if self.ear is None:
            self._note("event before the login", method)
            return
        if method == "chat.message":
            message = self.ear.hear(params["room"], params["seq"], params["from"], params["text"])
        elif method == "chat.direct":
            message = self.ear.hear(between(params["from"], params["to"]), params["seq"], params["from"], params["text"])
        else:
            figures.happened["other events"] += 1
            self._hear_other(method, params)
            return
        figures.happened["deliveries"] += 1
        if message is None or self.slow or self._greeting:
            return
        # Neither what this device has missed nor what its sender had to ask for again says how fast the hub is.
        if message.asked > self.ready_at and len(message.connections) == 1:
            figures.deliveries.add(self.crowd.loop.now - message.asked)

    def _hear_other(self, method: str, params: dict[str, Any]) -> None:
        assert self.ear is not None
        if method == "ledger.received":
            self.ear.receive(params["transfer"], params["from_name"], units(params["amount"]), params["memo"])
        elif method == "chat.parted" and params["username"] == self.member.username:
            self.ear.leave(params["room"])
        elif method == "chat.joined" and params["username"] == self.member.username:
            self.ear.follow(params["room"], None, live=True)
        elif method == "hub.bye" and not self.crowd.ending:
            self._note("goodbye", params["reason"])

    def _note(self, kind: str, told: str) -> None:
        self.crowd.witness.findings.note(kind, f"{self}, at {self.crowd.loop.now:.1f} s: {told}")


def units(amount: str) -> int:
    """An amount with two decimals in the currency's smallest units."""
    whole, _, rest = amount.partition(".")
    return int(whole + rest)
