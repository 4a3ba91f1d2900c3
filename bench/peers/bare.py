"""
The floor: a bare Twisted TLS line server, which answers every line with `OK` and the line.

Everything is as Twisted has it (LineReceiver, the `ssl:` endpoint, the default reactor): what a PING costs here
is the price of Twisted, TLS and the kernel, and what the hub costs above that is the hub's own.
"""

from argparse import ArgumentParser, Namespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import quoteStringArgument, serverFromString
from twisted.internet.protocol import Factory
from twisted.internet.task import react
from twisted.protocols.basic import LineReceiver


class Bare(LineReceiver):
    """Answers each line, and knows nothing about it."""

    delimiter = b"\n"

    def lineReceived(self, line: bytes) -> None:
        self.sendLine(b"OK " + line)


def read_arguments() -> Namespace:
    parser = ArgumentParser(description="A bare Twisted TLS line server.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--certificate", required=True, help="path of the certificate (PEM)")
    parser.add_argument("--key", required=True, help="path of its private key (PEM)")
    return parser.parse_args()


async def serve(reactor: Any, factory: Factory, arguments: Namespace) -> None:
    certificate, key = quoteStringArgument(arguments.certificate), quoteStringArgument(arguments.key)
    description = f"ssl:{arguments.port}:interface=127.0.0.1:certKey={certificate}:privateKey={key}"
    await serverFromString(reactor, description).listen(factory)
    print("listening", flush=True)
    await Deferred()  # for ever


def main(protocol: type[LineReceiver]) -> None:
    """Serve a protocol; for the other peers, too, which differ in nothing else."""
    main_of(Factory.forProtocol(protocol))


def main_of(factory: Factory) -> None:
    react(serve, [factory, read_arguments()])


if __name__ == "__main__":
    main(Bare)
