"""
The audit: what those who have power over others' things did, to whom, and when.

Which commands it is kept for follows from what they declare. An entry is written in the very transaction of the effect, and so stands in
the journal's chain: there is no act without its entry, no entry without its act, and none can be taken away unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, ClassVar, NamedTuple

import msgspec

from securehub import members
from securehub.command import AUDITED_ROLES, Command
from securehub.store.records import Record
from securehub.store.transaction import Transaction


class Audit(Record, frozen=True):
    """
    One act, by number.

    @ivar by: the member who did it, or C{operator}.
    @ivar command: its name.
    @ivar target: to whom: a username, or an account number where one was given; empty if it was done to nobody.
    @ivar arguments: those that were given, without the secret ones.
    """

    collection: ClassVar[str] = "audit"

    at: datetime
    by: str
    command: str
    target: str = ""
    arguments: dict[str, Any] = msgspec.field(default_factory=dict)


class Act(NamedTuple):
    """A command on its way to its transaction; the fields are those of L{Audit}."""

    at: datetime
    by: str
    command: str
    target: str
    arguments: dict[str, Any]

    @classmethod
    def of(cls, command: Command, by: str, values: Sequence[Any], at: datetime) -> Act:
        """
        @param values: one for each parameter of the command.
        """
        given = [(each, value) for each, value in zip(command.parameters, values, strict=True) if value is not None and value != ""]
        shown = {each.name: _plain(value) for each, value in given if not each.secret}
        target = next((str(value) for each, value in given if each.type.target), "")
        return cls(at, by, command.name, target, shown)


def audit_key(number: int) -> str:
    return f"{number:015d}"


def audited(tx: Transaction, act: Act, rule: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """
    Run a rule, and note the act that it belongs to if it is one of power: what members do by right of their own is not noted. A refusal
    of the rule leaves no entry.
    """
    power = any(members.has_role(tx, act.by, role) for role in AUDITED_ROLES)
    result = rule(tx, *args, **kwargs)
    if power:
        tx.put(audit_key(tx.number("audit")), Audit(*act))
    return result


def _plain(value: Any) -> Any:
    """An argument as plain JSON."""
    return msgspec.to_builtins(value, enc_hook=str)
