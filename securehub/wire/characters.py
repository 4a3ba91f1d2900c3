"""
Which characters a line and a text may have.

Others see on their terminals what a member writes. So no string of either form may hold characters that move the cursor, start a line, or
turn the direction of what follows (section 4 of the protocol).
"""

from __future__ import annotations

import re

from securehub.refusals import BadArgument, BadLine

_CONTROLS_BUT_TAB_AND_LF = "\x00-\x08\x0b-\x1f\x7f-\x9f"
# Lone surrogates, the two line ends of Unicode, and the bidirectional embeddings, overrides and isolates.
_UNSEEN = "\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069"

_FORBIDDEN = re.compile(f"[{_CONTROLS_BUT_TAB_AND_LF}{_UNSEEN}\t\n]")
_FORBIDDEN_BUT_LF = re.compile(f"[{_CONTROLS_BUT_TAB_AND_LF}{_UNSEEN}\t]")
# A tab separates words, so it is no reason to refuse a whole line.
_BAD_IN_LINE = re.compile(f"[{_CONTROLS_BUT_TAB_AND_LF}\n]")


def decode(line: bytes) -> tuple[str, bool]:
    """
    The text of a line, and whether it is plain: ASCII without any control character, so that its characters need no second look.

    @raise BadLine: it is not UTF-8, or holds a control character other than tab.
    """
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise BadLine(f"the line is not UTF-8: byte {error.start + 1} is wrong") from None
    if text.isascii() and text.isprintable():
        return text, True
    found = _BAD_IN_LINE.search(text)
    if found:
        raise BadLine(f"the line holds the control character U+{ord(found[0]):04X}")
    return text, False


def check(text: str, *, multiline: bool = False) -> None:
    """
    Refuse a string that holds a forbidden character.

    @param multiline: whether LF is allowed.

    @raise BadArgument: naming the first such character.
    """
    found = (_FORBIDDEN_BUT_LF if multiline else _FORBIDDEN).search(text)
    if found:
        raise BadArgument(f"it holds the character U+{ord(found[0]):04X}, which no text may have")
