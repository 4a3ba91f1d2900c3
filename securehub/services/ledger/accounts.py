"""
Rules about accounts: opening them, and finding the one that is meant.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from msgspec.structs import replace

from securehub import clabe
from securehub.config import BadSetting
from securehub.members import Member
from securehub.money import Currencies, Currency
from securehub.refusals import Exists, LimitExceeded, NotFound
from securehub.services.ledger.records import Account, Title, Wallet
from securehub.store.transaction import ReadTransaction, Transaction

PARTS = 16
"""Into so many parts a counterpart is divided, so that not all who pay in or out have to touch one record."""


class Numbering(NamedTuple):
    """
    How account numbers are made.

    @ivar bank: three digits, of no real bank.
    @ivar branch: three digits.
    """

    bank: str
    branch: str


def open_account(tx: Transaction, owner: str, name: str, currency: Currency, numbering: Numbering, *, limit: int, at: datetime) -> str:
    """
    Open an account that holds nothing.

    @param limit: how many accounts an owner may have.

    @return: its number.

    @raise Exists: the owner has one of that name.
    @raise LimitExceeded: the owner has enough.
    """
    wallet = tx.get(Wallet, owner) or Wallet(())
    if len(wallet.accounts) >= limit:
        raise LimitExceeded(f"you have {len(wallet.accounts)} accounts; {limit} are allowed")
    for number, _ in wallet.accounts:
        if tx.fetch(Title, number).name == name:
            raise Exists(f"you have an account named {name!r} already: {number}")
    number = clabe.number(numbering.bank, numbering.branch, tx.number("account"))
    tx.put(number, Account(owner, currency.code, currency.digits, watched=wallet.watched))
    tx.put(number, Title(name, at))
    tx.put(owner, replace(wallet, accounts=(*wallet.accounts, (number, currency.code))))
    return number


def first_account(tx: ReadTransaction, owner: str, currency: str | None = None) -> str:
    """
    The number of an owner's first account.

    @param currency: only an account in this currency will do.

    @raise NotFound: there is no such owner, or no such account.
    """
    wallet = tx.get(Wallet, owner)
    if wallet is None:
        raise NotFound(f"there is no member {owner}")
    for number, code in wallet.accounts:
        if currency is None or code == currency:
            return number
    raise NotFound(f"{owner} has no account in {currency}")


def unname(tx: Transaction, owner: str) -> None:
    """
    From now on nobody finds the accounts by the name of their owner, who is being erased: what is paid there nobody could get at. Whoever
    forgets what is in them still does, with L{wallet_of}.
    """
    wallet = tx.get(Wallet, owner)
    if wallet is not None:
        tx.delete(Wallet, owner)
        tx.put(_unnamed(owner), wallet)


def wallet_of(tx: ReadTransaction, owner: str) -> Wallet:
    """The accounts of somebody who may be erased by now."""
    return tx.get(Wallet, owner) or tx.get(Wallet, _unnamed(owner)) or Wallet(())


def forget_wallet(tx: Transaction, owner: str) -> None:
    """Nothing of an erased member's accounts is left to be forgotten."""
    for key in (owner, _unnamed(owner)):
        tx.delete(Wallet, key)


def _unnamed(owner: str) -> str:
    # No username has a blank.
    return f"erased {owner}"


def whose(tx: ReadTransaction, party: str) -> str:
    """The owner of the account with a number; whatever else it is stays what it is, be it a username or the number of no account."""
    account = tx.get(Account, party) if party[:1].isdigit() else None
    return account.owner if account is not None else party


def own_account(tx: ReadTransaction, owner: str, number: str | None) -> str:
    """
    The number of the account that an owner means.

    @param number: None for the first one.

    @raise NotFound: it is not the owner's, whether it exists or not.
    """
    if number is None:
        return first_account(tx, owner)
    wallet = tx.get(Wallet, owner)
    if wallet is None or all(number != own for own, _ in wallet.accounts):
        raise NotFound(f"you have no account {number}")
    return number


def party_account(tx: ReadTransaction, party: str, currency: str | None = None) -> str:
    """
    The number of the account that a username or an account number means.

    @raise NotFound: there is no such member or account, or the member is erased: nobody could get at money that is paid there.
    """
    if not party[0].isdigit():
        return first_account(tx, party, currency)
    if is_orphaned(tx, tx.fetch(Account, party)):
        raise NotFound(f"there is no account {party}")
    return party


def is_orphaned(tx: ReadTransaction, account: Account) -> bool:
    """Whether an account's member is erased."""
    owner = tx.get(Member, account.owner)
    return owner is not None and owner.erased is not None


def counterpart(tx: ReadTransaction, name: str, currency: Currency, beside: str) -> tuple[str, Account]:
    """
    The part of a counterpart that moves money with an account; made when it is first needed.

    @param name: C{@cash}, say.
    @param beside: the number of the member's account.
    """
    number = f"{name}.{currency.code}.{int(beside[-6:-1]) % PARTS:02d}"
    return number, tx.get(Account, number) or Account(name, currency.code, currency.digits, floor=None)


def parts(tx: ReadTransaction, name: str) -> list[str]:
    """The numbers of all parts of a counterpart, in all currencies."""
    return [number for number, _ in tx.scan(Account, prefix=f"{name}.")]


def refuse_other_digits(tx: ReadTransaction, currencies: Currencies) -> None:
    """
    What was booked is whole units. If a currency had more decimals from now on, ten of the old units would be paid as one.

    @param currencies: as the settings have them; accounts in others stay as they are.

    @raise BadSetting: there are accounts in one of them with other decimals.
    """
    for _, account in tx.scan(Account):
        meant = currencies.get(account.currency)
        if meant is not None and meant.digits != account.digits:
            kept = f"{meant.code}:{account.digits}"
            raise BadSetting(f"currencies: there are accounts in {meant.code} with {account.digits} decimals, so it keeps them: {kept}")


def shown_number(number: str) -> str:
    """An account number as clients see it: which part of C{@cash}, say, it was is nobody's business."""
    return number.partition(".")[0] if number[0] == "@" else number
