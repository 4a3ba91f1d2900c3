"""
Finding out that a peer is gone that never said so: a phone without a network, a laptop whose lid was closed.

Idle connections are kept, and nothing may ever be written to one. Without this a vanished connection would be kept, too, until the hub
stops, and would count towards the hub's limit and the sessions of its member, who in the end could not log in. And somebody at a terminal
would take a hub that is gone for a quiet one.
"""

from __future__ import annotations

import socket

SILENT_SECONDS = 300
"""
After this long a silence the system asks whether the peer is there. Routers forget a silent connection after about that time, so asking
less often would be useless.
"""

AGAIN_SECONDS = 30
TIMES = 4
"""A peer that does not answer this many probes is gone, and its connection is closed seven minutes after its last sign of life."""


def watch(asked: socket.socket) -> None:
    """Have the system ask after a peer; or after all who will be accepted, as their connections inherit a listening socket's options."""
    asked.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # These are Linux's names; macOS has another one for the first. Where they are not known, the system's own two hours apply.
    for name, value in (("TCP_KEEPIDLE", SILENT_SECONDS), ("TCP_KEEPINTVL", AGAIN_SECONDS), ("TCP_KEEPCNT", TIMES)):
        option = getattr(socket, name, None)
        if option is not None:
            asked.setsockopt(socket.IPPROTO_TCP, option, value)
