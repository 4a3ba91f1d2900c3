"""
What a command declares: its verb, who may use it, its parameters, whether it writes.

One declaration has many readers: the text form, the JSON form, the access check, HELP, the reference, the OpenRPC document, the
tests. So whatever they need to know stands here, and nothing about a command is written down twice.
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from securehub.arguments import KEY, TRY, ArgumentType
from securehub.refusals import BadArgument, Forbidden, NotLoggedIn, Refusal, shown
from securehub.reply import MoneyReply, Reply

ROLES = ("treasurer", "seller", "agent", "moderator", "admin")
"""What a member may be granted, besides the roles that services declare; every member also has the role C{member}."""

NOBODY_S = ("member", "operator")
"""Roles that cannot be granted: every member has the first, and no member can get the second."""


class Audited(Enum):
    """When what a command does is noted, see L{securehub.audit}."""

    NEVER = "never"
    OF_POWER = "if the caller has a role of AUDITED_ROLES, and so may do more than by right of their own"
    ALWAYS = "always"


AUDITED_ROLES = frozenset({"treasurer", "moderator", "admin"})
"""The roles with power over others. Sellers and agents do their own work, which keeps its own history."""


@dataclass(frozen=True)
class Access:
    """
    Who may use a command.

    @ivar login: a login is needed, or the admin door.
    @ivar own_account: it is about the caller's own account, so the operator, who has none, may not.
    @ivar role: the role that is needed besides.
    @ivar stranger: it logs somebody in, so it is a conflict for those who are logged in already.
    @ivar text: for HELP and the reference.
    """

    login: bool
    own_account: bool
    role: str | None
    text: str
    stranger: bool = False

    def __post_init__(self) -> None:
        if not self.login and (self.own_account or self.role):
            raise TypeError("an account or a role is of somebody who is logged in")

    def check(self, roles: tuple[str, ...] | None, operator: bool) -> None:
        """
        @param roles: what the caller has been granted; None if nobody is logged in. The operator needs none.

        @raise NotLoggedIn: only those who are logged in may.
        @raise Forbidden: the caller lacks the role, or an account.
        """
        if not self.login:
            return
        if operator:
            if self.own_account:
                raise Forbidden("the operator has no account; log in as a member on the TLS port")
        elif roles is None:
            raise NotLoggedIn("log in first: LOGIN name, or CREATE name if you are new")
        elif self.role is not None and self.role not in roles:
            raise Forbidden(f"this needs the role {self.role}")

    def allows(self, roles: tuple[str, ...] | None, operator: bool) -> bool:
        """The same as a question."""
        try:
            self.check(roles, operator)
        except Refusal:
            return False
        return True


def refuse_unknown_role(role: str, known: Iterable[str]) -> None:
    """
    @param known: those that this hub knows.

    @raise BadArgument: the argument C{role} is none of them.
    """
    if role not in known:
        raise BadArgument(f"role: {shown(role)} is not one of {', '.join(known)}")


ANYONE = Access(False, False, None, "anyone")
STRANGER = Access(False, False, None, "anyone who is not logged in", stranger=True)
LOGGED_IN = Access(True, False, None, "anyone who is logged in")
MEMBER = Access(True, True, None, "members")


def role(name: str) -> Access:
    """Access for those who have been granted a role, and the operator. Whether there is such a role is seen when the hub is made."""
    return Access(True, False, name, f"the role {name}")


TREASURER = role("treasurer")
ADMIN = role("admin")
SELLER = Access(True, True, "seller", "members with the role seller")
"""Not the operator, who has no account and so nothing to sell."""


@dataclass(frozen=True)
class Parameter:
    """
    One parameter of a command.

    @ivar name: as on the wire.
    @ivar required: whether it has to be given.
    @ivar by_name: whether it can be given by name only.
    @ivar also: another name by which it can be given; empty for none.
    @ivar prompt: what a person is asked for when it is left out of a line of text, the answer being hidden from view.
    @ivar unless: a method of the service that is called with the session and the parameters before this one, and says whether this one is
        not needed after all; its docstring says when that is.
    """

    name: str
    type: ArgumentType
    required: bool = True
    by_name: bool = False
    also: str = ""
    prompt: str | None = None
    unless: Callable[..., Awaitable[bool]] | None = None

    def bound(self, service: object, settings: Mapping[str, Any]) -> Parameter:
        """
        This parameter of a command of a running hub, bounded by the settings.

        @raise LookupError: by one that there is not.
        """
        if self.type.limit and self.type.limit not in settings:
            raise LookupError(f"{self.name} is bounded by {self.type.limit}, and there is no such setting")
        type = self.type.limited(settings[self.type.limit]) if self.type.limit else self.type
        return replace(self, type=type, unless=self.unless and getattr(service, self.unless.__name__))

    @property
    def names(self) -> dict[str, str]:
        """By which it can be given, each with what is said of it."""
        return {self.name: self.type.expected, **({self.also: f"the same as {self.name}"} if self.also else {})}

    @property
    def secret(self) -> bool:
        """Whether nobody should read it later. What a person is asked for is hidden while it is typed, so it is always a secret."""
        return self.type.secret or self.prompt is not None

    @property
    def takes_rest(self) -> bool:
        """Whether it takes the rest of a line."""
        return self.type.rest and not self.by_name

    @property
    def usage(self) -> str:
        """How it is written in a line of text: C{amount}, C{[memo...]}, C{[from=...]}."""
        word = f"{self.name}=..." if self.by_name else f"{self.name}..." if self.takes_rest else self.name
        return word if self.required and not self.prompt else f"[{word}]"

    @property
    def needed(self) -> str:
        """Whether it has to be given, for the reference."""
        needed = f"required unless {self.unless.__doc__}" if self.unless else "required" if self.required else "optional"
        return f"{needed}; asked for in text" if self.prompt else f"{needed}, by name" if self.by_name else needed


def optional(parse: Callable[..., Any]) -> Parameter:
    """A parameter that may be left out."""
    return Parameter("", ArgumentType.of(parse), required=False)


def named(parse: Callable[..., Any], *, also: str = "") -> Parameter:
    """
    A parameter that may be left out, and is given by name only.

    @param also: see L{Parameter.also}.
    """
    return Parameter("", ArgumentType.of(parse), required=False, by_name=True, also=also)


def last_seen(parse: Callable[..., Any]) -> Parameter:
    """
    The last item seen of a list that goes forward. People give it as C{after}; programs may also call it C{before}, as the protocol
    promises for all lists.
    """
    return named(parse, also="before")


def prompted(parse: Callable[..., Any], prompt: str, *, unless: Callable[..., Awaitable[bool]] | None = None) -> Parameter:
    """
    A parameter for which a person is asked when the line lacks it.

    @param unless: see L{Parameter.unless}; the function is given None where the parameter is not needed.
    """
    return Parameter("", ArgumentType.of(parse), required=unless is None, prompt=prompt, unless=unless)


def nothing_more() -> str:
    """The note on a command of which there is nothing else to say."""
    return ""


@dataclass(frozen=True, eq=False)
class Command:
    """
    A command, as declared, and later as the hub runs it.

    @ivar name: the method name, C{ledger.transfer}; before the hub has bound it, the function's own name.
    @ivar verb: the short verb for people, or None where only the full name is used.
    @ivar writes: whether its function may call C{session.transact}; if not, it is refused there.
    @ivar keyed: whether it takes a C{key}, and so applies once.
    @ivar audited: when what it does is noted.
    @ivar moves: whether it moves money, and so can be tried with C{try}, and may warn.
    @ivar long: whether it may take long, and so waits for its turn.
    @ivar elsewhere: what other programs call it, in small letters. It is not a command, but a person who types it is told of this one.
    @ivar function: called with the session and one value for each parameter.
    @ivar result: the type of its reply; None for a reply without fields.
    @ivar note: what else there is to say, at this moment, of this command in this hub.
    """

    name: str
    verb: str | None
    access: Access
    writes: bool
    keyed: bool
    audited: Audited
    moves: bool
    parameters: tuple[Parameter, ...]
    function: Callable[..., Any]
    result: Any
    summary: str
    description: str
    long: bool = False
    elsewhere: tuple[str, ...] = ()
    note: Callable[[], str] = nothing_more

    @property
    def manual(self) -> str:
        """All that there is to say of it besides the summary."""
        note = self.note()
        return f"{self.description}\n\n{note}".strip() if note else self.description

    def bound(self, service: object, name: str, settings: Mapping[str, Any]) -> Command:
        """
        This command as a method of a service of a running hub: its parameters are bounded by the settings, and what the service's C{notes}
        say of it for this hub is at the end of its manual.
        """
        return replace(
            self,
            name=f"{name}.{self.name}",
            function=getattr(service, self.function.__name__),
            parameters=tuple(each.bound(service, settings) for each in self.parameters),
            note=getattr(service, "notes", {}).get(self.name, nothing_more),
        )

    @property
    def replies(self) -> tuple[Any, ...]:
        """The types of its replies: one mostly, several where it answers in one of several ways; None for a reply without fields."""
        return _each(self.result)

    @property
    def wire_parameters(self) -> tuple[Parameter, ...]:
        """All that a request may give, including what the hub itself handles (C{key}, C{try})."""
        return (*self.parameters, *[KEY_PARAMETER] * self.keyed, *[TRY_PARAMETER] * self.moves)

    @property
    def usage(self) -> str:
        """
        How it is typed: C{TRANSFER to amount [from=...] [key=...] [memo...]}. What takes the rest of the line stands last, as what comes
        after it would be a part of it.
        """
        ordered = sorted(self.wire_parameters, key=lambda parameter: (parameter.takes_rest, parameter.by_name))
        return " ".join([self.verb or self.name, *(parameter.usage for parameter in ordered)])


KEY_PARAMETER = Parameter("key", KEY, required=False, by_name=True)
TRY_PARAMETER = Parameter("try", TRY, required=False, by_name=True)


def command(
    verb: str | None,
    *,
    access: Access,
    writes: bool = False,
    keyed: bool | None = None,
    audited: Audited | None = None,
    moves: bool = False,
    long: bool = False,
    elsewhere: tuple[str, ...] = (),
    **declared: Callable[..., Any] | Parameter,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """
    Declare a method of a service to be a command.

    @param verb: the short verb, in capitals, or None.
    @param access: who may use it.
    @param writes: whether it changes anything.
    @param keyed: whether it takes a key; by default, if it writes.
    @param audited: when what it does is noted; by default always if it writes and needs a role of L{AUDITED_ROLES}, and otherwise never.
        Give it for a command that merely allows more to such a role, or that gives power over others by another right.
    @param moves: whether it moves money; it writes then, and takes C{key} and C{try}.
    @param long: whether it may take more than some milliseconds. Then it waits for its turn, so that many of them in a row delay nobody
        longer than one does, see L{securehub.turns}. Only for commands that need a login and do not write.
    @param elsewhere: what other programs call it, in small letters. Whoever types that is told the verb.
    @param declared: the parameters in their order: an argument type, or one in L{optional}, L{named} or L{prompted}. A trailing
        underscore is not on the wire.
    """

    def declare(function: Callable[..., Any]) -> Callable[..., Any]:
        if not isinstance(access, Access):
            raise TypeError(f"{function.__qualname__} does not declare who may use it")
        if audited and not (writes or moves):
            raise TypeError(f"{function.__qualname__} cannot be audited, as it does not write")
        if long and (writes or moves or not access.login):
            raise TypeError(f"{function.__qualname__} cannot wait for its turn, as it writes, or is for strangers")
        parameters = tuple(_parameter(name, parse) for name, parse in declared.items())
        _check_signature(function, list(declared), parameters)
        result = _result(function)
        if moves and not (isinstance(result, type) and issubclass(result, MoneyReply)):
            raise TypeError(f"{function.__qualname__} moves money, so it has to return a MoneyReply")
        takes_key = moves or (writes if keyed is None else keyed)
        if takes_key and not _is_plain(result):
            raise TypeError(f"{function.__qualname__} takes a key, so it returns one class of replies: a repeat is answered with that")
        _check_names(function, verb, [name for each in parameters for name in each.names], ["key"] * takes_key + ["try"] * moves)
        summary, _, manual = inspect.cleandoc(function.__doc__ or "").partition("\n")
        function.declaration = Command(  # type: ignore[attr-defined]
            name=function.__name__.rstrip("_"),
            verb=verb,
            access=access,
            writes=writes or moves,
            keyed=takes_key,
            audited=audited or (Audited.ALWAYS if (writes or moves) and access.role in AUDITED_ROLES else Audited.NEVER),
            moves=moves,
            parameters=parameters,
            function=function,
            result=result,
            summary=summary,
            description=manual.strip(),
            long=long,
            elsewhere=elsewhere,
        )
        return function

    return declare


def declared_by(service: object) -> list[Command]:
    """The commands of a service, in the order in which its class and what it is made of declare them."""
    commands: dict[str, Command] = {}
    for cls in reversed(type(service).__mro__):
        for name, value in vars(cls).items():
            if isinstance(getattr(value, "declaration", None), Command):
                commands[name] = value.declaration
    return list(commands.values())


def _parameter(name: str, parse: Callable[..., Any] | Parameter) -> Parameter:
    parameter = parse if isinstance(parse, Parameter) else Parameter("", ArgumentType.of(parse))
    return replace(parameter, name=name.rstrip("_"))


def _check_signature(function: Callable[..., Any], names: list[str], parameters: tuple[Parameter, ...]) -> None:
    """
    A command whose function disagrees with its declaration is found when its module is imported, not when somebody uses it.
    """
    taken = list(inspect.signature(function).parameters.values())[2:]
    where = function.__qualname__
    if [each.name for each in taken] != names:
        raise TypeError(f"{where} declares the parameters {names}, but its function takes {[each.name for each in taken]}")
    for parameter, each in zip(parameters, taken, strict=True):
        if parameter.required != (each.default is each.empty):
            raise TypeError(f"{where}: {parameter.name} must have a default if it is optional, and none if it is not")
        if parameter.unless and each.default is not None:
            raise TypeError(f"{where}: {parameter.name} must have None for its default, which says that it was not needed")
    rest = [parameter for parameter in parameters if parameter.type.rest and not parameter.by_name]
    positional = [parameter for parameter in parameters if not parameter.by_name]
    if rest and rest != positional[-1:]:
        raise TypeError(f"{where}: a text that takes the rest of the line can only be the last parameter")
    if len(positional) > 1 and any(parameter.type.words for parameter in positional):
        raise TypeError(f"{where}: what takes all words can only be the one parameter that is not given by name")
    if not function.__doc__:
        raise TypeError(f"{where} has no docstring, which is what HELP says")


def _check_names(function: Callable[..., Any], verb: str | None, names: list[str], added: list[str]) -> None:
    """
    Likewise refuse names that nobody could type, or that are given twice.

    @param added: the parameters that the hub adds.
    """
    where = function.__qualname__
    if verb is not None and not _VERB.fullmatch(verb):
        raise TypeError(f"{where}: the verb {verb!r} is not a word of letters, digits, dots, _ and -, beginning with a letter")
    for name in names:
        if names.count(name) > 1 or name in added:
            raise TypeError(f"{where} declares the parameter {name}, and there is another one of that name")


def _result(function: Callable[..., Any]) -> Any:
    hints = typing.get_type_hints(function)
    if "return" not in hints:
        raise TypeError(f"{function.__qualname__} has to say what it returns: a reply, or None")
    result = hints["return"]
    for each in _each(result):
        cls = typing.get_origin(each) or each
        if each is not None and not (isinstance(cls, type) and issubclass(cls, Reply)):
            raise TypeError(f"{function.__qualname__} returns {each}, which is not a reply")
    return None if result is types.NoneType else result


def _each(result: Any) -> tuple[Any, ...]:
    """What a union is of, or the one type that it is; None for the type of None."""
    several = isinstance(result, types.UnionType) or typing.get_origin(result) is typing.Union
    return tuple(None if each is types.NoneType else each for each in (typing.get_args(result) if several else (result,)))


def _is_plain(result: Any) -> bool:
    """Whether it is a single class, for C{isinstance}; or None."""
    return result is None or isinstance(result, type)


_VERB = re.compile(r"[A-Za-z][A-Za-z0-9._-]*")
