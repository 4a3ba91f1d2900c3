"""
The types of arguments.
"""

from __future__ import annotations

from securehub import arguments
from securehub.arguments import ArgumentType
from securehub.refusals import BadArgument
from tests.tools import ParsingTestCase


class ArgumentTests(ParsingTestCase):
    """Each looks at its word alone, and says what it expects."""

    def test_username(self) -> None:
        self.takes(arguments.username, {"bob": "bob", "BOB": "bob", "b-o_b.1": "b-o_b.1", "a" * 32: "a" * 32})
        self.refuses(arguments.username, "", "b", "1bob", "-bob", "a" * 33, "bo b", "bób", "bob\n", "@cash", "b/b", "\uff22\uff2f\uff22")

    def test_username_of_letters_that_only_look_so(self) -> None:
        """The Kelvin sign becomes a k when it is put in lower case, but is not one of a to z."""
        self.refuses(arguments.username, "\u212aate")

    def test_currency_of_letters_that_only_look_so(self) -> None:
        """A long s becomes an S."""
        self.refuses(arguments.currency, "U\u017fD")

    def test_account_and_party(self) -> None:
        number = "999000000000000014"
        self.takes(arguments.account, {number: number})
        self.takes(arguments.party, {number: number, "Bob": "bob"})
        self.refuses(arguments.account, "", "bob", number[:-1], number[:-1] + "5", number + "0", "٩" * 18)
        self.refuses(arguments.party, "", "1bob", number[:-1] + "5", "@cash", "999000")

    def test_whole_numbers(self) -> None:
        self.takes(arguments.whole, {"0": 0, "007": 7, "9" * 15: 10**15 - 1})
        self.refuses(arguments.whole, "", "-1", "+1", "1.0", "1e3", "9" * 16, "٣", "1 ", "1_0")
        self.takes(arguments.listed, {"1": 1, "1000": 1000})
        self.refuses(arguments.listed, "0", "1001", "x")

    def test_switch(self) -> None:
        self.takes(arguments.switch, {"on": True, "OFF": False, "true": True, "false": False})
        self.refuses(arguments.switch, "", "1", "yes", "oN ")

    def test_passwords(self) -> None:
        """However its accents were typed, a password is the same."""
        self.takes(arguments.new_password, {"e\u0301" * 8: "\u00e9" * 8, "x" * 256: "x" * 256, " blanks ": " blanks "})
        self.refuses(arguments.new_password, "", "x" * 7, "x" * 257, "e\u0301" * 7)
        self.takes(arguments.password, {"x": "x", "e\u0301": "\u00e9"})

    def test_long_passwords(self) -> None:
        """
        What is too long for any password stays as it was typed: to put 8,000 marks that stand on one letter in their order took 0.3 s.
        """
        longest = "\u03b1\u0313\u0300\u0345" * 256
        self.takes(arguments.new_password, {longest: "\u1f82" * 256})
        self.refuses(arguments.new_password, longest + "x", "e\u0301" * 4000)
        self.takes(arguments.password, {longest: "\u1f82" * 256, "e\u0301" * 4000: "e\u0301" * 4000})

    def test_name_and_word(self) -> None:
        self.takes(arguments.name, {" Bob ": "Bob", "Bób": "Bób"})
        self.refuses(arguments.name, "", "   ")
        self.refuses(arguments.word, "")

    def test_currency(self) -> None:
        self.takes(arguments.currency, {"usd": "USD", "HOURS": "HOURS"})
        self.refuses(arguments.currency, "", "U", "1SD", "U$D", "ABCDEFGHI")

    def test_key(self) -> None:
        self.takes(arguments.key, {"k": "k", "a b": "a b", "~" * 64: "~" * 64})
        self.refuses(arguments.key, "", "k" * 65, "é", "a\tb", "a\n")

    def test_limited(self) -> None:
        """Characters count, not bytes; HELP tells the limit."""
        memo = arguments.memo.limited(3)
        self.assertEqual(memo("ééé"), "ééé")
        self.refuses(memo, "xxxx")
        self.assertIn("up to 3 characters", memo.expected)
        self.assertTrue(memo.rest and memo.multiline)

    def test_of_json(self) -> None:
        """What values of JSON a type takes shows in what it returns, where nothing else is said."""
        self.assertEqual(ArgumentType.of(arguments.whole).accepts, {int})
        self.assertEqual(ArgumentType.of(arguments.switch).accepts, {bool})
        self.assertEqual(ArgumentType.of(arguments.username).accepts, {str})
        self.assertEqual(arguments.amount.accepts, {str, int})

    def test_says_what_it_expects(self) -> None:
        """The docstring is for users."""
        self.assertEqual(ArgumentType.of(arguments.switch).expected, "on or off")

    def test_errors_are_printable(self) -> None:
        """What a stranger wrote is quoted short and escaped."""
        refusal = self.assertRaises(BadArgument, arguments.username, "\u202e\x1b" + "x" * 1000)
        self.assertTrue(str(refusal).isprintable())
        self.assertLess(len(str(refusal)), 200)
