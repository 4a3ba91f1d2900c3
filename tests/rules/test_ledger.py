"""
The ledger's rules: what moves, what is refused, and that it always adds up.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from securehub import clabe
from securehub.members import OPERATOR
from securehub.refusals import BadArgument, Conflict, Exists, LimitExceeded, NotFound
from securehub.services.ledger import accounts, books, movement
from securehub.services.ledger.movement import InsufficientFunds, Received
from securehub.services.ledger.records import Account
from tests.rules.money import Money
from tests.rules.setting import CURRENCIES, amount
from tests.store.setting import everything

LARGEST = "999999999999999"


class LedgerTests(Money):
    """What moves, what is refused, and that it adds up."""

    # Payments

    def test_pay(self) -> None:
        """Money goes from the one to the other; the answer has both accounts and what is left."""
        self.deposit("alice", "100")
        paid = self.pay("alice", "bob", "12.5", "for lunch")
        self.assertEqual((paid.from_, paid.to, paid.to_name), (self.alice, self.bob, "bob"))
        self.assertEqual((paid.amount, paid.currency, paid.balance), ("12.50", "USD", "87.50"))
        self.assertEqual((self.balance("alice"), self.balance("bob")), ("87.50", "12.50"))

    def test_pay_to_a_number(self) -> None:
        """An account number is as good as a name, for the payer's own other accounts too."""
        savings = self.open("alice", "savings")
        self.deposit("alice", "10")
        self.pay("alice", self.bob, "1")
        self.pay("alice", savings, "2")
        self.pay("alice", self.bob, "0.5", source=savings)
        self.assertEqual([self.balance("alice"), self.balance("alice", savings), self.balance("bob")], ["7.00", "1.50", "1.50"])

    def test_event(self) -> None:
        """The payee hears all that there is to know, with the number of the entry in the account; the payer hears nothing."""
        self.deposit("alice", "100")
        ((channel, deposited),) = self.heard()
        self.assertEqual((channel, deposited.from_, deposited.from_name, deposited.entry), ("member/alice", "@cash", "@cash", 1))
        paid = self.pay("alice", "bob", "12.50", "for lunch")
        expected = Received(paid.transfer, 1, self.alice, "alice", self.bob, "12.50", "USD", "for lunch", "12.50")
        self.assertEqual(self.heard(), [("member/bob", expected)])
        self.pay("alice", "bob", "1")
        self.assertEqual(self.heard()[0][1].entry, 2)

    def test_to_the_last_cent(self) -> None:
        """All of a balance can be spent, and not a cent more."""
        self.deposit("alice", "10")
        self.refused_pay(InsufficientFunds, "Balance is 10.00 USD, 10.01 USD is needed.", "alice", "bob", "10.01")
        self.pay("alice", "bob", "10")
        self.assertEqual(self.balance("alice"), "0.00")
        self.refused_pay(InsufficientFunds, "Balance is 0.00 USD, 0.01 USD is needed.", "alice", "bob", "0.01")

    def change(self, number: str, **changes: Any) -> None:
        """Change an account in a way for which there is no command yet."""
        self.do(lambda tx: tx.put(number, replace(tx.fetch(Account, number), **changes)))

    def test_floor(self) -> None:
        """An account may have another limit than zero, below or above; it is kept to the cent."""
        self.change(self.alice, floor=-500)
        self.pay("alice", "bob", "5")
        self.assertEqual(self.balance("alice"), "-5.00")
        self.refused_pay(InsufficientFunds, "Balance is -5.00 USD", "alice", "bob", "0.01")
        self.change(self.bob, floor=100)
        self.refused_pay(InsufficientFunds, "Balance is 5.00 USD", "bob", "alice", "4.01")
        self.pay("bob", "alice", "4")

    def test_held(self) -> None:
        """What is held is part of the balance, and cannot be spent."""
        self.deposit("alice", "10")
        self.change(self.alice, held=400)
        self.refused_pay(InsufficientFunds, "of which 4.00 USD is held, 6.01 USD is needed", "alice", "bob", "6.01")
        self.refused(InsufficientFunds, "held", movement.withdraw, "alice", amount("6.01"), "", OPERATOR, at=self.at)
        self.pay("alice", "bob", "6")
        found = self.ask(books.balance_of, "alice", None)
        self.assertEqual((found.balance, found.held), ("4.00", "4.00"))

    def test_to_oneself(self) -> None:
        """From an account to itself nothing can be paid, however it is named."""
        self.deposit("alice", "10")
        for to in ("alice", self.alice):
            self.refused_pay(BadArgument, "same account", "alice", to, "1")

    def test_nobody(self) -> None:
        """There has to be such a payee: a member, or an account of that number."""
        self.deposit("alice", "10")
        self.refused_pay(NotFound, "no member nobody", "alice", "nobody", "1")
        missing = clabe.number("999", "000", 77)
        self.refused_pay(NotFound, missing, "alice", missing, "1")
        self.refused_pay(NotFound, "@cash", "alice", "@cash", "1")

    def test_own_accounts_only(self) -> None:
        """One pays from one's own accounts; of others' it is not even told whether they exist."""
        self.deposit("bob", "10")
        missing = clabe.number("999", "000", 77)
        texts = []
        for source in (self.bob, missing):
            refusal = self.assertRaises(NotFound, self.pay, "alice", "bob", "1", "", source)
            texts.append(str(refusal).replace(source, "N"))
        self.assertEqual(*texts)
        for rule in (books.balance_of, books.history_of):
            arguments = {} if rule is books.balance_of else {"limit": 1, "before": None}
            self.assertRaises(NotFound, self.ask, rule, "alice", self.bob, **arguments)

    # Decimals and digits

    def test_decimals(self) -> None:
        """An amount may have fewer decimals than the currency, and no more, zeros at the end included."""
        for currency, good, shown, bad in (
            ("USD", "1.5", "1.50", "1.500"),
            ("HOURS", "1", "1.0", "1.05"),
            ("YEN", "15", "15", "1.0"),
            ("GOLD", "0.000001", "0.000001", "0.0000001"),
        ):
            source = self.open("alice", currency, currency)
            target = self.open("bob", currency, currency)
            self.assertEqual(self.deposit(source, good).amount, shown)
            self.assertEqual(self.pay("alice", target, good, "", source).amount, shown)
            self.refused_pay(BadArgument, "decimals", "alice", target, bad, source)
            self.refused(BadArgument, "decimals", movement.deposit, source, amount(bad), "", "t", at=self.at)
            self.refused(BadArgument, "decimals", movement.withdraw, target, amount(bad), "", "t", at=self.at)

    def test_many_decimals_of_one_amount(self) -> None:
        """However an amount is written, it is the same."""
        for text in ("1.5", "1.50", "0001.5", "1.5"):
            self.deposit("alice", text)
        self.assertEqual(self.balance("alice"), "6.00")

    def test_largest(self) -> None:
        """A member's balance has at most fifteen digits before the point."""
        self.deposit("alice", f"{LARGEST}.99")
        self.assertEqual(self.balance("alice"), f"{LARGEST}.99")
        self.refused(
            LimitExceeded, "no balance in USD may reach 1000000000000000.00", movement.deposit, "alice", amount("0.01"), "", "t", at=self.at
        )
        self.pay("alice", "bob", f"{LARGEST}.99")
        self.assertEqual(self.balance("bob"), f"{LARGEST}.99")
        self.withdraw("bob", f"{LARGEST}.99")
        self.assertEqual(self.balance("bob"), "0.00")

    def test_largest_of_a_counterpart(self) -> None:
        """What one member has does not keep others from being paid: a counterpart's balance may fill its 64 bits, and no more."""
        for number in range(90):
            self.deposit("alice", LARGEST)
            self.pay("alice", self.open("alice", f"fortune {number}", limit=100), LARGEST)
        self.assertRaises(LimitExceeded, self.deposit, "alice", "100")
        self.deposit("alice", "89.99")
        cash = min(account.balance for _, account in self.ask(everything, Account, "@cash"))
        self.assertEqual(cash, -9 * 10**18 + 1)

    def test_largest_of_a_payee(self) -> None:
        """A payment that would take the payee beyond that is refused, to the last unit."""
        carol = self.open("carol")
        self.deposit("alice", f"{LARGEST}.98")
        self.deposit("bob", "0.02")
        self.pay("bob", "alice", "0.01")
        self.refused_pay(LimitExceeded, "no balance in USD may reach 1000000000000000.00", "bob", "alice", "0.01")
        self.pay("bob", carol, "0.01")

    def test_largest_of_each_currency(self) -> None:
        """The digits before the point count, and where there are many behind it, the units: they have to fit into 64 bits."""
        for currency, largest in (("GOLD", "999999999999.999999"), ("YEN", LARGEST)):
            number = self.open("alice", currency, currency)
            self.deposit(number, largest)
            self.assertRaises(LimitExceeded, self.deposit, number, "1")

    # Currencies

    def test_currencies_differ(self) -> None:
        """Money does not change its currency on the way."""
        yen = self.open("bob", "yen", "YEN")
        self.deposit("alice", "10")
        self.refused_pay(Conflict, "is in YEN", "alice", yen, "1")

    def test_account_in_the_payers_currency(self) -> None:
        """A member is paid into the first account in the payer's currency; without one, not at all."""
        source = self.open("alice", "yen", "YEN")
        self.deposit(source, "10")
        self.refused_pay(NotFound, "bob has no account in YEN", "alice", "bob", "1", source)
        first, _ = self.open("bob", "one", "YEN"), self.open("bob", "two", "YEN")
        self.assertEqual(self.pay("alice", "bob", "1", "", source).to, first)

    # Cash

    def test_deposit_and_withdraw(self) -> None:
        """Money comes from @cash and goes back there; whose it is hears of both, and who books it is told whose it is."""
        booked = self.deposit("alice", "10")
        self.assertEqual((booked.amount, booked.currency, booked.to_name), ("10.00", "USD", "alice"))
        self.heard()
        booked = self.withdraw("alice", "4")
        self.assertEqual((booked.amount, booked.currency, booked.from_name), ("4.00", "USD", "alice"))
        ((channel, told),) = self.heard()
        self.assertEqual((channel, told.transfer, told.entry, told.amount, told.balance), ("member/alice", 2, 2, "4.00", "6.00"))
        self.assertEqual(self.balance("alice"), "6.00")
        kinds = [(row.kind, row.amount, row.with_) for row in self.ask(books.history_of, "alice", None, limit=9, before=None).items]
        self.assertEqual(kinds, [("withdrawal", "-4.00", "@cash"), ("deposit", "10.00", "@cash")])

    def test_withdraw_too_much(self) -> None:
        """Nobody is paid out more than they have."""
        self.deposit("alice", "10")
        self.refused(InsufficientFunds, "Balance is 10.00 USD", movement.withdraw, "alice", amount("10.01"), "", OPERATOR, at=self.at)

    def test_no_such_party(self) -> None:
        """Cash is booked for members and their accounts only."""
        for rule in (movement.deposit, movement.withdraw):
            self.refused(NotFound, "no member nobody", rule, "nobody", amount("1"), "", "t", at=self.at)
            self.refused(NotFound, "", rule, clabe.number("999", "000", 77), amount("1"), "", "t", at=self.at)

    def test_cash_in_parts(self) -> None:
        """@cash is many accounts of each currency, so that not all who pay in wait for one; together they are what is outside."""
        for number in range(40):
            self.deposit(self.open(f"member{number}"), "1")
            self.deposit(self.open(f"member{number}", "yen", "YEN"), "1")
        parts = {number: account for number, account in self.ask(everything, Account) if account.owner == "@cash"}
        for currency, units in (("USD", -4000), ("YEN", -40)):
            balances = [account.balance for account in parts.values() if account.currency == currency]
            self.assertGreaterEqual(len(balances), 8)
            self.assertLessEqual(len(balances), accounts.PARTS)
            self.assertEqual(sum(balances), units)

    def test_cash_may_come_back(self) -> None:
        """What one member paid in another may be paid out, so a part of @cash may be above zero."""
        self.deposit("alice", "10")
        self.pay("alice", "bob", "10")
        self.withdraw("bob", "10")
        self.assertEqual([row.sum for row in self.ask(books.trial_balance, CURRENCIES).items], ["0.00"])

    # Accounts

    def test_open(self) -> None:
        """Accounts have a number in CLABE form that grows, a name, a currency, and hold nothing."""
        number = self.open("alice", "yen", "YEN")
        self.assertTrue(clabe.is_number(number))
        self.assertTrue(number.startswith("999000"))
        self.assertLess(self.bob, number)
        row = self.ask(books.accounts_of, "alice", limit=20).items[-1]
        self.assertEqual((row.account, row.name, row.currency, row.balance), (number, "yen", "YEN", "0"))

    def test_order_of_accounts(self) -> None:
        """Accounts are listed in the order in which they were opened; the first one is meant where none is named."""
        numbers = [self.alice, *(self.open("alice", name) for name in "zya")]
        self.assertEqual([row.account for row in self.ask(books.accounts_of, "alice", limit=20).items], numbers)
        self.assertEqual(self.ask(books.balance_of, "alice", None).account, self.alice)
        self.assertEqual(self.ask(books.accounts_of, "nobody", limit=20).items, [])

    def test_open_twice(self) -> None:
        """An owner's accounts have different names; two owners' need not."""
        self.assertRaises(Exists, self.open, "alice", "main")
        self.open("carol", "main")

    def test_open_too_many(self) -> None:
        """There is a limit, with the figures in the text."""
        self.open("alice", "two", limit=2)
        refusal = self.assertRaises(LimitExceeded, self.open, "alice", "three", limit=2)
        self.assertEqual(str(refusal), "you have 2 accounts; 2 are allowed")

    def test_no_owner(self) -> None:
        """Whoever has no account has no balance."""
        self.assertRaises(NotFound, self.balance, "nobody")

    # Books

    def test_history(self) -> None:
        """Both sides show a transfer under one number, with opposite signs and each with its own balance."""
        self.deposit("alice", "10")
        self.at += timedelta(minutes=1)
        paid = self.pay("alice", "bob", "4", "for lunch")
        (mine, _), (theirs,) = (self.ask(books.history_of, name, None, limit=9, before=None).items for name in ("alice", "bob"))
        self.assertEqual((mine.transfer, mine.amount, mine.balance, mine.with_), (paid.transfer, "-4.00", "6.00", "bob"))
        self.assertEqual((theirs.transfer, theirs.amount, theirs.balance, theirs.with_), (paid.transfer, "4.00", "4.00", "alice"))
        for row in (mine, theirs):
            self.assertEqual((row.at, row.kind, row.memo), (self.at, "transfer", "for lunch"))

    def test_pages(self) -> None:
        """A history comes newest first, and in pages without gaps or repeats, however large they are."""
        for number in range(1, 8):
            self.deposit("alice", str(number))
            self.deposit("bob", "1")
        every = self.ask(books.history_of, "alice", None, limit=100, before=None)
        self.assertFalse(every.more)
        self.assertEqual([row.amount for row in every.items], [f"{number}.00" for number in range(7, 0, -1)])
        for limit in range(1, 9):
            rows, before, more = [], None, True
            while more:
                page = self.ask(books.history_of, "alice", None, limit=limit, before=before)
                rows, more = rows + page.items, page.more
                before = page.items[-1].transfer
            self.assertEqual(rows, every.items)

    def test_history_of_many(self) -> None:
        """The entries of one account are not those of one whose number begins alike, or of another of the same owner."""
        other = self.open("alice", "other")
        self.deposit(other, "5")
        self.assertEqual(self.ask(books.history_of, "alice", None, limit=9, before=None).items, [])
        self.assertEqual(len(self.ask(books.history_of, "alice", other, limit=9, before=None).items), 1)

    def test_trial_balance(self) -> None:
        """Each currency has its sum, with its own decimals; the hub's is there from the beginning."""
        self.deposit(self.open("alice", "hours", "HOURS"), "2.5")
        rows = self.ask(books.trial_balance, CURRENCIES).items
        self.assertEqual([(row.currency, row.sum) for row in rows], [("HOURS", "0.0"), ("USD", "0.00")])

    def test_bookings(self) -> None:
        """Those of all members are one list, the newest first, whatever the currency; payments between members are not in it."""
        hours = self.open("alice", "hours", "HOURS")
        others = [self.open("carol", f"{number}") for number in range(10)]
        for number in range(40):
            self.deposit(("alice", "bob", hours, others[number // 4])[number % 4], f"{number + 1}")
        self.pay("alice", "bob", "0.50")
        every = self.ask(books.bookings, limit=100, before=None)
        self.assertEqual([row.amount.partition(".")[0] for row in every.items], [str(number) for number in range(40, 0, -1)])
        self.assertEqual(every.items[1], replace(every.items[1], with_="alice", currency="HOURS", kind="deposit", by="treasurer"))
        numbers: list[int] = []
        more = True
        while more:
            page = self.ask(books.bookings, limit=7, before=numbers[-1] if numbers else None)
            numbers += [row.transfer for row in page.items]
            more = page.more
        self.assertEqual(numbers, [row.transfer for row in every.items])

    def test_counterparts(self) -> None:
        """Each is one row for each currency, however many parts it has."""
        self.deposit("alice", "3")
        self.deposit("bob", "4")
        self.withdraw("bob", "1")
        self.deposit(self.open("alice", "hours", "HOURS"), "2.5")
        rows = [(row.account, row.currency, row.balance) for row in self.ask(books.counterparts).items]
        self.assertEqual(rows, [("@cash", "HOURS", "-2.5"), ("@cash", "USD", "-6.00")])

    def test_numbers_grow(self) -> None:
        """A transfer asked for after another's answer has a greater number, refused ones in between or not."""
        numbers = [self.deposit("alice", "1").transfer]
        for _ in range(3):
            self.assertRaises(InsufficientFunds, self.pay, "bob", "alice", "100")
            numbers.append(self.pay("alice", "bob", "0.10").transfer)
        self.assertEqual(numbers, sorted(set(numbers)))
