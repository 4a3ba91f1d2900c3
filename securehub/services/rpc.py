"""
What JSON-RPC clients expect to find: C{rpc.discover}.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec
from twisted.plugin import IPlugin
from zope.interface import provider

from securehub import openrpc
from securehub.command import ANYONE, command
from securehub.reply import Reply
from securehub.service import IServiceFactory
from securehub.session import Session

if TYPE_CHECKING:
    from securehub.hub import Hub


class Document(Reply, frozen=True):
    """An OpenRPC document."""

    openrpc: str
    info: dict[str, Any]
    methods: list[dict[str, Any]]
    components: dict[str, Any]

    def lines(self) -> Iterable[str]:
        return msgspec.json.format(msgspec.json.encode(self), indent=2).decode().split("\n")


@provider(IPlugin, IServiceFactory)
class RPC:
    """The description of the hub's methods."""

    name = "rpc"

    def __init__(self, hub: Hub) -> None:
        self.commands = hub.commands
        self.documents: dict[frozenset[tuple[str, str]], Document] = {}

    @command(None, access=ANYONE)
    async def discover(self, session: Session) -> Document:
        """Describe all methods that you may use, as an OpenRPC document."""
        roles = await session.roles()
        commands = [each for each in self.commands if each.access.allows(roles, session.operator)]
        # There are as many documents as sets of roles that somebody has, and ways to set the hub; making one takes about 20 ms.
        told = frozenset((each.name, each.note()) for each in commands)
        if told not in self.documents:
            self.documents[told] = Document(**openrpc.document(commands))
        return self.documents[told]
