"""
The C{securehub} command, as a test calls it.
"""

from __future__ import annotations

import contextlib
import io

from securehub import commandline


def called(*arguments: str) -> tuple[int, str, str]:
    """
    @return: the exit status, what it printed, what it complained of.
    """
    output, complaints = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(complaints):
        status = commandline.main(arguments)
    return status, output.getvalue(), complaints.getvalue()
