"""
The log: one line an event, as text for people or as JSON for programs, with times in UTC.

Two promises are kept here, whatever is logged: nothing that somebody else wrote can begin a line or move a cursor, and the text of an
exception, which may quote what a client has sent (a password, say), is not written. For a fault the log has what one needs to find it: the
kinds of exceptions, and the places in the code.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator, MutableMapping
from datetime import UTC, datetime
from functools import partial
from itertools import count
from traceback import TracebackException, format_list
from typing import Any

from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent
from twisted.python.failure import Failure
from twisted.python.logfile import LogFile
from zope.interface import implementer

# Control characters, lone surrogates, the line ends of Unicode, and what turns the direction of the text after it.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")

_LEVELS = (LogLevel.info, LogLevel.warn, LogLevel.error, LogLevel.critical)

_TOLD: tuple[type[BaseException], ...] = (OSError,)
"""Exceptions whose text comes from the operating system, and is worth reading."""


def as_text(event: LogEvent) -> str:
    """A line of text; those of a traceback follow it, indented."""
    lines = [f"{_time(event)} {_level(event)} {_source(event)}: {_message(event)}"]
    lines += [f"    {line}" for line in _traceback(event)]
    return "".join(f"{escape(line)}\n" for line in lines)


def as_json(event: LogEvent) -> str:
    """
    A line with a JSON object: C{time}, C{level}, C{source}, C{text}; of our own events C{fields}, what the text is made of; of a fault
    C{traceback}.
    """
    told: dict[str, Any] = {
        "time": _time(event),
        "level": _level(event),
        "source": _source(event),
        "text": _message(event),
    }
    if told["source"].startswith("securehub"):
        fields = {name: value for name, value in event.items() if not name.startswith("log_") and _is_plain(value)}
        if fields:
            told["fields"] = fields
    traceback = list(_traceback(event))
    if traceback:
        told["traceback"] = traceback
    # json escapes everything but printable ASCII, except DEL.
    return json.dumps(told).replace("\x7f", "\\u007f") + "\n"


FORMATS = {"text": as_text, "json": as_json}


def escape(text: str) -> str:
    """Text that stays on its line, and does nothing to a terminal."""
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


@implementer(ILogObserver)
class LogWriter:
    """
    Writes events to a file.

    @param file: of text.
    """

    def __init__(self, file: Any, form: Callable[[LogEvent], str]) -> None:
        self._file = file
        self._form = form
        self._encoding = getattr(file, "encoding", None) or "utf-8"

    def __call__(self, event: LogEvent) -> None:
        if event.get("log_level", LogLevel.info) not in _LEVELS:
            return
        line = self._form(event)
        # A terminal or a pipe that is not UTF-8 must not lose lines.
        self._file.write(line.encode(self._encoding, "backslashreplace").decode(self._encoding))
        self._file.flush()

    def rotate(self) -> None:
        """
        Put the file aside and begin a new one, as twistd does when it gets SIGUSR1.

        @raise OSError: it failed; writing goes on in the old file, which LogFile's own C{rotate} would have closed.
        """
        if not isinstance(self._file, LogFile):
            return
        path = self._file.path
        if os.path.exists(path):
            free = next(number for number in count(1) if not os.path.lexists(f"{path}.{number}"))
            for number in range(free, 1, -1):
                os.rename(f"{path}.{number - 1}", f"{path}.{number}")
            os.rename(path, f"{path}.1")
        reopen = self.prepare_reopen()
        assert reopen is not None
        reopen()

    def prepare_reopen(self) -> Callable[[], None] | None:
        """
        Open the file that now has the name, after somebody has moved the old one away.

        @return: writes on in that; None if there is no file with a name.

        @raise OSError: it cannot be opened. Until it can, writing goes on in the old one, which LogFile's own C{reopen} would have closed.
        """
        old = self._file
        if not isinstance(old, LogFile):
            return None
        new = LogFile.fromFullPath(old.path, rotateLength=None, defaultMode=old.defaultMode)

        def use() -> None:
            self._file = new
            old.close()

        return use


def install(program: MutableMapping[str, Any] | None, form: str) -> LogWriter | None:
    """
    Make the program that runs us, C{twistd} or C{twist}, log in this form, to where it would log anyway.

    @param program: its options; None in a test.

    @return: the writer, which C{twistd} takes from the application; None if another way to log was asked for.
    """
    if program is None:
        return None
    if "fileLogObserverFactory" in program:  # twist, which makes its observer after us
        program["fileLogObserverFactory"] = partial(LogWriter, form=FORMATS[form])
        return None
    if program.get("logger") or program.get("syslog"):
        return None
    return LogWriter(_file(program), FORMATS[form])


def _file(program: MutableMapping[str, Any]) -> Any:
    """Where twistd logs to: the file of C{--logfile}, or standard output with C{-n}, or C{twistd.log}."""
    name = program.get("logfile")
    if name == "-" or (program.get("nodaemon") and not name):
        return sys.stdout
    # It is rotated by moving it away and sending SIGHUP, so Twisted must not rotate it as well.
    return LogFile.fromFullPath(name or "twistd.log", rotateLength=None)


def _time(event: LogEvent) -> str:
    at = datetime.fromtimestamp(event.get("log_time", 0), UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"


def _level(event: LogEvent) -> str:
    return str(event.get("log_level", LogLevel.info).name)


def _source(event: LogEvent) -> str:
    """The module that logged it; Twisted's old way of logging does not say which."""
    source = str(event.get("log_namespace", "-"))
    return "twisted" if source == "log_legacy" else source


def _message(event: LogEvent) -> str:
    if isinstance(event.get("failure"), Failure):
        # The old way to log a fault: the text would be the whole traceback, with the text of the exception.
        return str(event.get("why") or "a fault")
    text = formatEvent(event)
    if text.startswith(("Unable to format event", "MESSAGE LOST")):
        # It would show all that the event holds.
        return "an event that could not be formatted"
    return text


def _traceback(event: LogEvent) -> Iterator[str]:
    failure = event.get("log_failure") or event.get("failure")
    if isinstance(failure, Failure) and failure.value is not None:
        yield from _told(TracebackException(failure.type or type(failure.value), failure.value, failure.getTracebackObject()))


def _told(fault: TracebackException) -> Iterator[str]:
    """The places and the kind of an exception, after those of what caused it."""
    cause = fault.__cause__ or (None if fault.__suppress_context__ else fault.__context__)
    if cause is not None:
        yield from _told(cause)
        yield "and then:"
    for entry in format_list(fault.stack):
        yield from entry.rstrip("\n").split("\n")
    kind = fault.exc_type
    assert kind is not None
    yield f"{kind.__module__}.{kind.__qualname__}" + (f": {fault}" if issubclass(kind, _TOLD) else "")


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, str | int | float | bool)
