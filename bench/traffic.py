"""
What a crowd of members does all day: talk, pay, look things up; and what it does that it should not: read too slowly, and be gone.

Requests come at a rate that does not depend on how the hub answers them (an open loop), at random times, from a random device.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from devices import Crowd, Device, Member, Request, State, units
from witness import Payment, between

WORDS = "the quick brown fox jumps over the lazy dog and is gone before anybody has seen it " * 50
LONG = 3500

# Of a hundred requests.
MIX = {
    "say": 44, "direct": 12, "pay": 12, "balance": 8, "history": 6, "mark": 6, "look": 5, "visit": 3, "status": 2, "order": 2,
}  # fmt: skip
LOOKS: dict[str, dict[str, Any]] = {
    "chat.unread": {},
    "chat.rooms": {"mine": True},
    "ledger.history": {"limit": 10},
    "orders.catalog": {},
    "hub.ping": {"text": "hello"},
}
# One message in so many is long, one in so many is said again with its key though it was answered.
LONG_ONE_IN, AGAIN_ONE_IN = 50, 50
# A request that finds no device that is there is given up after so many tries.
TRIES = 20

WAYS = {"in the middle of a line": 25, "with requests in flight": 35, "without a goodbye": 10, "no packet": 15, "half-closed": 15}

VISIT_SECONDS = 3.0, 15.0
# A pause is short enough not to pass the hub's limit; without one a device reads nothing until it is cut, or a little now and then.
PAUSE_SECONDS = 3.0, 8.0
READING_SECONDS = 2.0, 10.0
DRIP_SECONDS = 0.2
PATIENCE_SECONDS = 240.0


@dataclass(frozen=True)
class Rates:
    """
    In a second, of all together.

    @ivar busy: long messages in the one room where those are who read slowly.
    @ivar vanish: devices that vanish.
    """

    requests: float
    vanish: float
    busy: float = 10.0


class Traffic:
    """
    @param lobby: the room of many, in which less is said.
    @param busy: the room in which much is said.
    @param open_rooms: where one may go for a visit.
    @param wares: what can be ordered, with who sells it and its price in units.
    """

    def __init__(
        self,
        crowd: Crowd,
        members: list[Member],
        rates: Rates,
        *,
        lobby: str,
        busy: str,
        open_rooms: list[str],
        wares: dict[str, tuple[str, int]],
    ) -> None:
        self.crowd, self.members, self.rates = crowd, members, rates
        self.lobby, self.busy, self.open_rooms, self.wares = lobby, busy, open_rooms, wares
        self.devices = [device for member in members for device in member.devices]
        self.by_name = {member.username: member for member in members}
        self.talkers = [device for device in self.devices if busy in device.member.rooms and not device.slow]
        self.slow = [device for device in self.devices if device.slow]
        self.kinds, self.weights = list(MIX), list(MIX.values())
        self.on = False

    def start(self) -> None:
        self.on = True
        now = self.crowd.loop.now
        self._arrive(now, self.rates.requests, self._request)
        self._arrive(now, self.rates.vanish, self._vanish)
        self._arrive(now, self.rates.busy, self._talk)
        for device in self.slow:
            self.crowd.loop.after(self.crowd.random.uniform(*READING_SECONDS), self._read_slowly, device)

    def stop(self) -> None:
        """Nothing new is asked for, and who read slowly reads on."""
        self.on = False
        for device in self.slow:
            if device.state is State.STALLED:
                device.stall(False)

    def last_words(self) -> None:
        """Say one more thing in each room: if the hub holds a connection that is long gone, it finds out now."""
        speakers = {room: device for member in self.members for room in member.rooms for device in member.devices}
        for room, device in speakers.items():
            if device.state is State.READY:
                device.ask(self._spoken(device, self.crowd.loop.now, room, room, "chat.say", {"room": room}, 20))

    def _arrive(self, due: float, rate: float, act: Callable[[float], None]) -> None:
        """Do something at random times, so often on average."""
        if not self.on:
            return
        if due > self.crowd.loop.now:
            self.crowd.loop.at(due, self._arrive, due, rate, act)
            return
        act(due)
        following = due + self.crowd.random.expovariate(rate)
        self.crowd.loop.at(following, self._arrive, following, rate, act)

    def _someone(self, devices: list[Device]) -> Device | None:
        for _ in range(TRIES):
            device = self.crowd.random.choice(devices)
            if device.state is State.READY:
                return device
        self.crowd.figures.happened["nobody was there"] += 1
        return None

    def _request(self, due: float) -> None:
        device = self._someone(self.devices)
        if device is None:
            return
        self.crowd.figures.late.add(self.crowd.loop.now - due)
        request = self._make(device, due)
        device.ask(request)
        self.crowd.figures.happened["requests"] += 1

    def _make(self, device: Device, due: float) -> Request:
        kind = self.crowd.random.choices(self.kinds, self.weights)[0]
        return getattr(self, f"_{kind}")(device, due)

    # Talking.

    def _say(self, device: Device, due: float) -> Request:
        rooms = [room for room in device.member.rooms if room not in (self.lobby, self.busy)]
        if (self.lobby in device.member.rooms and self.crowd.random.random() < 0.02) or not rooms:
            rooms = [self.lobby]
        room = self.crowd.random.choice(rooms)
        return self._spoken(device, due, room, room, "chat.say", {"room": room}, self._length())

    def _direct(self, device: Device, due: float) -> Request:
        friend = self.crowd.random.choice(device.member.friends)
        place = between(device.member.username, friend)
        return self._spoken(device, due, place, f"@{friend}", "chat.direct", {"to": friend}, self._length())

    def _talk(self, due: float) -> None:
        device = self._someone(self.talkers)
        if device is not None:
            device.ask(self._spoken(device, due, self.busy, self.busy, "chat.say", {"room": self.busy}, LONG))

    def _length(self) -> int:
        return LONG if self.crowd.random.randrange(LONG_ONE_IN) == 0 else self.crowd.random.randint(20, 200)

    def _spoken(self, device: Device, due: float, place: str, name: str, method: str, params: dict[str, Any], length: int) -> Request:
        key = device.key()
        text = f"{key} {WORDS[:length].strip()}"
        self.crowd.witness.ask(key, place, device.member.username, text, due)

        def done(result: dict[str, Any], request: Request) -> None:
            self.crowd.witness.said(key, result["seq"])
            if request.times == 1:
                self.crowd.stored["message"] += 1
                self.crowd.stored["character"] += len(text)
            if device.ear is not None:
                device.ear.answered(place, result["seq"])
            self._again(device, request, result)

        return Request("say", method, params | {"text": text, "key": key}, due, done)

    def _again(self, device: Device, request: Request, result: dict[str, Any]) -> None:
        """Now and then ask again for what was answered: the answer is the same, and nobody hears of it."""
        if not self.on or self.crowd.random.randrange(AGAIN_ONE_IN):
            return

        def same(again: dict[str, Any], _: Request) -> None:
            if again != result:
                self.crowd.witness.findings.note("key answered in another way", f"{device}: {result} and {again}")

        device.ask(Request("again", request.method, request.params, self.crowd.loop.now, same, times=1))
        self.crowd.figures.happened["asked again though answered"] += 1

    # Money.

    def _pay(self, device: Device, due: float) -> Request:
        payer = device.member.username
        one, other = (each.username for each in self.crowd.random.sample(self.members, 2))
        payee = one if one != payer else other
        amount, key = self.crowd.random.randint(1, 999), device.key()
        self.crowd.witness.pay(key, Payment(payer, payee, amount, due))

        def done(result: dict[str, Any], request: Request) -> None:
            self.crowd.witness.paid(key, result["transfer"])
            if request.times == 1:
                self.crowd.stored["transfer"] += 1
            if units(result["amount"]) != amount:
                self.crowd.witness.findings.note("paid something else", f"{device}: {amount}, and it was {result}")
            self._again(device, request, result)

        params = {"to": payee, "amount": f"{amount // 100}.{amount % 100:02}", "memo": key, "key": key}
        return Request("pay", "ledger.transfer", params, due, done)

    def _order(self, device: Device, due: float) -> Request:
        wares = [sku for sku, (seller, _) in self.wares.items() if seller != device.member.username]
        sku, quantity, key = self.crowd.random.choice(wares), self.crowd.random.randint(1, 3), device.key()
        seller, price = self.wares[sku]
        self.crowd.witness.pay(key, Payment(device.member.username, seller, price * quantity, due, order=True))

        def done(result: dict[str, Any], request: Request) -> None:
            self.crowd.witness.paid(key, result["order"])
            if request.times == 1:
                self.crowd.stored["order"] += 1
            self._again(device, request, result)

        return Request("order", "orders.place", {"items": [{"sku": sku, "quantity": quantity}], "key": key}, due, done)

    def _balance(self, _: Device, due: float) -> Request:
        return Request("balance", "ledger.balance", {}, due, _nothing)

    # Looking.

    def _history(self, device: Device, due: float) -> Request:
        room = self.crowd.random.choice(device.member.rooms)

        def done(result: dict[str, Any], _: Request) -> None:
            numbers = [each["seq"] for each in result["items"]]
            if numbers != list(range(numbers[0], numbers[0] - len(numbers), -1) if numbers else ()):
                self.crowd.witness.findings.note("history with a gap", f"{device}: {room} {numbers}")
            for each in result["items"]:
                self.crowd.witness.show(room, each["seq"], each["from"], each["text"])

        return Request("history", "chat.log", {"room": room, "limit": 20}, due, done)

    def _look(self, _: Device, due: float) -> Request:
        method = self.crowd.random.choice(list(LOOKS))
        return Request("look", method, LOOKS[method], due, _nothing)

    def _mark(self, device: Device, due: float) -> Request:
        room = self.crowd.random.choice(device.member.rooms)

        def done(result: dict[str, Any], request: Request) -> None:
            if result["room"] != room:
                self.crowd.witness.findings.note("another room was marked", f"{device}: {room}, and it was {result}")
            self._kept(request)

        return Request("mark", "chat.read", {"room": room, "key": device.key()}, due, done)

    def _status(self, device: Device, due: float) -> Request:
        away = self.crowd.random.random() < 0.5
        params = {"text": "at lunch" if away else "", "away": away, "key": device.key()}
        return Request("status", "chat.status", params, due, lambda _, request: self._kept(request))

    def _kept(self, request: Request) -> None:
        if request.times == 1:
            self.crowd.stored["small"] += 1

    # Coming and going.

    def _visit(self, device: Device, due: float) -> Request:
        """Join a room for some seconds; a member is a guest in one room at a time."""
        member = device.member
        room = self.crowd.random.choice(self.open_rooms)
        if member.visits is not None or room in member.rooms:
            return self._balance(device, due)
        member.visits = room

        def joined(result: dict[str, Any], request: Request) -> None:
            device.visited(room, result, request)
            self._kept(request)
            self.crowd.loop.after(self.crowd.random.uniform(*VISIT_SECONDS), self._leave, device, room)

        return Request("visit", "chat.join", {"room": room, "key": device.key()}, due, joined)

    def _leave(self, device: Device, room: str) -> None:
        if not self.on:
            return
        if device.state is not State.READY:
            self.crowd.loop.after(1.0, self._leave, device, room)
            return

        def parted(_: dict[str, Any], request: Request) -> None:
            device.left(room)
            device.member.visits = None
            self._kept(request)

        device.forget(room)
        device.ask(Request("leave", "chat.part", {"room": room, "key": device.key()}, self.crowd.loop.now, parted))

    # What should not be.

    def _vanish(self, due: float) -> None:
        device = self._someone(self.devices)
        if device is None:
            return
        way = self.crowd.random.choices(list(WAYS), list(WAYS.values()))[0]
        if way == "with requests in flight":
            for _ in range(3):
                device.ask(self._make(device, due))
        elif way == "in the middle of a line":
            device.begin_to_ask(self._spoken(device, due, *self._some_room(device), self._length()))
        device.vanish(way)

    def _some_room(self, device: Device) -> tuple[str, str, str, dict[str, Any]]:
        room = device.member.rooms[0]
        return room, room, "chat.say", {"room": room}

    def _read_slowly(self, device: Device) -> None:
        """Read normally for a while, then pause, or stop for good, or take what comes in drops."""
        if not self.on:
            return
        again = self.crowd.random.uniform(*READING_SECONDS)
        if device.state is not State.READY or device.may_be_cut:
            self.crowd.loop.after(again, self._read_slowly, device)
            return
        way = self.crowd.random.choice(["paused", "stopped", "dripped"])
        self.crowd.figures.happened[f"reading {way}"] += 1
        device.stall(True)
        if way == "paused":
            self.crowd.loop.after(self.crowd.random.uniform(*PAUSE_SECONDS), self._read_on, device, device.wire)
        else:
            device.may_be_cut = True
            self.crowd.loop.after(PATIENCE_SECONDS, self._expect_cut, device, device.wire)
            if way == "dripped":
                self._drip(device, device.wire)
        self.crowd.loop.after(again, self._read_slowly, device)

    def _read_on(self, device: Device, wire: object) -> None:
        if device.wire is wire and device.state is State.STALLED:
            device.stall(False)

    def _drip(self, device: Device, wire: object) -> None:
        if self.on and device.wire is wire is not None and device.state is State.STALLED:
            device.wire.read_once()
            self.crowd.loop.after(DRIP_SECONDS, self._drip, device, wire)

    def _expect_cut(self, device: Device, wire: object) -> None:
        if self.on and device.wire is wire and device.state is State.STALLED:
            self.crowd.witness.findings.note("slow reader not cut", f"{device}, after {PATIENCE_SECONDS} s")
            device.stall(False)


def _nothing(_: dict[str, Any], __: Request) -> None:
    """The answer is not looked at."""
