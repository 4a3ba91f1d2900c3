"""
The store alone: durable payments a second beside SQLite and PostgreSQL on the same disk, what sealing costs, a start, and a backup under
load.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import journal
import sql
from servers import BUILD, HERE
from table import print_row

CALLERS = (1, 16, 64, 256)
SECONDS = 3.0
KEY = "env:SECUREHUB_BENCH_KEY"
SCRATCH = BUILD / "store"
WAYS = ("commits", "records", "msgspec", "json")
"""Of decoding lines; see transact.Alternating."""


def run(runs: int) -> None:
    """@param runs: measurements of each, of which the median is shown."""
    os.environ["SECUREHUB_BENCH_KEY"] = os.urandom(32).hex()
    SCRATCH.mkdir(parents=True, exist_ok=True)
    payments(runs)
    backup(runs)
    starts(runs)


def payments(runs: int) -> None:
    print_row("payments", "callers", "each/s", "CPU us", "p50 ms", "p99 ms", "max ms", "", "", "goal")
    alone = middle(runs, lambda: {"rate": sql.sqlite_rate(fresh(), SECONDS, 1)})["rate"]
    stored = postgres_rates(runs)
    goals = {1: f"{alone * 0.6:,.0f}", 64: f"{max(alone * 5, stored.get(64, 0)):,.0f}"}
    for name, key in (("SecureHub", ""), ("- sealed", KEY)):
        for callers in CALLERS:
            found = middle(runs, lambda callers=callers, key=key: pay(fresh(), callers, key))
            figures = (f"{found[column]:.1f}" for column in ("cpu_us", "p50_ms", "p99_ms", "max_ms"))
            print_row(name, callers, f"{found['rate']:,.0f}", *figures, "", "", "" if key else goals.get(callers, ""))
    print_row("SQLite", 1, f"{alone:,.0f}")
    print_row("- 64 a commit", 1, f"{middle(runs, lambda: {'rate': sql.sqlite_rate(fresh(), SECONDS, 64)})['rate']:,.0f}")
    for callers, rate in stored.items():
        print_row("PostgreSQL", callers, f"{rate:,.0f}")


def postgres_rates(runs: int) -> dict[int, float]:
    programs = sql.postgres_programs()
    if programs is None:
        print("PostgreSQL is not installed (apt-get install postgresql), and left out.")
        return {}
    with sql.postgres(programs, fresh()) as cluster:
        return {
            callers: middle(runs, lambda callers=callers: {"rate": sql.postgres_rate(cluster, callers, SECONDS)})["rate"]
            for callers in CALLERS
        }


def backup(runs: int) -> None:
    """Payments while a backup is made of a long history."""
    history = journal.long_history()
    size = sum(path.stat().st_size for path in history.glob("journal-*"))
    print_row("backup", "callers", "each/s", "CPU us", "p50 ms", "p99 ms", "max ms", "seconds", "MB/s")
    for name, tool in (("without", []), ("meanwhile", backup_command())):
        found = middle(runs, lambda tool=tool: pay(copied(history), 64, "", tool))
        figures = (f"{found[column]:.1f}" for column in ("cpu_us", "p50_ms", "p99_ms", "max_ms", "seconds"))
        print_row(name, 64, f"{found['rate']:,.0f}", *figures, f"{size / found['seconds'] / 1e6:.0f}" if tool else "")


def backup_command() -> list[str]:
    tool = [sys.executable, "-m", "securehub.commandline", "store", "backup", "--gently", "--until", "{until}"]
    return [*tool, "--state", str(SCRATCH / "state"), "--backups", str(SCRATCH / "backups")]


def starts(runs: int) -> None:
    """Starts from the journal alone, plain and sealed: a sealed history is made of the plain one by paying it all again."""
    history = journal.long_history()
    print_row("start", "", "transfers", "seconds", "decoding", "ratio", "bytes each", "", "", "goal")
    state = copied(history)
    for way in WAYS:
        print_start(way, middle(runs, lambda way=way: measured("open", state, "", way)), "10 s, 3, 1024")
    state = fresh()
    pay(state, 256, KEY)
    print_start("sealed", middle(runs, lambda: measured("open", state, KEY, WAYS[0])))


def print_start(name: str, found: dict[str, float], goal: str = "") -> None:
    figures = f"{found['transfers']:,.0f}", f"{found['seconds']:.2f}", f"{found['decoding']:.2f}", f"{found['ratio']:.2f}"
    print_row(name, "", *figures, f"{found['bytes_each']:.0f}", "", "", goal)


def pay(state: Path, callers: int, key: str, tool: list[str] | None = None) -> dict[str, float]:
    return measured("pay", state, str(callers), str(SECONDS), key, *(tool or []))


def measured(what: str, state: Path, *arguments: str) -> dict[str, float]:
    """One measurement, in a process of its own."""
    done = subprocess.run([sys.executable, HERE / "transact.py", what, state, *arguments], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def middle(runs: int, measure: Callable[..., dict[str, float]]) -> dict[str, Any]:
    seen = [measure() for _ in range(runs)]
    return {name: median(each[name] for each in seen) for name in seen[0]}


def fresh() -> Path:
    """An empty directory."""
    path = SCRATCH / "state"
    for each in (path, SCRATCH / "backups"):
        shutil.rmtree(each, ignore_errors=True)
    path.mkdir()
    return path


def copied(history: Path) -> Path:
    path = fresh()
    shutil.copytree(history, path, dirs_exist_ok=True)
    return path
