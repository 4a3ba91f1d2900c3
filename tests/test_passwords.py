"""
Which passwords may be set, and in which form they are compared.
"""

from __future__ import annotations

from importlib.resources import files

from twisted.trial.unittest import SynchronousTestCase

from securehub import arguments
from securehub.refusals import BadArgument
from securehub.services.auth.passwords import COMMON, refuse_weak
from tests.world import PASSWORD, World


class ListTests(SynchronousTestCase):
    """The list that is installed with the hub."""

    def test_content(self) -> None:
        """Some ten thousand passwords that would otherwise be taken, without doubles, as they are compared."""
        self.assertGreater(len(COMMON), 10_000)
        for password in COMMON:
            self.assertEqual(arguments.new_password(password), password)
            self.assertEqual(password.casefold(), password)
        self.assertLessEqual({"password", "12345678", "iloveyou", "qwertyuiop"}, COMMON)

    def test_licence(self) -> None:
        """It is beside the list, wherever that is."""
        licence = files("securehub.services.auth").joinpath("common-passwords.LICENSE.txt").read_text(encoding="utf-8")
        for words in ("Dan Wheeler and Dropbox", "Daniel Wolf", "MIT License", "Permission is hereby granted"):
            self.assertIn(words, licence)


class WeakTests(SynchronousTestCase):
    """What others would try first is not taken."""

    def refused(self, username: str, password: str, text: str) -> None:
        self.assertIn(text, str(self.assertRaises(BadArgument, refuse_weak, username, password)))

    def test_common(self) -> None:
        for password in ("password1", "PassWord1", "TRUSTNO1"):
            self.refused("alice", password, "one of the most common")

    def test_username(self) -> None:
        for password in ("alice-in-wonderland", "Alice-In-Wonderland"):
            self.refused("alice-in-wonderland", password, "is the username")

    def test_good(self) -> None:
        for password in (PASSWORD, "password1!-", "\u043f\u0430\u0440\u043e\u043b\u044c-\u043c\u043e\u0439", "alice-in-wonderland2"):
            refuse_weak("alice-in-wonderland", password)

    def test_asked_of_a_hub(self) -> None:
        """It is told before any work is done, and nobody has become a member."""
        world = World()
        guest = world.connect()
        computed = world.hashing.computed
        text = "ERR bad-arguments this password is one of the most common, and would be guessed first; choose another"
        self.assertEqual(guest.ask("CREATE alice", "Sunshine1")[1:], ["* Password:", text])
        answer = guest.call("auth.create", username="alice-wonder", password="Alice-Wonder")
        self.assertEqual(answer["error"]["data"]["code"], "bad-arguments")
        self.assertEqual(world.hashing.computed, computed)
        self.assertTrue(guest.ask("CREATE alice sunshine-4711")[-1].startswith("OK Welcome"))


class FormTests(SynchronousTestCase):
    """One name and one password, however a keyboard makes them."""

    def test_password(self) -> None:
        """The examples are those of RFC 8265, section 4.3, as far as they are mapped."""
        for written, kept in (
            ("correct horse battery staple", "correct horse battery staple"),
            ("Correct Horse Battery Staple", "Correct Horse Battery Staple"),
            ("\u03c0\u00df\u00e5", "\u03c0\u00df\u00e5"),
            ("Jack of \u2666s", "Jack of \u2666s"),
            ("foo\u1680bar", "foo bar"),
            ("caf\u0065\u0301", "caf\u00e9"),
            ("\uff46\uff4f\uff4f", "\uff46\uff4f\uff4f"),
            (" two  blanks ", " two  blanks "),
        ):
            self.assertEqual(arguments.password(written), kept)

    def test_length(self) -> None:
        """It is that of the form that is compared."""
        self.assertRaises(BadArgument, arguments.new_password, "e\u0301" * 7)
        self.assertEqual(arguments.new_password("e\u0301" * 8), "\u00e9" * 8)

    def test_login(self) -> None:
        """Set on one keyboard, typed on another."""
        world = World()
        alice = world.connect()
        alice.call("auth.create", username="alice", password="caf\u00e9\u00a0au lait")
        for password, code in (("cafe\u0301 au\u2003lait", None), ("cafe au lait", "bad-credentials")):
            answer = world.connect().call("auth.login", username="alice", password=password)
            self.assertEqual(answer.get("error", {}).get("data", {}).get("code"), code)

    def test_name(self) -> None:
        """Blanks of any kind are one blank, and none are at the ends."""
        self.assertEqual(arguments.name("\u3000Ame\u0301lie \u00a0 P. "), "Am\u00e9lie P.")
        self.assertRaises(BadArgument, arguments.name, "\u2003 \u00a0")
