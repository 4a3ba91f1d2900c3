"""
Declarations of commands.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from securehub import arguments
from securehub.arguments import argument
from securehub.command import (
    ADMIN,
    ANYONE,
    LOGGED_IN,
    MEMBER,
    ROLES,
    TREASURER,
    Access,
    Audited,
    command,
    declared_by,
    last_seen,
    named,
    optional,
    prompted,
    role,
)
from securehub.refusals import Forbidden, NotLoggedIn
from securehub.reply import Listing, Reply, Row
from securehub.services.ledger import movement


class Told(Reply, frozen=True):
    """A reply."""

    text: str


class Item(Row, frozen=True):
    """An item of a list."""

    text: str


class Example:
    """A service."""

    @command("SAY", access=MEMBER, writes=True, room=arguments.word, text=arguments.text, from_=named(arguments.username))
    def say(self, session: object, room: str, text: str, from_: str | None = None) -> Told:
        """
        Say something.

        Everybody
        hears it.
        """
        return Told(text)

    async def is_known(self, session: object) -> bool:
        """somebody knows you"""
        return True

    @command("ENTER", access=ANYONE, secret=prompted(arguments.password, "Secret", unless=is_known))
    async def enter(self, session: object, secret: str | None = None) -> None:
        """Enter."""

    @command(None, access=ANYONE, writes=True, keyed=False, secret=prompted(arguments.password, "Secret"), word_=optional(arguments.word))
    async def import_(self, session: object, secret: str, word_: str = "") -> None:
        """Import."""


class DeclarationTests(SynchronousTestCase):
    """From one declaration comes all that is known about a command."""

    def setUp(self) -> None:
        self.service = Example()
        self.say, self.enter, self.imports = (each.bound(self.service, "example", {}) for each in declared_by(self.service))

    def test_what_is_declared(self) -> None:
        self.assertEqual((self.say.name, self.say.verb, self.say.access), ("example.say", "SAY", MEMBER))
        self.assertEqual((self.say.summary, self.say.manual), ("Say something.", "Everybody\nhears it."))
        self.assertEqual((self.say.result, self.imports.result), (Told, None))
        self.assertEqual([each.name for each in self.say.parameters], ["room", "text", "from"])
        self.assertEqual(self.imports.name, "example.import")
        self.assertEqual([each.name for each in self.imports.parameters], ["secret", "word"])

    def test_usage(self) -> None:
        self.assertEqual(self.say.usage, "SAY room [from=...] [key=...] text...")
        self.assertEqual(self.imports.usage, "example.import [secret] [word]")

    def test_excused(self) -> None:
        """A parameter that may turn out not to be needed says when that is, and its question is the service's own."""
        (secret,) = self.enter.parameters
        assert secret.unless is not None
        self.assertEqual(secret.unless, self.service.is_known)
        self.assertEqual((self.enter.usage, secret.required), ("ENTER [secret]", False))
        self.assertEqual(secret.needed, "required unless somebody knows you; asked for in text")

    def test_needed(self) -> None:
        """What the reference says of each parameter."""
        self.assertEqual(
            [each.needed for each in self.say.wire_parameters], ["required", "required", "optional, by name", "optional, by name"]
        )
        self.assertEqual([each.needed for each in self.imports.parameters], ["required; asked for in text", "optional"])

    def test_keys(self) -> None:
        """What writes takes one, unless it says that it does not."""
        self.assertEqual((self.say.keyed, self.imports.keyed), (True, False))
        self.assertEqual(self.say.wire_parameters[-1].name, "key")
        self.assertEqual(self.imports.wire_parameters, self.imports.parameters)

    def test_moves(self) -> None:
        """What moves money writes, takes a key and can be tried; its reply has room for warnings."""

        class Bank:
            @command("PAY", access=ANYONE, moves=True, amount=arguments.amount)
            def pay(self, session: object, amount: object) -> movement.Deposited:
                """Pay."""
                return movement.Deposited(1, "1.00", "USD")

        (pay,) = declared_by(Bank())
        self.assertEqual((pay.writes, pay.keyed, pay.moves), (True, True, True))
        self.assertEqual([each.name for each in pay.wire_parameters], ["amount", "key", "try"])

        def wrong(self: Any, session: object) -> Told:
            """Pay without a word of warning."""
            return Told("")

        self.assertRaises(TypeError, command("PAY", access=ANYONE, moves=True), wrong)

    def test_bound(self) -> None:
        """The function is the service's own."""
        self.assertEqual(self.say.function(None, "lobby", "hello"), Told("hello"))

    def test_limits_are_settings(self) -> None:
        class Limited:
            @command("NAME", access=ANYONE, name=arguments.name)
            def name(self, session: object, name: str) -> None:
                """Name."""

        bound = declared_by(Limited())[0].bound(Limited(), "example", {"name_characters": 3})
        self.assertIn("up to 3 characters", bound.parameters[0].type.expected)

    def test_not_every_method_is_a_command(self) -> None:
        """Nor is what is declared and then overridden by something else."""

        class Silent(Example):
            say = None

        self.assertEqual([each.name for each in declared_by(self.service)], ["say", "enter", "import"])
        self.assertEqual(declared_by(object()), [])


class DisagreementTests(SynchronousTestCase):
    """A function that disagrees with its declaration is found when its module is imported."""

    def refused(self, function: Callable[..., Any], **declared: Any) -> None:
        self.assertRaises(TypeError, command("X", access=ANYONE, **declared), function)

    def test_other_parameters(self) -> None:
        def one(self: Any, session: object, a: str) -> None:
            """One."""

        self.refused(one)
        self.refused(one, b=arguments.word)
        self.refused(one, a=arguments.word, b=arguments.word)

    def test_another_order(self) -> None:
        def two(self: Any, session: object, a: str, b: str) -> None:
            """Two."""

        self.refused(two, b=arguments.word, a=arguments.word)

    def test_defaults(self) -> None:
        """What is optional has one, what is not has none."""

        def needs(self: Any, session: object, a: str) -> None:
            """Needs."""

        def takes(self: Any, session: object, a: str = "") -> None:
            """Takes."""

        self.refused(needs, a=optional(arguments.word))
        self.refused(needs, a=named(arguments.word))
        self.refused(takes, a=arguments.word)
        self.refused(takes, a=prompted(arguments.word, "Word"))
        # None would be told from a word, an empty word would not.
        self.refused(takes, a=prompted(arguments.word, "Word", unless=Example.is_known))
        self.refused(needs, a=prompted(arguments.word, "Word", unless=Example.is_known))

    def test_a_text_in_the_middle(self) -> None:
        """It would take the words of those behind it."""

        def two(self: Any, session: object, a: str, b: str) -> None:
            """Two."""

        self.refused(two, a=arguments.text, b=arguments.word)

    def test_no_docstring(self) -> None:
        """It is what HELP says."""

        def silent(self: Any, session: object) -> None:
            pass

        self.refused(silent)

    def test_no_reply(self) -> None:
        """Programs are told what comes, so every command says what it returns: replies, or None."""

        def hides(self: Any, session: object):  # type: ignore[no-untyped-def]
            """Hide."""

        def babbles(self: Any, session: object) -> str:
            """Babble."""
            return "b"

        def may_babble(self: Any, session: object) -> Told | dict[str, str]:
            """Babble, or tell."""
            return {}

        def may_tell(self: Any, session: object) -> Told | Listing[Item] | None:
            """Tell, or not."""
            return None

        for wrong in (hides, babbles, may_babble):
            self.refused(wrong)
        command("X", access=MEMBER)(may_tell)

    def test_replies_for_keys(self) -> None:
        """What a repeat is answered with is made of what was kept, so it is of one class."""

        def either(self: Any, session: object) -> Told | Listing[Item]:
            """Tell, or list."""
            return Told("")

        def lists(self: Any, session: object) -> Listing[Item]:
            """List."""
            return Listing([])

        for several in (either, lists):
            self.refused(several, writes=True)
            command("X", access=MEMBER, writes=True, keyed=False)(several)

    def test_verbs_that_nobody_can_type(self) -> None:
        def good(self: Any, session: object) -> None:
            """Good."""

        for verb in ("", "GO ON", "{GO", "[", "*", "GRÜSS", "5TH", "GO\n", '"GO"', "A=B"):
            error = self.assertRaises(TypeError, command(verb, access=MEMBER), good)
            self.assertIn(repr(verb), str(error))
        for verb in ("GO", "go", "HUB.PING", "go-on_2"):
            command(verb, access=MEMBER)(good)

    def test_parameters_of_the_hub(self) -> None:
        """What the hub adds would take the place of a parameter of that name: the request would carry a key that does nothing."""

        def unlocks(self: Any, session: object, key: str) -> None:
            """Unlock."""

        def tries(self: Any, session: object, try_: str) -> movement.Deposited:
            """Try."""
            return movement.Deposited(1, "1.00", "USD")

        def twice(self: Any, session: object, from_: str, from__: str) -> None:
            """Twice."""

        def lists(self: Any, session: object, before: str = "", after: str = "") -> None:
            """List."""

        self.refused(unlocks, writes=True, key=arguments.word)
        self.refused(lists, before=named(arguments.word), after=last_seen(arguments.word))
        self.refused(tries, moves=True, try_=arguments.word)
        self.refused(twice, from_=arguments.word, from__=arguments.word)
        command("X", access=MEMBER, key=arguments.word)(unlocks)

    def test_no_access(self) -> None:
        """Nothing is open to anybody by oversight."""

        def good(self: Any, session: object) -> None:
            """Good."""

        self.assertRaises(TypeError, command, "X")
        for access in (None, "anyone", True):
            self.assertRaises(TypeError, command("X", access=access), good)  # type: ignore[arg-type]
        self.assertRaises(TypeError, Access, False, False, "admin", "whoever asks")
        self.assertRaises(TypeError, Access, False, True, None, "whoever asks")

    def test_an_audit_of_nothing(self) -> None:
        """An entry is written with the effect, so there has to be one."""

        def looks(self: Any, session: object) -> None:
            """Look."""

        self.refused(looks, audited=Audited.ALWAYS)

    def test_waiting_for_a_turn(self) -> None:
        """It waits before it begins, and whoever changes something must not have asked for it in vain."""

        def waits(self: Any, session: object) -> None:
            """Wait."""

        self.refused(waits, long=True)
        self.assertRaises(TypeError, command("X", access=MEMBER, long=True, writes=True), waits)
        command("X", access=MEMBER, long=True)(waits)


class AccessTests(SynchronousTestCase):
    """Who may use what."""

    def test_nobody(self) -> None:
        ANYONE.check(None, False)
        for access in (LOGGED_IN, MEMBER, TREASURER, ADMIN):
            self.assertRaises(NotLoggedIn, access.check, None, False)

    def test_members(self) -> None:
        for access in (ANYONE, LOGGED_IN, MEMBER):
            access.check((), False)
        self.assertRaises(Forbidden, TREASURER.check, (), False)
        self.assertRaises(Forbidden, TREASURER.check, ("admin", "seller"), False)
        TREASURER.check(("admin", "treasurer"), False)

    def test_the_operator(self) -> None:
        """Every role, and no account."""
        for access in (ANYONE, LOGGED_IN, *map(role, ROLES)):
            access.check(ROLES, True)
        self.assertRaises(Forbidden, MEMBER.check, ROLES, True)

    def test_as_a_question(self) -> None:
        self.assertTrue(ADMIN.allows(("admin",), False))
        self.assertFalse(ADMIN.allows((), False))
        self.assertFalse(ADMIN.allows(None, False))


class TypeTests(SynchronousTestCase):
    """Types of arguments that say more than their function does."""

    def test_argument(self) -> None:
        @argument(accepts=(list,), multiline=True)
        def things(value: Any) -> list[str]:
            """some things"""
            return list(value)

        self.assertEqual((things.accepts, things.multiline, things.expected), ({list}, True, "some things"))
