"""
A real daemon, and conversations with it over real sockets.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import IO, Any

SECONDS = 30.0
"""How long anything may take here before it counts as broken. Nothing sleeps for that long, so it is generous."""

_LISTENING = re.compile(r"SecureHub is listening on 127\.0\.0\.1:(\d+)")


def program(name: str) -> str:
    """A program of the environment in which the tests run."""
    return str(Path(sysconfig.get_path("scripts"), name))


class Lines:
    """The lines of a stream as they come, read with a time limit."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._queue: SimpleQueue[str | None] = SimpleQueue()
        self.seen: list[str] = []
        self._thread = Thread(target=self._read, args=(stream,), daemon=True)
        self._thread.start()

    def _read(self, stream: IO[bytes]) -> None:
        try:
            for line in stream:
                self._queue.put(line.decode().rstrip("\n"))
        except (OSError, ValueError):
            pass
        finally:
            self._queue.put(None)

    def next(self) -> str | None:
        """The next line; None at the end."""
        try:
            line = self._queue.get(timeout=SECONDS)
        except Empty:
            raise AssertionError("nothing came in time; before that:\n" + "\n".join(self.seen[-20:])) from None
        if line is not None:
            self.seen.append(line)
        return line

    def until(self, wanted: Callable[[str], Any]) -> list[str]:
        """All lines up to the first that is wanted."""
        lines = []
        while (line := self.next()) is not None:
            lines.append(line)
            if wanted(line):
                return lines
        raise AssertionError("the end came first; before that:\n" + "\n".join(self.seen[-20:]))

    def rest(self) -> list[str]:
        """All lines up to the end."""
        lines = []
        while (line := self.next()) is not None:
            lines.append(line)
        return lines


class Daemon:
    """
    C{twistd -n securehub}, or another way to start it.

    @param beneath: a program that starts it.
    @param config: a file with settings.
    @param environment: variables to add to ours.
    @param listening: sockets to hand over, as systemd does.

    @ivar port: where it listens, once it has started.
    """

    def __init__(
        self,
        state: Path,
        *,
        command: Sequence[str] = ("twistd", "-n"),
        port: int = 0,
        beneath: Sequence[str] = (),
        config: Path | None = None,
        environment: Mapping[str, str] | None = None,
        listening: Sequence[socket.socket] = (),
    ) -> None:
        name, *rest = command
        options = ["--state", str(state), "--port", str(port), *(["--config", str(config)] if config else [])]
        descriptors = [each.fileno() for each in listening]
        self._process = subprocess.Popen(
            [*beneath, *_handing_over(descriptors), program(name), *rest, "securehub", *options],
            env={**os.environ, **(environment or {})},
            pass_fds=descriptors,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            cwd=state.parent,
        )
        assert self._process.stdout is not None
        self.log = Lines(self._process.stdout)
        self.port = 0

    def started(self) -> Daemon:
        """Wait until it says how to connect to it."""
        line = self.log.until(_LISTENING.search)[-1]
        found = _LISTENING.search(line)
        assert found is not None
        self.port = int(found[1])
        self.log.until(re.compile("Connect with").search)
        return self

    def kill(self) -> None:
        """As a power cut does: without a word."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(SECONDS)

    def hang_up(self) -> None:
        """Ask it to reload."""
        self._process.send_signal(signal.SIGHUP)

    def terminate(self) -> float:
        """
        Ask it to stop, and wait for that.

        @return: how many seconds it took.
        """
        began = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(SECONDS)
        return time.monotonic() - began

    def wait(self) -> int:
        """Its exit status; minus the signal, if that ended it."""
        return self._process.wait(SECONDS)

    def end(self) -> None:
        """Let nothing of it be left behind by a test."""
        if self._process.poll() is None:
            self.kill()
        assert self._process.stdout is not None
        self._process.stdout.close()


def _handing_over(descriptors: Sequence[int]) -> list[str]:
    """What comes before a command line to let its process have these as its descriptors from 3 on, and know it."""
    if not descriptors:
        return []
    code = (
        "import os, sys; given = [os.dup(int(each)) for each in sys.argv[1].split()];"
        "highest = [os.dup2(each, 100 + number) for number, each in enumerate(given)];"
        "[os.dup2(each, 3 + number) for number, each in enumerate(highest)];"
        "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(given)));"
        "os.execv(sys.argv[2], sys.argv[2:])"
    )
    return [sys.executable, "-c", code, " ".join(map(str, descriptors))]


class Talk:
    """
    A conversation in the text form with a process that passes lines to a hub and back, such as C{openssl s_client}.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._input = self._process.stdin
        self.lines = Lines(self._process.stdout)
        self.greeting = self.lines.next()

    def say(self, line: str) -> None:
        self._input.write(line.encode() + b"\n")
        self._input.flush()

    def ask(self, line: str) -> list[str]:
        """Send a request, and give back its answer: data lines and the status line."""
        self.say(line)
        return [line for line in self.lines.until(is_status) if not line.startswith("* ")]

    def wait(self) -> int:
        """End the input; the process's exit status."""
        self._input.close()
        return self._process.wait(SECONDS)

    def end(self) -> None:
        """Let nothing of it be left behind by a test."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        with contextlib.suppress(OSError):
            self._input.close()


def is_status(line: str) -> bool:
    return line == "OK" or line.startswith(("OK ", "ERR "))


class Program:
    """
    A program that speaks JSON-RPC over Python's own TLS.

    @ivar greeting: the hub's first line.
    """

    def __init__(self, port: int) -> None:
        self.socket = connect(port)
        self._file = self.socket.makefile("rb")
        self.greeting = self._file.readline()
        self._id = 0

    def send_all(self, requests: Iterable[tuple[str, dict[str, Any]]]) -> int:
        """Send requests at once without waiting for an answer; the id of the first, from which they count up."""
        first = self._id + 1
        lines = []
        for method, params in requests:
            self._id += 1
            lines.append(json.dumps({"jsonrpc": "2.0", "id": self._id, "method": method, "params": params}).encode() + b"\n")
        self.socket.sendall(b"".join(lines))
        return first

    def receive(self) -> dict[str, Any] | None:
        """The next answer; events are passed over. None at the end."""
        try:
            while line := self._file.readline():
                message: dict[str, Any] = json.loads(line)
                if "method" not in message:
                    return message
        except (OSError, ValueError):
            pass
        return None

    def call(self, method: str, **params: Any) -> Any:
        """Ask, and give back the result; a refusal is returned as its code."""
        sent = self.send_all([(method, params)])
        answer = self.receive()
        assert answer is not None and answer["id"] == sent, answer
        return answer["error"]["data"]["code"] if "error" in answer else answer["result"]

    def close(self) -> None:
        self._file.close()
        self.socket.close()


def connect(port: int, *protocols: str) -> ssl.SSLSocket:
    """A TLS connection, offering these protocols by ALPN."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(list(protocols))
    plain = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
    try:
        return context.wrap_socket(plain)
    except BaseException:
        plain.close()
        raise
