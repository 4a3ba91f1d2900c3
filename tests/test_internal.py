"""
No input is a fault of ours.

Thousands of lines that are nearly right, made from right ones by a seeded die: the connection lives, nothing is C{internal}, and
nothing is logged as a fault (trial fails a test in which anything is).
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase

from securehub.wire import characters
from tests import conversation
from tests.conversation import FILES
from tests.world import Client, World

ROUNDS = 2_500

WORDS = r"""
" \ \" = ' { } [ ] : , * . .. ../.. %s %(x)s {0} $HOME a/b \n OK ERR
-1 0 0.001 1e3 1E999 NaN Infinity -0 999999999999999 9999999999999999 true false null {} [] "" "\ud83d" "\u0000"
@cash operator bob 999000000000000014 999000000000000015
key=k key= to= limit=1000 before=0 account= memo= from=@cash
999999999d 0001-01-01 9999-12-31 9999-12 0001-01-01T00:00:00+14:00 9999-12-31T23:59:59.999999Z
"""
CHARACTERS = " \t\x00\x07\x1b\x7f\x85\r\u2028\u202e\ufeff\u212aé🎉\u0301\U0010ffff"
LONG = ("9" * 400, "x" * 300, "x" * 5_000, "[" * 40, '{"a":' * 40)
NASTY = ("", *WORDS.split(), *CHARACTERS, *LONG)
"""What programs have stumbled over."""

VALUES = r"""
null true 0 -1 1.5 100000000000000 1000000000000000 12 "12" "" "x" [] {} [[]] {"a":null} "é" "\u0000" "\ud83d" "bob" "on" "treasurer"
"999000000000000014" "999999999d" "0001-01-01" "9999-12-31" "9999-12-31T23:59:59.999999Z"
"""


def valid() -> list[str]:
    """Lines that mean something: those of the conversations, without those that end them."""
    said = [
        line.text
        for file in sorted(FILES.glob("*.txt"))
        for line in conversation.read(file.read_text(encoding="utf-8"))
        if line.kind == "C" and "<" not in line.text and "QUIT" not in line.text and "hub.quit" not in line.text
    ]
    return list(dict.fromkeys(said))


class Mutations:
    """Makes lines out of lines."""

    def __init__(self, seed: int) -> None:
        self.die = random.Random(seed)
        self.lines = valid()

    def __iter__(self) -> Iterator[bytes]:
        while True:
            line = self.die.choice(self.lines)
            for _ in range(self.die.randrange(4)):
                line = self.die.choice((self.replaced, self.inserted, self.cut, self.doubled, self.swapped, self.value))(line)
            yield self.die.choice((self.encoded, self.encoded, self.encoded, self.broken))(line)

    def place(self, line: str) -> int:
        return self.die.randrange(len(line) + 1)

    def inserted(self, line: str) -> str:
        place = self.place(line)
        return line[:place] + self.die.choice(NASTY) + line[place:]

    def replaced(self, line: str) -> str:
        """Some word, or what stands between quotes, becomes something else."""
        separator = '"' if line.startswith(("{", "[")) else " "
        parts = line.split(separator)
        parts[self.die.randrange(len(parts))] = self.die.choice(NASTY)
        return separator.join(parts)

    def cut(self, line: str) -> str:
        first, second = sorted((self.place(line), self.place(line)))
        return line[:first] + line[second:]

    def doubled(self, line: str) -> str:
        first, second = sorted((self.place(line), self.place(line)))
        return line[:second] + line[first:]

    def swapped(self, line: str) -> str:
        """The beginning of one and the end of another."""
        other = self.die.choice(self.lines)
        return line[: self.place(line)] + other[self.place(other) :]

    def value(self, line: str) -> str:
        """Some value in JSON becomes another, of whatever type."""
        try:
            request = json.loads(line)
        except ValueError:
            return self.inserted(line)
        if not isinstance(request, dict) or not request:
            return line
        request[self.die.choice([*request, "params", "extra"])] = self.some()
        params = request.get("params")
        if isinstance(params, dict) and params:
            params[self.die.choice([*params, "key", "extra"])] = self.some()
        elif isinstance(params, list):
            params.insert(self.die.randrange(len(params) + 1), self.some())
        line = json.dumps(request, ensure_ascii=self.die.random() < 0.5)
        return f"[{line},{line}]" if self.die.random() < 0.1 else line

    def some(self) -> object:
        """Some value of JSON."""
        return json.loads(self.die.choice(VALUES.split()))

    def encoded(self, line: str) -> bytes:
        return line.encode("utf-8", "surrogatepass").replace(b"\n", b" ")

    def broken(self, line: str) -> bytes:
        """With a byte that is out of place."""
        content = self.encoded(line)
        place = self.die.randrange(len(content) + 1)
        return content[:place] + bytes([self.die.randrange(256)]) + content[place:]


class FuzzTests(SynchronousTestCase):
    """However wrong, it is answered, and never with C{internal}."""

    def setUp(self) -> None:
        self.world = World(hashing_waiting=10_000, accounts_per_member=200)
        for username in ("alice", "bob"):
            self.world.member(username).close()
        operator = self.world.operator()
        operator.ask("DEPOSIT alice 1000000", "DEPOSIT bob 1000000", "admin.grant alice treasurer", "admin.grant alice admin")
        self.cleared = operator

    def client(self, username: str | None) -> Client:
        client = self.world.operator() if username == "operator" else self.world.connect()
        client.received()
        if username in ("alice", "bob"):
            client.ask(f"LOGIN {username} correct-horse-battery")
        return client

    def play(self, username: str | None, seed: int, sizes: tuple[int, ...]) -> None:
        """Say a lot of nonsense, in packets of these sizes."""
        die = random.Random(seed)
        client = self.client(username)
        lines = iter(Mutations(seed))
        for _ in range(ROUNDS // 25):
            content = b"".join(next(lines) + b"\n" for _ in range(25))
            begin = 0
            while begin < len(content):
                size = die.choice(sizes)
                if client.closed:
                    self.assertFalse(client.transport.aborted)
                    client = self.client(username)
                client.feed(content[begin : begin + size])
                begin += size
            self.world.settle()
            self.look(client.received(), content)
            if client.protocol.session is not None and client.protocol.session.user is None and username != "operator":
                client = self.client(username)
        client.ask("", "PING")
        if not client.closed:
            self.assertIn("OK here", client.ask("", "PING here", "PING here"))
        sums = self.cleared.call("ledger.trial_balance")["result"]["items"]
        self.assertEqual({float(row["sum"]) for row in sums}, {0.0})

    def look(self, answers: list[str], content: bytes) -> None:
        for answer in answers:
            self.assertFalse(answer.startswith("ERR internal") or '"internal"' in answer, (answer, content))
            if answer.startswith(("{", "[")):
                json.loads(answer)
            else:
                self.assertRegex(answer, r"^(OK( |$)|ERR [a-z-]+ .|\* |  )")
                characters.check(answer)

    def test_a_guest(self) -> None:
        self.play(None, 1, (4_096,))

    def test_a_member(self) -> None:
        self.play("bob", 2, (4_096,))

    def test_a_treasurer(self) -> None:
        self.play("alice", 3, (1_000_000,))

    def test_the_operator(self) -> None:
        self.play("operator", 4, (4_096,))

    def test_chopped(self) -> None:
        """In packets of any size."""
        self.play("alice", 5, (1, 2, 3, 7, 50, 500))

    def test_bytes_at_random(self) -> None:
        """Not even nearly right."""
        client = self.client(None)
        die = random.Random(6)
        for _ in range(200):
            client.feed(die.randbytes(die.randrange(2_000)))
            self.world.settle()
            client.received()
        self.assertFalse(client.closed)
        self.assertEqual(client.ask("", "PING here")[-1], "OK here")
