"""
Who may import whom.

The shape of the hub is a promise that no reader could keep an eye on: here it is a table. A module is looked up by its own name, or by
the package that it is in; what it is not allowed to import, it may not import anywhere, in no function and for no type.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import securehub

ROOT = Path(securehub.__file__).parent

PURE = {"refusals", "clabe", "money", "outside", "clock", "event", "reply", "wire", "arguments", "command"}
PURE |= {"origins", "casefolding", "docstrings", "peer"}
"""They know values, and nothing of the network, the disk or the services."""

ALLOWED: dict[str, set[str]] = {
    # pure
    "refusals": set(),
    "clabe": set(),
    "clock": set(),
    "origins": set(),
    "casefolding": set(),
    "event": set(),
    "reply": set(),
    "money": {"refusals"},
    "outside": {"refusals", "casefolding", "money", "outside"},
    "wire": {"refusals", "reply", "wire"},
    "arguments": {"refusals", "clabe", "money"},
    "command": {"refusals", "arguments", "reply"},
    # declarations and their readers
    "binding": {"refusals", "command", "wire"},
    "docstrings": set(),
    "openrpc": {"", "command", "docstrings"},
    "help": {"refusals", "command", "reply"},
    "mistakes": {"command"},
    "config": {"money"},
    "page": set(),
    # the disk
    "store": {"refusals", "event", "clock", "store"},
    # what every command needs
    "chores": {"refusals"},
    "members": {"refusals", "store.records", "store.transaction"},
    "once": {"refusals", "money", "reply", "store.records", "store.transaction"},
    "audit": {"command", "members", "store.records", "store.transaction"},
    "agenda": {"chores", "refusals", "clock", "store.records", "store.transaction"},
    "trying": {"store.transaction"},
    "hashing": {"refusals"},
    "switchboard": {"event", "gate", "store.journal", "store.transaction", "wire"},
    "peer": set(),
    "vault": {"store.files"},
    "gate": {"peer", "store.journal"},
    "eventqueue": {"gate"},
    "session": {"refusals", "audit", "members", "command", "event", "eventqueue", "gate", "once", "peer", "reply", "switchboard", "turns"}
    | {"store.transaction", "trying", "wire"},
    "notices": {"refusals", "command", "session"},
    "turns": set(),
    "dispatch": {"refusals", "audit", "binding", "clock", "command", "mistakes", "notices", "once", "session", "turns", "wire"},
    # services
    "remembering": {"reply", "store.transaction"},
    "service": {"arguments", "command", "config", "remembering", "store.records", "plugins", "hub"},
    "services": {
        "",
        "refusals",
        "arguments",
        "casefolding",
        "clabe",
        "money",
        "event",
        "reply",
        "agenda",
        "command",
        "config",
        "help",
        "members",
    }
    | {"audit", "chores", "origins", "openrpc", "remembering"}
    | {"outside", "peer", "service", "session", "switchboard", "store.records", "store.transaction", "services", "vault", "hub"},
    "plugins": {"services"},
    # the network
    "network": set(),
    "network.outlet": set(),
    "network.eager": set(),
    "network.keepalive": set(),
    "network.shown": {"peer"},
    "network.tls": {"network.eager"},
    "network.authority": set(),
    "network.certificates": {"network.authority", "config", "network.tls"},
    "network.doorkeeper": {"config", "origins"},
    "network.protocol": {"", "refusals", "clock", "event", "gate", "peer", "session", "wire", "config", "dispatch"}
    | {"network.doorkeeper", "network.outlet", "network.shown", "network.web", "network.websocket"},
    "network.web": {"page", "network.protocol", "network.websocket"},
    "network.websocket": {"network.protocol"},
    # the process
    "daemon": set(),
    "daemon.collector": set(),
    "daemon.operations": set(),
    "daemon.vitals": set(),
    "daemon.logs": set(),
    "daemon.signals": set(),
    "daemon.systemd": set(),
    "daemon.beside": {"config", "program", "store.backup", "store.chain", "store.drill", "store.keys", "store.process"},
    "daemon.safekeeping": {"refusals", "daemon.beside", "clock", "store.journal", "store.keys"},
    # all of it
    "hub": {
        "audit",
        "chores",
        "clock",
        "command",
        "config",
        "dispatch",
        "agenda",
        "gate",
        "hashing",
        "members",
        "mistakes",
        "money",
    }
    | {"once", "openrpc", "service", "session", "store.files", "store.journal", "store.upkeep", "store.worker", "switchboard", "vault"}
    | {"services.ledger.accounts", "services.ledger.watching", "services.support.facts"}
    | {
        "network.doorkeeper",
        "network.protocol",
        "network.web",
        "daemon.beside",
        "daemon.operations",
        "daemon.safekeeping",
        "daemon.vitals",
    },
    "tap": {"clock", "config", "daemon", "hashing", "hub", "network", "page", "program", "refusals", "service", "vault"}
    | {"store.child", "store.disk", "store.files", "store.keys", "store.recovery", "store.worker"},
    # tools beside the hub
    "program": set(),
    "client": {"config", "program", "client.connection", "client.conversation", "client.plain", "client.terminal"},
    "client.__main__": {"client"},
    "client.connection": {"config", "network.keepalive"},
    "client.conversation": {"refusals", "wire"},
    "client.commands": set(),
    "client.plain": {"client.connection", "client.conversation"},
    "client.terminal": {"client.commands", "client.connection", "client.conversation"},
    "imports.sources": {"refusals", "arguments", "wire"},
    "imports.rules": {"imports", "members", "money", "refusals", "services", "store.transaction"},
    "imports.offline": {"clock", "event", "store", "trying"},
    "imports.tool": {"clock", "config", "hashing", "hub", "imports", "money", "program", "refusals", "service"}
    | {"services.ledger.accounts", "store", "vault"},
    "storetool": {"", "config", "hub", "program", "service", "store"},
    "servicetool": {"service"},
    "commandline": {"", "imports", "program", "servicetool", "storetool"},
    "reference": {"command", "config", "docstrings", "event", "refusals", "reply", "service"},
}

FOR_TYPES_ALONE = {
    ("services", "hub"),
    ("service", "hub"),
    ("network.protocol", "config"),
    ("network.protocol", "dispatch"),
    ("network.web", "network.protocol"),
    ("network.protocol", "network.web"),
    ("network.protocol", "network.websocket"),
    ("hub", "network.web"),
}
"""What may be named in annotations, though it is above."""

OTHERS: dict[str, set[str]] = {
    "OpenSSL": {"network.tls", "network.shown"},
    "cryptography": {"network.tls", "network.authority", "network.certificates", "vault", "store", "services.auth.otp"},
    "passlib": {"hashing"},
    "socket": {"client.connection", "daemon.systemd", "network.keepalive"},
    "ssl": {"client.connection"},
    "os": {"store", "tap", "daemon.systemd", "client", "hashing", "daemon.logs", "program"},
    "fcntl": {"store"},
    # Of an extra: nothing else may need them.
    "h11": {"network.web"},
    "wsproto": {"network.web", "network.websocket"},
    "prompt_toolkit": {"client.terminal"},
    "asyncio": {"client.terminal"},
    "threading": {"store"},
    "queue": {"store"},
    "pathlib": {
        "store",
        "network.tls",
        "network.authority",
        "network.certificates",
        "tap",
        "config",
        "client",
        "storetool",
        "reference",
        "imports",
    },
    "twisted.internet": {"chores", "daemon.beside", "daemon.vitals", "store", "hub", "gate", "network", "tap", "session", "dispatch"}
    | {"hashing", "imports.offline", "notices", "services.chat.presence", "turns"},
    "twisted.protocols": {"network.protocol", "network.eager", "network.tls"},
    "twisted.python": {"network.protocol", "network.tls", "hashing", "service", "daemon.logs", "tap"},
    "random": {"tap", "imports.tool"},
    "sqlite3": {"imports.sources"},
    "secrets": set(),
    "time": {"clock", "tap", "daemon.systemd", "store"},
}
"""Of what comes from elsewhere, that which only some may use."""


class Import:
    """
    One import.

    @ivar target: the whole name of the module, or of what is taken from it.
    @ivar for_types: whether it is there for annotations alone.
    """

    def __init__(self, module: str, target: str, line: int, for_types: bool) -> None:
        self.module = module
        self.target = target
        self.for_types = for_types
        self.place = f"securehub.{module} imports {target} (line {line})"


@cache
def imports() -> list[Import]:
    """All imports of all modules."""
    return list(_imports())


def _imports() -> Iterator[Import]:
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        tree = ast.parse(path.read_text(encoding="utf-8"))
        guarded = {id(inner) for node in ast.walk(tree) if isinstance(node, ast.If) and _is_guard(node) for inner in ast.walk(node)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield Import(module, alias.name, node.lineno, id(node) in guarded)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: imports are absolute"
                for alias in node.names:
                    yield Import(module, f"{node.module}.{alias.name}", node.lineno, id(node) in guarded)


def _is_guard(node: ast.If) -> bool:
    return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _own(target: str) -> str | None:
    """The module of ours that an import means, empty for the package itself; None if it is not ours."""
    parts = target.split(".")
    if parts[0] != "securehub":
        return None
    while len(parts) > 1:
        path = ROOT.joinpath(*parts[1:])
        if path.with_suffix(".py").exists() or (path / "__init__.py").exists() or path.is_dir():
            return ".".join(parts[1:])
        parts.pop()
    return ""


def _within(name: str, packages: set[str]) -> bool:
    """Whether a module is among those, or in one of them."""
    return name in packages or any(name.startswith(f"{package}.") for package in packages if package)


def _row(module: str) -> str:
    """The row of the table that a module has to keep."""
    return module if module in ALLOWED else module.split(".")[0]


class ImportTests(SynchronousTestCase):
    """The table is kept."""

    def test_every_module_has_a_row(self) -> None:
        """A new one states its place first."""
        modules = {each.module for each in imports()} - {""}
        self.assertEqual(sorted(module for module in modules if _row(module) not in ALLOWED), [])

    def test_ours(self) -> None:
        """Nothing imports what is above it, or beside it without need."""
        wrong = []
        for each in imports():
            target = _own(each.target)
            if target is None or not each.module:
                continue
            row = _row(each.module)
            if target != each.module and not _within(target, ALLOWED[row]):
                wrong.append(each.place)
        self.assertEqual(wrong, [])

    def test_no_more_than_needed(self) -> None:
        """What the tables let somebody import is imported: a row tells what a module knows, and not what it once did."""
        found = [(each.module, each.target, _own(each.target)) for each in imports()]
        ours = {(_row(module), target) for module, _, target in found if target is not None}
        needless = [
            (module, allowed)
            for module, targets in ALLOWED.items()
            for allowed in targets
            if not any(row == module and (target == allowed or _within(target, {allowed})) for row, target in ours)
        ]
        for name, users in OTHERS.items():
            taken = [module for module, target, _ in found if _within(target, {name})]
            needless += [(user, name) for user in users if not any(_within(module, {user}) for module in taken)]
        self.assertEqual(needless, [])

    def test_types_alone(self) -> None:
        """Where the table lets somebody name what is above it, that is for annotations."""
        wrong = [each.place for each in imports() if (_row(each.module), _own(each.target)) in FOR_TYPES_ALONE and not each.for_types]
        self.assertEqual(wrong, [])

    def test_others(self) -> None:
        """The network, the disk, threads, chance and time belong to those few."""
        wrong = []
        for each in imports():
            for name, users in OTHERS.items():
                if _within(each.target, {name}) and not each.for_types and not _within(each.module, users):
                    wrong.append(each.place)
        self.assertEqual(wrong, [])

    def test_the_pure_are_pure(self) -> None:
        """They import nothing of Twisted at all, and each other alone."""
        for each in imports():
            if _within(each.module, PURE):
                self.assertFalse(_within(each.target, {"twisted", "zope"}), each.place)
                target = _own(each.target)
                self.assertTrue(target is None or _within(target, PURE), each.place)

    def test_transports(self) -> None:
        """Those that carry bytes know nothing of commands."""
        known = {"gate": {"peer", "store.journal"}}
        known |= {"network.outlet": set(), "network.eager": set(), "network.tls": {"network.eager"}}
        self.assertEqual({name: ALLOWED[name] for name in known}, known)

    def test_services_know_records_and_transactions(self) -> None:
        """And nothing else of the store, so that it can be another one; nor who speaks to them."""
        for each in imports():
            target = _own(each.target)
            if _within(each.module, {"services"}) and target is not None:
                self.assertFalse(_within(target, {"network", "dispatch", "gate", "tap", "once"}), each.place)
                if _within(target, {"store"}):
                    self.assertIn(target, ("store.records", "store.transaction"), each.place)

    def test_open_is_the_stores(self) -> None:
        """Whoever opens a file is among those who may touch the disk."""
        for path in ROOT.rglob("*.py"):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            calls = [
                node
                for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open"
            ]
            if calls:
                self.assertTrue(_within(module, {"store", "config", "reference", "daemon.vitals"}), module)
