"""
Codes that people copy by hand: those of invitations, and recovery codes. What is kept of one is a digest of its plain form.
"""

from __future__ import annotations

from base64 import b32encode

from securehub.vault import Random

BYTES = 10
"""80 bits, 16 letters: too many to try, even against a digest that somebody has stolen."""


def fresh(random: Random) -> str:
    """A code that people can read to each other: 16 letters and digits in four groups."""
    letters = b32encode(random.randbytes(BYTES)).decode().lower()
    return "-".join(letters[place : place + 4] for place in range(0, len(letters), 4))


def plain(typed: str) -> str:
    """A code as it is, however it was typed: people copy it with the blanks and hyphens that they are shown, or none, in any case."""
    return typed.replace(" ", "").replace("-", "").lower()
