"""
What a member is called.
"""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from securehub import arguments, members
from securehub.arguments import argument
from securehub.members import Visits
from securehub.reply import Reply, when
from securehub.store.transaction import ReadTransaction, Transaction


@argument(limit="name_characters")
def new_name(word: str) -> str:
    """a name; empty for none"""
    return str(arguments.name(word)) if word.strip() else ""


class Profile(Reply, frozen=True):
    """A member's username and name."""

    username: str
    name: str
    created: datetime

    def status(self) -> str:
        called = f", called {self.name}," if self.name else ""
        return f"{self.username}{called} is a member since {when(self.created)}."


def profile_of(tx: ReadTransaction, username: str) -> Profile:
    return Profile(username, members.fetch(tx, username).name, tx.fetch(Visits, username).created)


def rename(tx: Transaction, username: str, name: str) -> Profile:
    """Call a member by another name; empty for none."""
    tx.put(username, replace(members.fetch(tx, username), name=name))
    return Profile(username, name, tx.fetch(Visits, username).created)
