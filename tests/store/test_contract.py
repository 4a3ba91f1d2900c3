"""
The stores that there are keep the contract.
"""

from __future__ import annotations

from securehub.store.journal import JournalStore
from securehub.store.keys import Keys
from securehub.store.records import Record
from securehub.store.suspicious import SuspiciousStore
from tests.disk import MemoryDirectory
from tests.store import contract
from tests.store.setting import RECORDS, Setting


class JournalContract(contract.StoreContract):
    """The journal store, over a disk in memory."""

    def make_store(self, records: tuple[type[Record], ...] = RECORDS) -> Setting:
        return Setting(JournalStore, records=records)


class SealedContract(contract.StoreContract):
    """The journal store with a key."""

    def make_store(self, records: tuple[type[Record], ...] = RECORDS) -> Setting:
        return Setting(JournalStore, MemoryDirectory(keys=Keys(bytes(32), source="test")), records)


class SuspiciousContract(contract.StoreContract):
    """The suspicious store: whoever keeps the rules sees no difference."""

    def make_store(self, records: tuple[type[Record], ...] = RECORDS) -> Setting:
        return Setting(SuspiciousStore, records=records)
