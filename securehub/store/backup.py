"""
Backups: making them while the daemon goes on, and putting one back in place.

A backup is a directory with the same files that a state directory has, up to one commit, and a list of them (C{backup.json}) that is
written last. No key is among them: not that of the vault, nor that of TLS, nor the one under which files may be sealed.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import IO

import msgspec

from securehub.store.chain import Broken, Journal
from securehub.store.disk import InUse, RealDisk
from securehub.store.files import GENTLE_BYTES, TEMPORARY, RealDirectory
from securehub.store.layout import ARCHIVE, number_of, segment_names, serial_of, snapshot_names

LIST = "backup.json"
FORMAT = 1

_PREFIX = "backup-"
_TIME = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(_PREFIX + r"([0-9]{8}T[0-9]{6}Z)-[0-9]+")

_TRIES = 3
"""How often a copy is tried, if the daemon puts files away meanwhile."""


class CannotRestore(Exception):
    """It would destroy something, or what is to be restored is not whole; the text says what."""


class Kept(msgspec.Struct, frozen=True):
    """A file of a backup."""

    bytes: int
    sha256: str


class Backup(msgspec.Struct, frozen=True):
    """
    What C{backup.json} says.

    @ivar format: its version.
    @ivar made_by: the version of SecureHub.
    @ivar at: when it was begun.
    @ivar number: of the last commit in it.
    @ivar head: the hash of the journal's last line in it.
    @ivar files: by name.
    """

    format: int
    made_by: str
    at: datetime
    number: int
    head: str
    files: dict[str, Kept]

    @property
    def bytes(self) -> int:
        """Of all files together."""
        return sum(each.bytes for each in self.files.values())


_decode = msgspec.json.Decoder(Backup).decode


def back_up(directory: RealDirectory, target: Path, made_by: str, *, until: int | None = None, at: datetime | None = None) -> Path:
    """
    Make a backup. The chain is checked while it is copied, so what is damaged is noticed now and not when it is needed.

    @param directory: the state directory; a daemon may write to it.
    @param target: where backups are kept; made if it is not there.
    @param until: the last commit that is to be in it; None for all, where no daemon writes.

    @return: the backup's directory.

    @raise Broken: the state directory is damaged.
    @raise InUse: another one is being made there.
    @raise OSError: it cannot be written; nothing is left of it.
    """
    at = at or datetime.now(UTC)
    with _alone(target):
        for left in target.glob(f"{_PREFIX}*{TEMPORARY}"):
            # What cannot be removed does not hinder a new backup; L{prune} tells of it.
            shutil.rmtree(left, ignore_errors=True)
        name = _PREFIX + _time_of_name(target, at)
        unfinished = target / (name + TEMPORARY)
        try:
            backup = _try(directory, unfinished, Backup(FORMAT, made_by, at, 0, "", {}), until)
            _write_whole(unfinished / LIST, msgspec.json.format(msgspec.json.encode(backup)) + b"\n")
            RealDirectory(unfinished).sync_names()
            finished = target / f"{name}-{backup.number}"
            unfinished.rename(finished)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        RealDirectory(target).sync_names()
    return finished


def _time_of_name(target: Path, at: datetime) -> str:
    """
    What tells a new backup from those that are there: when it was begun. But if the clock was ahead when the newest of them was made, a
    moment after that one: the newest has to be the last by its name, because all but the last are removed.
    """
    for newest in backups(target)[-1:]:
        begun = _begun(newest.name)
        assert begun is not None, newest
        at = max(at, begun + timedelta(seconds=1))
    return f"{at:{_TIME}}"


def read_list(path: Path) -> Backup:
    """
    What a backup says of itself.

    @raise Broken: it is not a backup, or a newer version made it.
    """
    try:
        found = _decode((path / LIST).read_bytes())
    except FileNotFoundError:
        raise Broken(str(path), 0, f"it is no backup: there is no {LIST} in it") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Broken(str(path / LIST), 0, str(error)) from None
    if found.format > FORMAT:
        raise Broken(str(path / LIST), 0, f"it has format {found.format}; this SecureHub reads up to {FORMAT}")
    return found


def backups(target: Path) -> list[Path]:
    """The whole backups in a directory, the newest last. Other things there (a packed backup, say) do not count."""
    return sorted(path for path in target.glob(f"{_PREFIX}*") if _begun(path.name) and path.is_dir())


def _begun(name: str) -> datetime | None:
    """When the backup of that name was begun; None if it cannot be the name of a backup."""
    found = _NAME.fullmatch(name)
    try:
        return datetime.strptime(found[1], _TIME).replace(tzinfo=UTC) if found else None
    except ValueError:
        # No calendar has that day.
        return None


def prune(target: Path, kept: int) -> None:
    """
    Remove all but the newest backups.

    @raise OSError: one that it names cannot be removed. The others are.
    """
    old = [*target.glob(f"{_PREFIX}*-*{TEMPORARY}"), *backups(target)[:-kept]]
    faults = []
    for path in old:
        try:
            # Under another name first, in case this is interrupted.
            left = path.rename(path.with_suffix(TEMPORARY))
            shutil.rmtree(left)
        except OSError as fault:
            faults.append(OSError(fault.errno, fault.strerror, str(path)))
    if faults:
        raise faults[0]


def check_files(path: Path) -> Backup:
    """
    Read all of a backup, and compare it with its list.

    @raise Broken: a file is missing, or another one.
    """
    backup = read_list(path)
    for name, kept in backup.files.items():
        try:
            digest, size = sha256(), 0
            with open(path / name, "rb") as file:
                while piece := file.read(1 << 20):
                    digest.update(piece)
                    size += len(piece)
        except FileNotFoundError:
            raise Broken(name, 0, "it is missing from the backup") from None
        if (size, digest.hexdigest()) != (kept.bytes, kept.sha256):
            raise Broken(name, 0, "it is not what was backed up")
    return backup


def restore(backup: Path, directory: RealDirectory, *, until: int | None = None) -> Journal:
    """
    Put a backup in place, in a state directory that has no journal. What else is there (keys, say) stays.

    Files get their names in such an order that a start finds everything, or refuses.

    @param until: the last commit that is to be there again; None for all.

    @return: the journal that was restored.

    @raise CannotRestore: there is a journal, which would be lost; or the backup does not reach that commit, or begins after it.
    @raise Broken: the backup is not whole.
    """
    refuse_used(directory)
    last = check_files(backup).number
    if until is not None and until > last:
        raise CannotRestore(f"the backup goes up to commit {last}, not to {until}")
    source = RealDirectory(backup, directory.keys)
    journal = Journal(source, until)
    try:
        try:
            files = _copy_journal(journal, directory.path, TEMPORARY)
        except Broken:
            if until is None or journal.segments:
                raise
            raise CannotRestore(f"the backup begins after commit {until}, and has no snapshot of it") from None
        snapshots = _copy_snapshots(source, directory.path, journal.number, TEMPORARY)
        if journal.begins and not snapshots:
            raise CannotRestore(f"the backup begins after commit {journal.begins}, and has no snapshot from before commit {journal.number}")
    except BaseException:
        for left in directory.path.glob(f"*{TEMPORARY}"):
            left.unlink()
        raise
    # A hub does not start on a journal without its beginning. So the beginning comes last, and after it the snapshots that could replace
    # it.
    for name in [*sorted(files, key=serial_of, reverse=True), *snapshots]:
        directory.rename(name + TEMPORARY, name)
    return journal


def refuse_used(directory: RealDirectory) -> None:
    """
    @raise CannotRestore: there is a journal in the directory.
    """
    names = [*directory.names(), *directory.names(ARCHIVE)]
    if segment_names(names) or snapshot_names(names):
        raise CannotRestore(f"{directory.path} has a journal. Move it away first (journal-*, snapshot-*, archive), and keep it")


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Keep others from making backups in the same place."""
    disk = RealDisk(target)
    try:
        disk.hold()
    except InUse:
        raise InUse(f"another backup is being made in {target}") from None
    try:
        yield
    finally:
        disk.release()


def _try(directory: RealDirectory, target: Path, backup: Backup, until: int | None) -> Backup:
    for _ in range(_TRIES - 1):
        target.mkdir(mode=0o700)
        try:
            return _copy(directory, target, backup, until)
        except FileNotFoundError:
            shutil.rmtree(target)
    target.mkdir(mode=0o700)
    return _copy(directory, target, backup, until)


def _copy(directory: RealDirectory, target: Path, backup: Backup, until: int | None) -> Backup:
    journal = Journal(directory, until)
    files = _copy_journal(journal, target)
    snapshots = _copy_snapshots(directory, target, journal.number)
    if journal.begins and not snapshots:
        raise FileNotFoundError(errno.ENOENT, "newer ones have taken the place of the snapshots; try again", str(directory.path))
    files |= snapshots
    return msgspec.structs.replace(backup, number=journal.number, head=journal.head.decode(), files=files)


def _copy_journal(journal: Journal, target: Path, ending: str = "") -> dict[str, Kept]:
    copied = {}
    copy: _Copy | None = None
    try:
        for link in journal.walk():
            if copy is None or copy.name != link.file:
                if copy is not None:
                    copied[copy.name] = copy.finish()
                copy = _Copy(target / (link.file + ending), link.file)
            copy.add(link.content)
        if copy is not None:
            copied[copy.name] = copy.finish()
    finally:
        if copy is not None:
            copy.close()
    return copied


def _copy_snapshots(directory: RealDirectory, target: Path, number: int, ending: str = "") -> dict[str, Kept]:
    """The snapshots that are of use with the journal up to a commit."""
    copied = {}
    for name in snapshot_names(directory.names()):
        if number_of(name) <= number:
            # The daemon may have removed it meanwhile, for a newer one.
            with suppress(FileNotFoundError):
                copied[name] = _copy_file(directory.lines(name), target / (name + ending), name)
    return copied


def _copy_file(content: Iterator[bytes], path: Path, name: str) -> Kept:
    copy = _Copy(path, name)
    try:
        for line in content:
            copy.add(line)
        return copy.finish()
    finally:
        copy.close()


class _Copy:
    """A file that is being written."""

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        self._file: IO[bytes] = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb")
        self._digest = sha256()
        self._size = self._unsynced = 0

    def add(self, content: bytes) -> None:
        self._file.write(content)
        self._digest.update(content)
        self._size += len(content)
        self._unsynced += len(content)
        if self._unsynced >= GENTLE_BYTES:
            self._sync()

    def finish(self) -> Kept:
        self._sync()
        self.close()
        return Kept(self._size, self._digest.hexdigest())

    def close(self) -> None:
        self._file.close()

    def _sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._unsynced = 0


def _write_whole(path: Path, content: bytes) -> None:
    copy = _Copy(path, path.name)
    copy.add(content)
    copy.finish()
