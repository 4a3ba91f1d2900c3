"""
The C{securehub} command: tools beside the daemon.

    securehub import    take in what members had in other programs
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence

from securehub import __version__
from securehub.imports import tool


def main(arguments: Sequence[str] | None = None) -> int:
    """
    @return: the exit status.
    """
    given = _parser().parse_args(arguments)
    status: int = given.run(given)
    return status


def _parser() -> ArgumentParser:
    parser = ArgumentParser("securehub", description="Tools for a hub; twistd securehub is the hub itself.")
    parser.add_argument("--version", action="version", version=f"SecureHub {__version__}")
    tools = parser.add_subparsers(required=True, metavar="TOOL")
    about = "take in what members had in other programs"
    importing = tools.add_parser("import", help=about, description=f"{about.capitalize()}; see docs/import.md.")
    tool.add_arguments(importing)
    importing.set_defaults(run=tool.run)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
