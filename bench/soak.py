"""
A soak: thousands of connections in hundreds of rooms that talk, pay, order and look, while some read too slowly and others vanish.

    python bench/soak.py [--minutes M] [--connections N] [--rooms R] [--rate PER_SECOND] [--seed S]

At its end everything that was acknowledged must be there, once; every connection must have heard all that it was promised; and the hub
must have grown by what it keeps and no more. The exit status says whether that was so. README.md says how to read the figures.
"""

import gc
import json
import os
import re
import shutil
import socket
import ssl
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import growth
import members
import servers
import shops
from devices import Crowd, Device, Figures, Member, Request, State, units
from servers import BUILD, LOAD_CORE, Server, copy_of, hub
from table import print_row
from traffic import Rates, Traffic
from wires import Loop
from witness import Witness, between

MINUTES, CONNECTIONS, ROOMS = 10.0, 5000, 500
DEVICES_EACH = 2.5
HOME_ROOMS = 3
# One member in so many is in the lobby; so many at most are in the busy room, of whom the first ones read as they should.
LOBBY_ONE_IN = 5
BUSY_MEMBERS, BUSY_READERS = 16, 6
SELLERS = 10
PRICE = 100

# For each connection: requests a second, and how often it vanishes.
REQUESTS_EACH = 0.08
VANISH_EACH = 1 / 500

SAMPLE_SECONDS = 5.0
# So many come at once at the beginning; the hub's queue of those who want to connect is short.
RAMP_AT_ONCE = 30
# Longer than that nothing may take after the end of the traffic.
PATIENCE_SECONDS = 120.0
CHECKS_AT_ONCE = 50
PAGE = 1000

# Memory that may be there at the end and is not explained: a share of all and some MiB for buffers and for what the allocator keeps, and a
# share of what is kept, as what each thing takes is not known better than that.
UNEXPLAINED_SHARE, UNEXPLAINED_MIB, UNEXPLAINED_KEPT = 0.05, 16, 0.15
KEPT = BUILD / "devices"

COLUMNS = "minute", "back", "requests/s", "deliv./s", "p99 ms", "max ms", "deliv.p99", "max ms", "hub CPU", "load CPU"


@dataclass
class Sample:
    """The hub's memory at a moment, what it had kept by then, and what waited for peers to read, in MiB."""

    at: float
    resident: float
    kept: float
    queued: float

    @property
    def rest(self) -> float:
        return self.resident - self.kept - self.queued


@dataclass
class Soak:
    """One run, and what it has shown so far."""

    server: Server
    door: "Door"
    crowd: Crowd
    members: list[Member]
    grown: dict[str, float]
    samples: list[Sample] = field(default_factory=list)
    minutes: list[Figures] = field(default_factory=list)
    opening: dict[str, int] = field(default_factory=dict)

    @property
    def devices(self) -> list[Device]:
        return [device for member in self.members for device in member.devices]


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


# The state from which it begins.


def base() -> Path:
    """
    The state directory with the members of members.py, of whom each has two devices and every second one a third, and some sell something;
    it is made if there is none.
    """
    if not KEPT.exists():
        start = members.base()
        print(f"Logging in {2 * members.MEMBERS} devices, once, in {KEPT} ...", flush=True)
        unfinished = KEPT.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        with copy_of(start) as state:
            with hub(state, core=None) as server:
                tokens = _log_in_devices(server)
                _open_shops(server, Door(state))
                server.stop()
            shutil.copytree(state, unfinished / "state", ignore=shutil.ignore_patterns("*.sock"))
        (unfinished / "tokens").write_text("".join(f"{' '.join(each)}\n" for each in tokens))
        unfinished.rename(KEPT)
    return KEPT / "state"


def _log_in_devices(server: Server) -> list[list[str]]:
    """@return: the tokens of each member's devices."""

    def log_in(index: int) -> list[str]:
        with shops.connected(server) as lines:
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
        with shops.connected(server) as lines:
            shops.say(lines, f"RESUME {tokens[index]}")
            shops.say(lines, f"orders.item soak-bench{index} price={PRICE // 100}.00 stock={shops.STOCK}")


def people(crowd: Crowd, connections: int, rooms: int) -> list[Member]:
    """Members with so many devices in all, and the rooms that they are in."""
    tokens = [line.split() for line in (KEPT / "tokens").read_text().splitlines()]
    count = min(max(int(connections / DEVICES_EACH), 2 * SELLERS), len(tokens))
    if connections > sum(map(len, tokens[:count])):
        raise SystemExit(f"There are no tokens for {connections} connections.")
    others = [f"room{index}" for index in range(2, rooms)]
    made = []
    for index in range(count):
        homes = crowd.random.sample(others, HOME_ROOMS)
        if index % LOBBY_ONE_IN == 0:
            homes.append("lobby")
        friends = [f"bench{(index + step) % count}" for step in (-1, 1)]
        made.append(Member(f"bench{index}", homes, friends))
    busy = made[SELLERS : SELLERS + BUSY_MEMBERS]
    for member in busy:
        member.rooms.append("busy")
    left = connections
    for number in range(3):
        for index, member in enumerate(made):
            if left and number < len(tokens[index]):
                slow = member in busy[BUSY_READERS:]
                member.devices.append(Device(crowd, member, f"{index}.{number}", tokens[index][number], slow=slow))
                left -= 1
    return made


# The run.


def play(arguments: Namespace) -> bool:
    state_base = base()
    print("Measuring what each thing that is kept takes ...", flush=True)
    grown = growth.measure(state_base, f"bench{SELLERS - 1}")
    print("  " + ", ".join(f"{kind}: {count:,.0f} bytes" for kind, count in grown.items()))
    with copy_of(state_base) as state, hub(state) as server:
        soak = _soak(arguments, server, Door(state), grown)
        soak.door.ask("admin.grant", username=soak.members[0].username, role="admin")
        rates = Rates(arguments.rate or arguments.connections * REQUESTS_EACH, arguments.connections * VANISH_EACH)
        rooms = [f"room{index}" for index in range(2, arguments.rooms)]
        wares = {f"soak-bench{index}": (f"bench{index}", PRICE) for index in range(SELLERS)}
        traffic = Traffic(soak.crowd, soak.members, rates, lobby="lobby", busy="busy", open_rooms=rooms, wares=wares)
        gc.disable()
        _come(soak)
        print(
            f"{len(soak.devices):,} connections of {len(soak.members):,} members in {arguments.rooms} rooms; {rates.requests:.0f} requests "
            f"and {rates.busy:.0f} long messages a second; {rates.vanish:.1f} vanish in a second, {len(traffic.slow)} read slowly at times",
            flush=True,
        )
        _run(soak, traffic, arguments.minutes)
        _settle(soak, traffic)
        _check(soak)
        soak.server.stop()
    return _tell(soak, traffic)


def _soak(arguments: Namespace, server: Server, door: Door, grown: dict[str, float]) -> Soak:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    crowd = Crowd(Loop(), server.port, context, Witness(), Random(arguments.seed))
    return Soak(server, door, crowd, people(crowd, arguments.connections, arguments.rooms), grown)


def _come(soak: Soak) -> None:
    """All connect and join their rooms, and the first device of each member looks how much there is to spend."""
    waiting = list(reversed(soak.devices))
    since = time.monotonic()

    def next_one() -> None:
        if waiting:
            device = waiting.pop()
            device.once_ready = next_one
            device.connect()

    for _ in range(RAMP_AT_ONCE):
        next_one()
    soak.crowd.loop.run_until(lambda: all(device.state is State.READY for device in soak.devices[-RAMP_AT_ONCE:]) and not waiting)
    _until(soak, lambda: all(device.state is State.READY for device in soak.devices), "not everybody could log in")
    for member in soak.members:

        def opened(result: dict[str, Any], _: Request, name: str = member.username) -> None:
            soak.opening[name] = units(result["balance"])

        member.devices[0].ask(Request("balance", "ledger.balance", {}, soak.crowd.loop.now, opened))
    _until(soak, lambda: len(soak.opening) == len(soak.members), "not everybody could see their balance")
    print(f"All are there after {time.monotonic() - since:.1f} s; {soak.server.resident_kib() / 1024:.0f} MiB", flush=True)


def _run(soak: Soak, traffic: Traffic, minutes: float) -> None:
    loop, began = soak.crowd.loop, soak.crowd.loop.now
    soak.crowd.figures = Figures()
    soak.crowd.stored.clear()
    print_row(*COLUMNS)
    traffic.start()
    sampling = Sampling(soak, began)
    sampling.sample()
    while (left := began + minutes * 60 - loop.now) > 0:
        cpu, load_cpu, since = soak.server.cpu_seconds(), time.process_time(), loop.now
        until = loop.now + min(left, 60)
        loop.run_until(lambda until=until: loop.now >= until)
        _show_minute(soak, loop.now - since, soak.server.cpu_seconds() - cpu, time.process_time() - load_cpu)
    sampling.on = False
    traffic.stop()


@dataclass
class Sampling:
    """Looks at the hub's memory every few seconds, and has an admin ask how much waits to be read."""

    soak: Soak
    began: float
    on: bool = True

    def sample(self) -> None:
        if not self.on:
            return
        crowd = self.soak.crowd
        for device in self.soak.members[0].devices:
            if device.state is State.READY:
                device.ask(Request("status", "admin.status", {}, crowd.loop.now, self._take))
                break
        crowd.loop.after(SAMPLE_SECONDS, self.sample)

    def _take(self, status: dict[str, Any], _: Request) -> None:
        crowd, server = self.soak.crowd, self.soak.server
        kept = growth.explained(crowd.stored, self.soak.grown)
        sample = Sample(crowd.loop.now - self.began, server.resident_kib() / 1024, kept / 2**20, status["queued_bytes"] / 2**20)
        self.soak.samples.append(sample)


def _show_minute(soak: Soak, seconds: float, cpu: float, load_cpu: float) -> None:
    figures, soak.crowd.figures = soak.crowd.figures, Figures()
    soak.minutes.append(figures)
    happened, answers, deliveries = figures.happened, figures.answers, figures.deliveries
    print_row(
        len(soak.minutes),
        happened["back"],
        f"{happened['requests'] / seconds:,.0f}",
        f"{happened['deliveries'] / seconds:,.0f}",
        f"{answers.ms(0.99):.1f}",
        f"{answers.ms(1):.0f}",
        f"{deliveries.ms(0.99):.1f}",
        f"{deliveries.ms(1):.0f}",
        f"{cpu / seconds:.0%}",
        f"{load_cpu / seconds:.0%}",
    )


def _until(soak: Soak, done: Callable[[], bool], otherwise: str) -> None:
    limit = soak.crowd.loop.now + PATIENCE_SECONDS
    soak.crowd.loop.run_until(lambda: done() or soak.crowd.loop.now > limit)
    if not done():
        soak.crowd.witness.findings.note("it took too long", otherwise)


def _settle(soak: Soak, traffic: Traffic) -> None:
    """Everybody comes back and is answered; then each connection hears, behind a last answer, all that it was promised."""

    def settled() -> bool:
        return all(device.state is State.READY and not device.waits for device in soak.devices)

    _until(soak, settled, "not everybody came back and was answered")
    traffic.last_words()
    _until(soak, settled, "not everybody was answered at the end")
    for device in soak.devices:
        if device.state is State.READY:
            device.ask(Request("ping", "hub.ping", {}, soak.crowd.loop.now, lambda _, __: None))
    _until(soak, settled, "not everybody was answered behind the end")
    # Who caught up until now hears the last of it behind that answer.
    limit = soak.crowd.loop.now + 2.0
    soak.crowd.loop.run_until(lambda: soak.crowd.loop.now > limit)


# The checks.


def _check(soak: Soak) -> None:
    witness, findings = soak.crowd.witness, soak.crowd.witness.findings
    print("Checking what is there ...", flush=True)
    _check_records(soak)
    for device in soak.devices:
        if device.ear is not None:
            device.ear.finish()
    witness.finish()
    for row in soak.door.ask("ledger.trial_balance")["items"]:
        if units(row["sum"]):
            findings.note("trial balance is not zero", str(row))
    status = soak.door.ask("admin.status")
    # The door is a connection, too.
    if status["connections"] != len(soak.devices) + 1:
        findings.note("wrong number of connections", f"{status['connections']} where {len(soak.devices) + 1} were to be expected")
    soak.crowd.ending = True


def _check_records(soak: Soak) -> None:
    """Let members look through all that they have, a few at a time."""
    waiting = list(_checks(soak))
    running = 0

    def over() -> None:
        nonlocal running
        running -= 1
        go_on()

    def go_on() -> None:
        nonlocal running
        while waiting and running < CHECKS_AT_ONCE:
            running += 1
            waiting.pop()(over)

    go_on()
    _until(soak, lambda: not waiting and not running, "not everything could be looked at")


def _checks(soak: Soak) -> Iterator[Callable[[Callable[[], None]], None]]:
    """What is to be looked at; each calls what it is given when it is done."""
    in_rooms: dict[str, Device] = {room: member.devices[0] for member in soak.members for room in member.rooms}
    for room, device in in_rooms.items():
        yield lambda over, room=room, device=device: _check_history(soak, device, room, room, over)
    for member in soak.members:
        friend, device = member.friends[1], member.devices[0]
        place = between(member.username, friend)
        yield lambda over, place=place, friend=friend, device=device: _check_history(soak, device, place, f"@{friend}", over)
        yield lambda over, device=device: _check_account(soak, device, over)
        yield lambda over, device=device: _check_orders(soak, device, over)


def _pages(device: Device, method: str, params: dict[str, Any], number: str, done: Callable[[list[dict[str, Any]]], None]) -> None:
    """Ask for a list to its end."""
    rows: list[dict[str, Any]] = []

    def page(result: dict[str, Any], _: Request) -> None:
        rows.extend(result["items"])
        if result.get("more"):
            ask({"before": rows[-1][number]})
        else:
            done(rows)

    def ask(further: dict[str, Any]) -> None:
        device.ask(Request("check", method, params | {"limit": PAGE} | further, device.crowd.loop.now, page))

    ask({})


def _check_history(soak: Soak, device: Device, place: str, name: str, over: Callable[[], None]) -> None:
    def done(rows: list[dict[str, Any]]) -> None:
        soak.crowd.witness.check_history(place, {row["seq"]: (row["from"], row["text"]) for row in rows})
        over()

    _pages(device, "chat.log", {"room": name}, "seq", done)


def _check_account(soak: Soak, device: Device, over: Callable[[], None]) -> None:
    username = device.member.username

    def done(rows: list[dict[str, Any]]) -> None:
        payments = []
        for row in rows:
            amount = units(row["amount"])
            payer, payee = (row["with"], username) if amount > 0 else (username, row["with"])
            if row["kind"] == "transfer":
                payments.append((payer, payee, abs(amount), row["memo"]))
                soak.crowd.witness.show_payment(row["transfer"], payer, payee, abs(amount), row["memo"])
        closing = units(rows[0]["balance"])
        soak.crowd.witness.check_account(username, soak.opening[username], closing, payments)
        over()

    _pages(device, "ledger.history", {}, "transfer", done)


def _check_orders(soak: Soak, device: Device, over: Callable[[], None]) -> None:
    def done(rows: list[dict[str, Any]]) -> None:
        soak.crowd.witness.check_orders(device.member.username, [row["order"] for row in rows])
        over()

    _pages(device, "orders.list", {}, "order", done)


# What came of it.


def _tell(soak: Soak, traffic: Traffic) -> bool:
    witness, findings = soak.crowd.witness, soak.crowd.witness.findings
    _read_log(soak)
    total = Figures()
    for figures in [*soak.minutes, soak.crowd.figures]:
        total.answers.take(figures.answers)
        total.deliveries.take(figures.deliveries)
        total.late.take(figures.late)
        total.happened.update(figures.happened)
    print("\nWhat happened: " + ", ".join(f"{count:,} {what}" for what, count in sorted(total.happened.items())))
    print(f"Said {len(witness.messages):,}, paid {len(witness.payments):,}")
    for name, histogram in (("answers", total.answers), ("deliveries", total.deliveries), ("load late", total.late)):
        shares = "   ".join(f"p{share * 100:g} {histogram.ms(share):.1f}" for share in (0.5, 0.9, 0.99, 0.999))
        print(f"  {name:10} ms: {shares}   max {histogram.ms(1):.0f}")
    flat = _tell_memory(soak.samples)
    for line in findings.lines():
        print(f"  {line}")
    well = not findings.counts
    print(f"\n{'Nothing was lost.' if well else 'FAILED: see above.'} Memory is {'flat' if flat else 'NOT flat'}.")
    return well and flat


def _tell_memory(samples: list[Sample]) -> bool:
    """@return: whether the hub has grown by what it keeps, and no more."""
    print("\nMemory in MiB: of the hub; of what it has kept since the beginning; of what waited for slow readers; the rest")
    step = max(1, len(samples) // 40)
    for sample in samples[::step]:
        print(f"  {sample.at:6.0f} s  {sample.resident:8.1f}  {sample.kept:8.1f}  {sample.queued:8.1f}  {sample.rest:8.1f}")
    # The first third is for buffers to become as large as they ever will.
    later = samples[len(samples) // 3 :]
    slope = _slope(later)
    grown = slope * (later[-1].at - later[0].at)
    allowed = UNEXPLAINED_MIB + UNEXPLAINED_SHARE * later[0].resident + UNEXPLAINED_KEPT * (later[-1].kept - later[0].kept)
    print(
        f"  the rest in the last two thirds: {slope * 60:+.2f} MiB a minute, {grown:+.1f} MiB in all, {allowed:.0f} are allowed; "
        f"the hub: {_slope(later, of_all=True) * 60:+.2f} a minute"
    )
    return grown <= allowed


def _slope(samples: list[Sample], *, of_all: bool = False) -> float:
    """MiB a second, by least squares."""
    values = [sample.resident if of_all else sample.rest for sample in samples]
    times = [sample.at for sample in samples]
    middle, level = sum(times) / len(times), sum(values) / len(values)
    spread = sum((at - middle) ** 2 for at in times)
    return sum((at - middle) * (value - level) for at, value in zip(times, values, strict=True)) / spread if spread else 0.0


EXPECTED_IN_LOG = re.compile(r"\S+ (info \S+: |warn securehub\.outlet: slow-reader: )")


def _read_log(soak: Soak) -> None:
    """Whatever the hub itself found worth a warning is a finding, but for slow readers."""
    cut = 0
    for line in (BUILD / "hub.log").read_text(errors="replace").splitlines():
        if not EXPECTED_IN_LOG.match(line):
            soak.crowd.witness.findings.note("in the hub's log", line[:200])
        cut += "slow-reader: " in line
    soak.crowd.figures.happened["slow readers in the hub's log"] = cut


def run() -> int:
    """The whole of it, as C{run.py} calls it; returns the exit status."""
    return 0 if play(read_arguments([])) else 1


def read_arguments(words: list[str] | None = None) -> Namespace:
    parser = ArgumentParser(description="Thousands of members for some minutes: is anything lost, and does memory stay flat?")
    parser.add_argument("--minutes", type=float, default=MINUTES, help=f"for how long ({MINUTES:g})")
    parser.add_argument("--connections", type=int, default=CONNECTIONS, help=f"how many ({CONNECTIONS})")
    parser.add_argument("--rooms", type=int, default=ROOMS, help=f"in how many rooms ({ROOMS})")
    parser.add_argument("--rate", type=float, default=0, help=f"requests a second of all together ({REQUESTS_EACH} for each connection)")
    parser.add_argument("--seed", type=int, default=1, help="what is random is the same with the same (1)")
    return parser.parse_args(words)


def main() -> int:
    arguments = read_arguments()
    servers.BUILD.mkdir(exist_ok=True)
    servers.allow_many_files()
    os.sched_setaffinity(0, {LOAD_CORE})
    return 0 if play(arguments) else 1


if __name__ == "__main__":
    sys.exit(main())
