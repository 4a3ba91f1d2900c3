"""
A person at a terminal: a line to edit, completion, and what the hub says above it.

Stands on prompt_toolkit, which the extra C{terminal} brings.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from prompt_toolkit import PromptSession, print_formatted_text
from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.styles import Style

from securehub.client.commands import QUESTION, Commands, is_ours
from securehub.client.connection import Connection
from securehub.client.conversation import Conversation, Heard, Kind

_STYLE = Style.from_dict({"bottom-toolbar": "noreverse ansibrightblack", "event": "ansicyan", "refusal": "ansired"})


class Terminal:
    """
    One conversation with a hub.

    Lines that are typed while an answer is awaited wait for their turn. When the hub asks for a secret, what has been typed of a line is
    put aside, and comes back behind it.

    @param session: more for the C{PromptSession}: another C{input} and C{output}.

    @ivar commands: those that the hub has told of.
    """

    def __init__(self, connection: Connection, **session: Any) -> None:
        self._connection = connection
        self.conversation = Conversation()
        self.commands = Commands()
        self._known = False
        self._looking = False
        self._typed: deque[str] = deque()
        self._prompt: str | None = None
        self._aside = Document()
        self._ended = False
        self._news = asyncio.Event()
        self._said: list[tuple[str, str]] = []
        self._printing: Awaitable[None] | None = None
        asked = Condition(lambda: self._prompt is not None)
        self._session: PromptSession[str] = PromptSession(
            lambda: self._prompt or "> ",
            is_password=asked,
            bottom_toolbar=self._usage,
            completer=_Completer(self),
            complete_while_typing=False,
            history=_History(lambda: self._prompt is None),
            enable_history_search=True,
            # A shell that resumes a stopped job makes the terminal show what is typed.
            enable_suspend=~asked,
            style=_STYLE,
            color_depth=ColorDepth.MONOCHROME if os.environ.get("NO_COLOR") else None,
            **session,
        )

    def talk(self) -> bool:
        """See L{securehub.client.Face}."""
        return asyncio.run(self.run())

    async def run(self) -> bool:
        """As L{talk}, in an event loop that runs."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._connection, self._hear)
        try:
            self._send_next()
            while not self._connection.broken and not self._ended:
                await self._read_typed()
            while not self._connection.broken and (self.conversation.waiting or self._typed):
                self._news.clear()
                await self._news.wait()
        finally:
            loop.remove_reader(self._connection)
            if self._printing is not None:
                await self._printing
        return (self._ended or self.conversation.goodbye) and not self.conversation.waiting and not self._typed

    async def _read_typed(self) -> None:
        """Take the next line that is typed."""
        default = Document()
        if self._prompt is None:
            default, self._aside = self._aside, default
        try:
            lines = (await self._session.prompt_async(default=default)).split("\n")
        except EOFError:
            self._ended = self._prompt is None
            lines = [""]
        except KeyboardInterrupt:
            lines = [""]
        except _Broken:
            return
        # What is pasted may be several lines.
        self._typed += lines
        if self._prompt is not None:
            self._answer_prompt()
        self._send_next()

    def _answer_prompt(self) -> None:
        self._prompt = None
        self._connection.send(_encoded(self._typed.popleft()))

    def _send_next(self) -> None:
        """Ask the next thing, if it is our turn. What the hub offers is asked first."""
        while not self.conversation.waiting:
            if not self._known:
                self._known = self._looking = True
                self.conversation.ask(QUESTION)
                self._connection.send(QUESTION)
            elif self._typed:
                line = self._typed.popleft()
                if not line.strip():
                    continue
                found = self.commands.of(line)
                # Who logs in or out may use other commands.
                self._known = not (found and found.name.startswith("auth."))
                self.conversation.ask(_encoded(line))
                self._connection.send(_encoded(line))
            else:
                return

    def _hear(self) -> None:
        """Something has come."""
        for heard in self.conversation.hear(self._connection.receive()):
            if heard.kind is Kind.PROMPT:
                self._be_asked(heard.line)
            elif self._looking and is_ours(heard.line):
                self._looking = False
                self.commands = Commands.read(heard.line)
            else:
                self._show(heard)
        self._send_next()
        self._news.set()
        app = self._session.app
        if self._connection.broken and app.is_running and not app.is_done:
            app.erase_when_done = True
            app.exit(exception=_Broken)

    def _be_asked(self, line: bytes) -> None:
        self._prompt = line.decode(errors="replace").removeprefix("* ") + " "
        if self._typed or self._ended:
            self._typed = self._typed or deque([""])
            self._answer_prompt()
        elif self._session.app.is_running:
            buffer = self._session.default_buffer
            self._aside = buffer.document
            buffer.reset()
            self._session.app.invalidate()

    def _show(self, heard: Heard) -> None:
        """Print a line above the one that is being edited."""
        line = heard.line.decode(errors="replace")
        style = "class:refusal" if heard.kind is Kind.REFUSAL else "class:event" if line.startswith("* ") else ""
        self._said.append((style, f"{line}\n"))
        if self._printing is None:
            self._printing = run_in_terminal(self._print)

    def _print(self) -> None:
        said, self._said, self._printing = self._said, [], None
        app = self._session.app
        print_formatted_text(FormattedText(said), end="", style=_STYLE, output=app.output, color_depth=app.color_depth)

    def _usage(self) -> str:
        """What stands beneath the line."""
        found = None if self._prompt is not None else self.commands.of(self._session.default_buffer.text)
        if found is None:
            return ""
        both = f"{found.usage}   {found.summary}"
        return both if len(both) < self._session.app.output.get_size().columns else found.usage


class _Broken(Exception):
    """The connection has ended while a line was being edited."""


class _History(InMemoryHistory):
    """
    What was typed in this conversation, but for secrets that were asked for. Nothing of it is kept beyond, as others may be among the rest.
    """

    def __init__(self, is_open: Callable[[], bool]) -> None:
        super().__init__()
        self._is_open = is_open

    def append_string(self, string: str) -> None:
        if self._is_open():
            super().append_string(string)


class _Completer(Completer):
    """Commands, and the names of what is given by name."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        line = document.text_before_cursor
        typed = len(line.lstrip().rpartition(" ")[2])
        for word, about in self._terminal.commands.offers(line):
            yield Completion(word, start_position=-typed, display_meta=about)


def _encoded(line: str) -> bytes:
    # What came in as no text goes out as it came: the hub says what is wrong with it.
    return line.encode("utf-8", "surrogateescape")
