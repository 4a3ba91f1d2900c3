"""
Who hears which events.

A channel is a name; sessions listen to it. What a channel says, one event after the other, is a run: it is encoded once for each form that
somebody listens in, joined once, and handed to all who listen when the gate lets it out. So an event costs one write for each listener, and
less if several events leave together.

All events of a listener keep the order of their commits: a run ends as soon as another channel speaks.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Protocol

from securehub.event import MAX_EVENT, Bye, End, Event, ToOthers, Tune
from securehub.gate import Gate
from securehub.store.journal import Position
from securehub.store.transaction import ReadTransaction
from securehub.wire import jsonrpc, text


class Listener(Protocol):
    """
    Who can listen.

    @ivar number: tells it from all others.
    @ivar speaks_json: the form in which it hears.
    """

    number: int
    speaks_json: bool

    def hear(self, events: bytes, series: str | None) -> None:
        """
        Take events that are settled.

        @param series: the series to which all of them belong; None if they belong to none.
        """

    def tune(self, channel: str, on: bool) -> None:
        """Listen to a channel, or stop listening."""

    def tune_anew(self) -> None:
        """The commit that tuned it is undone: find out from the store what to hear."""

    def cut(self) -> None:
        """End the connection at once: what was to be heard is lost."""


Listeners = dict[Listener, None]
"""Not a set: listeners are told in the order in which they came, so that tests can be repeated."""

Subscription = Callable[[ReadTransaction, str], Iterable[str]]
"""A rule that gives channels which a member hears besides their own."""

Greeting = Callable[[ReadTransaction, str], Iterable[Event]]
"""A rule that gives what a member who has just logged in is told."""

FEW = 8
"""Up to this many listeners are asked for their form; more are assumed to speak both."""


class Ending(Listener, Protocol):
    """A listener of a channel on which sessions are ended: a member's, or a connection's."""

    def is_meant(self, end: End) -> bool: ...

    def end(self, bye: bytes) -> None:
        """Be ended."""


EVERYBODY = "everybody"
"""The channel of all sessions that are logged in as a member."""


def member(username: str) -> str:
    """The channel of all sessions of a member."""
    return f"member/{username}"


def connection(number: int) -> str:
    """The channel of one connection, whoever is logged in there."""
    return f"connection/{number}"


def role(name: str) -> str:
    """The channel of all sessions of all who have been granted a role."""
    return f"role/{name}"


def encode(event: Event, json: bool) -> bytes:
    """An event as it goes over the wire, with its line end."""
    form = jsonrpc.notification(event.method, event) + b"\n" if json else text.event(event.text())
    assert len(form) <= MAX_EVENT, f"{event.method}: {len(form)} bytes"
    return form


Prepared = tuple[str, Event, int | None, bytes | None, bytes | None]
"""
An announcement that is ready to be made: channel, event, the number of the listener that is not told, and the event in each form in which
somebody listens. A tuple without names, as one is made for each event.
"""


class Channel:
    """
    A name to which sessions listen.

    @ivar runs: what it has said, and the gate has not let out yet. They may share C{listeners}, which is changed in place only if no run
        shares it.
    """

    __slots__ = ("listeners", "runs")

    def __init__(self) -> None:
        self.listeners: Listeners = {}
        self.runs: list[Run] = []

    def add(self, listener: Listener) -> None:
        if self.runs:
            self.listeners = self.listeners.copy()
        self.listeners[listener] = None

    def remove(self, listener: Listener) -> None:
        """A listener that leaves hears no more, not even what is still on its way."""
        for run in self.runs:
            # From then on a run has listeners of its own.
            run.leave_out(listener)
        self.listeners.pop(listener, None)


class Run:
    """
    What one channel has said in one go, on its way to those who listened then.

    @param but: the number of the listener who is not told.
    """

    __slots__ = ("_but", "_channel", "_listeners", "_open", "_position", "_said", "_series")

    def __init__(self, channel: Channel, listeners: Listeners, position: Position | None, but: int | None, series: str | None) -> None:
        self._channel = channel
        self._listeners = listeners
        self._position = position
        self._series = series
        self._but = but
        self._open = True
        self._said: list[Prepared] = []
        channel.runs.append(self)

    def takes(self, listeners: Listeners, position: Position | None, but: int | None, series: str | None) -> bool:
        """Whether what its channel says next belongs to this run."""
        return listeners is self._listeners and position is self._position and but == self._but and series == self._series and self._open

    def add(self, said: Prepared) -> None:
        self._said.append(said)

    def leave_out(self, listener: Listener, series: str | None = None) -> None:
        """
        Do not tell one of them after all.

        @param series: only if the run is of that series.
        """
        if listener in self._listeners and (series is None or series == self._series):
            if self._open:
                # Until now they were shared with the channel, and maybe with other runs. The next one that is left out costs one step.
                self._open = False
                self._listeners = self._listeners.copy()
            del self._listeners[listener]

    def release(self) -> None:
        """Tell all of them, encoding the events again if somebody has changed to a form in which nobody listened before."""
        self._close()
        as_text = as_json = None
        but, series = self._but, self._series
        for listener in self._listeners:
            if listener.number == but:
                continue
            if listener.speaks_json:
                as_json = as_json or b"".join([form or encode(event, True) for _, event, _, _, form in self._said])
                listener.hear(as_json, series)
            else:
                as_text = as_text or b"".join([form or encode(event, False) for _, event, _, form, _ in self._said])
                listener.hear(as_text, series)

    def lose(self) -> None:
        """The events are undone, and nobody is told."""
        self._close()

    def _close(self) -> None:
        self._open = False
        # The position refers to this run, too: such a cycle would stay in memory until the collector comes.
        self._position = None
        self._channel.runs.remove(self)


class Switchboard:
    """
    Channels and those who listen to them.

    @ivar subscriptions: what tells which channels a member hears; services add to it.
    @ivar greetings: what tells a member something at a login; likewise.
    @ivar watchers: are called with the name of a channel, and whether it has gained its first listener or lost its last.
    """

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._channels: dict[str, Channel] = {}
        self._held_back: dict[str, Listeners] = {}
        self._run: Run | None = None
        self.subscriptions: list[Subscription] = []
        self.greetings: list[Greeting] = []
        self.watchers: list[Callable[[str, bool], None]] = []

    def listen(self, channel: str, listener: Listener) -> None:
        """Hear a channel; hearing it already is no error."""
        found = self._channels.get(channel)
        if found is None:
            found = self._channels[channel] = Channel()
            found.add(listener)
            self._watch(channel, True)
        elif listener not in found.listeners:
            found.add(listener)

    def leave(self, channel: str, listener: Listener) -> None:
        """Stop hearing a channel; not having heard it is no error."""
        found = self._channels.get(channel)
        if found is not None and listener in found.listeners:
            found.remove(listener)
            if not found.listeners:
                del self._channels[channel]
                self._watch(channel, False)

    def listeners(self, channel: str) -> list[Listener]:
        found = self._channels.get(channel)
        return [] if found is None else list(found.listeners)

    def hold_back(self, channel: str, series: str, listener: Listener) -> None:
        """Let a listener hear nothing of a series while it catches up with it; what is on its way is part of what it catches up with."""
        found = self._channels.get(channel)
        for run in () if found is None else found.runs:
            run.leave_out(listener, series)
        self._held_back.setdefault(series, {})[listener] = None

    def let_on(self, series: str, listener: Listener) -> None:
        """Let a listener hear a series again, from the next event on."""
        held_back = self._held_back.get(series)
        if held_back is not None:
            held_back.pop(listener, None)
            if not held_back:
                del self._held_back[series]

    def announce(self, event: Event, *channels: str, but: str, lost: Callable[[], None]) -> int:
        """
        Tell everybody who listens to any of these channels, each once, something that is not stored.

        @param but: a channel whose listeners are not told.
        @param lost: called if they are not told after all, because what was stored before is undone.

        @return: the listeners of all these channels, added up, as a measure of the work.
        """
        left_out = set(self.listeners(but))
        all_of_them = Channel()
        count = 0
        for channel in channels:
            listeners = self.listeners(channel)
            count += len(listeners)
            all_of_them.listeners.update((each, None) for each in listeners if each not in left_out)
        if all_of_them.listeners:
            position = self._gate.position
            run = Run(all_of_them, all_of_them.listeners, position, None, None)
            run.add(("", event, None, *_forms(event, all_of_them.listeners)))
            self._run = None
            self._gate.tell(run, position)
            self._gate.then(lost=lost)
        return count

    def prepare(self, announced: Sequence[tuple[str, Event]]) -> list[Prepared]:
        """Encode events in all forms in which somebody listens. If anything is wrong with them, this fails, before the commit."""
        prepared: list[Prepared] = []
        tuned = False
        for channel, event in announced:
            found = self._channels.get(channel)
            if found is None and not tuned:
                continue
            kind, but = event.__class__, None
            if kind is Tune or kind is End:
                tuned = tuned or kind is Tune
                prepared.append((channel, event, None, None, None))
                continue
            if isinstance(event, ToOthers):
                but, event = event.session, event.event
            as_text, as_json = _forms(event, () if found is None or tuned else found.listeners)
            prepared.append((channel, event, but, as_text, as_json))
        return prepared

    def deliver(self, prepared: Sequence[Prepared]) -> None:
        """Tell what was prepared in the same turn, once it is settled."""
        position = self._gate.position
        for said in prepared:
            name, event, but, _, _ = said
            channel = self._channels.get(name)
            if channel is None:
                continue
            if isinstance(event, Tune):
                self._tune(channel, event)
                continue
            if isinstance(event, End):
                _end(channel, event)
                continue
            listeners = channel.listeners
            series = event.series
            if self._held_back and series in self._held_back:
                held_back = self._held_back[series]
                listeners = {each: None for each in listeners if each not in held_back}
            run = self._run
            if run is None or not run.takes(listeners, position, but, series):
                self._run = run = Run(channel, listeners, position, but, series)
                self._gate.tell(run, position)
            run.add(said)

    def _tune(self, channel: Channel, tune: Tune) -> None:
        listeners = list(channel.listeners)
        tuned = self._channels.get(tune.channel)
        missed = not tune.on and tuned is not None and bool(tuned.runs)
        for listener in listeners:
            listener.tune(tune.channel, tune.on)
        self._gate.then(lost=partial(_tuned_in_vain, listeners, missed))

    def _watch(self, channel: str, listened: bool) -> None:
        for watcher in self.watchers:
            watcher(channel, listened)


def _tuned_in_vain(listeners: Iterable[Listener], missed: bool) -> None:
    """
    Tune listeners anew, because the commit that tuned them is undone.

    @param missed: they were left out of what the channel had said before, which nobody sends again, so they are cut.
    """
    for listener in listeners:
        if missed:
            listener.cut()
        else:
            listener.tune_anew()


def _end(channel: Channel, end: End) -> None:
    """End the listeners that are meant, at once, because they may do nothing more. Their goodbye waits at the gate by itself."""
    bye = Bye(end.reason)
    listeners: list[Ending] = list(channel.listeners)  # type: ignore[arg-type]
    for listener in listeners:
        if listener.is_meant(end):
            listener.end(encode(bye, listener.speaks_json))


def _forms(event: Event, listeners: Collection[Listener]) -> tuple[bytes | None, bytes | None]:
    """An event as text and as JSON, if a few listeners need it; in both forms if they are many or unknown."""
    if not 0 < len(listeners) <= FEW:
        return encode(event, False), encode(event, True)
    as_text = as_json = None
    for listener in listeners:
        if listener.speaks_json:
            as_json = as_json or encode(event, True)
        else:
            as_text = as_text or encode(event, False)
    return as_text, as_json
