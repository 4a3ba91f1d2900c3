"""
Who may use what: every command, tried by everybody.

What is expected is made from the declarations, so a new command is tried without anybody thinking of it. That the declarations are those
of the protocol is stated once more by hand, as far as more than the members are concerned.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from securehub.command import AUDITED_ROLES, ROLES, Audited, Command
from tests.world import Client, World

OPEN_TO_ALL = {
    "hub.help",
    "hub.ping",
    "hub.version",
    "hub.whoami",
    "hub.quit",
    "auth.create",
    "auth.login",
    "auth.resume",
    "rpc.discover",
}
"""Section 6 of the protocol: these, and never another one."""

OF_ROLES = {
    "ledger.deposit": "treasurer",
    "ledger.withdraw": "treasurer",
    "ledger.reverse": "treasurer",
    "ledger.set_limits": "treasurer",
    "ledger.set_role_limits": "treasurer",
    "ledger.trial_balance": "treasurer",
    "ledger.counterparts": "treasurer",
    "ledger.bookings": "treasurer",
    **dict.fromkeys(("orders.item", "orders.shop", "loyalty.promotion"), "seller"),
    **dict.fromkeys((f"loyalty.{name}" for name in ("set_programme", "set_reward", "remove_reward", "set_tier", "remove_tier")), "admin"),
    "chat.reports": "moderator",
    "chat.settle": "moderator",
    "support.queue": "agent",
    "support.take": "agent",
    "support.reply": "agent",
    "support.close": "agent",
}
OF_ROLES |= {
    f"support.{name}": "agent"
    for name in (
        "cases",
        "pass",
        "note",
        "notes",
        "csv",
        "canned",
        "set_canned",
        "use",
        "give",
        "refund",
        "allowance",
        "refund_order",
        "points",
    )
}
"""Section 7, for those that are there; besides, all of C{admin} is of that role."""

OF_NO_ACCOUNT = {"hub.events", "budget.split", "chat.who", "ledger.role_limits", "orders.catalog", "loyalty.programme"}
"""What has to do with a session or with figures alone."""

FOR_OTHERS = (
    {"ledger.capture", "ledger.release", "orders.show", "orders.advance", "orders.refund", "orders.log"}
    | {f"chat.{name}" for name in ("kick", "ban", "unban", "mute", "unmute", "sanctions", "slow", "access", "keep", "appoint", "dismiss")}
    | {f"chat.{name}" for name in ("deeds", "invite", "remove", "trace")}
    | {f"support.{name}" for name in ("show", "log", "transcript")}
)
"""What may be done for others with power, and so by the operator. All else that needs a login is about one's own account."""

AUDITED = {f"support.{name}" for name in ("close", "give", "points", "refund", "refund_order")} | {
    f"chat.{name}" for name in ("kick", "ban", "unban", "mute", "unmute", "remove", "slow", "access", "keep", "appoint", "dismiss")
}
"""What is always noted, though it needs none of the roles whose every act is."""

SECRETS = {"password", "old", "new", "token", "otp", "code", "secret"}
"""What parameters are called that nobody should read later."""


def expected(command: Command, role: str | None) -> str:
    """What a member with a role is told when the arguments are wrong."""
    return "bad-arguments" if command.access.role in (None, role) else "forbidden"


class RoleTests(SynchronousTestCase):
    """Whatever is not allowed is refused: in both forms, before the arguments are looked at, and without a trace."""

    def setUp(self) -> None:
        self.world = World()
        self.commands = self.world.hub.commands
        self.guest = self.world.connect()
        self.operator = self.world.operator()
        self.members: dict[str | None, Client] = {}
        for role in (None, *ROLES):
            self.members[role] = self.world.member(role or "plain")
            if role:
                self.operator.ask(f"admin.grant {role} {role}")

    def code(self, client: Client, command: Command) -> str:
        """
        What a request is refused with that has a parameter which no command has.

        A line of text cannot be wrong for every command, so one is tried where it is refused before that matters.
        """
        answer = client.call(command.name, nonsense=1)
        code = str(answer["error"]["data"]["code"])
        if code != "bad-arguments":
            for verb in filter(None, (command.name, command.name.upper(), command.verb)):
                status = client.ask(f"{verb} nonsense")[-1]
                self.assertEqual(status.split()[:2], ["ERR", code], f"{verb} nonsense")
        return code

    def test_nobody(self) -> None:
        """Without a login there is what the protocol lists, and nothing else."""
        for command in self.commands:
            code = "bad-arguments" if command.name in OPEN_TO_ALL else "not-logged-in"
            self.assertEqual(self.code(self.guest, command), code, command.name)

    def test_members(self) -> None:
        """Each has what is everybody's and what is of the one role, and no more."""
        for role, client in self.members.items():
            for command in self.commands:
                self.assertEqual(self.code(client, command), expected(command, role), f"{role}: {command.name}")

    def test_the_operator(self) -> None:
        """All roles, no account."""
        for command in self.commands:
            code = "forbidden" if command.access.own_account else "bad-arguments"
            self.assertEqual(self.code(self.operator, command), code, command.name)

    def test_after_logging_out(self) -> None:
        """Whoever logs out is nobody, whatever they were."""
        admin = self.members["admin"]
        admin.ask("LOGOUT")
        for command in self.commands:
            self.assertEqual(self.code(admin, command), self.code(self.guest, command), command.name)

    def test_as_the_protocol_says(self) -> None:
        """What is open to all is that list; what needs a role needs that role; all else is about one's own."""
        for command in self.commands:
            access = command.access
            self.assertEqual(not access.login, command.name in OPEN_TO_ALL, command.name)
            role = "admin" if command.name.startswith("admin.") else OF_ROLES.get(command.name)
            self.assertEqual(access.role, role, command.name)
            if access.login and role is None:
                self.assertEqual(access.own_account, command.name not in OF_NO_ACCOUNT | FOR_OTHERS, command.name)

    def test_what_is_refused_has_not_happened(self) -> None:
        before = self.world.hub.store.number
        for client in (self.guest, self.members[None]):
            client.ask("admin.grant plain admin", "DEPOSIT plain 5", "WITHDRAW plain 5", "admin.ungrant admin admin")
            client.call("admin.grant", username="plain", role="admin")
            client.ask("admin.disconnect 1", "admin.announce I am in charge now")
        self.assertEqual(self.world.hub.store.number, before)
        self.assertFalse(any(client.closed for client in self.world.clients))

    def test_discover_and_help(self) -> None:
        """They tell what one may use, at this moment."""
        for client, roles, operator in (
            (self.guest, None, False),
            (self.members["admin"], ("admin",), False),
            (self.operator, ROLES, True),
        ):
            allowed = {command.name for command in self.commands if command.access.allows(roles, operator)}
            methods = client.call("rpc.discover")["result"]["methods"]
            self.assertEqual({method["name"] for method in methods}, allowed)
        plain = self.members[None]
        self.assertNotIn("admin.users", {row["name"] for row in plain.call("hub.help")["result"]["commands"]})
        self.operator.ask("admin.grant plain admin")
        self.assertIn("admin.users", {row["name"] for row in plain.call("hub.help")["result"]["commands"]})

    def test_a_role_holds_from_the_next_command_on(self) -> None:
        """In every open session, and in one line of pipelined requests, too."""
        plain, second = self.members[None], self.world.back("plain")
        for session in (plain, second):
            self.assertTrue(session.ask("ledger.trial_balance")[0].startswith("ERR forbidden"))
        self.operator.ask("admin.grant plain treasurer")
        for session in (plain, second):
            self.assertEqual(session.ask("ledger.trial_balance")[-1], "OK")
        self.operator.ask("admin.grant plain admin")
        answers = plain.ask("ledger.trial_balance", "admin.ungrant plain treasurer", "ledger.trial_balance")
        self.assertEqual((answers[2], answers[-1].split()[:2]), ("OK", ["ERR", "forbidden"]))

    def test_a_role_that_is_gone(self) -> None:
        """Also after a restart."""
        self.operator.ask("admin.ungrant treasurer treasurer")
        self.world.restart(crash=True)
        again = self.world.back("treasurer")
        self.assertTrue(again.ask("ledger.trial_balance")[0].startswith("ERR forbidden"))


class AuditedTests(SynchronousTestCase):
    """Power over others' things leaves a trace, whatever command it is used by."""

    def setUp(self) -> None:
        self.world = World()
        self.commands = self.world.hub.commands

    def test_all_that_writes_by_such_a_role(self) -> None:
        for command in self.commands:
            if command.writes and command.access.role in AUDITED_ROLES:
                self.assertIs(command.audited, Audited.ALWAYS, command.name)

    def test_what_needs_no_such_role(self) -> None:
        """Who keeps order in a room needs none, and agents have none; their commands say it themselves."""
        audited = {each.name for each in self.commands if each.audited is Audited.ALWAYS and each.access.role not in AUDITED_ROLES}
        self.assertEqual(audited, AUDITED)

    def test_nothing_that_members_do(self) -> None:
        """Their own payments cost no entry."""
        audited = {command.name for command in self.commands if command.audited is not Audited.NEVER}
        self.assertFalse(audited & (OPEN_TO_ALL | {"ledger.transfer", "ledger.open", "auth.logout"}))

    def test_secrets(self) -> None:
        """Parameters that sound like secrets are declared as such, so that no entry has them."""
        for command in self.commands:
            for parameter in command.parameters:
                if command.audited is not Audited.NEVER and parameter.name in SECRETS:
                    self.assertTrue(parameter.secret, f"{command.name}: {parameter.name}")

    def test_entries(self) -> None:
        """Who did what to whom. No entry has a secret."""
        alice, operator = self.world.member("alice"), self.world.operator()
        operator.ask("DEPOSIT alice 500")
        secret = "another-horse-battery"
        given = {
            "admin.grant": {"username": "alice", "role": "seller"},
            "admin.ungrant": {"username": "alice", "role": "seller"},
            "admin.disconnect": {"connection": alice.protocol.session.number},
            "admin.announce": {"text": "hello"},
            "ledger.deposit": {"to": "alice", "amount": "5"},
            "ledger.withdraw": {"from": "alice", "amount": "505"},
            "admin.lock": {"username": "alice", "reason": "a fraud"},
            "admin.unlock": {"username": "alice"},
            "admin.password": {"username": "alice", "password": secret},
            "admin.invite": {"uses": 3, "expires": "2026-11-30T00:00:00Z"},
            "admin.erase": {"username": "alice"},
        }
        for name, params in given.items():
            self.assertIn("result", operator.call(name, **params), name)
            entry = operator.call("admin.audit", limit=1)["result"]["items"][0]
            # Of what was done to a member who is erased nothing is left but that it was done.
            shown = {} if name == "admin.erase" else {name: value for name, value in params.items() if value != secret}
            self.assertEqual((entry["command"], entry["by"], entry["arguments"]), (name, "operator", shown))
            self.assertEqual(entry["target"], None if name in ("admin.announce", "admin.invite") else "alice", name)
