"""
What enters budgets by itself: orders that were paid, and what members' own rules catch.

C{feed} is a watcher of the ledger: it runs in the transaction of the payment. So a payment and its entry are there together, or neither.
"""

from __future__ import annotations

from datetime import tzinfo

from securehub.money import Currency
from securehub.refusals import LimitExceeded
from securehub.services.budget.entries import Draft, enter, take_out
from securehub.services.budget.records import Book, Entry, Origin, entry_key, origin_key
from securehub.services.budget.sorting import Patterns, Payment, first_catch, gives_back
from securehub.services.ledger.records import ORDER_PAYMENT, transfer_reference
from securehub.services.ledger.watching import Movement
from securehub.store.transaction import Transaction


def feed(tx: Transaction, movement: Movement, *, zone: tzinfo, currency: Currency) -> tuple[str, ...]:
    """
    Enter a movement into the budgets of those whom it concerns.

    A paid order enters the payer's budget as wants, unless a rule of theirs says otherwise. A refund, or a reversal, takes out what it
    gives back. Anything else enters by rules alone.

    @param zone: the hub's; its days count.
    @param currency: of a book that is begun now.

    @return: warnings for the payer.
    """
    if gives_back(movement.kind, movement.reference):
        _give_back(tx, movement.payee, movement.reference, movement.units)
        _give_back(tx, movement.payer, movement.reference, movement.units)
        return ()
    warnings = _enter_payment(tx, movement, zone, currency)
    if movement.payee != movement.payer:
        _enter_receipt(tx, movement, zone, currency)
    return warnings


def _enter_payment(tx: Transaction, movement: Movement, zone: tzinfo, currency: Currency) -> tuple[str, ...]:
    owner = movement.payer
    book = _book(tx, owner, movement, currency)
    if book is None:
        return ()
    bucket, category = _sorted(tx, owner, Payment(False, (movement.payee, movement.target), movement.memo))
    if not bucket and movement.kind == ORDER_PAYMENT:
        bucket = "wants"
    if bucket in ("", "ignore"):
        return ()
    reference = movement.reference.replace("/", " ")
    item = movement.memo or (reference if movement.kind == ORDER_PAYMENT else unnamed("expense", movement.payee))
    return _enter(tx, owner, book, movement, _draft(movement, zone, "expense", item, bucket, category))


def _enter_receipt(tx: Transaction, movement: Movement, zone: tzinfo, currency: Currency) -> None:
    owner = movement.payee
    bucket, category = _sorted(tx, owner, Payment(True, (movement.payer, movement.source), movement.memo))
    if bucket != "income":
        return
    book = _book(tx, owner, movement, currency)
    if book is not None:
        # Its warnings are nobody's business but the payee's, who is not there to be told.
        item = movement.memo or unnamed("income", movement.payer)
        _enter(tx, owner, book, movement, _draft(movement, zone, "income", item, "", category))


def unnamed(kind: str, other: str) -> str:
    """
    What an entry is called if the payment has no memo.

    @param kind: of the entry.
    @param other: who was paid, or paid.
    """
    return f"to {other}" if kind == "expense" else f"from {other}"


def _book(tx: Transaction, owner: str, movement: Movement, currency: Currency) -> Book | None:
    """The owner's book, as it is or as it begins; None for counterparts, and where the currency is another."""
    if owner.startswith("@"):
        return None
    book = tx.get(Book, owner) or Book(currency.code, currency.digits)
    return book if book.currency == movement.currency else None


def _sorted(tx: Transaction, owner: str, payment: Payment) -> tuple[str, str]:
    """The bucket and category that the owner's rules say, empty if none of them is about this."""
    kept = tx.get(Patterns, owner)
    rule = first_catch(kept.rules, payment) if kept else None
    return (rule.bucket, rule.category) if rule else ("", "")


def _draft(movement: Movement, zone: tzinfo, kind: str, item: str, bucket: str, category: str) -> Draft:
    day = movement.at.astimezone(zone).date()
    return Draft(day, kind, item.replace("\n", " / "), bucket, category, _origin(movement), movement.units)


def _origin(movement: Movement) -> str:
    return movement.reference if movement.kind == ORDER_PAYMENT else transfer_reference(movement.number)


def _enter(tx: Transaction, owner: str, book: Book, movement: Movement, draft: Draft) -> tuple[str, ...]:
    """Enter a draft. A budget that is full is no reason to refuse a payment."""
    try:
        number, warnings = enter(tx, owner, book, draft)
    except LimitExceeded as refusal:
        if not draft.category:
            return (f"not entered into your budget: {refusal}",)
        return _enter(tx, owner, book, movement, draft._replace(category=""))
    # By its order, which a refund names, or by its transfer, which a reversal names; what belongs to an order is not reversed.
    tx.put(origin_key(owner, draft.origin), Origin(number))
    return tuple(warnings)


def _give_back(tx: Transaction, owner: str, reference: str, units: int) -> None:
    """Take out of the owner's budget what came of an order or a transfer, if anything did and it is still there."""
    origin = tx.get(Origin, origin_key(owner, reference))
    if origin is None:
        return
    key = entry_key(owner, origin.entry)
    entry = tx.get(Entry, key)
    if entry is not None:
        take_out(tx, key, entry, min(units, entry.units))
