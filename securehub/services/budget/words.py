"""
The types of arguments that the budget's commands have of their own.
"""

from __future__ import annotations

import re

from securehub.arguments import argument, one_of
from securehub.outside.figures import ORDERS
from securehub.refusals import BadArgument, shown
from securehub.services.budget.records import BUCKETS

WHOLE = 10_000
"""All of something in hundredths of a percent."""

_PERCENTAGE = re.compile(r"([0-9]{1,3})(?:\.([0-9]{1,2}))?")
_MONTH = re.compile(r"[0-9]{4}-[0-9]{2}")


def bucket(word: str) -> str:
    """needs, wants or savings"""
    return one_of(word, BUCKETS)


def destination(word: str) -> str:
    """needs, wants, savings, income, or ignore"""
    return one_of(word, (*BUCKETS, "income", "ignore"))


@argument(accepts=(str, int))
def percentage(word: str) -> int:
    """a percentage from 0 to 100 with up to two decimals, such as 50 or 33.34"""
    found = _PERCENTAGE.fullmatch(word)
    hundredths = int(found[1]) * 100 + int((found[2] or "").ljust(2, "0")) if found else WHOLE + 1
    if hundredths > WHOLE:
        raise BadArgument(f"{shown(word)} is not a percentage from 0 to 100 with up to two decimals")
    return hundredths


def month(word: str) -> str:
    """a month, such as 2026-11"""
    if not _MONTH.fullmatch(word) or not 1 <= int(word[5:]) <= 12 or word < "0001":
        raise BadArgument(f"{shown(word)} is not a month such as 2026-11")
    return word


@argument(limit="name_characters")
def category(word: str) -> str:
    """a category of your own, such as rent"""
    return " ".join(word.split())


@argument(limit="name_characters")
def goal(word: str) -> str:
    """the name of a goal, such as bicycle"""
    name = " ".join(word.split())
    if not name:
        raise BadArgument("it is empty")
    return name


@argument(rest=True, multiline=True)
def statement(word: str) -> str:
    """a statement of an account elsewhere: the content of a CSV or OFX file"""
    return word


def date_order(word: str) -> str:
    """dmy or mdy, where dates such as 1/2/2026 could be either"""
    if word.lower() not in ORDERS:
        raise BadArgument(f"{shown(word)} is neither dmy nor mdy")
    return word.lower()


def leftover(word: str) -> str:
    """needs, wants, savings or ignore"""
    return one_of(word, (*BUCKETS, "ignore"))


@argument(limit="name_characters")
def outside_account(word: str) -> str:
    """a name for the account elsewhere"""
    return " ".join(word.split())


@argument(limit="name_characters")
def payee(word: str) -> str:
    """a username, an account number, @cash, or a name as a bank writes it"""
    return " ".join(word.split())


@argument(limit="memo_characters")
def contained(word: str) -> str:
    """what the memo, or the bank's text, has in it; capitals and accents make no difference"""
    return word.strip()


@argument(limit="memo_characters")
def item(word: str) -> str:
    """what it was for"""
    stripped = word.strip()
    if not stripped:
        raise BadArgument("it is empty")
    return stripped


@argument(rest=True, multiline=True, limit="memo_characters")
def source(word: str) -> str:
    """where it came from"""
    return word
