"""
The rules of client certificates: whose they are, how many, and whom they let in.
"""

from __future__ import annotations

from datetime import timedelta

from securehub.peer import PeerCertificate
from securehub.refusals import BadArgument, BadCredentials, Conflict, Exists, LimitExceeded, Locked, NotFound
from securehub.services.auth import certificates, credentials
from securehub.services.auth.certificates import Certificate
from securehub.services.auth.ways import By
from tests.rules.test_auth import Logging
from tests.store.setting import BEGIN

LIMIT = 3
BY = By(1)
WRONG = str(credentials.wrong())


def certificate(number: int, days: int = 365) -> PeerCertificate:
    return PeerCertificate(":".join([f"{number:02X}"] * 32), BEGIN, BEGIN + timedelta(days=days))


class CertificateTests(Logging):
    """Alice and bob, on a hub where a member may have three certificates."""

    def setUp(self) -> None:
        super().setUp()
        for username in ("alice", "bob"):
            self.create(username)

    def add(self, number: int, username: str = "alice") -> str:
        return self.do(certificates.add, username, certificate(number), BY, limit=LIMIT, at=self.at, wall=self.at).fingerprint

    def fits(self, number: int, username: str = "alice") -> bool:
        return self.ask(certificates.fits, username, certificate(number), wall=self.at)

    def listed(self, username: str = "alice", current: PeerCertificate | None = None) -> list[tuple[str, bool]]:
        rows = self.ask(certificates.of_member, username, current, limit=20).items
        return [(row.fingerprint[:2], row.current) for row in rows]

    def test_add(self) -> None:
        """It is the member's from then on, and nobody else's."""
        self.assertEqual(self.add(1), certificate(1).fingerprint)
        self.add(2)
        self.assertEqual(self.listed(current=certificate(2)), [("01", False), ("02", True)])
        self.assertTrue(self.fits(1) and self.fits(2))
        self.assertFalse(self.fits(3))
        self.assertFalse(self.fits(1, "bob"))
        self.assertFalse(self.fits(1, "nobody"))

    def test_again(self) -> None:
        """To register it twice changes nothing, at the limit, too."""
        for number in (1, 2, 3, 3, 1):
            self.add(number)
        self.assertEqual(self.listed(), [("01", False), ("02", False), ("03", False)])

    def test_one_members_alone(self) -> None:
        self.add(1)
        self.refused(Exists, "another member", certificates.add, "bob", certificate(1), BY, limit=LIMIT, at=self.at, wall=self.at)
        self.refused(NotFound, "no such certificate", certificates.remove, "bob", certificate(1).fingerprint, BY)
        self.assertTrue(self.fits(1))
        self.do(certificates.remove, "alice", certificate(1).fingerprint, BY)
        self.add(1, "bob")
        self.assertTrue(self.fits(1, "bob"))

    def test_limit(self) -> None:
        for number in (1, 2, 3):
            self.add(number)
        self.refused(
            LimitExceeded,
            "3 certificates are registered; 3 are",
            certificates.add,
            "alice",
            certificate(4),
            BY,
            limit=LIMIT,
            at=self.at,
            wall=self.at,
        )
        self.do(certificates.remove, "alice", certificate(2).fingerprint, BY)
        self.add(4)
        self.assertEqual(self.listed(), [("01", False), ("03", False), ("04", False)])

    def test_none(self) -> None:
        self.refused(Conflict, "has no client certificate", certificates.add, "alice", None, BY, limit=LIMIT, at=self.at, wall=self.at)

    def test_remove(self) -> None:
        """Nothing of it is left."""
        mark = self.add(1)
        self.do(certificates.remove, "alice", mark, BY)
        self.assertFalse(self.fits(1))
        self.assertIsNone(self.setting.get(Certificate, mark))
        self.refused(NotFound, "no such certificate", certificates.remove, "alice", mark, BY)

    def test_dates(self) -> None:
        """It is good from its first moment on, until its last, which is not part of it."""
        self.add(1)
        begins, ends = certificate(1)[1:]
        for at, good in ((begins - timedelta(seconds=1), False), (begins, True), (ends - timedelta(seconds=1), True), (ends, False)):
            self.at = at
            self.assertEqual(self.fits(1), good, at)
            if not good:
                self.refused(Conflict, "which is not now", certificates.add, "alice", certificate(2), BY, limit=LIMIT, at=BEGIN, wall=at)

    def test_log_in(self) -> None:
        """The same as a login by password, with what it leaves behind."""
        self.add(1)
        self.at += timedelta(minutes=1)
        welcome = self.welcome()
        logged_in = self.do(certificates.log_in, "alice", certificate(1), self.at, welcome, at=self.at)
        self.assertEqual((logged_in.username, logged_in.last_login, logged_in.resume), ("alice", BEGIN, welcome.token.text))

    def test_removed_meanwhile(self) -> None:
        """Between the question whether a password is needed, and the login."""
        mark = self.add(1)
        self.assertTrue(self.fits(1))
        self.do(certificates.remove, "alice", mark, BY)
        self.refused(BadCredentials, WRONG, certificates.log_in, "alice", certificate(1), self.at, self.welcome(), at=self.at)

    def test_another_name(self) -> None:
        self.add(1)
        self.refused(BadCredentials, WRONG, certificates.log_in, "bob", certificate(1), self.at, self.welcome(), at=self.at)

    def test_locked(self) -> None:
        """A lock holds on every way in."""
        self.add(1)
        self.change("alice", locked="a reason")
        self.refused(Locked, "a reason", certificates.log_in, "alice", certificate(1), self.at, self.welcome(), at=self.at)

    def test_fingerprints_as_people_write_them(self) -> None:
        """With colons or without, in any case; shown in one way."""
        shown = ":".join(["AB"] * 32)
        for word in (shown, shown.lower(), "ab" * 32, "AB" * 32):
            self.assertEqual(certificates.fingerprint(word), shown)
        for word in ("", "ab", "ab" * 31, "ab" * 33, "xy" * 32, "ab" * 32 + "\n"):
            self.assertRaises(BadArgument, certificates.fingerprint, word)
