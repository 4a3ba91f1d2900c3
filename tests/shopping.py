"""
Members who offer, order, deliver, cancel and give back, at a hub at which the power fails now and then; and receipts that have to be right.

C{python -m tests.shopping 100000} plays so many commands, as L{tests.books} does, whose members do all that they do there besides: sellers
spend what a refund would need, treasurers set limits and try to undo payments of orders.

All that writes has a key, and what had no answer when the power failed is asked again. So in the end there are as many orders as were
acknowledged, and each is where its answers say, or further on. Stock, money, points and codes are what the orders' history makes them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from securehub.store.transaction import ReadTransaction
from tests.books import TREASURER, Asked, Choices, Play, Saying, answerer, main, say, someone
from tests.rules import receipts

SHOPS: tuple[dict[str, str], ...] = (
    {"coffee": "2.50", "bagel": "3.33", "cake": "0.07"},
    {"lamp": "19.99", "shade": "10.50", "bulb": "1.01"},
    {"pear": "30", "plum": "7", "fig": "1"},
)
"""What each of the sellers offers, at which price. The second is paid when an order is delivered, the third in yen."""

CODES = {"spring": 0, "sale": 1}
"""Promotions, with the place of the shop that they are good in."""

STOCK = 6
"""Of each item at first: soon there is nothing left, until the seller has more."""

LATEST = {"order": 12, "quote": 3}
"""So many are likely not to be over."""


class Shopping:
    """
    What is ordered at a play.

    @ivar supplied: what the answers say that was put on stock, by sku.
    @ivar wasted: what came back and was not put there again.
    @ivar placed: the numbers of all orders that were acknowledged.
    @ivar seen: states in which somebody has seen an order, by its number.
    @ivar refunded: what somebody was told that was refunded of it.
    @ivar quoted: what quotes said that an order costs, by their number.
    """

    def __init__(self, play: Play) -> None:
        self.choices = CHOICES
        self.supplied: Counter[str] = Counter()
        self.wasted: Counter[str] = Counter()
        self.placed: set[int] = set()
        self.seen: defaultdict[int, set[str]] = defaultdict(set)
        self.refunded: defaultdict[int, Decimal] = defaultdict(Decimal)
        self.quoted: dict[int, Decimal] = {}
        self._play = play

    def begin(self) -> None:
        """The shops open."""
        play = self._play
        for place in range(len(SHOPS)):
            play.ask(TREASURER, "admin.grant", username=play.names[place], role="seller")
        for name in play.names:
            play.ask(TREASURER, "ledger.deposit", to=play.accounts[name][1], amount=500)
        play.listen()
        for place, prices in enumerate(SHOPS):
            currency = "JPY" if place == 2 else "USD"
            for sku, price in prices.items():
                play.ask(play.names[place], "orders.item", sku=sku, price=price, stock=STOCK, currency=currency, low=2)
        play.ask(play.names[1], "orders.shop", escrow=True, escrow_days=1)
        play.ask(play.names[0], "loyalty.promotion", code="spring", percent=15, uses=40, each=4)
        play.ask(play.names[1], "loyalty.promotion", code="sale", amount="1.50")
        play.ask(TREASURER, "loyalty.set_reward", reward="tenth", cost=5, percent=10)
        play.ask(TREASURER, "loyalty.set_tier", name="regular", spent="20", percent=150)
        play.listen()

    # What the answers say

    def heard(self, asked: Asked, result: Mapping[str, Any]) -> None:
        match asked.method:
            case "orders.item":
                self.supplied[result["sku"]] += asked.params.get("stock", 0) + asked.params.get("add", 0)
            case "orders.quote":
                self.quoted[result["quote"]] = Decimal(result["total"])
                self._play.remember("quote", result["quote"], asked.who, asked.who)
            case "orders.place" | "orders.confirm":
                self._heard_placed(asked, result)
            case "orders.advance" | "orders.cancel":
                self.saw(result["order"], result["status"], result["refunded"])
            case "orders.refund":
                self._heard_refund(asked, result)

    def _heard_placed(self, asked: Asked, result: Mapping[str, Any]) -> None:
        number = result["order"]
        assert number not in self.placed, f"two answers have order {number}"
        self.placed.add(number)
        self.saw(number, result["status"])
        self._play.remember("order", number, asked.who, result["seller"])
        if asked.method == "orders.confirm":
            # Somebody may have guessed the number, and not have heard yet what it costs.
            most = self.quoted.get(asked.params["quote"], Decimal("Infinity"))
            assert Decimal(result["total"]) <= most, f"{asked} was said to cost {most}: {result}"

    def _heard_refund(self, asked: Asked, result: Mapping[str, Any]) -> None:
        number = result["order"]
        self.refunded[number] = max(self.refunded[number], Decimal(result["refunded"]))
        if not asked.params.get("restock", True):
            for item in asked.params["items"]:
                self.wasted[item["sku"]] += item["quantity"]
        if result["transfer"] is not None:
            # Which some treasurer will try to undo.
            self._play.remember("transfer", result["transfer"], asked.who, asked.who)

    def saw(self, number: int, status: str, refunded: str = "0") -> None:
        """Somebody was told that an order is in a state."""
        self.seen[number].add(status)
        self.refunded[number] = max(self.refunded[number], Decimal(refunded))

    # What has to be so

    def check(self, tx: ReadTransaction) -> None:
        """All that was asked is answered. So there are the orders that answers tell of, and no others."""
        orders = receipts.check(tx, self._play.names, self.supplied, self.wasted, CODES)
        assert orders.keys() == self.placed, f"orders {orders.keys() ^ self.placed} are there or acknowledged, and not both"
        for number, statuses in self.seen.items():
            had = {step.status for step in orders[number].steps}
            assert statuses <= had, f"order {number} was seen {statuses}, and its steps are {had}"
        for number, amount in self.refunded.items():
            order = orders[number]
            assert order.refunded >= amount.scaleb(order.digits), f"{amount} of order {number} was refunded: {order}"


# What comes into members' heads


def some_of(play: Play, place: int) -> list[dict[str, Any]]:
    """Some of a shop, and now and then of another one besides."""
    names = [*SHOPS[place], *(SHOPS[0] if play.chance.random() < 0.03 else ())]
    chosen = play.chance.sample(names, play.chance.randint(1, 3))
    return [{"sku": sku, "quantity": play.chance.randint(1, 3)} for sku in chosen]


def wanted(play: Play) -> dict[str, Any]:
    place = play.chance.randrange(len(SHOPS))
    reward = play.chance.choice((*(None,) * 9, "tenth", "tenth", "off5"))
    code = play.chance.choice((*(None,) * 6, *CODES, *(code for code in CODES if CODES[code] == place)))
    return {"items": some_of(play, place), "reward": reward, "code": code, "note": f"for {someone(play)}"}


def order(play: Play) -> Saying:
    return say(play, someone(play), "orders.place", **wanted(play))


def quote(play: Play) -> Saying:
    return Saying(someone(play), "orders.quote", wanted(play))


def confirm(play: Play) -> Saying:
    number = recent(play, "quote")
    return say(play, answerer(play, "quote", number), "orders.confirm", quote=number)


def discard(play: Play) -> Saying:
    number = recent(play, "quote")
    return Saying(answerer(play, "quote", number), "orders.discard", {"quote": number})


def advance(play: Play) -> Saying:
    number = recent(play, "order")
    status = play.chance.choice(("placed", "accepted", "preparing", "delivering", "delivered", "delivered", "cancelled"))
    return say(play, answerer(play, "order", number), "orders.advance", order=number, status=status)


def cancel(play: Play) -> Saying:
    number = recent(play, "order")
    who = play.makers.get(("order", number)) if play.chance.random() < 0.9 else None
    return say(play, who or someone(play), "orders.cancel", order=number)


def refund(play: Play) -> Saying:
    """Some goods, some of the price, or all that is left."""
    number = recent(play, "order")
    who = answerer(play, "order", number)
    goods = {"items": some_of(play, play.names.index(who))} if who in play.names[: len(SHOPS)] else {}
    part = play.chance.choice((goods, goods, goods | {"restock": not goods}, goods | {"amount": "1"}, {"amount": "0.01"}, {}))
    return say(play, who, "orders.refund", order=number, **part)


def redeem(play: Play) -> Saying:
    return Saying(someone(play), "loyalty.redeem", {"reward": play.chance.choice(("tenth", "off5"))})


def supply(play: Play) -> Saying:
    place = play.chance.randrange(len(SHOPS))
    sku, price = play.chance.choice(list(SHOPS[place].items()))
    changed = {"price": play.chance.choice((price, "4")), "active": play.chance.random() < 0.97}
    return Saying(play.names[place], "orders.item", {"sku": sku, "add": play.chance.randint(1, 6)} | changed)


def choose_escrow(play: Play) -> Saying:
    return Saying(play.names[play.chance.randrange(len(SHOPS))], "orders.shop", {"escrow": play.chance.random() < 0.5})


def change_programme(play: Play) -> Saying:
    per_point, free_every = play.chance.choice(("0.50", "3", "none")), play.chance.choice((0, 3, 5))
    free_up_to = play.chance.choice(("none", "2.20"))
    return Saying(TREASURER, "loyalty.set_programme", {"per_point": per_point, "free_every": free_every, "free_up_to": free_up_to})


def meddle(play: Play) -> Saying:
    """Somebody tries to get at money that is held, be it for an order."""
    method, most = play.chance.choice(("ledger.capture", "ledger.release")), max(play.known.get("hold") or [1]) + 5
    return Saying(play.chance.choice((TREASURER, play.names[1])), method, {"hold": play.chance.randint(1, most)})


def recent(play: Play, kind: str) -> int:
    return play.chance.choice((play.known.get(kind) or [1])[-LATEST[kind] :])


CHOICES: Choices = {
    order: 30,
    quote: 12,
    confirm: 10,
    discard: 2,
    advance: 30,
    cancel: 8,
    refund: 12,
    redeem: 6,
    supply: 10,
    choose_escrow: 1,
    change_programme: 1,
    meddle: 2,
}


if __name__ == "__main__":
    main(Shopping)
