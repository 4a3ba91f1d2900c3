"""
A soak: thousands of connections in hundreds of rooms that talk, pay, order and look, while some read too slowly and others vanish.

    python bench/soak.py [--minutes M] [--connections N] [--rooms R] [--rate PER_SECOND] [--seed S]

At its end everything that was acknowledged must be there, once; every connection must have heard all that it was promised; and the hub
must have grown by what it keeps and no more. The exit status says whether that was so. README.md says how to read the figures.
"""

import gc
import os
import re
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import growth
import servers
from devices import Crowd, Device, Figures, Member, Request, State, units
from inspection import inspect
from population import BUSY, LOBBY, SELLERS, Door, base, open_rooms, people, wares
from servers import BUILD, LOAD_CORE, Server, copy_of, hub
from table import print_row
from talk import trusting
from traffic import Rates, Traffic
from wires import Loop
from witness import Witness

MINUTES, CONNECTIONS, ROOMS = 10.0, 5000, 500

# For each connection: requests a second, and how often it vanishes.
REQUESTS_EACH = 0.07
VANISH_EACH = 1 / 500

SAMPLE_SECONDS = 5.0
# So many come at once at the beginning; the hub's queue of those who want to connect is short.
RAMP_AT_ONCE = 30
# Longer than that nothing may take after the end of the traffic.
PATIENCE_SECONDS = 120.0
LOOK_SECONDS = 0.2

COLUMNS = "minute", "back", "requests/s", "deliv./s", "p99 ms", "deliv.p99", "loop p99", "hub CPU", "waited", "load CPU"


@dataclass
class Soak:
    """One run, and what it has shown so far."""

    server: Server
    door: Door
    crowd: Crowd
    members: list[Member]
    grown: dict[str, float]
    samples: list[growth.Sample] = field(default_factory=list)
    minutes: list[Figures] = field(default_factory=list)
    opening: dict[str, int] = field(default_factory=dict)

    @property
    def devices(self) -> list[Device]:
        return [device for member in self.members for device in member.devices]


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
        rooms = open_rooms(arguments.rooms)
        traffic = Traffic(soak.crowd, soak.members, rates, lobby=LOBBY, busy=BUSY, open_rooms=rooms, wares=wares())
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
    return _tell(soak)


def _soak(arguments: Namespace, server: Server, door: Door, grown: dict[str, float]) -> Soak:
    crowd = Crowd(Loop(), server.port, trusting(), Witness(), Random(arguments.seed))
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
    _until(soak, lambda: not waiting and all(device.state is State.READY for device in soak.devices), "not everybody could log in")
    for member in soak.members:

        def opened(result: dict[str, Any], _: Request, name: str = member.username) -> None:
            soak.opening[name] = units(result["balance"])

        member.devices[0].ask(Request("balance", "ledger.balance", {}, soak.crowd.loop.now, opened))
    _until(soak, lambda: len(soak.opening) == len(soak.members), "not everybody could see their balance")
    if soak.crowd.witness.findings.counts:
        raise SystemExit("\n".join(["It could not begin:", *soak.crowd.witness.findings.lines()]))
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
        since, used = loop.now, _used(soak)
        until = loop.now + min(left, 60)
        loop.run_until(lambda until=until: loop.now >= until)
        _show_minute(soak, loop.now - since, [after - before for before, after in zip(used, _used(soak), strict=True)])
    sampling.on = False
    traffic.stop()


@dataclass
class Sampling:
    """Looks at the hub's memory every few seconds, and has an admin ask how it is."""

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
        resident, queued, late = server.resident_kib() / 1024, status["queued_bytes"] / 2**20, status["loop_delay_p99_ms"]
        self.soak.samples.append(growth.Sample(crowd.loop.now - self.began, resident, kept / 2**20, queued, late))


def _used(soak: Soak) -> tuple[float, float, float]:
    """Seconds of CPU of the hub; those for which it waited for a core that something else had; and seconds of CPU of the load."""
    return soak.server.cpu_seconds(), soak.server.waited_seconds(), time.process_time()


def _show_minute(soak: Soak, seconds: float, used: list[float]) -> None:
    figures, soak.crowd.figures = soak.crowd.figures, Figures()
    soak.minutes.append(figures)
    happened, answers, deliveries = figures.happened, figures.answers, figures.deliveries
    print_row(
        len(soak.minutes),
        happened["back"],
        f"{happened['requests'] / seconds:,.0f}",
        f"{happened['deliveries'] / seconds:,.0f}",
        f"{answers.ms(0.99):.1f}",
        f"{deliveries.ms(0.99):.1f}",
        f"{soak.samples[-1].late_ms:.1f}",
        *(f"{each / seconds:.0%}" for each in used),
    )


def _until(soak: Soak, done: Callable[[], bool], otherwise: str) -> None:
    """Go on until something is so, or has not become so for too long. It may be costly to look at."""
    loop, limit = soak.crowd.loop, soak.crowd.loop.now + PATIENCE_SECONDS
    while not done():
        if loop.now > limit:
            soak.crowd.witness.findings.note("it took too long", otherwise)
            return
        again = loop.now + LOOK_SECONDS
        loop.run_until(lambda again=again: loop.now >= again)


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
    # Only who is catching up may hear the last of it behind that answer.
    _until(soak, lambda: not any(device.ear is not None and device.ear.behind for device in soak.devices), "not everybody heard all")


# What came of it.


def _check(soak: Soak) -> None:
    witness, findings = soak.crowd.witness, soak.crowd.witness.findings
    print("Checking what is there ...", flush=True)
    _until(soak, inspect(soak.crowd.witness, soak.members, soak.opening), "not everything could be looked at")
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


def _tell(soak: Soak) -> bool:
    witness, findings = soak.crowd.witness, soak.crowd.witness.findings
    _read_log(soak)
    total = Figures()
    for figures in soak.minutes:
        total.answers.take(figures.answers)
        total.deliveries.take(figures.deliveries)
        total.late.take(figures.late)
        total.happened.update(figures.happened)
    # Of the time after them only what happened counts: the checks ask for much at once.
    total.happened.update(soak.crowd.figures.happened)
    print("\nWhat happened: " + ", ".join(f"{count:,} {what}" for what, count in sorted(total.happened.items())))
    print(f"Said {len(witness.messages):,}, paid {len(witness.payments):,}")
    for name, histogram in (("answers", total.answers), ("deliveries", total.deliveries), ("load late", total.late)):
        shares = "   ".join(f"p{share * 100:g} {histogram.ms(share):.1f}" for share in (0.5, 0.9, 0.99, 0.999))
        print(f"  {name:10} ms: {shares}   max {histogram.ms(1):.0f}")
    flat = growth.tell(soak.samples)
    for line in findings.lines():
        print(f"  {line}")
    well = not findings.counts
    print(f"\n{'Nothing was lost.' if well else 'FAILED: see above.'} Memory is {'flat' if flat else 'NOT flat'}.")
    return well and flat


EXPECTED_IN_LOG = re.compile(r"\S+ (info \S+: |warn securehub\S*: slow-reader: )")


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
