"""
The floor for rooms: a bare Twisted TLS relay. `JOIN room` enters a room, and every other line goes to all others there.

It parses nothing, numbers nothing, keeps nothing, and encodes nothing twice. Lines, TLS and writing are as Twisted has them.
"""

import bare
from twisted.protocols.basic import LineReceiver

ROOMS: dict[bytes, list[LineReceiver]] = {}


class Relay(LineReceiver):
    """A member of one room."""

    delimiter = b"\n"
    room: list[LineReceiver]

    def lineReceived(self, line: bytes) -> None:
        if line.startswith(b"JOIN "):
            self.room = ROOMS.setdefault(line, [])
            self.room.append(self)
            self.sendLine(b"OK")
            return
        line += b"\n"
        for member in self.room:
            if member is not self:
                member.transport.write(line)


if __name__ == "__main__":
    bare.main(Relay)
