"""
The same payment on SQLite and PostgreSQL, on the same disk: look a key up, get two accounts and put them again, put the transfer, its two
entries, and the key.
"""

import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEMBERS = 1000

SCHEMA = """
CREATE TABLE account (number BIGINT PRIMARY KEY, owner TEXT, balance BIGINT, entries BIGINT);
CREATE TABLE transfer (number {serial}, at BIGINT, payer BIGINT, payee BIGINT, units BIGINT, memo TEXT);
CREATE TABLE entry (account BIGINT, number BIGINT, transfer BIGINT, units BIGINT, balance BIGINT, PRIMARY KEY (account, number));
CREATE TABLE once (key TEXT PRIMARY KEY, digest TEXT, result TEXT);
"""

PROCEDURE = """
CREATE FUNCTION pay(k TEXT, a BIGINT, b BIGINT, amount BIGINT) RETURNS BIGINT LANGUAGE plpgsql AS $$
DECLARE one RECORD; two RECORD; made BIGINT;
BEGIN
    PERFORM 1 FROM once WHERE key = k;
    IF FOUND THEN RETURN 0; END IF;
    -- In one order, or two payments between the same two would wait for each other.
    PERFORM 1 FROM account WHERE number IN (a, b) ORDER BY number FOR UPDATE;
    UPDATE account SET balance = balance - amount, entries = entries + 1 WHERE number = a RETURNING * INTO one;
    UPDATE account SET balance = balance + amount, entries = entries + 1 WHERE number = b RETURNING * INTO two;
    INSERT INTO transfer (at, payer, payee, units, memo) VALUES (extract(epoch FROM now()), a, b, amount, '') RETURNING number INTO made;
    INSERT INTO entry VALUES (a, one.entries, made, -amount, one.balance), (b, two.entries, made, amount, two.balance);
    INSERT INTO once VALUES (k, 'digest', made::text);
    RETURN made;
END $$;
"""

SCRIPT = f"""
\\set a random(1, {MEMBERS})
\\set b 1 + (:a * 7 + 1) % {MEMBERS}
SELECT pay(:client_id || '-' || random()::text || clock_timestamp()::text, :a, :b, 1);
"""


def sqlite_rate(directory: Path, seconds: float, each: int) -> float:
    """
    Payments a second of one writer, WAL, synchronous=FULL.

    @param each: payments in a commit.
    """
    path = directory / "sqlite.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.executescript(SCHEMA.format(serial="INTEGER PRIMARY KEY"))
    connection.executemany("INSERT INTO account VALUES (?, ?, 100000000, 0)", [(n, f"member{n}") for n in range(MEMBERS)])
    count, since = 0, time.monotonic()
    while time.monotonic() - since < seconds:
        connection.execute("BEGIN IMMEDIATE")
        for _ in range(each):
            _pay(connection, f"bench-{count}", count % MEMBERS, (count * 7 + 1) % MEMBERS)
            count += 1
        connection.execute("COMMIT")
    rate = count / (time.monotonic() - since)
    connection.close()
    for left in directory.glob("sqlite.db*"):
        left.unlink()
    return rate


def _pay(connection: sqlite3.Connection, key: str, payer: int, payee: int) -> None:
    execute = connection.execute
    if execute("SELECT result FROM once WHERE key = ?", (key,)).fetchone():
        return
    (mine, entries), (theirs, their_entries) = (
        execute("SELECT balance, entries FROM account WHERE number = ?", (number,)).fetchone() for number in (payer, payee)
    )
    execute("UPDATE account SET balance = ?, entries = ? WHERE number = ?", (mine - 1, entries + 1, payer))
    execute("UPDATE account SET balance = ?, entries = ? WHERE number = ?", (theirs + 1, their_entries + 1, payee))
    made = execute("INSERT INTO transfer (at, payer, payee, units, memo) VALUES (?, ?, ?, 1, '')", (time.time_ns(), payer, payee)).lastrowid
    execute("INSERT INTO entry VALUES (?, ?, ?, -1, ?)", (payer, entries + 1, made, mine - 1))
    execute("INSERT OR IGNORE INTO entry VALUES (?, ?, ?, 1, ?)", (payee, their_entries + 1, made, theirs + 1))
    execute("INSERT INTO once VALUES (?, 'digest', ?)", (key, str(made)))


def postgres_programs() -> Path | None:
    """Where PostgreSQL's programs are (apt-get install postgresql); None if it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found and shutil.which("runuser") else None


@contextmanager
def postgres(programs: Path, directory: Path) -> Iterator[Path]:
    """A server with the schema, on a socket in a directory of its own; as root it runs as the user postgres."""
    cluster = directory / "postgres"
    shutil.rmtree(cluster, ignore_errors=True)
    cluster.mkdir(parents=True)
    if os.getuid() == 0:
        shutil.chown(cluster, "postgres", "postgres")
    _as_postgres(programs / "initdb", "-D", cluster / "data", "-A", "trust", "-U", "postgres", "--no-locale", "-E", "UTF8")
    options = f"-k {cluster} -c listen_addresses='' -c max_connections=300 -c synchronous_commit=on -c fsync=on"
    _as_postgres(programs / "pg_ctl", "-D", cluster / "data", "-w", "-l", cluster / "log", "-o", options, "start")
    try:
        statements = SCHEMA.format(serial="BIGSERIAL PRIMARY KEY") + PROCEDURE
        statements += f"INSERT INTO account SELECT n, 'member' || n, 100000000, 0 FROM generate_series(1, {MEMBERS}) n;"
        subprocess.run(["psql", "-qX", "-h", cluster, "-U", "postgres", "-v", "ON_ERROR_STOP=1"], input=statements, text=True, check=True)
        yield cluster
    finally:
        _as_postgres(programs / "pg_ctl", "-D", cluster / "data", "-w", "-m", "immediate", "stop")
        shutil.rmtree(cluster, ignore_errors=True)


def postgres_rate(cluster: Path, clients: int, seconds: float) -> float:
    """Payments a second by one stored procedure each, prepared."""
    script = cluster / "pay.sql"
    script.write_text(SCRIPT)
    command = ["pgbench", "-n", "-M", "prepared", "-h", cluster, "-U", "postgres", "-c", clients, "-j", 1, "-T", max(1, round(seconds))]
    done = subprocess.run([*map(str, command), "-f", str(script), "postgres"], capture_output=True, text=True, check=True)
    return next(float(line.split()[2]) for line in done.stdout.splitlines() if line.startswith("tps ="))


def _as_postgres(*command: object) -> None:
    become = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    subprocess.run([*become, *map(str, command)], check=True, stdout=subprocess.DEVNULL, cwd="/tmp")
