"""
Account numbers.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from securehub import clabe


class ClabeTests(SynchronousTestCase):
    """Account numbers have CLABE form, and a typing error in one is noticed."""

    def test_the_first_accounts(self) -> None:
        """Those of the protocol's examples."""
        self.assertEqual(clabe.number("999", "000", 1), "999000000000000014")
        self.assertEqual(clabe.number("999", "000", 2), "999000000000000027")

    def test_a_published_number(self) -> None:
        """The example that is found in descriptions of CLABE."""
        self.assertTrue(clabe.is_number("032180000118359719"))
        self.assertEqual(clabe.control_digit("03218000011835971"), "9")

    def test_one_wrong_digit(self) -> None:
        """Whichever it is, and whatever stands in its place, the number is none."""
        number = clabe.number("999", "000", 12_345_678_901)
        for place, right in enumerate(number):
            for digit in set("0123456789") - {right}:
                self.assertFalse(clabe.is_number(number[:place] + digit + number[place + 1 :]), (place, digit))

    def test_what_is_no_number(self) -> None:
        """Digits of other scripts, other lengths and blanks are none."""
        for word in (
            "",
            "1",
            "99900000000000001",
            "9990000000000000140",
            "99900000000000001x",
            " 99900000000000014",
            "\uff19" * 18,
            "1" * 17 + "\n",
        ):
            self.assertFalse(clabe.is_number(word), word)
