"""
What several tests look at in the same way: what the C{securehub} command prints, what is logged, what is made of words.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Any

from twisted.logger import LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from securehub import commandline
from securehub.refusals import BadArgument


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


class ParsingTestCase(SynchronousTestCase):
    """Tests of what is made of words, and refused."""

    def takes(self, parse: Callable[[str], Any], values: dict[str, Any]) -> None:
        for word, value in values.items():
            self.assertEqual(parse(word), value, word)

    def refuses(self, parse: Callable[[str], Any], *words: str) -> None:
        for word in words:
            refusal = self.assertRaises(BadArgument, parse, word)
            self.assertTrue(str(refusal))
