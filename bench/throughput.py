"""
Requests a second, the server's CPU for each, and how long they take: PING, BALANCE, TRANSFER and ORDER.
"""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from statistics import median

import members
import shops
from generator import Figures, Load, LoadFailed, measure
from servers import Server, copy_of, hub, peer
from table import print_row

# Connections, and requests in flight on each.
READS = [(1, 1), (1, 32), (100, 1), (100, 32), (1000, 1), (1000, 32)]
WRITES = [(1, 1), (1, 16), (64, 1), (64, 16), (100, 1), (100, 16), (1000, 1), (1000, 16)]

PING_JSON = '{"jsonrpc":"2.0","id":{n},"method":"hub.ping","params":{}}'
# The payee is logged in on another connection and is told of it there: each transfer is a reply and an event.
TRANSFER = "TRANSFER bench{o} 0.01 key={run}-{n}"
TRANSFER_JSON = '{"jsonrpc":"2.0","id":{n},"method":"ledger.transfer","params":{"to":"bench{o}","amount":"0.01","key":"{run}-{n}"}}'

# Three lines, paid to the member of the connection behind this one, with points for the customer and an entry in the customer's budget.
ORDER = "ORDER a{c} 1 b{c} 2 c{c} 1 key={run}-{n}"
ORDER_JSON = (
    '{"jsonrpc":"2.0","id":{n},"method":"orders.place","params":{"items":[{"sku":"a{c}","quantity":1},'
    '{"sku":"b{c}","quantity":2},{"sku":"c{c}","quantity":1}],"key":"{run}-{n}"}}'
)

HEADINGS = "scenario", "conns", "in flight", "requests/s", "CPU us", "p50 ms", "p99 ms", "load CPU", "to bare", "goal"


@dataclass(frozen=True)
class Scenario:
    """A row of the table."""

    name: str
    request: str
    connections: int
    in_flight: int
    goal: str = ""
    logged_in: bool = True
    beside_peer: bool = False
    base: Callable[[], Path] = members.base

    def load(self) -> Load:
        # A key is never used in two runs, whatever state they work on.
        request = self.request.replace("{run}", secrets.token_hex(4))
        if self.logged_in:
            return Load(self.connections, self.in_flight, request, "RESUME {v}\n", members.TOKENS)
        return Load(self.connections, self.in_flight, request)

    @contextmanager
    def hub(self) -> Iterator[Server]:
        with copy_of(self.base() if self.logged_in else None) as state, hub(state) as server:
            yield server


def pings() -> list[Scenario]:
    goals = {(100, 1): "CPU of bare", (100, 32): "4 us"}
    rows = [Scenario("PING", "PING", *size, goals.get(size, ""), logged_in=False, beside_peer=True) for size in READS]
    return [*rows, *(Scenario("PING JSON", PING_JSON, 100, each, logged_in=False) for each in (1, 32))]


def balances() -> list[Scenario]:
    return [Scenario("BALANCE", "BALANCE", *size) for size in READS]


def transfers() -> list[Scenario]:
    goals = {(64, 1): "60 us", (64, 16): "27 us"}
    rows = [Scenario("TRANSFER", TRANSFER, *size, goals.get(size, "")) for size in WRITES]
    return [*rows, *(Scenario("TRANSFER JSON", TRANSFER_JSON, 64, each) for each in (1, 16))]


def orders() -> list[Scenario]:
    """Beside transfers of the same state, in the same run."""
    requests = {"TRANSFER": TRANSFER, "ORDER": ORDER, "TRANSFER JSON": TRANSFER_JSON, "ORDER JSON": ORDER_JSON}
    goals = {"ORDER": "half of it", "ORDER JSON": "half of it"}
    return [
        Scenario(name, request, shops.SHOPS, each, goals.get(name, ""), base=shops.base)
        for each in (1, 16)
        for name, request in requests.items()
    ]


SCENARIOS = {"ping": pings, "balance": balances, "transfer": transfers, "order": orders}


def run(scenarios: list[Scenario], runs: int, seconds: float) -> bool:
    """Measure and print row by row; returns whether all could be measured."""
    if any(scenario.logged_in for scenario in scenarios):
        for base in dict.fromkeys(scenario.base for scenario in scenarios):
            base()
    print_row(*HEADINGS)
    complete = True
    for scenario in scenarios:
        try:
            show(scenario, *compare(scenario, runs, seconds))
        except LoadFailed:
            complete = False
            print_row(scenario.name, scenario.connections, scenario.in_flight, "failed")
    return complete


def compare(scenario: Scenario, runs: int, seconds: float) -> tuple[Figures, Figures | None]:
    """The medians for the hub and for its peer, if it has one; they take turns, so that both meet the same weather."""
    ours, theirs = [], []
    for _ in range(runs):
        if scenario.beside_peer:
            with peer() as server:
                theirs.append(measure(server, scenario.load(), seconds))
        with scenario.hub() as server:
            ours.append(measure(server, scenario.load(), seconds))
    return middle(ours), middle(theirs) if theirs else None


def middle(runs: list[Figures]) -> Figures:
    return Figures(*(median(column) for column in zip(*map(astuple, runs), strict=True)))


def show(scenario: Scenario, ours: Figures, theirs: Figures | None) -> None:
    size = scenario.connections, scenario.in_flight
    if theirs:
        print_row("  bare Twisted", *size, *cells(theirs))
    ratio = f"{ours.cpu_us / theirs.cpu_us:.2f}" if theirs else ""
    print_row(scenario.name, *size, *cells(ours), ratio, scenario.goal)
    if ours.errors:
        print(f"  of its requests {ours.errors:,.0f} were refused or not answered")


def cells(figures: Figures) -> list[str]:
    times = [f"{time:.2f}" for time in (figures.cpu_us, figures.p50_ms, figures.p99_ms)]
    return [f"{figures.per_second:,.0f}", *times, f"{figures.load_cpu:.0%}"]
