"""
The vault: what it seals only it opens, and its key outlives a restart.
"""

from __future__ import annotations

import stat
from pathlib import Path
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from securehub.store.files import RealDirectory
from securehub.vault import KEY_FILE, BadKey, CannotOpen, Vault
from tests.disk import MemoryDirectory


class VaultTests(SynchronousTestCase):
    """Sealed with authenticated encryption, for a purpose."""

    def setUp(self) -> None:
        self.directory = MemoryDirectory()
        self.random = Random(1)
        self.vault = self.loaded(self.directory, first_start=True)

    def loaded(self, directory: MemoryDirectory, *, first_start: bool = False) -> Vault:
        vault = Vault(directory, self.random)
        vault.load(first_start=first_start)
        return vault

    def test_opened(self) -> None:
        """Also after a power cut: the key is on the disk before anything is sealed."""
        sealed = self.vault.seal(b"a secret", "alice's")
        self.assertNotIn(b"a secret", sealed)
        again = self.loaded(self.directory.crashed())
        self.assertEqual(again.open(sealed, "alice's"), b"a secret")

    def test_as_it_was_sealed(self) -> None:
        """What an earlier version has sealed is opened, and a mark that it has made is the same."""
        vault = self.loaded(MemoryDirectory({KEY_FILE: b"0" * 64}))
        sealed = "e96ca283e1068a3bf5b165224a58b791df6af1d8f9892087945e9116eb8d1c2a9dac97187e9216fa1b4997c9"
        self.assertEqual(vault.open(bytes.fromhex(sealed), "alice"), b"a secret")
        self.assertEqual(vault.mark("a secret").hex(), "41939ce84cd0c980257ec328b7e4369e")

    def test_never_the_same(self) -> None:
        """Each sealing has a nonce of its own."""
        self.assertEqual(len({self.vault.seal(b"a secret", "alice's") for _ in range(100)}), 100)

    def test_purpose(self) -> None:
        """What was sealed for alice cannot be passed off as bob's."""
        sealed = self.vault.seal(b"a secret", "alice's")
        raised = self.assertRaises(CannotOpen, self.vault.open, sealed, "bob's")
        self.assertEqual(str(raised), "bob's is not what was sealed for it")

    def test_changed(self) -> None:
        """A single bit, anywhere, or a part that is missing."""
        sealed = self.vault.seal(b"a secret", "alice's")
        for place in range(len(sealed)):
            changed = bytearray(sealed)
            changed[place] ^= 1
            self.assertRaises(CannotOpen, self.vault.open, bytes(changed), "alice's")
            self.assertRaises(CannotOpen, self.vault.open, sealed[:place], "alice's")

    def test_another_key(self) -> None:
        """It is said that the key is the matter, so that somebody looks for the right one."""
        sealed = self.vault.seal(b"a secret", "alice's")
        other = self.loaded(MemoryDirectory(), first_start=True)
        raised = self.assertRaises(CannotOpen, other.open, sealed, "alice's")
        self.assertEqual(str(raised), "alice's was sealed under another key than the one in vault.key")

    def test_a_missing_key(self) -> None:
        """Where something may have been sealed, a new key is made with a warning; at the first start without one."""
        logged: list[str] = []
        self.patch(Vault.load.__globals__["_log"], "warn", lambda text, **_: logged.append(text))
        self.loaded(MemoryDirectory(), first_start=True)
        self.assertEqual(logged, [])
        self.loaded(self.directory)
        self.assertEqual(logged, [])
        self.loaded(MemoryDirectory())
        self.assertIn("put it back", logged[0])

    def test_no_key(self) -> None:
        """What is there and is no key is not replaced: it may be all that is left of one."""
        for content in (b"", b"0123", b"x" * 64, b"0" * 63, b"0" * 65, b"0" * 64 + b"\nmore\n"):
            damaged = MemoryDirectory({KEY_FILE: content})
            self.assertRaises(BadKey, self.loaded, damaged)
            self.assertEqual(damaged.files[KEY_FILE], content)

    def test_private(self) -> None:
        """Nobody else on the machine may read the key; an editor's line end does not matter."""
        path = Path(self.mktemp())
        Vault(RealDirectory(path), self.random).load(first_start=True)
        self.assertEqual(stat.S_IMODE((path / KEY_FILE).stat().st_mode), 0o600)
        key = (path / KEY_FILE).read_bytes()
        sealed = self.loaded(MemoryDirectory({KEY_FILE: key})).seal(b"a secret", "alice's")
        for written in (key.strip(), key.strip() + b"\r\n"):
            self.assertEqual(self.loaded(MemoryDirectory({KEY_FILE: written})).open(sealed, "alice's"), b"a secret")
