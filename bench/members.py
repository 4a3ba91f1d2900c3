"""
The state from which every run begins: members `bench0`, `bench1`, ... with money, and a token for each.

A password costs 20 ms to hash, so members are made once and kept (build/members). A run works on a copy and resumes
with the tokens, which costs no hash: in a copy no token has been used yet.
"""

import json
import shutil
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from servers import BUILD, Server, hub

MEMBERS = 2000
OPENING = "1000000"
PASSWORD = "correct-horse-battery"
KEPT = BUILD / "members"
# The tokens, one a line: the generator's `{v}`.
TOKENS = KEPT / "tokens"
# Few enough that none is refused because too many wait for their hash.
AT_ONCE = 4


def base() -> Path:
    """The state directory with all members, made if there is none."""
    if not KEPT.exists():
        print(f"Making {MEMBERS} members, once, in {KEPT} ...", flush=True)
        unfinished = KEPT.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        _make_members(unfinished)
        unfinished.rename(KEPT)
    return KEPT / "state"


def _make_members(directory: Path) -> None:
    state = directory / "state"
    state.mkdir(mode=0o700, parents=True)
    with hub(state, core=None) as server:
        with ThreadPoolExecutor(AT_ONCE) as threads:
            tokens = list(threads.map(lambda index: _create(server, index), range(MEMBERS)))
        _pay_in(state / "admin.sock")
        server.stop()
    (directory / TOKENS.name).write_text("".join(f"{token}\n" for token in tokens))


def _create(server: Server, index: int) -> str:
    """Make a member; returns the token that it can be resumed with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    params = {"username": f"bench{index}", "password": PASSWORD}
    request = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "auth.create", "params": params}) + "\n"
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=30) as plain,
        context.wrap_socket(plain) as connection,
        connection.makefile("rw") as lines,
    ):
        lines.write(request)
        lines.flush()
        answer = next(reply for line in lines if line.startswith("{") and "id" in (reply := json.loads(line)))
    if "error" in answer:
        raise SystemExit(f"bench{index} could not be made: {answer['error']}")
    return str(answer["result"]["resume"])


def _pay_in(door: Path) -> None:
    """Give every member money, through the admin door."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(str(door))
        with connection.makefile("rw") as lines:
            for index in range(MEMBERS):
                lines.write(f"DEPOSIT bench{index} {OPENING} opening\n")
                lines.flush()
                status = next(line for line in lines if not line.startswith(("*", " ")))
                if not status.startswith("OK"):
                    raise SystemExit(f"bench{index} could not be paid: {status}")
