"""
Who is in the soak: the state from which it begins, with members whose devices are logged in, and the rooms and friends that each has.
"""

import json
import shutil
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import members
import shops
from devices import Crowd, Device, Member
from servers import BUILD, Server, copy_of, hub, kept
from talk import connected, say

DEVICES_EACH = 2.5
HOME_ROOMS = 3
# One member in so many is in the lobby; so many at most are in the busy room, of whom the first ones read as they should.
LOBBY_ONE_IN = 5
BUSY_MEMBERS, BUSY_READERS = 16, 6
SELLERS = 10
# In units.
PRICE = 100
LOBBY, BUSY = "lobby", "busy"
KEPT = BUILD / "devices"


class Door:
    """The admin door."""

    def __init__(self, state: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(60)
        self._socket.connect(str(state / "admin.sock"))
        self._lines = self._socket.makefile("rw")

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        self._lines.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}) + "\n")
        self._lines.flush()
        said = json.loads(next(line for line in self._lines if line.startswith('{"jsonrpc":"2.0","id"')))
        if "error" in said:
            raise SystemExit(f"{method} was refused: {said['error']}")
        return dict(said["result"])


def base() -> Path:
    """
    The state directory with the members of members.py, of whom each has two devices and every second one a third, and some sell something;
    it is made if there is none.
    """
    return kept(KEPT, f"Logging in {members.MEMBERS * 3 // 2} more devices", _make_devices) / "state"


def _make_devices(directory: Path) -> None:
    with copy_of(members.base()) as state:
        with hub(state, core=None) as server:
            tokens = _log_in_devices(server)
            _open_shops(server, Door(state))
            server.stop()
        shutil.copytree(state, directory / "state", ignore=shutil.ignore_patterns("*.sock"))
    (directory / "tokens").write_text("".join(f"{' '.join(each)}\n" for each in tokens))


def _log_in_devices(server: Server) -> list[list[str]]:
    """@return: the tokens of each member's devices."""

    def log_in(index: int) -> list[str]:
        with connected(server) as lines:
            params = {"username": f"bench{index}", "password": members.PASSWORD}
            lines.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "auth.login", "params": params}) + "\n")
            lines.flush()
            said = json.loads(next(line for line in lines if line.startswith('{"jsonrpc":"2.0","id"')))
            return [said["result"]["resume"]]

    first = members.TOKENS.read_text().split()
    with ThreadPoolExecutor(members.AT_ONCE) as threads:
        second = list(threads.map(log_in, range(len(first))))
        third = list(threads.map(log_in, range(0, len(first), 2)))
    return [[token, *second[index], *(third[index // 2] if index % 2 == 0 else ())] for index, token in enumerate(first)]


def _open_shops(server: Server, door: Door) -> None:
    tokens = members.TOKENS.read_text().split()
    for index in range(SELLERS):
        door.ask("admin.grant", username=f"bench{index}", role="seller")
        with connected(server) as lines:
            say(lines, f"RESUME {tokens[index]}")
            say(lines, f"orders.item soak-bench{index} price={PRICE // 100}.00 stock={shops.STOCK}")


def people(crowd: Crowd, connections: int, rooms: int) -> list[Member]:
    """Members with so many devices in all, and the rooms that they are in."""
    tokens = [line.split() for line in (KEPT / "tokens").read_text().splitlines()]
    count = min(max(int(connections / DEVICES_EACH), 2 * SELLERS), len(tokens))
    if connections > sum(map(len, tokens[:count])):
        raise SystemExit(f"There are no tokens for {connections} connections.")
    others = open_rooms(rooms)
    made = []
    for index in range(count):
        homes = crowd.random.sample(others, HOME_ROOMS)
        if index % LOBBY_ONE_IN == 0:
            homes.append(LOBBY)
        friends = [f"bench{(index + step) % count}" for step in (-1, 1)]
        made.append(Member(f"bench{index}", homes, friends))
    busy = made[SELLERS : SELLERS + BUSY_MEMBERS]
    for member in busy:
        member.rooms.append(BUSY)
    left = connections
    for number in range(3):
        for index, member in enumerate(made):
            if left and number < len(tokens[index]):
                slow = member in busy[BUSY_READERS:]
                member.devices.append(Device(crowd, member, f"{index}.{number}", tokens[index][number], slow=slow))
                left -= 1
    return made


def open_rooms(rooms: int) -> list[str]:
    """The names of all rooms but the lobby and the busy one."""
    return [f"room{index}" for index in range(2, rooms)]


def wares() -> dict[str, tuple[str, int]]:
    """What can be ordered, with who sells it and its price in units."""
    return {f"soak-bench{index}": (f"bench{index}", PRICE) for index in range(SELLERS)}
