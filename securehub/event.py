"""
Events: what those who listen are told, after the commit that it belongs to.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

MAX_EVENT = 16 * 1024
"""Bytes of an event; it tells all that its receiver needs, and lists belong into replies."""


class Event(msgspec.Struct, frozen=True, gc=False):
    """
    The base of all events; the fields are the params of the notification.

    @cvar method: its name in the JSON form, C{ledger.received}.
    @cvar ends: whether the connections end that hear it.
    """

    method: ClassVar[str]
    ends: ClassVar[bool] = False

    def text(self) -> str:
        """What a person reads, without the C{* } in front; may have several lines."""
        raise NotImplementedError


class Bye(Event, frozen=True):
    """The hub ends the connection."""

    method = "hub.bye"
    ends = True
    reason: str

    def text(self) -> str:
        return f"Bye: {self.reason}"
