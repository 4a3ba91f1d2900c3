"""
What C{twistd securehub} and C{twist securehub} call: options, and the service that runs the hub.
"""

from __future__ import annotations

import os
import random
import resource
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint, TCP6ServerEndpoint
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger
from twisted.python.usage import Options as BaseOptions
from twisted.python.usage import UsageError

from securehub import config, hashing, service, tls
from securehub.beside import Processes
from securehub.clock import Clock
from securehub.hub import Hub
from securehub.store import keys
from securehub.store.disk import InUse
from securehub.store.files import RealDirectory
from securehub.store.recovery import CannotStart
from securehub.store.worker import ThreadWorker
from securehub.vault import BadKey
from securehub.vitals import memory_bytes

_log = Logger()


class Options(BaseOptions):
    """The command line. What is not given here comes from the configuration file, or is the default."""

    optParameters: ClassVar = [
        ["state", "s", None, "The state directory [default: securehub in the user's data directory]"],
        ["port", "p", None, "The TCP port to listen on [default: 5555]"],
        ["interface", "i", None, "The address to listen on [default: 127.0.0.1]"],
        ["config", "c", None, "The configuration file; etc/securehub.ini shows every setting"],
    ]

    def postOptions(self) -> None:
        file = Path(self["config"]) if self["config"] else None
        try:
            self.settings = config.settings(file, {name: self[name] for name in ("state", "port", "interface")})
        except config.BadSetting as error:
            raise UsageError(str(error)) from None


def makeService(options: Options) -> HubService:
    """
    The service that runs a hub.

    @raise SystemExit: it cannot start; the reason is on the standard error.
    """
    if sys.platform == "win32":
        raise SystemExit("SecureHub runs on Linux, and on macOS for development; Windows is not supported.")
    try:
        return HubService(options.settings, service.find(options.settings["services"]))
    except service.BadServices as error:
        raise SystemExit(f"SecureHub cannot start: {error}") from None


class HubService(Service):
    """A hub on its ports."""

    def __init__(self, settings: config.Settings, factories: list[Any], reactor: Any = None) -> None:
        if reactor is None:
            from twisted.internet import reactor
        self._settings = settings
        self._factories = factories
        self._reactor = reactor
        self._ports: list[IListeningPort] = []

    def startService(self) -> None:
        """
        @raise SystemExit: the hub cannot start; the text says why.
        """
        try:
            self._start()
        except (InUse, CannotStart, keys.NoKey, BadKey, CannotListenError, service.BadServices, OSError) as error:
            for port in self._ports:
                port.stopListening()
            raise SystemExit(f"SecureHub cannot start: {error}") from None
        super().startService()

    def stopService(self) -> Deferred[None]:
        super().stopService()
        for port in self._ports:
            port.stopListening()
        stopped = self._hub.stop()
        stopped.addBoth(self._release)
        return stopped

    def _start(self) -> None:
        settings, reactor = self._settings, self._reactor
        # Twisted's timers go by the wall clock, and would fire late or all at once when somebody sets it.
        reactor.seconds = time.monotonic
        _allow_many_files()
        self._directory = RealDirectory(settings["state"], keys.find(settings["key"], beside=settings["state"]))
        self._directory.hold()
        self._pool = hashing.HashingPool(reactor, settings["hashing_threads"])
        self._pool.start()
        self._hub = Hub(
            settings,
            self._factories,
            directory=self._directory,
            worker=ThreadWorker(reactor.callFromThread),
            reactor=reactor,
            clock=Clock(),
            random=random.SystemRandom(),
            hashing=hashing.Hashing(
                hashing.context(),
                self._pool.defer,
                settings["hashing_waiting"],
                at_once=settings["hashing_threads"],
                reactor=reactor,
            ),
            memory_bytes=memory_bytes,
            beside=Processes(reactor, settings),
        )
        self._hub.open()
        self._open_admin_door()
        self._open_port()

    def _open_admin_door(self) -> None:
        path = self._settings["state"] / "admin.sock"
        # We hold the directory, so nobody listens there: what is in the way is left from a daemon that was killed.
        path.unlink(missing_ok=True)
        previous = os.umask(0o177)
        try:
            self._ports.append(self._reactor.listenUNIX(str(path), self._hub.admin_door, mode=0o600))
        finally:
            os.umask(previous)

    def _open_port(self) -> None:
        settings = self._settings
        certificate, key = settings["state"] / "certificate.pem", settings["state"] / "key.pem"
        tls.make_certificate(certificate, key)
        endpoint = (TCP6ServerEndpoint if ":" in settings["interface"] else TCP4ServerEndpoint)(
            self._reactor, settings["port"], backlog=1024, interface=settings["interface"]
        )
        listening = endpoint.listen(tls.wrap(tls.ServerTLS(certificate, key), self._hub.members_door))
        failures: list[Any] = []
        listening.addCallbacks(self._listening, failures.append, callbackArgs=(tls.fingerprint(certificate),))
        if failures:
            raise OSError(failures[0].getErrorMessage())

    def _listening(self, port: IListeningPort, fingerprint: str) -> None:
        self._ports.append(port)
        address: Any = port.getHost()
        host = f"[{address.host}]" if ":" in address.host else address.host
        _log.info(
            "SecureHub is listening on {host}:{port} (TLS), state in {state}.",
            host=host,
            port=address.port,
            state=str(self._settings["state"]),
        )
        _log.info("Certificate fingerprint (SHA-256): {fingerprint}", fingerprint=fingerprint)
        _log.info("Connect with: openssl s_client -quiet -connect {host}:{port}", host=_reachable(address.host), port=address.port)

    def _release(self, result: Any) -> Any:
        self._pool.stop()
        (self._settings["state"] / "admin.sock").unlink(missing_ok=True)
        self._directory.release()
        return result


def _allow_many_files() -> None:
    """Each connection needs a descriptor, and the soft limit is often 1,024."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _reachable(host: str) -> str:
    """An address as somebody on this machine can connect to it."""
    if host in ("0.0.0.0", "127.0.0.1", "::"):
        return "localhost"
    return f"[{host}]" if ":" in host else host
