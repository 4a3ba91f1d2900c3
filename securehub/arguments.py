"""
The types of arguments: each a function of one word, whose docstring is what HELP and errors say is expected.

A type looks at its word alone. Whether bob exists, and whether 0.001 has too many decimals for his currency, are questions for a rule.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Sequence
from copy import copy
from typing import Any

from securehub import clabe
from securehub.money import CODE, Amount
from securehub.refusals import BadArgument, shown

_NAME = re.compile(r"[a-z][a-z0-9._-]{1,31}")
_KEY = re.compile(r"[ -~]{1,64}")
_WHOLE = re.compile(r"[0-9]{1,15}")
# The category Zs, without the space of ASCII.
_SPACE = re.compile("[\xa0\u1680\u2000-\u200a\u202f\u205f\u3000]")
ROLE = re.compile(r"[a-z][a-z0-9_-]{0,31}")
"""What a role can be called."""

MAX_LISTED = 1_000

NONE = "none"
"""With it an amount or a time is taken away again, which is left as it is where nothing is said."""

_LONGEST_PASSWORD = 256
_MOST_TYPED = 4 * _LONGEST_PASSWORD
"""
In the normal form, at most four characters become one. So a longer text is not a password, and stays as it was typed. Normalizing takes a
time that grows with the square of the marks on one letter: 0.3 s for a line of them, during which nobody is served.
"""


class ArgumentType:
    """
    A function of a word, with what the wire forms need to know of it.

    @ivar parse: word to value; raises L{BadArgument}.
    @ivar accepts: the types of JSON values that it takes.
    @ivar multiline: whether its strings may hold LF.
    @ivar rest: whether, as a command's last parameter, it takes the rest of the line.
    @ivar words: whether, as a command's only parameter that is not given by name, it takes all words that are not; it gets them with one
        blank between each.
    @ivar limit: the setting that bounds its length, if one does.
    @ivar secret: whether it is written down nowhere: not in the audit, not in a log.
    @ivar target: whether it says to whom the command does something.
    """

    def __init__(
        self,
        parse: Callable[..., Any],
        *,
        accepts: Sequence[type] | None = None,
        multiline: bool = False,
        rest: bool = False,
        words: bool = False,
        limit: str | None = None,
        secret: bool = False,
        target: bool = False,
    ) -> None:
        self.parse = parse
        self.accepts = frozenset(accepts or [_JSON_TYPES.get(parse.__annotations__.get("return", "str"), str)])
        self.multiline = multiline
        self.rest = rest
        self.words = words
        self.limit = limit
        self.secret = secret
        self.target = target
        self.expected = " ".join((parse.__doc__ or parse.__name__.replace("_", " ")).split())

    def __call__(self, word: str) -> Any:
        return self.parse(word)

    def limited(self, limit: int) -> ArgumentType:
        """The same type with its length bounded by the setting's value."""

        def parse(word: str) -> Any:
            if len(word) > limit:
                raise BadArgument(f"it has {len(word)} characters; {limit} are allowed")
            return self.parse(word)

        limited = copy(self)
        limited.parse, limited.limit = parse, None
        limited.expected = f"{self.expected}, of up to {limit} characters"
        return limited

    @classmethod
    def of(cls, parse: Callable[..., Any]) -> ArgumentType:
        """The type that a plain function makes; one that is a type already is left as it is."""
        return parse if isinstance(parse, ArgumentType) else cls(parse)


_JSON_TYPES: dict[Any, type] = {"int": int, int: int, "bool": bool, bool: bool}


def argument(**facts: Any) -> Callable[[Callable[..., Any]], ArgumentType]:
    """Declare what the function itself does not say about an argument type; see L{ArgumentType}."""
    return lambda parse: ArgumentType(parse, **facts)


@argument(target=True)
def username(word: str) -> str:
    """a username: 2 to 32 of a-z 0-9 . _ -, starting with a letter, in any case"""
    return _username(word)


def _username(word: str) -> str:
    name = word.lower()
    if not word.isascii() or not _NAME.fullmatch(name):
        bare = "; leave out the @" if word[:1] == "@" else ""
        raise BadArgument(f"{shown(word)} is not a username (2 to 32 of a-z 0-9 . _ -, starting with a letter){bare}")
    return name


def account(word: str) -> str:
    """an account number of 18 digits"""
    if not clabe.is_number(word):
        raise BadArgument(f"{shown(word)} is not an account number (18 digits, of which the last must check)")
    return word


@argument(target=True)
def party(word: str) -> str:
    """a username, or an account number of 18 digits"""
    return account(word) if word[:1].isdigit() else _username(word)


@argument(accepts=(str, int))
def amount(word: str) -> Amount:
    """an amount more than zero, such as 12 or 12.50"""
    return Amount.parse(word)


@argument(accepts=(str, int))
def amount_or_none(word: str) -> Amount | str:
    """an amount such as 12.50, or none"""
    return NONE if word.lower() == NONE else Amount.parse(word)


def currency(word: str) -> str:
    """the code of a currency, such as USD"""
    code = word.upper()
    if not word.isascii() or not CODE.fullmatch(code):
        raise BadArgument(f"{shown(word)} is not the code of a currency")
    return code


@argument(secret=True)
def new_password(word: str) -> str:
    """a password of 8 to 256 characters"""
    secret = _normal(word)
    if not 8 <= len(secret) <= _LONGEST_PASSWORD:
        raise BadArgument(f"a password has 8 to 256 characters; this one has {len(secret)}")
    return secret


@argument(secret=True)
def password(word: str) -> str:
    """a password"""
    return _normal(word)


@argument(secret=True)
def token(word: str) -> str:
    """a resume token, as a login answers it"""
    return word


def role(word: str) -> str:
    """a role: treasurer, seller, agent, moderator, admin, or one that a service declares"""
    role = word.lower()
    if not word.isascii() or not ROLE.fullmatch(role):
        raise BadArgument(f"{shown(word)} is not the name of a role")
    return role


def word(word: str) -> str:
    """a word"""
    if not word:
        raise BadArgument("it is empty")
    return word


@argument(rest=True, multiline=True)
def text(word: str) -> str:
    """a text"""
    return word


@argument(rest=True, multiline=True, limit="memo_characters")
def memo(word: str) -> str:
    """a text that both sides see"""
    return word


@argument(rest=True, multiline=True, limit="message_characters")
def message(word: str) -> str:
    """a text"""
    if not word.strip():
        raise BadArgument("it is empty")
    return word


@argument(limit="name_characters")
def name(word: str) -> str:
    """a name"""
    normal = " ".join(_normal(word).split())
    if not normal:
        raise BadArgument("a name has at least one character")
    return normal


def _normal(word: str) -> str:
    """
    A name or a password, however a keyboard writes it: the mappings of RFC 8265's OpaqueString (docs/decisions/0040-normal-form.md).

    One accented letter can be one character or two, and some keyboards make no-break spaces; all must open the same door.
    """
    return unicodedata.normalize("NFC", _SPACE.sub(" ", word)) if len(word) <= _MOST_TYPED else word


def whole(word: str) -> int:
    """a whole number from 0 on"""
    if not _WHOLE.fullmatch(word):
        raise BadArgument(f"{shown(word)} is not a whole number from 0 on, of up to 15 digits")
    return int(word)


def listed(word: str) -> int:
    """how many to list, 1 to 1000"""
    return between(word, 1, MAX_LISTED)


def between(word: str, least: int, most: int) -> int:
    """For the types whose numbers have bounds, which are included."""
    number = whole(word)
    if not least <= number <= most:
        raise BadArgument(f"{number} is not between {least} and {most}")
    return number


def one_of(word: str, choices: Collection[str]) -> str:
    """For the types that have few words, in any case."""
    found = word.lower()
    if found not in choices:
        raise BadArgument(f"{shown(word)} is not one of {', '.join(choices)}")
    return found


def switch(word: str) -> bool:
    """on or off"""
    if word.lower() not in _SWITCH:
        raise BadArgument(f"{shown(word)} is neither on nor off")
    return _SWITCH[word.lower()]


_SWITCH = {"on": True, "true": True, "off": False, "false": False}


def key(word: str) -> str:
    """1 to 64 printable ASCII characters of your own: a repeat with the same key gets the same answer, and does nothing more"""
    if not _KEY.fullmatch(word):
        raise BadArgument(f"{shown(word)} is not a key (1 to 64 printable ASCII characters)")
    return word


def try_(word: str) -> bool:
    """on: do nothing, only tell what would happen"""
    return switch(word)


KEY = ArgumentType(key)
TRY = ArgumentType(try_)
