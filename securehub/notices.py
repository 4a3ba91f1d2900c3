"""
What an operator should read in the log of what people do: logins that failed, and what admins changed.

The log is for looking and for alarms. It may be shortened, and after a crash it may lack its last lines, or show a command that was undone;
the journal has what was really done.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutine
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from securehub.command import ADMIN, Command
from securehub.refusals import BadCredentials
from securehub.session import Session

_log = Logger()

LINES_A_MINUTE = 60
"""
How many failed logins are logged in a minute. Somebody who tries passwords by the thousand must not fill the disk, nor hide everything
else.
"""

MINUTE = 60.0

_SHOWN = ("username", "role")
"""Arguments that may stand in the log. Others may be secret, or long."""


class FailedLogins:
    """Logs failed logins, up to a number a minute; the others are counted."""

    def __init__(self, reactor: IReactorTime) -> None:
        self._seconds = reactor.seconds
        self._since = self._seconds()
        self._lines = 0
        self._passed_over = 0

    def note(self, session: Session, refusal: BadCredentials) -> None:
        """
        Log a failed login, if one was tried.

        A name that is not a member's is not written: it may be a password, typed a line too early.
        """
        if refusal.tried is None:
            return
        now = self._seconds()
        if now - self._since >= MINUTE:
            if self._passed_over:
                _log.warn("login-failed: {count} more were not logged one by one.", count=self._passed_over)
            self._since, self._lines, self._passed_over = now, 0, 0
        if self._lines >= LINES_A_MINUTE:
            self._passed_over += 1
            return
        self._lines += 1
        _log.warn(
            "login-failed: from {address} (connection {connection}) as {username}",
            address=session.address,
            connection=session.number,
            username=refusal.tried or "nobody who is a member",
        )


def noted(command: Command) -> Callable[..., Any]:
    """A command's function; what admins change with it is logged."""
    if not (command.writes and command.access == ADMIN):
        return command.function
    names = [parameter.name for parameter in command.parameters]

    async def note(session: Session, *values: Any) -> Any:
        result = command.function(session, *values)
        if iscoroutine(result):
            result = await result
        shown = [str(value) for name, value in zip(names, values, strict=True) if name in _SHOWN]
        _log.info(
            "admin: {caller} from {address}: {done}",
            caller=session.user,
            address=session.address,
            command=command.name,
            done=" ".join([command.name, *shown]),
        )
        return result

    return note
