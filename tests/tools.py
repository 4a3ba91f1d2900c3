"""
What a test sees of a program: what the C{securehub} command prints, and what is logged.
"""

from __future__ import annotations

import contextlib
import io

from twisted.logger import LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from securehub import commandline


def called(*arguments: str) -> tuple[int, str, str]:
    """
    @return: the exit status, what it printed, what it complained of.
    """
    output, complaints = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(complaints):
        status = commandline.main(arguments)
    return status, output.getvalue(), complaints.getvalue()


def logged(test: SynchronousTestCase) -> list[LogEvent]:
    """All that is logged from now on, until the test ends; the list grows with it."""
    events: list[LogEvent] = []
    globalLogPublisher.addObserver(events.append)
    test.addCleanup(globalLogPublisher.removeObserver, events.append)
    return events
