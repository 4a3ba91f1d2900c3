"""
Resume tokens: a session that lost its connection goes on without a password.

A token is C{family.secret}. RESUME answers a fresh one, and the old one dies when the fresh one is first used: so a client that lost the
answer may ask again, and a token that somebody copied shows itself. Whoever uses a dead token ends the whole family, the thief's
tokens and the owner's, and the sessions of both.

Whoever is logged in has a family: a session lives as long as its family, and L{end} ends both.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

from msgspec.structs import replace

from securehub.event import End
from securehub.refusals import BadCredentials, LimitExceeded
from securehub.services.auth.records import Family, Logins
from securehub.store.transaction import ReadTransaction, Transaction
from securehub.switchboard import member
from securehub.vault import Random

MAX_FRESH = 8
"""Tokens given out and not yet used; whoever asks more often without using one loses the oldest."""


MAX_DEAD = 100
"""Dead tokens that are recognized; one that died before these, or was never given out, is just not good."""


class Token(NamedTuple):
    """
    @ivar family: 16 characters.
    @ivar text: all of it, for the client alone.
    @ivar digest: what is kept.
    """

    family: str
    text: str
    digest: bytes

    @classmethod
    def fresh(cls, random: Random, family: str | None = None) -> Token:
        """A new token, of a new family if none is given."""
        family = family or _letters(random, 12)
        return cls.parse(f"{family}.{_letters(random, 24)}")

    @classmethod
    def parse(cls, text: str) -> Token:
        return cls(text.partition(".")[0], text, sha256(text.encode()).digest())


def _letters(random: Random, count: int) -> str:
    return urlsafe_b64encode(random.randbytes(count)).decode()


def begin(tx: Transaction, username: str, token: Token, address: str, *, live: Sequence[str], limit: int, at: datetime) -> None:
    """
    Begin a family.

    @param address: from where the member logs in.
    @param live: the family of each session that the member has open now.
    @param limit: how many sessions a member may have.

    @raise LimitExceeded: so many are open. Of those that are not, the oldest makes room.
    """
    refuse_many(live, limit)
    logins = tx.get(Logins, username) or Logins(())
    kept = list(logins.families)
    while len(kept) >= limit:
        oldest = next(family for family in kept if family not in live)
        kept.remove(oldest)
        tx.delete(Family, oldest)
    tx.put(token.family, Family(username, at, token.digest, address=address))
    tx.put(username, Logins((*kept, token.family)))


def refuse_many(live: Sequence[str], limit: int) -> None:
    """
    @raise LimitExceeded: the member has so many sessions open already.
    """
    if len(live) >= limit:
        raise LimitExceeded(f"{len(live)} sessions are open; {limit} are allowed")


def owner_of(tx: ReadTransaction, token: Token) -> str | None:
    """Whose family a token is of, be it good or not; None if there is no such family."""
    family = tx.get(Family, token.family)
    return None if family is None else family.username


def rotate(tx: Transaction, token: Token, fresh: Token, address: str, *, at: datetime) -> str | None:
    """
    Use a token.

    @param token: of a family that there is.
    @param address: from where.

    @return: whose it is; None if it was never given out, or is dead. In that case its family is ended, which is why this is not a
        refusal: that must be kept.
    """
    family = tx.fetch(Family, token.family)
    if token.digest in family.fresh:
        died = [_beginning(digest) for digest in (family.used, *family.fresh) if digest != token.digest]
        dead = (*family.dead, *died)[-MAX_DEAD:]
        family = replace(family, used=token.digest, fresh=(fresh.digest,), dead=dead)
    elif token.digest == family.used:
        family = replace(family, fresh=(*family.fresh[1 - MAX_FRESH :], fresh.digest))
    else:
        if _beginning(token.digest) in family.dead:
            end(tx, family.username, token.family, "a token of this login that was no longer good has been used; log in again.")
        return None
    tx.put(token.family, replace(family, address=address, seen=at))
    return family.username


def keep_one(tx: Transaction, token: bytes, fresh: Token) -> None:
    """
    Let all tokens of a family die but one, and give out a fresh one beside it.

    @param token: the digest of the one that stays, unless it is dead already.
    @param fresh: a token of that family.
    """
    family = tx.fetch(Family, fresh.family)
    good = (family.used, *family.fresh)
    stays = token if token in good else fresh.digest
    died = [_beginning(digest) for digest in good if digest != stays]
    dead = (*family.dead, *died)[-MAX_DEAD:]
    tx.put(fresh.family, replace(family, used=stays, fresh=(fresh.digest,), dead=dead))


def _beginning(digest: bytes) -> bytes:
    """Enough of a digest to tell a dead token from one that was never given out."""
    return digest[:8]


def end(tx: Transaction, username: str, family: str, reason: str, spared: bytes | None = None) -> None:
    """
    End a family: none of its tokens is good any more, and its sessions say goodbye.

    @param reason: what they say.
    @param spared: the token of the one session that does not, as it ends itself.
    """
    logins = tx.get(Logins, username) or Logins(())
    tx.delete(Family, family)
    tx.put(username, Logins(tuple(each for each in logins.families if each != family)))
    tx.announce(member(username), End(reason, family, spared))


def end_all(tx: Transaction, username: str, reason: str, *, but: str | None = None, spared: bytes | None = None) -> int:
    """
    End all families of a member.

    @param reason: what their sessions say.
    @param but: the one that stays.
    @param spared: the token of the one session that stays; others of its family end, too.

    @return: how many families have ended.
    """
    logins = tx.get(Logins, username) or Logins(())
    ended = [family for family in logins.families if family != but]
    for family in ended:
        tx.delete(Family, family)
    tx.put(username, Logins(tuple(family for family in logins.families if family == but)))
    tx.announce(member(username), End(reason, spared=spared))
    return len(ended)


def refused(owner: str = "") -> BadCredentials:
    """
    What a bad token is answered, whatever is bad about it.

    @param owner: whose family it names, for the log; empty if there is no such family.
    """
    return BadCredentials("the token is not valid, or no longer; log in with your password", owner)
