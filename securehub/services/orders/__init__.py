"""
Orders: a catalogue of what sellers offer, and orders from being placed until they are delivered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.plugin import IPlugin
from zope.interface import implementer, provider

from securehub import arguments
from securehub.command import LOGGED_IN, MEMBER, SELLER, Audited, command, last_seen, named, optional
from securehub.money import Amount
from securehub.remembering import IRemembers
from securehub.reply import Listing
from securehub.service import IServiceFactory
from securehub.services import loyalty, messages
from securehub.services.ledger.booking import booking
from securehub.services.loyalty import words as rewards
from securehub.services.loyalty.usual import usual_programme
from securehub.services.orders import caring, catalogue, escrow, looking, memory, placing, records, returns, stepping, words
from securehub.services.orders.quoting import Quoting
from securehub.services.orders.selling import Selling
from securehub.services.orders.threads import Threads
from securehub.services.orders.words import Wanted
from securehub.services.support.records import Case, CaseOfOrder
from securehub.session import Session

if TYPE_CHECKING:
    from securehub.hub import Hub


@provider(IPlugin, IServiceFactory)
@implementer(IRemembers)
class Orders:
    """Ordering from members who sell."""

    name = "orders"
    records = (
        *(records.Item, records.Stock, records.Shop, records.Order, records.Quote, records.Reserving),
        *messages.RECORDS,
        *(Case, CaseOfOrder),
        *loyalty.RECORDS,
    )
    parts = (Quoting, Selling, Threads)
    remembered = staticmethod(memory.remembered)
    refuse_to_forget = staticmethod(memory.refuse_to_forget)
    forget = staticmethod(memory.forget)

    def __init__(self, hub: Hub) -> None:
        self.store = hub.store
        self.booking = booking(hub)
        self.currencies = hub.currencies
        self.items_per_seller = hub.settings["items_per_seller"]
        self.held_per_member = hub.settings["open_per_member"]
        self.usual = usual_programme(hub.currencies.default)
        hub.agenda.add(escrow.DUTY, escrow.end, self.booking)
        hub.order_facts.append(caring.facts)
        hub.order_refunds.append(caring.REFUND)

    @command(
        "CATALOG",
        access=LOGGED_IN,
        elsewhere=("menu",),
        long=True,
        seller=named(arguments.username),
        search=named(words.searched),
        limit=named(arguments.listed),
        after=last_seen(words.sku),
    )
    async def catalog(
        self, session: Session, seller: str | None = None, search: str | None = None, limit: int = 20, after: str = ""
    ) -> catalogue.Catalogue:
        """
        List what can be ordered.

        search= lists only what has it in its name, or as a tag. If there is more, the answer says with which after= to go on.
        """
        return await self.store.read(catalogue.catalogue, seller, search, after, limit=limit)

    @command(
        None,
        access=SELLER,
        writes=True,
        sku=words.sku,
        name=named(arguments.name),
        price=named(arguments.amount),
        stock=named(words.stock),
        add=named(words.more),
        unit=named(words.unit),
        tags=named(words.tags),
        low=named(words.stock),
        active=named(arguments.switch),
        currency=named(arguments.currency),
    )
    async def item(
        self,
        session: Session,
        sku: str,
        name: str | None = None,
        price: Amount | None = None,
        stock: int | None = None,
        add: int | None = None,
        unit: str | None = None,
        tags: tuple[str, ...] | None = None,
        low: int | None = None,
        active: bool | None = None,
        currency: str | None = None,
    ) -> catalogue.ItemSet:
        """
        Offer an item, or change one of yours.

        A new one needs a price, in the hub's currency unless you name another. stock= is how many there are; add= is how many more, or
        with a minus how many fewer, whatever is ordered meanwhile. When fewer than low= are left, you are told. Orders already placed keep
        their names and prices. An item with active=off cannot be ordered.
        """
        draft = catalogue.Draft(name, price, stock, add, unit, tags, low, active)
        money, exactly = self.currencies.meant(currency), currency is not None
        return await session.transact(catalogue.set_item, session.member, sku, draft, money, exactly=exactly, limit=self.items_per_seller)

    @command(
        "ORDER",
        access=MEMBER,
        elsewhere=("buy",),
        moves=True,
        items=words.items,
        deliver_to=named(words.note),
        note=named(words.note),
        reward=named(rewards.reward),
        code=named(rewards.code),
        from_=named(arguments.account),
    )
    async def place(
        self,
        session: Session,
        items: tuple[Wanted, ...],
        deliver_to: str = "",
        note: str = "",
        reward: str | None = None,
        code: str | None = None,
        from_: str | None = None,
    ) -> placing.Placed:
        """
        Order something, and pay for it.

        An order has items of one seller. With reward= you use a reward that you have redeemed, or pay points for it now; with code= a
        promotion code. Add try=on to see what it would cost. It is paid from your first account in the currency unless you name another
        with from=.
        """
        choice = placing.Choice(deliver_to, note, reward, code, from_)
        given = self.booking() | {"limit": self.held_per_member}
        return await session.transact(placing.place, session.member, items, choice, self.usual, **given)

    @command("ORDERS", access=MEMBER, limit=named(arguments.listed), before=named(arguments.whole))
    async def list(self, session: Session, limit: int = 20, before: int | None = None) -> Listing[looking.OrderRow]:
        """
        List your orders, newest first.

        For older ones, give the number of the last one you saw as before=.
        """
        return await self.store.read(looking.orders_of, session.member, limit=limit, before=before)

    @command(None, access=LOGGED_IN, order=arguments.whole)
    async def show(self, session: Session, order: int) -> looking.Shown:
        """
        Show everything about an order.

        Its customer, its seller and treasurers can see it.
        """
        return await self.store.read(looking.show, order, session.caller)

    @command("CANCEL", access=MEMBER, moves=True, order=arguments.whole)
    async def cancel(self, session: Session, order: int) -> stepping.Cancelled:
        """
        Cancel an order of yours.

        You can until the seller prepares it. You get your money back, and what it did to your card is undone.
        """
        return await session.transact(stepping.cancel, order, session.member, **self.booking())

    @command(None, access=MEMBER, long=True, status=optional(words.status), limit=named(arguments.listed), after=last_seen(arguments.whole))
    async def queue(self, session: Session, status: str | None = None, limit: int = 20, after: int | None = None) -> looking.Queue:
        """
        List the orders placed with you that are not delivered yet, oldest first.

        For more, give the number of the last one you saw as after=.
        """
        return await self.store.read(looking.queue_of, session.member, status, limit=limit, after=after)

    @command(
        None,
        access=MEMBER,
        long=True,
        customer=named(arguments.username),
        status=named(words.status),
        limit=named(arguments.listed),
        before=named(arguments.whole),
    )
    async def sold(
        self, session: Session, customer: str | None = None, status: str | None = None, limit: int = 20, before: int | None = None
    ) -> looking.Sold:
        """
        List the orders with you, those that are over among them, newest first.

        With customer= only one member's, with status= only those in one state. If there is more, the answer says with which before= to
        ask for it.
        """
        return await self.store.read(looking.sold_by, session.member, customer, status, limit=limit, before=before)

    @command("ADVANCE", access=LOGGED_IN, moves=True, audited=Audited.OF_POWER, order=arguments.whole, status=words.status)
    async def advance(self, session: Session, order: int, status: str) -> stepping.Advanced:
        """
        Say how far an order placed with you is.

        It is accepted, preparing, delivering and delivered, in this order; you may leave steps out. Until it is delivered you can also say
        cancelled, and everything goes back. The customer is told. Treasurers can do this for any seller.
        """
        session.concerns(await self.store.read(stepping.seller_of, order))
        return await session.transact(stepping.advance, order, status, session.caller, **self.booking())

    @command(
        None,
        access=LOGGED_IN,
        moves=True,
        audited=Audited.OF_POWER,
        order=arguments.whole,
        items=named(words.items),
        amount=named(arguments.amount),
        reason=named(arguments.memo),
        restock=named(arguments.switch),
    )
    async def refund(
        self,
        session: Session,
        order: int,
        items: tuple[Wanted, ...] | None = None,
        amount: Amount | None = None,
        reason: str = "",
        restock: bool = True,
    ) -> returns.Refunded:
        """
        Take back items of an order placed with you, or give back some of its price.

        items="coffee 1" is what comes back; without items= and amount=, it is everything that is left. What was paid for it is paid back
        unless you give another amount, and the points that it brought are taken back. It goes into stock again unless you say restock=off.
        Treasurers can do this for any seller.
        """
        session.concerns(await self.store.read(stepping.seller_of, order))
        return await session.transact(stepping.refund, order, items, amount, reason, session.caller, on_stock=restock, **self.booking())
