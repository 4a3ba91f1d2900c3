"""
The one thread that waits for the disk.
"""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Protocol

Job = Callable[[], object]
Done = Callable[[object, BaseException | None], None]
"""Called in the reactor with what the job returned, or with what it raised."""


class Worker(Protocol):
    """Runs jobs one after the other, out of the reactor's way."""

    def run(self, job: Job, done: Done) -> None: ...
    def stop(self) -> None: ...


class ThreadWorker:
    """
    A thread with a queue.

    A round trip costs less than half of a thread pool's, which matters because every sync is one.

    @param call_from_thread: the reactor's C{callFromThread}.

    @raise OSError: the system gives no thread.
    """

    def __init__(self, call_from_thread: Callable[..., object]) -> None:
        self._call_from_thread = call_from_thread
        self._jobs: SimpleQueue[tuple[Job, Done] | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name="securehub-journal", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            raise OSError("the system gives no thread; raise the limit of processes (ulimit -u, TasksMax=)") from None

    def run(self, job: Job, done: Done) -> None:
        self._jobs.put((job, done))

    def stop(self) -> None:
        """Let the thread end when what is in the queue has run."""
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (task := self._jobs.get()) is not None:
            job, done = task
            try:
                result, fault = job(), None
            except BaseException as error:
                result, fault = None, error
            self._call_from_thread(done, result, fault)
