"""
Bars drawn by characters, for reports that people look at.
"""

from __future__ import annotations

WIDTH = 24
"""Characters of a whole bar: with its table it fits into 100 columns."""


def gauge(actual: int, expected: int, beyond: str = "!", width: int = WIDTH) -> str:
    """
    How much of what is expected is there: C{#} for what is, C{.} for what is left.

    The whole bar stands for the greater of the two. What is not nothing shows, be it ever so little.

    @param beyond: the character for what is more than expected.
    """
    whole = max(actual, expected)
    if whole <= 0:
        return "." * width
    filled = _length(min(actual, expected), whole, width)
    return "#" * filled + (beyond if actual > expected else ".") * (width - filled)


def stacked(parts: list[tuple[str, int]], whole: int, width: int = WIDTH) -> str:
    """
    Several parts side by side.

    @param parts: the character of each, and what it stands for.
    @param whole: what the full width stands for.
    """
    drawn, total = "", 0
    for character, units in parts:
        # Ends are rounded, not lengths: so rounding never adds up to a bar that is too long.
        total += max(units, 0)
        drawn += character * (_length(total, whole, width) - len(drawn))
    return drawn


def _length(units: int, whole: int, width: int) -> int:
    if units <= 0 or whole <= 0:
        return 0
    if units >= whole:
        return width
    return min(max((2 * units * width + whole) // (2 * whole), 1), width - 1)
