"""
The options of C{twistd securehub}.
"""

from __future__ import annotations

import errno
import resource
from pathlib import Path
from threading import Thread
from unittest import mock

from twisted.application.twist._options import TwistOptions
from twisted.internet.error import CannotListenError
from twisted.logger import formatEvent
from twisted.scripts.twistd import ServerOptions
from twisted.trial.unittest import SynchronousTestCase

from securehub import config, program, service, tap
from securehub.daemon.operations import Reread
from securehub.store.recovery import CannotStart
from securehub.store.worker import ThreadWorker
from securehub.tap import HubService, makeService
from tests.tools import logged


class OptionsTests(SynchronousTestCase):
    """What ours ask of those of C{twistd}, and of C{twist}."""

    def pid_file(self, *words: str) -> str:
        options = ServerOptions()
        options.parseOptions([*words, "securehub", "--state", self.mktemp()])
        return str(options["pidfile"])

    def test_no_file_of_its_number(self) -> None:
        """
        In the foreground nobody needs it, and it is in the way: of a hub in a directory where it may not write, of a second hub that is
        started in the same directory, and of one that starts after a kill, once another process has the number.
        """
        self.assertEqual(self.pid_file("-n"), "")

    def test_file_of_its_number(self) -> None:
        """Who asks for one has it, and so has who starts a hub in the background."""
        self.assertTrue(self.pid_file("-n", "--pidfile=mine.pid").endswith("/mine.pid"))
        self.assertTrue(self.pid_file().endswith("/twistd.pid"))

    def test_no_log(self) -> None:
        """A log file that cannot be opened is told as whatever else keeps a hub from starting."""
        options = ServerOptions()
        options.parseOptions(["-n", "--logfile", f"{self.mktemp()}/hub.log", "securehub", "--state", self.mktemp()])
        told = str(self.assertRaises(SystemExit, makeService, options.subOptions))
        self.assertIn("SecureHub cannot start: the log file cannot be opened: [Errno 2]", told)

    def test_reading_anew(self) -> None:
        """A service that was installed since, and may be broken, is for the next start; a reload knows those that were there."""
        options = ServerOptions()
        options.parseOptions(["-n", "securehub", "--state", self.mktemp()])
        self.patch(service, "find", self.fail)
        self.assertEqual(options.subOptions.read(), options.subOptions.settings)

    def test_twist(self) -> None:
        """It has none."""
        options = TwistOptions()
        options.parseOptions(["securehub", "--state", self.mktemp()])
        self.assertEqual(options.subCommand, "securehub")


class StartTests(SynchronousTestCase):
    """What keeps a hub from starting is told in a line."""

    def start(self, fault: BaseException) -> SystemExit:
        hub = HubService({"state": "state"}, [], reactor=object())
        self.patch(hub, "_start", mock.Mock(side_effect=fault))
        return self.assertRaises(SystemExit, hub.startService)

    def test_interrupted(self) -> None:
        """Ctrl-C while a long journal is read ends it without a traceback, as it ends our other programs."""
        self.assertEqual(self.start(KeyboardInterrupt()).code, program.INTERRUPTED)

    def test_no_thread(self) -> None:
        """Nor does it start where the system gives it no thread."""
        with mock.patch.object(Thread, "start", side_effect=RuntimeError("can't start new thread")):
            lack = self.assertRaises(OSError, ThreadWorker, None)
        self.assertEqual(str(self.start(lack)), f"SecureHub cannot start: {lack}")
        self.assertIn("no thread", str(lack))

    def test_no_memory(self) -> None:
        """All records live in memory: where there is not enough, that is what is said."""
        self.assertEqual(str(self.start(MemoryError())), f"SecureHub cannot start: {program.NO_MEMORY}")

    def test_no_admin_door(self) -> None:
        """The text has its path as people write it: Twisted gives it in bytes, whatever the reason is."""
        state = Path(self.mktemp())
        door = state / "admin.sock"
        for fault, why in (
            (PermissionError(errno.EPERM, "Operation not permitted", bytes(door)), "Operation not permitted"),
            (CannotListenError(None, bytes(door), OSError("AF_UNIX path too long")), "AF_UNIX path too long"),
        ):
            hub = HubService({"state": state}, [], reactor=mock.Mock(listenUNIX=mock.Mock(side_effect=fault)))
            hub._hub = mock.Mock()
            self.assertEqual(str(self.assertRaises(CannotStart, hub._open_admin_door)), f"the admin door {door} cannot be opened: {why}")


class OpenFilesTests(SynchronousTestCase):
    """What the system allows is not all for connections."""

    def fitting(self, files: int, wanted: int) -> int:
        """How many connections there may be."""
        self.patch(resource, "getrlimit", lambda _: (files, resource.RLIM_INFINITY))
        return int(tap.fitting({"connections": wanted})["connections"])

    def test_enough(self) -> None:
        """With the limit of the unit that comes with it, or with none, the setting holds."""
        for files in (65_536, 10_256, resource.RLIM_INFINITY):
            self.assertEqual(self.fitting(files, 10_000), 10_000)

    def test_too_few(self) -> None:
        """Some are left to the hub, and the log says what to do."""
        told = logged(self)
        self.assertEqual(self.fitting(10_255, 10_000), 9_999)
        self.assertEqual(self.fitting(1_024, 10_000), 768)
        self.assertEqual(self.fitting(256, 10_000), 128)
        self.assertIn("room for 768 connections, not for 10000. Raise LimitNOFILE=", formatEvent(told[1]))

    def test_reload(self) -> None:
        """It is the same with settings that are read anew: of a setting that has not changed nothing is said."""
        self.patch(resource, "getrlimit", lambda _: (1_024, resource.RLIM_INFINITY))
        settings = config.settings(None, {"state": self.mktemp()}, ())
        hub = HubService(settings | {"connections": 768}, [], reactor=mock.Mock(), read_settings=lambda: settings)
        hub._certificates = mock.Mock(prepare=lambda _: lambda: "certificate")
        self.assertEqual(hub.prepare_reload()(), Reread(("certificate",), ()))
