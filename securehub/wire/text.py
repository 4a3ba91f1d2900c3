"""
The text form: replies, refusals and events as lines for people (section 3 of the protocol).

Data lines are indented by two spaces, status lines and events start in the first column; so a member's text can never be taken for either.
"""

from __future__ import annotations

from securehub.refusals import Refusal
from securehub.reply import Reply


def reply(result: Reply | None, *, status_alone: bool) -> bytes:
    """
    A successful answer.

    @param status_alone: leave out the data lines.
    """
    if result is None:
        return b"OK\n"
    status = result.status()
    ended = f"OK {_one_line(status)}\n" if status else "OK\n"
    lines = () if status_alone else result.lines()
    if lines == ():
        return ended.encode()
    return f"{''.join(map(_indented, lines))}{ended}".encode()


def refusal(refused: Refusal) -> bytes:
    """An unsuccessful answer."""
    return f"ERR {refused.code} {_one_line(str(refused))}\n".encode()


def event(text: str) -> bytes:
    """An event; its further lines are indented."""
    if "\n" not in text:
        return f"* {text}\n".encode()
    first, *rest = text.split("\n")
    return f"* {first}\n{''.join(map(_indented, rest))}".encode()


def _indented(line: str) -> str:
    return f"  {line}\n" if "\n" not in line else "".join(f"  {part}\n" for part in line.split("\n"))


def _one_line(text: str) -> str:
    return text.replace("\n", " / ") if "\n" in text else text
