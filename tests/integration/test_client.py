"""
The line client that comes with SecureHub, as a process of its own.
"""

from __future__ import annotations

import io
import os
import pty
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import termios
import time
from importlib.util import find_spec
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from securehub.client import connection, plain
from securehub.client.connection import Connection
from tests.certificates import make_certificate
from tests.integration.real import SECONDS
from tests.integration.test_daemon import PASSWORD, DaemonCase

ROOT = Path(__file__).resolve().parents[2]
CLIENT = [sys.executable, "-m", "securehub.client"]


class AloneTests(SynchronousTestCase):
    """What it does without a hub."""

    def test_not_stopped_at_prompt(self) -> None:
        """Ctrl-Z does nothing while a password is typed: the shell would have it shown after C{fg}."""
        seen = []

        def typed(prompt: str) -> str:
            seen.append(signal.getsignal(signal.SIGTSTP))
            return PASSWORD

        self.patch(os, "isatty", lambda descriptor: True)
        self.patch(plain, "getpass", typed)
        self.patch(sys, "stdout", io.TextIOWrapper(io.BytesIO()))
        ours, hub = socket.socketpair()
        before = signal.getsignal(signal.SIGTSTP)
        with ours, hub:
            talking = plain.Plain(Connection(ours))
            talking.conversation.ask(b"PASSWD")
            talking._hear(b"* Password:\n")
            self.assertEqual(hub.recv(64), PASSWORD.encode() + b"\n")
        self.assertEqual((seen, signal.getsignal(signal.SIGTSTP)), ([signal.SIG_IGN], before))


class ClientTests(DaemonCase):
    """What it sends, prints, and ends with."""

    def setUp(self) -> None:
        super().setUp()
        self.daemon = self.start().started()
        self.address = f"localhost:{self.daemon.port}"

    def run_client(self, typed: str, *arguments: str) -> tuple[int, list[str], str]:
        """
        Run it on an input that ends.

        @return: its exit status, what it printed after the greeting, and what it complained of.
        """
        done = subprocess.run([*CLIENT, *arguments], input=typed, capture_output=True, text=True, timeout=SECONDS)
        return done.returncode, done.stdout.splitlines()[1:], done.stderr

    def test_pipe(self) -> None:
        """One command through a pipe is answered before it ends; the last line needs no line end."""
        for typed in ("PING there\n", "PING there"):
            self.assertEqual(self.run_client(typed, "--state", str(self.state)), (0, ["OK there"], ""))

    def test_monitoring(self) -> None:
        """What the manual has a monitoring system ask."""
        if shutil.which("jq") is None:
            raise SkipTest("jq is not installed")
        page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
        health, status = re.findall("^    (echo '{.*)$", page, re.MULTILINE)
        here = {"securehub-client": shlex.join(CLIENT), "DIR": str(self.state)}
        for name, there in here.items():
            health, status = health.replace(name, there), status.replace(name, there)
        self.assertEqual(subprocess.run(health, shell=True, timeout=SECONDS).returncode, 0)
        metrics = subprocess.run(status, shell=True, capture_output=True, text=True, timeout=SECONDS).stdout
        self.assertIn("securehub_writable 1\n", metrics)
        self.assertEqual([line for line in metrics.splitlines() if not re.fullmatch(r"securehub_[a-z0-9_]+ [0-9.]+", line)], [])
        self.daemon.terminate()
        self.assertNotEqual(subprocess.run(health, shell=True, stderr=subprocess.DEVNULL, timeout=SECONDS).returncode, 0)

    def test_no_input(self) -> None:
        """Where the shell has closed it the connection does not get its number: the hub would be told what it says, for ever."""
        closing = ["sh", "-c", 'exec "$@" <&-', "sh", *CLIENT, self.address]
        done = subprocess.run(closing, capture_output=True, text=True, timeout=SECONDS)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        # The greeting, if it came before the end.
        self.assertLessEqual(len(done.stdout.splitlines()), 1)

    def test_refused(self) -> None:
        """A script can tell that something was refused, in either form."""
        refused = '{"jsonrpc":"2.0","id":1,"method":"hub.dance"}\n'
        for typed in ("DANCE\nPING\n", f"{refused}PING\n"):
            self.assertEqual(self.run_client(typed, self.address)[0], 1)

    def test_prompt(self) -> None:
        """What is asked for comes from the input, and what follows is a request again."""
        status, said, _ = self.run_client(f"CREATE alice\n{PASSWORD}\nWHOAMI\n", self.address)
        self.assertEqual((status, said[0], said[-1]), (0, "* Password:", "OK"))
        self.assertIn("alice", said[-4])

    def test_all_prompts(self) -> None:
        """Whatever a command asks for, under whatever name."""
        self.run_client(f"CREATE alice {PASSWORD}\n", self.address)
        status, said, _ = self.run_client(f"admin.password alice\nanother-{PASSWORD}\nPING\n", "--state", str(self.state))
        self.assertEqual((status, said[0], said[-1]), (0, "* New password:", "OK"))
        changing = f"LOGIN alice\nanother-{PASSWORD}\nPASSWD\nanother-{PASSWORD}\n{PASSWORD}\nPING\n"
        status, said, _ = self.run_client(changing, self.address)
        self.assertEqual((status, said[-1]), (0, "OK"))
        self.assertIn("* Old password:", said)

    def test_no_prompt(self) -> None:
        """An announcement of several lines asks for nothing, though its first line looks as if it did."""
        elsewhere = self.state.parent / "elsewhere"
        elsewhere.mkdir()
        with socket.socket(socket.AF_UNIX) as door:
            door.bind(str(elsewhere / "admin.sock"))
            door.listen()
            typed = [*CLIENT, "--state", str(elsewhere)]
            with subprocess.Popen(typed, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
                self.addCleanup(client.kill)
                assert client.stdin is not None and client.stdout is not None
                client.stdin.write("PING\n")
                client.stdin.close()
                hub, _ = door.accept()
                with hub, hub.makefile("r") as asked:
                    self.assertEqual(asked.readline(), "PING\n")
                    hub.sendall(b"* Announcement:\n  one\n  two\nOK\n")
                    self.assertEqual(asked.read(), "")
                    self.assertEqual(client.stdout.read().splitlines(), ["* Announcement:", "  one", "  two", "OK"])

    def test_unanswered(self) -> None:
        """It does not wait for answers that never come: to empty lines, notifications, and batches of them."""
        ping = '{"jsonrpc":"2.0","method":"hub.ping"}'
        status, said, _ = self.run_client(f"\n{ping}\n[{ping},{ping}]\n \nPING end\n", self.address)
        self.assertEqual((status, said), (0, ["OK end"]))

    def test_fingerprint(self) -> None:
        """It talks to the hub that is meant, and to no other."""
        printed = re.search(r"SHA-256\): (\S+)", "\n".join(self.daemon.log.seen))
        assert printed is not None
        self.assertEqual(self.run_client("PING\n", self.address, "--fingerprint", printed[1])[:2], (0, ["OK"]))
        status, said, complaint = self.run_client("PING\n", self.address, "--fingerprint", "00" * 32)
        self.assertEqual((status, said), (2, []))
        # As the hub itself and openssl write it.
        self.assertIn(f"has the certificate {printed[1]}, which is not the one that was asked for", complaint)

    def test_asked_after(self) -> None:
        """The system asks after a hub that is silent: one that has vanished is not taken for a quiet one."""
        with (
            connection.open_port("localhost", self.daemon.port) as opened,
            socket.fromfd(opened.fileno(), socket.AF_INET, socket.SOCK_STREAM) as same,
        ):
            self.assertEqual(same.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), 1)

    def test_ca(self) -> None:
        """Whoever gives the hub's CA talks to that hub alone, on this machine, too; elsewhere somebody has to be trusted."""
        self.assertEqual(self.run_client("PING\n", self.address, "--ca", str(self.state / "ca.pem"))[:2], (0, ["OK"]))
        status, _, complaint = self.run_client("PING\n", f"127.1:{self.daemon.port}")
        self.assertEqual((status, complaint.count("\n")), (2, 1))
        self.assertTrue(complaint.endswith("; give the hub's CA with --ca, or its --fingerprint\n"), complaint)
        other, _ = make_certificate(self.state.parent / "other")
        for wrong in (other, self.state / "nowhere.pem"):
            status, said, complaint = self.run_client("PING\n", self.address, "--ca", str(wrong))
            self.assertEqual((status, said), (2, []))
            self.assertRegex(complaint, r"^securehub-client: [^\n]+\n$")

    def test_nobody_there(self) -> None:
        """Without a hub it says so in one line."""
        self.daemon.terminate()
        for where in (["--state", str(self.state)], [self.address]):
            status, _, complaint = self.run_client("PING\n", *where)
            self.assertEqual(status, 2)
            self.assertRegex(complaint, r"^securehub-client: [^\n]+\n$")

    def test_no_such_port(self) -> None:
        """Which the system would take for another one."""
        for port in ("0", str(self.daemon.port + 65536)):
            status, said, complaint = self.run_client("PING\n", f"localhost:{port}")
            self.assertEqual((status, said), (2, []))
            self.assertIn("invalid address", complaint)

    def test_hidden(self) -> None:
        """On a terminal a password is not shown as it is typed."""
        _, controller = self._on_terminal()
        os.write(controller, b"CREATE alice\n")
        shown = self._until(controller, b"* Password:\r\n")
        shown += self._until_hidden(controller, f"{PASSWORD}\n".encode(), b"Welcome, alice")
        self.assertNotIn(PASSWORD.encode(), shown)

    def cancelled_by(self, typed: bytes) -> None:
        """What is typed in place of a password cancels, and the conversation goes on."""
        _, controller = self._on_terminal()
        os.write(controller, b"LOGIN alice\n")
        self._until(controller, b"* Password:\r\n")
        self._until_hidden(controller, typed, b"ERR bad-credentials cancelled")
        os.write(controller, b"PING still there\n")
        self._until(controller, b"OK still there")

    def test_end_at_prompt(self) -> None:
        """Ctrl-D in place of a password cancels, as an empty line does; the conversation goes on."""
        self.cancelled_by(b"\x04")

    def test_no_text_at_prompt(self) -> None:
        """Bytes that are no text, from a terminal of another encoding, cancel as well."""
        self.cancelled_by(b"\xff\n")

    def test_no_place(self) -> None:
        """An answer that cannot be printed is not a request that was refused."""
        with open("/dev/full", "w") as full:
            done = subprocess.run([*CLIENT, self.address], input=b"PING\n", stdout=full, stderr=subprocess.PIPE, timeout=SECONDS)
        self.assertEqual((done.returncode, done.stderr[:18], done.stderr.count(b"\n")), (2, b"securehub-client: ", 1))

    def test_no_such_name(self) -> None:
        """What can be no name of a host is told as that of one which is not there."""
        for name in ("a..b", "x" * 70):
            status, _, complaint = self.run_client("PING\n", name)
            self.assertEqual(status, 2)
            self.assertRegex(complaint, r"^securehub-client: [^\n]+\n$")

    def test_cut_line(self) -> None:
        """A line that a terminal has cut, as they do at 4,096 bytes, is not sent: nobody has said that."""
        client, controller = self._on_terminal()
        os.write(controller, b"PING " + b"x" * 4089 + b"\n")
        self._until(controller, b"OK " + b"x" * 4089)
        os.write(controller, b"PING " + b"y" * 4091 + b"\n")
        shown = self._until(controller, b"securehub-client: not sent")
        os.write(controller, b"PING after\n")
        shown += self._until(controller, b"OK after")
        self.assertNotIn(b"OK y", shown)
        os.write(controller, b"\x04")
        self.assertEqual(client.wait(SECONDS), 1)

    def test_hub_gone(self) -> None:
        """Whoever has asked nothing is told, too, when the connection has ended without their doing."""
        client, controller = self._on_terminal()
        self.daemon.kill()
        self._until(controller, b"securehub-client: the connection has ended")
        self.assertEqual(client.wait(SECONDS), 2)

    def test_quit(self) -> None:
        """Whoever says goodbye is not told that the connection has ended."""
        for goodbye in ("QUIT", " hub.quit", '{"jsonrpc":"2.0","id":1,"method":"hub.quit"}'):
            client, controller = self._on_terminal()
            os.write(controller, f"{goodbye}\n".encode())
            self.assertEqual(client.wait(SECONDS), 0)
            self.assertNotIn(b"ended", os.read(controller, 65536))

    def test_arrows(self) -> None:
        """What an arrow leaves in a line was not meant, and is no matter of the hub's."""
        _, controller = self._on_terminal()
        os.write(controller, b"PING one\x1b[D\x1b[A\nPING two\n")
        shown = self._until(controller, b"OK two")
        self.assertIn(b"securehub[terminal]", shown)
        self.assertNotIn(b"ERR", shown)

    def test_edited(self) -> None:
        """With prompt_toolkit there is a line to edit: arrows move in it, and a password is shown by stars."""
        if find_spec("prompt_toolkit") is None:
            raise SkipTest("prompt_toolkit is not installed")
        client, controller = self._on_terminal(plain=False)
        left, delete = b"\x1b[D", b"\x1b[3~"
        os.write(controller, b"PING onw" + left + delete + b"e\r")
        shown = self._until(controller, b"OK one")
        os.write(controller, b"CREATE alice\r")
        shown += self._until(controller, b"Password:")
        os.write(controller, f"{PASSWORD}\r".encode())
        shown += self._until(controller, b"Welcome, alice")
        self.assertNotIn(PASSWORD.encode(), shown)
        os.write(controller, b"QUIT\r")
        self.assertEqual(client.wait(SECONDS), 0)

    def _on_terminal(self, *, plain: bool = True) -> tuple[subprocess.Popen[bytes], int]:
        """The client, and the end of its terminal at which a person sits."""
        controller, terminal = pty.openpty()
        self.addCleanup(os.close, controller)
        # Of "xterm" it would be asked where its cursor is, and be waited for.
        surroundings = {**os.environ, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"}
        arguments = [*CLIENT, self.address, *(["--plain"] if plain else [])]
        client = subprocess.Popen(arguments, stdin=terminal, stdout=terminal, stderr=terminal, env=surroundings, start_new_session=True)
        os.close(terminal)
        self.addCleanup(client.wait)
        self.addCleanup(client.kill)
        self._until(controller, b"ready.")
        return client, controller

    def _until(self, controller: int, wanted: bytes) -> bytes:
        shown = b""
        while wanted not in shown:
            shown += os.read(controller, 1024)
        return shown

    def _until_hidden(self, controller: int, typed: bytes, wanted: bytes) -> bytes:
        """Type once the terminal has been told to show nothing; a person is slower than that, too."""
        began = time.monotonic()
        while termios.tcgetattr(controller)[3] & termios.ECHO and time.monotonic() - began < SECONDS:
            time.sleep(0.01)
        os.write(controller, typed)
        return self._until(controller, wanted)
