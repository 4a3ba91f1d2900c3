"""
State directories with books in them, for those who check, copy and move them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import mock

from securehub.money import Amount
from securehub.services.ledger import Ledger, movement
from securehub.services.ledger.accounts import open_account
from securehub.store import journal
from securehub.store.files import RealDirectory
from securehub.store.keys import PLAIN, Keys
from tests.disk import MemoryDirectory
from tests.rules.setting import CURRENCIES, NUMBERING, RECORDS
from tests.store.setting import Setting

INVARIANTS = Ledger.invariants
SNAPSHOT_AFTER = 3


class Books:
    """
    A store in memory in which ann and bob pay each other; what it leaves can be put on a real disk.

    @ivar setting: the store that is open now.
    """

    def __init__(self, keys: Keys = PLAIN) -> None:
        self.setting = Setting(disk=MemoryDirectory(keys=keys), records=RECORDS)
        for owner in ("ann", "bob"):
            self.do(open_account, owner, "main", CURRENCIES.default, NUMBERING, limit=1)
            self.do(movement.deposit, owner, Amount.parse("100"), "", "operator")
        self.settle()

    def do(self, rule: Any, *args: Any, **kwargs: Any) -> Any:
        return self.setting.transact(rule, *args, **kwargs, at=self.setting.clock.now())

    def pay(self, count: int = 1, memo: str = "for lunch") -> None:
        for _ in range(count):
            self.do(movement.pay, "ann", "bob", Amount.parse("0.01"), memo, None)
            self.settle()

    def settle(self) -> None:
        self.setting.settle()

    def restart(self, *, snapshot: bool = True) -> None:
        """Stop, and start again."""
        self.stop(snapshot=snapshot)
        self.setting = self.setting.crashed()

    def stop(self, *, snapshot: bool = True) -> None:
        """Stop: in peace and with a snapshot, or killed when all was synced."""
        if snapshot:
            with mock.patch.object(journal, "SNAPSHOT_AFTER", SNAPSHOT_AFTER):
                self.setting.close()

    @property
    def files(self) -> dict[str, bytes]:
        """All files, what was put away among the others."""
        return {name.rpartition("/")[2]: content for name, content in self.setting.disk.files.items()}

    def put(self, path: Path) -> RealDirectory:
        """All files in a directory of the real disk, a few names in the archive."""
        return put(path, self.setting.disk.files, self.setting.disk.keys)


def put(path: Path, files: dict[str, bytes], keys: Keys = PLAIN) -> RealDirectory:
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return RealDirectory(path, keys)


def taken(directory: RealDirectory) -> Setting:
    """A store on what a real directory holds."""
    files = {path.name: path.read_bytes() for path in directory.path.glob("*.jsonl")}
    return Setting(disk=MemoryDirectory(files, directory.keys), records=RECORDS)
