"""
Which certificate the hub shows: from files of the operator's, or from its own authority; renewed, and read anew while the hub runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from twisted.logger import Logger

from securehub.config import Settings
from securehub.network import authority
from securehub.network.authority import Authority, CannotIssue, Files
from securehub.network.tls import ALPN, BadCertificate, Identity, ServerTLS, fingerprint

_log = Logger()

LOOK_SECONDS = 12 * 3600.0
"""How often to see whether the certificate has to be renewed: many times within the month in which that is possible."""

WARN_DAYS = 14
"""With this few days left something has gone wrong: our own certificate is renewed with a month left, and so are ACME's."""

WARN_CA = timedelta(days=365)
"""Every client has to be given a new CA, and that takes time."""


class Certificates:
    """
    The certificate of a running hub.

    @param files: the state directory.
    @param now: the time on the wall.
    @param protocols: those that are spoken behind it, the best first.

    @ivar tls: the factory that shows it to clients.
    @ivar ca: our own CA, which clients may trust; None if the certificate is another's.
    @ivar ca_path: its file.

    @raise BadCertificate: there is none that can be used.
    """

    def __init__(self, settings: Settings, files: Files, now: Callable[[], datetime], protocols: Sequence[bytes] = (ALPN,)) -> None:
        self._protocols = protocols
        self._files = files
        self._now = now
        self._settings = settings
        self.ca: x509.Certificate | None = None
        self.ca_path = files.path / authority.CA
        self.tls = self._open()
        self._changed()
        self._warn()

    def days_left(self) -> int:
        """Whole days until the certificate ends, for C{admin.status}; negative once it has."""
        return self.tls.identity.days_left(self._now())

    def trouble(self) -> str:
        """What is wrong with how long it is still good, for C{admin.health}; empty if nothing is."""
        left = self.days_left()
        if left < 0:
            return "the certificate has ended"
        return f"the certificate ends in {left} days" if left < WARN_DAYS else ""

    def renew(self) -> None:
        """Renew our own certificate if it is time. What goes wrong is logged, and tried again at the next look."""
        try:
            if self._issue(self._settings):
                self.tls.use(Identity.load(*self._paths(self._settings)))
                self._changed()
                self.tell()
        except (BadCertificate, OSError) as error:
            _log.error("certificate-renewal-failed: {error}; the old one is used on.", error=str(error))
        self._warn()

    def prepare(self, settings: Settings) -> Callable[[], str]:
        """
        Read the certificate anew, for those settings.

        @return: puts it to use, and says what it is.

        @raise BadCertificate: it cannot be used; nothing has changed.
        """
        try:
            self._issue(settings)
        except OSError as error:
            raise BadCertificate(f"the certificate cannot be renewed: {error}") from None
        identity = Identity.load(*self._paths(settings))
        identity.check_dates(self._now())
        context = self.tls.context_for(identity)

        def use() -> str:
            known = self.tls.identity.fingerprint
            self._settings = settings
            self.tls.context, self.tls.identity = context, identity
            self._changed()
            if identity.fingerprint != known:
                self.tell()
            self._warn()
            return f"certificate (good until {identity.ends:%Y-%m-%d})"

        return use

    def tell(self) -> None:
        """Log what clients are shown, and how to recognize it."""
        shown = self.tls.identity
        _log.info(
            "Certificate for {names}, good until {ends}.",
            names=", ".join(authority.names_of(shown.certificate)) or "nobody",
            ends=f"{shown.ends:%Y-%m-%d}",
        )
        _log.info("Certificate fingerprint (SHA-256): {fingerprint}", fingerprint=shown.fingerprint)
        if self.ca is not None:
            _log.info("CA {ca}, fingerprint (SHA-256): {fingerprint}", ca=str(self.ca_path), fingerprint=fingerprint(self.ca))

    def _open(self) -> ServerTLS:
        certificate, key = self._paths(self._settings)
        try:
            self._issue(self._settings)
        except (BadCertificate, OSError) as error:
            if not certificate.exists():
                raise
            # If it has a certificate, the hub starts despite a full disk, or a CA whose key is kept elsewhere.
            _log.error("certificate-renewal-failed: {error}; the old one is used on.", error=str(error))
        return ServerTLS(certificate, key, self._protocols)

    def _changed(self) -> None:
        """See whether the certificate is of our own CA. If the CA cannot be read, clients are not told of it."""
        self.ca = None
        with suppress(CannotIssue, OSError):
            ca = authority.read(self.ca_path)
            self.ca = ca if ca is not None and authority.is_issued_by(self.tls.identity.certificate, ca) else None

    def _issue(self, settings: Settings) -> bool:
        if settings["certificate"]:
            return False
        try:
            return Authority(self._files, settings["names"]).renew(self._now())
        except CannotIssue as error:
            raise BadCertificate(str(error)) from None

    def _paths(self, settings: Settings) -> tuple[Path, Path]:
        if settings["certificate"]:
            return settings["certificate"], settings["key"]
        return self._files.path / authority.CERTIFICATE, self._files.path / authority.KEY

    def _warn(self) -> None:
        shown = self.tls.identity
        left = self.days_left()
        if left < 0:
            _log.error("certificate-ended: on {ends}; clients refuse it.", ends=f"{shown.ends:%Y-%m-%d}")
        elif left < WARN_DAYS:
            _log.warn("certificate-ends: in {days} days.", days=left)
        if self.ca is not None and self.ca.not_valid_after_utc - self._now() < WARN_CA:
            _log.warn("ca-ends: on {ends}; give clients another one before.", ends=f"{self.ca.not_valid_after_utc:%Y-%m-%d}")
        for key in (self._paths(self._settings)[1], self._files.path / authority.CA_KEY):
            if key.exists() and key.stat().st_mode & 0o007:
                _log.warn("key-readable: {key} is open to everybody on this machine.", key=str(key))
