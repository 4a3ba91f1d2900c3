"""
The members, as an admin sees them.
"""

from __future__ import annotations

from datetime import datetime

from securehub import members
from securehub.members import Joined, Member, Visits, joined_key
from securehub.refusals import NotFound
from securehub.reply import Listing, Row
from securehub.services.auth.invitations import voucher_of
from securehub.store.transaction import ReadTransaction


class UserRow(Row, frozen=True):
    """
    A member.

    @ivar locked: whether they are locked out.
    @ivar invited_by: who vouched for them, if anybody did.
    """

    username: str
    name: str
    roles: tuple[str, ...]
    locked: bool
    created: datetime
    last_login: datetime
    invited_by: str | None = None


def users(tx: ReadTransaction, *, limit: int, before: str | None) -> Listing[UserRow]:
    """
    Members, the newest first.

    @param before: only those who joined before this one, who may have been erased since they were listed.

    @raise NotFound: there never was such a member.
    """
    end = None if before is None else joined_key(_number_of(tx, before))
    return Listing.up_to(limit, (_row(tx, joined.username) for _, joined in tx.scan(Joined, end=end, reverse=True)))


def _row(tx: ReadTransaction, username: str) -> UserRow:
    member, visits = members.fetch(tx, username), tx.fetch(Visits, username)
    roles, voucher = ("member", *member.roles), voucher_of(tx, username)
    return UserRow(username, member.name, roles, bool(member.locked), visits.created, visits.last_login, voucher)


def _number_of(tx: ReadTransaction, username: str) -> int:
    """Where a member stands, or stood, among all who joined."""
    member = tx.get(Member, username)
    if member is None:
        raise NotFound(f"there is no member {username}")
    return member.number
