"""
C{securehub store}: verify, back up, restore, drill, export, import, head, keys, upgrade.

They work on a state directory in which no daemon runs. With C{--until} some of them only look, and then a daemon may run: that is how the
daemon itself uses them, in a process beside it.
"""

from __future__ import annotations

import errno
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec

from securehub import __version__, config, service
from securehub.hub import Hub
from securehub.program import CANNOT, NO_MEMORY, WELL, disk_fault
from securehub.store import backup as backups
from securehub.store import rotation
from securehub.store.chain import Broken, Journal
from securehub.store.disk import InUse
from securehub.store.drill import drill
from securehub.store.export import export, take_in
from securehub.store.files import RealDirectory
from securehub.store.keys import Keys, NoKey, find
from securehub.store.layout import segment_names, snapshot_names
from securehub.store.process import give_way
from securehub.store.recovery import CannotStart
from securehub.store.upgrade import upgrade
from securehub.store.verification import verify

_ASK = "while it runs, ask it at its admin door: admin.verify, admin.backup, admin.drill, admin.head"

BAD = 1

_STREAM = "-"
"""In place of a file: the standard output, or input."""


class Tool:
    """
    One call of the command.

    @ivar found: what it found, by name: printed in the end, as lines or as JSON.
    """

    def __init__(self, given: Namespace) -> None:
        self._given = given
        self._factories = service.find()
        self._settings = config.settings(given.config, {"state": given.state, "seal_key": given.key}, service.settings_of(self._factories))
        self._state: Path = self._settings["state"]
        self._backups = Path(given.place).absolute() if given.place else config.backups(self._settings)
        self._records = service.records_of(self._factories, Hub.core_records)
        self._invariants = list(chain.from_iterable(getattr(factory, "invariants", ()) for factory in self._factories))
        self.found: dict[str, Any] = {}

    def verify(self) -> None:
        with self._directory() as directory:
            found = verify(directory, self._records, self._invariants, until=self._given.until, whole=self._given.until is None)
        self.found = found._asdict()

    def backup(self) -> None:
        with self._directory() as directory:
            path = backups.back_up(directory, self._backups, __version__, until=self._given.until)
        made = backups.read_list(path)
        self.found = {"backup": str(path), "at": made.at, "commits": made.number, "head": made.head, "bytes": made.bytes}
        if self._given.kept:
            try:
                backups.prune(self._backups, self._given.kept)
            except OSError as fault:
                # The new one is there nevertheless. If this were an error, backup after backup would be made.
                self.found["not_removed"] = disk_fault(fault)

    def restore(self) -> None:
        with self._directory(make=True) as directory:
            journal = backups.restore(Path(self._given.file), directory, until=self._given.until)
        self.found = {"state": str(self._state), "commits": journal.number, "head": journal.head.decode()}

    def drill(self) -> None:
        result = drill(self._backups, self._keys(), self._records, self._invariants)
        self.found = msgspec.structs.asdict(result)

    def export(self) -> None:
        with self._directory() as directory:
            pieces = export(directory, self._records)
            path = Path(self._given.file)
            if self._given.file == _STREAM:
                sys.stdout.buffer.writelines(pieces)
                return
            if path.exists() and not path.is_file():
                # A pipe, say, or /dev/stdout, which must not be replaced by a file.
                with path.open("wb") as stream:
                    stream.writelines(pieces)
                return
            path = path.resolve()
            RealDirectory(path.parent).write(path.name, pieces)
        self.found = {"file": str(path), "bytes": path.stat().st_size}

    def import_(self) -> None:
        path = Path(self._given.file)
        with self._directory(make=True) as directory:
            lines = sys.stdin.buffer if self._given.file == _STREAM else RealDirectory(path.absolute().parent).lines(path.name)
            head = take_in(lines, path.name, directory, self._records, self._invariants)
        self.found = {"state": str(self._state), "commits": head.number, "head": head.hash}

    def head(self) -> None:
        with self._directory() as directory:
            journal = Journal(directory, self._given.until)
            for _ in journal.walk():
                pass
        self.found = {"commits": journal.number, "head": journal.head.decode()}

    def upgrade(self) -> None:
        if self._is_backup and not self._given.dry_run:
            raise CannotStart(f"{self._state} is a backup (it has a {backups.LIST}), which stays as it is; --dry-run looks at it")
        with self._directory() as directory:
            found = upgrade(directory, self._records, dry_run=self._given.dry_run)
        self.found = found._asdict() | {"done": not self._given.dry_run}

    def keys(self) -> None:
        """It reads first lines alone, so a daemon may run."""
        self._refuse_another()
        days = self._given.archive_days
        days = self._settings["archive_days"] if days is None else days
        uses = rotation.uses(RealDirectory(self._state, self._keys()), self._backups, days)
        if self._given.json:
            self.found = {"keys": list(map(msgspec.structs.asdict, uses))}
        else:
            self.found = {use.key or "(plain)": rotation.described(use) for use in uses}

    def _keys(self) -> Keys:
        return find(self._settings["seal_key"], beside=self._state)

    def _refuse_another(self) -> None:
        """
        @raise CannotStart: there is no such directory, or nothing of a hub in it: otherwise an empty one would be found well.
        """
        if not self._state.is_dir():
            raise CannotStart(f"there is no directory {self._state}")
        names = [path.name for path in self._state.iterdir()]
        if not segment_names(names) and not snapshot_names(names):
            raise CannotStart(f"there is neither a journal nor a snapshot in {self._state}")

    @property
    def _is_backup(self) -> bool:
        return (self._state / backups.LIST).exists()

    @contextmanager
    def _directory(self, *, make: bool = False) -> Iterator[RealDirectory]:
        """The state directory, or a backup, with no daemon in it."""
        if not make:
            self._refuse_another()
        directory = RealDirectory(self._state, self._keys())
        if not make and (self._given.until is not None or self._is_backup):
            yield directory
            return
        try:
            directory.hold()
        except OSError as fault:
            # On a read-only file system nobody writes, so there is nobody to keep out.
            if fault.errno != errno.EROFS or make:
                raise
        try:
            yield directory
        finally:
            directory.release()


def run(given: Namespace) -> int:
    """
    @return: the exit status: 0; 1 if something is damaged; 2 if it could not be done.
    """
    if given.gently:
        give_way()
    try:
        tool = Tool(given)
        given.call(tool)
    except Broken as fault:
        return _end(given, {"bad": str(fault), "file": fault.file, "line": fault.line}, BAD)
    except InUse as refusal:
        return _end(given, {"refused": f"{refusal}; {_ASK}"}, CANNOT)
    except (CannotStart, NoKey, backups.CannotRestore, config.BadSetting, service.BadServices) as refusal:
        return _end(given, {"refused": str(refusal)}, CANNOT)
    except BrokenPipeError:
        raise  # Nobody reads what is printed.
    except OSError as fault:
        return _end(given, {"refused": disk_fault(fault)}, CANNOT)
    except MemoryError:
        return _end(given, {"refused": NO_MEMORY}, CANNOT)
    return _end(given, tool.found, WELL if tool.found.get("passed", True) else BAD)


def _end(given: Namespace, found: dict[str, Any], status: int) -> int:
    # A path may have bytes that are not text.
    found = {name: value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value for name, value in found.items()}
    if given.json:
        print(msgspec.json.encode({**found, "status": status}).decode())
    elif status != WELL and "passed" not in found:
        print(f"securehub: {found.get('bad') or found.get('refused')}", file=sys.stderr)
    else:
        width = max(map(len, found), default=0)
        for name, value in found.items():
            print(f"{name:{width}}  {_shown(value)}")
    return status


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if isinstance(value, dict):
        return ", ".join(f"{each}: {count}" for each, count in value.items()) or "none"
    if isinstance(value, list):
        return "; ".join(map(str, value)) or "none"
    return "-" if value in ("", None) else str(value)


def _whole(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError
    return number


# What argparse says that a value is not.
_whole.__name__ = "whole number"


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what C{securehub store} is given."""
    tools = parser.add_subparsers(required=True, metavar="TOOL")
    common = ArgumentParser(add_help=False)
    common.add_argument("--config", metavar="FILE", type=Path, help="the hub's configuration file")
    common.add_argument("--state", metavar="DIR", help="the state directory")
    common.add_argument("--key", metavar="SOURCE", help="where the key is, instead of the setting seal_key")
    common.add_argument("--json", action="store_true", help="tell the outcome as JSON")
    common.add_argument("--gently", action="store_true", help="run with low priority")
    common.set_defaults(place=None, until=None, file=None)
    made = {}
    for name, (call, text) in _TOOLS.items():
        made[name] = tools.add_parser(name, parents=[common], help=text, description=text[0].upper() + text[1:] + ".")
        made[name].set_defaults(call=call)
    for name in ("verify", "backup", "head", "restore"):
        made[name].add_argument(
            "--until", metavar="N", type=_whole, help="only up to commit N; a daemon may run meanwhile, except for restore"
        )
    for name in ("backup", "drill", "keys"):
        made[name].add_argument("--backups", metavar="DIR", dest="place", help="where backups are kept")
    made["backup"].add_argument("--kept", metavar="N", type=_whole, default=0, help="remove all but the newest N")
    made["keys"].add_argument("--archive-days", metavar="N", type=_whole, help="instead of the setting archive_days")
    made["restore"].add_argument("file", metavar="BACKUP", help="the directory of the backup")
    made["export"].add_argument(
        "file", metavar="FILE", nargs="?", default=_STREAM, help="the file to write; without it, or with -, the standard output"
    )
    made["import"].add_argument("file", metavar="FILE", help="the file that export wrote; - for the standard input")
    made["upgrade"].add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")


_TOOLS = {
    "verify": (Tool.verify, "check every line, the chain, the snapshots and the books"),
    "backup": (Tool.backup, "make a backup, without any key"),
    "restore": (Tool.restore, "put a backup into a state directory that has no journal"),
    "drill": (Tool.drill, "open the newest backup, replay it and verify it"),
    "export": (Tool.export, "write all records as plain JSON lines"),
    "import": (Tool.import_, "make a state directory from an export"),
    "head": (Tool.head, "show the newest commit and its hash"),
    "keys": (Tool.keys, "show what each key is needed for"),
    "upgrade": (Tool.upgrade, "bring all records into this version's form"),
}
