"""
The C{securehub} command: tools beside the daemon.

    securehub import      take in what members had in other programs
    securehub services    what a hub would offer
    securehub store       verify, back up, restore and move what is kept
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence

from securehub import __version__, program, servicetool, storetool
from securehub.imports import tool


def main(arguments: Sequence[str] | None = None) -> int:
    """
    @return: the exit status.
    """

    def call() -> int:
        given = _parser().parse_args(arguments)
        with program.ending_in_order():
            status: int = given.run(given)
        return status

    return program.run("securehub", call)


def _parser() -> ArgumentParser:
    parser = ArgumentParser("securehub", description="Tools for a hub. To run the hub itself, use twistd -n securehub.")
    parser.add_argument("--version", action="version", version=f"SecureHub {__version__}")
    tools = parser.add_subparsers(required=True, metavar="TOOL")
    about = "take over what members had in other programs"
    importing = tools.add_parser("import", help=about, description=f"{about.capitalize()}; see docs/import.md.")
    tool.add_arguments(importing)
    importing.set_defaults(run=tool.run)
    about = "list the installed services, which a hub would offer"
    listing = tools.add_parser("services", help=about, description=f"{about.capitalize()}; see docs/services.md.")
    listing.set_defaults(run=servicetool.run)
    about = "verify, back up, restore and move what a hub keeps"
    storing = tools.add_parser("store", help=about, description=f"{about.capitalize()}; see docs/operations.md.")
    storing.set_defaults(run=storetool.run)
    storetool.add_arguments(storing)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
