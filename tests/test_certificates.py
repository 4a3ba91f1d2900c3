"""
The certificate of a running hub: where it comes from, how it is changed, and what the log says of it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from securehub import config
from securehub.network.authority import read
from securehub.network.certificates import Certificates
from securehub.network.tls import BadCertificate, Identity
from securehub.store.files import RealDirectory
from tests.certificates import BEGIN, ODD_CERTIFICATE, ODD_KEY, make_certificate
from tests.tools import logged


class CertificatesCase(SynchronousTestCase):
    """A state directory, a clock, and what was logged."""

    def setUp(self) -> None:
        self.base = Path(self.mktemp())
        self.base.mkdir()
        self.files = RealDirectory(self.base / "state")
        self.at = BEGIN
        self.logged = logged(self)

    def settings(self, **changed: Any) -> dict[str, Any]:
        return config.settings() | changed

    def open(self, **changed: Any) -> Certificates:
        return Certificates(self.settings(**changed), self.files, self.now)

    def now(self) -> datetime:
        return self.at

    def said(self) -> list[str]:
        """The first word of each warning and error."""
        said = [str(event["log_format"]).partition(":")[0] for event in self.logged if event["log_level"].name in ("warn", "error")]
        self.logged.clear()
        return said


class OwnTests(CertificatesCase):
    """From the hub's own CA."""

    def test_renewed(self) -> None:
        """A running hub shows the new one by itself; the CA is the same."""
        certificates = self.open()
        first = certificates.tls.identity
        self.at += timedelta(days=59)
        certificates.renew()
        self.assertIs(certificates.tls.identity, first)
        context = certificates.tls.context
        self.at += timedelta(days=2)
        certificates.renew()
        second = certificates.tls.identity
        self.assertIsNot(certificates.tls.context, context)
        self.assertNotEqual(second.fingerprint, first.fingerprint)
        ca = certificates.ca
        assert ca is not None
        for shown in (first, second):
            shown.certificate.verify_directly_issued_by(ca)
        self.assertEqual(self.said(), [])

    def test_days_left(self) -> None:
        certificates = self.open()
        self.assertEqual(certificates.days_left(), 90)
        self.at += timedelta(days=20, hours=1)
        self.assertEqual(certificates.days_left(), 69)

    def test_cannot_be_renewed(self) -> None:
        """It is said at every look, and more loudly as the end comes near; the hub goes on with what it has."""
        certificates = self.open()
        (self.files.path / "ca-key.pem").unlink()
        self.at += timedelta(days=61)
        certificates.renew()
        self.assertEqual(self.said(), ["certificate-renewal-failed"])
        self.assertEqual(certificates.trouble(), "")
        self.at += timedelta(days=20)
        certificates.renew()
        self.assertEqual(certificates.trouble(), "the certificate ends in 9 days")
        self.assertEqual(self.said(), ["certificate-renewal-failed", "certificate-ends"])
        self.at += timedelta(days=20)
        certificates.renew()
        self.assertEqual(self.said(), ["certificate-renewal-failed", "certificate-ended"])
        self.assertLess(certificates.days_left(), 0)
        self.assertEqual(certificates.trouble(), "the certificate has ended")

    def test_start_that_cannot_renew(self) -> None:
        """A hub that has a certificate starts with it; one that has none says what is missing."""
        self.open()
        (self.files.path / "ca-key.pem").unlink()
        self.at += timedelta(days=61)
        self.assertEqual(self.open().days_left(), 29)
        self.assertEqual(self.said(), ["certificate-renewal-failed"])
        (self.files.path / "certificate.pem").unlink()
        self.assertIn("ca-key.pem is missing", str(self.assertRaises(BadCertificate, self.open)))

    def test_ca_ends(self) -> None:
        """A year before, as every client has to be given another one."""
        certificates = self.open()
        self.at += timedelta(days=3650 - 300)
        certificates.renew()
        self.assertEqual(self.said(), ["ca-ends"])

    def test_reload_for_other_names(self) -> None:
        certificates = self.open()
        use = certificates.prepare(self.settings(names=("hub.example.org",)))
        self.assertNotIn("hub.example.org", str(certificates.tls.identity.certificate.extensions))
        self.assertRegex(use(), r"^certificate \(good until \d{4}-\d\d-\d\d\)$")
        self.assertIn("hub.example.org", str(certificates.tls.identity.certificate.extensions))
        # The next look is for the new names, too.
        shown = certificates.tls.identity
        certificates.renew()
        self.assertIs(certificates.tls.identity, shown)

    def test_ca_is_told(self) -> None:
        """Clients may trust the file that is told; a certificate which is not of that CA is not told so."""
        self.assertEqual(self.open().ca, read(self.files.path / "ca.pem"))
        make_certificate(self.files.path)
        self.assertIsNone(self.open().ca)


class FileTests(CertificatesCase):
    """From files of the operator's."""

    def setUp(self) -> None:
        super().setUp()
        self.certificate, self.key = make_certificate(self.base / "first")
        self.others = {"certificate": self.certificate, "key": self.key}

    def test_used(self) -> None:
        """Nothing is made in the state directory."""
        certificates = self.open(**self.others)
        self.assertEqual(certificates.tls.identity.fingerprint, Identity.load(self.certificate, self.key).fingerprint)
        self.assertIsNone(certificates.ca)
        self.assertEqual(self.files.names(), [])

    def test_reload(self) -> None:
        """Files that were replaced in their place are read anew."""
        certificates = self.open(**self.others)
        before = certificates.tls.identity
        make_certificate(self.base / "first")
        certificates.prepare(self.settings(**self.others))()
        after = certificates.tls.identity
        self.assertNotEqual(after.fingerprint, before.fingerprint)
        self.assertIn(after.fingerprint, [event.get("fingerprint") for event in self.logged])

    def test_beside_a_ca(self) -> None:
        """A CA of the hub's own that was used before and cannot be read any more is in the way of neither a start nor a reload."""
        certificates = self.open()
        ca = certificates.ca_path
        ca.unlink()
        ca.mkdir()
        certificates.prepare(self.settings(**self.others))()
        self.assertIsNone(certificates.ca)
        self.assertIsNone(self.open(**self.others).ca)

    def test_the_same(self) -> None:
        """A reload for other reasons does not tell again what is known."""
        certificates = self.open(**self.others)
        self.logged.clear()
        certificates.prepare(self.settings(**self.others))()
        self.assertEqual(self.logged, [])

    def test_broken(self) -> None:
        """Whatever is wrong with the new ones, the text says it and the old ones stay."""
        certificates = self.open(**self.others)
        before = (certificates.tls.identity, certificates.tls.context)
        good = (self.certificate.read_bytes(), self.key.read_bytes())
        other = make_certificate(self.base / "other")
        locked = make_certificate(self.base / "locked", password=b"secret")
        late = make_certificate(self.base / "late", begin=BEGIN - timedelta(days=20), days=10)
        early = make_certificate(self.base / "early", begin=BEGIN + timedelta(days=1))
        for certificate, key, why in (
            (b"", good[1], "is not PEM, or is damaged"),
            (good[0][:200], good[1], "is not PEM, or is damaged"),
            (good[0], b"nonsense", "is not PEM, or is damaged"),
            (good[0], other[1].read_bytes(), "is not the key of"),
            (good[0], ODD_KEY, "is of a kind that cannot be used"),
            (ODD_CERTIFICATE, ODD_KEY, "is of a kind that cannot be used"),
            (locked[0].read_bytes(), locked[1].read_bytes(), "has a passphrase"),
            (late[0].read_bytes(), late[1].read_bytes(), "has ended on 2026-11-09"),
            (early[0].read_bytes(), early[1].read_bytes(), "begins on 2026-11-20"),
        ):
            self.certificate.write_bytes(certificate)
            self.key.write_bytes(key)
            refused = self.assertRaises(BadCertificate, certificates.prepare, self.settings(**self.others))
            self.assertIn(why, str(refused))
        self.key.unlink()
        refused = self.assertRaises(BadCertificate, certificates.prepare, self.settings(**self.others))
        self.assertEqual((certificates.tls.identity, certificates.tls.context), before)

    def test_ends(self) -> None:
        """Nobody but the operator can renew it, so it is said."""
        certificate, key = make_certificate(self.base / "short", days=10)
        certificates = self.open(certificate=certificate, key=key)
        self.assertEqual(self.said(), ["certificate-ends"])
        self.at += timedelta(days=11)
        certificates.renew()
        self.assertEqual(self.said(), ["certificate-ended"])

    def test_readable_key(self) -> None:
        self.key.chmod(0o644)
        self.open(**self.others)
        self.assertEqual(self.said(), ["key-readable"])
        self.key.chmod(0o640)
        self.open(**self.others)
        self.assertEqual(self.said(), [])

    def test_readable_authority(self) -> None:
        """With the CA's key anybody can pretend to be the hub, so it is said of that as well."""
        self.open()
        self.said()
        (self.files.path / "ca-key.pem").chmod(0o644)
        self.open()
        self.assertEqual(self.said(), ["key-readable"])
