"""
Amounts and currencies.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from securehub.config import BadSetting
from securehub.money import Amount, Currencies, Currency
from securehub.refusals import BadArgument
from tests.world import PASSWORD, World

USD = Currency("USD", 2)
JPY = Currency("JPY", 0)


class AmountTests(SynchronousTestCase):
    """An amount is read exactly as it was written, or not at all."""

    def test_what_is_an_amount(self) -> None:
        for word, units in {"12": 1200, "12.5": 1250, "12.50": 1250, "0.01": 1, "007": 700, "999999999999999.99": 10**17 - 1}.items():
            self.assertEqual(USD.units(Amount.parse(word)), units, word)

    def test_what_is_none(self) -> None:
        plausible = "0 0.00 -5 +5 1e3 1E3 NaN nan Infinity inf 0x10 1,50 1_000 .5 5. 1.2.3 ١٢ \uff11 ² ½ $1"
        words = [*plausible.split(), "", " 1", "1 ", "1\n", "1" * 16, "1" * 5000, "0." + "1" * 19, "1 USD"]
        for word in words:
            self.assertRaises(BadArgument, Amount.parse, word)

    def test_more_decimals_than_the_currency_has(self) -> None:
        """They are refused even where they are zeros, as who writes them means another currency."""
        for currency, word in ((USD, "0.001"), (USD, "1.000"), (JPY, "1.0"), (JPY, "0.5")):
            self.assertRaises(BadArgument, currency.units, Amount.parse(word))

    def test_more_than_64_bits(self) -> None:
        """Where a currency has many decimals, not all digits that can be written fit into what readers of the journal have."""
        fine = Currency("XTS", 6)
        self.assertEqual(fine.units(Amount.parse("999999999999.999999")), 10**18 - 1)
        refusal = self.assertRaises(BadArgument, fine.units, Amount.parse("1000000000000"), "least")
        self.assertEqual(str(refusal), "least: no amount in XTS may reach 1000000000000.000000")

    def test_worth_the_same(self) -> None:
        """However they are written, so that a key may be repeated in another form."""
        same = [Amount.parse(word) for word in ("12", "12.0", "12.00", "012")]
        self.assertEqual(len(set(same)), 1)
        self.assertEqual(len({amount.canonical() for amount in same}), 1)
        self.assertNotEqual(Amount.parse("1.2"), Amount.parse("12"))
        self.assertNotEqual(Amount.parse("0.12"), Amount.parse("0.012"))

    @given(st.integers(1, 10**17 - 1), st.sampled_from([0, 1, 2, 6]))
    def test_there_and_back(self, units: int, digits: int) -> None:
        """What a currency writes is read as the same."""
        currency = Currency("XXX", digits)
        units = min(units, 10 ** (15 + digits) - 1)
        self.assertEqual(currency.units(Amount.parse(currency.text(units))), units)


class CurrencyTests(SynchronousTestCase):
    """How money is written."""

    def test_text(self) -> None:
        for units, text in {0: "0.00", 5: "0.05", -5: "-0.05", 100: "1.00", -12345: "-123.45"}.items():
            self.assertEqual(USD.text(units), text)
        self.assertEqual(JPY.text(-300), "-300")
        self.assertEqual(USD.priced(1250), "12.50 USD")

    def test_currencies_of_a_setting(self) -> None:
        currencies = Currencies.parse("USD:2 JPY:0 HOURS:1", "JPY")
        self.assertEqual(currencies.default, JPY)
        self.assertEqual(list(currencies.codes()), ["HOURS", "JPY", "USD"])

    def test_bad_settings(self) -> None:
        for text, default in (
            ("", "USD"),
            ("USD", "USD"),
            ("USD:7", "USD"),
            ("usd:2", "usd"),
            ("USD:2", "EUR"),
            ("U:2", "U"),
            ("USD:22", "USD"),
        ):
            self.assertRaises(ValueError, Currencies.parse, text, default)


class ManyDigitsTests(SynchronousTestCase):
    """A currency with six decimals."""

    def test_too_much(self) -> None:
        """What is too much is refused where it is said, and not when it is to be paid."""
        world = World(currencies="XTS:6", currency="XTS")
        alice, bob, operator = world.member("alice"), world.member("bob"), world.operator()
        operator.ask("admin.grant bob seller")
        bob.received()
        most = "999999999999999"
        for client, line in (
            (alice, f"ledger.request bob {most}"),
            (alice, f"ledger.schedule bob {most} monthly"),
            (alice, f"SPLIT {most}"),
            (bob, f"loyalty.promotion spring amount={most}"),
            (bob, f"loyalty.promotion spring percent=10 least={most}"),
            (operator, f"ledger.set_limits alice credit={most}"),
            (operator, f"ledger.set_role_limits member day={most}"),
            (operator, f"loyalty.set_programme per_point={most}"),
            (operator, f"loyalty.set_reward tenth 80 amount={most}"),
            (operator, f"loyalty.set_tier gold {most} 100"),
        ):
            (refused,) = client.ask(line)
            self.assertRegex(refused, "^ERR bad-arguments [a-z_]+: no amount in XTS may reach 1000000000000.000000$")


class OtherDigitsTests(SynchronousTestCase):
    """What was booked is whole units, so a currency keeps its decimals."""

    def setUp(self) -> None:
        self.world = World(currencies="USD:2 JPY:0")
        self.world.member("alice")

    def start_with(self, currencies: str) -> None:
        self.world.settings["currencies"] = currencies
        self.world.restart()

    def test_refused(self) -> None:
        """There is no start at which ten units of old accounts are paid as one of new ones."""
        refusal = self.assertRaises(BadSetting, self.start_with, "USD:3 JPY:0")
        self.assertIn("there are accounts in USD with 2 decimals, so it keeps them: USD:2", str(refusal))

    def test_of_no_account(self) -> None:
        """A currency in which there is no account may still be changed, and others may come."""
        self.start_with("USD:2 JPY:2 EUR:2")
        alice = self.world.connect()
        self.assertTrue(alice.call("auth.login", username="alice", password=PASSWORD)["result"])
        self.assertEqual(alice.ask("OPEN yen JPY")[-1].partition(" ")[0], "OK")
