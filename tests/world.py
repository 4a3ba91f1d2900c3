"""
A whole hub in memory: its disk, its clocks, its passwords, and those who connect to it.

Nothing in it takes real time, and the same seed gives the same run. What waits for the disk or for a hash is held back until the test
lets it go on, if the test wants that.
"""

from __future__ import annotations

import json
import random
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime, timedelta
from functools import cache, partial
from types import CoroutineType, NoneType
from typing import Any, get_origin

from OpenSSL.crypto import X509
from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.task import Clock as Time
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from securehub import config, page, service
from securehub.clock import Clock
from securehub.command import Command
from securehub.daemon.operations import Operations, Reread
from securehub.hashing import Hashing, context
from securehub.hub import Hub
from securehub.network.protocol import HubFactory, HubProtocol
from securehub.refusals import Conflict
from securehub.store.suspicious import SuspiciousStore
from tests.authenticator import Identity
from tests.beside import MemoryBeside
from tests.disk import MemoryDirectory, StepWorker
from tests.times import BEGIN

CHEAP = context().copy(argon2__memory_cost=8, argon2__time_cost=1)
"""The real hash with the least work, so that a test need not wait for it."""

PASSWORD = "correct-horse-battery"
"""Everybody's."""

SOCKET_BYTES = 64 * 1024
"""What a transport takes before it asks its producer to pause."""

installed = cache(service.find)


@cache
def site() -> Any:
    """The web page; None without the extra that it needs."""
    try:
        from securehub.network.web import Site
    except ModuleNotFoundError:
        return None
    return Site(page.load())


class MemoryTransport(StringTransport):
    """
    A transport in memory, which behaves like a socket where the hub can tell.

    @ivar reads: whether the peer reads; while it does not, what is written fills the transport.
    @ivar lost: whether the connection has ended.
    @ivar aborted: whether the hub ended it at once.
    @ivar writes: how many writes there were.
    @ivar told: C{pause} and C{resume}, as the hub said them about what comes in.
    @ivar certificate: what the peer has shown of itself.
    @ivar negotiatedProtocol: what ALPN has come to.
    """

    def __init__(self, time: Time, peer: Any) -> None:
        super().__init__(peerAddress=peer)
        self._time = time
        self.protocol: HubProtocol | None = None
        self.reads = True
        self.lost = False
        self.aborted = False
        self.writes = 0
        self.told: list[str] = []
        self.certificate: X509 | None = None
        self.negotiatedProtocol: bytes | None = None
        self._on_the_way: list[bytes] = []

    def arrive(self, data: bytes) -> None:
        """A packet comes in, as soon as the hub reads."""
        self._on_the_way.append(data)
        self._deliver()

    def getPeerCertificate(self) -> X509 | None:
        return self.certificate

    def getHandle(self) -> MemoryTransport:
        return self

    def get_peer_cert_chain(self) -> list[X509]:
        """Of TLS, which is not here: no more than the certificate was sent."""
        return []

    def pauseProducing(self) -> None:
        super().pauseProducing()
        self.told.append("pause")

    def resumeProducing(self) -> None:
        super().resumeProducing()
        self.told.append("resume")
        self._time.callLater(0, self._deliver)

    def _deliver(self) -> None:
        while self._on_the_way and self.producerState == "producing" and not self.lost:
            assert self.protocol is not None
            self.protocol.dataReceived(self._on_the_way.pop(0))

    def write(self, data: bytes) -> None:
        assert not self.lost, f"written after the end: {data!r}"
        super().write(data)
        self.writes += 1
        if not self.reads and self.producer is not None and len(self.value()) >= SOCKET_BYTES:
            self.producer.pauseProducing()

    def stop_reading(self) -> None:
        """From now on the peer takes nothing."""
        self.reads = False

    def read_again(self) -> bytes:
        """The peer takes all that there is, until there is no more."""
        self.reads = True
        if self.producer is not None:
            self.producer.resumeProducing()
        return self.take()

    def take(self) -> bytes:
        """What was written and not yet taken."""
        content = self.value()
        self.clear()
        return content

    def loseConnection(self) -> None:
        assert self.producer is None, "a transport with a producer never closes"
        super().loseConnection()
        self._time.callLater(0, self.end, ConnectionDone())

    def abortConnection(self) -> None:
        self.aborted = True
        self._time.callLater(0, self.end, ConnectionAborted())

    def end(self, reason: Exception) -> None:
        """The connection is over."""
        if not self.lost:
            self.lost = True
            assert self.protocol is not None
            self.protocol.connectionLost(Failure(reason))


class Client:
    """
    Somebody who is connected.

    @ivar protocol: the hub's side of the connection.
    """

    def __init__(
        self, world: World, door: HubFactory, peer: Any, certificate: Identity | None = None, protocol: bytes | None = None
    ) -> None:
        self._world = world
        self._taken = b""
        self._number = 0
        self.transport = MemoryTransport(world.time, peer)
        self.transport.negotiatedProtocol = protocol
        if certificate is not None:
            self.transport.certificate = X509.from_cryptography(certificate.certificate)
        built = door.buildProtocol(None)
        assert isinstance(built, HubProtocol)
        self.protocol = self.transport.protocol = built
        built.makeConnection(self.transport)

    @property
    def closed(self) -> bool:
        """Whether the hub, or this client, has ended the connection."""
        return self.transport.lost

    def feed(self, data: bytes) -> None:
        """Send bytes, as one packet."""
        assert not self.closed, f"sent after the end: {data!r}"
        self.transport.arrive(data)

    def send(self, *lines: str) -> None:
        """Send lines, as one packet."""
        self.feed("".join(f"{line}\n" for line in lines).encode())

    def received(self) -> list[str]:
        """The whole lines that came since this was asked last."""
        *lines, self._taken = (self._taken + self.transport.take()).split(b"\n")
        return [line.decode() for line in lines]

    def ask(self, *lines: str) -> list[str]:
        """Send lines, and wait for all that comes of them."""
        self.send(*lines)
        self._world.settle()
        return self.received()

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Make one JSON-RPC request; events that come besides are passed over. A trailing underscore is not on the wire."""
        self._number += 1
        named = {name.rstrip("_"): value for name, value in params.items()}
        self.send(json.dumps({"jsonrpc": "2.0", "id": self._number, "method": method, "params": named}))
        self._world.settle()
        answers = [answer for line in self.received() if line.startswith("{") and "id" in (answer := json.loads(line))]
        assert len(answers) == 1 and answers[0]["id"] == self._number, answers
        return answers[0]

    def close(self) -> None:
        """End the connection."""
        self.transport.end(ConnectionLost())


class World:
    """
    A hub and all around it.

    @param factories: the services; those that are installed if none are given.
    @param settings: settings that differ from their defaults.
    @param make_folding: gives what folds in a directory; without it nothing does.

    @ivar time: the reactor's; the wall clock follows it.
    @ivar skew: seconds by which somebody has set the wall clock.
    @ivar beside: who makes backups and looks at them.
    @ivar disk_waits: whether what the store gives to the disk waits for C{worker.step}.
    @ivar hashing_waits: whether passwords wait for L{hash_next}.
    @ivar to_hash: the passwords that wait to be hashed.
    @ivar broken: what is wrong with that which a reload would read; empty if nothing is.
    @ivar late: settings that a reload finds to have changed, and which must not.
    @ivar clients: all who ever connected to the hub that runs now.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        directory: MemoryDirectory | None = None,
        factories: Sequence[Any] | None = None,
        make_store: Callable[..., Any] = SuspiciousStore,
        make_folding: Callable[[Any], Any] | None = None,
        **settings: Any,
    ) -> None:
        self.time = Time()
        self.random = random.Random(seed)
        self.directory = directory or MemoryDirectory()
        self._factories = factories if factories is not None else installed()
        self.settings = config.settings(own=service.settings_of(self._factories)) | settings
        self.beside = MemoryBeside(self.now)
        self.disk_waits = False
        self.hashing_waits = False
        self.broken = ""
        self.late: tuple[str, ...] = ()
        self._make_store = make_store
        self._make_folding = make_folding
        self.skew = 0.0
        self._start()

    def _start(self) -> None:
        self.worker = StepWorker()
        self.clients: list[Client] = []
        self.to_hash: deque[tuple[Deferred[Any], Callable[[], Any]]] = deque()
        self.hashing = Hashing(
            CHEAP, self._hash_later, self.settings["hashing_waiting"], at_once=self.settings["hashing_threads"], reactor=self.time
        )
        self.folding = self._make_folding and self._make_folding(self.directory)
        self.hub = Hub(
            self.settings,
            self._factories,
            directory=self.directory,
            worker=self.worker,
            reactor=self.time,
            clock=Clock(self.now, self.time.seconds),
            random=self.random,
            hashing=self.hashing,
            make_store=self._make_store,
            operations=Operations(self._prepare_reload, lambda: 90),
            folding=self.folding,
            beside=self.beside,
            site=site() if self.settings["page"] else None,
        )
        for entry in self.hub.dispatch._methods.values():
            entry.function = _answering(entry.command, entry.function)
        self.hub.open()

    def now(self) -> datetime:
        """The time on the wall."""
        return BEGIN + timedelta(seconds=self.time.seconds() + self.skew)

    def connect(
        self,
        *,
        operator: bool = False,
        handshake: bool = True,
        address: str = "127.0.0.1",
        certificate: Identity | None = None,
        protocol: bytes | None = None,
    ) -> Client:
        """
        Open a connection; its greeting is there to be received.

        @param operator: through the admin door.
        @param handshake: whether the TLS handshake is done, too.
        @param certificate: with which the client comes.
        @param protocol: what ALPN has come to.
        """
        if operator:
            client = Client(self, self.hub.admin_door, UNIXAddress(None))
        else:
            client = Client(self, self.hub.members_door, IPv4Address("TCP", address, 40_000 + len(self.clients)), certificate, protocol)
            if handshake and not client.transport.aborted:
                client.protocol.handshakeCompleted()
        self.clients.append(client)
        self.settle()
        return client

    def member(self, username: str) -> Client:
        """A new member, logged in, with all that was said so far received."""
        client = self.connect()
        answer = client.ask(f"CREATE {username} {PASSWORD}")[-1]
        assert answer.startswith("OK Welcome"), answer
        return client

    def back(self, username: str) -> Client:
        """A member, logged in once more, with all that was said so far received."""
        client = self.connect()
        answer = client.ask(f"LOGIN {username} {PASSWORD}")[-1]
        assert answer.startswith("OK Welcome back"), answer
        return client

    def operator(self) -> Client:
        """The operator, with the greeting received."""
        client = self.connect(operator=True)
        client.received()
        return client

    def settle(self) -> None:
        """Let all happen that can happen at this moment."""
        self.time.advance(0)
        while self._go_on():
            self.time.advance(0)

    def elapse(self, seconds: float) -> None:
        """Let time pass, and all happen that it brings."""
        self.settle()
        self.time.advance(seconds)
        self.settle()

    def hash_next(self) -> None:
        """Compute the password hash that has waited longest."""
        deferred, compute = self.to_hash.popleft()
        maybeDeferred(compute).chainDeferred(deferred)

    def restart(self, *, crash: bool = False) -> None:
        """
        Stop the hub, and start another one on what it left.

        @param crash: pull the plug instead of stopping.
        """
        if crash:
            self.directory = self.directory.crashed()
        else:
            self.stop()
        self.start_again()

    def start_again(self) -> None:
        """Start another hub on what one that has stopped left."""
        for call in list(self.time.getDelayedCalls()):
            call.cancel()
        for client in self.clients:
            client.transport.lost = True
        self._start()

    def stop(self) -> None:
        """Stop the hub in peace."""
        stopped: list[object] = []
        self.hub.stop().addBoth(stopped.append)
        self.settle()
        assert stopped == [None], f"the hub has not stopped: {stopped}"

    def _go_on(self) -> bool:
        """Do the next thing that somebody else does for the hub."""
        if self.worker.jobs and not self.disk_waits:
            self.worker.step()
        elif self.to_hash and not self.hashing_waits:
            self.hash_next()
        else:
            return False
        return True

    def _prepare_reload(self) -> Callable[[], Reread]:
        if self.broken:
            raise Conflict(self.broken)
        return lambda: Reread(("certificate",), self.late)

    def _hash_later(self, compute: Callable[..., Any], *args: Any) -> Deferred[Any]:
        deferred: Deferred[Any] = Deferred()
        self.to_hash.append((deferred, partial(compute, *args)))
        return deferred


def _answering(command: Command, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function of a command, which is at fault where it answers with something that it has not declared."""
    kinds = tuple(NoneType if each is None else get_origin(each) or each for each in command.replies)

    def declared(result: Any) -> Any:
        assert isinstance(result, kinds), f"{command.name} answers {result!r}, and does not declare that"
        return result

    async def later(answer: Coroutine[Any, Any, Any]) -> Any:
        return declared(await answer)

    def answer(session: Any, *values: Any) -> Any:
        result = function(session, *values)
        return later(result) if isinstance(result, CoroutineType) else declared(result)

    return answer
