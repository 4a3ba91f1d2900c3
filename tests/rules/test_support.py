"""
The rules of the support desk: who may do what in a case, what is never seen, what goes in one commit, and what is forgotten.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from datetime import UTC, timedelta
from typing import Any

from msgspec.structs import replace

from securehub.agenda import Due
from securehub.event import ToOthers
from securehub.members import OPERATOR, Member
from securehub.refusals import BadArgument, Conflict, Forbidden, LimitExceeded, NotFound
from securehub.services.ledger import movement, reversal
from securehub.services.ledger.accounts import first_account
from securehub.services.ledger.movement import InsufficientFunds
from securehub.services.ledger.records import Account, Transfer, transfer_key
from securehub.services.ledger.watching import set_watched
from securehub.services.messages import Message
from securehub.services.support import canned, cases, events, giving, looking, memory, retention, tables
from securehub.services.support.giving import Allowance
from securehub.services.support.records import Canned, Case, CaseOfOrder, Given, Shelf, Tickets, case_key
from securehub.store.transaction import ReadTransaction
from securehub.switchboard import member, role
from tests.rules.money import Money, noting
from tests.rules.setting import CURRENCIES, amount
from tests.store.setting import everything

SESSION = 7
ALLOWED = Allowance({"USD": 5000, "HOURS": 40}, {"USD": 10000, "HOURS": 80})
USD = CURRENCIES["USD"]


def orders(tx: ReadTransaction, customer: str, order: int) -> Mapping[str, str]:
    """Alice has the orders 41 and 42."""
    if customer != "alice" or order not in (41, 42):
        raise NotFound(f"{customer} has no order {order}")
    return {"status": "late", "total": "12.50 USD"}


class AtTheDesk(Money):
    """Alice and carol are customers, bob and dave agents, eve is an agent and an admin."""

    def setUp(self) -> None:
        super().setUp()
        roles = {"alice": (), "bob": ("agent",), "carol": (), "dave": ("agent",), "eve": ("admin", "agent")}
        for number, (username, granted) in enumerate(roles.items(), start=1):
            self.put(username, Member(number, roles=granted))
        self.carol = self.open("carol")

    def tearDown(self) -> None:
        """Each open case is among its customer's and its order's, and no other."""
        super().tearDown()
        found = {int(key): case for key, case in self.kept(Case) if case.closed is None}
        mine = {ticket for _, each in self.kept(Tickets) for ticket in each.tickets}
        self.assertEqual(mine, set(found))
        ordered = {each.ticket for _, each in self.kept(CaseOfOrder)}
        self.assertEqual(ordered, {ticket for ticket, case in found.items() if case.order is not None})

    def pass_time(self, **duration: float) -> None:
        self.at += timedelta(**duration)

    def support(self, username: str, text: str = "help", ticket: int | None = None, order: int | None = None, limit: int = 3) -> int:
        given = {"orders": [orders], "limit": limit, "at": self.at}
        return self.do(cases.ask, username, text, ticket, order, SESSION, **given).ticket

    def refused_ask(self, refusal: Any, text: str, username: str, ticket: int | None = None, order: int | None = None) -> None:
        given = {"orders": [orders], "limit": 3, "at": self.at}
        self.refused(refusal, text, cases.ask, username, "help", ticket, order, SESSION, **given)

    def take(self, by: str = "bob", ticket: int = 1) -> None:
        self.do(cases.take, ticket, by, SESSION, at=self.at)

    def reply(self, text: str = "hello", by: str = "bob", ticket: int = 1) -> int:
        return self.do(cases.reply, ticket, by, text, SESSION, at=self.at).seq

    def pass_on(self, to: str | None = None, by: str = "bob", ticket: int = 1, note: str = "") -> cases.State:
        return self.do(cases.pass_on, ticket, by, to, note, SESSION, at=self.at)

    def note(self, text: str = "a secret", by: str = "bob", ticket: int = 1) -> int:
        return self.do(cases.note, ticket, by, text, SESSION, at=self.at).note

    def close(self, by: str = "bob", ticket: int = 1, days: int | None = 10) -> None:
        self.do(cases.close, ticket, by, SESSION, keep=None if days is None else timedelta(days=days), at=self.at)

    def case(self, ticket: int = 1) -> Case:
        found = self.setting.get(Case, case_key(ticket))
        assert found is not None
        return found

    def log(self, username: str, ticket: int = 1) -> list[str]:
        return [line.text for line in reversed(self.ask(looking.said, ticket, username, limit=100, before=None).items)]


class AskingTests(AtTheDesk):
    """What customers say goes into one case, until it is closed."""

    def test_one_case(self) -> None:
        self.assertEqual([self.support("alice"), self.support("alice"), self.support("carol")], [1, 1, 2])
        self.assertEqual((self.case().seq, self.case(2).seq), (2, 1))
        self.take()
        self.close()
        self.assertEqual(self.support("alice"), 3)

    def test_which_case(self) -> None:
        """The one that is named, that of the order, or the one in which something was said last."""
        self.assertEqual(self.support("alice"), 1)
        self.assertEqual(self.support("alice", order=41), 2)
        self.assertEqual(self.support("alice", order=41), 2)
        self.assertEqual(self.support("alice"), 2)
        self.pass_time(minutes=1)
        self.take()
        self.reply()
        self.assertEqual(self.support("alice"), 1)
        self.assertEqual(self.support("alice", ticket=2), 2)
        self.assertEqual(self.support("alice", ticket=2, order=41), 2)
        self.refused_ask(BadArgument, "not about order 42", "alice", ticket=2, order=42)

    def test_about_orders(self) -> None:
        """Their own alone; whoever keeps orders finds the case that is open about one."""
        self.refused_ask(NotFound, "no order 43", "alice", order=43)
        self.refused_ask(NotFound, "no order 41", "carol", order=41)
        self.refused(NotFound, "no order 41", cases.ask, "alice", "help", None, 41, SESSION, orders=[], limit=3, at=self.at)
        self.assertEqual(self.support("alice", order=41), 1)
        found = self.ask(cases.about_order, 41)
        assert found is not None
        self.assertEqual((found[0], found[1].customer, found[1].order), (1, "alice", 41))
        self.take()
        self.close()
        self.assertIsNone(self.ask(cases.about_order, 41))

    def test_so_many(self) -> None:
        """Cases that are closed do not count."""
        self.support("alice")
        self.support("alice", order=41)
        given = {"orders": [orders], "limit": 2, "at": self.at}
        self.refused(LimitExceeded, "2 of your cases are open", cases.ask, "alice", "help", None, 42, SESSION, **given)
        self.take()
        self.close()
        self.support("alice", order=42, limit=2)

    def test_so_much(self) -> None:
        """A case that is full takes nothing more, of anybody, nor any money."""
        self.support("alice")
        self.take()
        self.put(case_key(1), replace(self.case(), seq=cases.MAX_MESSAGES, notes=cases.MAX_MESSAGES))
        self.refused_ask(LimitExceeded, "1000 are allowed", "alice")
        self.refused(LimitExceeded, "1000 are allowed", cases.reply, 1, "bob", "hello", SESSION, at=self.at)
        self.refused(LimitExceeded, "1000 are allowed", cases.note, 1, "bob", "hello", SESSION, at=self.at)
        given = (1, "bob", amount("1"), USD, "", ALLOWED, SESSION)
        self.refused(LimitExceeded, "1000 are allowed", giving.give, *given, at=self.at, zone=UTC)

    def test_so_long(self) -> None:
        """Nor one with so many characters: whoever asks for its transcript is sent all of them at once."""
        self.support("alice", "x" * 4000)
        self.take()
        self.patch(cases, "MAX_CHARACTERS", 8001)
        self.reply("x" * 4000)
        self.support("alice", "the last one")
        self.refused_ask(LimitExceeded, "have 8012 characters; 8001 are allowed", "alice")
        self.refused(LimitExceeded, "8001 are allowed", cases.reply, 1, "bob", "hello", SESSION, at=self.at)
        self.note("x" * 8001)
        self.refused(LimitExceeded, "8001 are allowed", cases.note, 1, "bob", "hello", SESSION, at=self.at)
        self.close()

    def test_others_cases(self) -> None:
        """Nobody learns whether they exist."""
        self.support("alice")
        for ticket in (1, 2):
            self.refused_ask(NotFound, f"you have no ticket {ticket}", "carol", ticket=ticket)
            for rule in (looking.shown, lambda tx, *given: looking.said(tx, *given, limit=1, before=None)):
                refusal = self.assertRaises(NotFound, self.ask, rule, ticket, "carol")
                self.assertEqual(str(refusal), f"you have no ticket {ticket}")
            self.refused(NotFound, f"you have no ticket {ticket}", cases.rate, ticket, "carol", 5, "")
            self.refused(NotFound, f"you have no ticket {ticket}", cases.mark, ticket, "carol", None)

    def test_an_agent_who_is_none_any_more(self) -> None:
        """The case waits again when its customer says something; before that, another agent can take it."""
        self.support("alice")
        self.support("carol")
        for ticket in (1, 2):
            self.take(ticket=ticket)
        for gone in (Member(2), Member(2, roles=("agent",), locked="lost"), Member(2, roles=("agent",), erased=self.at)):
            self.put("bob", gone)
            self.assertFalse(self.ask(cases.can_see_to_it, "bob"))
        self.support("alice")
        self.assertEqual((self.case().status, self.case().agent, self.case().steps[-1].act), ("waiting", "", "left"))
        self.take("dave", 2)
        self.assertEqual(self.case(2).agent, "dave")


class SeeingToItTests(AtTheDesk):
    """One agent at a time sees to a case."""

    def test_one_agent(self) -> None:
        self.support("alice")
        self.refused(Conflict, "take it first", cases.pass_on, 1, "bob", None, "", SESSION, at=self.at)
        self.take()
        self.refused(Conflict, "bob sees to ticket 1", cases.take, 1, "dave", SESSION, at=self.at)
        self.refused(Conflict, "you see to ticket 1 already", cases.take, 1, "bob", SESSION, at=self.at)
        self.refused(Conflict, "bob sees to ticket 1", cases.reply, 1, "dave", "hello", SESSION, at=self.at)
        self.refused(Conflict, "bob sees to ticket 1", cases.close, 1, "dave", SESSION, keep=None, at=self.at)
        self.refused(NotFound, "there is no ticket 2", cases.take, 2, "bob", SESSION, at=self.at)

    def test_taken_by_answering(self) -> None:
        """Whoever answers in a case that waits, or closes it, sees to it by that; nobody does so in one of their own."""
        for customer in ("alice", "carol", "dave"):
            self.support(customer)
        self.do(cases.reply, 1, "bob", "hello", SESSION, at=self.at)
        self.do(cases.close, 2, "bob", SESSION, keep=None, at=self.at)
        self.refused(Forbidden, "your own", cases.reply, 3, "dave", "hello", SESSION, at=self.at)
        self.assertEqual([[step.act for step in self.case(ticket).steps] for ticket in (1, 2, 3)], [["taken"], ["taken", "closed"], []])
        self.refused(Conflict, "bob sees to ticket 1", cases.reply, 1, "dave", "hello", SESSION, at=self.at)
        self.refused(Conflict, "ticket 2 is closed", cases.reply, 2, "bob", "hello", SESSION, at=self.at)

    def test_left_by_agents(self) -> None:
        """Open cases are looked through in parts for those whose agent is none any more."""
        self.patch(cases, "LOOKED_AT", 2)
        for ticket, (customer, agent) in enumerate([("alice", "bob"), ("carol", "dave"), ("eve", "bob"), ("bob", "")], start=1):
            self.support(customer)
            if agent:
                self.do(cases.take, ticket, agent, SESSION, at=self.at)
        self.assertEqual(self.ask(cases.without_agent, ""), ([], case_key(2)))
        self.put("bob", Member(2))
        self.assertEqual(self.ask(cases.without_agent, ""), ([1], case_key(2)))
        self.assertEqual(self.ask(cases.without_agent, case_key(2)), ([3], case_key(4)))
        self.assertEqual(self.ask(cases.without_agent, case_key(4)), ([], None))

    def test_put_back(self) -> None:
        """A case waits again once; what has been closed or forgotten meanwhile stays as it is."""
        self.support("alice")
        self.take()
        self.heard()
        self.do(cases.put_back, 1, at=self.at)
        self.assertEqual((self.case().agent, self.heard()), ("bob", []))
        self.support("carol")
        self.take(ticket=2)
        self.close(ticket=2)
        self.put("bob", Member(2))
        self.heard()
        for ticket in (1, 1, 2, 3):
            self.do(cases.put_back, ticket, at=self.at)
        told = ToOthers(0, events.Changed(1, "waiting", self.at, "bob", "", left=True))
        self.assertEqual(self.heard(), [(role("agent"), told), (member("alice"), told)])
        self.assertEqual((self.case().status, self.case().agent, len(self.case().steps)), ("waiting", "", 2))
        self.assertEqual((self.case(2).agent, self.case(2).steps[-1].act), ("bob", "closed"))

    def test_passing_on(self) -> None:
        """To an agent, or to the queue; by its agent, or an admin who is an agent, too."""
        self.support("alice")
        self.take()
        self.assertEqual(self.pass_on("dave", note="be nice").agent, "dave")
        self.refused(Conflict, "dave sees to ticket 1", cases.pass_on, 1, "bob", None, "", SESSION, at=self.at)
        self.refused(Conflict, "dave sees to ticket 1 already", cases.pass_on, 1, "dave", "dave", "", SESSION, at=self.at)
        self.refused(Conflict, "carol is no agent", cases.pass_on, 1, "dave", "carol", "", SESSION, at=self.at)
        self.refused(Forbidden, "alice's own", cases.pass_on, 1, "dave", "alice", "", SESSION, at=self.at)
        self.refused(NotFound, "no member nobody", cases.pass_on, 1, "dave", "nobody", "", SESSION, at=self.at)
        self.assertEqual(self.pass_on("bob", by="eve").agent, "bob")
        self.assertEqual(self.pass_on().state, "waiting")
        self.refused(Conflict, "take it first", cases.pass_on, 1, "eve", "dave", "", SESSION, at=self.at)
        self.assertEqual(
            [(step.act, step.by, step.to) for step in self.case().steps][1:],
            [
                ("passed", "bob", "dave"),
                ("passed", "eve", "bob"),
                ("passed", "bob", ""),
            ],
        )
        noted = self.ask(looking.noted, 1, "dave", limit=9, before=None).items
        self.assertEqual([line.text for line in noted], ["be nice"])

    def test_so_often(self) -> None:
        """What is passed on without end is closed in the end."""
        self.support("alice")
        self.take()
        step = self.case().steps[0]
        self.put(case_key(1), replace(self.case(), steps=(step,) * cases.MAX_STEPS))
        self.refused(LimitExceeded, "200 are allowed", cases.pass_on, 1, "bob", None, "", SESSION, at=self.at)
        self.close()

    def test_taken_however_often(self) -> None:
        """What waits can always be taken: it could not be closed otherwise, and its customer asks in it."""
        self.support("alice")
        self.take()
        step = self.case().steps[0]
        self.put(case_key(1), replace(self.case(), steps=(step,) * (cases.MAX_STEPS - 1)))
        self.pass_on(None)
        self.take()
        self.refused(LimitExceeded, "200 are allowed", cases.pass_on, 1, "bob", None, "", SESSION, at=self.at)
        self.close()

    def test_closed(self) -> None:
        """Nothing more is said, but agents may still note something."""
        self.support("alice")
        self.take()
        self.close()
        for rule, given in ((cases.reply, ("hello", SESSION)), (cases.pass_on, (None, "", SESSION)), (cases.take, (SESSION,))):
            self.refused(Conflict, "ticket 1 is closed", rule, 1, "bob", *given, at=self.at)
        self.refused(Conflict, "ticket 1 is closed", cases.pass_on, 1, "eve", None, "", SESSION, at=self.at)
        self.refused_ask(Conflict, "ticket 1 is closed", "alice", ticket=1)
        self.assertEqual(self.note(), 1)

    def test_ones_own(self) -> None:
        """An agent who asks is a customer, and nothing else."""
        self.support("bob")
        for rule, given in (
            (cases.take, (SESSION,)),
            (cases.note, ("a note", SESSION)),
            (cases.reply, ("hello", SESSION)),
            (cases.pass_on, (None, "", SESSION)),
        ):
            self.refused(Forbidden, "is your own", rule, 1, "bob", *given, at=self.at)
        self.assertRaises(Forbidden, self.ask, looking.noted, 1, "bob", limit=1, before=None)
        self.assertRaises(Forbidden, self.ask, tables.transcript, 1, "bob", notes=True)
        self.assertEqual(self.log("bob"), ["help"])

    def test_notes_about_an_agent(self) -> None:
        """How many there are is not told to the agent whom the case is about, nor is it by a table."""
        self.support("bob")
        self.note(by="dave")
        for by, count in (("dave", 1), ("bob", 0)):
            (case,) = self.ask(looking.all_cases, None, None, by=by, closed=False, limit=9, before=None).items
            (row,) = csv.DictReader(io.StringIO(self.ask(tables.cases_table, by=by, limit=9, before=None).text))
            self.assertEqual((case.notes, row["notes"]), (count, str(count)))

    def test_an_agents_case_without_its_agent(self) -> None:
        """Who sees to an agent's case hears its notes alone; nobody does who is an agent no more."""
        self.support("bob")
        self.do(cases.take, 1, "dave", SESSION, at=self.at)
        self.heard()
        self.do(cases.note, 1, "eve", "a note", SESSION, at=self.at)
        self.assertEqual([channel for channel, _ in self.heard()], [member("dave")])
        self.put("dave", replace(self.setting.get(Member, "dave"), roles=()))
        self.do(cases.note, 1, "eve", "another note", SESSION, at=self.at)
        self.assertEqual(self.heard(), [])

    def test_the_operator(self) -> None:
        """May do what agents may."""
        self.support("alice")
        self.take(OPERATOR)
        self.reply(by=OPERATOR)
        self.support("alice")
        self.assertEqual(self.case().agent, OPERATOR)

    def test_rating(self) -> None:
        """Once, when it is closed; who rates has read."""
        self.support("alice")
        self.take()
        self.reply()
        self.refused(Conflict, "not closed yet", cases.rate, 1, "alice", 5, "")
        self.close()
        self.do(cases.rate, 1, "alice", 2, "slow")
        self.assertEqual((self.case().stars, self.case().comment, self.case().read), (2, "slow", 2))
        self.refused(Conflict, "with 2 of 5 stars", cases.rate, 1, "alice", 5, "")

    def test_reading(self) -> None:
        self.support("alice")
        self.take()
        self.reply()
        self.reply()
        self.assertEqual(self.do(cases.mark, 1, "alice", 2), cases.Mark(1, 2, 1))
        self.refused(BadArgument, "the newest message is 3", cases.mark, 1, "alice", 4)
        self.support("alice")
        self.assertEqual(self.case().read, 4)


class HearingTests(AtTheDesk):
    """Customers and agents hear what concerns them, each session once; of notes no customer does."""

    def told(self) -> list[tuple[str, type]]:
        return [(channel, type(event.event)) for channel, event in self.heard() if isinstance(event, ToOthers)]

    def test_messages(self) -> None:
        self.heard()
        self.support("alice", "help")
        said = ToOthers(SESSION, events.Said(1, 1, self.at, "alice", "help", "waiting"))
        self.assertEqual(self.heard(), [(role("agent"), said), (member("alice"), said)])
        self.take()
        self.reply()
        both = [role("agent"), member("alice")]
        self.assertEqual(self.told(), [(each, events.Changed) for each in both] + [(each, events.Said) for each in both])

    def test_notes(self) -> None:
        self.support("alice")
        self.heard()
        self.note()
        self.assertEqual(self.told(), [(role("agent"), events.Noted)])

    def test_a_customer_who_is_an_agent(self) -> None:
        """Hears messages once, and notes of others not at all."""
        self.support("bob")
        self.assertEqual(self.told(), [(role("agent"), events.Said)])
        self.note(by="dave")
        self.assertEqual(self.told(), [])
        self.take("dave")
        self.note(by="eve")
        self.assertEqual(self.told(), [(role("agent"), events.Changed), (member("dave"), events.Noted)])
        self.pass_on("eve", by="dave", note="be nice")
        self.assertEqual(self.told(), [(member("eve"), events.Noted), (role("agent"), events.Changed)])

    def test_notes_are_nowhere(self) -> None:
        """In nothing that a customer can ask for; nor do the numbers tell that there are any."""
        self.support("alice")
        self.take()
        self.note("a secret")
        self.assertEqual(self.reply(), 2)
        self.close()
        self.note("a secret after it")
        shown = [
            self.ask(looking.shown, 1, "alice"),
            self.ask(looking.tickets, "alice", limit=9, before=None),
            self.ask(looking.said, 1, "alice", limit=9, before=None),
            self.ask(tables.transcript, 1, "alice", notes=False),
            self.ask(memory.remembered, "alice", "", 99),
            self.ask(looking.greeting, "alice"),
        ]
        self.assertNotIn("secret", repr(shown))
        self.assertNotIn("note", repr(shown[:4]))
        self.assertIn("secret after", self.ask(tables.transcript, 1, "dave", notes=True).text)

    def test_greetings(self) -> None:
        """Unread answers, also in closed cases; to agents, how many wait."""
        self.support("carol")
        self.pass_time(minutes=1)
        self.support("alice")
        self.assertEqual(self.ask(looking.greeting, "alice"), [])
        self.assertEqual(self.ask(looking.greeting, "bob"), [events.Queue(2, self.at - timedelta(minutes=1))])
        self.take(ticket=2)
        self.reply(ticket=2)
        self.close(ticket=2)
        self.assertEqual(self.ask(looking.greeting, "alice"), [events.Answers((events.Unread(2, 1),))])
        self.support("alice")
        self.take(ticket=3)
        self.reply(ticket=3)
        self.assertEqual(self.ask(looking.greeting, "alice"), [events.Answers((events.Unread(2, 1), events.Unread(3, 1)))])
        self.patch(looking, "RECENT", 1)
        self.assertEqual(self.ask(looking.greeting, "alice"), [events.Answers((events.Unread(3, 1),))])
        self.do(cases.mark, 3, "alice", None)
        self.assertEqual(self.ask(looking.greeting, "alice"), [])

    def test_as_people_read_it(self) -> None:
        """What there is one of, or more, or nothing."""
        self.assertEqual(events.Queue(1, self.at).text(), "1 case waits for an agent, since 2026-11-19 18:02 UTC.")
        unread = events.Answers((events.Unread(1, 2), events.Unread(3, 1)))
        self.assertEqual(unread.text(), "You have unread answers of the support desk: 2 in ticket 1, 1 in ticket 3.")
        self.assertEqual(events.Rated(1, "bob", 5, "").text(), "Ticket 1 of bob has 5 of 5 stars.")

    def test_places_in_the_queue(self) -> None:
        """By age, also for what was passed back."""
        for username in ("alice", "carol", "dave"):
            self.support(username)

        def places() -> list[int | None]:
            mine = [self.ask(looking.tickets, name, limit=1, before=None).items[0] for name in ("alice", "carol", "dave")]
            return [row.position for row in mine]

        self.assertEqual(places(), [1, 2, 3])
        self.take()
        self.assertEqual(places(), [None, 1, 2])
        self.assertEqual(self.ask(looking.shown, 3, "dave").position, 2)
        self.pass_on()
        self.assertEqual(places(), [1, 2, 3])
        self.assertEqual([row.ticket for row in self.ask(looking.queue, limit=9, after=None).items], [1, 2, 3])

    def test_a_long_queue(self) -> None:
        """Whoever asks for its end is not told how far behind that is: only the first cases are counted, and no others are looked at."""
        self.patch(looking, "MAX_POSITION", 2)
        for username in ("alice", "carol", "dave", "eve"):
            self.support(username)

        def listed(after: int | None, limit: int = 9) -> tuple[list[tuple[int, int | None]], bool]:
            found = self.ask(looking.queue, limit=limit, after=after)
            return [(row.ticket, row.position) for row in found.items], found.more

        self.assertEqual(listed(None, limit=3), ([(1, 1), (2, 2), (3, 3)], True))
        self.assertEqual(listed(1), ([(2, 2), (3, None), (4, None)], False))
        self.assertEqual(listed(2, limit=1), ([(3, None)], True))
        self.assertEqual(listed(4), ([], False))

    def test_lists(self) -> None:
        for username in ("alice", "carol", "dave"):
            self.support(username)
        self.take()
        self.take(ticket=2)
        self.close(ticket=2)

        def tickets(**given: Any) -> list[int]:
            wanted = {"customer": None, "agent": None, "closed": False, "limit": 9, "before": None} | given
            return [row.ticket for row in self.ask(looking.all_cases, **wanted).items]

        self.assertEqual(tickets(), [3, 1])
        self.assertEqual(tickets(closed=True), [3, 2, 1])
        self.assertEqual(tickets(closed=True, before=3, limit=1), [2])
        self.assertEqual(tickets(agent="bob"), [1])
        self.assertEqual((tickets(customer="carol"), tickets(customer="carol", closed=True)), ([], [2]))
        self.assertRaises(BadArgument, tickets, agent="bob", closed=True)
        self.assertRaises(BadArgument, tickets, agent="bob", customer="alice")

    def test_how_it_begins(self) -> None:
        """A list shows the first message of each case, cut where it is long."""
        self.support("alice", "x" * looking.SUBJECT_CHARACTERS)
        self.support("carol", "x" * (looking.SUBJECT_CHARACTERS + 1))
        subjects = [row.subject for row in self.ask(looking.queue, limit=9, after=None).items]
        self.assertEqual(subjects, ["x" * looking.SUBJECT_CHARACTERS, "x" * looking.SUBJECT_CHARACTERS + "..."])


class GivingTests(AtTheDesk):
    """What agents give and undo: in one commit with what shows it, within their limits."""

    def setUp(self) -> None:
        super().setUp()
        self.deposit("alice", "100")
        self.support("alice")
        self.take()
        self.heard()

    def give(self, units: str, by: str = "bob", currency: str = "USD") -> giving.Gave:
        given = (1, by, amount(units), CURRENCIES[currency], "sorry", ALLOWED, SESSION)
        return self.do(giving.give, *given, at=self.at, zone=UTC)

    def refused_give(self, refusal: Any, text: str, units: str, by: str = "bob", currency: str = "USD") -> None:
        given = (1, by, amount(units), CURRENCIES[currency], "sorry", ALLOWED, SESSION)
        self.refused(refusal, text, giving.give, *given, at=self.at, zone=UTC)
        self.assertEqual(self.heard(), [])

    def refund(self, transfer: int) -> giving.Refunded:
        return self.do(giving.refund, 1, "bob", transfer, "twice", ALLOWED, SESSION, at=self.at, zone=UTC)

    def refused_refund(self, refusal: Any, text: str, transfer: int) -> None:
        self.heard()
        self.refused(refusal, text, giving.refund, 1, "bob", transfer, "twice", ALLOWED, SESSION, at=self.at, zone=UTC)
        self.assertEqual(self.heard(), [])

    def test_give(self) -> None:
        """The house pays; the transfer names agent and ticket, the message has the receipt."""
        gave = self.give("12.50")
        self.assertEqual((gave.seq, gave.amount, gave.left, self.balance("alice")), (2, "12.50", "87.50", "112.50"))
        transfer = self.setting.get(Transfer, transfer_key(gave.transfer))
        self.assertEqual((transfer.kind, transfer.by, transfer.reference), ("goodwill", "bob", "ticket/1"))
        house = transfer.entries[0].account
        self.assertEqual(self.setting.get(Account, house).owner, "@support")
        (said,) = {event.event for _, event in self.heard() if isinstance(event, ToOthers)}
        self.assertEqual((said.receipt.transfer, said.receipt.from_, said.receipt.to), (gave.transfer, "@support", "alice"))
        self.assertEqual(self.log("alice"), ["help", f"paid alice 12.50 USD (transfer {gave.transfer}): sorry"])

    def test_limits(self) -> None:
        """At once and in a day, of each agent and in each currency."""
        self.refused_give(LimitExceeded, "up to 50.00 USD at once; this is 50.01 USD", "50.01")
        self.give("50")
        self.assertEqual(self.give("49.99").left, "0.01")
        self.heard()
        self.refused_give(LimitExceeded, "99.99 USD of 100.00 USD for a day", "0.02")
        self.open("alice", "hours", "HOURS")
        self.assertEqual(self.give("4", currency="HOURS").left, "4.0")
        self.assertEqual(self.setting.get(Given, "bob").units, {"USD": 9999, "HOURS": 40})
        self.open("alice", "gold", "GOLD")
        self.heard()
        self.refused_give(LimitExceeded, "up to 0.000000 GOLD at once", "1", currency="GOLD")
        self.pass_on("dave")
        self.heard()
        self.refused_give(Conflict, "dave sees to ticket 1", "1")
        self.assertEqual(self.give("50", by="dave").left, "50.00")
        self.pass_on("bob", by="dave")
        self.pass_time(days=1)
        self.assertEqual(self.give("50").left, "50.00")

    def test_allowance(self) -> None:
        self.give("12.50")
        rows = {row.currency: row for row in self.ask(giving.allowance_of, "bob", ALLOWED, CURRENCIES, self.at.date()).items}
        self.assertEqual((rows["USD"].act, rows["USD"].day, rows["USD"].given), ("50.00", "100.00", "12.50"))
        self.assertEqual((rows["GOLD"].act, rows["GOLD"].day), ("0.000000", "0.000000"))
        tomorrow = self.ask(giving.allowance_of, "bob", ALLOWED, CURRENCIES, self.at.date() + timedelta(days=1)).items
        self.assertEqual({row.given.strip(".0") for row in tomorrow}, {""})

    def test_refund(self) -> None:
        """It counts as given, and is had once."""
        paid = self.pay("alice", "carol", "30")
        undone = self.refund(paid.transfer)
        self.assertEqual((undone.of, undone.amount, undone.left), (paid.transfer, "30.00", "70.00"))
        self.assertEqual((self.balance("alice"), self.balance("carol")), ("100.00", "0.00"))
        self.assertEqual(self.setting.get(Transfer, transfer_key(undone.transfer)).by, "bob")
        self.refused_refund(Conflict, "undone already", paid.transfer)

    def test_what_watchers_are_told(self) -> None:
        """Of what is given, and of what is undone."""
        told: set[str] = set()
        self.do(set_watched, "alice", True)
        paid = self.pay("alice", "carol", "30").transfer
        given = {"at": self.at, "zone": UTC, "watchers": (noting(told),)}
        self.do(giving.give, 1, "bob", amount("5"), USD, "sorry", ALLOWED, SESSION, **given)
        self.do(giving.refund, 1, "bob", paid, "twice", ALLOWED, SESSION, **given)
        self.assertEqual(told, {"goodwill 500 from @support to alice", "reversal 3000 from carol to alice"})

    def test_what_belongs_to_a_service(self) -> None:
        """It is given back by that service alone, as to treasurers."""

        def swap(tx: Any) -> int:
            paying = movement.paying(tx, "alice", "carol", amount("3"), None)
            return movement.spend(tx, paying, "transfer", "", at=self.at, zone=UTC, reference="swap/1").transfer

        given = (1, "bob", self.do(swap), "", ALLOWED, SESSION)
        self.refused(Conflict, "belongs to swap 1", giving.refund, *given, at=self.at, zone=UTC, own=("swap/",))

    def test_what_cannot_be_undone(self) -> None:
        """What others have paid, what was paid to the agent, what came in or went out, what gave something back, what paid an order."""
        self.deposit("carol", "50")
        theirs = self.pay("carol", "alice", "10").transfer
        self.refused_refund(NotFound, "alice has made no payment", theirs)
        self.refused_refund(NotFound, "alice has made no payment 99", 99)
        given_back = self.do(reversal.reverse, theirs, "", "treasurer", at=self.at, zone=UTC).transfer
        self.refused_refund(Conflict, "is a reversal", given_back)
        self.refused_refund(Forbidden, "was paid to you", self.pay("alice", "bob", "1").transfer)
        self.refused_refund(Conflict, "is a withdrawal", self.withdraw("alice", "10").transfer)
        undone = self.refund(self.pay("alice", "carol", "5").transfer).transfer
        self.refused_refund(NotFound, "no payment", undone)
        self.refused_refund(Conflict, "paid order 41", self.paid_order("20"))
        self.refused_refund(LimitExceeded, "at once", self.pay("alice", "carol", "60").transfer)

    def paid_order(self, units: str) -> int:
        def pay(tx: Any) -> int:
            paying = movement.paying(tx, "alice", "carol", amount(units), None)
            return movement.spend(tx, paying, "order", "", at=self.at, zone=UTC, reference="order/41").transfer

        return self.do(pay)

    def test_gone(self) -> None:
        """Who has the money no more gives none back; then nothing is shown and nothing counts."""
        paid = self.pay("alice", "carol", "30")
        self.pay("carol", "bob", "30")
        self.refused_refund(InsufficientFunds, "carol has less than the 30.00 USD", paid.transfer)
        self.assertEqual((self.case().seq, self.setting.get(Given, "bob")), (1, None))

    def test_a_customer_without_an_account(self) -> None:
        self.refused_give(NotFound, "alice has no account in HOURS", "1", currency="HOURS")
        self.assertEqual(self.ask(first_account, "alice"), self.alice)


class CannedTests(AtTheDesk):
    """Replies that are ready, filled with what is known."""

    def setUp(self) -> None:
        super().setUp()
        self.put("alice", Member(1, name="{agent} Liddell"))
        self.support("alice")
        self.take()

    def keep(self, text: str, name: str = "hi") -> None:
        self.do(canned.put_canned, name, canned.text(text), "bob", at=self.at)

    def use(self, name: str = "hi", order: int | None = None, characters: int = 100) -> str:
        self.do(canned.use, 1, "bob", name, order, SESSION, orders=[orders], characters=characters, at=self.at)
        return self.log("alice")[-1]

    def refused_use(self, refusal: Any, text: str, order: int | None = None, characters: int = 100, known: Any = (orders,)) -> None:
        given = {"orders": known, "characters": characters, "at": self.at}
        self.refused(refusal, text, canned.use, 1, "bob", "hi", order, SESSION, **given)

    def test_filled(self) -> None:
        """Once: what is filled in is not filled in itself. Other braces stay."""
        self.keep("{name} ({username}), ticket {ticket}, {agent} {} {0} {Name}")
        self.assertEqual(self.use(), "{agent} Liddell (alice), ticket 1, bob {} {0} {Name}")

    def test_orders(self) -> None:
        """The one that the case is about, or one that is named; the customer's alone."""
        self.keep("Order {order} of {order_total} is {order_status}.")
        self.refused_use(Conflict, "the case is about no order")
        self.assertEqual(self.use(order=42), "Order 42 of 12.50 USD is late.")
        self.refused_use(NotFound, "alice has no order 43", order=43)
        self.refused_use(NotFound, "alice has no order 42", order=42, known=())
        self.put(case_key(1), replace(self.case(), order=41))
        self.put(case_key(41), CaseOfOrder(1))
        self.assertEqual(self.use(), "Order 41 of 12.50 USD is late.")
        self.keep("{order_colour}")
        self.refused_use(Conflict, "{order_colour} is not known of order")

    def test_words(self) -> None:
        """What cannot be filled in is not kept."""
        self.assertIn("{mr} is not known", str(self.assertRaises(BadArgument, canned.text, "Dear {mr}")))

    def test_too_long(self) -> None:
        self.keep("{name}")
        self.refused_use(LimitExceeded, "15 characters; 14 are allowed", characters=14)
        self.assertEqual(self.use(characters=15), "{agent} Liddell")

    def test_so_many(self) -> None:
        self.put("canned", Shelf(canned.MAX_CANNED - 1))
        self.keep("one")
        self.refused(LimitExceeded, "200 are allowed", canned.put_canned, "other", "text", "bob", at=self.at)
        self.keep("two")
        self.assertEqual([row.text for row in self.ask(canned.listed).items], ["two"])
        self.do(canned.put_canned, "hi", " ", "bob", at=self.at)
        self.assertEqual(self.kept(Canned), [])
        self.assertEqual(self.setting.get(Shelf, "canned"), Shelf(canned.MAX_CANNED - 1))
        self.refused(NotFound, "no canned reply hi", canned.put_canned, "hi", "", "bob", at=self.at)
        self.refused_use(NotFound, "no canned reply hi")


class TableTests(AtTheDesk):
    """Cases for other programs."""

    def test_transcript(self) -> None:
        """In the order of time, and within a moment of what came after what; further lines are indented."""
        self.support("alice", "help\n2026-11-19 18:02 UTC  bob: here is money", order=41)
        self.take()
        self.reply("hello")
        self.close()
        self.do(cases.rate, 1, "alice", 5, "")
        lines = self.ask(tables.transcript, 1, "bob", notes=False).text.split("\n")
        at = "2026-11-19 18:02 UTC"
        self.assertEqual(
            lines,
            [
                f"Ticket 1 of alice, opened {at}, about order 41",
                f"{at}  alice: help",
                f"    {at}  bob: here is money",
                f"{at}  -- taken by bob",
                f"{at}  bob: hello",
                f"{at}  -- closed by bob",
                "Rated 5 of 5",
                "",
            ],
        )

    def test_steps_of_one_moment(self) -> None:
        """They stand in the order in which they were done; a clock that was set back stands still for long."""
        self.support("alice")
        self.take()
        self.pass_on("dave")
        self.pass_on(by="dave")
        self.take()
        self.close()
        steps = [line.partition("-- ")[2] for line in self.ask(tables.transcript, 1, "alice", notes=False).text.split("\n")[2:-1]]
        self.assertEqual(steps, ["taken by bob", "passed to dave by bob", "passed to the queue by dave", "taken by bob", "closed by bob"])

    def test_first_answer(self) -> None:
        """It is told however much the customer had said before; what others say after it is none."""
        for _ in range(tables.LOOKED_AT + 1):
            self.support("alice")
        self.take()
        for _ in range(2):
            self.at += timedelta(minutes=5)
            self.reply()
        (row,) = csv.DictReader(io.StringIO(self.ask(tables.cases_table, limit=1, before=None).text))
        self.assertEqual((row["first_answer"], row["messages"]), ("2026-11-19T18:07:00Z", "23"))

    def test_first_answer_of_older_cases(self) -> None:
        """Those that do not tell it are looked through, as far as their first messages go."""
        for _ in range(2):
            self.support("alice")
        self.take()
        self.at += timedelta(minutes=5)
        self.reply()
        self.put(case_key(1), replace(self.case(), answered=None))
        for looked_at, expected in ((2, ""), (3, "2026-11-19T18:07:00Z"), (4, "2026-11-19T18:07:00Z")):
            self.patch(tables, "LOOKED_AT", looked_at)
            (row,) = csv.DictReader(io.StringIO(self.ask(tables.cases_table, limit=1, before=None).text))
            self.assertEqual(row["first_answer"], expected)

    def test_csv(self) -> None:
        """A comment is no formula; older cases are on the next page."""
        for username in ("alice", "carol"):
            self.support(username)
        self.take()
        self.close()
        self.do(cases.rate, 1, "alice", 1, '\n=HYPERLINK("x")')
        first = self.ask(tables.cases_table, limit=1, before=None)
        self.assertEqual((first.text.split("\n")[1].split(",")[:3], first.more), (["2", "waiting", "carol"], True))
        second = self.ask(tables.cases_table, limit=1, before=2)
        self.assertTrue(second.text.endswith(',1,"\n\'=HYPERLINK(""x"")"\n'), second.text)
        self.assertFalse(second.more)


class KeepingTests(AtTheDesk):
    """What is kept, for how long, and what is left of an erased member."""

    def fill(self, ticket: int = 1, count: int = retention.AT_ONCE) -> None:
        """A case with many messages and notes."""
        for number in range(count):
            self.do(cases.reply, ticket, "bob", f"answer {number}", SESSION, at=self.at)
            self.do(cases.note, ticket, "bob", f"note {number}", SESSION, at=self.at)

    def left(self) -> list[str]:
        return [key for key, _ in self.kept(Message)]

    def test_retention(self) -> None:
        """Some at a time, all in the end; nothing of others."""
        self.support("alice")
        self.support("carol")
        self.take()
        self.fill()
        self.close(days=10)
        ((due, _),) = self.ask(everything, Due)
        self.assertTrue(due.startswith("2026-11-29T18:02"))
        what, steps = case_key(1), 0
        while what:
            self.do(retention.forget, what, at=self.at + timedelta(days=10))
            steps += 1
            again = [key for key, _ in self.ask(everything, Due) if key != due]
            what = again[0].split(" ", 2)[2] if again else ""
            self.do(lambda tx, keys: [tx.delete(Due, key) for key in keys], again)
        self.assertEqual((steps, self.left()), (3, ["!2/000000000001"]))
        self.assertIsNone(self.setting.get(Case, case_key(1)))
        self.do(retention.forget, case_key(1), at=self.at)

    def test_for_ever(self) -> None:
        self.support("alice")
        self.take()
        self.close(days=None)
        self.assertEqual(self.ask(everything, Due), [])
        self.assertIsNone(retention.keep_of({"case_days": 0}))

    def test_remembered(self) -> None:
        """A page at a time, each thing once: cases of one's own, and what one said anywhere."""
        self.support("alice", order=41)
        self.support("alice", order=42)
        self.support("bob")
        self.take()
        self.reply("hello")
        self.note("a note")
        whole = self.ask(memory.remembered, "alice", "", 99)
        self.assertEqual([each.kind for each in whole], ["case", "case", "message", "message"])
        self.assertEqual([each.values["ticket"] for each in whole], [1, 2, 1, 2])
        self.assertEqual(whole[-1].values, {"ticket": 2, "seq": 1, "at": self.at, "text": "help"})
        self.assertEqual([each.values["text"] for each in self.ask(memory.remembered, "bob", "", 99)[1:]], ["a note", "hello", "help"])
        for username in ("alice", "bob"):
            self.assertEqual(self.pages(memory.remembered, username, 1), self.pages(memory.remembered, username, 99))

    def test_a_customer_is_forgotten(self) -> None:
        """Their cases go whole, open ones too; what others have stays."""
        self.support("alice", order=41)
        self.take()
        self.fill()
        self.support("carol", "carol's")
        self.do(memory.refuse_to_forget, "alice")
        self.assertGreater(self.forget("alice"), 3)
        self.assertEqual([key for key, _ in self.kept(Case)], [case_key(2)])
        self.assertEqual(self.left(), ["!2/000000000001"])
        self.forget("alice")

    def test_a_customer_is_forgotten_while_a_case_goes(self) -> None:
        """What is gone of one case is not passed over in the next one, should the days of the first end in the middle of it."""
        for ticket in (1, 2):
            self.support("alice")
            self.take(ticket=ticket)
            self.fill(ticket)
            self.close(ticket=ticket)
        after = self.do(memory.forget, "alice", "")
        for what in (case_key(1), f"{case_key(1)} {retention.AT_ONCE}", f"{case_key(1)} {2 * retention.AT_ONCE}"):
            self.do(retention.forget, what, at=self.at)
        while after is not None:
            after = self.do(memory.forget, "alice", after)
        self.assertEqual((self.kept(Case), self.left()), ([], []))

    def test_an_agent_is_forgotten(self) -> None:
        """What they wrote is blank; the cases are there."""
        self.support("alice", "alice's")
        self.take()
        self.fill()
        self.give()
        self.forget("bob")
        texts = {message.text for _, message in self.kept(Message)}
        self.assertEqual(texts, {"", "alice's"})
        self.assertEqual((self.case().agent, self.setting.get(Given, "bob")), ("bob", None))

    def give(self) -> None:
        self.do(giving.give, 1, "bob", amount("1"), USD, "", ALLOWED, SESSION, at=self.at, zone=UTC)

    def forget(self, username: str) -> int:
        return self.forget_all(memory.forget, username)
