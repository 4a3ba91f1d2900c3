"""
The audit: what people with power over others did, to whom, and when.

A command's declaration says whether it is audited. An entry is written in the very transaction of the effect, and so stands in the
journal's chain: there is no act without its entry, no entry without its act, and none can be taken away unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, NamedTuple

import msgspec

from securehub import members
from securehub.command import AUDITED_ROLES, Audited, Command
from securehub.store.records import Record, number_key
from securehub.store.transaction import ReadTransaction, Transaction

Whose = Callable[[ReadTransaction, str], str]
"""Tells which member a username or the number of an account stands for."""

ALL = "*"
"""The parent of all entries; no username is like it."""


class Audit(Record, frozen=True):
    """
    One act, by number. It is found beneath L{ALL}, beneath the member who did it, and beneath the one to whom it was done.

    @ivar by: the member who did it, or C{operator}.
    @ivar command: its name.
    @ivar target: to whom: a username; empty if it was done to nobody.
    @ivar arguments: those that were given, without the secret ones; none if the target has been erased.
    """

    collection: ClassVar[str] = "audit"

    at: datetime
    by: str
    command: str
    target: str = ""
    arguments: dict[str, Any] = msgspec.field(default_factory=dict)

    def beneath(self) -> list[str]:
        return list(dict.fromkeys((ALL, self.by, self.target or ALL)))


class Act(NamedTuple):
    """
    A command on its way to its transaction; all fields except the last two are those of L{Audit}.

    @ivar target: a username, or the number of an account.
    @ivar whose: tells whose it is.
    @ivar by_right: whether members may do so by a right of their own; then only acts of people with power are noted.
    """

    at: datetime
    by: str
    command: str
    target: str
    arguments: dict[str, Any]
    whose: Whose
    by_right: bool = False

    @classmethod
    def of(cls, command: Command, by: str, values: Sequence[Any], at: datetime, whose: Whose) -> Act:
        """
        @param values: one for each parameter of the command.
        """
        given = [(each, value) for each, value in zip(command.parameters, values, strict=True) if value is not None and value != ""]
        shown = {each.name: _plain(value) for each, value in given if not each.secret}
        target = next((str(value) for each, value in given if each.type.target), "")
        return cls(at, by, command.name, target, shown, whose, command.audited is Audited.OF_POWER)


def audited(tx: Transaction, act: Act, rule: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Run a rule, and note the act that it belongs to. A refusal of the rule leaves no entry."""
    noted = not act.by_right or any(members.has_role(tx, act.by, role) for role in AUDITED_ROLES)
    target = act.whose(tx, act.target)
    result = rule(tx, *args, **kwargs)
    if noted:
        tx.put(number_key(tx.number("audit")), Audit(act.at, act.by, act.command, target, act.arguments))
    return result


def _plain(value: Any) -> Any:
    """An argument as plain JSON."""
    return _typed(value) if isinstance(value, timedelta) else msgspec.to_builtins(value, enc_hook=str)


def _typed(span: timedelta) -> str:
    """How long it is, as one may type it: C{90s}, C{15m}, C{2h}, C{7d}."""
    seconds = span // timedelta(seconds=1)
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds and not seconds % length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"
