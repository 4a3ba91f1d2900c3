"""
Which passwords are good enough to be set.

Guessers begin with the passwords that many people have, so those are not taken. The list is a part of zxcvbn's; its origin and licence
stand in C{common-passwords.LICENSE.txt} beside it.
"""

from __future__ import annotations

from importlib.resources import files

from securehub.refusals import BadArgument

COMMON = frozenset(files("securehub.services.auth").joinpath("common-passwords.txt").read_text(encoding="utf-8").split("\n")) - {""}
"""About 11,600 passwords of 8 characters or more, in small letters."""


def refuse_weak(username: str, password: str) -> None:
    """
    Refuse a password which others would try first; case makes no difference to them.

    @param password: of the form that L{securehub.arguments.new_password} gives.

    @raise BadArgument: it is the username, or one of the most common.
    """
    folded = password.casefold()
    if folded == username:
        raise BadArgument("the password is the username; choose another")
    if folded in COMMON:
        raise BadArgument("this password is one of the most common, and would be guessed first; choose another")
