"""
The real daemon and those who run it: certificates, reloads, systemd, and the log.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent

from securehub.network import keepalive
from tests.authenticator import code as one_time_code
from tests.certificates import make_certificate
from tests.integration.real import SECONDS, Daemon, connect
from tests.integration.test_daemon import DaemonCase


def fingerprint(port: int) -> str:
    """What the hub on this port shows."""
    with connect(port) as connection:
        return ssl.DER_cert_to_PEM_cert(connection.getpeercert(binary_form=True) or b"")


class OperationsCase(DaemonCase):
    """A test with a configuration file."""

    def setUp(self) -> None:
        super().setUp()
        self.base = self.state.parent
        self.config = self.base / "securehub.ini"

    def configure(self, text: str) -> None:
        self.config.write_text(dedent(text))


class TrustTests(OperationsCase):
    """Clients that check whom they talk to."""

    def trusting(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.state / "ca.pem"))

    def greeting(self, port: int, name: str) -> bytes:
        plain = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
        with plain, self.trusting().wrap_socket(plain, server_hostname=name) as connection:
            return connection.recv(1024)

    def test_ca(self) -> None:
        """Whoever has the CA is sure of the hub, under each of its names, and after a restart, too."""
        self.configure("[tls]\nnames = hub.example.org 192.0.2.1\n")
        for _ in range(2):
            daemon = self.start(config=self.config).started()
            for name in ("localhost", "127.0.0.1", "hub.example.org", "192.0.2.1"):
                self.assertTrue(self.greeting(daemon.port, name).startswith(b"* SecureHub "))
            self.assertRaises(ssl.SSLCertVerificationError, self.greeting, daemon.port, "example.org")
            daemon.terminate()

    def test_openssl(self) -> None:
        """The command that is printed connects, and would not to another hub."""
        if shutil.which("openssl") is None:
            self.skipTest("the openssl program is not installed")
        daemon = self.start().started()
        printed = daemon.log.seen[-1].partition("Connect with: ")[2].split()
        self.assertIn("-verify_return_error", printed)
        self.assertEqual(self.talk([*printed, "-verify_hostname", "localhost"]).ask("PING there"), ["OK there"])
        (self.state / "ca.pem").write_bytes(make_certificate(self.base / "other")[0].read_bytes())
        refused = subprocess.run(printed, input=b"", capture_output=True, timeout=SECONDS)
        self.assertNotEqual(refused.returncode, 0)
        self.assertNotIn(b"* SecureHub", refused.stdout)

    def test_an_older_state_directory(self) -> None:
        """A self-signed certificate, which clients have pinned, is shown as before, and no CA is made."""
        make_certificate(self.state)
        before = (self.state / "certificate.pem").read_text()
        daemon = self.start().started()
        self.assertEqual(fingerprint(daemon.port).split(), before.split())
        self.assertFalse((self.state / "ca.pem").exists())
        self.assertIn(f"openssl s_client -quiet -connect localhost:{daemon.port}", daemon.log.seen[-1])
        self.assertNotIn("-CAfile", daemon.log.seen[-1])

    def test_broken(self) -> None:
        """A hub that would show a broken certificate does not start, and says which file it is."""
        make_certificate(self.state)
        (self.state / "key.pem").write_text("nonsense")
        daemon = self.start()
        said = "\n".join(daemon.log.rest())
        self.assertNotEqual(daemon.wait(), 0)
        self.assertRegex(said, r"SecureHub cannot start: the key cannot be read: .*key\.pem is not PEM")
        self.assertNotIn("Traceback", said)


class ReloadTests(OperationsCase):
    """SIGHUP and admin.reload."""

    def setUp(self) -> None:
        super().setUp()
        begin = datetime.now(UTC) - timedelta(days=1)
        self.begin = begin
        make_certificate(self.base / "mine", begin=begin)
        self.configure(f"[tls]\ncertificate = {self.base}/mine/certificate.pem\nkey = {self.base}/mine/key.pem\n")

    def test_hang_up(self) -> None:
        """New connections see the new certificate, open ones live on; under twistd and under twist."""
        for command in (("twistd", "-n"), ("twist",)):
            daemon = self.start(config=self.config, command=command).started()
            before = fingerprint(daemon.port)
            open_one = self.program(daemon.port)
            make_certificate(self.base / "mine", begin=self.begin)
            daemon.hang_up()
            daemon.log.until(re.compile("Reloaded: certificate").search)
            self.assertNotEqual(fingerprint(daemon.port), before)
            self.assertEqual(open_one.call("hub.ping", text="there"), {"text": "there"})
            daemon.terminate()

    def test_broken(self) -> None:
        """A broken one changes nothing: SIGHUP says so in the log, admin.reload answers it."""
        daemon = self.start(config=self.config).started()
        before = fingerprint(daemon.port)
        (self.base / "mine" / "key.pem").write_text("nonsense")
        daemon.hang_up()
        line = daemon.log.until(re.compile("reload-refused").search)[-1]
        self.assertIn("key.pem is not PEM, or is damaged; all is as it was.", line)
        self.assertRegex(self.operator().ask("admin.reload")[-1], r"^ERR conflict the key cannot be read: .*key\.pem is not PEM")
        self.assertEqual(fingerprint(daemon.port), before)

    def test_settings(self) -> None:
        """Some settings hold for connections that are opened from then on; of the others it is said that they do not."""
        self.configure("[hub]\nlog_format = text\n")
        daemon = self.start(config=self.config).started()
        self.configure("[money]\ncurrency = EUR\n[limits]\nline_bytes = 1024\n[tls]\nnames = hub.example.org\n")
        answer = self.operator().ask("admin.reload")[-1]
        told = r"^OK Reloaded: certificate \(good until \S+\), setting line_bytes, setting names\. From the next start on: currency\.$"
        self.assertRegex(answer, told)
        line = daemon.log.until(re.compile("used from the next start on").search)[-1]
        self.assertTrue(line.endswith(": currency."), line)
        later = self.program(daemon.port)
        later.socket.sendall(b"x" * 2000 + b"\n")
        self.assertIn(b"line-too-long", later.socket.recv(4096))

    def test_bad_settings(self) -> None:
        """A file with a fault in it changes nothing."""
        daemon = self.start(config=self.config).started()
        self.configure("[limits]\nline_bytes = many\n")
        told = f"ERR conflict {self.config}: line_bytes = many: expected a whole number from 1024 to 1048576"
        self.assertEqual(self.operator().ask("admin.reload")[-1], told)
        self.assertEqual(self.program(daemon.port).call("hub.ping"), {"text": ""})


class VanishedTests(OperationsCase):
    """Clients that are switched off and never say goodbye."""

    def test_asked_after(self) -> None:
        """The system asks after each connection that is silent, so those that nobody has any more come to an end."""
        table = Path("/proc/net/tcp")
        if not table.exists():
            self.skipTest("the system does not show the timers of its connections")
        daemon = self.start().started()
        with connect(daemon.port) as connection:
            connection.recv(1024)
            ours, theirs = (f":{number:04X}" for number in (daemon.port, connection.getsockname()[1]))
            rows = [line.split() for line in table.read_text().split("\n")[1:-1]]
            (timer,) = [row[5] for row in rows if row[1].endswith(ours) and row[2].endswith(theirs)]
            kind, left = timer.split(":")
            # In hundredths of a second; the 2 is a timer that asks after the peer.
            self.assertEqual(kind, "02")
            self.assertLessEqual(int(left, 16), 100 * keepalive.SILENT_SECONDS)


class SystemdTests(OperationsCase):
    """A daemon under a service manager, which is played here."""

    def setUp(self) -> None:
        super().setUp()
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.manager.close)
        self.manager.bind(str(self.base / "notify"))
        self.manager.settimeout(SECONDS)
        self.environment = {"NOTIFY_SOCKET": str(self.base / "notify")}

    def heard(self) -> str:
        """What the manager hears next."""
        return self.manager.recv(4096).decode().partition("\n")[0]

    def listen(self, family: socket.AddressFamily = socket.AF_INET) -> socket.socket:
        listening = socket.socket(family, socket.SOCK_STREAM)
        self.addCleanup(listening.close)
        listening.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
        listening.listen(128)
        return listening

    def test_notified(self) -> None:
        """Ready when it is, reloading and ready again, stopping."""
        daemon = self.start(environment=self.environment)
        self.assertEqual(self.heard(), "READY=1")
        self.assertEqual(self.operator().ask("PING")[-1], "OK")
        daemon.hang_up()
        self.assertEqual([self.heard(), self.heard()], ["RELOADING=1", "READY=1"])
        daemon.terminate()
        self.assertEqual(self.heard(), "STOPPING=1")

    def test_log_file(self) -> None:
        """A log that was moved away is begun anew; where that cannot be, all stays as it was."""
        log = self.base / "logs" / "hub.log"
        log.parent.mkdir()
        daemon = self.start(environment=self.environment, command=("twistd", "-n", f"--logfile={log}"))
        self.assertEqual(self.heard(), "READY=1")
        log.rename(self.base / "hub.log.1")
        log.parent.rmdir()
        self.assertIn("ERR conflict the log file cannot be opened", self.operator().ask("admin.reload")[-1])
        log.parent.mkdir()
        self.assertIn("log file", self.operator().ask("admin.reload")[-1])
        daemon.terminate()
        self.assertIn("SecureHub is listening", (self.base / "hub.log.1").read_text())
        self.assertIn("SecureHub has stopped", log.read_text())

    def test_watchdog(self) -> None:
        """It is heard of again and again."""
        self.start(environment=self.environment | {"WATCHDOG_USEC": "100000"})
        self.assertEqual([self.heard() for _ in range(4)], ["READY=1", *["WATCHDOG=1"] * 3])

    def test_not_ready(self) -> None:
        """One that cannot start never says that it is ready."""
        make_certificate(self.state)
        (self.state / "key.pem").unlink()
        daemon = self.start(environment=self.environment)
        self.assertNotEqual(daemon.wait(), 0)
        self.manager.setblocking(False)
        self.assertRaises(BlockingIOError, self.heard)

    def test_socket(self) -> None:
        """Sockets that were opened for it take the place of its own port; whoever came before it was there is answered."""
        listening = self.listen()
        port = listening.getsockname()[1]
        early = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
        self.addCleanup(early.close)
        daemon = self.start(listening=[listening], environment=self.environment).started()
        self.assertEqual(daemon.port, port)
        context = ssl.create_default_context(cafile=str(self.state / "ca.pem"))
        with context.wrap_socket(early, server_hostname="localhost") as connection:
            self.assertTrue(connection.recv(1024).startswith(b"* SecureHub "))

    def test_restart(self) -> None:
        """While one hub goes and another comes nobody is refused: the manager holds the port."""
        listening = self.listen()
        port = listening.getsockname()[1]
        self.start(listening=[listening]).started().terminate()
        waiting = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
        self.addCleanup(waiting.close)
        self.start(listening=[listening]).started()
        context = ssl.create_default_context(cafile=str(self.state / "ca.pem"))
        with context.wrap_socket(waiting, server_hostname="localhost") as connection:
            self.assertTrue(connection.recv(1024).startswith(b"* SecureHub "))

    def test_several(self) -> None:
        """Each of several is listened on, of either family."""
        listening = [self.listen(), self.listen()]
        self.start(listening=listening).started()
        for each in listening:
            self.assertEqual(self.program(each.getsockname()[1]).call("hub.ping"), {"text": ""})

    def test_wrong_socket(self) -> None:
        """What is no TCP port is refused with a clear text."""
        wrong = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(wrong.close)
        wrong.bind(("127.0.0.1", 0))
        daemon = self.start(listening=[wrong])
        said = "\n".join(daemon.log.rest())
        self.assertNotEqual(daemon.wait(), 0)
        self.assertIn("SecureHub cannot start: the socket 3 that was handed over is not a TCP socket", said)


FAULTY = '''
"""A service with faults."""

from twisted.internet.defer import Deferred
from twisted.plugin import IPlugin
from zope.interface import provider

from securehub import arguments
from securehub.command import ANYONE, command
from securehub.service import IServiceFactory


@provider(IPlugin, IServiceFactory)
class Faulty:
    """Breaks in front of witnesses."""

    name = "faulty"

    def __init__(self, hub):
        self.reactor = hub.reactor

    @command("BREAK", access=ANYONE, text=arguments.text)
    def break_(self, session, text) -> None:
        """Break at once, quoting what was said."""
        {}[text]

    @command("BREAKLATER", access=ANYONE, text=arguments.text)
    def break_later(self, session, text) -> None:
        """Break where nobody waits for it."""
        self.reactor.callLater(0, int, text)
        Deferred().addCallback(int).callback(text)
'''


class LogTests(OperationsCase):
    """All that a hub writes, in a run with all that may go wrong."""

    if shutil.which("openssl") is None:
        skip = "the openssl program is not installed"

    def setUp(self) -> None:
        super().setUp()
        plugins = self.base / "faulty" / "securehub" / "plugins"
        plugins.mkdir(parents=True)
        (plugins / "faulty.py").write_text(FAULTY)
        self.secrets: list[str] = []

    def secret(self, name: str) -> str:
        """A password which is nowhere else."""
        made = f"{name}-Fk3vQz8-{len(self.secrets)}"
        self.secrets.append(made)
        return made

    def run_all(self, form: str, command: tuple[str, ...]) -> str:
        """
        Do all of it.

        @return: what was logged.
        """
        self.configure(f"[hub]\nlog_format = {form}\n")
        path = {"PYTHONPATH": f"{self.base / 'faulty'}:{os.environ.get('PYTHONPATH', '')}"}
        daemon = self.start(config=self.config, environment=path, command=command).started()
        self._be_members(daemon)
        self._go_wrong(daemon)
        operator = self.operator()
        operator.ask("admin.grant alice admin")
        self._change_secrets(daemon)
        self._break(daemon)
        daemon.hang_up()
        daemon.log.until(re.compile("Reloaded: ").search)
        daemon.terminate()
        daemon.log.rest()
        self.assertGreater(len(self.secrets), 12)
        return "\n".join(daemon.log.seen)

    def _be_members(self, daemon: Daemon) -> None:
        alice, password = self.program(daemon.port), self.secret("alice")
        self.secrets.append(alice.call("auth.create", username="alice", password=password)["resume"])
        again = self.program(daemon.port)
        self.secrets.append(again.call("auth.resume", token=self.secrets[-1])["resume"])
        self.secrets.append(self.program(daemon.port).call("auth.login", username="alice", password=password)["resume"])
        person = self.talk(["openssl", "s_client", "-quiet", "-connect", f"localhost:{daemon.port}"])
        person.say("CREATE bob")
        person.lines.until("* Password:".__eq__)
        person.ask(self.secret("bob"))

    def _go_wrong(self, daemon: Daemon) -> None:
        """Logins and lines that fail, each with a secret in it."""
        stranger = self.program(daemon.port)
        stranger.call("auth.login", username="alice", password=self.secret("wrong"))
        stranger.call("auth.login", username=self.secret("as-name").lower(), password=self.secret("nobody"))
        self.secrets[-2] = self.secrets[-2].lower()
        stranger.call("auth.resume", token=f"{self.secrets[1]}{self.secret('x')}")
        stranger.call("auth.resume", token=self.secrets[1])
        stranger.call(self.secret("a-method"))
        lines = [
            f'{{"jsonrpc":"2.0","id":1,"method":"auth.login","params":{{"username":"alice","password":"{self.secret("bad")}"',
            f'{{"jsonrpc":"2.0","id":1,"id":2,"params":"{self.secret("twice")}"}}',
            f"LOGIN alice {self.secret('control')}\x1b[2J",
            f"LOGIN alice {self.secret('surplus')} {self.secret('more')} x y",
            f"PASSWORD {self.secret('unknown')}",
            f"LOGIN alice {self.secret('long')}{'x' * 20_000}",
        ]
        for line in lines:
            stranger.socket.sendall(line.encode() + b"\n")
            self.assertTrue(stranger.socket.recv(65536))
        with socket.create_connection(("127.0.0.1", daemon.port)) as plain:
            plain.sendall(f"LOGIN alice {self.secret('plain')}\n".encode())
            plain.recv(1024)
        prompted = self.talk(["openssl", "s_client", "-quiet", "-connect", f"localhost:{daemon.port}"])
        prompted.say("LOGIN alice")
        prompted.lines.until("* Password:".__eq__)
        prompted.ask(self.secret("prompted"))

    def _change_secrets(self, daemon: Daemon) -> None:
        """Everything that gives out a secret, or takes one, beside logins."""
        operator, carol, first = self.operator(), self.program(daemon.port), self.secret("carol")
        for line in ("admin.invite", "admin.invite key=one", "admin.invite key=one"):
            found = re.search(r"invitation (\S+) may", operator.ask(line)[-1])
            assert found is not None
            self.secrets.append(found[1])
        self.secrets.append(carol.call("auth.create", username="carol", password=first, invite=self.secrets[-1])["resume"])
        wrong = self.program(daemon.port).call("auth.create", username="dave", password=self.secret("d"), invite=self.secret("invite"))
        self.assertEqual(wrong, "bad-credentials")
        second, third = self.secret("second"), self.secret("third")
        self.assertEqual(carol.call("auth.passwd", old=self.secret("not-old"), new=self.secret("not-new")), "bad-credentials")
        self.secrets.append(carol.call("auth.passwd", old=first, new=second)["resume"])
        codes = carol.call("auth.otp_setup")
        self.secrets += [codes["secret"], codes["uri"]]
        self.assertEqual(carol.call("auth.otp_confirm", code="000000"), "bad-credentials")
        confirmed = carol.call("auth.otp_confirm", code=one_time_code(codes["secret"], datetime.now(UTC)))
        self.secrets += confirmed["recovery_codes"]
        again = self.program(daemon.port)
        self.assertEqual(again.call("auth.login", username="carol", password=second, otp=self.secret("code")), "bad-credentials")
        self.secrets.append(again.call("auth.login", username="carol", password=second, otp=confirmed["recovery_codes"][0])["resume"])
        self.assertIn("carol", json.dumps(carol.call("auth.export")))
        self.assertEqual(carol.call("auth.erase", password=self.secret("not-erased")), "bad-credentials")
        for line in (f"admin.password carol {third} key=two", "admin.otp_disable carol"):
            self.assertEqual(operator.ask(line)[-1].split()[0], "OK", line)
        last = self.program(daemon.port)
        self.secrets.append(last.call("auth.login", username="carol", password=third)["resume"])
        self.assertEqual(last.call("auth.erase", password=third)["username"], "carol")

    def _break(self, daemon: Daemon) -> None:
        stranger = self.program(daemon.port)
        self.assertEqual(stranger.call("faulty.break", text=self.secret("fault")), "internal")
        stranger.call("faulty.break_later", text=self.secret("later"))
        stranger.call("hub.ping")
        daemon.log.until(re.compile("Incident").search)

    def check(self, said: str) -> None:
        """No secret is in the log, nor in any file; what an operator needs is in the log."""
        for secret in self.secrets:
            self.assertNotIn(secret, said)
            for path in self.base.rglob("*"):
                if path.is_file() and path.suffix != ".py":
                    self.assertNotIn(secret.encode(), path.read_bytes(), f"{secret} in {path}")
        for wanted in (
            "SecureHub is listening",
            "login-failed: from 127.0.0.1",
            "as alice",
            "as nobody who is a member",
            "admin: operator from local: admin.grant alice admin",
            "Incident 1 in None's request",
            "builtins.KeyError",
            "builtins.ValueError",
            "Reloaded: certificate",
            "SecureHub stops.",
            "SecureHub has stopped.",
        ):
            self.assertIn(wanted, said)

    def test_text(self) -> None:
        """As lines of text by twistd: each with its time, or indented below it."""
        said = self.run_all("text", ("twistd", "-n"))
        self.check(said)
        for line in said.splitlines():
            self.assertRegex(line, r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (info|warn|error|critical) [\w.]+: |    )")

    def test_json(self) -> None:
        """As JSON lines by twist: each an object, with its time."""
        said = self.run_all("json", ("twist",))
        self.check(said)
        for line in said.splitlines():
            event = json.loads(line)
            self.assertGreaterEqual(set(event), {"time", "level", "source", "text"})
            self.assertRegex(event["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")

    def test_refused_start(self) -> None:
        """The reason is in the log, in its form."""
        make_certificate(self.state)
        (self.state / "key.pem").unlink()
        self.configure("[hub]\nlog_format = json\n")
        daemon = self.start(config=self.config)
        said = daemon.log.rest()
        self.assertEqual(daemon.wait(), 1)
        self.assertIn("SecureHub cannot start: the key cannot be read", json.loads(said[-1])["text"])
