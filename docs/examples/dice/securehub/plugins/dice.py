"""
Dice: roll them in front of witnesses.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from twisted.plugin import IPlugin
from zope.interface import provider

from securehub import arguments, members
from securehub.command import MEMBER, command, named, optional
from securehub.event import Event
from securehub.refusals import BadArgument
from securehub.reply import Listing, Reply, Row
from securehub.service import IServiceFactory
from securehub.store.records import Record
from securehub.switchboard import member


class Roll(Record, frozen=True):
    """A roll, by member and number."""

    collection: ClassVar[str] = "dice-roll"

    at: datetime
    sides: int
    value: int


class Rolled(Reply, frozen=True):
    """What came up."""

    roll: int
    sides: int
    value: int

    def status(self) -> str:
        return f"Roll {self.roll}: {self.value} of {self.sides}."


class RollRow(Row, frozen=True):
    """An earlier roll."""

    roll: int
    at: datetime
    sides: int
    value: int


class Witnessed(Event, frozen=True):
    """Somebody rolled in front of you."""

    method = "dice.witnessed"

    roll: int
    username: str
    sides: int
    value: int

    def text(self) -> str:
        return f"{self.username} rolled {self.value} of {self.sides} (roll {self.roll})."


def sides(word: str) -> int:
    """how many sides the die has, 2 to 1000"""
    count = arguments.whole(word)
    if not 2 <= count <= 1000:
        raise BadArgument(f"a die has 2 to 1000 sides, not {count}")
    return count


@provider(IPlugin, IServiceFactory)
class Dice:
    """Dice for members."""

    name = "dice"
    records = (Roll,)

    def __init__(self, hub):
        self.store = hub.store
        self.clock = hub.clock
        self.random = hub.random

    @command("ROLL", access=MEMBER, writes=True, sides=optional(sides), witness=optional(arguments.username))
    async def roll(self, session, sides: int = 6, witness: str | None = None) -> Rolled:
        """
        Roll a die.

        A witness is told at once what came up.
        """
        value = int.from_bytes(self.random.randbytes(8)) % sides + 1
        return await session.transact(roll, session.member, sides, value, witness, at=self.clock.now())

    @command(None, access=MEMBER, limit=named(arguments.listed), before=named(arguments.whole))
    async def rolls(self, session, limit: int = 20, before: int | None = None) -> Listing[RollRow]:
        """List your rolls, the newest first."""
        return await self.store.read(rolls_of, session.member, limit=limit, before=before)


def roll(tx, username, sides, value, witness, *, at):
    """
    Note a roll, and tell the witness.

    @raise NotFound: there is no such witness.
    """
    if witness is not None:
        members.fetch(tx, witness)
    number = tx.number("dice-roll")
    tx.put(_key(username, number), Roll(at, sides, value))
    if witness is not None:
        tx.announce(member(witness), Witnessed(number, username, sides, value))
    return Rolled(number, sides, value)


def rolls_of(tx, username, *, limit, before):
    """A member's rolls, the newest first."""
    end = None if before is None else _key(username, before)
    found = tx.scan(Roll, f"{username}/", end=end, reverse=True)
    return Listing.up_to(limit, (RollRow(int(key.rpartition("/")[2]), each.at, each.sides, each.value) for key, each in found))


def _key(username, number):
    return f"{username}/{number:015d}"
