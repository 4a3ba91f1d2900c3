"""
Commands about quotes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securehub import arguments
from securehub.command import MEMBER, command, named
from securehub.reply import Listing
from securehub.services.ledger.booking import booking
from securehub.services.loyalty import words as rewards
from securehub.services.loyalty.usual import usual_programme
from securehub.services.orders import quotes, words
from securehub.services.orders.placing import Choice, Placed
from securehub.services.orders.words import Wanted
from securehub.session import Session

if TYPE_CHECKING:
    from securehub.hub import Hub


class Quoting:
    """Ordering in two steps."""

    def __init__(self, hub: Hub) -> None:
        self.store = hub.store
        self.clock = hub.clock
        self.zone = hub.zone
        self.booking = booking(hub)
        self.seconds = 60 * hub.settings["quote_minutes"]
        self.held_per_member = hub.settings["open_per_member"]
        self.usual = usual_programme(hub.currencies.default)
        hub.agenda.add(quotes.DUTY, quotes.expire)

    @command(
        "QUOTE",
        access=MEMBER,
        writes=True,
        items=words.items,
        deliver_to=named(words.note),
        note=named(words.note),
        reward=named(rewards.reward),
        code=named(rewards.code),
        from_=named(arguments.account),
    )
    async def quote(
        self,
        session: Session,
        items: tuple[Wanted, ...],
        deliver_to: str = "",
        note: str = "",
        reward: str | None = None,
        code: str | None = None,
        from_: str | None = None,
    ) -> quotes.Quoted:
        """
        Ask what an order costs, and reserve the goods for some minutes.

        Nothing is paid yet, but you need the money; CONFIRM places the order, at this price or a lower one.
        """
        choice = Choice(deliver_to, note, reward, code, from_)
        given = {"seconds": self.seconds, "at": self.clock.now(), "zone": self.zone}
        return await session.transact(quotes.quote, session.member, items, choice, self.usual, **given)

    @command("CONFIRM", access=MEMBER, moves=True, quote=arguments.whole)
    async def confirm(self, session: Session, quote: int) -> Placed:
        """
        Place the order of a quote, and pay for it.
        """
        given = self.booking() | {"limit": self.held_per_member}
        return await session.transact(quotes.confirm, quote, session.member, self.usual, **given)

    @command(None, access=MEMBER, writes=True, quote=arguments.whole)
    async def discard(self, session: Session, quote: int) -> quotes.Discarded:
        """Give up a quote, so that others can have what it reserves."""
        return await session.transact(quotes.discard, quote, session.member, at=self.clock.now())

    @command(None, access=MEMBER)
    async def quotes(self, session: Session) -> Listing[quotes.QuoteRow]:
        """List your quotes that are still open."""
        return await self.store.read(quotes.quotes_of, session.member)
