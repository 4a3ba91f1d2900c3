"""
The log: its two forms, and what may not be in it.
"""

from __future__ import annotations

import errno
import json
import os
import unicodedata
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import LogEvent, Logger, LogLevel
from twisted.python import log as legacy
from twisted.python.failure import Failure
from twisted.python.logfile import LogFile
from twisted.trial.unittest import SynchronousTestCase

from securehub.daemon.logs import LogWriter, as_json, as_text, install
from tests.tools import logged

AT = 1795111320.25  # 2026-11-19 18:02:00.25 UTC
SECRET = "correct-horse-battery"
TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def event(form: str = "{text}", level: Any = LogLevel.info, namespace: str = "securehub.tap", **fields: Any) -> LogEvent:
    return {"log_time": AT, "log_level": level, "log_namespace": namespace, "log_format": form, **fields}


def failed(raise_it: Any, **fields: Any) -> LogEvent:
    """The event of a fault that has happened."""
    try:
        raise_it()
    except Exception:
        return event("Incident {incident}", LogLevel.critical, log_failure=Failure(), **fields)
    raise AssertionError("nothing was raised")


class FormTests(SynchronousTestCase):
    """What a line looks like."""

    def test_text(self) -> None:
        self.assertEqual(as_text(event(text="It runs.")), "2026-11-19T18:02:00.250Z info securehub.tap: It runs.\n")

    def test_json(self) -> None:
        """With the fields of our own events, so that nobody has to take texts apart; of others with the text alone."""
        line = as_json(event("{peer} has {waiting} bytes", peer="127.0.0.1", waiting=17, other=object()))
        self.assertEqual(
            json.loads(line),
            {
                "time": "2026-11-19T18:02:00.250Z",
                "level": "info",
                "source": "securehub.tap",
                "text": "127.0.0.1 has 17 bytes",
                "fields": {"peer": "127.0.0.1", "waiting": 17},
            },
        )
        self.assertNotIn("fields", json.loads(as_json(event("{x}", namespace="twisted.internet", x="y"))))

    def test_traceback(self) -> None:
        """A fault has its places and its kind: below the line, indented, or as a field."""

        def inner() -> None:
            raise ValueError(SECRET)

        told = failed(inner, incident=3)
        first, *below = as_text(told).splitlines()
        self.assertTrue(first.endswith("critical securehub.tap: Incident 3"))
        self.assertTrue(all(line.startswith("    ") for line in below))
        self.assertIn("in inner", "".join(below))
        self.assertEqual(below[-1], "    builtins.ValueError")
        self.assertEqual([f"    {line}" for line in json.loads(as_json(told))["traceback"]], below)

    def test_old_way(self) -> None:
        """What Twisted logs the old way says where it comes from, as far as that is known."""
        self.assertIn(" info twisted: ", as_text(event(namespace="log_legacy", text="x")))

    def test_levels(self) -> None:
        """Debug messages of libraries are not written."""
        file = StringIO()
        writer = LogWriter(file, as_text)
        for level in (LogLevel.debug, LogLevel.info, LogLevel.warn, LogLevel.error, LogLevel.critical):
            writer(event(level=level, text="x"))
        self.assertEqual([line.split()[1] for line in file.getvalue().splitlines()], ["info", "warn", "error", "critical"])

    def test_encoding(self) -> None:
        """A file that is not UTF-8 loses no line."""
        raw = BytesIO()
        file = TextIOWrapper(raw, encoding="ascii")
        LogWriter(file, as_text)(event(text="Zoë"))
        self.assertTrue(raw.getvalue().endswith(b": Zo\\xeb\n"))


class ForgeryTests(SynchronousTestCase):
    """Nothing that is logged can look like another line, or do something to a terminal."""

    def check(self, told: LogEvent) -> None:
        lines = as_text(told).split("\n")
        self.assertEqual(lines.pop(), "")
        self.assertTrue(lines[0].startswith("2026-11-19T18:02:00.250Z "))
        self.assertTrue(all(line.startswith("    ") for line in lines[1:]))
        self.assertEqual([each for each in "".join(lines) if unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp") or each in TURNING], [])
        line = as_json(told)
        self.assertTrue(line.endswith("}\n") and line[:-1].isascii() and line[:-1].isprintable(), line)
        json.loads(line)

    @given(st.text())
    def test_any_text(self, text: str) -> None:
        self.check(event(text=text))
        self.check(event("{text} and {text!r}", text=text, log_system=text))

    def test_known_tricks(self) -> None:
        for trick in ("\n2026-11-19T18:02:00Z info x: forged", "\r", "\x1b[2J", "\x9b2J", "\x7f\x08", "\u2028", "\u202e", "\ud800", "\x00"):
            self.check(event(text=trick))
            self.check(failed(lambda trick=trick: os.stat(trick.replace("\x00", "").replace("\ud800", "") + "/nowhere")))

    def test_a_broken_event(self) -> None:
        """It is said that there was one; what it holds stays where it is."""
        for told in (event("{missing}", password=SECRET), event("{", password=SECRET), event("{x.y}", x=SECRET)):
            for line in (as_text(told), as_json(told | {"log_namespace": "twisted"})):
                self.assertIn("could not be formatted", line)
                self.assertNotIn(SECRET, line)


class SecretTests(SynchronousTestCase):
    """The text of an exception may be what somebody has typed."""

    def check(self, told: LogEvent) -> None:
        for line in (as_text(told), as_json(told)):
            self.assertNotIn(SECRET, line)
            self.assertIn("Error", line)

    def test_faults(self) -> None:
        def chained() -> None:
            try:
                {}[SECRET]
            except KeyError as error:
                raise ValueError(f"bad {SECRET}") from error

        def in_another() -> None:
            try:
                int(SECRET)
            except ValueError:
                raise AssertionError(SECRET)  # noqa: B904 - the context is what is tested

        def instead() -> None:
            try:
                int(SECRET)
            except ValueError:
                raise AssertionError(SECRET) from None

        for raise_it, kinds in (
            (chained, ["KeyError", "ValueError"]),
            (in_another, ["ValueError", "AssertionError"]),
            (instead, ["AssertionError"]),
        ):
            below = [line.strip() for line in as_text(failed(raise_it)).splitlines()]
            self.assertEqual([line for line in below if line.startswith("builtins.")], [f"builtins.{kind}" for kind in kinds])
            self.assertEqual(below.count("and then:"), len(kinds) - 1)
        for raise_it in (
            chained,
            in_another,
            instead,
            lambda: int(SECRET),
            lambda: json.loads(SECRET),
            lambda: SECRET.encode("utf-8").index(b"?"),
        ):
            self.check(failed(raise_it))

    def test_the_systems_own(self) -> None:
        """What the operating system says is no secret, and says more than its kind."""
        self.assertIn("No such file or directory", as_text(failed(lambda: os.stat("/nowhere/at/all"))))

    def test_old_way(self) -> None:
        """Twisted's own code logs faults so, with the whole traceback as text."""
        told = logged(self)
        try:
            int(SECRET)
        except ValueError:
            legacy.err(None, "It went wrong")
        self.flushLoggedErrors(ValueError)
        self.check(told[0])
        self.assertIn("It went wrong", as_text(told[0]))

    def test_logger_failure(self) -> None:
        told: list[LogEvent] = []
        log = Logger("securehub.x", observer=told.append)  # type: ignore[arg-type]
        try:
            int(SECRET)
        except ValueError:
            log.failure("Incident {incident}", incident=1)
        self.check(told[0])


class InstallTests(SynchronousTestCase):
    """twistd and twist log as we do, to where they would have."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()

    def test_twist(self) -> None:
        """It gets another maker of observers."""
        options: dict[str, Any] = {"fileLogObserverFactory": None}
        self.assertIsNone(install(options, "json"))
        file = StringIO()
        options["fileLogObserverFactory"](file)(event(text="x"))
        self.assertEqual(json.loads(file.getvalue())["text"], "x")

    def test_asked_for_otherwise(self) -> None:
        """Who gives --logger or --syslog has what they want."""
        for options in ({"logger": object()}, {"logger": None, "syslog": True}):
            self.assertIsNone(install(options, "text"))

    def test_file(self) -> None:
        """One that was moved away is let go, and a new one begun under the name."""
        path = self.directory / "hub.log"
        writer = install({"logfile": str(path), "nodaemon": True}, "text")
        assert writer is not None
        writer(event(text="one"))
        path.rename(self.directory / "hub.log.old")
        writer(event(text="two"))
        reopen = writer.prepare_reopen()
        assert reopen is not None
        reopen()
        writer(event(text="three"))
        self.assertIn("two", (self.directory / "hub.log.old").read_text())
        self.assertEqual(path.read_text().split()[-1], "three")

    def test_reopen_where_nothing_may_be_made(self) -> None:
        """The old file is written on, and the next try can still do it."""
        logs, moved = self.directory / "logs", self.directory / "moved"
        logs.mkdir()
        writer = LogWriter(LogFile.fromFullPath(str(logs / "hub.log"), rotateLength=None), as_text)
        logs.rename(moved)
        self.assertRaises(OSError, writer.prepare_reopen)
        writer(event(text="two"))
        self.assertIn("two", (moved / "hub.log").read_text())
        logs.mkdir()
        reopen = writer.prepare_reopen()
        assert reopen is not None
        reopen()
        writer(event(text="three"))
        self.assertIn("three", (logs / "hub.log").read_text())

    def test_rotate(self) -> None:
        path = self.directory / "hub.log"
        writer = LogWriter(LogFile.fromFullPath(str(path), rotateLength=None), as_text)
        writer(event(text="one"))
        writer.rotate()
        writer(event(text="two"))
        self.assertIn("one", (self.directory / "hub.log.1").read_text())
        self.assertNotIn("one", path.read_text())

    def test_rotate_often(self) -> None:
        """Older files are counted on; a name that only looks like one of them is not in the way."""
        path = self.directory / "hub.log"
        writer = LogWriter(LogFile.fromFullPath(str(path), rotateLength=None), as_text)
        (self.directory / "hub.log.2026.11.21").touch()
        for text in ("one", "two", "three"):
            writer(event(text=text))
            writer.rotate()
        self.assertEqual([(self.directory / f"hub.log.{n}").read_text().split()[-1] for n in (1, 2, 3)], ["three", "two", "one"])
        self.assertEqual(path.read_text(), "")

    def test_rotate_where_nothing_may_be_made(self) -> None:
        """The old file is written on, and the next try can still do it."""
        path = self.directory / "hub.log"
        writer = LogWriter(LogFile.fromFullPath(str(path), rotateLength=None), as_text)
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        for failing in (mock.patch("os.rename", side_effect=full), mock.patch("builtins.open", side_effect=full)):
            with failing:
                self.assertRaises(OSError, writer.rotate)
            writer(event(text="one"))
        writer.rotate()
        writer(event(text="two"))
        self.assertEqual(path.read_text().split()[-1], "two")
        self.assertEqual((self.directory / "hub.log.1").read_text().count("one"), 2)

    def test_standard_output(self) -> None:
        """It has no name, so there is nothing to reopen or rotate."""
        writer = install({"logfile": None, "nodaemon": True}, "text")
        assert writer is not None
        self.assertIsNone(writer.prepare_reopen())
        writer.rotate()
