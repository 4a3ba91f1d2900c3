"""
Account numbers in the form of CLABE, the Mexican interbank standard: bank (3), branch (3), account (11), control digit (1).

The bank is one that no real bank has (999 unless configured), so that a number of the hub's can never be mistaken for a real one.
"""

from __future__ import annotations

import re

_NUMBER = re.compile(r"[0-9]{18}")
# Banco de Mexico, Sistema de Pagos Electronicos Interbancarios, rules for the control digit: weights 3, 7, 1, each product modulo 10.
_WEIGHTS = (3, 7, 1) * 6


def control_digit(digits: str) -> str:
    """
    @param digits: the first seventeen digits of an account number.
    """
    total = sum(int(digit) * weight % 10 for digit, weight in zip(digits, _WEIGHTS, strict=False))
    return str(-total % 10)


def number(bank: str, branch: str, account: int) -> str:
    """
    @param account: the serial number of the account, up to eleven digits.
    """
    digits = f"{bank}{branch}{account:011d}"
    assert len(digits) == 17, digits
    return digits + control_digit(digits)


def is_number(text: str) -> bool:
    """Whether this is an account number with the right control digit."""
    return _NUMBER.fullmatch(text) is not None and control_digit(text[:17]) == text[17]
