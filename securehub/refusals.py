"""
How the hub says no.

A refusal is an answer, not a fault: it carries the code that programs rely on, and a text for people. Those here can be met
anywhere; a refusal that belongs to one rule stands beside that rule.
"""

from __future__ import annotations

from typing import ClassVar


class Refusal(Exception):
    """
    The command was understood to be impossible, and nothing happened.

    @cvar code: what programs act upon, one of section 6 of the protocol.
    @cvar number: the JSON-RPC error number; those which JSON-RPC does not know are -32000.
    """

    code: ClassVar[str]
    number: ClassVar[int] = -32000

    @property
    def data(self) -> dict[str, object]:
        """What a program gets in C{error.data}."""
        return {"code": self.code}


def shown(word: str) -> str:
    """A word of a stranger's as an error may quote it: escaped, and not endless."""
    return repr(word if len(word) <= 40 else f"{word[:40]}...")


class BadLine(Refusal):
    """The line is not UTF-8, or has control characters."""

    code = "bad-line"


class LineTooLong(Refusal):
    """The line is over the limit."""

    code = "line-too-long"


class BadJSON(Refusal):
    """The line is not (strict) JSON."""

    code = "bad-json"
    number = -32700


class BadRequest(Refusal):
    """It is JSON, but not a JSON-RPC 2.0 request."""

    code = "bad-request"
    number = -32600


class UnknownCommand(Refusal):
    """There is no such command."""

    code = "unknown-command"
    number = -32601


class BadArgument(Refusal):
    """An argument is missing, superfluous, or not in the expected form."""

    code = "bad-arguments"
    number = -32602


class BadCredentials(Refusal):
    """
    Wrong name, password, code or token; never which.

    @ivar tried: only for the log: the member whose login failed, or empty for a name that is no member's; None if it was not a login.
    """

    code = "bad-credentials"

    def __init__(self, text: str, tried: str | None = None) -> None:
        super().__init__(text)
        self.tried = tried


class Locked(Refusal):
    """The account is locked by an operator."""

    code = "locked"


class NotLoggedIn(Refusal):
    """The command needs a login."""

    code = "not-logged-in"


class Forbidden(Refusal):
    """The caller lacks the role or the right."""

    code = "forbidden"


class Exists(Refusal):
    """The name is taken."""

    code = "exists"


class NotFound(Refusal):
    """There is no such thing, or none that the caller may see."""

    code = "not-found"


class Conflict(Refusal):
    """The thing is in a state that does not allow it."""

    code = "conflict"


class LimitExceeded(Refusal):
    """More than a limit allows; the text has the figures."""

    code = "limit-exceeded"


class KeyReused(Refusal):
    """The idempotency key was used for something else."""

    code = "key-reused"


class RateLimited(Refusal):
    """
    Too much at once.

    @ivar retry_after: seconds until it is worth coming back.
    """

    code = "rate-limited"

    def __init__(self, text: str, retry_after: int) -> None:
        super().__init__(text)
        self.retry_after = retry_after

    @property
    def data(self) -> dict[str, object]:
        return {"code": self.code, "retry_after": self.retry_after}


class Unavailable(Refusal):
    """The store cannot write now; nothing happened, and reads go on."""

    code = "unavailable"


class Internal(Refusal):
    """A fault of ours; the text has the number under which it was logged."""

    code = "internal"
    number = -32603
