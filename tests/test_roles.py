"""
Who may use what: every command, tried by everybody.

What is expected is made from the declarations, so a new command is tried without anybody thinking of it; that the declarations are those
of the protocol is stated once more by hand.
"""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from securehub.command import ROLES, Command
from tests.world import PASSWORD, Client, World

OPEN_TO_ALL = {"hub.help", "hub.ping", "hub.version", "hub.whoami", "hub.quit", "auth.create", "auth.login", "auth.resume", "rpc.discover"}
"""Section 6 of the protocol."""

OF_ROLES = {
    "admin": {"admin.users", "admin.grant", "admin.ungrant", "admin.status", "admin.lock", "admin.unlock", "admin.password"}
    | {"admin.invite", "admin.erase", "admin.otp_disable"},
    "moderator": {"chat.reports", "chat.settle"},
    "treasurer": {"ledger.deposit", "ledger.withdraw", "ledger.trial_balance"},
}
"""Section 7."""

NOT_THE_OPERATORS = (
    {"ledger.accounts", "ledger.open", "ledger.balance", "ledger.transfer", "ledger.history"}
    | {f"auth.{name}" for name in ("logout", "sessions", "revoke", "passwd", "profile", "export", "erase")}
    | {f"auth.{name}" for name in ("otp_setup", "otp_confirm", "otp_disable", "cert_add", "certs", "cert_remove")}
    | {f"budget.{name}" for name in ("income", "expense", "entries", "remove", "report", "months", "plan", "import", "import_preview")}
    | {f"budget.{name}" for name in ("goal_set", "goals", "goal_remove", "rule_add", "rules", "rule_preview", "rule_remove")}
    | {
        f"chat.{name}"
        for name in (
            *("rooms", "join", "part", "say", "direct", "log", "names", "topic", "status", "unread", "read", "search", "edit", "pay"),
            *("block", "unblock", "blocked", "report"),
        )
    }
)
"""Commands about one's own account."""


class RoleTests(SynchronousTestCase):
    """Whatever is not allowed is refused: in both forms, before the arguments are looked at, and without a trace."""

    def setUp(self) -> None:
        self.world = World()
        self.commands = [command for command in self.world.hub.commands if command.name != "hub.quit"]
        self.guest = self.world.connect()
        self.operator = self.world.operator()
        self.members: dict[str, Client] = {}
        for role in (None, *ROLES):
            username = role or "plain"
            self.members[username] = self.world.member(username)
            if role:
                self.operator.ask(f"admin.grant {username} {role}")

    def code(self, client: Client, command: Command) -> str | None:
        """What a request without arguments is refused with; in both forms alike."""
        client.send(f'{{"jsonrpc":"2.0","id":1,"method":"{command.name}","params":{{"nonsense":1}}}}')
        self.world.settle()
        answer = json.loads([line for line in client.received() if line.startswith("{")][-1])
        by_program = answer["error"]["data"]["code"]
        words = f"{command.verb or command.name} {'nonsense ' * 9}"
        if any(parameter.type.rest for parameter in command.parameters):
            words = f"{command.verb or command.name} memo=x memo=y"
        by_person = client.ask(words)[-1].split()
        if by_person[0] == "ERR" and by_program != "bad-arguments":
            self.assertEqual(by_person[1], by_program, command.name)
        return str(by_program)

    def test_nobody(self) -> None:
        """Without a login there is what the protocol lists, and nothing else."""
        allowed = {command.name for command in self.commands if self.code(self.guest, command) == "bad-arguments"}
        self.assertEqual(allowed, OPEN_TO_ALL - {"hub.quit"})
        refused = {self.code(self.guest, command) for command in self.commands if command.name not in OPEN_TO_ALL}
        self.assertEqual(refused, {"not-logged-in"})

    def test_members(self) -> None:
        """Each has what is everybody's and what is of the one role, and no more."""
        special = set().union(*OF_ROLES.values())
        for username, client in self.members.items():
            for command in self.commands:
                if command.name == "auth.logout":
                    continue
                mine = command.name not in special or command.name in OF_ROLES.get(username, ())
                expected = "bad-arguments" if mine else "forbidden"
                self.assertEqual(self.code(client, command), expected, f"{username}: {command.name}")

    def test_the_operator(self) -> None:
        """All roles, no account."""
        for command in self.commands:
            expected = "forbidden" if command.name in NOT_THE_OPERATORS else "bad-arguments"
            self.assertEqual(self.code(self.operator, command), expected, command.name)

    def test_as_declared(self) -> None:
        """The declaration of each command says the same."""
        for command in self.world.hub.commands:
            self.assertEqual(not command.access.login, command.name in OPEN_TO_ALL, command.name)
            self.assertEqual(command.access.own_account, command.name in NOT_THE_OPERATORS, command.name)
            self.assertEqual(command.access.role, next((role for role, names in OF_ROLES.items() if command.name in names), None))

    def test_what_is_refused_has_not_happened(self) -> None:
        before = self.world.hub.store.number
        for client in (self.guest, self.members["plain"]):
            client.ask("admin.grant plain admin", "DEPOSIT plain 5", "WITHDRAW plain 5", "admin.ungrant admin admin")
            client.call("admin.grant", username="plain", role="admin")
        self.assertEqual(self.world.hub.store.number, before)

    def test_discover_and_help(self) -> None:
        """They tell what one may use, at this moment."""
        for client, roles, operator in (
            (self.guest, None, False),
            (self.members["admin"], ("admin",), False),
            (self.operator, ROLES, True),
        ):
            expected = {command.name for command in self.world.hub.commands if command.access.allows(roles, operator)}
            methods = client.call("rpc.discover")["result"]["methods"]
            self.assertEqual({method["name"] for method in methods}, expected)
        plain = self.members["plain"]
        self.assertNotIn("admin.users", {row["name"] for row in plain.call("hub.help")["result"]["commands"]})
        self.operator.ask("admin.grant plain admin")
        self.assertIn("admin.users", {row["name"] for row in plain.call("hub.help")["result"]["commands"]})

    def test_a_role_holds_from_the_next_command_on(self) -> None:
        """In every open session, and in one line of pipelined requests, too."""
        plain, second = self.members["plain"], self.world.connect()
        second.ask(f"LOGIN plain {PASSWORD}")
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
        again = self.world.connect()
        again.ask(f"LOGIN treasurer {PASSWORD}")
        self.assertTrue(again.ask("ledger.trial_balance")[0].startswith("ERR forbidden"))
