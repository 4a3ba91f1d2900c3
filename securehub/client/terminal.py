"""
A person at a terminal: a line to edit, completion, and what the hub says above it.

Stands on prompt_toolkit, which the extra C{terminal} brings.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Iterable
from typing import Any

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.history import DummyHistory
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.renderer import print_formatted_text
from prompt_toolkit.styles import Style

from securehub.client.commands import BACK, QUESTION, Commands, is_ours
from securehub.client.connection import Connection
from securehub.client.conversation import Conversation, Heard, Kind

_STYLE = Style.from_dict({"bottom-toolbar": "noreverse ansibrightblack", "event": "ansicyan", "refusal": "ansired"})


class Terminal:
    """
    One conversation with a hub.

    Lines that are typed while an answer is awaited wait for their turn. When the hub asks for a secret, what has been typed of a line is
    put aside, and comes back behind it. Each secret is typed into a session of its own, so that nothing of it is left for later lines: in
    the history, among what was cut off, or to undo.

    @param session: more for each C{PromptSession}: another C{input} and C{output}.

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
        self._more = session | {
            "style": _STYLE,
            "color_depth": ColorDepth.MONOCHROME if os.environ.get("NO_COLOR") else None,
        }
        self._lines: PromptSession[str] = PromptSession(
            "> ",
            bottom_toolbar=self._usage,
            completer=_Completer(self),
            complete_while_typing=False,
            enable_history_search=True,
            enable_suspend=True,
            **self._more,
        )
        self._session = self._lines

    def talk(self) -> bool:
        """See L{securehub.client.Face}."""
        return asyncio.run(self.run())

    async def run(self) -> bool:
        """As L{talk}, in an event loop that runs."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._connection, self._hear)
        try:
            self._send_next()
            # Between two lines, too: a secret that is typed there must not be seen, and Ctrl-D must count as the end.
            with self._lines.input.raw_mode():
                while not self._connection.broken and not self._ended:
                    await self._read_typed()
            while not self._connection.broken and self._busy:
                self._news.clear()
                await self._news.wait()
        finally:
            loop.remove_reader(self._connection)
            loop.remove_writer(self._connection)
        return (self._ended or self.conversation.goodbye) and not self._busy

    @property
    def _busy(self) -> bool:
        """Whether something that was typed is not sent and answered yet."""
        return self.conversation.waiting or self._connection.sending or bool(self._typed)

    async def _read_typed(self) -> None:
        """Take the next line that is typed."""
        if self._prompt is None:
            self._session = self._lines
            default, self._aside = self._aside, Document()
            self._lines.layout.focus(self._lines.default_buffer)  # A search may have been interrupted.
        else:
            self._session = self._for_secret(self._prompt)
            default = Document()
        self._session.app.erase_when_done = False
        try:
            lines = (await self._session.prompt_async(default=default)).split("\n")
        except EOFError:
            self._ended = self._prompt is None
            lines = [""]
        except KeyboardInterrupt:
            # What was pasted, too, and waits for its turn.
            self._typed.clear()
            lines = [""]
        except _Interrupted:
            return
        # What is pasted may be several lines.
        self._typed += lines
        if self._prompt is not None:
            self._answer_prompt()
        self._send_next()

    def _for_secret(self, prompt: str) -> PromptSession[str]:
        """A session for one secret, which is shown by stars and cannot be searched for."""
        keys = KeyBindings()
        # A search shows what is typed; so does the terminal, if a shell resumes a stopped job.
        for key in ("c-r", "c-s", "c-z"):
            keys.add(key)(lambda event: None)
        return PromptSession(prompt, is_password=True, history=DummyHistory(), key_bindings=keys, **self._more)

    def _answer_prompt(self) -> None:
        self._prompt = None
        self._send(_encoded(self._typed.popleft()))

    def _send(self, line: bytes) -> None:
        """Send a line, in pieces if the hub does not take all of it at once: meanwhile somebody may type."""
        self._connection.send(line)
        if self._connection.sending:
            asyncio.get_running_loop().add_writer(self._connection, self._send_on)

    def _send_on(self) -> None:
        self._connection.send_on()
        if not self._connection.sending:
            asyncio.get_running_loop().remove_writer(self._connection)
            self._send_next()
            self._news.set()

    def _send_next(self) -> None:
        """Ask the next thing, if it is our turn. What the hub offers is asked first."""
        while not self.conversation.waiting and not self._connection.sending:
            if not self._known:
                self._known = self._looking = True
                self.conversation.ask(QUESTION)
                self._send(QUESTION + b"\n" + BACK)
            elif self._typed:
                line = self._typed.popleft()
                if not line.strip():
                    continue
                found = self.commands.of(line)
                # Who logs in or out may use other commands.
                self._known = not (found and found.name.startswith("auth."))
                self.conversation.ask(_encoded(line))
                self._send(_encoded(line))
            else:
                return

    def _hear(self) -> None:
        """Something has come."""
        said = []
        for heard in self.conversation.hear(self._connection.receive()):
            if heard.kind is Kind.PROMPT:
                self._be_asked(heard.line)
            elif self._looking and is_ours(heard.line):
                self.commands = Commands.read(heard.line)
                self.conversation.ask(BACK)
            elif self._looking and heard.kind is not Kind.OTHER:
                self._looking = False
            else:
                said.append(_styled(heard))
        if said:
            self._print(FormattedText(said))
        self._send_next()
        self._news.set()
        if self._connection.broken:
            self._interrupt()

    def _be_asked(self, line: bytes) -> None:
        self._prompt = line.decode(errors="replace").removeprefix("* ") + " "
        if self._typed or self._ended:
            self._typed = self._typed or deque([""])
            self._answer_prompt()
        elif self._interrupt():
            self._aside = self._session.default_buffer.document

    def _interrupt(self) -> bool:
        """
        Let nobody type any longer, and take the line that is being edited from the screen.

        @return: whether one was.
        """
        app = self._session.app
        if not app.is_running or app.is_done:
            return False
        app.erase_when_done = True
        app.exit(exception=_Interrupted)
        return True

    def _print(self, text: FormattedText) -> None:
        """Print lines above the one that is being edited."""
        # Not with run_in_terminal, which for that instant leaves it to the terminal to show what is typed: a part of a secret, say.
        app = self._session.app
        if app.is_running:
            app.renderer.erase()
        print_formatted_text(app.output, text, _STYLE, color_depth=app.color_depth)
        if app.is_running and not app.is_done:
            app.renderer.request_absolute_cursor_position()
            app.invalidate()

    def _usage(self) -> str:
        """What stands beneath the line."""
        found = self.commands.of(self._lines.default_buffer.text)
        if found is None:
            return ""
        both = f"{found.usage}   {found.summary}"
        return both if len(both) < self._lines.app.output.get_size().columns else found.usage


class _Interrupted(Exception):
    """The hub has asked for something or is gone, while a line was being edited."""


class _Completer(Completer):
    """Commands, and the names of what is given by name."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        line = document.text_before_cursor
        typed = len(line.lstrip().rpartition(" ")[2])
        for word, about in self._terminal.commands.offers(line):
            yield Completion(word, start_position=-typed, display_meta=about)


def _styled(heard: Heard) -> tuple[str, str]:
    line = heard.line.decode(errors="replace")
    return "class:refusal" if heard.kind is Kind.REFUSAL else "class:event" if line.startswith("* ") else "", f"{line}\n"


def _encoded(line: str) -> bytes:
    # What came in as no text goes out as it came: the hub says what is wrong with it.
    return line.encode("utf-8", "surrogateescape")
