"""
The rules of logins: who gets in, with what, and what ends it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from securehub import members
from securehub.members import Joined, Member, joined_key
from securehub.refusals import BadCredentials, Exists, Forbidden, LimitExceeded, Locked, NotFound
from securehub.services.auth import credentials, export, known, rules, tokens
from securehub.services.auth.invitations import CLOSED, INVITATION, Code, Vouched, invite
from securehub.services.auth.lifetimes import Lifetimes
from securehub.services.auth.records import Brought, Credential, Family, Logins
from securehub.services.auth.rules import Welcome
from securehub.services.auth.tokens import MAX_DEAD, MAX_FRESH, Token
from securehub.services.ledger import books
from securehub.store.transaction import ReadTransaction
from tests.rules.setting import CURRENCIES, NUMBERING, Rules
from tests.store.setting import everything

LIMIT = 3
KINDS = ["member", "networks", "password", "session", "visits"]
LIFETIMES = Lifetimes(idle=timedelta(days=30), whole=timedelta(days=90))
HASH = "$argon2id$of alice's password"


class Logging(Rules):
    """A hub that allows three sessions a member."""

    def setUp(self) -> None:
        super().setUp()
        self.begun: list[str] = []

    def welcome(self, token: Token | None = None, live: tuple[str, ...] = (), address: str = "192.0.2.1") -> Welcome:
        token = token or self.token()
        self.begun.append(token.family)
        return Welcome(token, address, live, LIMIT)

    def create(self, username: str = "alice") -> Token:
        """A new member; gives the first token."""
        token = self.token()
        usd = CURRENCIES["USD"]
        self.created = self.do(rules.create, username, "", HASH, self.welcome(token), usd, NUMBERING, at=self.at)
        return token

    def log_in(self, *live: str, username: str = "alice", verified: str = HASH, newer: str | None = None) -> Token:
        token = self.token()
        self.at += timedelta(minutes=1)
        self.logged_in = self.do(rules.log_in, username, verified, newer, self.welcome(token, live), at=self.at)
        return token

    def resume(self, token: Token, *live: str) -> Token | None:
        """Resume with a token; gives the fresh one, None if it was not good."""
        fresh = self.token(token.family)
        self.at += timedelta(minutes=1)
        logged_in = self.do(rules.resume, token, self.welcome(fresh, live), LIFETIMES, at=self.at)
        if logged_in is None:
            return None
        self.assertEqual(logged_in.resume, fresh.text)
        return fresh

    def good(self, token: Token) -> Token:
        """Resume with a token that must be good."""
        fresh = self.resume(token)
        assert fresh is not None, "the token is dead"
        return fresh

    def families(self, username: str = "alice") -> list[str]:
        """The families of a member; of all that ever began, these alone have a record."""
        logins = self.setting.get(Logins, username) or Logins(())
        for family in self.begun:
            found = self.setting.get(Family, family)
            self.assertEqual(found is not None and found.username == username, family in logins.families)
        return list(logins.families)

    def change(self, username: str, **changes: Any) -> None:
        self.do(lambda tx: tx.put(username, replace(tx.fetch(Member, username), **changes)))


class LoginTests(Logging):
    """Who gets in, and until when."""

    # Joining

    def test_create(self) -> None:
        """A new member has an account that holds nothing, a place in the order of joining, and is logged in."""
        token = self.create()
        self.assertEqual((self.created.username, self.created.resume), ("alice", token.text))
        (row,) = self.ask(books.accounts_of, "alice", limit=20).items
        self.assertEqual((row.account, row.balance, row.currency), (self.created.account, "0.00", "USD"))
        member = self.ask(members.fetch, "alice")
        self.assertEqual(self.setting.get(Joined, joined_key(member.number)), Joined("alice"))
        self.assertEqual(self.families(), [token.family])
        self.good(token)

    def test_name_is_taken(self) -> None:
        """A name is taken once, and the operator's never; nothing is left of the try."""
        self.create()
        for username in ("alice", "operator"):
            self.assertRaises(Exists, self.ask, rules.refuse_taken, username)
            arguments = (username, "", HASH, self.welcome(self.token()), CURRENCIES["USD"], NUMBERING)
            self.refused(Exists, f"the name {username} is taken", rules.create, *arguments, at=self.at)
        self.assertEqual(len(self.families()), 1)
        self.ask(rules.refuse_taken, "bob")

    def test_registration_closed_meanwhile(self) -> None:
        """Who may become a member is looked at once more with the password hashed."""
        for registration in (CLOSED, INVITATION):
            arguments = ("alice", "", HASH, self.welcome(), CURRENCIES["USD"], NUMBERING, registration)
            self.refused(Forbidden, "this hub takes", rules.create, *arguments, at=self.at)
        self.create()

    def test_order_of_joining(self) -> None:
        """Members are kept in the order in which they joined."""
        for username in ("zoe", "alice", "mallory"):
            self.create(username)
        joined = [record.username for _, record in self.setting.read(everything, Joined)]
        self.assertEqual(joined, ["zoe", "alice", "mallory"])

    def test_nothing_readable(self) -> None:
        """No token is stored as it is, nor any part of it that would be of use."""
        token = self.good(self.create())
        self.setting.settle()
        secret = token.text.partition(".")[2].encode()
        for content in self.setting.disk.files.values():
            self.assertNotIn(secret, content)

    # Logging in

    def test_log_in(self) -> None:
        """A login tells when and from where the one before it was, and which roles there are."""
        self.create()
        joined = self.at
        self.log_in()
        self.assertEqual((self.logged_in.last_login, self.logged_in.last_address), (joined, "192.0.2.1"))
        first = self.at
        self.change("alice", roles=("admin", "seller"))
        self.log_in()
        self.assertEqual(self.logged_in.last_login, first)
        self.assertEqual(self.logged_in.roles, ("member", "admin", "seller"))
        elsewhere = self.welcome(address="203.0.113.5")
        self.do(rules.log_in, "alice", HASH, None, elsewhere, at=self.at)
        self.log_in()
        self.assertEqual(self.logged_in.last_address, "203.0.113.5")
        self.assertEqual(self.setting.get(Family, elsewhere.token.family).address, "203.0.113.5")

    def test_wrong(self) -> None:
        """What was verified must still be the hash, and there must be such a member; the text is always the same."""
        self.create()
        texts = set()
        for username, verified in (("alice", "another"), ("nobody", HASH)):
            texts.add(str(self.assertRaises(BadCredentials, self.log_in, username=username, verified=verified)))
        self.assertEqual(len(texts), 1)
        self.assertEqual(len(self.families()), 1)

    def test_locked(self) -> None:
        """Whoever is locked gets in neither way, is told why, and may again when that is over."""
        token = self.create()
        self.change("alice", locked="spam")
        for get_in in (self.log_in, lambda: self.resume(token)):
            self.assertIn("spam", str(self.assertRaises(Locked, get_in)))
        self.assertIn("spam", str(self.assertRaises(Locked, self.ask, members.roles, "alice")))
        self.assertEqual(len(self.families()), 1)
        self.change("alice", locked="")
        self.log_in()
        self.good(token)

    def test_newer_hash(self) -> None:
        """A better hash of the same password takes the place of the old one at a login, not else."""
        self.create()
        self.log_in(newer="$better")
        self.assertEqual(self.ask(credentials.hash_of, "alice"), "$better")
        self.assertRaises(BadCredentials, self.log_in)
        self.log_in(verified="$better")
        self.assertEqual(self.ask(credentials.hash_of, "alice"), "$better")

    def test_hash_of(self) -> None:
        """Where there is no member there is no hash."""
        self.assertIsNone(self.ask(credentials.hash_of, "alice"))
        self.create()
        self.assertEqual(self.ask(credentials.hash_of, "alice"), HASH)
        self.assertEqual(self.setting.get(Credential, "alice"), Credential(HASH))

    def test_roles(self) -> None:
        """What a member may do is asked of the store each time."""
        self.assertRaises(NotFound, self.ask, members.roles, "alice")
        self.create()
        self.assertEqual(self.ask(members.roles, "alice"), ())
        self.change("alice", roles=("admin",))
        self.assertEqual(self.ask(members.roles, "alice"), ("admin",))

    # From where

    def test_known_networks(self) -> None:
        """Every login makes its network known, the latest first; the same again writes nothing, and the number is bounded."""
        self.assertEqual(self.ask(known.known_to, "alice"), ())
        token = self.create()
        self.assertEqual(self.ask(known.known_to, "alice"), ("192.0.2.0/24",))
        for address in ("2001:db8::5", "2001:db8::6", "192.0.2.9", "192.0.2.10"):
            token = self.token(token.family)
            self.do(rules.log_in, "alice", HASH, None, self.welcome(self.token(), address=address), at=self.at)
        self.assertEqual(self.ask(known.known_to, "alice"), ("192.0.2.0/24", "2001:db8::/64"))
        for number in range(known.MOST_NETWORKS + 5):
            self.do(known.remember, "alice", f"10.0.{number}.1")
        networks = self.ask(known.known_to, "alice")
        self.assertEqual((len(networks), networks[0]), (known.MOST_NETWORKS, f"10.0.{known.MOST_NETWORKS + 4}.0/24"))
        before = self.setting.store.number
        self.do(known.remember, "alice", f"10.0.{known.MOST_NETWORKS + 4}.99")
        self.assertEqual(self.setting.store.number, before)

    def test_known_by_a_token(self) -> None:
        """Whoever resumes is let in as much as by a password."""
        token = self.create()
        fresh = self.token(token.family)
        self.do(rules.resume, token, self.welcome(fresh, address="203.0.113.5"), LIFETIMES, at=self.at)
        self.assertEqual(self.ask(known.known_to, "alice"), ("203.0.113.0/24", "192.0.2.0/24"))

    # How many

    def test_oldest_makes_room(self) -> None:
        """With as many logins as are allowed, a new one ends the oldest that has no session open."""
        first = self.create()
        second = self.log_in()
        third = self.log_in()
        fourth = self.log_in(first.family)
        self.assertEqual(self.families(), [first.family, third.family, fourth.family])
        self.assertIsNone(self.resume(second))
        self.good(first)

    def test_all_are_open(self) -> None:
        """With as many sessions open as are allowed there is no further login."""
        open_ones = [self.create().family, self.log_in().family, self.log_in().family]
        refusal = self.assertRaises(LimitExceeded, self.log_in, *open_ones)
        self.assertEqual(str(refusal), "3 sessions are open; 3 are allowed")
        self.assertEqual(self.families(), open_ones)

    def test_resume_when_all_are_open(self) -> None:
        """Nor is there by a token, which stays good for later."""
        token = self.create()
        others = [self.log_in().family, self.log_in().family, "another"]
        self.assertRaises(LimitExceeded, self.resume, token, *others)
        self.good(token)

    def test_fewer_are_allowed_now(self) -> None:
        """When the limit was lowered since, one login ends as many as it takes."""
        for _ in range(3):
            self.log_in() if self.families() else self.create()
        token = self.token()
        self.do(rules.log_in, "alice", HASH, None, Welcome(token, "192.0.2.1", (), 1), at=self.at)
        self.assertEqual(self.families(), [token.family])

    # Tokens

    def test_rotation(self) -> None:
        """Each use gives a fresh token of the same family, and when that is used the old one is dead."""
        first = self.create()
        second = self.good(first)
        third = self.good(second)
        self.assertEqual(len({first.family, second.family, third.family}), 1)
        self.assertEqual(len({first.text, second.text, third.text}), 3)
        self.good(third)

    def test_lost_answer(self) -> None:
        """A client that lost the answer asks again with the token that it has, and goes on with whichever answer it got."""
        first = self.create()
        self.good(first)
        second = self.good(first)
        self.good(second)
        first_of_bob = self.create("bob")
        early = self.good(first_of_bob)
        self.good(first_of_bob)
        self.good(early)

    def test_dead_token_ends_the_family(self) -> None:
        """Who uses a token whose successor was used ends the family: all its tokens are dead, and that is kept."""
        first = self.create()
        second = self.good(first)
        third = self.good(second)
        self.assertIsNone(self.resume(first))
        self.setting.settle()
        for token in (second, third, first):
            self.assertIsNone(self.resume(token))
        self.assertEqual(self.families(), [])
        self.setting = self.setting.crashed()
        self.assertIsNone(self.resume(third))

    def test_sibling_is_dead(self) -> None:
        """Of several tokens given for one, the first that is used is the good one; the others are dead then."""
        first = self.create()
        one, other = self.good(first), self.good(first)
        self.good(one)
        self.assertIsNone(self.resume(other))
        self.assertEqual(self.families(), [])

    def test_other_families_live(self) -> None:
        """The end of one family is not the end of another, of the same member or of others."""
        first, other, bob = self.create(), self.log_in(), self.create("bob")
        self.good(self.good(first))
        self.assertIsNone(self.resume(first))
        self.assertEqual(self.families(), [other.family])
        self.good(other)
        self.good(bob)

    def test_forged(self) -> None:
        """A token that was never given out is good for nothing, and does nothing, whether there is such a family or not."""
        token = self.create()
        self.assertIsNone(self.resume(Token.parse("nobody's.secret")))
        self.assertEqual(self.families(), [token.family])
        self.assertIsNone(self.resume(Token.parse(f"{token.family}.secret")))
        self.assertEqual(self.families(), [token.family])
        self.good(token)

    def test_dead_long_ago(self) -> None:
        """So many dead tokens are known, and end the family; one that died before these is just not good."""
        used = [self.create()]
        for _ in range(MAX_DEAD + 2):
            used.append(self.good(used[-1]))
        self.assertIsNone(self.resume(used[0]))
        self.assertEqual(len(self.families()), 1)
        self.assertIsNone(self.resume(used[5]))
        self.assertEqual(self.families(), [])

    def test_many_lost_answers(self) -> None:
        """Of tokens given out and never used only the newest few are kept."""
        first = self.create()
        given = [self.good(first) for _ in range(MAX_FRESH + 1)]
        family = self.setting.get(Family, first.family)
        self.assertEqual(len(family.fresh), MAX_FRESH)
        self.good(given[1])
        self.assertIsNone(self.resume(given[0]))

    def test_end(self) -> None:
        """A logout ends its own family; to do it twice is no error."""
        first, other = self.create(), self.log_in()
        for _ in range(2):
            self.do(tokens.end, "alice", first.family, "because")
            self.assertEqual(self.families(), [other.family])
        self.assertIsNone(self.resume(first))

    def test_owner(self) -> None:
        """Whose family it is can be asked of any token of it, good or not."""
        token = self.create()
        self.assertEqual(self.ask(tokens.owner_of, token), "alice")
        self.assertEqual(self.ask(tokens.owner_of, Token.parse(f"{token.family}.x")), "alice")
        self.assertIsNone(self.ask(tokens.owner_of, Token.parse("x.x")))

    def test_tokens_by_chance(self) -> None:
        """Tokens come from the source of chance that is given, are words, and do not repeat."""
        drawn = {self.token().text for _ in range(100)}
        self.assertEqual(len(drawn), 100)
        for text in drawn:
            self.assertRegex(text, r"\A[\w-]{16}\.[\w-]{32}\Z")


class ExportTests(Logging):
    """What is kept about a member, page by page."""

    def test_how_they_came(self) -> None:
        """By whose word, and with what from elsewhere."""
        self.create()
        self.assertEqual([each.kind for each in self.ask(export.remembered, "alice", "", 9)], KINDS)
        self.put("alice", Vouched("bob", "0" * 64))
        self.put("alice", Brought("2025-01", 3, 2, ("4711",)))
        found = {each.kind: each.values for each in self.ask(export.remembered, "alice", "", 9)}
        self.assertEqual(found["voucher"], {"by": "bob"})
        self.assertEqual(found["brought"], {"first_month": "2025-01", "months": 3, "orders": 2, "accounts": ("4711",)})
        self.assertEqual(sorted(found), sorted([*KINDS, "voucher", "brought"]))

    def test_many_invitations(self) -> None:
        """Each page looks at no more of them than it shows, however many an admin has made."""
        self.create()
        for number in range(20):
            self.do(invite, Code(f"{number:064x}", ""), "alice", 1, self.at + timedelta(days=1), at=self.at)
        whole = self.ask(export.remembered, "alice", "", 100)
        looked: list[str] = []
        beneath = ReadTransaction.beneath

        def counted(tx: ReadTransaction, *args: Any, **kwargs: Any) -> Iterator[tuple[str, Any]]:
            for key, record in beneath(tx, *args, **kwargs):
                looked.append(key)
                yield key, record

        self.patch(ReadTransaction, "beneath", counted)
        pages = [self.ask(export.remembered, "alice", "", 3)]
        while pages[-1]:
            looked.clear()
            pages.append(self.ask(export.remembered, "alice", pages[-1][-1].key, 3))
            self.assertLessEqual(len(set(looked)), 3)
        self.assertEqual([each for page in pages for each in page], whole)
        self.assertEqual([each.kind for each in whole].count("invitation"), 20)
