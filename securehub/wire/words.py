"""
Taking a line of the text form apart: verb, words, quoted words, the rest of the line (section 3 of the protocol).

On the hot path: a word without quotes costs one C{partition}.
"""

from __future__ import annotations

import re

from securehub.refusals import BadArgument

_BLANKS = " \t"
_BLANK = re.compile(r"[ \t]+")
_QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*)"(?=[ \t]|$)')
# A backslash stands for itself here, so a text without quotes may end with one.
_SURROUNDED = re.compile(r'"((?:[^"\\]|\\.)*|[^"]*)"[ \t]*')
_ESCAPED = re.compile(r'\\(["\\])')


def split_verb(line: str) -> tuple[str, str]:
    """The first word of a line, and what follows it without leading blanks."""
    return take(line.lstrip(_BLANKS) if line[0] in _BLANKS else line)


def take(rest: str) -> tuple[str, str]:
    """The first word of what is left of a line as it stands, and what follows it without leading blanks."""
    if "\t" in rest:
        word, *more = _BLANK.split(rest, 1)
        return word, more[0] if more else ""
    word, _, rest = rest.partition(" ")
    return word, rest.lstrip(" ") if rest[:1] == " " else rest


def unquote(rest: str) -> tuple[str, str]:
    """
    A quoted word, without its quotes, and what follows it.

    @param rest: what is left of the line; starts with a quote.

    @raise BadArgument: the quote is not closed, or a backslash stands before anything but a quote or a backslash.
    """
    found = _QUOTED.match(rest)
    if found is None:
        raise BadArgument(
            "wrong quoting: a word that starts with a quote ends with one, followed by a space; "
            'inside, write \\" for a quote and \\\\ for a backslash'
        )
    word = found[1]
    if "\\" in word:
        word = _ESCAPED.sub(r"\1", word)
    return word, rest[found.end() :].lstrip(_BLANKS)


def without_quotes(rest: str) -> str:
    """The rest of a line as a text: as it stands, except for one pair of quotes around all of it."""
    if rest.startswith('"'):
        found = _SURROUNDED.fullmatch(rest)
        if found:
            return found[1]
    return rest
