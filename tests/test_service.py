"""
Services: how they are found, and when a hub refuses to start.
"""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent
from typing import Any, ClassVar

from twisted.internet.task import deferLater
from twisted.scripts.twistd import ServerOptions
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from securehub import arguments, config, plugins, service
from securehub.command import ANYONE, MEMBER, ROLES, TREASURER, command, prompted, role
from securehub.config import BadSetting, Setting
from securehub.dispatch import TURN_BYTES
from securehub.event import Event
from securehub.money import Amount
from securehub.remembering import IRemembers, page
from securehub.reply import Reply
from securehub.service import BadServices, records_of
from securehub.services.ledger.accounts import counterpart, first_account
from securehub.services.ledger.booking import booking
from securehub.services.ledger.movement import Paying, Transferred, spend
from securehub.services.ledger.records import Account
from securehub.store.records import Record
from securehub.store.transaction import ReadTransaction, Transaction
from tests.tools import called
from tests.world import World, installed

DICE = '''
"""Dice, from somebody else."""

from twisted.plugin import IPlugin
from zope.interface import provider

from securehub import arguments
from securehub.command import MEMBER, command
from securehub.reply import Reply
from securehub.service import IServiceFactory


class Roll(Reply, frozen=True):
    """What was rolled."""

    number: int

    def status(self) -> str:
        return f"You rolled {self.number}."


@provider(IPlugin, IServiceFactory)
class Dice:
    """Roll dice in front of witnesses."""

    name = "dice"

    def __init__(self, hub):
        self.below = hub.random.randrange

    @command("ROLL", access=MEMBER, sides=arguments.whole)
    def roll(self, session, sides) -> Roll:
        """
        Roll a die.

        It has as many sides as you like.
        """
        return Roll(self.below(max(1, sides)) + 1)
'''


class DistributionCase(SynchronousTestCase):
    """Another distribution, which has nothing but plugin modules."""

    def setUp(self) -> None:
        self.root = Path(self.mktemp()).absolute()
        self.directory = self.root / "securehub" / "plugins"
        self.directory.mkdir(parents=True)
        self.patch(sys, "path", [*sys.path, str(self.root)])
        self.patch(plugins, "__path__", [*plugins.__path__, str(self.directory)])
        known = set(sys.modules)
        self.addCleanup(lambda: [sys.modules.pop(name) for name in set(sys.modules) - known if name.startswith("securehub.plugins.")])

    def ship(self, module: str, content: str) -> None:
        (self.directory / f"{module}.py").write_text(dedent(content), encoding="utf-8")


class ThirdPartyTests(DistributionCase):
    """One file in another distribution adds a service."""

    def test_found(self) -> None:
        """Its commands work in both forms, and HELP knows them."""
        self.ship("dice", DICE)
        world = World(factories=service.find())
        alice = world.member("alice")
        self.assertEqual(alice.ask("ROLL 1"), ["  number  1", "OK You rolled 1."])
        self.assertEqual(alice.call("dice.roll", sides=1)["result"], {"number": 1})
        self.assertIn("  Roll a die.", alice.ask("HELP roll"))
        self.assertTrue(any("ROLL  " in line for line in alice.ask("HELP")))
        self.assertIn("dice.roll", {method["name"] for method in alice.call("rpc.discover")["result"]["methods"]})
        self.assertIn("dice", alice.call("hub.version")["result"]["services"])
        self.assertTrue(world.connect().ask("ROLL 1")[-1].startswith("ERR not-logged-in"))

    def test_found_where_its_distribution_is(self) -> None:
        """The directory has no C{__init__.py}, so it becomes a part of ours by itself."""
        from twisted.plugin import pluginPackagePaths

        self.assertIn(str(self.directory), pluginPackagePaths("securehub.plugins"))

    def test_listed(self) -> None:
        """C{securehub services} tells of it, or why a hub would not start."""
        self.ship("dice", DICE)
        status, output, complaints = called("services")
        self.assertEqual((status, complaints), (0, ""))
        self.assertIn("dice     Roll dice in front of witnesses. (securehub.plugins.dice)\n", output)
        self.assertIn("ledger   Accounts and payments. (securehub.services.ledger)\n", output)
        self.ship("broken", "import there_is_no_such_module\n")
        status, output, complaints = called("services")
        self.assertEqual((status, output, complaints.count("\n")), (1, "", 1))
        self.assertIn("broken.py cannot be imported", complaints)

    def test_its_settings(self) -> None:
        """The daemon and the tools read them from the file, also where the service itself is not wanted."""
        brings = 'own_settings = (Setting("dice", "most_sides", "1000", int, "Sides that a die may have."),)'
        source = DICE.replace('name = "dice"', f'name = "dice"\n    {brings}')
        self.ship("dice", source.replace("from securehub.reply", "from securehub.config import Setting\nfrom securehub.reply"))
        file = self.root / "hub.ini"
        file.write_text(f"[hub]\nservices = hub\nstate = {self.root / 'state'}\n[dice]\nmost_sides = 20\n", encoding="utf-8")
        options = ServerOptions()
        options.parseOptions(["-n", "securehub", "--config", str(file)])
        self.assertEqual(options.subOptions.settings["most_sides"], 20)
        _, _, complaints = called("store", "verify", "--config", str(file))
        self.assertNotIn("most_sides", complaints)
        self.ship("dice", "import there_is_no_such_module\n")
        sys.modules.pop("securehub.plugins.dice")
        error = self.assertRaises(SystemExit, ServerOptions().parseOptions, ["-n", "securehub", "--config", str(file)])
        self.assertIn("SecureHub cannot start: the plugin", str(error))

    def test_only_those_wanted(self) -> None:
        """In the order of the setting."""
        self.ship("dice", DICE)
        wanted = ["hub", "dice", "ledger", "auth"]
        self.assertEqual([each.name for each in service.find(wanted)], wanted)

    def test_those_that_every_hub_needs(self) -> None:
        """Without the ledger a start would end in a traceback, and without the members' logins nobody could use it."""
        for left in service.NEEDED:
            error = self.assertRaises(service.BadServices, service.find, [each for each in service.NEEDED if each != left])
            self.assertEqual(str(error), f"the setting services leaves out {left}; every hub needs auth, hub, ledger")

    def test_any_other_left_out(self) -> None:
        """The rest gets on without it, over a crash, too."""
        for name in sorted({each.name for each in installed()} - set(service.NEEDED)):
            world = World(factories=[each for each in installed() if each.name != name])
            world.member("alice")
            world.restart(crash=True)
            alice = world.back("alice")
            self.assertEqual(alice.call("ledger.balance")["result"]["balance"], "0.00", name)

    def test_imported_in_another_module(self) -> None:
        """It is found twice, and is the same one."""
        self.ship("dice", DICE)
        self.ship("games", "from securehub.plugins.dice import Dice\n")
        self.assertEqual([each.name for each in service.find()].count("dice"), 1)

    def test_broken(self) -> None:
        """A module that cannot be imported stops the start, and is named."""
        for content in ("import there_is_no_such_module\n", "def (:\n", "1 / 0\n"):
            self.ship("broken", content)
            error = self.assertRaises(BadServices, service.find)
            self.assertIn("broken", str(error))

    def test_a_command_that_disagrees_with_its_function(self) -> None:
        """Also stops the start, and does not wait for somebody to use it."""
        self.ship("dice", DICE.replace("def roll(self, session, sides)", "def roll(self, session, faces)"))
        self.assertRaises(BadServices, service.find)

    def test_a_command_without_access(self) -> None:
        """Stops the start: who may use it is never left open."""
        for wrong in ('@command("ROLL", sides', '@command("ROLL", access=None, sides', '@command("ROLL", access="members", sides'):
            self.ship("dice", DICE.replace('@command("ROLL", access=MEMBER, sides', wrong))
            error = self.assertRaises(BadServices, service.find)
            self.assertIn("access", str(error).replace("who may use it", "access"))

    def test_where_it_is_broken(self) -> None:
        """The text says which line: of the plugin, where the fault is found by what it calls."""
        lines = DICE.replace("sides)", "faces)").splitlines()
        line = next(number for number, text in enumerate(lines, 1) if "@command" in text)
        self.ship("dice", "\n".join(lines))
        self.assertIn(f"dice.py, line {line})", str(self.assertRaises(BadServices, service.find)))
        self.ship("dice", "def (:\n")
        self.assertIn("dice.py', 1,", str(self.assertRaises(BadServices, service.find)))

    def test_a_service_without_a_name(self) -> None:
        """Or with one that is no part of a command's name."""
        for name in ("", "name = None", 'name = ""', 'name = "Dice"', 'name = "my dice"', 'name = "di.ce"', 'name = "würfel"', "name = 5"):
            known = set(sys.modules)
            self.ship("dice", DICE.replace('name = "dice"', name))
            error = self.assertRaises(BadServices, service.find)
            self.assertIn("Dice", str(error))
            self.assertIn("has the name", str(error))
            for each in set(sys.modules) - known:
                del sys.modules[each]

    def test_a_start_that_fails(self) -> None:
        """The text says whose it is, and where."""
        lines = DICE.replace("self.below = hub.random.randrange", "self.below = hub.no_such_thing").splitlines()
        line = next(number for number, text in enumerate(lines, 1) if "no_such_thing" in text)
        self.ship("dice", "\n".join(lines))
        error = self.assertRaises(BadServices, World, factories=service.find())
        self.assertIn("the service dice cannot be made: AttributeError(", str(error))
        self.assertIn(f"dice.py, line {line})", str(error))

    def test_a_start_that_does_what_it_must_not(self) -> None:
        """It is told where in the service that was, not where in the hub it was found."""
        wrong = "hub.chores.every(0, self.roll)"
        lines = DICE.replace("self.below = hub.random.randrange", wrong).splitlines()
        line = next(number for number, text in enumerate(lines, 1) if wrong in text)
        self.ship("dice", "\n".join(lines))
        error = self.assertRaises(BadServices, World, factories=service.find())
        self.assertIn(f"dice.py, line {line})", str(error))

    def test_two_of_one_name(self) -> None:
        self.ship("dice", DICE)
        self.ship("dice2", DICE)
        error = self.assertRaises(BadServices, service.find)
        self.assertIn("dice", str(error))

    def test_two_versions(self) -> None:
        """Of which only one would be found; the text says where both are. The same place twice is one."""
        self.ship("dice", DICE)
        self.patch(plugins, "__path__", [*plugins.__path__, str(self.directory)])
        self.assertIn("dice", [each.name for each in service.find()])
        other = self.root / "older" / "securehub" / "plugins"
        other.mkdir(parents=True)
        (other / "dice.py").write_text(DICE, encoding="utf-8")
        self.patch(plugins, "__path__", [*plugins.__path__, str(other)])
        error = str(self.assertRaises(BadServices, service.find))
        self.assertIn(f"two plugins are named dice.py: {self.directory / 'dice.py'} and {other / 'dice.py'}", error)

    def test_one_that_has_the_name_of_ours(self) -> None:
        self.ship("dice", DICE.replace('name = "dice"', 'name = "ledger"'))
        self.assertRaises(BadServices, service.find)


class FindTests(SynchronousTestCase):
    """What is installed."""

    def test_ours(self) -> None:
        self.assertLessEqual({"admin", "auth", "hub", "ledger", "rpc"}, {each.name for each in service.find()})

    def test_missing(self) -> None:
        """The text says which there are."""
        error = self.assertRaises(BadServices, service.find, ["hub", "casino"])
        self.assertIn("casino", str(error))
        self.assertIn("ledger", str(error))


class Said(Reply, frozen=True):
    """A reply."""

    text: str = "x"


class Shouted(Reply, frozen=True):
    """Another reply."""


class Opaque(Reply, frozen=True):
    """A reply that is nothing in JSON."""

    what: complex


class One:
    """A service."""

    name = "one"

    def __init__(self, hub: Any) -> None:
        self.hub = hub

    @command("ONE", access=ANYONE)
    def say(self, session: object) -> Said:
        """Say."""
        return Said()


class Mute:
    """A service without commands."""

    name = "mute"

    def __init__(self, hub: Any) -> None:
        pass


class SameVerb(One):
    """Has a verb that another has."""

    name = "two"


class LikeOurs(One):
    """Has a verb of ours."""

    name = "three"

    @command("ping", access=ANYONE)
    def say(self, session: object) -> Said:
        """Say."""
        return Said()


class LikeAName:
    """Has a verb that is another's full name."""

    name = "four"

    def __init__(self, hub: Any) -> None:
        pass

    @command("HUB.PING", access=ANYONE)
    def say(self, session: object) -> Said:
        """Say."""
        return Said()


class Box(Record, frozen=True):
    """A record."""

    collection: ClassVar[str] = "box"
    size: int = 0


class OtherBox(Record, frozen=True):
    """Another that wants its place."""

    collection: ClassVar[str] = "box"


class LikeAMember(Record, frozen=True):
    """One that wants the place of the hub's own."""

    collection: ClassVar[str] = "member"


class ClashTests(SynchronousTestCase):
    """Two that want the same thing: the hub does not start, rather than choose."""

    def refused(self, *factories: Any) -> str:
        return str(self.assertRaises(BadServices, World, factories=[*installed(), *factories]))

    def test_fits(self) -> None:
        self.assertEqual(World(factories=[*installed(), One]).connect().ask("ONE")[-1], "OK")

    def test_names(self) -> None:
        self.assertIn("two commands are named one.say", self.refused(One, One))

    def test_verbs(self) -> None:
        """In whatever case; and a full name is a verb as well."""
        self.assertIn("ONE", self.refused(One, SameVerb))
        self.assertIn("PING", self.refused(LikeOurs))
        self.assertIn("HUB.PING", self.refused(LikeAName))

    def test_no_commands(self) -> None:
        self.assertIn("mute", self.refused(Mute))

    def test_collections(self) -> None:
        class WithBox(One):
            records = (Box,)

        class WithOtherBox(SameVerb):
            records = (OtherBox,)

        class WithMembers(One):
            records = (LikeAMember,)

        self.assertIn("box", self.refused(WithBox, WithOtherBox))
        self.assertIn("member", self.refused(WithMembers))
        self.assertEqual(records_of([WithBox, WithBox], []), [Box])


class Library(One):
    """A service with a role of its own."""

    name = "library"
    roles = ("librarian", "seller")

    def __init__(self, hub: Any) -> None:
        hub.switchboard.subscriptions.append(lambda tx, username: ())

    @command("SHELVE", access=role("librarian"))
    def shelve(self, session: object) -> Said:
        """Shelve a book."""
        return Said("shelved")


class RoleTests(SynchronousTestCase):
    """A service declares roles besides those of the hub."""

    def setUp(self) -> None:
        self.world = World(factories=[*installed(), Library])
        self.alice, self.operator = self.world.member("alice"), self.world.operator()

    def test_granted(self) -> None:
        """As all others are: from the next command on, with all that is told of it."""
        self.assertEqual(self.alice.ask("SHELVE"), ["ERR forbidden this needs the role librarian"])
        self.assertEqual(self.operator.ask("admin.grant alice Librarian"), ["OK alice has the roles member, librarian."])
        self.assertEqual(self.alice.ask("SHELVE")[-1], "OK")
        self.assertEqual(self.alice.call("hub.whoami")["result"]["roles"], ["member", "librarian"])
        self.assertEqual(self.operator.call("hub.whoami")["result"]["roles"], [*ROLES, "librarian"])
        self.assertIn("library.shelve", {each["name"] for each in self.alice.call("rpc.discover")["result"]["methods"]})
        self.assertEqual(self.operator.ask("admin.ungrant alice librarian"), ["OK alice has the roles member."])
        self.assertEqual(self.alice.ask("SHELVE"), ["ERR forbidden this needs the role librarian"])
        known = "treasurer, seller, agent, moderator, admin, librarian"
        self.assertEqual(self.operator.ask("admin.grant alice king"), [f"ERR bad-arguments role: 'king' is not one of {known}"])
        limit = self.operator.ask("ledger.set_role_limits librarian USD payment=5")
        self.assertEqual(limit, ["OK librarian in USD: a payment 5.00, a day without limit."])

    def test_without_the_service(self) -> None:
        """Who had the role keeps it and can do nothing with it; it can be taken away, and not be given. With the service it is back."""
        for name in ("alice", "bob"):
            if name == "bob":
                self.world.member("bob")
            self.operator.ask(f"admin.grant {name} librarian")
        self.world._factories = installed()
        self.world.restart()
        operator = self.world.operator()
        self.assertEqual(operator.call("admin.users")["result"]["items"][0]["roles"], ["member", "librarian"])
        self.assertTrue(operator.ask("admin.grant alice librarian")[-1].startswith("ERR bad-arguments role: 'librarian' is not one of"))
        self.assertEqual(operator.ask("admin.ungrant bob librarian"), ["OK bob has the roles member."])
        self.world._factories = [*installed(), Library]
        self.world.restart()
        alice, bob = self.world.connect(), self.world.connect()
        alice.ask("LOGIN alice correct-horse-battery")
        bob.ask("LOGIN bob correct-horse-battery")
        self.assertEqual((alice.ask("SHELVE")[-1], bob.ask("SHELVE")[-1]), ("OK", "ERR forbidden this needs the role librarian"))

    def test_nobody_declares_it(self) -> None:
        """A command for a role that nobody could be granted does not start."""

        class Forgetful(Library):
            roles = ()

        error = str(self.assertRaises(BadServices, World, factories=[*installed(), Forgetful]))
        self.assertEqual(error, "library.shelve needs the role librarian, which no service declares")

    def test_no_roles(self) -> None:
        """Nobody becomes a member or the operator by being granted a role, nor is one of these a word that could be typed."""
        for wrong in ("member", "operator", "Librarian", "chief librarian", "", 5, None):
            error = str(self.assertRaises(BadServices, World, factories=[*installed(), type("Odd", (Library,), {"roles": (wrong,)})]))
            self.assertIn(f"the service library declares the role {wrong!r}; a role has", error)


def whole(text: str) -> int:
    """A number of days."""
    if not text.isdecimal():
        raise ValueError("expected a whole number")
    return int(text)


class Lending(One):
    """A service with settings of its own."""

    name = "lending"
    own_settings = (
        Setting("lending", "loan_days", "14", whole, "Days for which something is lent."),
        Setting("lending", "loan_motto", "", str, "What is said besides.", live=True),
    )

    def __init__(self, hub: Any) -> None:
        self.settings = hub.settings

    @command("TERMS", access=ANYONE)
    def terms(self, session: object) -> Said:
        """Say for how long."""
        return Said(f"{self.settings['loan_days'] + 1} {self.settings['loan_motto']}")


class SettingTests(SynchronousTestCase):
    """A service brings settings."""

    def read(self, content: str) -> dict[str, Any]:
        path = Path(self.mktemp())
        path.write_text(content, encoding="utf-8")
        return config.settings(path, own=service.settings_of([Lending]))

    def test_read(self) -> None:
        """From the section of its name, as all others are; without the service there is no such setting."""
        self.assertEqual(self.read("")["loan_days"], 14)
        self.assertEqual(self.read("[lending]\nloan_days = 30\n[hub]\nport = 6000\n")["loan_days"], 30)
        for content, told in (
            ("[lending]\nloan_days = many\n", "loan_days = many: expected a whole number"),
            ("[hub]\nloan_days = 30\n", "there is no setting loan_days in section [hub]"),
            ("[lending]\nloan_weeks = 30\n", "there is no setting loan_weeks in section [lending]"),
        ):
            self.assertIn(told, str(self.assertRaises(BadSetting, self.read, content)))
        self.assertNotIn("loan_days", config.settings())

    def test_used(self) -> None:
        """It is there with its default, or as it was set."""
        self.assertEqual(World(factories=[*installed(), Lending]).connect().ask("TERMS")[-2:], ["  text  15 ", "OK"])
        self.assertEqual(World(factories=[*installed(), Lending], loan_days=20).connect().ask("TERMS")[-2:], ["  text  21 ", "OK"])

    def test_unfit(self) -> None:
        """Nothing that is the hub's or another's, nor what cannot be written down."""
        for wrong, told in (
            (Setting("hub", "loan_days", "14", whole, ""), "belongs into the section [lending]"),
            (Setting("lending", "Loan-Days", "14", whole, ""), "under a name of a-z 0-9 _"),
            (Setting("lending", "port", "14", whole, ""), "has the name of one of the hub's"),
            (Setting("lending", "loan_days", "many", whole, ""), "has a default that is none: expected a whole number"),
        ):
            odd = type("Odd", (Lending,), {"own_settings": (wrong,)})
            self.assertIn(told, str(self.assertRaises(BadServices, service.settings_of, [odd])))
        other = type("Other", (Lending,), {"name": "other", "own_settings": (Setting("other", "loan_days", "1", whole, ""),)})
        self.assertIn("has the name of one of lending's", str(self.assertRaises(BadServices, service.settings_of, [Lending, other])))


class UnfitTests(SynchronousTestCase):
    """Records that could not be kept, and replies that nobody could be told of: found at the start, not when it is too late."""

    def refused(self, factory: Any) -> str:
        return str(self.assertRaises(BadServices, World, factories=[*installed(), factory]))

    def test_records(self) -> None:
        class Nowhere(Record, frozen=True):
            pass

        class Leap(Record, frozen=True):
            collection: ClassVar[str] = "leap"
            version: ClassVar[int] = 3
            upgrades: ClassVar[dict[int, Any]] = {2: lambda fields: fields}

        class Hidden(Record, frozen=True):
            collection: ClassVar[str] = "hidden"
            v: int = 0

        class Unreadable(Record, frozen=True):
            collection: ClassVar[str] = "unreadable"
            either: Said | Shouted = Said()

        for records, text in (
            (Box, "is no tuple of classes"),
            ((Said,), "it is no class of records"),
            (("box",), "it is no class of records"),
            ((Nowhere,), "it has no collection"),
            ((Leap,), "it is version 3, and has no upgrade from version 1"),
            ((Hidden,), "it has a field v"),
            ((Unreadable,), "all Struct types must be tagged"),
        ):
            error = self.refused(type("Unfit", (One,), {"records": records}))
            self.assertIn("the records of the service one" if records is Box else "the service one cannot keep", error)
            self.assertIn(text, error)

    def test_memory(self) -> None:
        """Of which the export of a member's data, or even their erasure, would be the first to find that it is not there."""

        @implementer(IRemembers)
        class Forgetful(One):
            remembered = staticmethod(page)
            forget = None

            @staticmethod
            def refuse_to_forget(tx: ReadTransaction, username: str) -> None:
                """Nothing."""

        self.assertEqual(self.refused(Forgetful), "the service one is an IRemembers, and has no forget")

    def test_bounds(self) -> None:
        """By a setting that nobody brings."""

        class Odd(One):
            @command("ODD", access=ANYONE, word=arguments.argument(limit="most_letters")(arguments.word))
            def odd(self, session: object, word: str) -> None:
                """Odd."""

        self.assertIn("word is bounded by most_letters, and there is no such setting", self.refused(Odd))

    def test_replies(self) -> None:
        """One of them would keep everybody from all that rpc.discover says."""

        class Odd(One):
            @command("ODD", access=ANYONE)
            def odd(self, session: object) -> Opaque:
                """Odd."""
                return Opaque(1j)

        self.assertIn("the replies of one.odd cannot be described: ", self.refused(Odd))


class Faulty:
    """A service with faults."""

    name = "faulty"
    records = (Box,)

    def __init__(self, hub: Any) -> None:
        self.store = hub.store
        self.reactor = hub.reactor
        self.notes = {"count": _no_note}

    @command("BREAK", access=ANYONE)
    def break_(self, session: object) -> Said:
        """Break."""
        raise ZeroDivisionError("the secret is 12345")

    @command("BREAKLATER", access=ANYONE, writes=True, keyed=False)
    async def break_later(self, session: Any) -> Said:
        """Break in a rule."""
        return await session.transact(_spoil)

    @command("BREAKAFTER", access=ANYONE, writes=True, keyed=False, amount=arguments.amount)
    async def break_after(self, session: Any, amount: Amount) -> Said:
        """Break after the commit."""
        await session.transact(_fill)
        raise ZeroDivisionError

    @command("SNEAK", access=ANYONE)
    async def sneak(self, session: Any) -> None:
        """Write, without having declared it."""
        await session.transact(_fill)

    @command("WAIT", access=MEMBER, writes=True)
    async def wait(self, session: Any) -> Said:
        """Wait, and only then ask who it was."""
        await deferLater(self.reactor, 5)
        return await session.transact(_fill_for, session.member)

    @command("MISTAKE", access=ANYONE)
    async def mistake(self, session: object) -> None:
        """Answer, although it is declared that there is nothing to say."""
        return Said("a")  # type: ignore[return-value]

    @command("COUNT", access=ANYONE)
    async def count(self, session: object) -> Said:
        """Count boxes."""
        return await self.store.read(_count)


def _no_note() -> str:
    raise ZeroDivisionError


def _spoil(tx: Transaction) -> Said:
    tx.put("a", Box(1))
    raise KeyError("the secret is 12345")


def _fill(tx: Transaction) -> Said:
    tx.put("a", Box(1))
    return Said()


def _fill_for(tx: Transaction, username: str) -> Said:
    return _fill(tx)


def _count(tx: ReadTransaction) -> Said:
    return Said(str(tx.get(Box, "a")))


class Asking:
    """A service that trusts the dispatch."""

    name = "asking"

    def __init__(self, hub: Any) -> None:
        self.asked = ASKED

    @command("TELL", access=TREASURER, secret=prompted(arguments.password, "Secret"))
    def tell(self, session: object, secret: str) -> Said:
        """Tell a secret."""
        return Said()

    @command("READ", access=ANYONE)
    def read(self, session: object) -> Said:
        """Read something long."""
        self.asked.append(1)
        return Said("x" * TURN_BYTES)


ASKED: list[int] = []


class AskingTests(SynchronousTestCase):
    """What a command need not look after, as the dispatch does."""

    def setUp(self) -> None:
        self.world = World(factories=[*installed(), Asking])
        ASKED.clear()

    def test_no_more(self) -> None:
        """Whoever may no more when they answer what they were asked."""
        alice, operator = self.world.member("alice"), self.world.operator()
        operator.ask("admin.grant alice treasurer")
        self.assertEqual(alice.ask("TELL", "a secret"), ["* Secret:", "  text  x", "OK"])
        self.assertEqual(alice.ask("TELL"), ["* Secret:"])
        operator.ask("admin.ungrant alice treasurer")
        self.assertEqual(alice.ask("a secret"), ["ERR forbidden this needs the role treasurer"])

    def test_a_batch_without_answers(self) -> None:
        """What wants no answer may be much work all the same: others have their turn in between."""
        read = '{"jsonrpc":"2.0","method":"asking.read"}'
        client = self.world.connect()
        client.send(f"[{','.join([read] * 100)}]")
        self.assertLess(len(ASKED), 50)
        self.world.settle()
        self.assertEqual(len(ASKED), 100)

    def test_gone_in_the_middle_of_a_batch(self) -> None:
        """What is left when the others have had their turn is not carried out."""
        read = '{"jsonrpc":"2.0","id":1,"method":"asking.read"}'
        client = self.world.connect()
        client.send(f"[{','.join([read] * 10)}]")
        self.assertEqual(len(ASKED), 1)
        client.close()
        self.world.settle()
        self.assertEqual(len(ASKED), 1)


class FaultTests(SynchronousTestCase):
    """A fault of ours is logged under a number, says nothing of itself, and has changed nothing."""

    def setUp(self) -> None:
        self.world = World(factories=[*installed(), Faulty])
        self.client = self.world.connect()
        self.client.received()

    def test_internal(self) -> None:
        self.assertEqual(self.client.ask("BREAK"), ["ERR internal a fault of ours; nothing happened (incident 1)"])
        answer = self.client.call("faulty.break")["error"]
        self.assertEqual((answer["code"], answer["data"]), (-32603, {"code": "internal"}))
        self.assertIn("incident 2", answer["message"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    def test_in_a_rule(self) -> None:
        """Nothing of its transaction stays."""
        self.assertTrue(self.client.ask("BREAKLATER")[0].startswith("ERR internal"))
        self.assertIn("None", self.client.ask("COUNT")[0])
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_after_the_commit(self) -> None:
        """To say that nothing happened would be a lie, so nothing is said."""
        self.assertEqual(self.client.ask("BREAKAFTER 1"), [])
        self.assertTrue(self.client.closed)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_in_a_note(self) -> None:
        """A manual is read without its note, and nobody is kept from all others."""
        self.assertIn("  Count boxes.", self.client.ask("HELP count"))
        self.assertIn("result", self.client.call("rpc.discover"))
        self.assertTrue(self.flushLoggedErrors(ZeroDivisionError))

    def test_undeclared_writing(self) -> None:
        """What a command does not declare, it does not do."""
        self.assertTrue(self.client.ask("SNEAK")[0].startswith("ERR internal"))
        self.assertIn("None", self.client.ask("COUNT")[0])
        self.assertEqual(len(self.flushLoggedErrors(AssertionError)), 1)

    def test_undeclared_answer(self) -> None:
        """The tests' world tells whoever answers with anything but what the command declares."""
        self.assertTrue(self.client.ask("MISTAKE")[0].startswith("ERR internal"))
        (failure,) = self.flushLoggedErrors(AssertionError)
        self.assertIn("faulty.mistake answers Said(text='a'), and does not declare that", str(failure.value))

    def test_nobody_any_more(self) -> None:
        """Whose login has ended while a command waited is refused, whatever the command does next; that is no fault of anybody's."""
        alice, operator = self.world.member("alice"), self.world.operator()
        alice.send("WAIT")
        self.world.settle()
        operator.ask("admin.lock alice spam")
        self.world.elapse(5)
        ended = "ERR not-logged-in this session has ended in the meantime"
        self.assertEqual(alice.received(), [ended, "* Bye: the account is locked: spam"])
        operator.ask("admin.unlock alice")
        alice = self.world.connect()
        alice.ask("LOGIN alice correct-horse-battery")
        alice.send("WAIT")
        self.world.settle()
        alice.close()
        self.world.elapse(5)
        self.assertIn("None", self.client.ask("COUNT")[0])


class Rude:
    """A service whose greetings and subscriptions are faults, but for the last of each."""

    name = "rude"

    def __init__(self, hub: Any) -> None:
        hub.switchboard.greetings += [_stumble, _mumble, _greet]
        hub.switchboard.subscriptions += [_stumble, _listen]

    @command("RUDE", access=ANYONE, writes=True, keyed=False)
    async def rude(self, session: Any) -> None:
        """Be rude."""
        await session.transact(_be_rude)


class Hello(Event, frozen=True):
    """Hello."""

    method = "rude.hello"

    def text(self) -> str:
        return "hello"


def _stumble(tx: ReadTransaction, username: str) -> list[Event]:
    raise ZeroDivisionError


def _mumble(tx: ReadTransaction, username: str) -> list[Any]:
    return ["hm"]


def _listen(tx: ReadTransaction, username: str) -> list[str]:
    return ["rude/people"]


def _be_rude(tx: Transaction) -> None:
    tx.announce("rude/people", Hello())


def _greet(tx: ReadTransaction, username: str) -> list[Event]:
    return [Hello()]


class GreetingTests(SynchronousTestCase):
    """What is told and heard from a login on keeps nobody from it."""

    def test_faults(self) -> None:
        """Whose greeting or subscription is at fault is left out, and the log says so."""
        world = World(factories=[*installed(), Rude])
        alice = world.connect()
        alice.received()
        told = alice.ask("CREATE alice correct-horse-battery")
        self.assertTrue(told[0].startswith("OK Welcome"))
        self.assertEqual(told[1:], ["* hello"])
        self.assertEqual(alice.ask("RUDE"), ["OK", "* hello"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
        self.assertEqual(len(self.flushLoggedErrors(AttributeError)), 1)


class Raffle:
    """A service that takes members' money into a pot of its own."""

    name = "raffle"

    def __init__(self, hub: Any) -> None:
        self.booking = booking(hub)
        hub.own_references.append("raffle/")

    @command("TICKET", access=MEMBER, moves=True, price=arguments.amount)
    async def ticket(self, session: Any, price: Amount) -> Transferred:
        """Buy a ticket."""
        return await session.transact(_buy, session.member, price, **self.booking())


def _buy(tx: Transaction, username: str, price: Amount, *, at: Any, zone: Any, watchers: Any) -> Transferred:
    source = first_account(tx, username)
    account = tx.fetch(Account, source)
    pot = counterpart(tx, "@raffle", account.money, source)
    paying = Paying(source, account, *pot, account.money.units(price))
    return spend(tx, paying, "raffle", "", at=at, zone=zone, reference="raffle/1", watchers=watchers)


class MoneyTests(SynchronousTestCase):
    """What a service that moves money can do."""

    def test_pot(self) -> None:
        """The money lies at a counterpart of its own; the books are in order, and nobody but the service gives it back."""
        world = World(factories=[*installed(), Raffle])
        alice, operator = world.member("alice"), world.operator()
        operator.ask("DEPOSIT alice 10")
        alice.received()
        self.assertIn("Not done, only tried", alice.ask("TICKET 2.50 try=on")[-1])
        bought = alice.call("raffle.ticket", price="2.50", key="k")["result"]
        self.assertEqual(alice.call("raffle.ticket", price="2.50", key="k")["result"], bought)
        (row, *_) = alice.call("ledger.history")["result"]["items"]
        self.assertEqual((row["kind"], row["with"], row["amount"], row["balance"]), ("raffle", "@raffle", "-2.50", "7.50"))
        self.assertEqual({each["sum"].strip("0.") for each in operator.call("ledger.trial_balance")["result"]["items"]}, {""})
        refused = f"ERR conflict transfer {bought['transfer']} belongs to raffle 1; refund that"
        self.assertEqual(operator.ask(f"ledger.reverse {bought['transfer']} oops"), [refused])
