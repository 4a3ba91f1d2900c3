"""
How long a login lasts.

A login that nobody uses is over after some days, and every login is over some more days after it began. A session that is connected is
in use, however silent it is. As its end is nobody's commit, its login is marked as used once a day while it is connected: so the days
count from its end, give or take one.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec.structs import replace

from securehub.services.auth import tokens
from securehub.services.auth.records import Family
from securehub.session import Session
from securehub.store.transaction import Transaction
from securehub.switchboard import EVERYBODY

if TYPE_CHECKING:
    from securehub.hub import Hub

DAY = timedelta(days=1)

TOGETHER = 50
"""Logins that one transaction looks at; two records each, of the 256 that it may touch."""


class Lifetimes(NamedTuple):
    """
    @ivar idle: how long a login lasts while nobody uses it.
    @ivar whole: how long any login lasts.
    """

    idle: timedelta
    whole: timedelta

    @classmethod
    def of(cls, settings: Any) -> Lifetimes:
        return cls(timedelta(days=settings["session_idle_days"]), timedelta(days=settings["session_days"]))

    def too_old(self, family: Family, at: datetime) -> bool:
        """Whether a login has lasted as long as any may."""
        return at - family.since >= self.whole

    def over(self, family: Family, at: datetime) -> bool:
        """Whether a login is over, for one of the two reasons."""
        return self.too_old(family, at) or at - family.last_seen >= self.idle


class Ageing:
    """Looks after the logins of those who are connected."""

    def __init__(self, hub: Hub) -> None:
        self._settings = hub.settings
        self._store = hub.store
        self._clock = hub.clock
        self._switchboard = hub.switchboard
        self._chores = hub.chores
        hub.chores.hourly(self.age)

    @property
    def lifetimes(self) -> Lifetimes:
        return Lifetimes.of(self._settings)

    async def age(self) -> None:
        """Mark what is used as used, and end what has lasted too long."""
        listeners = self._switchboard.listeners(EVERYBODY)
        families = iter(dict.fromkeys(each.family for each in listeners if isinstance(each, Session) and each.family))
        while some := tuple(islice(families, TOGETHER)):
            await self._store.transact(age, some, self.lifetimes, at=self._clock.now())
            await self._chores.others_first()


def age(tx: Transaction, families: Iterable[str], lifetimes: Lifetimes, *, at: datetime) -> None:
    """
    Mark logins that are connected as used, and end those that have lasted too long.
    """
    for name in families:
        family = tx.get(Family, name)
        if family is None:
            continue
        if lifetimes.too_old(family, at):
            tokens.end(tx, family.username, name, f"this login is {lifetimes.whole.days} days old; log in again.")
        elif at - family.last_seen >= DAY:
            tx.put(name, replace(family, seen=at))
