"""
Certificates and one-time codes in a whole hub: what a conversation cannot show.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from securehub.services.auth import otp
from securehub.vault import KEY_FILE
from tests.authenticator import code, identity
from tests.world import PASSWORD, Client, World


class FactorTests(SynchronousTestCase):
    """Alice, who has one-time codes."""

    def setUp(self) -> None:
        self.world = World()
        self.alice = self.world.member("alice")
        self.secret = self.alice.call("auth.otp_setup")["result"]["secret"]
        self.recovery = self.alice.call("auth.otp_confirm", code=self.code())["result"]["recovery_codes"]
        self.world.elapse(60)

    def code(self) -> str:
        return code(self.secret, self.world.now())

    def login(self, client: Client | None = None, **params: str) -> str:
        """The code of the refusal, or C{OK}."""
        answer = (client or self.world.connect()).call("auth.login", username="alice", **params)
        return str(answer["error"]["data"]["code"]) if "error" in answer else "OK"

    def listeners(self) -> int:
        return len(list(self.world.hub.switchboard.listeners("member/alice")))

    def test_a_lost_key(self) -> None:
        """The hub starts without it and says what is wrong; recovery codes work, and so does the key when it is found again."""
        logged: list[str] = []
        self.patch(otp._log, "error", lambda text, error: logged.append(str(error)))
        self.world.stop()
        key = self.world.directory.files.pop(KEY_FILE)
        self.world.start_again()
        self.assertEqual(self.login(password=PASSWORD, otp=self.code()), "unavailable")
        self.assertEqual(logged, ["the secret of alice's one-time codes was sealed under another key than the one in vault.key"])
        self.assertEqual(self.login(password=PASSWORD), "otp-required")
        self.assertEqual(self.login(password="wrong-horse-battery", otp=self.code()), "bad-credentials")
        self.assertEqual(self.login(password=PASSWORD, otp=self.recovery[0]), "OK")
        self.world.stop()
        self.world.directory.files[KEY_FILE] = key
        self.world.start_again()
        self.assertEqual(self.login(password=PASSWORD, otp=self.code()), "OK")

    def test_one_hash_each(self) -> None:
        """A wrong password and a wrong code take the same work, so neither is told from the other."""
        for params in ({"password": PASSWORD, "otp": "000000"}, {"password": "wrong-horse-battery", "otp": "000000"}):
            before = self.world.hashing.computed
            self.assertEqual(self.login(**params), "bad-credentials")
            self.assertEqual(self.world.hashing.computed - before, 1)

    def test_wrong_codes_write_nothing(self) -> None:
        before = self.world.hub.store.number
        for typed in ("000000", "aaaa-aaaa-aaaa-aaaa", self.recovery[0][:-1]):
            self.login(password=PASSWORD, otp=typed)
        self.assertEqual(self.world.hub.store.number, before)

    def test_gone_while_asked(self) -> None:
        """Whoever leaves in front of the question is nobody's session afterwards."""
        before = self.listeners()
        client = self.world.connect()
        self.assertEqual(client.ask(f"LOGIN alice {PASSWORD}")[-1], "* Code:")
        client.close()
        self.world.settle()
        self.assertEqual(self.listeners(), before)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_asked_for_a_time(self) -> None:
        """The time for a first request holds for the answer, too."""
        client = self.world.connect()
        client.ask(f"LOGIN alice {PASSWORD}")
        self.world.elapse(31)
        self.assertEqual(client.received(), ["* Bye: nothing was asked in time."])
        self.assertTrue(client.closed)

    def test_disconnected_while_asked(self) -> None:
        """Nobody waits for a person who is sent away, and the connection ends."""
        operator = self.world.operator()
        client = self.world.connect()
        client.ask(f"LOGIN alice {PASSWORD}")
        operator.call("admin.disconnect", connection=client.protocol.session.number, reason="be polite")
        self.assertEqual(client.received(), ["* Bye: be polite"])
        self.assertTrue(client.closed)

    def test_an_answer_that_cannot_be_read(self) -> None:
        client = self.world.connect()
        client.ask(f"LOGIN alice {PASSWORD}")
        self.assertTrue(client.ask("0" * 20_000)[-1].startswith("ERR line-too-long"))
        client.ask(f"LOGIN alice {PASSWORD}")
        self.assertTrue(client.ask("00\x0000")[-1].startswith("ERR bad-line"))
        client.ask(f"LOGIN alice {PASSWORD}")
        self.assertTrue(client.ask(self.code())[-1].startswith("OK Welcome back"))

    def test_a_new_password_while_asked(self) -> None:
        """What was shown before the question has to be right after it."""
        client = self.world.connect()
        client.ask(f"LOGIN alice {PASSWORD}")
        self.alice.call("auth.otp_disable", password=PASSWORD)
        self.secret = self.alice.call("auth.otp_setup")["result"]["secret"]
        self.alice.call("auth.otp_confirm", code=self.code())
        self.world.elapse(25)
        self.assertTrue(client.ask(code(self.secret, self.world.now()))[-1].startswith("ERR bad-credentials"))

    def test_many_asked_at_once(self) -> None:
        """Whoever has shown the password on many connections tries no more codes than on one."""
        clients = [self.world.connect() for _ in range(self.world.settings["account_failures"] + 3)]
        for client in clients:
            client.ask(f"LOGIN alice {PASSWORD}")
        answers = [client.ask("000000")[-1].split()[1] for client in clients]
        self.assertEqual(answers, ["bad-credentials"] * (len(clients) - 2) + ["rate-limited"] * 2)

    def test_certificate(self) -> None:
        """A login with one costs no password hash, and asks for the code all the same."""
        laptop = identity("laptop", self.world.now())
        client = self.world.connect(certificate=laptop)
        self.assertEqual(self.login(client, password=PASSWORD, otp=self.code()), "OK")
        client.call("auth.cert_add")
        self.world.elapse(60)
        before = self.world.hashing.computed
        again = self.world.connect(certificate=laptop)
        self.assertEqual(self.login(again), "otp-required")
        self.assertEqual(self.login(again, otp="000000"), "bad-credentials")
        self.assertEqual(self.login(again, otp=self.code()), "OK")
        self.assertEqual(self.world.hashing.computed, before)

    def test_certificates_have_a_limit(self) -> None:
        """That of the settings."""
        world = World(certificates_per_member=1)
        world.member("bob")
        answers = []
        for name in ("laptop", "desktop"):
            client = world.connect(certificate=identity(name, world.now()))
            answers.append(client.ask(f"LOGIN bob {PASSWORD}", "auth.cert_add")[-1])
        self.assertTrue(answers[0].startswith("OK Registered"), answers)
        self.assertEqual(answers[1], "ERR limit-exceeded 1 certificates are registered; 1 are allowed")
