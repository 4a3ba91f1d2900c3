"""
What systemd and the daemon tell each other.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from securehub.daemon.systemd import BadSocket, Notifier, family, inherited


class NotifierTests(SynchronousTestCase):
    """sd_notify(3)."""

    def listen(self, address: str) -> socket.socket:
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(listening.close)
        listening.bind(address)
        listening.settimeout(5)
        return listening

    def notifier(self, **environment: str) -> Notifier:
        made = Notifier(environment)
        self.assertEqual(environment, {}, "a child process would speak for us")
        self.addCleanup(made.close)
        return made

    def test_told(self) -> None:
        directory = tempfile.mkdtemp(prefix="securehub-")
        self.addCleanup(shutil.rmtree, directory)
        address = str(Path(directory, "notify"))
        listening = self.listen(address)
        notifier = self.notifier(NOTIFY_SOCKET=address)
        notifier.ready("Running")
        notifier.reloading()
        notifier.alive()
        notifier.stopping()
        told = [listening.recv(1024).decode().split("\n") for _ in range(4)]
        self.assertEqual(told[0], ["READY=1", "STATUS=Running"])
        self.assertEqual(told[1][0], "RELOADING=1")
        self.assertRegex(told[1][1], r"^MONOTONIC_USEC=\d+$")
        self.assertEqual(told[2], ["WATCHDOG=1"])
        self.assertEqual(told[3][0], "STOPPING=1")

    def test_abstract(self) -> None:
        """An address that starts with @ has no file."""
        name = f"securehub-{os.getpid()}-{id(self)}"
        listening = self.listen(f"\0{name}")
        self.notifier(NOTIFY_SOCKET=f"@{name}").ready("Running")
        self.assertTrue(listening.recv(1024).startswith(b"READY=1\n"))

    def test_nobody_there(self) -> None:
        """Without systemd, or when it does not listen, nothing happens."""
        for address in ("", "/nowhere/at/all", "vsock:2:1234"):
            self.notifier(NOTIFY_SOCKET=address).ready("Running")
        self.notifier().stopping()

    def test_watchdog(self) -> None:
        own, other = str(os.getpid()), str(os.getpid() + 1)
        self.assertEqual(self.notifier(WATCHDOG_USEC="30000000", WATCHDOG_PID=own).watchdog_seconds, 30)
        self.assertEqual(self.notifier(WATCHDOG_USEC="30000000").watchdog_seconds, 30)
        self.assertIsNone(self.notifier(WATCHDOG_USEC="30000000", WATCHDOG_PID=other).watchdog_seconds)
        for nonsense in ("", "0", "-1", "soon"):
            self.assertIsNone(self.notifier(WATCHDOG_USEC=nonsense).watchdog_seconds)


class InheritedTests(SynchronousTestCase):
    """sd_listen_fds(3)."""

    def test_ours(self) -> None:
        """With names or without; and nobody finds them a second time."""
        for names in ({}, {"LISTEN_FDNAMES": "one:two"}):
            environment = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "2", **names}
            self.assertEqual(inherited(environment), [3, 4])
            self.assertEqual(environment, {})

    def test_not_ours(self) -> None:
        """Those of a process that started us; or none."""
        for environment in ({}, {"LISTEN_PID": "1", "LISTEN_FDS": "1"}, {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "x"}):
            self.assertEqual(inherited(environment), [])

    def test_family(self) -> None:
        for kind in (socket.AF_INET, socket.AF_INET6):
            with socket.socket(kind, socket.SOCK_STREAM) as listening:
                listening.listen()
                self.assertEqual(family(listening.fileno()), kind)

    def test_not_to_listen_on(self) -> None:
        """What cannot be used is told: no TCP, a connection in place of a port, no socket at all."""
        for kind, type_ in (
            (socket.AF_INET, socket.SOCK_DGRAM),
            (socket.AF_UNIX, socket.SOCK_STREAM),
            (socket.AF_INET, socket.SOCK_STREAM),
        ):
            with socket.socket(kind, type_) as wrong:
                self.assertRaises(BadSocket, family, wrong.fileno())
        with open(os.devnull) as file:
            self.assertRaises(BadSocket, family, file.fileno())
        self.assertRaises(BadSocket, family, 1000)
