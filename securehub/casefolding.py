"""Folding texts for searches: the case of letters and their accents do not matter."""

from __future__ import annotations

import unicodedata

_ACCENTS = range(0x0300, 0x0370)
"""Combining Diacritical Marks, a block of Unicode. The marks of other scripts may be vowels, and are kept."""

_LETTERS = range(0x00C0, 0x2000)
"""The ranges of Unicode that have letters with accents."""


def fold(text: str) -> str:
    """
    A text as it is compared when somebody looks for it: C{CAFÉ}, C{Café} and C{cafe} are the same, whether an accented letter came as
    one character or as two.
    """
    return text.lower() if text.isascii() else text.casefold().translate(_BARE)


def _bare() -> dict[int, str | None]:
    """
    Each letter without its accents, and each accent as nothing.

    It is a table, because C{unicodedata.normalize} takes a time that grows with the square of the marks on one letter, and strangers write
    the texts.
    """
    bare: dict[int, str | None] = dict.fromkeys(_ACCENTS)
    for letter in map(chr, (each for each in _LETTERS if each not in _ACCENTS)):
        parts = unicodedata.normalize("NFD", letter)
        if len(parts) > 1 and all(ord(mark) in _ACCENTS for mark in parts[1:]):
            bare[ord(letter)] = parts[0]
    return bare


_BARE = _bare()
