"""
Amounts and currencies: exact, in whole units of the smallest coin, never a float.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache

import msgspec

from securehub.refusals import BadArgument, shown

MAX_WHOLE_DIGITS = 15
MAX_DIGITS = 6
MOST_UNITS = 10**18
"""No amount and no sum of any may reach it: whoever reads the journal may have 64 bits for each."""
_AMOUNT = re.compile(rf"([0-9]{{1,{MAX_WHOLE_DIGITS}}})(?:\.([0-9]{{1,18}}))?")
CODE = re.compile(r"[A-Z][A-Z0-9]{1,7}")
"""What a currency can be called."""


class Amount:
    """
    An amount as it was written, of no currency yet: C{12.5} is digits 125, decimals 1.

    Two that are worth the same are equal, and have the same C{canonical} form.
    """

    __slots__ = ("decimals", "digits")

    def __init__(self, digits: int, decimals: int) -> None:
        self.digits = digits
        self.decimals = decimals

    @classmethod
    def parse(cls, word: str) -> Amount:
        """
        @raise BadArgument: it is not a positive decimal number, or is too large.
        """
        found = _AMOUNT.fullmatch(word)
        if found is None:
            raise BadArgument(
                f"{shown(word)} is not an amount such as 12 or 12.50 "
                f"(digits and a point alone, more than zero, up to {MAX_WHOLE_DIGITS} digits before it)"
            )
        whole, fraction = found.groups()
        amount = cls(int(whole + fraction), len(fraction)) if fraction else cls(int(whole), 0)
        if not amount.digits:
            raise BadArgument("an amount is more than zero")
        return amount

    def canonical(self) -> str:
        """The same text for all ways of writing one amount: C{125e-1}, without zeros at the end."""
        digits, decimals = self.digits, self.decimals
        while digits % 10 == 0:
            digits //= 10
            decimals -= 1
        return f"{digits}e{-decimals}"

    def __str__(self) -> str:
        """As it was written, without leading zeros: C{12.5}."""
        whole, decimals = divmod(self.digits, 10**self.decimals)
        return f"{whole}.{decimals:0{self.decimals}d}" if self.decimals else str(whole)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Amount) and self.canonical() == other.canonical()

    def __hash__(self) -> int:
        return hash(self.canonical())

    def __repr__(self) -> str:
        return f"Amount({self.canonical()})"


class Currency(msgspec.Struct, frozen=True):
    """
    A currency, or any other unit that accounts are kept in.

    @ivar code: as ISO 4217 has it, or the community's own (C{HOURS}).
    @ivar digits: decimals after the point, from 0 to 6; 100 units are 1.00 where it is 2.
    """

    code: str
    digits: int = 2

    def units(self, amount: Amount, named: str = "amount") -> int:
        """
        @param named: the parameter that it was given as, which a refusal names.

        @raise BadArgument: the amount has more decimals than the currency, or is too large where these are many.
        """
        missing = self.digits - amount.decimals
        if missing < 0:
            raise BadArgument(f"{named}: {self.code} has {self.digits} decimals, and this has {amount.decimals}")
        units = amount.digits * _POWERS[missing]
        if units >= MOST_UNITS:
            raise BadArgument(f"{named}: no amount in {self.code} may reach {self.text(MOST_UNITS)}")
        return units

    def text(self, units: int) -> str:
        """Units as a decimal number with all the currency's digits: C{-0.05}."""
        digits = self.digits
        written = str(units)
        # Most amounts are of one whole or more.
        if len(written) > digits > 0 <= units:
            return f"{written[:-digits]}.{written[-digits:]}"
        if units < 0:
            return "-" + self.text(-units)
        return f"0.{written:0>{digits}}" if digits else written

    def priced(self, units: int) -> str:
        """The same with the currency's code, for people: C{12.50 USD}."""
        return f"{self.text(units)} {self.code}"


def is_zero(text: str) -> bool:
    """Whether an amount is nothing, as L{Currency.text} writes it."""
    return not text.strip("-0.")


@cache
def currency(code: str, digits: int) -> Currency:
    """The one currency of that code and those digits."""
    return Currency(code, digits)


_POWERS: tuple[int, ...] = tuple(10**digits for digits in range(MAX_DIGITS + 1))


class Currencies(dict[str, Currency]):
    """
    The currencies that a hub knows, by code.

    @ivar default: the one that a new member's account has.
    """

    default: Currency

    @classmethod
    def parse(cls, text: str, default: str) -> Currencies:
        """
        @param text: C{USD:2 MXN:2 HOURS:1}.
        @param default: the code of the hub's own currency.

        @raise ValueError: the text is not of that form, or lacks the default.
        """
        currencies = cls()
        for currency in map(_currency, text.split()):
            if currency.code in currencies:
                raise ValueError(f"{currency.code} is there twice")
            currencies[currency.code] = currency
        if default not in currencies:
            raise ValueError(f"the hub's currency {default!r} is not among {text!r}")
        currencies.default = currencies[default]
        return currencies

    def meant(self, code: str | None) -> Currency:
        """
        The currency that a command's argument C{currency} means: the hub's own if it says none.

        @raise BadArgument: the hub does not know it.
        """
        code = code or self.default.code
        if code not in self:
            raise BadArgument(f"currency: {code} is not one of {', '.join(self.codes())}")
        return self[code]

    def codes(self) -> Iterable[str]:
        return sorted(self)

    def units(self, amounts: Mapping[str, Amount]) -> dict[str, int]:
        """
        Amounts by currency in units; without those of currencies that the hub does not know.

        @raise ValueError: one has more decimals than its currency.
        """
        try:
            return {code: self[code].units(amount) for code, amount in amounts.items() if code in self}
        except BadArgument as refusal:
            raise ValueError(str(refusal)) from None


def amounts(text: str) -> dict[str, Amount]:
    """
    Amounts by currency, such as C{USD:50 HOURS:2}.

    @raise ValueError: the text is not of that form.
    """
    found = {}
    for word in text.split():
        code, _, amount = word.partition(":")
        code = code.upper()
        if code in found:
            raise ValueError(f"{code} is there twice")
        try:
            found[code] = Amount.parse(amount)
        except BadArgument as refusal:
            raise ValueError(f"expected currencies with amounts, such as USD:50 HOURS:2: {refusal}") from None
    return found


def _currency(word: str) -> Currency:
    code, _, digits = word.partition(":")
    if not CODE.fullmatch(code) or digits not in set("0123456"):
        raise ValueError(f"{word!r} is not a currency with its digits, such as USD:2")
    return currency(code, int(digits))
