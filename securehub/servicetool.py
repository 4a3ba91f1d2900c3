"""
C{securehub services}: what a hub that is installed here would offer.

Run it after each installation, as a user who may write there: Twisted then stores the list of plugins, and a hub that may not write there
need not search for them at each start.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from inspect import getdoc
from typing import Any

from securehub import service


def run(given: Namespace) -> int:
    """
    Print each service with what it is for and the module that it is from.

    @return: the exit status: 0, or 1 if a hub would not start with these services.
    """
    try:
        found = service.find()
    except service.BadServices as bad:
        print(f"securehub: {bad}", file=sys.stderr)
        return 1
    width = max(len(factory.name) for factory in found)
    for factory in found:
        print(f"{factory.name:<{width}}  {_purpose(factory)} ({factory.__module__})")
    return 0


def _purpose(factory: Any) -> str:
    """The first line of its docstring."""
    return (getdoc(factory) or "no word of what it is").partition("\n")[0]
