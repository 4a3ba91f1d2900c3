"""
Who may come in, and how much a stranger may ask for.

A stranger is a connection that nobody has logged in on. All strangers at one address share an allowance. Connections and requests take from
it, and a login gives back what its connection took: so it counts what came to nothing. When it is used up, strangers there are slowed down,
not refused, and no new connections come in from there. Only a few handshakes of an address may be unfinished, and the oldest makes room for
the next, so silent connections keep nobody out. It is the same when the hub is full: the stranger who has been here longest makes room for
the newcomer.

Nothing here knows the network; connections are told what to do (docs/decisions/0030-strangers.md has the reasons).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Protocol

from twisted.logger import Logger

from securehub.config import Settings
from securehub.origins import origin

_log = Logger()

GOODBYES = 100
"""Connections beyond the limit that may be told why they have to go; all others are closed at once. A goodbye costs a handshake."""

COMPLAINT_SECONDS = 60.0
"""How often the log is told that connections are turned away."""

ONE = 1 - 1e-6
"""One, less what rounding may take from added numbers."""

SWEEP_AT = 1_000
"""How many allowances are kept before those that are whole again are forgotten."""

FULL = "the hub has as many connections as it takes; try again later."
NEEDED = "your place is needed; log in to keep one."


class Guest(Protocol):
    """
    A connection, as far as the doorkeeper knows it.

    @ivar busy: whether it waits for something that the hub does; it is not sent away meanwhile.
    """

    @property
    def busy(self) -> bool: ...

    def say_bye(self, reason: str) -> None:
        """Close, telling why."""

    def abort(self) -> None:
        """Close at once."""


class Answer(Enum):
    """What happens to a new connection."""

    WELCOME = "may come in"
    GOODBYE = "is told why not, after the handshake"
    CLOSED = "is closed at once"


class _Visit:
    """
    What is known of a guest.

    @ivar place: whose allowance they use, see L{securehub.origins.Origin}; None for trusted ones.
    @ivar spent: what they took from it.
    @ivar unfinished: whether the handshake is.
    """

    __slots__ = ("place", "spent", "unfinished")

    def __init__(self, place: str | None) -> None:
        self.place = place
        self.spent = 0
        self.unfinished = True


class Allowance:
    """
    What strangers at one address may still ask for.

    @param most: how much may be saved up, and how much owed.
    @param each_second: what comes back in a second.
    """

    __slots__ = ("_at", "_each_second", "_left", "_most", "_promised")

    def __init__(self, most: int, each_second: float, now: float) -> None:
        self._most = most
        self._each_second = each_second
        self._left = float(most)
        self._at = self._promised = now

    def some_left(self, now: float) -> bool:
        """Whether there is enough for one more."""
        self._refill(now)
        return self._left >= ONE

    def wait(self, now: float) -> float:
        """
        Seconds to wait before asking again, 0 if there is enough for one more.

        Each one that waits gets a time of its own. If all came back at the same time, a thousand of them would come back a thousand times.
        """
        if self.some_left(now):
            return 0.0
        self._promised = max(now + (1 - self._left) / self._each_second, self._promised + 1 / self._each_second)
        return self._promised - now

    def take(self, units: int) -> None:
        # The debt is bounded, so that a client that asks for too much does not shut out all others at that address for long.
        self._left = max(self._left - units, -self._most)

    def give_back(self, units: int) -> None:
        self._left = min(self._left + units, self._most)

    def whole(self, now: float) -> bool:
        self._refill(now)
        return self._left >= self._most

    def _refill(self, now: float) -> None:
        self._left = min(self._left + (now - self._at) * self._each_second, self._most)
        self._at = now


class Doorkeeper:
    """
    Keeps the door of the network.

    @param seconds: the time, monotonic.

    @ivar turned_away: how many were not let in since the start.
    @ivar sent_away: how many strangers had to make room.
    """

    def __init__(self, settings: Settings, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._settings = settings
        self._inside: dict[Guest, _Visit] = {}
        # In the order in which they became strangers.
        self._strangers: dict[Guest, None] = {}
        self._leaving: dict[Guest, None] = {}
        self._unfinished: dict[str, dict[Guest, None]] = {}
        self._allowances: dict[str, Allowance] = {}
        self._sweep_at = SWEEP_AT
        self._complained_at: float | None = None
        self.turned_away = 0
        self.sent_away = 0

    @property
    def unfinished(self) -> int:
        """Handshakes that are not over."""
        return sum(visit.unfinished for visit in self._inside.values())

    def arrive(self, guest: Guest, address: str) -> Answer:
        """Somebody has connected."""
        _, household, loopback = origin(address)
        place = None if self._settings["trust_loopback"] and loopback else household
        if place is not None:
            if not self._allowance(place).some_left(self._seconds()):
                return self._refuse(f"{address} asks for too much without a login")
            self._allowance(place).take(1)
            unfinished = self._unfinished.get(place, {})
            if len(unfinished) >= self._settings["handshakes_per_address"]:
                self._forget(oldest := next(iter(unfinished)))
                oldest.abort()
        most = self._settings["connections"]
        if len(self._inside) >= most and not self._make_room():
            answer = self._refuse(f"all {most} places are taken")
            if len(self._leaving) < GOODBYES:
                self._leaving[guest] = None
                answer = Answer.GOODBYE
            return answer
        self._inside[guest] = visit = _Visit(place)
        if place is not None:
            visit.spent = 1
            self._unfinished.setdefault(place, {})[guest] = None
            self._strangers[guest] = None
        return Answer.WELCOME

    def shook_hands(self, guest: Guest) -> bool:
        """
        A handshake is over.

        @return: whether what this guest asks for before a login is counted.
        """
        visit = self._inside.get(guest)
        if visit is None:
            return False
        self._finish(guest, visit)
        return visit.place is not None

    def wait(self, stranger: Guest) -> float:
        """Seconds that a stranger's next request has to wait."""
        visit = self._inside.get(stranger)
        if visit is None or visit.place is None:
            return 0.0
        return self._allowance(visit.place).wait(self._seconds())

    def charge(self, stranger: Guest, units: int) -> None:
        """A stranger has asked for something, or was answered."""
        visit = self._inside.get(stranger)
        if visit is not None and visit.place is not None:
            visit.spent += units
            self._allowance(visit.place).take(units)

    def logged_in(self, guest: Guest) -> None:
        """A stranger has logged in, and gets back what their connection took."""
        self._strangers.pop(guest, None)
        visit = self._inside.get(guest)
        if visit is not None and visit.place is not None:
            self._allowance(visit.place).give_back(visit.spent)
            visit.spent = 0

    def logged_out(self, guest: Guest) -> None:
        """A guest is a stranger again."""
        if guest in self._inside:
            self._strangers[guest] = None

    def lost(self, guest: Guest) -> None:
        """A connection is gone, whether it was let in or not."""
        self._leaving.pop(guest, None)
        if guest in self._inside:
            self._forget(guest)

    def _make_room(self) -> bool:
        """Send away the stranger who has been here longest, if there is one."""
        stranger = next((each for each in self._strangers if not each.busy), None)
        if stranger is None:
            return False
        self.sent_away += 1
        self._forget(stranger)
        if len(self._leaving) < GOODBYES:
            self._leaving[stranger] = None
            stranger.say_bye(NEEDED)
        else:
            stranger.abort()
        return True

    def _refuse(self, reason: str) -> Answer:
        self.turned_away += 1
        now = self._seconds()
        if self._complained_at is None or now - self._complained_at >= COMPLAINT_SECONDS:
            self._complained_at = now
            _log.warn("Connections are turned away ({number} since the start): {reason}.", number=self.turned_away, reason=reason)
        return Answer.CLOSED

    def _forget(self, guest: Guest) -> None:
        self._strangers.pop(guest, None)
        self._finish(guest, self._inside.pop(guest))

    def _finish(self, guest: Guest, visit: _Visit) -> None:
        if visit.unfinished:
            visit.unfinished = False
            if visit.place is not None:
                unfinished = self._unfinished[visit.place]
                del unfinished[guest]
                if not unfinished:
                    del self._unfinished[visit.place]

    def _allowance(self, place: str) -> Allowance:
        allowance = self._allowances.get(place)
        if allowance is None:
            now = self._seconds()
            if len(self._allowances) >= self._sweep_at:
                self._allowances = {place: each for place, each in self._allowances.items() if not each.whole(now)}
                self._sweep_at = max(SWEEP_AT, 2 * len(self._allowances))
            allowance = self._allowances[place] = Allowance(
                self._settings["stranger_requests"], self._settings["stranger_requests_per_second"], now
            )
        return allowance
