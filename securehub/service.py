"""
What a service is, and how services are found. What one keeps about members is said in L{securehub.remembering}.

A service is a class in a module of the C{securehub.plugins} package, in any distribution. Called with the hub, it makes the service; the
methods that are declared as commands are its commands.
"""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.logger import Logger
from twisted.plugin import getPlugins
from twisted.python.filepath import FilePath
from twisted.python.modules import getModule
from zope.interface import Attribute, Interface

from securehub.arguments import ROLE
from securehub.command import NOBODY_S, ROLES, Command, declared_by, nothing_more
from securehub.config import SETTINGS, BadSetting, Setting, Settings
from securehub.remembering import IRemembers
from securehub.store.records import Record, refuse_unfit

if TYPE_CHECKING:
    from securehub.hub import Hub

_log = Logger()

NEEDED = ("auth", "hub", "ledger")
"""
Services that no hub can do without: somebody has to get in, every member has an account, and the greeting promises HELP.
"""

T = TypeVar("T")


class IServiceFactory(Interface):
    """Makes a service; mostly the service's class itself."""

    name = Attribute("The name of the service, which is the first part of its commands' names.")

    # Optional: C{records}, the record classes that the service keeps; C{parts}, for a service that is too large for one class: further
    # classes that are called with the hub, and whose commands are the service's; C{roles}, that members may be granted because of this
    # service; C{own_settings}, the settings (L{securehub.config.Setting}) that it brings; C{invariants}, classes of what is true of its
    # records after every commit (L{securehub.store.verification.Invariant}). What is made may have C{notes}: by the names of commands, what
    # gives the text that is added to their manuals.

    def __call__(hub: Hub) -> Any:
        """
        Make the service for a hub that is being put together. It takes what it uses from the hub and does not keep it.
        """


class BadServices(Exception):
    """The services that are there do not fit together, or with the configuration; the text says which."""


def find(wanted: Sequence[str] = ()) -> list[Any]:
    """
    The service factories of all plugins.

    @param wanted: the names of the services to run; empty for all that are found.

    @raise BadServices: one of them is missing, is there twice, or its module cannot be imported.
    """
    from securehub import plugins

    _refuse_shadows(plugins.__path__)
    _import_all(plugins.__name__)
    # A class that one plugin module imports from another is found in both; it is the same one.
    found = list(dict.fromkeys(getPlugins(IServiceFactory, plugins)))
    by_name: dict[str, Any] = {}
    for factory in found:
        name = getattr(factory, "name", None)
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise BadServices(f"{factory} has the name {name!r}; a service has one of a-z 0-9 _ -, starting with a letter")
    for factory in sorted(found, key=lambda factory: (factory.name, str(factory))):
        if factory.name in by_name:
            raise BadServices(f"two services are named {factory.name}: {by_name[factory.name]} and {factory}")
        by_name[factory.name] = factory
    return chosen(list(by_name.values()), wanted)


def chosen(factories: Iterable[Any], wanted: Sequence[str]) -> list[Any]:
    """
    Those of some service factories that are to run.

    @param wanted: their names; empty for all.

    @raise BadServices: one of them is missing, or one that every hub needs is not among them.
    """
    by_name = {factory.name: factory for factory in factories}
    missing = [name for name in wanted if name not in by_name]
    if missing:
        raise BadServices(f"no plugin provides the service {missing[0]!r}; there are {', '.join(by_name)}")
    left = [name for name in NEEDED if wanted and name not in wanted]
    if left:
        raise BadServices(f"the setting services leaves out {left[0]}; every hub needs {', '.join(NEEDED)}")
    return [by_name[name] for name in (wanted or by_name)]


def records_of(factories: Iterable[Any], core: Iterable[type[Record]]) -> list[type[Record]]:
    """
    All record classes, those of the hub itself first.

    @raise BadServices: two of them want one collection.
    """
    owners: dict[str, type[Record]] = {}
    kept = [(factory, record) for factory in factories for record in _kept(factory)]
    for factory, record in kept:
        try:
            refuse_unfit(record)
        except TypeError as error:
            raise BadServices(f"the service {factory.name} cannot keep {record!r}: {error}") from None
    for record in [*core, *(record for _, record in kept)]:
        other = owners.setdefault(record.collection, record)
        if other is not record:
            raise BadServices(f"{other.__qualname__} and {record.__qualname__} are both kept as {record.collection!r}")
    return list(owners.values())


def _kept(factory: Any) -> tuple[Any, ...]:
    records = getattr(factory, "records", ())
    if not isinstance(records, tuple | list):
        raise BadServices(f"the records of the service {factory.name} are {records!r}, which is no tuple of classes")
    return tuple(records)


def made(factory: Any, make: Callable[[T], Any], given: T) -> Any:
    """
    What a factory, or a part of it, makes of what it is given (mostly a hub).

    @raise BadServices: it fails, by a fault of its own.
    """
    try:
        return make(given)
    except (BadServices, BadSetting):
        raise
    except Exception as error:
        path = getattr(sys.modules.get(factory.__module__), "__file__", None) or ""
        raise BadServices(f"the service {factory.name} cannot be made: {error!r} ({_where(error, path)})") from error


def roles_of(factories: Iterable[Any]) -> list[str]:
    """
    All roles that a member may be granted, those of the hub itself first. Services may share one.

    @raise BadServices: one of them cannot be the name of a role.
    """
    roles = list(ROLES)
    for factory in factories:
        for role in getattr(factory, "roles", ()):
            if not isinstance(role, str) or not ROLE.fullmatch(role) or role in NOBODY_S:
                raise BadServices(f"the service {factory.name} declares the role {role!r}; a role has a-z 0-9 _ -, starting with a letter")
            roles.append(role)
    return list(dict.fromkeys(roles))


def refuse_forgetful(name: str, service: Any) -> None:
    """
    @raise BadServices: the service is an L{IRemembers}, but lacks something that an export or an erasure will call.
    """
    if IRemembers.providedBy(service):
        for each in IRemembers.names():
            if not callable(getattr(service, each, None)):
                raise BadServices(f"the service {name} is an IRemembers, and has no {each}")


def settings_of(factories: Iterable[Any]) -> list[Setting]:
    """
    The settings that services bring.

    @raise BadServices: one of them is in another's section, or has a name that is taken, or a default that its own function refuses.
    """
    owners = {setting.name: "the hub" for setting in SETTINGS}
    brought = []
    for factory in factories:
        for setting in getattr(factory, "own_settings", ()):
            _refuse_setting(factory.name, setting, owners.get(setting.name))
            owners[setting.name] = factory.name
            brought.append(setting)
    return brought


def _refuse_setting(service: str, setting: Setting, owner: str | None) -> None:
    where = f"the setting {setting.name} of the service {service}"
    if owner is not None:
        raise BadServices(f"{where} has the name of one of {owner}'s")
    if setting.section != service or not _SETTING.fullmatch(setting.name):
        raise BadServices(f"{where} belongs into the section [{service}], under a name of a-z 0-9 _")
    try:
        setting.parse(setting.default)
    except ValueError as error:
        raise BadServices(f"{where} has a default that is none: {error}") from None


def parts_of(factory: Any) -> list[Any]:
    """Everything that is called with the hub to make a service: the factory, and the parts that it names."""
    return [factory, *getattr(factory, "parts", ())]


def commands_of(factory: Any, parts: Iterable[Any], settings: Settings) -> list[Command]:
    """
    The commands of a service, as a hub with these settings has them.

    @param parts: what L{parts_of} has become, called with the hub.
    """
    bound = [command.bound(part, factory.name, settings) for part in parts for command in declared_by(part)]
    return [command if command.note is nothing_more else replace(command, note=partial(_note_of, command)) for command in bound]


def _note_of(command: Command) -> str:
    """What there is to say of a command at this moment; nothing if the service cannot say it."""
    try:
        return command.note()
    except Exception:
        # A fault of one service must not keep everybody from all manuals.
        _log.failure("The note on {command} failed", command=command.name)
        return ""


def _import_all(package: str) -> None:
    """Import all plugins: getPlugins only logs a module that cannot be imported, but a hub without one of its services must not start."""
    for module in getModule(package).iterModules():
        try:
            module.load()
        except Exception as error:
            path = module.filePath.path
            raise BadServices(f"the plugin {path} cannot be imported: {error!r} ({_where(error, path)})") from error


def _refuse_shadows(directories: Iterable[str]) -> None:
    """
    Refuse two files of one name, in two versions of a distribution perhaps: Python would find the first, and silently ignore the other.
    """
    first: dict[str, FilePath[str]] = {}
    for file in (file for directory in directories for file in FilePath(directory).globChildren("*.py")):
        other = first.setdefault(file.basename(), file)
        if other.realpath() != file.realpath():
            raise BadServices(f"two plugins are named {file.basename()}: {other.path} and {file.path}")


def _where(error: BaseException, path: str) -> str:
    """Where something was raised: the innermost place in the given file, or, if that is not among the places, the innermost of all."""
    places = traceback.extract_tb(error.__traceback__)
    innermost = [place for place in places if place.filename == path] or places
    return f"{innermost[-1].filename}, line {innermost[-1].lineno}"


_SETTING = re.compile(r"[a-z][a-z0-9_]*")
_NAME = re.compile(r"[a-z][a-z0-9_-]*")
