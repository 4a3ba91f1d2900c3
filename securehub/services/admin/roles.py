"""
Who may do what: roles, given and taken away.
"""

from __future__ import annotations

from msgspec.structs import replace

from securehub import members, switchboard
from securehub.event import Tune
from securehub.reply import Reply
from securehub.store.transaction import Transaction


class Granted(Reply, frozen=True):
    """A member's roles, as they are now."""

    username: str
    roles: tuple[str, ...]

    def status(self) -> str:
        return f"{self.username} has the roles {', '.join(self.roles)}."


def change_role(tx: Transaction, username: str, role: str, granted: bool) -> Granted:
    """
    Give a member a role, or take it away; that it is so already is no error.

    @raise NotFound: there is no such member.
    """
    member = members.fetch(tx, username)
    roles = tuple(sorted({*member.roles, role} if granted else {*member.roles} - {role}))
    if roles != member.roles:
        tx.put(username, replace(member, roles=roles))
        tx.announce(switchboard.member(username), Tune(switchboard.role(role), granted))
    return Granted(username, ("member", *roles))
