"""
Loyalty: points and rewards for what members order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.plugin import IPlugin
from zope.interface import implementer, provider

from securehub import arguments
from securehub.command import MEMBER, command, named
from securehub.remembering import IRemembers
from securehub.reply import Listing
from securehub.service import IServiceFactory
from securehub.services.loyalty import cards, memory, records, words
from securehub.services.loyalty.programme import Programmes
from securehub.services.loyalty.promoting import Promoting
from securehub.services.loyalty.usual import usual_programme
from securehub.session import Session

if TYPE_CHECKING:
    from securehub.hub import Hub

RECORDS = (records.Card, records.Change, records.Programme, records.Promotion, records.Codes, records.Use)


@provider(IPlugin, IServiceFactory)
@implementer(IRemembers)
class Loyalty:
    """What members get for ordering."""

    name = "loyalty"
    records = RECORDS
    parts = (Programmes, Promoting)
    remembered = staticmethod(memory.remembered)
    refuse_to_forget = staticmethod(memory.refuse_to_forget)
    forget = staticmethod(memory.forget)

    def __init__(self, hub: Hub) -> None:
        self.store = hub.store
        self.clock = hub.clock
        self.zone = hub.zone
        self.usual = usual_programme(hub.currencies.default)

    @command("REWARDS", access=MEMBER)
    async def card(self, session: Session) -> cards.CardShown:
        """
        Show your points, and what you can get for them.

        You can redeem a reward that is available, or name it with an order.
        """
        return await self.store.read(cards.card_of, session.member, self.usual, at=self.clock.now(), zone=self.zone)

    @command("REDEEM", access=MEMBER, writes=True, reward=words.reward)
    async def redeem(self, session: Session, reward: str) -> cards.Redeemed:
        """
        Pay for a reward with points.

        It waits on your card until you name it with an order, and stays as it is, whatever changes in the programme.
        """
        return await session.transact(cards.redeem, session.member, reward, self.usual, at=self.clock.now())

    @command(None, access=MEMBER, limit=named(arguments.listed), before=named(arguments.whole))
    async def history(self, session: Session, limit: int = 20, before: int | None = None) -> Listing[cards.ChangeRow]:
        """
        List what changed your points, newest first.

        For older changes, give the number of the last one you saw as before=.
        """
        return await self.store.read(cards.history_of, session.member, limit=limit, before=before)
