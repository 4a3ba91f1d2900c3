"""
The state directory with a long history, for timing a start.
"""

import shutil
from pathlib import Path

from servers import BUILD

TRANSFERS = 1_000_000


def make_journal(state: Path, transfers: int) -> None:
    """
    Make a state directory whose journal has so many transfers, by the ledger's own rule, without a daemon.

    TO BE COMPLETED with the store. Open it on `state` in this process, make two members with accounts and money,
    play the rule of TRANSFER with a key of its own each time (through `once`, as dispatch does), and close the
    store without a snapshot: the start that is timed first is the one from the journal alone.
    """
    raise NotImplementedError


def long_history() -> Path:
    """The state directory with TRANSFERS journalled transfers, made if there is none."""
    state = BUILD / f"journal-{TRANSFERS}"
    if not state.exists():
        print(f"Making {TRANSFERS:,} transfers, once, in {state} ...", flush=True)
        unfinished = state.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        make_journal(unfinished, TRANSFERS)
        unfinished.rename(state)
    return state
