"""
How long the hub takes to start with a long history, and how much memory: from the journal, and after a clean stop.
"""

from pathlib import Path
from statistics import median

import journal
from servers import copy_of, hub

GOAL_SECONDS = 10


def run(runs: int) -> None:
    history = journal.long_history()
    columns = zip(*(start_twice(history) for _ in range(runs)), strict=True)
    first, first_peak, stop, second, second_peak = (median(column) for column in columns)
    print(f"start with {journal.TRANSFERS:,} journalled transfers")
    print(f"  from the journal       {first:7.2f} s   peak {first_peak / 1024:7,.0f} MiB   goal: {GOAL_SECONDS} s")
    print(f"  clean stop             {stop:7.2f} s")
    print(f"  start after that stop  {second:7.2f} s   peak {second_peak / 1024:7,.0f} MiB")


def start_twice(history: Path) -> tuple[float, int, float, float, int]:
    """Seconds and peak KiB of a start from the journal, seconds of a clean stop, seconds and peak of the next start."""
    with copy_of(history) as state:
        with hub(state) as server:
            first, first_peak = server.start_seconds, server.peak_kib()
            stop = server.stop()
        with hub(state) as server:
            return first, first_peak, stop, server.start_seconds, server.peak_kib()
