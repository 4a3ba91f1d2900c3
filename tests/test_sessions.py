"""
How sessions end: by a commit, once it is settled, whatever becomes of who asked for it; and by themselves, with time.
"""

from __future__ import annotations

import errno
from base64 import b64encode
from datetime import timedelta
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from securehub.once import digest
from securehub.services.auth.lifetimes import TOGETHER
from securehub.services.chat.events import room_channel
from securehub.switchboard import EVERYBODY, member
from securehub.vault import KEY_FILE
from tests.world import PASSWORD, Client, World

BYE = "* Bye: the account is locked: spam"
DAY = 24 * 60 * 60


class Ending(SynchronousTestCase):
    """Sessions of a member who is locked, in all the ways in which that can go."""

    def setUp(self) -> None:
        self.world = World()
        self.operator = self.world.operator()
        self.resume, self.alice = self.member("alice")

    def member(self, username: str) -> tuple[str, Client]:
        """A new member with the token of the session."""
        client = self.world.connect()
        client.received()
        answer = client.call("auth.create", username=username, password=PASSWORD)
        client.ask("PING")
        return answer["result"]["resume"], client

    def resumes(self, token: str) -> str:
        """What a RESUME is answered, in its first two words."""
        client = self.world.connect()
        client.received()
        return " ".join(client.ask(f"RESUME {token}")[-1].split()[:2])

    def test_only_when_settled(self) -> None:
        """Before the lock is on the disk nobody is told, and the session does nothing more in the meantime."""
        self.world.disk_waits = True
        self.assertEqual(self.operator.ask("admin.lock alice spam"), [])
        commits = self.world.hub.store.number
        self.assertEqual(self.alice.ask("PING", "OPEN savings"), [])
        self.assertFalse(self.alice.closed)
        self.world.disk_waits = False
        self.world.settle()
        self.assertEqual(self.alice.received(), [BYE])
        self.assertTrue(self.alice.closed)
        self.assertEqual(self.world.hub.store.number, commits)

    def test_undone(self) -> None:
        """A lock that could not be kept locks nobody: no goodbye is said, the connection is cut, and its token is good."""
        self.world.directory.fail(OSError(errno.ENOSPC, "full"), times=None)
        self.operator.ask("admin.lock alice spam")
        self.assertEqual(self.alice.received(), [])
        self.assertTrue(self.alice.closed and self.alice.transport.aborted)
        self.assertTrue(self.operator.closed)
        self.world.directory.heal()
        self.world.elapse(2)
        self.assertEqual(self.resumes(self.resume), "OK Welcome")

    def test_undone_with_the_member(self) -> None:
        """A role that was given to somebody who could not be made a member is nothing to complain about."""
        carol = self.world.connect()
        self.world.disk_waits = True
        carol.ask(f"CREATE carol {PASSWORD}")
        self.operator.ask("admin.grant carol agent")
        self.world.directory.fail(OSError(errno.ENOSPC, "full"), times=None)
        self.world.disk_waits = False
        self.world.settle()
        self.assertTrue(carol.closed and carol.transport.aborted)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_who_asked_is_gone(self) -> None:
        """The session ends all the same."""
        self.world.disk_waits = True
        self.operator.send("admin.lock alice spam")
        self.world.settle()
        self.operator.close()
        self.world.disk_waits = False
        self.world.settle()
        self.assertEqual(self.alice.received(), [BYE])
        self.assertTrue(self.alice.closed)

    def test_who_hears_nothing(self) -> None:
        """Also those who asked not to be sent events."""
        self.alice.ask("EVENTS off")
        self.operator.ask("admin.lock alice spam")
        self.assertEqual(self.alice.received(), [BYE])

    def test_who_does_not_read(self) -> None:
        """Whoever does not read is closed on after a while."""
        self.alice.transport.stop_reading()
        self.alice.protocol.outlet.pauseProducing()
        self.operator.ask("admin.lock alice spam")
        self.assertFalse(self.alice.closed)
        self.world.elapse(6)
        self.assertTrue(self.alice.closed)

    def test_a_command_that_waits(self) -> None:
        """What was asked before the end and is still being computed changes nothing more; its answer comes before goodbye."""
        self.world.hashing_waits = True
        self.alice.send(f"PASSWD {PASSWORD} another-horse-battery", "OPEN savings")
        self.operator.ask("admin.lock alice spam")
        self.assertFalse(self.alice.closed)
        self.world.hashing_waits = False
        self.world.settle()
        self.assertEqual(self.alice.received(), ["ERR not-logged-in this session has ended in the meantime", BYE])
        self.assertTrue(self.alice.closed)
        self.operator.ask("admin.unlock alice")
        self.assertEqual(self.world.connect().ask(f"LOGIN alice {PASSWORD}")[-1][:10], "OK Welcome")

    def test_an_admin_who_is_locked_while_being_asked(self) -> None:
        """The answer to a question is not taken from whoever has lost the role since."""
        self.operator.ask("admin.grant alice admin")
        self.member("bob")
        self.assertEqual(self.alice.ask("admin.password bob"), ["* New password:"])
        self.operator.ask("admin.ungrant alice admin")
        self.assertEqual(self.alice.ask("another-horse-battery"), ["ERR forbidden this needs the role admin"])

    def test_a_logout_ends_the_twin(self) -> None:
        """An old connection of the same login, whose end the hub has not noticed, is not left behind."""
        twin = self.world.connect()
        twin.received()
        twin.ask(f"RESUME {self.resume}")
        self.assertEqual(twin.ask("LOGOUT"), ["OK"])
        self.assertEqual(self.alice.received(), ["* Bye: this login was ended by a logout."])
        self.assertTrue(self.alice.closed)
        self.assertFalse(twin.closed)

    def test_an_ended_session_counts_no_more(self) -> None:
        """With as many sessions as are allowed, ending one makes room at once."""
        world = self.world = World(sessions_per_member=1)
        resume, alice = self.member("alice")
        self.assertIn("limit-exceeded", world.connect().ask(f"LOGIN alice {PASSWORD}")[-1])
        (row,) = alice.call("auth.sessions")["result"]["items"]
        alice.ask(f"REVOKE {row['session']}")
        self.assertEqual(world.connect().ask(f"LOGIN alice {PASSWORD}")[-1][:10], "OK Welcome")
        self.assertEqual(self.resumes(resume), "ERR bad-credentials")

    def test_nothing_is_told_any_more(self) -> None:
        """Whoever has logged out hears nothing that is for members, and of whoever has gone nothing is left."""
        _, bob = self.member("bob")
        for client in (self.alice, bob):
            client.ask("JOIN lobby")
        self.alice.ask("LOGOUT")
        self.operator.ask("admin.announce hello")
        self.assertEqual([line for line in self.alice.received() if "hello" in line], [])
        self.assertEqual(len([line for line in bob.received() if "hello" in line]), 1)
        switchboard = self.world.hub.switchboard
        channels = (EVERYBODY, member("alice"), member("bob"), room_channel("lobby"))
        self.assertEqual(len(switchboard.listeners(EVERYBODY)), 1)
        bob.close()
        self.world.settle()
        self.assertEqual([switchboard.listeners(each) for each in channels], [[]] * len(channels))


class Secrets(SynchronousTestCase):
    """Nothing of a request with a key can be read, or guessed at, in what is stored."""

    def setUp(self) -> None:
        self.world = World()
        self.operator = self.world.operator()
        self.world.member("alice")

    def test_invitation(self) -> None:
        """The answer that is kept has no code to be read, and yet is repeated word for word after a crash."""
        first = self.operator.call("admin.invite", key="i1")["result"]
        for content in self.world.directory.files.values():
            self.assertNotIn(first["code"].encode(), content)
        self.world.restart(crash=True)
        self.assertEqual(self.world.operator().call("admin.invite", key="i1")["result"], first)

    def test_without_the_key_of_the_vault(self) -> None:
        """A hub that was restored without it says so, and makes other invitations."""
        self.operator.call("admin.invite", key="i1")
        self.world.stop()
        self.world.directory.remove(KEY_FILE)
        self.world.start_again()
        operator = self.world.operator()
        self.assertEqual(operator.call("admin.invite", key="i1")["error"]["data"]["code"], "conflict")
        self.assertIn("code", operator.call("admin.invite", key="i2")["result"])

    def test_password(self) -> None:
        """The digest of the arguments is none of the password, which anybody could compute."""
        self.operator.call("admin.password", username="alice", password="correct-donkey", key="p1")
        readable = digest("admin.password", ["alice", "correct-donkey"])
        kept = b"".join(self.world.directory.files.values())
        self.assertIn(b"operator/p1", kept)
        for form in (b64encode(readable), b64encode(readable).replace(b"/", b"\\/"), readable.hex().encode(), b"correct-donkey"):
            self.assertNotIn(form, kept)
        marked = digest("admin.password", ["alice", self.world.hub.vault.mark("correct-donkey")])
        self.assertIn(b64encode(marked), kept)

    def test_marks(self) -> None:
        """The same for the same secret and key, and for nothing else."""
        mark = self.world.hub.vault.mark
        self.assertEqual((mark("a"), len(mark("a"))), (mark("a"), 16))
        self.assertNotEqual(mark("a"), mark("b"))
        self.assertNotEqual(mark("a"), World(seed=2).hub.vault.mark("a"))


class Lasting(SynchronousTestCase):
    """Logins of a hub where they last 10 days unused, and 20 in all."""

    def setUp(self) -> None:
        self.world = World(session_idle_days=10, session_days=20)
        self.alice = self.world.connect()
        self.alice.received()
        self.resume = self.alice.call("auth.create", username="alice", password=PASSWORD)["result"]["resume"]

    def pass_days(self, days: int) -> None:
        for _ in range(days * 24):
            self.world.elapse(DAY / 24)

    def try_again(self) -> dict[str, Any]:
        """A RESUME by a program."""
        client = self.world.connect()
        client.received()
        answer = client.call("auth.resume", token=self.resume)
        if "result" in answer:
            self.resume = answer["result"]["resume"]
            client.close()
        return answer

    def code(self) -> str:
        return str(self.try_again()["error"]["data"]["code"])

    def test_unused(self) -> None:
        self.alice.close()
        self.pass_days(9)
        self.assertIn("result", self.try_again())
        self.pass_days(10)
        self.assertEqual(self.code(), "bad-credentials")

    def test_connected_is_used(self) -> None:
        """However silent; the days count from the end of the connection, also if that was a crash."""
        self.pass_days(12)
        self.world.restart(crash=True)
        self.world.elapse(8 * DAY - 3600)
        self.assertIn("result", self.try_again())

    def test_in_all(self) -> None:
        """A token that is used every day is over all the same."""
        self.alice.close()
        for _ in range(19):
            self.pass_days(1)
            self.assertIn("result", self.try_again())
        self.pass_days(1)
        self.assertEqual(self.code(), "bad-credentials")

    def test_connected_for_too_long(self) -> None:
        """A session that is as old says goodbye within the hour, and its token is no longer good."""
        self.alice.ask("PING")
        self.pass_days(19)
        self.assertEqual(self.alice.ask("PING still"), ["OK still"])
        self.pass_days(1)
        self.assertEqual(self.alice.received(), ["* Bye: this login is 20 days old; log in again."])
        self.assertTrue(self.alice.closed)
        self.assertEqual(self.code(), "bad-credentials")
        self.assertEqual(self.world.connect().ask(f"LOGIN alice {PASSWORD}")[-1][:10], "OK Welcome")

    def test_what_is_over_is_not_listed(self) -> None:
        self.alice.close()
        self.pass_days(11)
        again = self.world.connect()
        again.received()
        again.call("auth.login", username="alice", password=PASSWORD)
        self.assertEqual(len(again.call("auth.sessions")["result"]["items"]), 1)

    def test_many(self) -> None:
        """Those who are connected are looked at some at a time."""
        self.alice.close()
        world = self.world = World(session_idle_days=10, session_days=20, sessions_per_member=200)
        world.member("alice")
        for _ in range(TOGETHER + 5):
            world.connect().ask(f"LOGIN alice {PASSWORD}")
        world.elapse(DAY + 3600)
        for client in world.clients:
            client.close()
        world.elapse(9.5 * DAY)
        again = world.connect()
        again.received()
        again.call("auth.login", username="alice", password=PASSWORD)
        self.assertEqual(len(again.call("auth.sessions", limit=1000)["result"]["items"]), TOGETHER + 7)

    def test_while_the_disk_is_full(self) -> None:
        """What has to wait is done when its time comes again."""
        self.alice.ask("PING")
        self.world.directory.fail(OSError(errno.ENOSPC, "full"), times=None)
        self.world.connect().ask("CREATE bob another-horse-battery")
        self.world.elapse(20 * DAY)
        self.assertFalse(self.alice.closed)
        self.world.directory.heal()
        self.world.elapse(2)
        self.world.elapse(3600)
        self.assertTrue(self.alice.closed)
        self.assertEqual(timedelta(seconds=self.world.time.seconds()).days, 20)
