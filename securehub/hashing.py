"""
Password hashes: argon2id by passlib, computed out of the reactor's way in a bounded queue.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorThreads, IReactorTime
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from securehub.refusals import RateLimited

with warnings.catch_warnings():
    # passlib 1.7.4 imports the deprecated crypt, and asks argon2 for a version the deprecated way.
    warnings.simplefilter("ignore", DeprecationWarning)
    from passlib.context import CryptContext
    from passlib.hash import argon2

    argon2.set_backend()

T = TypeVar("T")

MAX_PASSWORD = 1024
"""Characters; no password that was ever set is as long. passlib refuses to look at those of over 4,096."""

SECONDS_EACH = 0.02
"""What one hash takes, for telling those who are turned away when to come back."""


def context() -> CryptContext:
    """
    The hashes that are accepted and made: argon2id with 19 MiB, two passes, one lane, the first choice of RFC 9106's successors in the
    OWASP Password Storage Cheat Sheet (2025).
    """
    return CryptContext(schemes=["argon2"], argon2__type="ID", argon2__memory_cost=19456, argon2__time_cost=2, argon2__parallelism=1)


class Hashing:
    """
    Hashes and verifies passwords.

    @param defer: runs a function elsewhere, and returns a Deferred.
    @param limit: how many may wait; whoever is beyond it is told when to come back.
    """

    def __init__(self, passwords: CryptContext, defer: Callable[..., Deferred[Any]], limit: int) -> None:
        self._passwords = passwords
        self._defer = defer
        self._limit = limit
        # Verified against when there is no such member, so that both answers take as long.
        self._nobody = passwords.hash("nobody has this password")
        self.waiting = 0
        self.computed = 0

    def hash(self, password: str) -> Deferred[str]:
        """
        @raise RateLimited: too many wait already.
        """
        return self._queued(self._passwords.hash, password)

    def verify(self, password: str, hashed: str | None) -> Deferred[tuple[bool, str | None]]:
        """
        Compare a password with a hash; one computation whether it fits or not, and also for a member whom there is not.

        @param hashed: None where there is no such member.

        @return: whether it fits, and a new hash where the old one is of an older kind.

        @raise RateLimited: too many wait already.
        """
        if len(password) > MAX_PASSWORD:
            password, hashed = "", None
        verified = self._queued(self._passwords.verify_and_update, password, hashed or self._nobody)
        return verified if hashed else verified.addCallback(lambda _: (False, None))

    def _queued(self, compute: Callable[..., T], *args: object) -> Deferred[T]:
        if self.waiting >= self._limit:
            seconds = max(1, round(self.waiting * SECONDS_EACH))
            raise RateLimited(f"too many people log in at this moment; try again in {seconds} s", seconds)
        self.waiting += 1
        self.computed += 1
        return self._defer(compute, *args).addBoth(self._done)

    def _done(self, result: T) -> T:
        self.waiting -= 1
        return result


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
        return deferToThreadPool(self._reactor, self._pool, compute, *args)
