"""
Commands about promotion codes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securehub import arguments
from securehub.command import MEMBER, SELLER, command, named
from securehub.money import Amount
from securehub.reply import Listing
from securehub.services import times
from securehub.services.loyalty import promotions, words
from securehub.services.times import When
from securehub.session import Session

if TYPE_CHECKING:
    from securehub.hub import Hub


class Promoting:
    """Codes that make orders cheaper."""

    def __init__(self, hub: Hub) -> None:
        self.store = hub.store
        self.clock = hub.clock
        self.zone = hub.zone
        self.usual = hub.currencies.default

    @command(
        None,
        access=SELLER,
        writes=True,
        code=words.code,
        amount=named(arguments.amount),
        percent=named(words.percent),
        least=named(arguments.amount_or_none),
        uses=named(words.times),
        each=named(words.times),
        expires=named(times.expiry_or_none),
        active=named(arguments.switch),
    )
    async def promotion(
        self,
        session: Session,
        code: str,
        amount: Amount | None = None,
        percent: int | None = None,
        least: Amount | str | None = None,
        uses: int | None = None,
        each: int | None = None,
        expires: When | str | None = None,
        active: bool | None = None,
    ) -> promotions.PromotionSet:
        """
        Make a promotion code for your items, or change one.

        It takes an amount or a percentage off an order. least= is the price from which on it works, uses= how often it can be used in all,
        and each= how often by one member. What you leave out stays; least=none, expires=none, uses=0 and each=0 take these off again.
        A cancelled order gives its use back.
        """
        draft = promotions.Draft(amount, percent, least, uses, each, expires, active)
        given = {"at": self.clock.now(), "zone": self.zone}
        return await session.transact(promotions.set_promotion, session.member, code, draft, self.usual, **given)

    @command(None, access=MEMBER)
    async def promotions(self, session: Session) -> Listing[promotions.PromotionRow]:
        """List your promotion codes, and how often they were used."""
        return await self.store.read(promotions.promotions_of, session.member)
