"""
The import of what members had in other programs, from their files to the login.
"""

from __future__ import annotations

import io
import shutil
import sqlite3
from contextlib import closing, redirect_stderr, redirect_stdout
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from securehub import commandline, service
from securehub.clock import Clock
from securehub.hashing import hash_old
from securehub.hub import Hub
from securehub.imports import sources
from securehub.imports.offline import Offline
from securehub.imports.rules import MONTHS_AT_ONCE, Terms, bring, month_after
from securehub.imports.sources import Account, CannotRead, Month, Person, Secret
from securehub.money import Currencies
from securehub.refusals import BadArgument
from securehub.services.auth.records import Credential
from securehub.services.ledger import books
from securehub.services.ledger.accounts import Numbering
from securehub.store.files import RealDirectory
from tests.store.setting import at_once
from tests.world import CHEAP, World

SAMPLES = Path(__file__).with_name("samples") / "import"
CURRENCIES = Currencies.parse("USD:2", "USD")
TERMS = Terms(CURRENCIES.default, Numbering("999", "000"), "2026-10")


def old_hash(password: str) -> str:
    return sha256(password.encode()).hexdigest()


class Files(SynchronousTestCase):
    """Copies of the samples, which a test may spoil."""

    def setUp(self) -> None:
        self.place = Path(self.mktemp())
        shutil.copytree(SAMPLES, self.place)
        self.bank = self.place / "bank.db"
        self.execute((self.place / "bank.sql").read_text())

    def execute(self, script: str) -> None:
        with closing(sqlite3.connect(self.bank)) as bank:
            bank.executescript(script)


class SourceTests(Files):
    """What the files say, and what cannot be read of them."""

    def cannot(self, text: str, read: Any, *args: Any) -> None:
        self.assertIn(text, str(self.assertRaises(CannotRead, read, *args)))

    def test_budget(self) -> None:
        """Users, in small letters, with the months of their histories."""
        found = sources.read_budget(self.place / "budget")
        self.assertEqual(list(found.people), ["alice", "bob"])
        alice, bob = found.people.values()
        self.assertEqual(alice.secret, Secret(old_hash("down-the-hole"), True))
        self.assertEqual(alice.months[0], Month(Decimal("2000.0"), Decimal("900.5"), Decimal("650.1"), Decimal("200.0")))
        self.assertEqual((len(alice.months), bob.months), (2, ()))
        expected = (
            "Bob_budget_history.json: item 1: it has no actual_expenses",
            "'Zoë' is not a username",
            "gone_budget_history.json: it is of nobody",
        )
        for text, problem in zip(expected, found.problems, strict=True):
            self.assertIn(text, problem)

    def test_orders(self) -> None:
        """Only SHA-256 can be verified; an impossible number of orders is left out."""
        found = sources.read_orders(self.place / "orders.json")
        self.assertEqual(
            [(each.username, each.orders, bool(each.secret)) for each in found.people.values()], [("alice", 7, True), ("carol", 2, False)]
        )
        self.assertEqual(found.problems, ["orders.json: 'dave': orders is not a number of orders"])

    def test_bank(self) -> None:
        """Accounts of one username are one person's; what is owed is for people to book; a hash is never a password."""
        found = sources.read_bank(self.bank)
        alice = found.people["alice"]
        self.assertEqual((alice.name, alice.secret), ("Alice Liddell", Secret("down-the-hole", False)))
        self.assertEqual(
            [(each.number[-3:], each.balance) for each in alice.accounts],
            [("719", Decimal("125.1")), ("720", Decimal("0.30000000000000004"))],
        )
        self.assertEqual(found.people["eve"].accounts, (Account("002010077777777771", Decimal("10")),))
        self.assertIsNone(found.people["frank"].secret)
        self.assertEqual(found.problems, ["bank.db: 'mallory': the balance is -5.0; book by hand what is owed"])

    def test_bank_tables(self) -> None:
        """The table is found by its columns; where there are two, one has to be named."""
        self.execute("CREATE TABLE older (owner, username, password, balance, clabe)")
        self.cannot("there is not one table", sources.read_bank, self.bank)
        self.assertEqual(sources.read_bank(self.bank, "older").people, {})
        self.cannot("there is not the table 'x'; it has accounts, branches, older", sources.read_bank, self.bank, "x")

    def test_bank_rows(self) -> None:
        """Rows with something else in them are left out, each with its reason."""
        self.execute("DELETE FROM accounts")
        rows = (
            "'A', 'aa', '', 'much', '1'",
            "'B', 'bb', '', 1, 'a\nb'",
            "'C\nD', 'cc', '', 1, '1'",
            "'E', 5.5, '', 1, '1'",
            "'F', 'ff', '', 1e300, '1'",
        )
        for row in rows:
            self.execute(f"INSERT INTO accounts (owner, username, password, balance, clabe) VALUES ({row})")
        found = sources.read_bank(self.bank)
        self.assertEqual((found.people, len(found.problems)), ({}, len(rows)))

    def test_bank_doubles(self) -> None:
        """What two rows claim is one row's: nobody's money goes to somebody with almost the same name, and no account is booked twice."""
        self.execute("DELETE FROM accounts")
        for row in ("'A', 'aa', 'p', 1, '1'", "'A', 'AA', 'q', 2, '2'", "'A', ' aa ', 'p', 4, '1'", "'A', 'aa', 'p', 8, NULL"):
            self.execute(f"INSERT INTO accounts (owner, username, password, balance, clabe) VALUES ({row})")
        found = sources.read_bank(self.bank)
        self.assertEqual([each.accounts for each in found.people.values()], [(Account("1", Decimal(1)),)])
        expected = [
            "bank.db: 'AA': there is another aa, written differently",
            "bank.db: ' aa ': there is another account 1",
            "bank.db: 'aa': clabe is not the number of an account: 'None'",
        ]
        self.assertEqual(found.problems, expected)

    def test_bank_passwords(self) -> None:
        """A password that begins as a hash does is one all the same, and is kept in the form that a login gives it."""
        self.execute("DELETE FROM accounts")
        passwords = ("shadow", "$ecret", "md5", "cafe\u0301", "sha1$x$y", "$2b$12$x", "{SSHA}x", "pbkdf2_sha256$1$x$y", "scrypt:1:2$x")
        for number, password in enumerate(passwords):
            self.execute(f"INSERT INTO accounts (username, password, balance, clabe) VALUES ('u{number}', '{password}', 1, '{number}')")
        found = [each.secret and each.secret.text for each in sources.read_bank(self.bank).people.values()]
        self.assertEqual(found, ["shadow", "$ecret", "md5", "caf\u00e9", *[None] * 5])

    def test_where(self) -> None:
        """A problem names the file it is in, and the account that it is about."""
        self.execute("DELETE FROM accounts WHERE username != 'eve'")
        self.execute("UPDATE accounts SET balance = 'much'")
        (self.place / "orders.json").write_text('{"x": {}, "yy": {}, "YY": {}}')
        problems = sources.read_bank(self.bank).problems + sources.read_orders(self.place / "orders.json").problems
        expected = (
            "bank.db: 'eve': the balance of account 002010077777777771 is not a number: 'much'",
            "orders.json: 'x' is not a username",
            "orders.json: 'YY': there is another yy, written differently",
        )
        for text, problem in zip(expected, problems, strict=True):
            self.assertIn(text, problem)

    def test_files_of_another_kind(self) -> None:
        """They are refused as a whole, with their names."""
        file = self.place / "orders.json"
        for content, text in (
            ("[]", "is not an object of users"),
            ("{", "is not JSON"),
            ("[" * 100_000, "is not JSON"),
            ('{"a": NaN}', "NaN"),
            ('{"aa": {"orders": 1}, "aa": {"orders": 2}}', "'aa' stands twice"),
            ("9" * 5000, "digits"),
        ):
            file.write_text(content)
            self.cannot(text, sources.read_orders, file)
        self.cannot("No such file", sources.read_budget, self.place)
        self.cannot("file is not a database", sources.read_bank, file)
        self.cannot("there is no such file", sources.read_bank, self.place / "x.db")

    def test_one_person(self) -> None:
        """Who has one username everywhere is one person, and has the password of the first program."""
        found = sources.together(
            [sources.read_budget(self.place / "budget"), sources.read_orders(self.place / "orders.json"), sources.read_bank(self.bank)]
        )
        alice = found.people["alice"]
        self.assertEqual((alice.name, alice.orders, len(alice.months), len(alice.accounts)), ("Alice Liddell", 7, 2, 2))
        self.assertEqual(alice.secret, Secret(old_hash("down-the-hole"), True))
        self.assertEqual(list(found.people), ["alice", "bob", "carol", "eve", "frank"])


class BringTests(SynchronousTestCase):
    """What a hub takes in, and what members then find."""

    def setUp(self) -> None:
        self.world = World()
        self.operator = self.world.operator()

    def bring(self, person: Person, terms: Terms = TERMS, password: str = "old") -> list[list[str]]:
        steps, more = [], True
        while more:
            hashed = hash_old(CHEAP, old_hash(password))
            told, more = at_once(self.world.hub.store.transact(bring, person, hashed, terms, at=self.world.now()))
            steps.append(told)
        self.world.settle()
        return steps

    def credential(self, username: str) -> str:
        return str(at_once(self.world.hub.store.read(lambda tx: tx.fetch(Credential, username).hash)))

    def test_login(self) -> None:
        """The old password is good, however short, and from then on is kept as if it had been set here."""
        self.bring(Person("alice", "Alice Liddell"))
        self.assertTrue(self.credential("alice").startswith("$sha256$argon2id$"))
        self.assertNotIn(old_hash("old"), self.credential("alice"))
        client = self.world.connect()
        client.received()
        self.assertEqual(client.ask("LOGIN alice new"), ["ERR bad-credentials wrong name or password"])
        self.assertEqual(client.ask(f"LOGIN alice {old_hash('old')}"), ["ERR bad-credentials wrong name or password"])
        self.assertEqual(client.ask("LOGIN alice old"), ["OK Welcome back, alice. Last login 2026-11-19 18:02 UTC from the import."])
        self.assertTrue(self.credential("alice").startswith("$argon2id$"))
        again = self.world.connect()
        again.received()
        self.assertTrue(again.ask("LOGIN alice old")[-1].startswith("OK"))

    def test_money(self) -> None:
        """It comes from @import, in a balanced entry for each account, rounded to the currency's decimals."""
        accounts = (
            Account("032180000118359719", Decimal("125.1")),
            Account("1", Decimal("0.30000000000000004")),
            Account("2", Decimal("0")),
        )
        self.bring(Person("alice", accounts=accounts))
        client = self.world.connect()
        client.received()
        client.ask("LOGIN alice old")
        items = client.call("ledger.history")["result"]["items"]
        self.assertEqual(
            [(each["amount"], each["with"], each["kind"]) for each in items],
            [("0.30", "@import", "import"), ("125.10", "@import", "import")],
        )
        self.assertEqual(items[1]["memo"], "balance of account 032180000118359719")
        self.assertEqual(self.operator.call("ledger.trial_balance")["result"]["items"], [{"currency": "USD", "sum": "0.00"}])

    def test_budget(self) -> None:
        """The history ends with the month that is said, in as many steps as it takes, and goes on behind it later."""
        months = tuple(Month(Decimal(1000 + place), Decimal("500.5"), Decimal(0), Decimal("1.005")) for place in range(MONTHS_AT_ONCE + 3))
        steps = self.bring(Person("alice", months=months))
        self.assertEqual([step[-1] for step in steps[1:]], ["budget of 2024-08 to 2026-07", "budget of 2026-08 to 2026-10"])
        self.assertEqual(self.bring(Person("alice", months=months), TERMS._replace(last_month="2030-01")), [[]])
        more = (*months, Month(Decimal(7), Decimal(0), Decimal(0), Decimal(0)))
        self.assertEqual(self.bring(Person("alice", months=more)), [["budget of 2026-11 to 2026-11"]])
        client = self.world.connect()
        client.received()
        client.ask("LOGIN alice old")
        found = client.call("budget.months", count=100)["result"]["items"]
        self.assertEqual(len(found), len(more))
        self.assertEqual((found[0]["month"], found[0]["income"], found[0]["balance"]), ("2026-11", "7.00", "7.00"))
        self.assertEqual(
            (found[-1]["month"], found[-1]["income"], found[-1]["needs"], found[-1]["savings"]), ("2024-08", "1000.00", "500.50", "1.00")
        )

    def test_nothing_twice(self) -> None:
        """A second import of the same changes nothing; of what is new, that is taken in."""
        person = Person(
            "alice", orders=7, accounts=(Account("1", Decimal(5)),), months=(Month(Decimal(1), Decimal(0), Decimal(0), Decimal(0)),)
        )
        self.assertEqual(self.bring(person), [["new member"], ["5.00 USD of account 1"], ["7 orders"], ["budget of 2026-10 to 2026-10"]])
        before = self.world.hub.store.number
        self.assertEqual(self.bring(person), [[]])
        self.assertEqual(self.world.hub.store.number, before)
        self.assertEqual(self.bring(person._replace(accounts=(*person.accounts, Account("2", Decimal(1))))), [["1.00 USD of account 2"]])

    def test_somebody_else(self) -> None:
        """Whoever is a member already gets nothing of somebody's who has the same name, unless the operator says that they are one."""
        alice = self.world.member("alice")
        person = Person("alice", accounts=(Account("1", Decimal(5)),))
        for username in ("alice", "operator"):
            with self.assertRaisesRegex(Exception, "alice who did not come by an import|operator is taken"):
                self.bring(person._replace(username=username))
        self.assertEqual(self.bring(person, TERMS._replace(members_too=True)), [["5.00 USD of account 1"]])
        self.assertEqual(alice.call("ledger.balance")["result"]["balance"], "5.00")
        self.assertEqual(self.bring(person), [[]])

    def test_erased(self) -> None:
        """Nobody comes back by an import."""
        self.bring(Person("alice"))
        self.operator.ask("admin.erase alice")
        with self.assertRaisesRegex(Exception, "the name alice is taken"):
            self.bring(Person("alice"))

    def test_orders(self) -> None:
        """They are on the member's card, beside those that are placed here; a later import brings the difference."""
        self.bring(Person("alice", orders=7))
        self.bring(Person("alice", orders=9))
        client = self.world.connect()
        client.received()
        client.ask("LOGIN alice old")
        self.assertEqual(client.call("loyalty.card")["result"]["order_count"], 9)

    def test_months(self) -> None:
        self.assertEqual(
            [month_after("2026-11", months) for months in (0, 1, 2, 14, -10, -11)],
            ["2026-11", "2026-12", "2027-01", "2028-01", "2026-01", "2025-12"],
        )
        for name, months in (("0001-01", -1), ("9999-12", 1)):
            self.assertRaises(BadArgument, month_after, name, months)


class ToolTests(Files):
    """The command, on a state directory."""

    def setUp(self) -> None:
        super().setUp()
        self.state = Path(self.mktemp())
        self.state.mkdir()

    def run_tool(self, *arguments: str) -> tuple[int, str]:
        out = io.StringIO()
        given = ["import", "--budget", str(self.place / "budget"), "--orders", str(self.place / "orders.json"), "--bank", str(self.bank)]
        with redirect_stdout(out), redirect_stderr(out):
            status = commandline.main([*given, "--state", str(self.state), "--last-month", "2026-10", *arguments])
        return status, out.getvalue()

    def test_first(self) -> None:
        """A dry run before there is a hub says what an import would do, and makes none."""
        first, self.state = self.state, self.state / "first"
        status, told = self.run_tool("--dry-run")
        self.assertEqual(told.splitlines()[0], f"{self.state.absolute()} is not there yet, and would be made")
        self.assertFalse(self.state.exists())
        self.state = first
        self.assertEqual(self.run_tool("--dry-run"), (status, told.partition("\n")[2]))

    def records(self) -> dict[str, str]:
        """What members have."""
        directory = RealDirectory(self.state)
        store = Offline(directory, Clock(), service.records_of(service.find(), Hub.core_records))
        found = {}
        for username in ("alice", "bob", "carol", "eve", "frank"):
            rows = store.read(books.accounts_of, username, limit=20).items
            found[username] = rows[0].balance if rows else "nobody"
        store.close()
        return found

    def test_import(self) -> None:
        """A dry run says what would be, and nothing is; the import does that; a second one has nothing to do."""
        status, told = self.run_tool("--dry-run")
        self.assertEqual(status, 1)
        self.assertEqual(
            told.splitlines()[:5],
            [
                "alice: new member; with the old password; 125.10 USD of account 032180000118359719; "
                "0.30 USD of account 032180000118359720; 7 orders; budget of 2026-09 to 2026-10",
                "bob: new member; with the old password",
                "carol: new member; no password: give one with admin.password; 2 orders",
                "eve: new member; with the password; 10.00 USD of account 002010077777777771",
                "frank: new member; no password: give one with admin.password; 0.00 USD of account 002010077777777772",
            ],
        )
        self.assertEqual(told.splitlines()[-1], "This was a dry run: nothing was changed.")
        self.assertEqual([path.name for path in self.state.iterdir()], ["lock"])
        really, again = self.run_tool(), self.run_tool()
        self.assertEqual(really[1], told.replace("This was a dry run: nothing was changed.\n", ""))
        self.assertEqual(again[1].splitlines()[-1], "0 new members, 0 with something new, 5 as they were, 5 left out.")
        self.assertEqual(self.records(), {"alice": "125.40", "bob": "0.00", "carol": "0.00", "eve": "10.00", "frank": "0.00"})

    def test_refused_in_the_middle(self) -> None:
        """What was done of somebody's before something of theirs is refused is told, and so it is by a dry run."""
        self.run_tool()
        self.execute("INSERT INTO accounts (owner, username, password, balance, clabe) VALUES ('Eve', 'eve', '', 1, '5')")
        self.execute("INSERT INTO accounts (owner, username, password, balance, clabe) VALUES ('Gina', 'gina', '', 1, '6')")
        (self.place / "budget" / "gina_budget_history.json").write_text('[{"actual_expenses": {}}, {"actual_expenses": {}}]')
        (self.place / "budget" / "users.json").write_text('{"gina": {}}')
        more = ("--last-month", "0001-01")
        told = [self.run_tool(*more, *dry)[1].splitlines() for dry in (["--dry-run"], [])]
        self.assertEqual(told[0][:-1], told[1])
        self.assertEqual(told[1][:2], [
            "eve: 1.00 USD of account 5",
            "gina: new member; no password: give one with admin.password; 1.00 USD of account 6",
        ])  # fmt: skip
        self.assertIn("left out: gina: there is no month -1 months from 0001-01", told[1])
        self.assertTrue(told[1][-1].startswith("1 new members, 1 with something new, "), told[1][-1])

    def test_strange_files(self) -> None:
        """A password that no login could give, and a name of a file in no encoding, do not end an import in the middle."""
        self.execute(f"UPDATE accounts SET password = '{'x' * 5000}' WHERE username = 'eve'")
        (self.place / "budget" / "\udce9_budget_history.json").write_text("[]")
        written = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
        with redirect_stdout(written):
            self.assertEqual(commandline.main(["import", "--budget", str(self.place / "budget"), "--bank", str(self.bank),
                "--state", str(self.state)]), 1)  # fmt: skip
        written.seek(0)
        told = written.read()
        self.assertIn("eve: new member; no password", told)
        self.assertIn("left out: \\udce9_budget_history.json: it is of nobody", told)
        self.assertIn("'Zo\\xeb' is not a username", told)

    def test_other_decimals(self) -> None:
        """What a currency's accounts have is not taken for other amounts, neither by an import nor by a dry run."""
        self.run_tool()
        settings = self.place / "securehub.ini"
        settings.write_text("[money]\ncurrencies = USD:3\n")
        kept = "there are accounts in USD with 2 decimals, so it keeps them: USD:2"
        for more in ([], ["--dry-run"]):
            self.assertEqual(self.run_tool("--config", str(settings), *more), (2, f"securehub: currencies: {kept}\n"))

    def test_refused(self) -> None:
        """A hub that runs is left alone; what cannot be read stops it before anything is done."""
        directory = RealDirectory(self.state)
        directory.hold()
        status, told = self.run_tool()
        self.assertEqual((status, "another SecureHub is running" in told), (2, True))
        directory.release()
        self.bank.write_text("no database")
        status, told = self.run_tool()
        self.assertEqual((status, told), (2, "securehub: bank.db: file is not a database\n"))
        self.assertEqual([path.name for path in self.state.iterdir()], ["lock"])
        with redirect_stderr(io.StringIO()):
            self.assertEqual(commandline.main(["import", "--state", str(self.state)]), 2)
