"""
Rules of a member's own: what is paid to whom, or for what, belongs into which bucket and category.

The first rule that catches a payment decides. What goes out is caught by rules for buckets, what comes in by rules for income, and either
by rules that say to ignore it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import ClassVar, NamedTuple

import msgspec
from msgspec.structs import replace

from securehub.casefolding import fold
from securehub.money import Currency
from securehub.refusals import BadArgument, LimitExceeded, NotFound
from securehub.reply import Listing, Reply, Row, Top
from securehub.services.budget.plans import money_of
from securehub.services.ledger import books
from securehub.services.ledger.accounts import wallet_of
from securehub.services.ledger.records import ORDER_REFUND, REVERSALS, Transfer
from securehub.services.ledger.watching import set_watched
from securehub.store.records import Record
from securehub.store.transaction import ReadTransaction, Transaction

MAX_RULES = 100
"""Of a member; all are looked at for each of their payments."""

PREVIEWED = 1_000
"""So many of the latest entries are looked at to tell what a rule would catch, of several accounts a fair share each; it takes 10 ms."""


class Pattern(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """
    A rule of a member.

    @ivar number: never used again for another rule of this member.
    @ivar bucket: needs, wants, savings; C{income}, or C{ignore}.
    @ivar payee: a username, an account number, C{@cash}, or a name as a bank writes it; empty for anybody. Whoever pays, for income.
    @ivar text: what the memo or the bank's text has in it; empty for any.
    """

    number: int
    bucket: str
    payee: str
    text: str
    category: str


class Payment(NamedTuple):
    """
    What rules look at.

    @ivar incoming: whether it came in.
    @ivar names: of whom it was paid to, or from whom it came.
    @ivar text: memo, or what the bank says about it.
    """

    incoming: bool
    names: tuple[str, ...]
    text: str

    def folded(self) -> Payment:
        """The same, folded: once for all the rules that look at it."""
        return Payment(self.incoming, tuple(map(fold, self.names)), fold(self.text))


class Patterns(Record, frozen=True):
    """
    A member's rules, by username, in the order in which they are looked at.

    @ivar last: the greatest number that one has had.
    """

    collection: ClassVar[str] = "budget-rules"
    scanned: ClassVar[bool] = False

    rules: tuple[Pattern, ...] = ()
    last: int = 0


class RuleRow(Row, frozen=True):
    """
    One rule.

    @ivar payee: of whom it is about; empty for anybody.
    @ivar text: what has to be in the text; empty for any.
    """

    rule: int
    bucket: str
    category: str
    payee: str
    text: str


class RuleAdded(Reply, frozen=True):
    """A rule that counts from now on."""

    rule: int
    bucket: str
    category: str

    def status(self) -> str:
        return f"Rule {self.rule} counts from now on."


class RuleRemoved(Reply, frozen=True):
    """A rule that is gone."""

    rule: int

    def status(self) -> str:
        return f"Rule {self.rule} is removed."


class CaughtRow(Row, frozen=True):
    """
    A movement of money that a rule would have caught.

    @ivar amount: signed, as in your account.
    @ivar rule: the number of your rule that catches it already, and so would win; null if none does.
    """

    transfer: int
    at: datetime
    amount: str
    currency: str
    with_: str = msgspec.field(name="with")
    memo: str
    rule: int | None


def add_rule(tx: Transaction, owner: str, bucket: str, payee: str, text: str, category: str) -> RuleAdded:
    """
    Add a rule, behind those that are there.

    @raise BadArgument: it would catch everything.
    @raise LimitExceeded: there are enough rules.
    """
    kept = tx.get(Patterns, owner) or Patterns()
    pattern = _pattern(kept.last + 1, bucket, payee, text, category)
    if len(kept.rules) >= MAX_RULES:
        raise LimitExceeded(f"you have {len(kept.rules)} rules; {MAX_RULES} are allowed")
    tx.put(owner, Patterns((*kept.rules, pattern), pattern.number))
    set_watched(tx, owner, True)
    return RuleAdded(pattern.number, bucket, category)


def remove_rule(tx: Transaction, owner: str, number: int) -> RuleRemoved:
    """
    Take a rule away; what it has entered stays.

    @raise NotFound: there is no such rule.
    """
    kept = tx.get(Patterns, owner) or Patterns()
    others = tuple(rule for rule in kept.rules if rule.number != number)
    if len(others) == len(kept.rules):
        raise NotFound(f"you have no rule {number}")
    tx.put(owner, replace(kept, rules=others))
    set_watched(tx, owner, bool(others))
    return RuleRemoved(number)


def rules_of(tx: ReadTransaction, owner: str) -> Listing[RuleRow]:
    kept = tx.get(Patterns, owner) or Patterns()
    return Listing([RuleRow(rule.number, rule.bucket, rule.category, rule.payee, rule.text) for rule in kept.rules])


def preview(tx: ReadTransaction, owner: str, bucket: str, payee: str, text: str, currency: Currency, *, limit: int) -> Top[CaughtRow]:
    """
    What a rule would have caught of the latest movements of the owner's accounts, the newest first.

    @param currency: of a book that is not yet begun.
    @param limit: how many to list.

    @raise BadArgument: it would catch everything.
    """
    pattern = _pattern(0, bucket, payee, text, "")
    money = money_of(tx, owner, currency)
    kept = tx.get(Patterns, owner) or Patterns()
    caught = [(row, payment) for row, payment in _movements(tx, owner, money) if catches(pattern, payment)]
    caught.sort(key=lambda each: -each[0].transfer)
    return Top([_caught(row, first_catch(kept.rules, payment)) for row, payment in caught[:limit]], more=len(caught) > limit)


def gives_back(kind: str, reference: str) -> bool:
    """
    Whether a movement of money gives back what an earlier one paid. Then it takes that out of budgets, and no rule is about it.

    @param kind: of the transfer.
    @param reference: likewise.
    """
    return kind == ORDER_REFUND or reference.startswith(REVERSALS)


def first_catch(rules: tuple[Pattern, ...], payment: Payment) -> Pattern | None:
    """The rule that decides about a payment, if one does."""
    folded = payment.folded()
    return next((rule for rule in rules if _fits(rule, folded)), None)


def catches(rule: Pattern, payment: Payment) -> bool:
    """Whether all that a rule says fits; capitals and accents make no difference."""
    return _fits(rule, payment.folded())


def _fits(rule: Pattern, folded: Payment) -> bool:
    if rule.bucket != "ignore" and folded.incoming != (rule.bucket == "income"):
        return False
    if rule.payee and fold(rule.payee) not in folded.names:
        return False
    return fold(rule.text) in folded.text


def _pattern(number: int, bucket: str, payee: str, text: str, category: str) -> Pattern:
    if not fold(payee) and not fold(text):
        raise BadArgument("a rule needs a payee= or a text= that it is about")
    return Pattern(number, bucket, payee, text, category)


def _caught(row: books.HistoryRow, earlier: Pattern | None) -> CaughtRow:
    """
    @param earlier: the rule that catches it already, if one does.
    """
    return CaughtRow(row.transfer, row.at, row.amount, row.currency, row.with_, row.memo, earlier.number if earlier else None)


def _movements(tx: ReadTransaction, owner: str, money: Currency) -> Iterator[tuple[books.HistoryRow, Payment]]:
    accounts = [number for number, code in wallet_of(tx, owner).accounts if code == money.code]
    for account in accounts:
        for key, transfer in tx.beneath(Transfer, account, limit=max(1, PREVIEWED // len(accounts)), reverse=True):
            if gives_back(transfer.kind, transfer.reference):
                continue
            row = books.row(tx, account, money, key, transfer)
            incoming = not row.amount.startswith("-")
            # What comes from another account of one's own is no income.
            if not (incoming and row.with_ == owner):
                _, other = transfer.sides(account)
                yield row, Payment(incoming, (row.with_, other.account), row.memo)
