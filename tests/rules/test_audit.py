"""
The audit: an entry belongs to its effect.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from securehub import arguments
from securehub.audit import Act, Audit, audited
from securehub.command import ADMIN, Command, command, declared_by, named, optional, prompted
from securehub.members import Member
from securehub.money import Amount
from securehub.refusals import NotFound
from securehub.services.admin.audit import AT_ONCE, entries, forget, remembered
from securehub.services.admin.roles import change_role
from securehub.services.ledger.accounts import whose
from securehub.services.times import expiry
from securehub.store.records import number_key
from tests.rules.setting import RECORDS, Rules
from tests.store.setting import BEGIN

LATER = datetime(2026, 11, 20, tzinfo=UTC)


class Powers:
    """A service whose commands take all kinds of arguments."""

    @command(
        None,
        access=ADMIN,
        writes=True,
        username=arguments.username,
        password=prompted(arguments.new_password, "Password"),
        code=optional(arguments.token),
        amount=named(arguments.amount),
        until=named(arguments.word),
        quiet=named(arguments.switch),
    )
    def change(
        self,
        session: object,
        username: str,
        password: str,
        code: str | None = None,
        amount: Amount | None = None,
        until: Any = None,
        quiet: bool = False,
    ) -> None:
        """Change."""

    @command(None, access=ADMIN, writes=True, question=prompted(arguments.word, "Question"), name=optional(arguments.name))
    def ask(self, session: object, question: str, name: str = "") -> None:
        """Ask."""


def act(number: int = 1, *values: Any) -> Act:
    change = declared_by(Powers())[0]
    return Act.of(change, "alice", values or ("bob", "a password", None, None, None, False), BEGIN, whose)


class ActTests(Rules):
    """What an entry says follows from the declaration."""

    def of(self, place: int, *values: Any) -> Act:
        declared: Command = declared_by(Powers())[place].bound(Powers(), "powers", {"name_characters": 64})
        return Act.of(declared, "alice", values, BEGIN, whose)

    def test_arguments(self) -> None:
        """Those that were given, as plain JSON."""
        made = self.of(0, "bob", "a password", "a-token", Amount.parse("012.50"), LATER, True)
        given = {"username": "bob", "amount": "12.50", "until": "2026-11-20T00:00:00Z", "quiet": True}
        self.assertEqual(made, (BEGIN, "alice", "powers.change", "bob", given, whose, False))

    def test_how_long(self) -> None:
        """As it may be typed: in the largest unit of which it is a whole number, even if it was typed in another."""
        for typed, shown in (("0", "0s"), ("90", "90s"), ("120s", "2m"), ("3600", "1h"), ("48h", "2d"), ("30d", "30d"), ("1441m", "1441m")):
            made = self.of(0, "bob", "a password", "a-token", None, expiry(typed), False)
            self.assertEqual(made.arguments["until"], shown)
            self.assertEqual(expiry(shown), expiry(typed))

    def test_secrets(self) -> None:
        """Neither what is of a secret type, nor what is hidden while it is typed."""
        self.assertEqual(self.of(0, "bob", "a password", "a-token", None, None, False).arguments, {"username": "bob", "quiet": False})
        self.assertEqual(self.of(1, "what is it", "").arguments, {})

    def test_a_limit_keeps_what_a_type_says(self) -> None:
        secret = arguments.ArgumentType(arguments.text.parse, secret=True, target=True, words=True).limited(10)
        self.assertTrue(secret.secret and secret.target and secret.words)


class AuditTests(Rules):
    """An entry is there if its effect is, and not otherwise."""

    def setUp(self) -> None:
        super().setUp()
        self.setting = self.setting.reopened(records=RECORDS)
        self.put("bob", Member(1))
        self.put("alice", Member(2, roles=("admin",)))

    def test_with_the_effect(self) -> None:
        granted = self.do(audited, act(), change_role, "bob", "seller", True)
        self.assertEqual(granted.roles, ("member", "seller"))
        self.assertEqual(self.setting.get(Audit, number_key(1)), Audit(*act()[:5]))

    def test_without(self) -> None:
        """A rule that refuses leaves nothing."""
        self.refused(NotFound, "nobody", audited, act(), change_role, "nobody", "seller", True)
        self.assertEqual(self.ask(entries, limit=10, before=None).items, [])

    def test_power(self) -> None:
        """One of the roles is enough; and what is noted in any case is noted of those who have none."""
        self.do(audited, act()._replace(by_right=True), change_role, "bob", "seller", True)
        self.do(audited, act()._replace(by="operator", by_right=True), change_role, "bob", "agent", True)
        self.do(audited, act()._replace(by="bob"), change_role, "bob", "seller", False)
        self.assertEqual([row.by for row in self.ask(entries, limit=10, before=None).items], ["bob", "operator", "alice"])

    def test_no_power(self) -> None:
        """What members do by right of their own is nobody else's business."""
        self.do(audited, act()._replace(by="bob", by_right=True), change_role, "bob", "seller", True)
        self.assertEqual(self.ask(entries, limit=10, before=None).items, [])

    def test_pages(self) -> None:
        """Newest first."""
        for _ in range(5):
            self.do(audited, act(), change_role, "bob", "seller", True)
        page = self.ask(entries, limit=2, before=None)
        self.assertEqual(([row.entry for row in page.items], page.more), ([5, 4], True))
        page = self.ask(entries, limit=3, before=4)
        self.assertEqual(([row.entry for row in page.items], page.more), ([3, 2, 1], False))

    def test_account_numbers(self) -> None:
        """The audit tells whose they are, or were."""
        number = self.open("bob")
        self.do(audited, act()._replace(target=number), change_role, "bob", "seller", True)
        self.do(audited, act()._replace(target="999000000000000999"), change_role, "bob", "seller", True)
        self.do(audited, act()._replace(target=""), change_role, "bob", "seller", True)
        self.assertEqual([row.target for row in self.ask(entries, limit=3, before=None).items], [None, "999000000000000999", "bob"])

    def test_remembered(self) -> None:
        """What was done to a member, and what they did; page by page as at once."""
        for target in ("bob", "carol", "", "bob"):
            self.do(audited, act()._replace(target=target), change_role, "bob", "seller", True)
        self.assertEqual([each.key for each in self.ask(remembered, "bob", "", 10)], [number_key(1), number_key(4)])
        whole = self.ask(remembered, "alice", "", 10)
        self.assertEqual([each.values["entry"] for each in whole], [1, 2, 3, 4])
        self.assertEqual(self.ask(remembered, "alice", "", 3) + self.ask(remembered, "alice", whole[2].key, 3), whole)

    def test_forgotten(self) -> None:
        """Of what was done to a member who is erased no text is left; of what they did themselves all is."""
        for target in (*["bob"] * AT_ONCE, "carol"):
            self.do(audited, act()._replace(target=target), change_role, "bob", "seller", True)
        self.put("bob", Member(1, roles=("admin",)))
        self.do(audited, act()._replace(target="carol", by="bob"), change_role, "bob", "seller", True)
        steps = self.forget_all(forget, "bob")
        rows = self.ask(entries, limit=500, before=None).items
        told = [(row.by, row.target, bool(row.arguments)) for row in rows]
        self.assertEqual((told, steps), ([("bob", "carol", True), ("alice", "carol", True), *[("alice", "bob", False)] * AT_ONCE], 2))
