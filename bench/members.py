"""
The state from which every run begins: members `bench0`, `bench1`, ... with money, and a token for each.

A password costs 20 ms to hash, so members are made once and kept (build/members). A run works on a copy and resumes
with the tokens, which costs no hash: in a copy no token has been used yet.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from servers import BUILD, Server, copy_of, hub, kept
from talk import at_the_door, connected, say

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
    return kept(KEPT, f"Making {MEMBERS} members", _make_members) / "state"


@contextmanager
def hub_with_members() -> Iterator[Server]:
    """A hub on a copy of that state."""
    with copy_of(base()) as state, hub(state) as server:
        yield server


def _make_members(directory: Path) -> None:
    state = directory / "state"
    state.mkdir(mode=0o700, parents=True)
    with hub(state, core=None) as server:
        with ThreadPoolExecutor(AT_ONCE) as threads:
            tokens = list(threads.map(lambda index: _create(server, index), range(MEMBERS)))
        with at_the_door(state) as lines:
            for index in range(MEMBERS):
                say(lines, f"DEPOSIT bench{index} {OPENING} opening")
        server.stop()
    (directory / TOKENS.name).write_text("".join(f"{token}\n" for token in tokens))


def _create(server: Server, index: int) -> str:
    """Make a member; returns the token that it can be resumed with."""
    params = {"username": f"bench{index}", "password": PASSWORD}
    request = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "auth.create", "params": params}) + "\n"
    with connected(server) as lines:
        lines.write(request)
        lines.flush()
        answer = next(reply for line in lines if line.startswith("{") and "id" in (reply := json.loads(line)))
    if "error" in answer:
        raise SystemExit(f"bench{index} could not be made: {answer['error']}")
    return str(answer["result"]["resume"])
