"""
The rules of sessions, invitations and erasures.
"""

from __future__ import annotations

from datetime import UTC, timedelta

from msgspec.structs import replace

from securehub.agenda import Due
from securehub.config import MOST_OF_A_MEMBER
from securehub.event import End
from securehub.members import Joined, Member, Visits
from securehub.peer import PeerCertificate
from securehub.refusals import BadArgument, BadCredentials, Conflict, Forbidden, Locked, NotFound, NotLoggedIn
from securehub.services.admin import locks
from securehub.services.auth import certificates, codes, credentials, erasure, invitations, lifetimes, rules, sessions, tokens, ways
from securehub.services.auth.invitations import CLOSED, INVITATION, OPEN, Code, Invitation, Vouched
from securehub.services.auth.known import Known
from securehub.services.auth.otp import OneTime
from securehub.services.auth.records import Brought, Credential, Family, Logins
from securehub.services.auth.tokens import Token
from securehub.services.ledger import books, holds, limits, memory, movement, requests, schedules
from securehub.services.ledger.accounts import open_account
from securehub.services.ledger.holds import Hold
from securehub.services.ledger.records import Title, Transfer, Wallet, transfer_key
from securehub.services.ledger.requests import Request
from securehub.services.ledger.schedules import Schedule
from securehub.services.orders import memory as orders
from securehub.switchboard import member
from tests.rules.setting import CURRENCIES, NUMBERING, Rules, amount
from tests.rules.test_auth import HASH, LIFETIMES, Logging
from tests.store.setting import everything

USD = CURRENCIES.default


class Sessions(Logging):
    """Sessions of alice."""

    def change_password(self, token: Token, verified: str = HASH) -> sessions.Changed:
        self.fresh = self.token(token.family)
        return self.do(sessions.change_password, "alice", verified, "$new", token.digest, self.fresh)

    def test_new_password(self) -> None:
        """Of all tokens, that of the session which asks is good, and the fresh one."""
        mine, other = self.create(), self.log_in()
        twin = self.good(mine)
        self.heard()
        changed = self.change_password(mine)
        self.assertEqual((changed.ended, changed.resume), (1, self.fresh.text))
        self.assertEqual(self.heard(), [(member("alice"), End(sessions.NEW_PASSWORD, spared=mine.digest))])
        self.assertEqual(self.setting.get(Credential, "alice"), Credential("$new"))
        self.assertEqual(self.families(), [mine.family])
        self.assertIsNone(self.resume(other))
        self.good(mine)
        self.good(self.fresh)
        self.assertIsNone(self.resume(twin))
        self.assertEqual(self.families(), [])

    def test_new_password_with_a_dead_token(self) -> None:
        """The session whose own token has died goes on with the fresh one alone; the dead one stays dead."""
        mine = self.create()
        self.good(self.good(mine))
        self.change_password(mine)
        self.good(self.fresh)
        mine = self.log_in(verified="$new")
        self.good(self.good(mine))
        self.change_password(mine, verified="$new")
        self.assertIsNone(self.resume(mine))
        self.assertEqual(self.families(), [])

    def test_new_password_after_a_resume(self) -> None:
        """The token that the session resumed with dies, that which it was given for it is good."""
        before = self.create()
        mine = self.good(before)
        self.change_password(mine)
        self.good(mine)
        self.assertIsNone(self.resume(before))

    def test_many_new_passwords(self) -> None:
        """Each leaves dead tokens behind, of which only so many are kept."""
        mine = self.create()
        self.change_password(mine)
        for _ in range(tokens.MAX_DEAD):
            self.change_password(mine, verified="$new")
        family = self.setting.get(Family, mine.family)
        self.assertEqual(len(family.dead), tokens.MAX_DEAD)
        self.good(mine)

    def test_new_password_too_late(self) -> None:
        """What was so when the old password was verified is looked at again."""
        mine = self.create()
        self.assertRaises(BadCredentials, self.change_password, mine, verified="$older")
        self.change("alice", locked="spam")
        self.assertRaises(Locked, self.change_password, mine)
        self.change("alice", locked="")
        self.do(sessions.revoke, "alice", mine.family)
        self.assertRaises(NotLoggedIn, self.change_password, mine)
        self.assertEqual(self.setting.get(Credential, "alice"), Credential(HASH))

    def test_reset(self) -> None:
        self.create()
        self.log_in()
        self.heard()
        reset = self.do(sessions.reset_password, "alice", "$new")
        self.assertEqual((reset.ended, reset.status()), (2, "The password of alice is changed. 2 logins have ended."))
        self.assertEqual(self.heard(), [(member("alice"), End(sessions.NEW_PASSWORD))])
        self.assertEqual(self.families(), [])
        again = self.do(sessions.reset_password, "alice", "$newer")
        self.assertEqual(again.status(), "The password of alice is changed. No logins have ended.")
        self.refused(NotFound, "there is no member bob", sessions.reset_password, "bob", "$new")

    def test_whom_an_end_means(self) -> None:
        """All of a member's, those of one login, and all but the one that asks."""
        self.assertTrue(End("").means("f", b"t"))
        self.assertEqual([End("", "f").means(family, b"t") for family in ("f", "g", None)], [True, False, False])
        self.assertEqual([End("", "f", b"t").means("f", token) for token in (b"t", b"u")], [False, True])

    def test_revoke(self) -> None:
        first, other = self.create(), self.log_in()
        self.create("bob")
        self.heard()
        self.do(sessions.revoke, "alice", first.family)
        self.assertEqual([(channel, end.family) for channel, end in self.heard()], [(member("alice"), first.family)])
        self.assertEqual(self.families(), [other.family])
        self.refused(NotFound, "you have no session", sessions.revoke, "bob", other.family)

    def test_a_dead_token_ends_its_sessions(self) -> None:
        first = self.create()
        self.good(self.good(first))
        self.heard()
        self.resume(first)
        ((channel, end),) = self.heard()
        self.assertEqual((channel, end.family, end.spared), (member("alice"), first.family, None))

    def test_lock(self) -> None:
        """All sessions end and all logins stay; to do it again changes the reason, and to undo it twice is no error."""
        token = self.create()
        self.heard()
        for reason in ("spam", "more spam"):
            self.assertEqual(self.do(locks.lock, "alice", reason), locks.Lock("alice", True, reason))
            self.assertEqual(self.heard(), [(member("alice"), End(f"the account is locked: {reason}"))])
            self.assertEqual(self.setting.get(Member, "alice").locked, reason)
        for _ in range(2):
            self.assertEqual(self.do(locks.unlock, "alice"), locks.Lock("alice", False, ""))
        self.good(token)

    # How long

    def test_lifetimes(self) -> None:
        """Each ends on the moment."""
        family = Family("alice", self.at, b"")
        moment = timedelta(microseconds=1)
        self.assertFalse(LIFETIMES.over(family, self.at + LIFETIMES.idle - moment))
        self.assertTrue(LIFETIMES.over(family, self.at + LIFETIMES.idle))
        used = Family("alice", self.at, b"", seen=self.at + LIFETIMES.whole - moment)
        self.assertFalse(LIFETIMES.over(used, self.at + LIFETIMES.whole - moment))
        self.assertTrue(LIFETIMES.over(used, self.at + LIFETIMES.whole))

    def test_age(self) -> None:
        """Those that are there are marked once a day; those that have lasted are ended; those that are gone are passed over."""
        old = self.create()
        self.at += LIFETIMES.whole - timedelta(hours=12)
        young = self.log_in()
        self.at += timedelta(hours=12)
        before = self.setting.get(Family, young.family)
        self.do(lifetimes.age, (old.family, young.family, "gone"), LIFETIMES, at=self.at)
        self.assertEqual(self.families(), [young.family])
        self.assertEqual(self.setting.get(Family, young.family), before)
        self.at += timedelta(days=1)
        self.do(lifetimes.age, (young.family,), LIFETIMES, at=self.at)
        self.assertEqual(self.setting.get(Family, young.family).last_seen, self.at)

    def test_resume_moves_the_address(self) -> None:
        """Where a session was last, and when."""
        token = self.create()
        fresh = self.token(token.family)
        self.at += timedelta(days=1)
        self.do(rules.resume, token, self.welcome(fresh, address="198.51.100.7"), LIFETIMES, at=self.at)
        (row,) = self.ask(sessions.sessions_of, "alice", {}, None, LIFETIMES, at=self.at, limit=20).items
        self.assertEqual((row.address, row.seen, row.since), ("198.51.100.7", self.at, self.at - timedelta(days=1)))
        (row,) = self.ask(sessions.sessions_of, "alice", {token.family: "203.0.113.9"}, token.family, LIFETIMES, at=self.at, limit=20).items
        self.assertEqual((row.address, row.current, row.connected), ("203.0.113.9", True, True))

    def test_connected_beyond_its_time(self) -> None:
        """A login that is over is listed as long as somebody is connected in it."""
        token = self.create()
        later = self.at + LIFETIMES.whole
        self.assertEqual(self.ask(sessions.sessions_of, "alice", {}, None, LIFETIMES, at=later, limit=20).items, [])
        (row,) = self.ask(sessions.sessions_of, "alice", {token.family: "192.0.2.1"}, None, LIFETIMES, at=later, limit=20).items
        self.assertEqual((row.session, row.seen), (token.family, later))


class Invitations(Rules):
    """Codes."""

    def setUp(self) -> None:
        super().setUp()
        self.code = codes.fresh(self.random)

    def invite(self, by: str = "operator", uses: int = 1) -> None:
        made = Code(invitations.digest(self.code), "sealed")
        self.do(invitations.invite, made, by, uses, self.at + timedelta(days=1), at=self.at)

    def test_codes(self) -> None:
        """They can be read out, do not repeat, and are the same in whatever way they are typed."""
        self.assertRegex(self.code, r"\A[a-z2-7]{4}(-[a-z2-7]{4}){3}\Z")
        self.assertEqual(len({codes.fresh(self.random) for _ in range(100)}), 100)
        for typed in (self.code.upper(), self.code.replace("-", ""), self.code.replace("-", " ")):
            self.assertEqual(invitations.digest(typed), invitations.digest(self.code))

    def test_uses(self) -> None:
        """Each use counts, and is known of who came; all that is wrong with a code is one answer."""
        texts = set()
        texts.add(str(self.assertRaises(BadCredentials, self.do, invitations.use, "bob", self.code, at=self.at)))
        self.invite(uses=2)
        for username in ("bob", "carol"):
            self.assertEqual(self.do(invitations.use, username, self.code, at=self.at), "operator")
            self.assertEqual(self.ask(invitations.voucher_of, username), "operator")
        texts.add(str(self.assertRaises(BadCredentials, self.do, invitations.use, "dora", self.code, at=self.at)))
        self.assertIsNone(self.ask(invitations.voucher_of, "dora"))
        self.invite()
        self.at += timedelta(days=1)
        texts.add(str(self.assertRaises(BadCredentials, self.do, invitations.use, "dora", self.code, at=self.at)))
        self.assertEqual(texts, {"the invitation is not valid, or no longer"})

    def test_expires(self) -> None:
        """When its time has come it is kept no longer; who vouched is."""
        self.invite()
        self.do(invitations.use, "bob", self.code, at=self.at)
        self.do(invitations.expire, invitations.digest(self.code), at=self.at + timedelta(days=1))
        self.assertIsNone(self.setting.get(Invitation, invitations.digest(self.code)))
        self.assertEqual(self.ask(invitations.voucher_of, "bob"), "operator")

    def test_over_before_it_begins(self) -> None:
        code = Code(invitations.digest(self.code), "sealed")
        self.refused(BadArgument, "expires", invitations.invite, code, "operator", 1, self.at, at=self.at)
        self.do(invitations.invite, code, "operator", 1, self.at + timedelta(microseconds=1), at=self.at)

    def test_whose_word_counts(self) -> None:
        self.invite(by="alice")
        admin = Member(1, roles=("admin",))
        for voucher in (None, replace(admin, locked="spam"), Member(1, erased=self.at), Member(1), Member(1, roles=("moderator",))):
            if voucher is not None:
                self.put("alice", voucher)
            self.assertRaises(BadCredentials, self.do, invitations.use, "bob", self.code, at=self.at)
        self.put("alice", admin)
        self.do(invitations.use, "bob", self.code, at=self.at)

    def test_registration(self) -> None:
        """Who needs a code, and whom none helps."""
        self.invite()
        refuse = invitations.refuse_uninvited
        for registration, code in ((OPEN, None), (OPEN, self.code), (INVITATION, self.code)):
            self.ask(refuse, registration, code, at=self.at)
        for registration, code in ((INVITATION, None), (CLOSED, None), (CLOSED, self.code)):
            self.assertRaises(Forbidden, self.ask, refuse, registration, code, at=self.at)
        for registration in (OPEN, INVITATION):
            self.assertRaises(BadCredentials, self.ask, refuse, registration, "nonsense", at=self.at)

    def test_kept(self) -> None:
        """The code is nowhere in what is stored."""
        self.invite()
        self.setting.settle()
        self.assertIsNotNone(self.setting.get(Invitation, invitations.digest(self.code)))
        for content in self.setting.disk.files.values():
            self.assertNotIn(self.code.encode(), content)
            self.assertNotIn(self.code.replace("-", "").encode(), content)


class Forgetting(Rules):
    """What the ledger keeps about alice, and forgets."""

    def setUp(self) -> None:
        super().setUp()
        self.accounts = [self.open("alice"), self.open("alice", "savings")]
        self.open("bob")
        self.do(movement.deposit, "alice", amount("5"), "birthday", "operator", at=self.at)
        self.do(movement.pay, "alice", "bob", amount("5"), "for lunch", None, at=self.at)

    def forget(self) -> int:
        return self.forget_all(memory.forget, "alice")

    def test_forget(self) -> None:
        """Names and memos go, amounts stay; to do it again is no error."""
        for _ in range(2):
            self.forget()
            self.assertEqual([self.setting.get(Title, number).name for number in self.accounts], ["", ""])
            for number, units in ((1, 500), (2, 500)):
                transfer = self.setting.get(Transfer, transfer_key(number))
                self.assertEqual((transfer.memo, transfer.entries[1].units), ("", units))
            self.assertIsNone(self.setting.get(Wallet, "alice"))
        self.refused(NotFound, "there is no member alice", movement.deposit, "alice", amount("1"), "", "operator", at=self.at)

    def test_money(self) -> None:
        """An account that has money, however it got it, is not forgotten."""
        self.ask(memory.refuse_to_forget, "alice")
        self.do(movement.deposit, self.accounts[1], amount("0.01"), "", "operator", at=self.at)
        refusal = self.assertRaises(Conflict, self.ask, memory.refuse_to_forget, "alice")
        self.assertEqual(str(refusal), f"account {self.accounts[1]} has 0.01 USD; it must be empty first")

    def test_remembered(self) -> None:
        """Page by page it is the same as at once."""
        whole = self.ask(memory.remembered, "alice", "", 100)
        self.assertEqual([each.kind for each in whole], ["account", "entry", "entry", "account"])
        self.assertEqual(len({each.key for each in whole}), 4)
        for count in range(1, 4):
            self.assertEqual(self.pages(memory.remembered, "alice", count), whole)
        self.assertEqual(self.ask(memory.remembered, "nobody", "", 100), [])

    def test_what_is_open(self) -> None:
        """It is shown; it ends, the others are told, and what was held for them is theirs to spend. No memo is left."""
        self.do(movement.deposit, "bob", amount("50"), "", "operator", at=self.at)
        booked = {"limit": 9, "at": self.at, "zone": UTC}
        self.do(schedules.schedule, "alice", "bob", amount("1"), "monthly", None, None, "her rent", None, **booked)
        self.do(requests.ask, "alice", "bob", amount("2"), "her wish", None, timedelta(1), **booked)
        self.do(requests.ask, "bob", "alice", amount("3"), "his wish", None, timedelta(1), **booked)
        self.do(holds.hold, "bob", "alice", amount("20"), timedelta(1), "his hold", None, **booked)
        kept = self.ask(memory.remembered, "alice", "", 100)
        kinds = ["schedule", "request", "request", "account", "entry", "entry", "hold", "account"]
        self.assertEqual([each.kind for each in kept], kinds)
        self.assertEqual([each.values["memo"] for each in kept if each.kind in ("schedule", "hold")], ["her rent", "his hold"])
        self.heard()
        self.forget()
        self.assertEqual([event.text().split(" is ")[1].rstrip(".") for _, event in self.heard()], ["recalled", "refused", "released"])
        states = []
        for kind, number in ((Schedule, 1), (Request, 1), (Request, 2), (Hold, 1)):
            record = self.setting.get(kind, transfer_key(number))
            self.assertEqual(record.memo, "")
            states.append(record.state)
        self.assertEqual(states, ["cancelled", "recalled", "refused", "released"])
        self.assertEqual(self.setting.read(everything, Due), [])
        bob = self.ask(books.balance_of, "bob", None)
        self.assertEqual((bob.balance, bob.held), ("55.00", "0.00"))

    def test_what_others_scheduled(self) -> None:
        """To the member, or to one of their accounts, nothing is paid any more: it ends, the payer is told once, and no memo is left."""
        booked = {"limit": 9, "at": self.at, "zone": UTC}
        for to, every in (("alice", "monthly"), (self.accounts[1], "once"), ("alice", "once"), ("carol", "monthly")):
            if to == "carol":
                self.open("carol")
            self.do(schedules.schedule, "bob", to, amount("1"), every, None, None, "for alice", None, **booked)
        self.do(schedules.unschedule, 3, "bob")
        self.assertNotIn("schedule", [each.kind for each in self.ask(memory.remembered, "alice", "", 100)])
        self.heard()
        self.forget()
        told = "Schedule {}: 1.00 USD to {} could not be paid: the member is erased, so it is cancelled. It is left out."
        self.assertEqual(
            [(channel, event.text()) for channel, event in self.heard()],
            [("member/bob", told.format(1, "alice")), ("member/bob", told.format(2, self.accounts[1]))],
        )
        found = [self.setting.get(Schedule, transfer_key(number)) for number in (1, 2, 3, 4)]
        self.assertEqual([(each.state, each.memo) for each in found], [*[("cancelled", "")] * 3, ("open", "for alice")])
        self.assertEqual(len(self.setting.read(everything, Due)), 1)

    def test_what_has_ended(self) -> None:
        """It stays as it ended, without its memo."""
        self.do(movement.deposit, "bob", amount("50"), "", "operator", at=self.at)
        booked = {"limit": 9, "at": self.at, "zone": UTC}
        self.do(schedules.schedule, "alice", "bob", amount("1"), "once", None, None, "her rent", None, **booked)
        self.do(schedules.unschedule, 1, "alice")
        self.do(requests.ask, "alice", "bob", amount("2"), "her wish", None, timedelta(1), **booked)
        self.do(requests.refuse, 1, "bob", "", at=self.at)
        self.do(holds.hold, "bob", "alice", amount("20"), timedelta(1), "his hold", None, **booked)
        self.do(holds.capture, 1, None, "alice", at=self.at, zone=UTC)
        self.forget()
        ended = [self.setting.get(kind, transfer_key(1)) for kind in (Schedule, Request, Hold)]
        self.assertEqual([(each.state, each.memo) for each in ended], [("cancelled", ""), ("refused", ""), ("captured", "")])
        bob = self.ask(books.balance_of, "bob", None)
        self.assertEqual((bob.balance, bob.held), ("35.00", "0.00"))

    def test_limits(self) -> None:
        """What an account may is kept about its owner."""
        self.do(limits.set_limits, "alice", {"payment": amount("5"), "ceiling": amount("90")}, at=self.at, zone=UTC)
        (account, *_) = self.ask(memory.remembered, "alice", "", 9)
        self.assertEqual((account.values["payment"], account.values["ceiling"]), ("5.00", "90.00"))
        self.assertEqual({"day", "credit"} & account.values.keys(), set())

    def test_much_is_open(self) -> None:
        """In steps, none of which is too large."""
        self.do(movement.deposit, "bob", amount("500"), "", "operator", at=self.at)
        for _ in range(2 * memory.AT_ONCE + 5):
            self.do(holds.hold, "bob", "alice", amount("1"), timedelta(1), "h", None, limit=999, at=self.at, zone=UTC)
        self.assertGreater(self.forget(), 2)
        found = self.ask(holds.holds_of, "bob", ended=True, limit=1000, before=None).items
        self.assertEqual((len(found), {(row.state, row.memo) for row in found}), (2 * memory.AT_ONCE + 5, {("released", "")}))

    def test_held(self) -> None:
        """Who has promised money on credit cannot go before that is settled."""
        self.do(limits.set_limits, "alice", {"credit": amount("9")}, at=self.at, zone=UTC)
        self.do(holds.hold, "alice", "bob", amount("4"), timedelta(1), "", None, limit=9, at=self.at, zone=UTC)
        refusal = self.assertRaises(Conflict, self.ask, memory.refuse_to_forget, "alice")
        self.assertEqual(str(refusal), f"account {self.accounts[0]} holds 4.00 USD for somebody; that must end first")
        kept = self.ask(memory.remembered, "alice", "", 1)
        self.assertEqual((kept[0].values["credit"], kept[0].values["held"]), ("9.00", "4.00"))


class Erased(Logging):
    """What is left of a member who is erased."""

    def test_no_member(self) -> None:
        """For all rules there is none, and the name is taken; nothing is left of how they came and logged in, and from where."""
        self.create()
        number = self.setting.get(Member, "alice").number
        self.put("alice", Vouched("bob", "0" * 64))
        self.put("alice", Brought("2025-01", 3, 2, ("4711",)))
        self.put("alice", OneTime(b"sealed"))
        erased = self.do(erasure.erase, "alice", (memory.refuse_to_forget,), self.at + timedelta(days=365), at=self.at)
        self.assertEqual(erased.archived_until, self.at + timedelta(days=365))
        self.refused(NotFound, "there is no member alice", locks.lock, "alice", "spam")
        self.assertEqual(self.setting.get(Visits, "alice").last_address, "")
        self.assertIsNone(self.ask(credentials.hash_of, "alice"))
        self.assertIsNone(self.ask(tokens.owner_of, self.token()))
        self.assertEqual(self.families(), [])
        self.assertEqual(self.setting.get(Member, "alice"), Member(number, erased=self.at))
        for record in (Brought, Credential, Joined, Known, Logins, OneTime, Vouched):
            self.assertEqual(self.setting.store.counts()[record.collection], 0, record)

    def test_new_password_meanwhile(self) -> None:
        """Whoever has shown a password that is none any more has nobody erased."""
        self.create()
        self.do(sessions.reset_password, "alice", "$new")
        given = "alice", (), self.at, HASH
        self.refused(BadCredentials, "wrong", erasure.erase, *given, at=self.at)
        self.assertIsNone(self.setting.get(Member, "alice").erased)

    def test_nobody_pays(self) -> None:
        """By name either, though what is in the accounts takes a while to forget, and a full disk makes it an hour."""
        self.create()
        self.create("bob")
        ((number, _),) = self.setting.get(Wallet, "alice").accounts
        self.do(movement.deposit, "bob", amount("5"), "", "treasurer", at=self.at)
        self.do(erasure.erase, "alice", (memory.refuse_to_forget,), self.at + timedelta(days=365), at=self.at)
        self.refused(NotFound, "there is no member alice", movement.pay, "bob", "alice", amount("5"), "", None, at=self.at)
        self.do(memory.forget, "alice", "")
        self.assertEqual([self.setting.get(Wallet, key) for key in ("alice", "erased alice")], [None, None])
        self.assertEqual(self.setting.get(Title, number).name, "")

    def test_as_much_as_there_may_be(self) -> None:
        """One transaction ends all that lets a member in, however much the settings allow."""
        self.create()
        accounts, logins, registered = MOST_OF_A_MEMBER - 40, 24, 16
        for number in range(accounts - 1):
            self.do(open_account, "alice", f"account {number}", USD, NUMBERING, limit=999, at=self.at)
        for _ in range(logins - 1):
            self.do(tokens.begin, "alice", self.token(), "", live=(), limit=999, at=self.at)
        for number in range(registered):
            shown = PeerCertificate(f"{number}", self.at, self.at + timedelta(days=1))
            self.do(certificates.add, "alice", shown, ways.By(1), limit=999, at=self.at, wall=self.at)
        checks = (memory.refuse_to_forget, orders.refuse_to_forget)
        self.do(erasure.erase, "alice", checks, self.at, HASH, at=self.at)
        counts = self.setting.store.counts()
        self.assertEqual([counts[kind] for kind in ("family", "certificate", "certificates")], [0, 0, 0])

    def test_a_service_that_went_away(self) -> None:
        """An erasure that a service has not finished begins again with those that are there."""
        self.create()
        self.put("alice", erasure.Erasure("kitchen", "dish/7"))
        steps = 0
        while self.do(erasure.forget_some, "alice", (("auth", erasure.forget_nothing), ("ledger", memory.forget))):
            steps += 1
        self.assertEqual(self.ask(erasure.unfinished), [])
        self.assertEqual((steps, self.setting.get(Wallet, "alice")), (1, None))
        self.assertFalse(self.do(erasure.forget_some, "alice", ()))
