"""
Finding out that a peer is gone which never said so: a phone without a net, a laptop whose lid was closed.

Idle connections are kept, and nothing need ever be written to one. So without this a connection that nobody has any more would be kept,
too, until the hub stops, and would count: for the hub's limit, and for the sessions of its member, who in the end could not log in.
"""

from __future__ import annotations

import socket

SILENT_SECONDS = 300
"""After so long a silence the system asks whether the peer is there; less often than routers forget a connection would do no good."""

AGAIN_SECONDS = 30
TIMES = 4
"""What is asked so often without an answer is gone, seven minutes after the peer."""


def watch(listening: socket.socket) -> None:
    """Have the system ask after the peers of all connections that a socket will accept; they take these options from it."""
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # Named so by Linux; macOS calls the first one otherwise, and where they are not known the system's own two hours hold.
    for name, value in (("TCP_KEEPIDLE", SILENT_SECONDS), ("TCP_KEEPINTVL", AGAIN_SECONDS), ("TCP_KEEPCNT", TIMES)):
        option = getattr(socket, name, None)
        if option is not None:
            listening.setsockopt(socket.IPPROTO_TCP, option, value)
