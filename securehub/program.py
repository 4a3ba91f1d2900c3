"""
How our programs begin and end, whatever the shell has given them: standard streams that are closed, a reader that goes, Ctrl-C.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

WELL, CANNOT, INTERRUPTED, UNREAD = 0, 2, 130, 141
"""Exit statuses. 1 is each program's own; the last two are those that a shell reports for a program ended by SIGINT or SIGPIPE."""

NO_MEMORY = "the system gives no more memory (ulimit -v), and this takes as much as all that is kept"


class Ended(BaseException):
    """
    A signal has asked for an end.

    @ivar status: as a shell would report it.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.status = 128 + number


@contextmanager
def ending_in_order() -> Iterator[None]:
    """
    While this lasts, SIGTERM and the end of a terminal clean up what was begun, as Ctrl-C does.

    @raise Ended: one of them came.
    """

    def end(number: int, _: object) -> None:
        raise Ended(number)

    # A program that should outlive its terminal (C{nohup}) ignores that signal.
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    ours = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    for number in ours:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, before[number])


def run(name: str, main: Callable[[], int]) -> int:
    """
    Run a program that prints.

    @param name: the program's, in front of a complaint.

    @return: the exit status.
    """
    open_standard_streams()
    try:
        try:
            return main()
        finally:
            # Now, because at the very end a failure could not be reported.
            sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except Ended as asked:
        return asked.status
    except BrokenPipeError:
        # The reader, C{head} say, has had enough.
        _print_no_more()
        return UNREAD
    except OSError as fault:
        _print_no_more()
        print(f"{name}: what there is to say cannot be written: {fault.strerror or fault}", file=sys.stderr)
        return CANNOT


def disk_fault(fault: OSError) -> str:
    """What the disk has refused, for people."""
    return f"{fault.filename or 'the disk'}: {fault.strerror or fault}"


def open_standard_streams() -> None:
    """Open something in place of closed standard streams: otherwise what is opened next, such as a socket, gets their numbers."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free is this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False, encoding="utf-8"))


def _print_no_more() -> None:
    """Keep Python from trying it once more at its end."""
    sys.stdout = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")
