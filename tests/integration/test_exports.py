"""
Exported statements, read by the programs that they are for. Those that are not installed are left out.
"""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, timedelta
from decimal import Decimal
from io import BytesIO
from random import Random
from unittest import SkipTest

from securehub.services.ledger import exports, statements
from securehub.services.ledger.books import Statement
from tests.rules.money import Money

MEMOS = ("", "for lunch", "x; date:2020-01-01", "  ; [2020-01-01]", "(a) ! *", "two\n2020/01/01 lines", "= 5 USD @ 3", '"é" <&>', "a | b")


class ExportTests(Money):
    """Accounts in several currencies, with memos that look like what those programs know."""

    def statements(self) -> list[Statement]:
        chance, found = Random(1), []
        for currency in ("USD", "YEN", "GOLD", "HOURS"):
            number, theirs = self.open("alice", currency, currency), self.open("bob", currency, currency)
            self.deposit(number, "100")
            for memo in MEMOS:
                self.at += timedelta(hours=5)
                self.pay("alice", theirs, str(chance.randint(1, 9)), memo, number)
            middle = self.at - timedelta(days=1)
            for start, end in ((None, middle), (middle, self.at + timedelta(hours=1))):
                found.append(self.ask(statements.statement, "alice", number, start=start, end=end))
        return found

    def run_program(self, name: str, *arguments: str, given: str) -> str:
        if shutil.which(name) is None:
            raise SkipTest(f"{name} is not installed")
        done = subprocess.run([name, "-f", "-", *arguments], input=given, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, f"{done.stderr}\n{given}")
        return done.stdout

    def test_hledger(self) -> None:
        """hledger finds all balances to be as asserted, and each statement's closing."""
        for statement in self.statements():
            journal = "".join(exports.as_journal(statement, UTC))
            self.run_program("hledger", "check", "assertions", given=journal)
            told = self.run_program("hledger", "balance", "assets", "--no-total", "--flat", given=journal)
            self.assertEqual(Decimal(told.split()[0]), Decimal(statement.closing))
            # As many transactions as rows, besides the opening: none has become a part of another.
            dates = self.run_program("hledger", "print", "-O", "csv", given=journal).count("assets:securehub")
            self.assertEqual(dates, len(statement.items) + (Decimal(statement.opening) != 0))

    def test_ledger_cli(self) -> None:
        """ledger-cli does as well."""
        for statement in self.statements():
            journal = "".join(exports.as_journal(statement, UTC))
            told = self.run_program("ledger", "balance", "assets", "--no-total", "--flat", given=journal)
            self.assertEqual(Decimal(told.split()[0]), Decimal(statement.closing))

    def test_ofxtools(self) -> None:
        """ofxtools finds the document to be valid, and the same figures in it."""
        try:
            from ofxtools.Parser import OFXTree
        except ImportError:
            raise SkipTest("ofxtools is not installed") from None
        for statement in self.statements():
            if statement.currency == "YEN":
                # It looks like a code of ISO 4217, and is none.
                continue
            tree = OFXTree()
            tree.parse(BytesIO("".join(exports.as_ofx(statement, UTC)).encode()))
            (read,) = tree.convert().statements
            self.assertEqual(read.ledgerbal.balamt, Decimal(statement.closing))
            self.assertEqual([each.trnamt for each in read.transactions], [Decimal(row.amount) for row in statement.items])
            self.assertEqual([int(each.fitid) for each in read.transactions], [row.transfer for row in statement.items])
            self.assertEqual(read.account.acctid, statement.account)
