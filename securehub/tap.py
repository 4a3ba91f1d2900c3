"""
What C{twistd securehub} and C{twist securehub} call: options, and the service that runs the hub.
"""

from __future__ import annotations

import os
import random
import resource
import shlex
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import LoopingCall
from twisted.logger import ILogObserver, Logger
from twisted.python.components import Componentized
from twisted.python.usage import Options as BaseOptions
from twisted.python.usage import UsageError

from securehub import config, hashing, page, program, service
from securehub.clock import Clock
from securehub.daemon import collector, logs, signals, systemd
from securehub.daemon.beside import Processes
from securehub.daemon.operations import Operations, Reread
from securehub.daemon.vitals import memory_bytes
from securehub.hub import Hub
from securehub.network import keepalive, tls
from securehub.network.certificates import LOOK_SECONDS, Certificates
from securehub.network.protocol import HTTP
from securehub.network.tls import BadCertificate
from securehub.refusals import Conflict
from securehub.store import keys
from securehub.store.child import ChildFolding
from securehub.store.disk import InUse
from securehub.store.files import RealDirectory
from securehub.store.recovery import CannotStart
from securehub.store.worker import ThreadWorker
from securehub.vault import BadKey

if TYPE_CHECKING:
    from securehub.network.web import Site

_log = Logger()

_TOLD: tuple[type[BaseException], ...] = (
    InUse,
    CannotStart,
    keys.NoKey,
    BadKey,
    config.BadSetting,
    CannotListenError,
    BadCertificate,
    service.BadServices,
    OSError,
)
"""Reasons why a hub cannot start that are told in a line; any other exception is a fault of ours."""

PID_FILE = "twistd.pid"
"""
The file that C{twistd} by default writes where it is started. In the foreground it is useless, because the state directory has a lock of
its own, and it does harm: where it cannot be written, nothing starts; and if a killed daemon has left one, the next daemon does not start
once another process has that number.
"""


OWN_FILES = 256
"""
Open files that connections leave to the hub: for its journal, for folding and backups, for the admin door, and for those who are told why
they cannot come in. If there are not even twice as many in all, it is half of them.
"""


class Options(BaseOptions):
    """
    The command line. What is not given here comes from the configuration file, or is the default.

    @ivar factories: of all services that are installed at the start.
    @ivar settings: as they stand then.
    """

    optParameters: ClassVar = [
        ["state", "s", None, "The state directory [default: securehub in the user's data directory]"],
        ["port", "p", None, "The TCP port to listen on [default: 5555]"],
        ["interface", "i", None, "The address to listen on [default: 127.0.0.1]"],
        ["config", "c", None, "The configuration file; etc/securehub.ini shows every setting"],
    ]

    def postOptions(self) -> None:
        program.open_standard_streams()
        try:
            self.factories = service.find()
            self.settings = self.read()
        except config.BadSetting as error:
            raise UsageError(str(error)) from None
        except service.BadServices as error:
            raise SystemExit(f"SecureHub cannot start: {error}") from None
        parent: Any = self.parent
        if parent.get("nodaemon") and parent["pidfile"] == PID_FILE:
            parent["pidfile"] = ""

    def read(self) -> dict[str, Any]:
        """
        The settings, as they stand now, for the services that were installed at the start, because no others can run before the next start.

        @raise BadSetting: a setting is unknown or malformed.
        @raise BadServices: the settings that services bring do not fit together.
        """
        file = Path(self["config"]).absolute() if self["config"] else None
        own = service.settings_of(self.factories)
        return config.settings(file, {name: self[name] for name in ("state", "port", "interface")}, own)


def makeService(options: Options) -> HubService:
    """
    The service that runs a hub.

    @raise SystemExit: it cannot start; the reason is on the standard error.
    """
    if sys.platform == "win32":
        raise SystemExit("SecureHub runs on Linux, and on macOS for development; Windows is not supported.")
    try:
        factories = service.chosen(options.factories, options.settings["services"])
    except service.BadServices as error:
        raise SystemExit(f"SecureHub cannot start: {error}") from None
    try:
        writer = logs.install(options.parent, options.settings["log_format"])
    except OSError as error:
        raise SystemExit(f"SecureHub cannot start: the log file cannot be opened: {logs.escape(str(error))}") from None
    return HubService(options.settings, factories, read_settings=options.read, writer=writer)


class HubService(Service):
    """
    A hub on its ports.

    @param read_settings: reads the settings anew, for a reload.
    @param writer: of the log, where it is ours.
    """

    def __init__(
        self,
        settings: dict[str, Any],
        factories: list[Any],
        reactor: Any = None,
        *,
        read_settings: Callable[[], dict[str, Any]] | None = None,
        writer: logs.LogWriter | None = None,
    ) -> None:
        if reactor is None:
            from twisted.internet import reactor
        self._settings = settings
        self._factories = factories
        self._reactor = reactor
        self._live = {setting.name for setting in (*config.SETTINGS, *service.settings_of(factories)) if setting.live}
        self._read_settings = read_settings or (lambda: settings)
        self._writer = writer
        self._ports: list[IListeningPort] = []
        self._systemd = systemd.Notifier(os.environ)
        self._alive = LoopingCall(self._systemd.alive)
        self._alive.clock = reactor

    def setServiceParent(self, parent: Any) -> None:
        if self._writer is not None and isinstance(parent, Componentized):
            # Where twistd looks for what it is to log to.
            parent.setComponent(ILogObserver, self._writer)
        super().setServiceParent(parent)

    def startService(self) -> None:
        """
        @raise SystemExit: the hub cannot start; the text says why.
        """
        self._signals = signals.Signals(self._reactor, {"SIGHUP": self._hang_up, "SIGUSR1": self._rotate})
        try:
            self._start()
        except KeyboardInterrupt:
            # Somebody has pressed Ctrl-C while a long journal was read.
            self._give_up()
            raise SystemExit(program.INTERRUPTED) from None
        except MemoryError:
            self._give_up()
            raise SystemExit(f"SecureHub cannot start: {program.NO_MEMORY}") from None
        except _TOLD as error:
            self._give_up()
            if isinstance(error, OSError) and error.errno is not None and error.filename is None:
                # A failed write does not name its file. Our own errors (without an errno) name what they are about.
                error.filename = str(self._settings["state"])
            raise SystemExit(f"SecureHub cannot start: {logs.escape(str(error))}") from None
        super().startService()
        self._reactor.callWhenRunning(self._running)

    def stopService(self) -> Deferred[None]:
        super().stopService()
        _log.info("SecureHub stops.")
        self._systemd.stopping()
        for port in self._ports:
            port.stopListening()
        stopped = self._hub.stop()
        stopped.addBoth(self._release)
        return stopped

    def prepare_reload(self) -> Callable[[], Reread]:
        """
        Read anew what can be: settings, the certificate, the file of the log. All of it or nothing.

        @return: puts it to use.

        @raise Conflict: something is broken.
        """
        try:
            settings = fitting(self._read_settings())
            use_certificate = self._certificates.prepare(self._settings | {name: settings[name] for name in self._live})
            use_log = self._writer and self._writer.prepare_reopen()
        except (config.BadSetting, BadCertificate) as error:
            raise Conflict(logs.escape(str(error))) from None
        except OSError as error:
            raise Conflict(logs.escape(f"the log file cannot be opened: {error}")) from None

        def use() -> Reread:
            live, late = self._use_settings(settings)
            now = [use_certificate(), *(f"setting {name}" for name in live)]
            if use_log:
                use_log()
                now.append("log file")
            _log.info("Reloaded: {reloaded}.", reloaded=", ".join(now))
            if late:
                _log.warn("Changed, but used from the next start on: {names}.", names=", ".join(late))
            return Reread(tuple(now), tuple(late))

        return use

    def _start(self) -> None:
        settings, reactor = self._settings, self._reactor
        # Twisted's timers go by the wall clock, and would fire late, or all at once, when that is set.
        reactor.seconds = time.monotonic
        _allow_many_files()
        settings.update(fitting(settings))
        self._directory = RealDirectory(settings["state"], keys.find(settings["seal_key"], beside=settings["state"]))
        self._directory.hold()
        clock = Clock()
        site = _site(settings)
        protocols = [tls.ALPN] if site is None else [tls.ALPN, HTTP]
        self._certificates = Certificates(dict(settings), self._directory, clock.wall, protocols)
        self._pool = hashing.HashingPool(reactor, settings["hashing_threads"])
        self._pool.start()
        self._hub = Hub(
            settings,
            self._factories,
            directory=self._directory,
            worker=ThreadWorker(reactor.callFromThread),
            reactor=reactor,
            clock=clock,
            random=random.SystemRandom(),
            hashing=hashing.Hashing(
                hashing.context(),
                self._pool.defer,
                settings["hashing_waiting"],
                at_once=settings["hashing_threads"],
                reactor=reactor,
            ),
            folding=ChildFolding(reactor, settings["state"], settings["seal_key"]),
            operations=Operations(self.prepare_reload, self._certificates.days_left, memory_bytes, self._certificates.trouble),
            beside=Processes(reactor, settings),
            site=site,
        )
        self._hub.chores.every(LOOK_SECONDS, self._renew_certificate)
        with collector.loading():
            self._hub.open()
        self._open_admin_door()
        self._open_ports()

    def _give_up(self) -> None:
        for port in self._ports:
            port.stopListening()
        self._signals.restore()

    def _running(self) -> None:
        """The reactor runs, so from now on clients are answered, and a signal ends in a clean stop."""
        for port in self._ports[1:]:
            self._tell(port)
        if self._systemd.watchdog_seconds is not None:
            # Half of what is asked for, as sd_watchdog_enabled(3) advises. It is not a chore: chores end when a stop begins, and a stop may
            # take longer than the watchdog waits.
            self._alive.start(self._systemd.watchdog_seconds / 2, now=False)
        self._systemd.ready("Running")

    async def _renew_certificate(self) -> None:
        self._certificates.renew()

    def _hang_up(self) -> None:
        """SIGHUP: reload, or say in the log why not."""
        self._systemd.reloading()
        try:
            self.prepare_reload()()
        except Conflict as error:
            _log.error("reload-refused: {error}; all is as it was.", error=str(error))
        self._systemd.ready("Running")

    def _rotate(self) -> None:
        try:
            if self._writer is not None:
                self._writer.rotate()
        except OSError as error:
            _log.error("The log cannot be put aside: {error}; the old file is written on.", error=str(error))

    def _use_settings(self, settings: dict[str, Any]) -> tuple[list[str], list[str]]:
        """
        Take those that may change.

        @return: the names of those that have, and of those that have but must not.
        """
        changed = sorted(name for name, value in settings.items() if value != self._settings[name])
        live = [name for name in changed if name in self._live]
        self._settings.update({name: settings[name] for name in live})
        return live, [name for name in changed if name not in self._live]

    def _open_admin_door(self) -> None:
        path = config.admin_socket(self._settings["state"])
        # We hold the directory, so nobody listens there: an existing socket was left by a daemon that was killed.
        path.unlink(missing_ok=True)
        previous = os.umask(0o177)
        try:
            self._ports.append(self._reactor.listenUNIX(str(path), self._hub.admin_door, mode=0o600))
        except (CannotListenError, OSError) as error:
            # Either error would show the path as Twisted has it, in bytes.
            fault: Any = getattr(error, "socketError", error)
            raise CannotStart(f"the admin door {path} cannot be opened: {fault.strerror or fault}") from None
        finally:
            os.umask(previous)

    def _open_ports(self) -> None:
        """Listen on the port of the settings, or on the sockets that systemd has opened for us."""
        settings, reactor = self._settings, self._reactor
        factory = tls.wrap(self._certificates.tls, self._hub.members_door)
        for descriptor in systemd.inherited(os.environ):
            # Twisted accepts until nobody is left, and on a blocking socket would wait for the next one.
            os.set_blocking(descriptor, False)
            self._ports.append(reactor.adoptStreamPort(descriptor, systemd.family(descriptor), factory))
            # The port has a copy of its own.
            os.close(descriptor)
        # The admin door is the first.
        if len(self._ports) == 1:
            self._ports.append(reactor.listenTCP(settings["port"], factory, backlog=1024, interface=settings["interface"]))
        for port in self._ports[1:]:
            listening: Any = port
            keepalive.watch(listening.socket)

    def _tell(self, port: IListeningPort) -> None:
        address: Any = port.getHost()
        host = f"[{address.host}]" if ":" in address.host else address.host
        _log.info(
            "SecureHub is listening on {host}:{port} (TLS), state in {state}.",
            host=host,
            port=address.port,
            state=str(self._settings["state"]),
        )
        self._certificates.tell()
        certificates = self._certificates
        _log.info(
            "Connect with: openssl s_client -quiet -connect {host}:{port}{trusting}",
            host=_reachable(address.host),
            port=address.port,
            trusting="" if certificates.ca is None else f" -CAfile {shlex.quote(str(certificates.ca_path))} -verify_return_error",
        )
        if self._hub.members_door.site is not None:
            _log.info("Or with a browser: https://{host}:{port}/", host=_reachable(address.host), port=address.port)

    def _release(self, result: Any) -> Any:
        if self._alive.running:
            self._alive.stop()
        self._pool.stop()
        config.admin_socket(self._settings["state"]).unlink(missing_ok=True)
        self._directory.release()
        _log.info("SecureHub has stopped.")
        self._signals.restore()
        self._systemd.close()
        return result


def _site(settings: dict[str, Any]) -> Site | None:
    """The web page, if there is to be one and can be."""
    if not settings["page"]:
        return None
    try:
        from securehub.network.web import Site
    except ModuleNotFoundError as error:
        if error.name not in ("h11", "wsproto"):
            raise
        _log.info("There is no web page, as {name} is not installed: pip install 'securehub[web]' brings it.", name=error.name)
        return None
    return Site(page.load())


def _allow_many_files() -> None:
    """Each connection needs a descriptor, and the soft limit is often 1,024."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def fitting(settings: dict[str, Any]) -> dict[str, Any]:
    """
    The settings, with no more connections than the system allows open files for.

    Otherwise strangers could take the last of them, and a journal that cannot begin its next file takes no writes.
    """
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if files == resource.RLIM_INFINITY:
        return settings
    places = files - min(OWN_FILES, files // 2)
    if settings["connections"] <= places:
        return settings
    _log.warn(
        "The system allows {files} open files: there is room for {places} connections, not for {wanted}. Raise LimitNOFILE= or ulimit -Hn.",
        files=files,
        places=places,
        wanted=settings["connections"],
    )
    return settings | {"connections": places}


def _reachable(host: str) -> str:
    """An address to which somebody on this machine can connect."""
    if host in ("0.0.0.0", "127.0.0.1", "::"):
        return "localhost"
    return f"[{host}]" if ":" in host else host
