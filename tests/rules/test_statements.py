"""
Statements: opening, rows and closing agree with each other and with the next statement, wherever one cuts; and their exports.
"""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from random import Random
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

from securehub.refusals import BadArgument, LimitExceeded, NotFound
from securehub.services.ledger import exports, reversal, statements
from securehub.services.ledger.books import Statement
from securehub.services.tables import harmless
from tests.rules.money import Money

HOUR = timedelta(hours=1)


class StatementTests(Money):
    """Alice's account over some hours."""

    def play(self, seed: int) -> list[datetime]:
        """Some movements, several of them at one moment; gives the moments, and those before and after."""
        chance = Random(seed)
        self.deposit("alice", "50")
        moments = [self.at - HOUR, self.at]
        for _ in range(chance.randrange(12)):
            self.at += chance.choice((timedelta(0), timedelta(microseconds=1), HOUR))
            if chance.random() < 0.5:
                self.pay(*chance.choice((("alice", "bob"), ("alice", "bob"), ("bob", "alice"))), "0.01")
            self.deposit(chance.choice(("alice", "bob")), str(chance.randint(1, 9)))
            moments.append(self.at)
        return sorted({*moments, *(each + statements.MOMENT for each in moments), self.at + HOUR})

    def statement(self, start: datetime | None, end: datetime, account: str | None = None) -> Statement:
        return self.ask(statements.statement, "alice", account, start=start, end=end)

    def test_every_cut(self) -> None:
        """However the time is cut, each opening and its rows make the closing, which is the next opening; and no row is lost or doubled."""
        for seed in range(8):
            self.setUp()
            self.deposit("bob", "1")
            moments = self.play(seed)
            every = self.statement(moments[0], moments[-1])
            for middle in moments:
                first, second = self.statement(moments[0], middle), self.statement(middle, moments[-1])
                self.assertEqual(first.closing, second.opening)
                self.assertEqual(first.items + second.items, every.items)
                for each in (first, second):
                    total = Decimal(each.opening) + sum(Decimal(row.amount) for row in each.items)
                    self.assertEqual(total, Decimal(each.closing), seed)
            self.assertEqual((every.opening, every.closing), ("0.00", self.balance("alice")))

    def test_balance_at_any_moment(self) -> None:
        """It is what the next moment's statement opens with."""
        moments = self.play(3)
        for moment in moments:
            found = self.ask(statements.balance_at, "alice", None, at=moment)
            self.assertEqual(found.balance, self.statement(moment + statements.MOMENT, moments[-1] + HOUR).opening)

    def test_nothing(self) -> None:
        """An account without movements, and one before it was opened."""
        for start, end in ((None, self.at + HOUR), (self.at - HOUR, self.at), (None, self.at - HOUR)):
            found = self.statement(start, end)
            self.assertEqual((found.opening, found.closing, found.items), ("0.00", "0.00", []))

    def test_refused(self) -> None:
        self.assertRaises(BadArgument, self.statement, self.at, self.at - HOUR)
        self.assertRaises(NotFound, self.statement, None, self.at, self.bob)
        self.assertRaises(NotFound, self.ask, statements.balance_at, "alice", self.bob, at=self.at)

    def test_too_long(self) -> None:
        """A statement is whole, or it is refused."""
        self.play(3)
        self.patch(statements, "MOST_ROWS", 2)
        self.assertRaises(LimitExceeded, self.statement, None, self.at + HOUR)

    # Exports

    def test_lines(self) -> None:
        """As people read it, each movement is a line, however many its memo has."""
        self.deposit("alice", "5")
        self.pay("alice", "bob", "1", "two\nlines")
        *_, paid, closing = self.statement(None, self.at + HOUR).lines()
        self.assertTrue(paid.endswith("  two / lines"), paid)
        self.assertIn("closing", closing)

    def test_csv(self) -> None:
        """A table that other programs read back, with no cell that a spreadsheet would take for a formula."""
        self.deposit("alice", "5")
        for memo in ("=1+1", 'a, "b"', "two\nlines", "-", "\n@x"):
            self.pay("alice", "bob", "1", memo)
        text = "".join(exports.as_csv(self.statement(None, self.at + HOUR), ZoneInfo("America/Mexico_City")))
        rows = list(csv.DictReader(StringIO(text)))
        self.assertEqual([row["memo"] for row in rows], ["", "'=1+1", 'a, "b"', "two\nlines", "'-", "\n'@x"])
        for memo, cell in (
            (" =1", " '=1"),
            ("\uff1d1", "'\uff1d1"),
            ("x=1", "x=1"),
            # Behind these a spreadsheet that parts cells with semicolons begins a cell, whatever quotes stand around the text.
            ("x;=1", "x;'=1"),
            ("x; +1;@y; z", "x; '+1;'@y; z"),
            ("x\n-1", "x\n'-1"),
            ('x;"=1;y', "x;\"'=1;y"),
            ('x\n "" @y', 'x\n "" \'@y'),
        ):
            self.assertEqual(harmless(memo), cell)
        self.assertEqual((rows[1]["amount"], rows[1]["balance"], rows[1]["with"]), ("-1.00", "4.00", "bob"))
        self.assertEqual(rows[0]["at"], "2026-11-19T12:02:00-06:00")

    def test_csv_read_otherwise(self) -> None:
        """Quotes of a text's own, which are doubled, begin no cell with a formula where semicolons part cells."""
        self.deposit("alice", "5")
        for memo in ('x;"=1;y', 'x;""=1', 'x\n"=1"'):
            self.pay("alice", "bob", "1", memo)
        text = "".join(exports.as_csv(self.statement(None, self.at + HOUR), UTC))
        cells = [cell for row in csv.reader(text.splitlines(), delimiter=";") for cell in row]
        self.assertEqual([cell for cell in cells if cell.strip()[:1] in tuple("=+-@")], [])

    def test_journal(self) -> None:
        """Nothing of a memo can begin a comment, in which those programs would look for dates."""
        self.deposit("alice", "5")
        self.at += HOUR
        self.pay("alice", "bob", "1", "x; date:2020-01-01\n2020-01-01 y")
        text = "".join(exports.as_journal(self.statement(self.at, self.at + HOUR), UTC))
        self.assertEqual(
            text.split("\n")[1:],
            [
                "",
                "2026-11-19 opening balance",
                f"    assets:securehub:{self.alice}  5.00 USD = 5.00 USD",
                "    equity:opening balances",
                "",
                "2026-11-19 (2) bob | x, date:2020-01-01 / 2020-01-01 y",
                f"    assets:securehub:{self.alice}  -1.00 USD = 4.00 USD",
                "    securehub:bob",
                "",
            ],
        )

    def test_ofx(self) -> None:
        """XML, whatever a memo has in it."""
        hours = self.open("alice", "hours", "HOURS")
        self.deposit(hours, "5")
        self.pay("alice", self.open("bob", "hours", "HOURS"), "1", "<a> & \uffff" + "x" * 300, hours)
        root = ElementTree.fromstring("".join(exports.as_ofx(self.statement(None, self.at + HOUR, hours), UTC)))
        memo = root.findtext(".//MEMO")
        assert memo is not None
        self.assertEqual((memo[:9], len(memo)), ("<a> & \ufffdxx", 255))
        self.assertEqual([each.text for each in root.findall(".//TRNAMT")], ["5.0", "-1.0"])
        self.assertEqual((root.findtext(".//CURDEF"), root.findtext(".//BALAMT")), ("XXX", "4.0"))

    def test_ofx_of_what(self) -> None:
        """Whose account it is, and each row with its number, its kind and the other side."""
        self.deposit("alice", "5")
        self.pay("alice", "bob", "1")
        self.withdraw("alice", "2")
        self.do(reversal.reverse, 2, "wrong", "treasurer", at=self.at, zone=UTC)
        root = ElementTree.fromstring("".join(exports.as_ofx(self.statement(None, self.at + HOUR), UTC)))
        told = [root.findtext(f".//{name}") for name in ("CURDEF", "BANKID", "ACCTID", "BALAMT")]
        self.assertEqual(told, ["USD", "999", self.alice, "3.00"])
        rows = [[row.findtext(name) for name in ("FITID", "TRNTYPE", "NAME")] for row in root.iter("STMTTRN")]
        kinds = [["1", "DEP", "@cash"], ["2", "XFER", "bob"], ["3", "CASH", "@cash"], ["4", "CREDIT", "bob"]]
        self.assertEqual(rows, kinds)

    def test_from_the_first_year_on(self) -> None:
        """A year has four digits in all forms, even one that somebody only wrote to have everything."""
        first = datetime(1, 1, 1, tzinfo=UTC)
        found = self.statement(first, self.at)
        root = ElementTree.fromstring("".join(exports.as_ofx(found, UTC)))
        self.assertEqual(root.findtext(".//DTSTART"), "00010101000000.000[0:GMT]")
        self.assertIn("from 0001-01-01 00:00 UTC to", next(iter(found.lines())))
