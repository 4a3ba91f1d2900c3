"""
Password hashes: argon2id by passlib, computed outside the reactor, behind a bounded queue.

The queue is fair: the networks from which people log in take turns, so that one that floods the hub delays only itself.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from math import ceil
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorThreads, IReactorTime
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from securehub.refusals import RateLimited

with warnings.catch_warnings():
    # passlib 1.7.4 imports the deprecated crypt, and asks argon2 for a version the deprecated way.
    warnings.simplefilter("ignore", DeprecationWarning)
    from passlib.context import CryptContext
    from passlib.hash import argon2, hex_sha256
    from passlib.utils import to_native_str
    from passlib.utils.handlers import MinimalHandler

    argon2.set_backend()

T = TypeVar("T")

MAX_PASSWORD = 1024
"""In characters; no password was ever set that is as long. passlib refuses to look at more than 4,096."""

NEWEST_COUNTS = 0.1
"""The weight of the newest hash in the mean time of a hash, which decides when people are told to come back."""

NICE = 10
"""The nice value of the threads that hash: they get a tenth of the CPU's time when there is not enough for all."""

Turn = Callable[[], object]


def _begin() -> None:
    """Its turn has come, and nothing speaks against it."""


class Sha256InArgon2(MinimalHandler):  # type: ignore[misc]
    """
    A password of which another program kept the SHA-256. Here that SHA-256 is hashed with argon2id, so nothing is stored that can be
    guessed quickly, and the password can still be verified.
    """

    name = "sha256_in_argon2"
    setting_kwds = ()
    context_kwds = ()
    prefix = "$sha256"

    @classmethod
    def identify(cls, hash: str | bytes) -> bool:
        return str(to_native_str(hash)).startswith(f"{cls.prefix}$")

    @classmethod
    def verify(cls, secret: str | bytes, hash: str | bytes) -> bool:
        return bool(argon2.verify(hex_sha256.hash(secret), to_native_str(hash).removeprefix(cls.prefix)))

    @classmethod
    def hash(cls, secret: str | bytes) -> str:
        return cls.around(argon2.hash(hex_sha256.hash(secret)))

    @classmethod
    def around(cls, hashed: str) -> str:
        """
        @param hashed: the argon2id hash of the SHA-256, in hexadecimal and small letters.
        """
        return f"{cls.prefix}{hashed}"


def context() -> CryptContext:
    """
    The hashes that are accepted and made: argon2id with 19 MiB, two passes, one lane, the first choice of RFC 9106's successors in the
    OWASP Password Storage Cheat Sheet (2025). Hashes from an import are accepted once, and replaced at that login.
    """
    return CryptContext(
        schemes=["argon2", Sha256InArgon2],
        deprecated=[Sha256InArgon2.name],
        argon2__type="ID",
        argon2__memory_cost=19456,
        argon2__time_cost=2,
        argon2__parallelism=1,
    )


def hash_old(passwords: CryptContext, sha256: str) -> str:
    """
    A hash of a password of which another program kept the SHA-256.

    @param sha256: in hexadecimal.
    """
    return Sha256InArgon2.around(passwords.hash(sha256.lower()))


class Hashing:
    """
    Hashes and verifies passwords: some at once, the others in a fair queue.

    @param defer: runs a function elsewhere, and returns a Deferred.
    @param limit: how many there may be, waiting or being computed; the next ones are told when to come back.
    @param at_once: how many are given to C{defer} at a time.
    @param reactor: tells how long they take.

    @ivar waiting: how many there are, those being computed included.
    @ivar computed: how many were begun since the start.
    """

    def __init__(
        self, passwords: CryptContext, defer: Callable[..., Deferred[Any]], limit: int, *, at_once: int, reactor: IReactorTime
    ) -> None:
        self._passwords = passwords
        self._defer = defer
        self._limit = limit
        self._at_once = at_once
        self._reactor = reactor
        self._lines = Lines()
        self._running = 0
        self._filling: IDelayedCall | None = None
        begun = reactor.seconds()
        # Verified against when there is no such member, so that both answers take as long.
        self._nobody = passwords.hash("nobody has this password")
        self._seconds_each = reactor.seconds() - begun
        self.waiting = 0
        self.computed = 0

    def hash(self, password: str, *, origin: str = "", turn: Turn = _begin) -> Deferred[str]:
        """
        @param origin: from where it comes; each has the same share of the turns.
        @param turn: called when its turn comes; if it raises, that is the outcome, and nothing is computed.

        @raise RateLimited: too many wait already.
        """
        return self._queued(_Job(self._passwords.hash, (password,), origin, turn))

    def verify(self, password: str, hashed: str | None, *, origin: str = "", turn: Turn = _begin) -> Deferred[tuple[bool, str | None]]:
        """
        Compare a password with a hash; one computation, whether it fits or not, and whether there is such a member or not.

        @param hashed: None where there is no such member.
        @param origin: as in L{hash}.
        @param turn: as in L{hash}.

        @return: whether it fits, and a new hash where the old one is of an older kind.

        @raise RateLimited: too many wait already.
        """
        if len(password) > MAX_PASSWORD:
            password, hashed = "", None
        verified = self._queued(_Job(self._passwords.verify_and_update, (password, hashed or self._nobody), origin, turn))
        return verified if hashed else verified.addCallback(lambda _: (False, None))

    def _queued(self, job: _Job) -> Deferred[Any]:
        if self.waiting >= self._limit:
            self._make_room(job.origin)
        self.waiting += 1
        self._lines.add(job)
        self._fill()
        return job.done

    def _make_room(self, origin: str) -> None:
        """
        Turn away the newest of the longest line, so that no network can take all the room.

        @raise RateLimited: the newcomer's own line is the longest, or all are equally long.
        """
        seconds = max(1, ceil(self.waiting * self._seconds_each / self._at_once))
        refusal = RateLimited(f"too many people log in at this moment; try again in {seconds} s", seconds)
        job = self._lines.crowded_out_by(origin)
        if job is None:
            raise refusal
        self.waiting -= 1
        job.done.errback(Failure(refusal))

    def _fill(self) -> None:
        while self._filling is None and self._lines and self._running < self._at_once:
            self._begin(self._lines.next())

    def _begin(self, job: _Job) -> None:
        try:
            job.turn()
            computing = self._defer(job.compute, *job.arguments)
        except Exception:
            # It is refused, or the system gives no thread.
            self.waiting -= 1
            # The next one has its turn a little later, so that hundreds that are refused together do not hold up everybody else.
            self._filling = self._reactor.callLater(0, self._go_on)
            job.done.errback(Failure())
            return
        self._running += 1
        self.computed += 1
        computing.addBoth(self._finished, job, self._reactor.seconds())

    def _go_on(self) -> None:
        self._filling = None
        self._fill()

    def _finished(self, result: Any, job: _Job, begun: float) -> None:
        self._running -= 1
        self.waiting -= 1
        self._seconds_each += (self._reactor.seconds() - begun - self._seconds_each) * NEWEST_COUNTS
        # First tell whoever has waited for it: what they do may decide whether the next one is still wanted.
        job.done.callback(result)
        self._fill()


class _Job:
    """
    One computation.

    @ivar done: fires with its outcome.
    """

    __slots__ = ("arguments", "compute", "done", "origin", "turn")

    def __init__(self, compute: Callable[..., Any], arguments: tuple[Any, ...], origin: str, turn: Turn) -> None:
        self.compute = compute
        self.arguments = arguments
        self.origin = origin
        self.turn = turn
        self.done: Deferred[Any] = Deferred()


class Lines:
    """A line of jobs for each origin; the lines take turns."""

    def __init__(self) -> None:
        self._lines: dict[str, deque[_Job]] = {}

    def __bool__(self) -> bool:
        return bool(self._lines)

    def add(self, job: _Job) -> None:
        self._lines.setdefault(job.origin, deque()).append(job)

    def next(self) -> _Job:
        """Take the first of the line whose turn it is."""
        origin = next(iter(self._lines))
        line = self._lines.pop(origin)
        job = line.popleft()
        if line:
            self._lines[origin] = line
        return job

    def crowded_out_by(self, origin: str) -> _Job | None:
        """
        Take the last of the longest line, if that is longer than this origin's would become.

        @return: None if it is not, or nobody waits.
        """
        longest = max(self._lines.values(), key=len, default=None)
        if longest is None or len(longest) <= len(self._lines.get(origin, ())) + 1:
            return None
        return longest.pop()


class HashingPool:
    """
    The threads that hash. The GIL is released meanwhile, so two do twice as much as one.
    """

    def __init__(self, reactor: IReactorTime, threads: int) -> None:
        self._reactor = reactor
        self._pool = ThreadPool(0, threads, "securehub-hashing")

    def start(self) -> None:
        self._pool.start()

    def stop(self) -> None:
        self._pool.stop()

    def defer(self, compute: Callable[..., T], *args: object) -> Deferred[T]:
        assert IReactorThreads.providedBy(self._reactor)
        return deferToThreadPool(self._reactor, self._pool, politely, compute, *args)


def politely(compute: Callable[..., T], *args: object) -> T:
    """
    Compute something in a thread that gives way to the reactor's, if the system has that: while hundreds log in, those who are logged in
    should not notice.
    """
    if sys.platform == "linux" and os.getpriority(os.PRIO_PROCESS, 0) < NICE:
        # Zero is the thread that calls, not its process. A service manager may forbid it; a hash is worth more than good manners.
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, NICE)
    return compute(*args)
