"""
Certificates and one-time codes with the real daemon: with openssl's client, the project's own, and an app's clock that runs.
"""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from tests.authenticator import code, identity
from tests.integration.real import SECONDS, Talk
from tests.integration.test_client import CLIENT
from tests.integration.test_daemon import PASSWORD, DaemonCase


class CertificateTests(DaemonCase):
    """A person with C{openssl s_client -cert}."""

    if shutil.which("openssl") is None:
        skip = "the openssl program is not installed"

    def setUp(self) -> None:
        super().setUp()
        self.port = self.start().started().port

    def openssl(self, *arguments: str) -> str:
        return subprocess.run(["openssl", *arguments], capture_output=True, text=True, timeout=SECONDS, check=True).stdout

    def make(self, *kind: str) -> list[str]:
        """Make a certificate as the how-to tells; gives the options to connect with it."""
        certificate, key = (str(self.state.parent / f"{'-'.join(kind).replace(':', '-')}-{part}.pem") for part in ("cert", "key"))
        made = ("-x509", "-nodes", "-days", "365", "-subj", "/CN=alice", "-keyout", key, "-out", certificate)
        self.openssl("req", "-newkey", *kind, *made)
        return ["-cert", certificate, "-key", key]

    def connect(self, *options: str) -> Talk:
        talk = self.talk(["openssl", "s_client", "-quiet", "-connect", f"localhost:{self.port}", *options])
        self.assertTrue((talk.greeting or "").startswith("* SecureHub "), talk.greeting)
        return talk

    def welcomed(self, talk: Talk) -> None:
        """LOGIN with the name alone is enough."""
        self.assertTrue(talk.ask("LOGIN alice")[-1].startswith("OK Welcome back, alice."))

    def test_log_in(self) -> None:
        """Without a password, in either version of TLS; without the certificate as ever."""
        shown = self.make("ec", "-pkeyopt", "ec_paramgen_curve:P-256")
        alice = self.connect(*shown)
        alice.ask(f"CREATE alice {PASSWORD}")
        added = alice.ask("auth.cert_add")[-1]
        printed = self.openssl("x509", "-noout", "-fingerprint", "-sha256", "-in", shown[1])
        self.assertEqual(added.split()[2].rstrip("."), printed.strip().partition("=")[2])
        for version in ("-tls1_2", "-tls1_3"):
            self.welcomed(self.connect(*shown, version))
            stranger = self.connect(version)
            stranger.say("LOGIN alice")
            self.assertEqual(stranger.lines.next(), "* Password:")
            self.assertTrue(stranger.ask(PASSWORD)[-1].startswith("OK Welcome back"))

    def test_kinds_of_keys(self) -> None:
        """Those that people have."""
        alice = self.connect()
        alice.ask(f"CREATE alice {PASSWORD}")
        for kind in (("rsa:2048",), ("ed25519",)):
            shown = self.make(*kind)
            talk = self.connect(*shown)
            talk.ask(f"LOGIN alice {PASSWORD}")
            self.assertTrue(talk.ask("auth.cert_add")[-1].startswith("OK Registered"), kind)
            self.welcomed(self.connect(*shown))

    def test_resumed_session(self) -> None:
        """A TLS session that goes on with a ticket has shown its certificate before."""
        shown = self.make("ec", "-pkeyopt", "ec_paramgen_curve:P-256")
        alice = self.connect(*shown)
        alice.ask(f"CREATE alice {PASSWORD}")
        alice.ask("auth.cert_add")
        for version in ("-tls1_2", "-tls1_3"):
            ticket = str(self.state.parent / f"ticket{version}")
            first = self.connect(*shown, version, "-sess_out", ticket)
            first.ask("QUIT")
            first.wait()
            self.welcomed(self.connect(version, "-sess_in", ticket))

    def test_expired(self) -> None:
        """It keeps nobody from connecting, and lets nobody in."""
        old = identity("alice", datetime(2001, 1, 1, tzinfo=UTC))
        paths = [self.state.parent / "old.pem", self.state.parent / "old-key.pem"]
        for path, content in zip(paths, old.pem(), strict=True):
            path.write_bytes(content)
        talk = self.connect("-cert", str(paths[0]), "-key", str(paths[1]))
        talk.ask(f"CREATE alice {PASSWORD}")
        self.assertTrue(talk.ask("auth.cert_add")[-1].startswith("ERR conflict"))

    def test_own_client(self) -> None:
        """C{securehub-client --cert}; a key in a file of its own, or in the same."""
        _, certificate, _, key = self.make("ec", "-pkeyopt", "ec_paramgen_curve:P-256")
        both = self.state.parent / "both.pem"
        both.write_bytes(Path(certificate).read_bytes() + Path(key).read_bytes())
        address = f"localhost:{self.port}"
        typed = f"CREATE alice {PASSWORD}\nauth.cert_add\nLOGOUT\nLOGIN alice\n"
        for options in (["--cert", certificate, "--key", key], ["--cert", str(both)]):
            done = subprocess.run([*CLIENT, address, *options], input=typed, capture_output=True, text=True, timeout=SECONDS)
            self.assertTrue(done.stdout.splitlines()[-1].startswith("OK Welcome back, alice."), done.stdout + done.stderr)
            typed = "LOGIN alice\n"
        for wrong in (["--cert", key], ["--key", key], ["--cert", "no-such-file.pem"]):
            done = subprocess.run([*CLIENT, address, *wrong], input="PING\n", capture_output=True, text=True, timeout=SECONDS)
            self.assertEqual(done.returncode, 2, wrong)


class OneTimeCodeTests(DaemonCase):
    """An app with the right time."""

    def code(self, secret: str) -> str:
        return code(secret, datetime.now(UTC))

    def test_whole_life(self) -> None:
        """From a secret to logins that need a code, over a restart, to a key that is damaged."""
        daemon = self.start().started()
        alice = self.program(daemon.port)
        alice.call("auth.create", username="alice", password=PASSWORD)
        secret = alice.call("auth.otp_setup")["secret"]
        recovery = alice.call("auth.otp_confirm", code=self.code(secret))["recovery_codes"]
        daemon.terminate()

        key = self.state / "vault.key"
        self.assertEqual(stat.S_IMODE(key.stat().st_mode), 0o600)
        kept = b"".join(path.read_bytes() for path in self.state.glob("*.jsonl"))
        for secretive in (secret, *recovery, *(each.replace("-", "") for each in recovery), key.read_text().strip()):
            self.assertNotIn(secretive.encode(), kept)

        daemon = self.start().started()
        alice = self.program(daemon.port)
        self.assertEqual(alice.call("auth.login", username="alice", password=PASSWORD), "otp-required")
        logged_in = alice.call("auth.login", username="alice", password=PASSWORD, otp=self.code(secret))
        self.assertEqual(logged_in["username"], "alice")
        daemon.terminate()

        key.write_text("not a key\n")
        refused = self.start()
        said = "\n".join(refused.log.rest())
        self.assertNotEqual(refused.wait(), 0)
        self.assertTrue(re.search("SecureHub cannot start: vault.key in the state directory is not a key", said), said)
        self.assertNotIn("Traceback", said)
        self.assertEqual(key.read_text(), "not a key\n")
