"""
The line client: whose turn it is, and what it offers of the hub's commands.
"""

from __future__ import annotations

import json
import socket

from twisted.trial.unittest import SynchronousTestCase

from securehub.client.commands import BACK, QUESTION, Command, Commands, is_ours
from securehub.client.connection import Connection
from securehub.client.conversation import Conversation, Kind, is_answered
from tests.world import World


class Turns(SynchronousTestCase):
    """A conversation knows when the hub has answered."""

    def setUp(self) -> None:
        self.conversation = Conversation()

    def heard(self, content: bytes) -> list[tuple[bytes, Kind]]:
        return [tuple(each) for each in self.conversation.hear(content)]  # type: ignore[misc]

    def test_answered(self) -> None:
        """It waits for what a wrong notification is answered: the one behind it would be taken for that."""
        notification = '{"jsonrpc":"2.0","method":"hub.ping"}'
        for line, answered in (
            ("\r", False),
            (" \t", False),
            ("\x0c", True),
            (notification, False),
            (f"{notification}\r", False),
            (f"[{notification},{notification}]", False),
            (f"[{notification},1]", True),
            (notification.replace("}", ',"id":null}'), True),
            (notification.replace("2.0", "1.0"), True),
            ('{"method":"hub.ping"}', True),
            ('{"jsonrpc":"2.0","method":"hub.ping","method":"hub.ping"}', True),
            ('{"jsonrpc":"2.0","method":"hub.ping","params":{"text":NaN}}', True),
            ("[]", True),
            ("[", True),
        ):
            self.assertEqual(is_answered(line.encode()), answered, line)
        self.assertTrue(is_answered(b"{\xff"))

    def test_answer(self) -> None:
        """Lines of an answer and events come before its end, which may come in pieces."""
        self.conversation.ask(b"BALANCE")
        self.assertEqual(self.heard(b"* bob is here.\n  a table\nO"), [(b"* bob is here.", Kind.OTHER), (b"  a table", Kind.OTHER)])
        self.assertTrue(self.conversation.waiting)
        self.assertEqual(self.heard(b"K\n"), [(b"OK", Kind.ANSWER)])
        self.assertEqual((self.conversation.waiting, self.conversation.refused), (False, False))

    def test_nobody_asked(self) -> None:
        """What looks like an answer is none when nothing was asked."""
        self.assertEqual(self.heard(b"ERR no\n* Password:\n"), [(b"ERR no", Kind.OTHER), (b"* Password:", Kind.OTHER)])
        self.assertFalse(self.conversation.refused)

    def test_refused(self) -> None:
        """Refusals of both forms are told apart from events and results, and not forgotten."""
        for answer, kind in (
            (b"ERR not-found there is no alice", Kind.REFUSAL),
            (b'{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"..."}}', Kind.REFUSAL),
            (b'{"jsonrpc":"2.0","id":1,"result":{}}', Kind.ANSWER),
        ):
            self.conversation = Conversation()
            self.conversation.ask(b"ASK")
            event = b'{"jsonrpc":"2.0","method":"chat.message","params":{}}'
            self.assertEqual(self.heard(event + b"\n" + answer + b"\n"), [(event, Kind.OTHER), (answer, kind)])
            self.conversation.ask(b"PING")
            self.heard(b"OK\n")
            self.assertEqual(self.conversation.refused, kind is Kind.REFUSAL)

    def test_prompt(self) -> None:
        """A question for a secret is none of the answer; an announcement of several lines asks for nothing."""
        self.conversation.ask(b"PASSWD")
        self.assertEqual(
            self.heard(b"* Announcement:\n* Old password:\n* New password:\n"),
            [(b"* Announcement:", Kind.OTHER), (b"* Old password:", Kind.PROMPT), (b"* New password:", Kind.PROMPT)],
        )
        self.assertTrue(self.conversation.waiting)

    def test_goodbye(self) -> None:
        """Who ends it is known, for what was said last."""
        for line, goodbye in ((b" quit ", True), (b"hub.quit", True), (b'{"method":"hub.quit"}', True), (b"SAY lobby quit", False)):
            self.conversation.ask(line)
            self.assertEqual(self.conversation.goodbye, goodbye, line)


class Sending(SynchronousTestCase):
    """A hub that does not read keeps nobody waiting."""

    def test_in_pieces(self) -> None:
        """What it does not take at once is sent once it does, and none of it waits for a hub that is gone."""
        ours, hub = socket.socketpair()
        long = b"x" * 4_000_000
        with Connection(ours) as connection, hub:
            connection.send(long)
            self.assertTrue(connection.sending)
            heard = bytearray()
            while connection.sending:
                heard += hub.recv(65536)
                connection.send_on()
            while len(heard) <= len(long):
                heard += hub.recv(65536)
            self.assertEqual(heard, long + b"\n")
            connection.send(long)
            hub.close()
            connection.send_on()
            self.assertFalse(connection.sending)


class Offers(SynchronousTestCase):
    """What a line may become."""

    def setUp(self) -> None:
        self.commands = Commands(
            [
                Command("hub.help", "HELP", "HELP [command]", "Explain."),
                Command("ledger.transfer", "TRANSFER", "TRANSFER to amount [from=...] [key=...] [memo...]", "Pay."),
                Command("ledger.hold", None, "ledger.hold to amount [memo=...]", "Set aside."),
                Command("budget.rule_add", None, "budget.rule_add bucket payee=...", "Sort."),
            ]
        )

    def words(self, line: str) -> list[str]:
        return [each.word for each in self.commands.offers(line)]

    def test_first_word(self) -> None:
        """Verbs, whichever way they are typed, and what has none; a service's commands all have their names."""
        self.assertEqual(self.words(""), ["HELP", "TRANSFER", "ledger.hold", "budget.rule_add"])
        self.assertEqual(self.words("tr"), ["TRANSFER"])
        self.assertEqual(self.words("le"), ["ledger.hold"])
        self.assertEqual(self.words(" Ledger."), ["ledger.transfer", "ledger.hold"])
        self.assertEqual(self.words("x"), [])

    def test_about(self) -> None:
        """Each comes with what it does."""
        self.assertEqual([each.about for each in self.commands.offers("T")], ["Pay."])

    def test_names(self) -> None:
        """Behind a command there are the names of what is given by name, each once."""
        self.assertEqual(self.words("transfer bob 5 "), ["from=", "key="])
        self.assertEqual(self.words("ledger.transfer bob 5 k"), ["key="])
        self.assertEqual(self.words("TRANSFER bob 5 key=a "), ["from="])
        self.assertEqual(self.words("budget.rule_add p"), ["payee="])
        self.assertEqual(self.words("DANCE "), [])

    def test_help(self) -> None:
        """HELP is given a command or a service."""
        self.assertEqual(self.words("HELP led"), ["ledger.*", "ledger.hold"])
        self.assertEqual(self.words("help t"), ["TRANSFER"])
        self.assertEqual(self.words("HELP HELP t"), [])

    def test_of(self) -> None:
        """The command of a line is found by its first word."""
        for line in ("transfer", " TRANSFER bob", "Ledger.Transfer bob 5"):
            found = self.commands.of(line)
            assert found is not None
            self.assertEqual(found.summary, "Pay.")
        self.assertIsNone(self.commands.of(""))
        self.assertIsNone(self.commands.of("TRANS"))

    def test_of_a_hub(self) -> None:
        """A hub tells of its commands, to those who have not logged in, too."""
        world = World()
        guest = world.connect()
        guest.send(QUESTION.decode())
        world.settle()
        (answer,) = [line.encode() for line in guest.received() if line.startswith("{")]
        self.assertTrue(is_ours(answer))
        self.commands = Commands.read(answer)
        self.assertEqual(self.words("logi"), ["LOGIN"])
        self.assertEqual(self.words("LOGIN alice o"), ["otp="])

    def test_in_text(self) -> None:
        """Who was only asked about for us still hears events as text."""
        world = World()
        alice, bob = world.member("alice"), world.member("bob")
        alice.send(f"{QUESTION.decode()}\n{BACK.decode()}")
        world.settle()
        alice.received()
        bob.send("MSG alice hello")
        world.settle()
        self.assertEqual(alice.received(), ["* bob to alice: hello"])

    def test_not_ours(self) -> None:
        """Answers to what somebody has typed are theirs, and a refusal offers nothing."""
        self.assertFalse(is_ours(b'{"jsonrpc":"2.0","id":1,"result":{"commands":[]}}'))
        refusal = json.dumps({"jsonrpc": "2.0", "id": "securehub-client", "error": {"code": -32000}}, separators=(",", ":")).encode()
        self.assertTrue(is_ours(refusal))
        self.assertIsNone(Commands.read(refusal).of("PING"))
