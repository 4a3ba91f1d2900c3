"""
What a hub has promised, held against what its clients were told: nothing lost, nothing twice, nothing that nobody said.

The witness hears of every request before it is sent, of every answer, and of every event; it knows no sockets and no clock. A request is
known by its key, which is the first word of a message and the memo of a payment. So whatever is heard can be traced to who asked for it.

In contradiction to what was promised is a finding. It is noted and not raised: a soak goes on, and tells all of them at its end.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

OWN = "own message heard as an event"

EXAMPLES = 5
"""Findings of one kind that are told in words; the others are counted."""


class Findings:
    """What was found, by kind."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.examples: defaultdict[str, list[str]] = defaultdict(list)

    def note(self, kind: str, told: str) -> None:
        self.counts[kind] += 1
        if len(self.examples[kind]) < EXAMPLES:
            self.examples[kind].append(told)

    def lines(self) -> Iterable[str]:
        for kind, count in self.counts.most_common():
            yield f"{count:,} x {kind}"
            yield from (f"    {told}" for told in self.examples[kind])


@dataclass
class Message:
    """
    Something that somebody asked to say.

    @ivar asked: when, in seconds of the soak.
    @ivar connections: on which it was sent; more than one if it was asked again.
    @ivar seq: its number, once that is known.
    @ivar answered: whether it was acknowledged.
    """

    place: str
    by: str
    text: str
    asked: float
    connections: set[int] = field(default_factory=set)
    seq: int | None = None
    answered: bool = False


@dataclass
class Payment:
    """
    Money that somebody asked to move, in the currency's smallest units.

    @ivar asked: when, in seconds of the soak.
    @ivar order: whether it is an order, which is paid with it.
    @ivar number: of the transfer or the order, once it was acknowledged.
    """

    payer: str
    payee: str
    units: int
    asked: float
    order: bool = False
    number: int | None = None


def between(one: str, other: str) -> str:
    """The place of two members' direct messages."""
    return f"@{min(one, other)}@{max(one, other)}"


class Following:
    """
    What one connection has heard of one conversation, which it must hear without a gap.

    Its own messages it knows from their replies, and not as events. While it catches up with what was said before, it may hear them as
    well; when that is over is not told, but once an event has passed over an own message, it is.

    @param after: up to which number it knows the conversation; None if it comes in at any place.
    @param live: whether it has nothing to catch up with.
    """

    __slots__ = ("_first", "after", "live", "owed", "own")

    def __init__(self, after: int | None, *, live: bool) -> None:
        self.after = self._first = after
        self.live = live
        self.own: set[int] = set()
        self.owed: set[int] = set()

    def answered(self, seq: int) -> str:
        """
        A message of this connection has this number. The reply may come before the events of earlier messages.

        @return: what is wrong with it; empty if nothing is.
        """
        heard = self._first is not None and self.after is not None and self._first < seq <= self.after and seq not in self.owed
        self.own.add(seq)
        self.owed.discard(seq)
        return OWN if self.live and heard else ""

    def hear(self, seq: int) -> str:
        """
        Take an event.

        @return: what is wrong with it; empty if nothing is.
        """
        if self.after is None:
            self.after = seq
            self._first = seq - 1
            return ""
        if seq <= self.after:
            return "heard twice in one connection"
        passed = range(self.after + 1, seq)
        self.after = seq
        if passed:
            owed = set(passed) - self.own
            if len(owed) < len(passed):
                self.live = True
            self.owed |= owed
        return OWN if self.live and seq in self.own else ""

    def coming(self, newest: int) -> set[int]:
        """What may still come, if this is the newest message."""
        return set() if self.after is None else set(range(self.after + 1, newest + 1)) - self.own

    def missing(self, newest: int) -> set[int]:
        """What it has not heard, if nothing comes any more."""
        return self.owed | self.coming(newest)


class Ear:
    """
    What one connection is told, from its login to its end.

    @ivar since: when it was logged in, in seconds of the soak.
    @ivar following: by place.
    """

    def __init__(self, witness: Witness, number: int, username: str, since: float) -> None:
        self._witness = witness
        self._left: set[str] = set()
        self._transfers: set[int] = set()
        self.number = number
        self.username = username
        self.since = since
        self.following: dict[str, Following] = {}

    def follow(self, place: str, after: int | None, *, live: bool) -> None:
        """From now on it hears all that comes after this number."""
        self.stop(place)
        self._left.discard(place)
        if after is not None:
            self.following[place] = Following(after, live=live)

    def leave(self, place: str) -> None:
        """From now on it hears nothing there."""
        self.stop(place)
        self._left.add(place)

    def stop(self, place: str) -> None:
        """It follows this no more; what it had not heard then remains to be explained."""
        following = self.following.pop(place, None)
        if following is not None and following.owed:
            self._witness.owed.append((self.number, place, following.owed))

    def answered(self, place: str, seq: int) -> None:
        """A message of this connection has got this number."""
        following = self.following.get(place)
        if following is None:
            following = self.following[place] = Following(None, live=True)
        wrong = following.answered(seq)
        if wrong:
            self._witness.findings.note(wrong, f"{self}: {place} {seq}")

    def hear(self, place: str, seq: int, by: str, text: str) -> Message | None:
        """
        Take a message.

        @return: the request that it comes from, if there is one.
        """
        if place in self._left:
            self._witness.findings.note("heard in a room that was left", f"{self}: {place} {seq}")
        following = self.following.get(place)
        if following is None:
            following = self.following[place] = Following(None, live=True)
        wrong = following.hear(seq)
        if wrong:
            self._witness.findings.note(wrong, f"{self}: {place} {seq}, after {following.after}")
        return self._witness.show(place, seq, by, text)

    def receive(self, transfer: int, payer: str, units: int, memo: str) -> None:
        """Take the news of a payment."""
        if transfer in self._transfers:
            self._witness.findings.note("payment heard twice in one connection", f"{self}: transfer {transfer}")
        self._transfers.add(transfer)
        if not memo.startswith("order "):
            self._witness.show_payment(transfer, payer, self.username, units, memo)

    def close(self) -> None:
        """The connection is gone, in whatever way."""
        for place in list(self.following):
            self.stop(place)

    @property
    def behind(self) -> bool:
        """Whether messages are still to come."""
        return any(following.coming(self._witness.newest(place)) for place, following in self.following.items())

    def finish(self) -> None:
        """The connection has been told all that there is: what has it not heard?"""
        for place, following in self.following.items():
            missing = following.missing(self._witness.newest(place))
            if missing:
                self._witness.owed.append((self.number, place, missing))
        for payment in self._witness.received.get(self.username, ()):
            if payment.asked > self.since and payment.number is not None and payment.number not in self._transfers:
                self._witness.findings.note("payment not heard", f"{self}: transfer {payment.number}")

    def __str__(self) -> str:
        return f"{self.username} on connection {self.number}"


class Witness:
    """
    All that was asked for, and what came of it.

    @ivar owed: what a connection has not heard, by its number and place; nothing of it may be left but its own messages.
    @ivar received: the payments to a member, orders apart.
    """

    def __init__(self) -> None:
        self.findings = Findings()
        self.messages: dict[str, Message] = {}
        self.payments: dict[str, Payment] = {}
        self.owed: list[tuple[int, str, set[int]]] = []
        self.received: defaultdict[str, list[Payment]] = defaultdict(list)
        self._said: defaultdict[str, dict[int, str]] = defaultdict(dict)
        self._newest: Counter[str] = Counter()

    def ask(self, key: str, place: str, by: str, text: str, asked: float) -> None:
        """Somebody is about to say something."""
        self.messages[key] = Message(place, by, text, asked)

    def sent(self, key: str, connection: int) -> None:
        """A request was sent, be it for the first time or again."""
        message = self.messages.get(key)
        if message is not None:
            message.connections.add(connection)

    def said(self, key: str, seq: int) -> None:
        """A message was acknowledged."""
        message = self.messages[key]
        message.answered = True
        self._number(key, message, seq)

    def show(self, place: str, seq: int, by: str, text: str) -> Message | None:
        """Somebody was shown a message, as an event or in a history."""
        key = text.partition(" ")[0]
        message = self.messages.get(key)
        if message is None or message.place != place or message.by != by or message.text != text:
            self.findings.note("message that nobody said", f"{place} {seq}, from {by}: {text[:60]}")
            return None
        self._number(key, message, seq)
        return message

    def newest(self, place: str) -> int:
        """The number of the newest message of a place, as far as is known."""
        return self._newest[place]

    def pay(self, key: str, payment: Payment) -> None:
        """Somebody is about to pay or to order something."""
        self.payments[key] = payment
        if not payment.order:
            self.received[payment.payee].append(payment)

    def paid(self, key: str, number: int) -> None:
        """A payment or an order was acknowledged."""
        payment = self.payments[key]
        if payment.number not in (None, number):
            self.findings.note("key applied twice", f"{key}: {payment.number} and {number}")
        payment.number = number

    def show_payment(self, transfer: int, payer: str, payee: str, units: int, key: str) -> None:
        """Somebody was shown a payment."""
        payment = self.payments.get(key)
        if payment is None or (payment.payer, payment.payee, payment.units) != (payer, payee, units):
            self.findings.note("payment that nobody made", f"{transfer}: {units} from {payer} to {payee}, {key}")
        else:
            self.paid(key, transfer)

    def check_history(self, place: str, rows: Mapping[int, tuple[str, str]]) -> None:
        """
        All that a conversation has, as its history shows it at the end.

        @param rows: who said what, by number.
        """
        for seq, (by, text) in rows.items():
            self.show(place, seq, by, text)
        for seq in set(range(1, self.newest(place) + 1)) - set(rows):
            self.findings.note("message not in the history", f"{place} {seq}")

    def check_account(self, username: str, opening: int, closing: int, payments: Iterable[tuple[str, str, int, str]]) -> None:
        """
        An account, as its history shows it at the end.

        @param payments: payer, payee, units and memo of each transfer, those of orders and of the opening apart.
        """
        seen = Counter(key for _, _, _, key in payments)
        for key, count in seen.items():
            if count > 1:
                self.findings.note("key applied twice", f"{key}: {count} transfers")
        expected = opening
        for key, payment in self._payments_of(username):
            if payment.number is None:
                continue
            expected += (payment.payee == username) * payment.units - (payment.payer == username) * payment.units
            if not payment.order and key not in seen:
                self.findings.note("payment not in the history", f"{username}: {key}, transfer {payment.number}")
        if closing != expected:
            self.findings.note("wrong balance", f"{username}: {closing} where {expected} was to be expected")

    def check_orders(self, username: str, numbers: Iterable[int]) -> None:
        """The orders that a member has, at the end."""
        expected = Counter(payment.number for _, payment in self._payments_of(username) if payment.order and payment.payer == username)
        if Counter(numbers) != expected:
            self.findings.note("wrong orders", f"{username}: {sorted(numbers)} where {expected} were to be expected")

    def finish(self) -> None:
        """No more will come: whatever is not explained now is lost."""
        for connection, place, missing in self.owed:
            for seq in missing:
                message = self.messages.get(self._said[place].get(seq, ""))
                if message is None or connection not in message.connections:
                    self.findings.note("message not heard", f"{place} {seq} on connection {connection}")
        for key, message in self.messages.items():
            if not message.answered:
                self.findings.note("never answered", f"{key} in {message.place}")
            elif self._said[message.place].get(message.seq or 0) != key:
                self.findings.note("acknowledged and not there", f"{key}: {message.place} {message.seq}")
        for key, payment in self.payments.items():
            if payment.number is None:
                self.findings.note("never answered", f"{key}: {payment.units} from {payment.payer} to {payment.payee}")

    def _payments_of(self, username: str) -> list[tuple[str, Payment]]:
        if not hasattr(self, "_by_member"):
            self._by_member: defaultdict[str, list[tuple[str, Payment]]] = defaultdict(list)
            for key, payment in self.payments.items():
                for name in {payment.payer, payment.payee}:
                    self._by_member[name].append((key, payment))
        return self._by_member[username]

    def _number(self, key: str, message: Message, seq: int) -> None:
        if message.seq not in (None, seq):
            self.findings.note("key applied twice", f"{key}: {message.place} {message.seq} and {seq}")
        there = self._said[message.place].setdefault(seq, key)
        if there != key:
            self.findings.note("two messages with one number", f"{message.place} {seq}: {there} and {key}")
        message.seq = seq
        if seq > self._newest[message.place]:
            self._newest[message.place] = seq
