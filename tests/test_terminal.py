"""
The line client at a terminal: what a person types and what a hub says, with prompt_toolkit's own keyboard and screen for tests.
"""

from __future__ import annotations

import asyncio
import io
import json
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from securehub.client.commands import BACK, QUESTION
from securehub.client.connection import Connection

try:
    from prompt_toolkit.input import PipeInput, create_pipe_input
    from prompt_toolkit.output.plain_text import PlainTextOutput

    from securehub.client.terminal import Terminal
except ModuleNotFoundError:
    installed = False
else:
    installed = True

UP, CTRL_C, CTRL_D, CTRL_R, CTRL_W, CTRL_Y, TAB = "\x1b[A", "\x03", "\x04", "\x12", "\x17", "\x19", "\t"
COMMANDS = [
    {"name": "auth.login", "verb": "LOGIN", "usage": "LOGIN username [password] [otp=...]", "summary": "Log in."},
    {"name": "ledger.transfer", "verb": "TRANSFER", "usage": "TRANSFER to amount [key=...] [memo...]", "summary": "Pay."},
]


class Hub:
    """
    The hub's end, played by the test.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def hears(self) -> str:
        """The next line that the client sends; empty if there are no more."""
        return (await self._reader.readline()).decode("utf-8", "surrogateescape").removesuffix("\n")

    def says(self, *lines: str) -> None:
        self._writer.write("".join(f"{line}\n" for line in lines).encode())

    def stops_reading(self) -> None:
        self._writer.transport.pause_reading()

    def reads_again(self) -> None:
        self._writer.transport.resume_reading()

    def goes(self) -> None:
        self._writer.close()

    async def is_asked_for_commands(self) -> None:
        """Answer what the client asks for itself."""
        asked = [await self.hears(), await self.hears()]
        assert asked == [QUESTION.decode(), BACK.decode()], asked
        self.says(json.dumps({"jsonrpc": "2.0", "id": "securehub-client", "result": {"commands": COMMANDS}}, separators=(",", ":")))
        self.says("OK securehub-client")


class AtTheTerminal(SynchronousTestCase):
    """
    @ivar screen: what was written to the screen.
    @ivar connection: the terminal's with the hub.
    """

    def setUp(self) -> None:
        if not installed:
            raise SkipTest("prompt_toolkit is not installed")
        self.screen = io.StringIO()

    def play(self, script: Callable[[Hub], Awaitable[None]]) -> bool:
        """
        Sit at the terminal while the hub is played.

        @return: whether everything was answered.
        """

        async def run(keyboard: PipeInput) -> bool:
            self.keyboard = keyboard
            ours, theirs = socket.socketpair()
            # As little as the system lets wait for a hub that does not read.
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
            with Connection(ours) as self.connection:
                self.terminal = Terminal(self.connection, input=keyboard, output=PlainTextOutput(self.screen))
                hub = Hub(*await asyncio.open_connection(sock=theirs))
                talking = asyncio.ensure_future(self.terminal.run())
                hub.says("* ready.")
                await hub.is_asked_for_commands()
                await script(hub)
                complete = await talking
                hub.goes()
                return complete

        with create_pipe_input() as keyboard:
            return asyncio.run(asyncio.wait_for(run(keyboard), 60))

    def type(self, text: str) -> None:
        self.keyboard.send_text(text)

    async def until(self, condition: Callable[[], Any]) -> None:
        """Give everybody else a turn until it is so."""
        while not condition():
            await asyncio.sleep(0)

    def edited(self) -> str:
        """The line that is being edited."""
        return self.terminal._session.default_buffer.text

    def test_talk(self) -> None:
        """Lines go out one by one, each when the one before is answered. What the hub says is printed, but for what we asked it."""

        async def script(hub: Hub) -> None:
            self.type("PING one\rPING two\r")
            self.assertEqual(await hub.hears(), "PING one")
            hub.says("* an event", "OK one")
            self.assertEqual(await hub.hears(), "PING two")
            self.type(CTRL_D)
            hub.says("ERR no two")

        self.assertTrue(self.play(script))
        self.assertTrue(self.terminal.conversation.refused)
        screen = self.screen.getvalue()
        places = [screen.find(each) for each in ("* ready.\r\n", "* an event\r\n", "OK one\r\n", "ERR no two\r\n")]
        self.assertEqual(places, sorted(places))
        self.assertNotIn(-1, places)
        for ours in ("jsonrpc", "securehub-client"):
            self.assertNotIn(ours, screen)

    def test_secret(self) -> None:
        """A secret is shown by stars, sent, and not in the history."""

        async def script(hub: Hub) -> None:
            self.type("LOGIN alice\r")
            self.assertEqual(await hub.hears(), "LOGIN alice")
            hub.says("* Password:")
            await self.until(lambda: self.terminal._prompt)
            self.type("correct-horse\r")
            self.assertEqual(await hub.hears(), "correct-horse")
            hub.says("OK Welcome")
            await hub.is_asked_for_commands()
            self.type(f"{UP}\r")
            self.assertEqual(await hub.hears(), "LOGIN alice")
            hub.says("OK")
            await hub.is_asked_for_commands()
            self.type(CTRL_D)

        self.assertTrue(self.play(script))
        self.assertNotIn("horse", self.screen.getvalue())
        self.assertIn("Password: ", self.screen.getvalue())

    def test_put_aside(self) -> None:
        """What was being typed when the hub asked is no part of the secret, and is there again behind it."""

        async def script(hub: Hub) -> None:
            self.type("LOGIN alice\rPING ha")
            self.assertEqual(await hub.hears(), "LOGIN alice")
            await self.until(lambda: self.edited() == "PING ha")
            hub.says("* Password:")
            await self.until(lambda: self.edited() == "")
            self.type("secret\r")
            self.assertEqual(await hub.hears(), "secret")
            hub.says("OK")
            await hub.is_asked_for_commands()
            self.type("lf\r")
            self.assertEqual(await hub.hears(), "PING half")
            hub.says("OK half")
            self.type(CTRL_D)

        self.assertTrue(self.play(script))

    def test_nothing_left_of_a_secret(self) -> None:
        """What was cut off a secret cannot be pasted into a line, nor is it completed or searched for, which would show it."""

        async def script(hub: Hub) -> None:
            await self.until(lambda: self.terminal.commands.of("LOGIN"))
            for keys, secret in ((f"one two{CTRL_W}", "one "), (f"TR{TAB}", "TR"), (f"{CTRL_R}three", "three")):
                self.type("LOGIN alice\r")
                self.assertEqual(await hub.hears(), "LOGIN alice")
                hub.says("* Password:")
                await self.until(lambda: self.terminal._prompt)
                self.type(f"{keys}\r")
                self.assertEqual(await hub.hears(), secret)
                hub.says("OK")
                await hub.is_asked_for_commands()
                await self.until(lambda: self.terminal._session is self.terminal._lines)
                self.type(f"{CTRL_Y}PING\r")
                self.assertEqual(await hub.hears(), "PING")
                hub.says("OK")
            self.type(CTRL_D)

        self.assertTrue(self.play(script))
        for shown in ("two", "TRANSFER", "three"):
            self.assertNotIn(shown, self.screen.getvalue())

    def test_asked_while_searching(self) -> None:
        """A question that comes in while somebody searches the history is answered, and not searched for."""

        async def script(hub: Hub) -> None:
            self.type(f"LOGIN alice\r{CTRL_R}gin")
            self.assertEqual(await hub.hears(), "LOGIN alice")
            await self.until(lambda: self.terminal._lines.search_buffer.text == "gin")
            hub.says("* Password:")
            await self.until(lambda: self.terminal._prompt)
            self.type("horse\r")
            self.assertEqual(await hub.hears(), "horse")
            hub.says("OK")
            await hub.is_asked_for_commands()
            await self.until(lambda: self.terminal._session is self.terminal._lines)
            self.type("PING\r")
            self.assertEqual(await hub.hears(), "PING")
            hub.says("OK")
            self.type(CTRL_D)

        self.assertTrue(self.play(script))
        self.assertNotIn("horse", self.screen.getvalue())

    def test_raw(self) -> None:
        """The terminal never shows by itself what is typed, neither between two lines nor while something is printed."""
        modes = []

        async def script(hub: Hub) -> None:
            @contextmanager
            def cooked() -> Iterator[None]:
                modes.append("cooked")
                yield

            self.patch(type(self.keyboard), "cooked_mode", lambda _: cooked())
            self.type("LOGIN alice\r")
            self.assertEqual(await hub.hears(), "LOGIN alice")
            hub.says("* Password:")
            await self.until(lambda: self.terminal._prompt)
            hub.says("* an event")
            await self.until(lambda: "an event" in self.screen.getvalue())
            self.type("horse\r")
            self.assertEqual(await hub.hears(), "horse")
            hub.says("OK")
            await hub.is_asked_for_commands()
            self.type(CTRL_D)

        self.assertTrue(self.play(script))
        self.assertEqual(modes, [])

    def test_cancelled(self) -> None:
        """Ctrl-C and Ctrl-D in place of a secret cancel; elsewhere the one drops the line, and the other ends."""

        async def script(hub: Hub) -> None:
            for key in (CTRL_C, CTRL_D):
                self.type("LOGIN alice\r")
                self.assertEqual(await hub.hears(), "LOGIN alice")
                hub.says("* Password:")
                await self.until(lambda: self.terminal._prompt)
                self.type(f"half{CTRL_C}" if key == CTRL_C else key)
                self.assertEqual(await hub.hears(), "")
                hub.says("ERR bad-credentials cancelled")
                await hub.is_asked_for_commands()
            self.type(f"DROP{CTRL_C}PING\r")
            self.assertEqual(await hub.hears(), "PING")
            hub.says("OK")
            self.type(CTRL_D)

        self.assertTrue(self.play(script))

    def test_pasted(self) -> None:
        """Several lines at once are several lines, the one behind a question its answer."""

        async def script(hub: Hub) -> None:
            self.type("\x1b[200~CREATE alice\nsecret\n\nBALANCE\x1b[201~\r")
            self.assertEqual(await hub.hears(), "CREATE alice")
            hub.says("* Password:")
            self.assertEqual(await hub.hears(), "secret")
            hub.says("OK")
            self.assertEqual(await hub.hears(), "BALANCE")
            hub.says("OK")
            self.type(CTRL_D)

        self.assertTrue(self.play(script))

    def test_completed(self) -> None:
        """A command is completed, and the names of what is given by name; how it is used stands beneath."""

        async def script(hub: Hub) -> None:
            await self.until(lambda: self.terminal.commands.of("LOGIN"))
            self.type(f"tr{TAB}")
            await self.until(lambda: self.edited() == "TRANSFER")
            self.type(f" bob 5 k{TAB}")
            await self.until(lambda: self.edited() == "TRANSFER bob 5 key=")
            self.assertEqual(self.terminal._usage(), "TRANSFER to amount [key=...] [memo...]   Pay.")
            self.type("a\r")
            self.assertEqual(await hub.hears(), "TRANSFER bob 5 key=a")
            hub.says("OK")
            self.type(CTRL_D)

        self.assertTrue(self.play(script))

    def test_hub_not_reading(self) -> None:
        """A line that the hub does not take keeps nobody from typing, nor from going; once it reads again, all of it comes."""
        long = "PING " + "x" * 50_000

        async def taken(hub: Hub) -> None:
            hub.stops_reading()
            self.type(f"\x1b[200~{long}\x1b[201~\rPI")
            await self.until(lambda: self.edited() == "PI")
            self.assertTrue(self.connection.sending)
            self.type(f"NG\r{CTRL_D}")
            hub.reads_again()
            self.assertEqual(await hub.hears(), long)
            hub.says("OK")
            self.assertEqual(await hub.hears(), "PING")
            hub.says("OK")

        async def gone(hub: Hub) -> None:
            hub.stops_reading()
            self.type(f"\x1b[200~{long}\x1b[201~\r{CTRL_D}")
            await self.until(lambda: self.terminal._ended)
            hub.goes()

        self.assertTrue(self.play(taken))
        self.assertFalse(self.play(gone))

    def test_waiting_dropped(self) -> None:
        """Ctrl-C drops what waits for its turn, too, such as the rest of what was pasted by mistake."""

        async def script(hub: Hub) -> None:
            await self.until(lambda: self.terminal.commands.of("LOGIN"))
            self.type("\x1b[200~PING one\nPING two\nPING three\x1b[201~\r")
            self.assertEqual(await hub.hears(), "PING one")
            self.type(f"{CTRL_C}PING four\r")
            await self.until(lambda: "PING four" in self.terminal._typed)
            hub.says("OK one")
            self.assertEqual(await hub.hears(), "PING four")
            hub.says("OK four")
            self.type(CTRL_D)

        self.assertTrue(self.play(script))

    def test_no_text(self) -> None:
        """What the terminal sends that is no text goes out as it is: the hub says what is wrong with it."""

        async def script(hub: Hub) -> None:
            self.keyboard.send_bytes(b"PING \xff\r")
            self.assertEqual(await hub.hears(), "PING \udcff")
            hub.says("ERR bad-line")
            self.type(CTRL_D)

        self.assertTrue(self.play(script))

    def test_hub_gone(self) -> None:
        """When the hub goes, it ends at once, and tells whether something was left; after a goodbye nothing was."""

        async def gone(hub: Hub) -> None:
            hub.goes()

        async def unanswered(hub: Hub) -> None:
            self.type("PING\r")
            await hub.hears()
            hub.goes()

        async def goodbye(hub: Hub) -> None:
            self.type("QUIT\r")
            await hub.hears()
            hub.says("OK")
            hub.goes()

        self.assertFalse(self.play(gone))
        self.assertFalse(self.terminal.conversation.waiting)
        self.assertFalse(self.play(unanswered))
        self.assertTrue(self.terminal.conversation.waiting)
        self.assertTrue(self.play(goodbye))
