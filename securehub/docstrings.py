"""
What the docstrings of replies and events say, for those who do not read the code: the reference, and programs.
"""

from __future__ import annotations

import inspect
import re
import typing
from functools import cache
from typing import Any

import msgspec

_IVAR = re.compile(r"^@[ci]var (\w+): (.*(?:\n[ ]+.*)*)", re.MULTILINE)
_MARKUP = re.compile(r"[CL]\{([^}]*)\}")


@cache
def about(documented: type) -> str:
    """What a docstring says before its first field; empty if there is none."""
    return " ".join(prose(inspect.cleandoc(documented.__doc__ or "").partition("\n@")[0]).split())


@cache
def of_fields(struct: Any) -> tuple[tuple[msgspec.structs.FieldInfo, str], ...]:
    """A struct's fields, each with what its class says of it, or that from which it inherits it; empty if nothing is said."""
    docstrings = [inspect.cleandoc(each.__doc__ or "") for each in reversed((typing.get_origin(struct) or struct).__mro__)]
    told = {name: prose(" ".join(meaning.split())) for text in docstrings for name, meaning in _IVAR.findall(text)}
    return tuple((each, told.get(each.name, "")) for each in msgspec.structs.fields(struct))


def prose(text: str) -> str:
    """A text without the docstrings' own markup: code is in backquotes, as in Markdown."""
    return _MARKUP.sub(r"`\1`", text)
