"""
Rooms: deliveries a second, the server's CPU for each, and how long they take, beside a bare relay and IRC servers.

All speak TLS, and meet the same load from the same generator. The hub's messages are numbered and on the disk before anybody hears of
them; nobody else's are.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import members
from generator import Figures, Load, LoadFailed, measure
from servers import BUILD, SERVER_CORE, Server, free_port, peer, peer_certificate, running
from table import print_row
from throughput import cells, middle

SECONDS = 3.0
WORDS = "the quick brown fox jumps over the lazy dog"

HEADINGS = "server", "rooms", "members", "deliv./s", "CPU us", "p50 ms", "p99 ms", "load CPU", "half p99", "goal"


@dataclass(frozen=True)
class Shape:
    """Who says how much to how many."""

    rooms: int
    members: int
    senders: int
    in_flight: int
    goal: str

    def load(self, setup: str, request: str) -> Load:
        return Load(self.rooms * self.members, self.in_flight, request, setup, rooms=self.rooms, senders=self.senders)


SHAPES = [
    Shape(1, 100, 1, 1, "CPU of relay"),
    Shape(1, 100, 1, 32, "CPU of relay"),
    Shape(1, 1000, 1, 1, "CPU of relay"),
    Shape(1, 1000, 1, 32, "CPU of relay"),
    Shape(100, 10, 2, 8, "1/3 of ngircd"),
]


@dataclass(frozen=True)
class Contestant:
    """A server, and what its clients say."""

    name: str
    start: Callable[[], AbstractContextManager[Server]]
    setup: str
    request: str
    tokens: bool = False

    def load(self, shape: Shape) -> Load:
        load = shape.load(self.setup, self.request)
        return replace(load, values=members.TOKENS) if self.tokens else load


IRC_SETUP = "NICK b{c}|USER b 0 * :b\t 001 \nJOIN #room{g}\t 366 \n"
IRC_REQUEST = f"PRIVMSG #room{{g}} :{{m}} {WORDS}"


@contextmanager
def ngircd() -> Iterator[Server]:
    certificate, key = peer_certificate()
    port, config = free_port(), BUILD / "ngircd.conf"
    config.write_text(
        f"[Global]\nName = irc.bench.test\nInfo = bench\nListen = 127.0.0.1\nPorts = {free_port()}\nServerUID = nobody\n"
        "[Limits]\nMaxConnections = 0\nMaxConnectionsIP = 0\nMaxJoins = 0\nMaxPenaltyTime = 0\n"
        "[Options]\nPAM = no\nIdent = no\nDNS = no\nSyslogFacility = daemon\n"
        f"[SSL]\nPorts = {port}\nCertFile = {certificate}\nKeyFile = {key}\n"
    )
    with running(["ngircd", "-n", "-f", str(config)], port, SERVER_CORE, BUILD / "peer.log") as server:
        yield server


@contextmanager
def inspircd() -> Iterator[Server]:
    certificate, key = peer_certificate()
    port, config = free_port(), BUILD / "inspircd.conf"
    program = Path(str(shutil.which("inspircd")))
    modules = program.parent.parent / "lib" / "inspircd" / "modules"
    config.write_text(
        '<config format="xml">\n'
        f'<path moduledir="{modules}" datadir="{BUILD}" logdir="{BUILD}" runtimedir="{BUILD}">\n'
        '<server name="irc.bench.test" description="bench" network="bench">\n<admin name="a" nick="a" email="a@bench.test">\n'
        '<module name="ssl_gnutls">\n'
        f'<sslprofile name="tls" provider="gnutls" certfile="{certificate}" keyfile="{key}">\n'
        f'<bind address="127.0.0.1" port="{port}" type="clients" sslprofile="tls">\n'
        '<connect name="all" allow="*" timeout="60" pingfreq="3600" recvq="1M" hardsendq="64M" softsendq="32M" localmax="5000" '
        'globalmax="5000" limit="5000" commandrate="100000000" threshold="1000000" fakelag="no" resolvehostnames="no" maxchans="100">\n'
        '<performance softlimit="5000" somaxconn="128">\n<dns enabled="no" server="127.0.0.1">\n'
    )
    command = [str(program), "--nofork", "--nolog", "--nopid", "--runasroot", "--config", str(config)]
    with running(command, port, SERVER_CORE, BUILD / "peer.log") as server:
        yield server


OURS = Contestant("hub", members.hub_with_members, "RESUME {v}\nJOIN room{g}\n", f"SAY room{{g}} {{m}} {WORDS}", tokens=True)
RELAY = Contestant("bare relay", lambda: peer("relay"), "JOIN room{g}\n", f"{{m}} {WORDS}")
WORDS_PEER = Contestant("twisted.words", lambda: peer("words"), "PASS x|" + IRC_SETUP, IRC_REQUEST)
NGIRCD = Contestant("ngircd", ngircd, IRC_SETUP, IRC_REQUEST)
INSPIRCD = Contestant("InspIRCd", inspircd, IRC_SETUP, IRC_REQUEST)


def contestants() -> list[Contestant]:
    """All that are there; the IRC servers are Debian's packages C{ngircd} and C{inspircd}."""
    installed = [each for each, program in ((NGIRCD, "ngircd"), (INSPIRCD, "inspircd")) if shutil.which(program)]
    return [OURS, RELAY, WORDS_PEER, *installed]


def run(runs: int) -> None:
    members.base()
    for shape in SHAPES:
        print(f"\n{shape.rooms} x {shape.members} members, {shape.senders} of each room speak, {shape.in_flight} messages in flight")
        print_row(*HEADINGS)
        for contestant in contestants():
            try:
                show(shape, contestant, *compare(shape, contestant, runs))
            except LoadFailed:
                print_row(contestant.name, shape.rooms, shape.members, "failed")


def compare(shape: Shape, contestant: Contestant, runs: int) -> tuple[Figures, float]:
    """
    @return: the medians of a closed loop, and the p99 (ms) from sender to receiver at half of the deliveries that it made.
    """
    closed, halves = [], []
    for _ in range(runs):
        with contestant.start() as server:
            closed.append(measure(server, contestant.load(shape), SECONDS))
        rate = closed[-1].per_second / 2 / (shape.members - 1)
        with contestant.start() as server:
            halves.append(measure(server, replace(contestant.load(shape), rate=rate), SECONDS))
    return middle(closed), median(each.p99_ms for each in halves)


def show(shape: Shape, contestant: Contestant, figures: Figures, half_p99_ms: float) -> None:
    goal = shape.goal if contestant is OURS else ""
    print_row(contestant.name, shape.rooms, shape.members, *cells(figures), f"{half_p99_ms:.2f}", goal)
    if figures.errors:
        print(f"  {figures.errors:,.0f} messages were refused or did not arrive everywhere")
