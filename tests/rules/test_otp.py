"""
The rules of one-time codes: which are good, how often, and what a login makes of them.
"""

from __future__ import annotations

from base64 import b32decode, b32encode
from datetime import UTC, datetime, timedelta

from securehub.refusals import BadCredentials, Conflict, Locked, NotFound, Unavailable
from securehub.services.auth import credentials, otp, rules
from securehub.services.auth.otp import Given, OneTime, OtpRequired
from securehub.services.auth.ways import By
from securehub.vault import Vault
from tests.authenticator import code
from tests.disk import MemoryDirectory
from tests.rules.test_auth import HASH, Logging

BY = By(1)

RFC = b32encode(b"12345678901234567890").decode()
"""The secret of the examples in RFC 6238, appendix B."""

EXAMPLES = {59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130"}
"""Its examples, of whose eight digits the last six count here."""


class Codes(Logging):
    """Alice, with an authenticator app."""

    def setUp(self) -> None:
        super().setUp()
        self.vault = self.new_vault()
        for username in ("alice", "bob"):
            self.create(username)

    def new_vault(self) -> Vault:
        vault = Vault(MemoryDirectory(), self.random)
        vault.load(first_start=True)
        return vault

    def set_up(self, username: str = "alice") -> str:
        """Begin; gives the secret as it is shown."""
        setup, sealed = otp.new_secret(self.random, self.vault, username)
        self.do(otp.set_up, username, sealed)
        return setup.secret

    def given(self, typed: str, username: str = "alice") -> Given:
        return otp.compare(self.setting.get(OneTime, username), username, otp.code(typed), self.vault, wall=self.at)

    def turn_on(self) -> tuple[str, tuple[str, ...]]:
        """Begin and confirm; gives the secret and the recovery codes."""
        secret = self.set_up()
        recovery = otp.new_recovery_codes(self.random)
        self.assertEqual(self.do(otp.confirm, "alice", self.given(code(secret, self.at)), recovery, BY).recovery_codes, recovery)
        return secret, recovery

    def lets_in(self, typed: str | None) -> bool:
        """Whether the right password and this code let alice in."""
        given = None if typed is None else self.given(typed)
        try:
            self.do(rules.log_in, "alice", HASH, None, self.welcome(), at=self.at, code=given)
        except BadCredentials as refusal:
            # Never which it was.
            self.assertEqual(str(refusal), str(credentials.wrong()))
            return False
        return True

    def later(self, **time: int) -> None:
        self.at += timedelta(**time)

    # Which codes are good

    def test_examples_of_the_rfc(self) -> None:
        for seconds, shown in EXAMPLES.items():
            self.at = datetime.fromtimestamp(seconds, UTC)
            self.assertEqual(code(RFC, self.at), shown)
            kept = OneTime(self.vault.seal(b32decode(RFC), "the secret of alice's one-time codes"))
            self.assertEqual(otp.compare(kept, "alice", shown, self.vault, wall=self.at).step, seconds // 30)

    def test_secret(self) -> None:
        """160 bits, in the form that apps take, and nowhere to be read afterwards."""
        setup, sealed = otp.new_secret(self.random, self.vault, "alice")
        self.assertRegex(setup.secret, r"\A[A-Z2-7]{32}\Z")
        self.assertTrue(setup.uri.startswith("otpauth://totp/SecureHub:alice?"), setup.uri)
        for parameter in (f"secret={setup.secret}", "issuer=SecureHub", "algorithm=SHA1", "digits=6", "period=30"):
            self.assertIn(parameter, setup.uri.partition("?")[2].split("&"))
        self.do(otp.set_up, "alice", sealed)
        self.setting.settle()
        for content in self.setting.disk.files.values():
            self.assertNotIn(setup.secret.encode(), content)
            self.assertNotIn(b32decode(setup.secret), content)

    def test_drift(self) -> None:
        """A phone may be a step ahead or behind, and no more."""
        secret, _ = self.turn_on()
        for steps, good in ((-2, False), (-1, True), (0, True), (1, True), (2, False)):
            self.later(minutes=10)
            self.assertEqual(self.lets_in(code(secret, self.at + timedelta(seconds=30 * steps))), good, steps)

    def test_once(self) -> None:
        """A code works once, and none that is older works after it."""
        secret, _ = self.turn_on()
        self.later(minutes=5)
        early, now, late = (code(secret, self.at + timedelta(seconds=seconds)) for seconds in (-30, 0, 30))
        self.assertTrue(self.lets_in(now))
        self.assertFalse(self.lets_in(now))
        self.assertFalse(self.lets_in(early))
        self.assertTrue(self.lets_in(late))
        self.assertFalse(self.lets_in(now))
        self.later(seconds=30)
        self.assertFalse(self.lets_in(late))

    def test_once_after_the_confirmation(self) -> None:
        """Showing a code let nobody in, so it is good for a login, once; those before it are not."""
        secret, _ = self.turn_on()
        now = code(secret, self.at)
        self.assertFalse(self.lets_in(code(secret, self.at - timedelta(seconds=30))))
        self.assertTrue(self.lets_in(now))
        self.assertFalse(self.lets_in(now))

    def test_once_for_two_steps(self) -> None:
        """A code that two neighbouring steps have by chance works once."""
        self.turn_on()
        self.later(minutes=5)
        both = range(int(self.at.timestamp()), int(self.at.timestamp()) + 60)
        self.patch(otp.TOTP, "generate", lambda totp, time: b"123456" if time in both else b"654321")
        self.assertTrue(self.lets_in("123456"))
        for _ in range(2):
            self.later(seconds=30)
            self.assertFalse(self.lets_in("123456"))

    def test_twice_at_once(self) -> None:
        """Two logins that have looked at the same code, and then both want to use it: one of them gets in."""
        secret, recovery = self.turn_on()
        self.later(minutes=1)
        for typed in (code(secret, self.at), recovery[0]):
            given = self.given(typed)
            self.assertTrue(self.do(otp.use, "alice", given))
            self.assertFalse(self.do(otp.use, "alice", given))

    def test_as_people_write_them(self) -> None:
        secret, recovery = self.turn_on()
        self.later(minutes=1)
        shown = code(secret, self.at)
        self.assertTrue(self.lets_in(f" {shown[:3]} {shown[3:]}"))
        self.assertTrue(self.lets_in(recovery[0].upper().replace("-", " ")))
        self.assertTrue(self.lets_in(recovery[1].replace("-", "")))

    def test_what_is_no_code(self) -> None:
        self.turn_on()
        self.later(minutes=1)
        for typed in ("", "0", "12345", "1234567", "\u0660" * 6, "²" * 6, "-1", "1e5", "hello", "x" * 1000):
            self.assertFalse(self.lets_in(typed), typed)

    # Recovery

    def test_recovery_codes(self) -> None:
        """Ten, each of 80 bits and good once, in any order; kept as digests."""
        _, recovery = self.turn_on()
        self.assertEqual(len(set(recovery)), 10)
        self.setting.settle()
        for each in recovery:
            self.assertRegex(each, r"\A[a-z2-7]{4}(-[a-z2-7]{4}){3}\Z")
            for content in self.setting.disk.files.values():
                self.assertNotIn(each.encode(), content)
                self.assertNotIn(otp.code(each).encode(), content)
        for each in reversed(recovery):
            self.assertTrue(self.lets_in(each))
            self.assertFalse(self.lets_in(each))
        self.assertEqual(self.setting.get(OneTime, "alice").recovery, ())

    def test_a_lost_key(self) -> None:
        """Codes cannot be checked without it, which is no wrong code; recovery codes can."""
        secret, recovery = self.turn_on()
        self.later(minutes=1)
        self.vault = self.new_vault()
        self.assertRaises(Unavailable, self.given, code(secret, self.at))
        self.assertTrue(self.lets_in(recovery[0]))

    def test_somebody_elses_secret(self) -> None:
        """A record that was moved from one member to another lets nobody in."""
        secret, _ = self.turn_on()
        self.later(minutes=1)
        self.do(lambda tx: tx.put("bob", tx.fetch(OneTime, "alice")))
        self.assertRaises(Unavailable, self.given, code(secret, self.at), "bob")

    # Turning on and off

    def test_not_before_it_is_confirmed(self) -> None:
        """A secret alone changes nothing: whoever closed the window too early can still log in."""
        self.set_up()
        self.assertTrue(self.lets_in(None))

    def test_needed(self) -> None:
        self.turn_on()
        self.assertRaises(OtpRequired, self.log_in, None)

    def test_setting_up_again(self) -> None:
        """A secret that was not confirmed gives way to the next one; one that was does not."""
        first = self.set_up()
        looked_at = self.given(code(first, self.at))
        secret = self.set_up()
        self.refused(BadCredentials, "not the code", otp.confirm, "alice", looked_at, (), BY)
        self.do(otp.confirm, "alice", self.given(code(secret, self.at)), otp.new_recovery_codes(self.random), BY)
        sealed = otp.new_secret(self.random, self.vault, "alice")[1]
        self.refused(Conflict, "with 10 recovery codes left", otp.set_up, "alice", sealed)
        self.refused(Conflict, "codes are on", otp.confirm, "alice", self.given(code(secret, self.at)), (), BY)

    def test_confirming(self) -> None:
        """It takes a code of the secret, and a secret."""
        secret = self.set_up()
        wrong = self.given(code(secret, self.at + timedelta(hours=1)))
        self.refused(BadCredentials, "not the code", otp.confirm, "alice", wrong, (), BY)
        self.refused(Conflict, "auth.otp_setup comes first", otp.confirm, "bob", wrong, (), BY)

    def test_disable(self) -> None:
        """With the password, as it is now."""
        self.turn_on()
        self.refused(BadCredentials, str(credentials.wrong()), otp.disable, "alice", "$argon2id$of another", BY)
        self.do(otp.disable, "alice", HASH, BY)
        self.assertTrue(self.lets_in(None))
        self.refused(Conflict, "no one-time codes", otp.disable, "alice", HASH, BY)

    def test_turn_off(self) -> None:
        """What an admin does."""
        self.turn_on()
        self.do(otp.turn_off, "alice", BY)
        self.assertTrue(self.lets_in(None))
        self.refused(Conflict, "alice has no one-time codes", otp.turn_off, "alice", BY)
        self.refused(NotFound, "no member nobody", otp.turn_off, "nobody", BY)

    def test_what_changes_is_told(self) -> None:
        """A secret that was not confirmed was no way in, and in nobody's way: that it is forgotten is no news."""
        self.heard()
        self.set_up()
        self.do(otp.turn_off, "alice", BY)
        self.assertEqual(self.heard(), [])
        self.turn_on()
        self.do(otp.disable, "alice", HASH, BY)
        self.assertEqual([event.event.change for _, event in self.heard()], ["codes-on", "codes-off"])

    # What happens between looking at a code and using it

    def test_another_secret_meanwhile(self) -> None:
        """A code of a secret that is not the member's any more is worth nothing, even one newer than all that were used of the new one."""
        secret, recovery = self.turn_on()
        self.later(minutes=1)
        given = [self.given(typed) for typed in (code(secret, self.at + timedelta(seconds=30)), recovery[0])]
        self.do(otp.turn_off, "alice", BY)
        self.turn_on()
        for each in given:
            self.refused(BadCredentials, "wrong", rules.log_in, "alice", HASH, None, self.welcome(), at=self.at, code=each)

    def test_turned_on_meanwhile(self) -> None:
        """A login that began without codes does not end without one."""
        self.turn_on()
        self.refused(OtpRequired, "code is needed", rules.log_in, "alice", HASH, None, self.welcome(), at=self.at)

    def test_turned_off_meanwhile(self) -> None:
        secret, _ = self.turn_on()
        given = self.given(code(secret, self.at))
        self.do(otp.turn_off, "alice", BY)
        self.do(rules.log_in, "alice", HASH, None, self.welcome(), at=self.at, code=given)

    def test_a_login_that_fails_uses_nothing_up(self) -> None:
        """The code of a member who is locked out is good again when the lock is gone."""
        secret, _ = self.turn_on()
        self.later(minutes=1)
        self.change("alice", locked="a reason")
        given = self.given(code(secret, self.at))
        self.refused(Locked, "a reason", rules.log_in, "alice", HASH, None, self.welcome(), at=self.at, code=given)
        self.change("alice", locked="")
        self.assertTrue(self.lets_in(code(secret, self.at)))
