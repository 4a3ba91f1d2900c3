"""
A thousand members who come back after the daemon was killed: how long until the last of them is logged in again and has read its balance,
and whether each balance is what its owner was told last.
"""

import asyncio
import json
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import members
from servers import copy_of, hub
from talk import trusting

CLIENTS = 1000
GOAL_SECONDS = 4
# Slower than that, something hangs.
PATIENCE_SECONDS = 60


class Return(NamedTuple):
    """What one run showed, in seconds: of the start, from then on until all are back, and of the hub's CPU then."""

    start: float
    back: float
    cpu: float
    lies: int


def run(runs: int) -> None:
    members.base()
    seen = [asyncio.run(come_back()) for _ in range(runs)]
    start, back, cpu = (median(column) for column in zip(*((each.start, each.back, each.cpu) for each in seen), strict=True))
    total = median(each.start + each.back for each in seen)
    print(f"{CLIENTS} resume after the daemon was killed")
    print(f"  start {start:5.2f} s   then all are back in {back:5.2f} s, of which the hub's CPU is {cpu:5.2f} s")
    print(f"  together {total:5.2f} s   goal: {GOAL_SECONDS} s")
    print(f"  balances that are not what was told last: {sum(each.lies for each in seen)} of {CLIENTS * runs}")


@dataclass
class Client:
    """
    A member's program.

    token: that of its latest login. told: the balance after the latest transfer that it was told of, transfer: the number of that; a reply
    may come before the event of an earlier transfer. told_times: how often it was told a balance.
    """

    token: str
    told: str = ""
    transfer: int = 0
    told_times: int = 0

    async def log_in(self, port: int, context: ssl.SSLContext) -> None:
        self.lines, self.writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        self.token = (await self.ask("auth.resume", token=self.token))["resume"]

    async def ask(self, method: str, **params: str) -> dict[str, Any]:
        """Make a request; what is heard of one's balance meanwhile is noted."""
        self.writer.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n")
        while True:
            said = await self.hear()
            if "error" in said:
                raise SystemExit(f"{method} was refused: {said['error']}")
            if "result" in said:
                return dict(said["result"])

    async def hear(self) -> dict[str, Any]:
        """The next reply or event."""
        while not (line := await self.lines.readline()).startswith(b"{"):
            if not line:
                raise SystemExit("A connection was lost.")
        said: dict[str, Any] = json.loads(line)
        content = said.get("result") or said.get("params") or {}
        if "balance" in content:
            self.told_times += 1
            if content.get("transfer", 0) > self.transfer:
                self.transfer, self.told = content["transfer"], content["balance"]
        return said


async def come_back() -> Return:
    tokens = members.TOKENS.read_text().split()[:CLIENTS]
    clients = [Client(token) for token in tokens]
    with copy_of(members.base()) as state:
        with hub(state, core=None) as server:
            await asyncio.wait_for(_live(clients, server.port), PATIENCE_SECONDS)
            server.process.kill()
            server.process.wait()
        return await _return(clients, state)


async def _live(clients: list[Client], port: int) -> None:
    """All at once, each pays the next one, and hears of that and of what it was paid."""
    context = trusting()
    await asyncio.gather(*(client.log_in(port, context) for client in clients))

    async def pay(index: int) -> None:
        client, payee = clients[index], (index + 1) % len(clients)
        await client.ask("ledger.transfer", to=f"bench{payee}", amount=f"0.{index % 97 + 1:02}")
        while client.told_times < 2:
            await client.hear()

    await asyncio.gather(*map(pay, range(len(clients))))


async def _return(clients: list[Client], state: Path) -> Return:
    told = [client.told for client in clients]
    context = trusting()
    with hub(state, core=None) as server:
        since, before = time.monotonic(), server.cpu_seconds()

        async def back(client: Client) -> str:
            await client.log_in(server.port, context)
            return str((await client.ask("ledger.balance"))["balance"])

        balances = await asyncio.wait_for(asyncio.gather(*map(back, clients)), PATIENCE_SECONDS)
        seconds, cpu_seconds = time.monotonic() - since, server.cpu_seconds() - before
    return Return(server.start_seconds, seconds, cpu_seconds, sum(one != other for one, other in zip(told, balances, strict=True)))
