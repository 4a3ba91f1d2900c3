"""
The real daemon: started by twistd, talked to through openssl, killed, started again.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import warnings
from hashlib import sha256
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.real import Daemon, Program, Talk, connect, program

VERIFY = Path(__file__).resolve().parents[2] / "tools" / "verify_chain.py"

PASSWORD = "correct-horse-battery"


class DaemonCase(SynchronousTestCase):
    """A test with a state directory, of which everything that it starts is ended with it."""

    def setUp(self) -> None:
        # Not trial's own directory: the path of a UNIX socket has at most 107 characters.
        directory = tempfile.mkdtemp(prefix="securehub-")
        self.addCleanup(shutil.rmtree, directory, ignore_errors=True)
        self.state = Path(directory) / "state"
        self.programs: list[Program] = []

    def start(self, **how: Any) -> Daemon:
        daemon = Daemon(self.state, **how)
        self.addCleanup(daemon.end)
        return daemon

    def operator(self) -> Talk:
        """The project's own client at the admin door."""
        return self.talk([sys.executable, "-m", "securehub.client", "--state", str(self.state)])

    def talk(self, command: list[str]) -> Talk:
        talk = Talk(command)
        self.addCleanup(talk.end)
        return talk

    def program(self, port: int) -> Program:
        spoken = Program(port)
        self.programs.append(spoken)
        self.addCleanup(spoken.close)
        return spoken

    def make_rich(self, port: int, *names: str) -> Program:
        """Make members, give the first one 1000.00, and let a program speak for that one."""
        programs = [self.program(port) for _ in names]
        for name, each in zip(names, programs, strict=True):
            each.call("auth.create", username=name, password=PASSWORD)
        self.operator().ask(f"DEPOSIT {names[0]} 1000")
        return programs[0]


class OpenSSLTests(DaemonCase):
    """A person with C{openssl s_client}."""

    if shutil.which("openssl") is None:
        skip = "the openssl program is not installed"

    def connect(self, port: int) -> Talk:
        return self.talk(["openssl", "s_client", "-quiet", "-connect", f"localhost:{port}"])

    def test_by_hand(self) -> None:
        """From a first start to a payment, as a person types it."""
        port = self.start().started().port
        alice, bob = self.connect(port), self.connect(port)
        self.assertTrue((alice.greeting or "").startswith("* SecureHub "), alice.greeting)

        alice.say("CREATE alice")
        self.assertEqual(alice.lines.next(), "* Password:")
        self.assertRegex(alice.ask(PASSWORD)[-1], r"^OK Welcome, alice\. Your account is 999[0-9]{15}\.$")
        self.assertTrue(bob.ask(f"CREATE bob {PASSWORD}")[-1].startswith("OK Welcome, bob."))

        operator = self.operator()
        self.assertEqual(operator.ask("admin.grant bob treasurer")[-1], "OK bob has the roles member, treasurer.")
        self.assertEqual(bob.ask("DEPOSIT alice 125")[-1], "OK Transfer 1: 125.00 USD to alice.")
        self.assertEqual(alice.lines.next(), "* You received 125.00 USD from @cash. Balance 125.00 USD.")
        self.assertEqual(alice.ask("TRANSFER bob 12.50 for lunch"), ["OK Transfer 2: 12.50 USD to bob. Balance 112.50 USD."])
        self.assertTrue(alice.ask("TRANSFER bob 1000")[-1].startswith("ERR insufficient-funds "))
        self.assertIn("112.50", "".join(alice.ask("BALANCE")))
        history = alice.ask("HISTORY")
        self.assertEqual(history[-1], "OK")
        self.assertIn("for lunch", "".join(history))
        self.assertIn("TRANSFER", "".join(alice.ask("HELP")))
        self.assertEqual(alice.ask("LOGOUT"), ["OK"])
        self.assertTrue(alice.ask(f"LOGIN alice {PASSWORD}")[-1].startswith("OK Welcome back, alice."))
        # Without -quiet s_client would take this line for a command of its own.
        self.assertEqual(alice.ask("QUIT"), ["OK"])

    def test_fingerprint(self) -> None:
        """The fingerprint that is printed is the certificate's, and the command to connect is the one to use."""
        daemon = self.start().started()
        with connect(daemon.port) as connection:
            digest = sha256(connection.getpeercert(binary_form=True) or b"").hexdigest()
        log = "\n".join(daemon.log.seen)
        printed = re.search(r"fingerprint \(SHA-256\): ([0-9A-F:]+)", log)
        assert printed is not None
        self.assertEqual(printed[1].replace(":", "").lower(), digest)
        self.assertIn(f"openssl s_client -quiet -connect localhost:{daemon.port}", log)


class StartAndStopTests(DaemonCase):
    """What the daemon does to its state directory and its clients when it starts and stops."""

    def test_modes(self) -> None:
        """Nobody but its owner can look into the state directory, or at what is in it."""
        self.start().started()
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [self.state, *self.state.iterdir()]}
        self.assertEqual(modes.pop("state"), 0o700)
        self.assertGreaterEqual(set(modes), {"admin.sock", "certificate.pem", "key.pem", "lock"})
        self.assertEqual(set(modes.values()), {0o600}, modes)

    def test_second(self) -> None:
        """A second daemon on the same state directory is refused, and the first one does not feel it."""
        first = self.start().started()
        second = self.start()
        said = "\n".join(second.log.rest())
        self.assertNotEqual(second.wait(), 0)
        self.assertIn(f"another SecureHub is running on the state directory {self.state}", said)
        self.assertNotIn("Traceback", said)
        self.assertEqual(self.operator().ask("PING")[-1], "OK")
        self.assertEqual(self.program(first.port).call("hub.ping", text="there"), {"text": "there"})

    def test_port_taken(self) -> None:
        """A port on which another one listens is a clear refusal."""
        taken = self.start().started().port
        self.state = self.state.with_name("other")
        other = self.start(port=taken)
        said = "\n".join(other.log.rest())
        self.assertNotEqual(other.wait(), 0)
        self.assertIn("SecureHub cannot start", said)
        self.assertNotIn("Traceback", said)

    def test_stale_socket(self) -> None:
        """The admin.sock of a killed daemon is not in the way of the next one."""
        first = self.start().started()
        first.kill()
        self.assertTrue((self.state / "admin.sock").is_socket())
        self.start().started()
        self.assertEqual(self.operator().ask("PING again"), ["OK again"])

    def test_terminate(self) -> None:
        """SIGTERM: clients are told, and the daemon is gone within seconds."""
        daemon = self.start().started()
        connection = connect(daemon.port)
        self.addCleanup(connection.close)
        heard = connection.makefile("rb")
        self.addCleanup(heard.close)
        heard.readline()
        operator = self.operator()
        self.assertLess(daemon.terminate(), 10)
        # twistd stops in good order, and then ends by the signal that it got, so that whoever sent it can tell.
        self.assertEqual(daemon.wait(), -signal.SIGTERM)
        self.assertTrue(heard.readline().startswith(b"* Bye"))
        self.assertEqual(heard.read(), b"")
        self.assertTrue((operator.lines.next() or "").startswith("* Bye"))
        self.assertFalse((self.state / "admin.sock").exists())

    def test_twist(self) -> None:
        """C{twist securehub} is as good as C{twistd -n securehub}."""
        daemon = self.start(command=["twist", "--log-format", "text"]).started()
        self.assertEqual(self.program(daemon.port).call("hub.ping", text="there"), {"text": "there"})
        self.assertLess(daemon.terminate(), 10)

    def test_certificate_stays(self) -> None:
        """The certificate of the first start is there for good, as clients may have pinned it."""
        certificates = set()
        for _ in range(2):
            daemon = self.start().started()
            with connect(daemon.port) as connection:
                certificates.add(connection.getpeercert(binary_form=True))
            daemon.terminate()
        self.assertEqual(len(certificates), 1)


class HandshakeTests(DaemonCase):
    """Which protocols may be spoken on the port."""

    def test_protocols(self) -> None:
        """None, or securehub/1 above all; whoever offers nothing that is spoken here is refused in the handshake."""
        port = self.start().started().port
        for offered, chosen in [((), None), (("securehub/1",), "securehub/1"), (("h2", "http/1.1", "securehub/1"), "securehub/1")]:
            with connect(port, *offered) as connection:
                self.assertEqual(connection.selected_alpn_protocol(), chosen)
                self.assertIn(b"* SecureHub ", connection.recv(1024))
        for offered in [("h2",), ("http/1.0", "h3")]:
            self.assertRaises(ssl.SSLError, connect, port, *offered)

    def test_old_tls(self) -> None:
        """TLS older than 1.2 is refused by the hub, not only by this client."""
        port = self.start().started().port
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_ciphers("DEFAULT@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        with socket.create_connection(("127.0.0.1", port)) as plain:
            refused = self.assertRaises(ssl.SSLError, context.wrap_socket, plain)
        self.assertIn("alert", str(refused).lower())


class PipeliningTests(DaemonCase):
    """Many requests sent at once, as fast as the wire takes them."""

    def test_stalled_reading(self) -> None:
        """Far more requests than may wait are all answered, in their order: reading pauses, and goes on."""
        alice = self.make_rich(self.start().started().port, "alice", "bob")
        first = alice.send_all(("ledger.transfer", {"to": "bob", "amount": "0.01", "key": f"k{number}"}) for number in range(1_200))
        answers = [alice.receive() for _ in range(1_200)]
        self.assertEqual([answer and answer["id"] for answer in answers], list(range(first, first + 1_200)))


class KillTests(DaemonCase):
    """What was acknowledged before a kill is there after it."""

    TRANSFERS = 1_200

    def test_stream(self) -> None:
        """Killed in the middle of a stream of keyed payments, three times: each answer stands, each payment was made once."""
        daemon = self.start().started()
        self.make_rich(daemon.port, "alice", "bob")
        answers: dict[str, Any] = {}
        for rounds in range(3):
            self._stream(daemon, answers, kill_after=150 * (rounds + 1))
            daemon = self.start().started()
        before = dict(answers)
        self.assertLess(len(before), self.TRANSFERS)
        self._stream(daemon, answers, kill_after=None)

        self.assertEqual(len(answers), self.TRANSFERS)
        self.assertEqual({key: answers[key] for key in before}, before)
        self.assertEqual(len({answer["transfer"] for answer in answers.values()}), self.TRANSFERS)
        self._check_books(daemon)
        self._check_chain(daemon)

    def _stream(self, daemon: Daemon, answers: dict[str, Any], kill_after: int | None) -> None:
        """
        Send all payments, each with its key, and note the answers; an earlier answer to the same key must be the same.

        @param kill_after: kill the daemon after so many answers.
        """
        alice = self.program(daemon.port)
        alice.call("auth.login", username="alice", password=PASSWORD)
        first = alice.send_all(
            ("ledger.transfer", {"to": "bob", "amount": "0.10", "memo": f"no. {number}", "key": f"k{number}"})
            for number in range(self.TRANSFERS)
        )
        heard = 0
        while heard < self.TRANSFERS and (answer := alice.receive()) is not None:
            heard += 1
            result = answer["result"]
            self.assertEqual(answers.setdefault(f"k{answer['id'] - first}", result), result)
            if heard == kill_after:
                daemon.kill()

    def _check_books(self, daemon: Daemon) -> None:
        alice, bob = self.program(daemon.port), self.program(daemon.port)
        for each, name, balance in ((alice, "alice", "880.00"), (bob, "bob", "120.00")):
            each.call("auth.login", username=name, password=PASSWORD)
            self.assertEqual(each.call("ledger.balance")["balance"], balance)
        memos = set()
        before = None
        more = True
        while more:
            page = bob.call("ledger.history", limit=1000, before=before)
            memos |= {item["memo"] for item in page["items"]}
            before = page["items"][-1]["transfer"]
            more = page.get("more", False)
        self.assertEqual(memos, {f"no. {number}" for number in range(self.TRANSFERS)})
        self.assertEqual(self.operator().ask("ledger.trial_balance")[1:-1], ["  USD       0.00"])

    def _check_chain(self, daemon: Daemon) -> None:
        """The chain is whole after all that, and one changed digit breaks it; by the script that shares no code with the hub."""
        daemon.terminate()
        verify = [sys.executable, str(VERIFY), str(self.state)]
        self.assertEqual(subprocess.run(verify, capture_output=True).returncode, 0)
        journal = min(self.state.glob("journal-*"))
        journal.write_bytes(journal.read_bytes().replace(b'"n":2,', b'"n":3,', 1))
        broken = subprocess.run(verify, capture_output=True, text=True)
        self.assertEqual(broken.returncode, 1)
        self.assertIn(f"{journal.name}, line 3: the chain is broken after commit 1", broken.stderr)


class ProgramTests(DaemonCase):
    """JSON-RPC from another language's point of view: nothing but TLS, lines and JSON."""

    def test_program(self) -> None:
        """A program moves money, with a key, and a batch is one line."""
        port = self.start().started().port
        alice = self.make_rich(port, "alice", "bob")
        paid = alice.call("ledger.transfer", to="bob", amount="12.5", memo="for lunch", key="7f1c")
        self.assertEqual((paid["amount"], paid["currency"], paid["balance"]), ("12.50", "USD", "987.50"))
        self.assertEqual(alice.call("ledger.transfer", to="bob", amount="12.50", memo="for lunch", key="7f1c"), paid)
        self.assertEqual(alice.call("ledger.transfer", to="bob", amount="12.51", memo="for lunch", key="7f1c"), "key-reused")
        batch = [{"jsonrpc": "2.0", "id": number, "method": "hub.ping"} for number in (1, 2)]
        alice.socket.sendall(json.dumps(batch).encode() + b"\n")
        self.assertEqual([answer["id"] for answer in json.loads(alice.socket.recv(65536))], [1, 2])

    def test_survives(self) -> None:
        """What members have is there after an orderly stop, too."""
        daemon = self.start().started()
        self.make_rich(daemon.port, "alice").call("ledger.open", name="savings")
        daemon.terminate()
        alice = self.program(self.start().started().port)
        alice.call("auth.login", username="alice", password=PASSWORD)
        self.assertEqual([item["balance"] for item in alice.call("ledger.accounts")["items"]], ["1000.00", "0.00"])


class InstalledTests(DaemonCase):
    """The programs that an installation brings."""

    def test_programs(self) -> None:
        """Each is there."""
        for name in ("twistd", "twist", "securehub-client"):
            self.assertTrue(Path(program(name)).exists(), name)
