"""
The web page: what a browser is given. It is a client like any other, and knows of the hub what C{rpc.discover} and docs/protocol.md say.
"""

from __future__ import annotations

from importlib.resources import files
from typing import NamedTuple

TYPES = {"html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}


class File(NamedTuple):
    """
    @ivar path: under which it is asked for.
    @ivar kind: its media type.
    """

    path: str
    kind: str
    content: bytes


def load() -> list[File]:
    """All files of the page; the one that is asked for as C{/} among them."""
    found = []
    for each in files(__name__).iterdir():
        kind = TYPES.get(each.name.rpartition(".")[2])
        if kind is not None:
            found.append(File("/" if each.name == "index.html" else f"/{each.name}", kind, each.read_bytes()))
    return found
