"""
The hub's own CA: what it signs, when it signs anew, and what it leaves alone.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from ipaddress import ip_address
from itertools import product
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from twisted.trial.unittest import SynchronousTestCase

from securehub.network.authority import Authority, CannotIssue, names_of, read
from securehub.store.files import RealDirectory
from tests.certificates import ODD_KEY, make_certificate
from tests.times import BEGIN

DAY = timedelta(days=1)


USES = {
    "digitalSignature": "digital_signature",
    "nonRepudiation": "content_commitment",
    "keyEncipherment": "key_encipherment",
    "dataEncipherment": "data_encipherment",
    "keyAgreement": "key_agreement",
    "keyCertSign": "key_cert_sign",
    "cRLSign": "crl_sign",
}
"""Of RFC 5280, section 4.2.1.3; the two others mean something only with a key agreement."""


class AuthorityCase(SynchronousTestCase):
    """A test with a state directory."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.files = RealDirectory(self.path)

    def renew(self, at: datetime = BEGIN, *names: str) -> bool:
        return Authority(self.files, names).renew(at)

    def content(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.path.iterdir()}

    def certificate(self) -> x509.Certificate:
        found = read(self.path / "certificate.pem")
        assert found is not None
        return found

    def verify(self, name: str, at: datetime = BEGIN) -> None:
        """As a client does which has nothing but the CA."""
        ca = read(self.path / "ca.pem")
        assert ca is not None
        try:
            subject: x509.GeneralName = x509.IPAddress(ip_address(name))
        except ValueError:
            subject = x509.DNSName(name)
        verifier = PolicyBuilder().store(Store([ca])).time(at).build_server_verifier(subject)
        verifier.verify(self.certificate(), [])


class FirstTests(AuthorityCase):
    """What the first start makes."""

    def test_trusted(self) -> None:
        """Whoever trusts the CA trusts the hub, under each of its names and no other."""
        self.assertTrue(self.renew(BEGIN, "hub.example.org", "10.1.2.3"))
        for name in ("localhost", "127.0.0.1", "::1", "hub.example.org", "10.1.2.3"):
            self.verify(name)
        self.assertRaises(VerificationError, self.verify, "example.org")
        self.assertRaises(VerificationError, self.verify, "10.1.2.4")

    def test_modes(self) -> None:
        """Nobody else can read any of it, and nothing half-written is left."""
        self.renew()
        self.assertEqual(set(self.content()), {"ca.pem", "ca-key.pem", "certificate.pem", "key.pem"})
        for path in self.path.iterdir():
            self.assertEqual(path.stat().st_mode & 0o777, 0o600, path)

    def test_the_ca(self) -> None:
        """It signs servers and no further CA, lasts ten years, and has a name of its own."""
        self.renew()
        ca = read(self.path / "ca.pem")
        assert ca is not None
        constraints = ca.extensions.get_extension_for_class(x509.BasicConstraints)
        self.assertEqual((constraints.value.ca, constraints.value.path_length, constraints.critical), (True, 0, True))
        self.assertGreater(ca.not_valid_after_utc, BEGIN + 3000 * DAY)
        key = ca.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        self.assertEqual(key.curve.name, "secp256r1")
        other = RealDirectory(Path(self.mktemp()))
        Authority(other, ()).renew(BEGIN)
        second = read(other.path / "ca.pem")
        assert second is not None
        self.assertNotEqual(ca.subject, second.subject)

    def test_what_the_keys_are_for(self) -> None:
        """The CA's signs certificates, the other's a handshake, and neither does more."""
        self.renew()
        ca = read(self.path / "ca.pem")
        assert ca is not None
        for certificate, uses in ((ca, ["keyCertSign", "cRLSign"]), (self.certificate(), ["digitalSignature"])):
            usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
            found = {name: getattr(usage.value, attribute) for name, attribute in USES.items()}
            self.assertEqual(([name for name in USES if found[name]], usage.critical), (uses, True))
        constraints = self.certificate().extensions.get_extension_for_class(x509.BasicConstraints)
        self.assertEqual((constraints.value.ca, constraints.critical), (False, True))

    def test_chain(self) -> None:
        """Whoever trusts the CA has it, so it is not sent along."""
        self.renew()
        self.assertEqual(len(x509.load_pem_x509_certificates((self.path / "certificate.pem").read_bytes())), 1)


class RenewalTests(AuthorityCase):
    """When a certificate is made anew."""

    def setUp(self) -> None:
        super().setUp()
        self.renew()
        self.before = self.content()

    def test_not_before_it_is_time(self) -> None:
        for days in (0, 1, 59):
            self.assertFalse(self.renew(BEGIN + days * DAY))
        self.assertEqual(self.content(), self.before)

    def test_in_time(self) -> None:
        """With a month left; the CA and the keys stay, so that clients need not hear of it."""
        later = BEGIN + 61 * DAY
        self.assertTrue(self.renew(later))
        after = self.content()
        self.assertEqual({name for name in after if after[name] != self.before[name]}, {"certificate.pem"})
        self.verify("localhost", later + 80 * DAY)

    def test_long_after(self) -> None:
        """A hub that was off for a year has a good one as soon as it starts."""
        later = BEGIN + 400 * DAY
        self.assertTrue(self.renew(later))
        self.verify("localhost", later)

    def test_other_names(self) -> None:
        """A change of the setting is a new certificate; another order of the same names is none."""
        self.assertTrue(self.renew(BEGIN, "a.example", "b.example"))
        self.assertFalse(self.renew(BEGIN, "b.example", "a.example"))
        self.assertTrue(self.renew(BEGIN, "b.example"))
        self.assertEqual(names_of(self.certificate()), ["127.0.0.1", "::1", "b.example", "localhost"])

    def test_never_longer_than_its_ca(self) -> None:
        """A client would refuse it all the same, and nobody could tell why."""
        ca = read(self.path / "ca.pem")
        assert ca is not None
        last = ca.not_valid_after_utc
        self.renew(last - 2 * DAY)
        self.assertEqual(self.certificate().not_valid_after_utc, last)
        self.assertRaises(CannotIssue, self.renew, last + DAY)

    def test_lost_key(self) -> None:
        """Without its key a certificate is worth nothing; another pair takes its place."""
        (self.path / "key.pem").unlink()
        self.assertTrue(self.renew())
        self.verify("localhost")


class InterruptedTests(AuthorityCase):
    """A crash between any two files of the first start."""

    def test_goes_on(self) -> None:
        """The next start makes what is missing, and keeps what is there."""
        self.renew()
        whole = self.content()
        order = ["key.pem", "ca-key.pem", "ca.pem", "certificate.pem"]
        for count in range(len(order)):
            for name in order[count:]:
                (self.path / name).unlink(missing_ok=True)
            for name in order[:count]:
                (self.path / name).write_bytes(whole[name])
            self.assertTrue(self.renew())
            self.verify("localhost")
            after = self.content()
            self.assertEqual({name: after[name] for name in order[:count]}, {name: whole[name] for name in order[:count]})


class OthersTests(AuthorityCase):
    """What is somebody else's is not touched."""

    def test_an_older_secure_hub(self) -> None:
        """A state directory with a self-signed certificate works on as it did: clients have pinned that."""
        make_certificate(self.path)
        before = self.content()
        self.assertFalse(self.renew(BEGIN))
        self.assertFalse(self.renew(BEGIN + 5000 * DAY, "hub.example.org"))
        self.assertEqual(self.content(), before)

    def test_in_place_of_ours(self) -> None:
        """The same goes for one that an operator puts in the place of ours."""
        self.renew()
        make_certificate(self.path)
        before = self.content()
        self.assertFalse(self.renew(BEGIN + 100 * DAY))
        self.assertEqual(self.content(), before)

    def test_no_ca_key(self) -> None:
        """An operator may keep it elsewhere; then nothing can be renewed, and no new CA takes the old one's place behind clients' backs."""
        self.renew()
        (self.path / "ca-key.pem").unlink()
        before = self.content()
        self.assertFalse(self.renew(BEGIN + DAY))
        refused = self.assertRaises(CannotIssue, self.renew, BEGIN + 61 * DAY)
        self.assertIn("ca-key.pem is missing", str(refused))
        self.assertEqual(self.content(), before)

    def test_damaged(self) -> None:
        """Each file, cut off, is named; none is overwritten."""
        for name in ("ca.pem", "ca-key.pem", "certificate.pem", "key.pem"):
            self.renew()
            whole = (self.path / name).read_bytes()
            (self.path / name).write_bytes(whole[:60])
            before = self.content()
            refused = self.assertRaises(CannotIssue, self.renew, BEGIN + 61 * DAY)
            self.assertIn(name, str(refused))
            self.assertEqual(self.content(), before)
            (self.path / name).write_bytes(whole)

    def test_odd_keys(self) -> None:
        """A key that nobody here can read is named, too, and so is one that is none of ours."""
        pkcs8 = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        another = ed25519.Ed25519PrivateKey.generate().private_bytes(*pkcs8)
        for name, odd in product(("ca-key.pem", "key.pem"), (ODD_KEY, another)):
            self.renew()
            whole = (self.path / name).read_bytes()
            (self.path / name).write_bytes(odd)
            refused = self.assertRaises(CannotIssue, self.renew, BEGIN + 61 * DAY)
            self.assertIn(name, str(refused))
            (self.path / name).write_bytes(whole)

    def test_another_cas_key(self) -> None:
        self.renew()
        other = RealDirectory(Path(self.mktemp()))
        Authority(other, ()).renew(BEGIN)
        (self.path / "ca-key.pem").write_bytes((other.path / "ca-key.pem").read_bytes())
        refused = self.assertRaises(CannotIssue, self.renew, BEGIN + 61 * DAY)
        self.assertIn("is not the key of", str(refused))
