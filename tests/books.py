"""
Many members at one hub, who do whatever comes into their heads, while the power fails now and then; and books that have to add up.

C{python -m tests.books 100000} plays so many commands and tells what the books say; a seed may follow. The tests play some thousands.

All that writes has a key. What was not answered when the power failed is asked again with it, so in the end everything has an answer, and
what the answers say has to be what is in the books: no more and no less.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any, NamedTuple, Protocol

from securehub.services.ledger.holds import Hold
from securehub.services.ledger.records import Account, Entry, Transfer, transfer_key
from securehub.store.journal import JournalStore
from securehub.store.transaction import ReadTransaction
from tests.store.setting import at_once
from tests.world import Client, World

MEMBERS = 16
CURRENCIES = ("USD", "JPY", "HOURS")
AT_ONCE = 8
"""Commands that are on their way together, each on a connection of its own or behind others."""

REMEMBERED = 50
"""How many of each kind (transfers, holds, requests, schedules) the members come back to."""

TREASURER = "operator"


class Asked(NamedTuple):
    """A command that has no answer yet."""

    who: str
    method: str
    params: dict[str, Any]


Choices = Mapping[Callable[[Any], "Saying"], int]


class Part(Protocol):
    """
    What members do at a play besides moving money, and what has to be so because of it.

    @ivar choices: the commands, with how often each comes into somebody's head.
    """

    choices: Choices

    def begin(self) -> None:
        """All members are there."""

    def heard(self, asked: Asked, result: Mapping[str, Any]) -> None:
        """Something was done."""

    def check(self, tx: ReadTransaction) -> None:
        """
        @raise AssertionError: something is not as it has to be.
        """


KINDS = ("transfer", "hold", "request", "schedule")
MAKERS = ("ledger.transfer", "ledger.deposit", "ledger.withdraw", "ledger.hold", "ledger.request", "ledger.schedule")
"""What the members come back to is made by these."""

ANSWERER: dict[str, Any] = {"hold": lambda asked: asked.params.get("to"), "request": lambda asked: asked.params.get("from")}
"""Who may do something about what was made, where that is not who made it."""


class Play:
    """
    One play.

    @param world: where it is played.
    @param members: how many play.
    @param make_parts: what they do besides moving money.

    @ivar asked: commands without an answer, by number.
    @ivar outcomes: how often each method was answered with what: C{ok}, or the code of a refusal.
    @ivar cash: what the answers say that came in from outside, by currency.
    @ivar makers: who made each of what the members come back to.
    @ivar answerers: who may do something about a hold, a request or a schedule.
    @ivar seen: transfers by number, which were answered and so have to be there for ever.
    """

    def __init__(
        self, seed: int, world: World | None = None, members: int = MEMBERS, make_parts: Sequence[Callable[[Play], Part]] = ()
    ) -> None:
        self.chance = Random(seed)
        self.world = world or World(make_store=JournalStore, seed=seed)
        self.names = [f"member{place:02d}" for place in range(members)]
        self.clients: dict[str, Client] = {}
        self.numbers = 0
        self.asked: dict[int, Asked] = {}
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.cash: Counter[str] = Counter()
        self.moved_cash: dict[int, tuple[str, Decimal]] = {}
        self.seen: set[int] = set()
        self.accounts: dict[str, list[str]] = {}
        self.makers: dict[tuple[str, int], str] = {}
        self.answerers: dict[tuple[str, int], str] = {}
        self.known: dict[str, list[int]] = {}
        self.crashes = 0
        self.parts = [make(self) for make in make_parts]
        self.choices = CHOICES | {command: weight for part in self.parts for command, weight in part.choices.items()}
        self._begin()

    def play(self, count: int) -> None:
        """Let members make so many commands."""
        self.done = 0
        while self.done < count:
            size = min(AT_ONCE, count - self.done)
            for _ in range(size):
                who, method, params = self.think()
                self.ask(who, method, **params)
            self.done += size
            fate = self.chance.random()
            if fate < 0.01:
                self._crash()
            elif fate < 0.012:
                self._restart(crash=False)
            elif fate < 0.2:
                self.world.elapse(self.chance.choice((1, 60, 3600, 6 * 3600)))
            self.listen()
        self.check()

    def think(self, choices: Choices | None = None) -> Saying:
        """
        What comes into somebody's head.

        @param choices: out of which; all if none are given.
        """
        commands, weights = zip(*(choices or self.choices).items(), strict=True)
        saying: Saying = self.chance.choices(commands, weights)[0](self)
        return saying

    def sums(self) -> dict[str, str]:
        """What C{ledger.trial_balance} says."""
        answer = self.clients[TREASURER].call("ledger.trial_balance")
        return {row["currency"]: row["sum"] for row in answer["result"]["items"]}

    # What is said

    def _begin(self) -> None:
        self.clients = {TREASURER: self.world.operator()}
        for name in self.names:
            self.clients[name] = self.world.member(name)
            self.accounts[name] = [self.clients[name].call("hub.whoami")["result"]["account"]]
            for currency in CURRENCIES[1:]:
                opened = self.clients[name].call("ledger.open", name=currency, currency=currency)
                self.accounts[name].append(opened["result"]["account"])
            self.ask(TREASURER, "ledger.deposit", to=name, amount="500")
        self.listen()
        for part in self.parts:
            part.begin()

    def remember(self, kind: str, number: int, maker: str, answerer: str) -> None:
        """Members may come back to it."""
        numbers = self.known.setdefault(kind, [])
        numbers.append(number)
        del numbers[:-REMEMBERED]
        self.makers[kind, number] = maker
        self.answerers[kind, number] = answerer

    def ask(self, who: str, method: str, /, **params: Any) -> None:
        self.numbers += 1
        named = {name.rstrip("_"): value for name, value in params.items()} | {"key": f"k{self.numbers}"}
        self.asked[self.numbers] = Asked(who, method, named)
        self._send(self.numbers)

    def _send(self, number: int) -> None:
        who, method, params = self.asked[number]
        self.clients[who].send(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}))

    def listen(self) -> None:
        """Wait for the answers, and ask again for those that were lost."""
        self.world.settle()
        self._hear()
        assert not self.asked, self.asked

    def _hear(self) -> None:
        for client in self.clients.values():
            for line in client.received():
                answer = json.loads(line) if line.startswith("{") else {}
                if "id" in answer:
                    self._heard(self.asked.pop(answer["id"]), answer)

    def _heard(self, asked: Asked, answer: dict[str, Any]) -> None:
        result = answer.get("result")
        if result is None:
            code = answer["error"]["data"]["code"]
            assert code not in ("internal", "unavailable", "key-reused"), answer
            self.outcomes[asked.method, code] += 1
            return
        self.outcomes[asked.method, "ok"] += 1
        if result.get("try"):
            return
        for kind in KINDS:
            if kind in result and asked.method in MAKERS:
                self.remember(kind, result[kind], asked.who, ANSWERER.get(kind, lambda asked: asked.who)(asked))
        transfers = [row["transfer"] for row in (*result.get("payments", ()), result) if row.get("transfer") is not None]
        assert not self.seen.intersection(transfers), "two answers have one transfer"
        self.seen.update(transfers)
        self._count_cash(asked, result)
        for part in self.parts:
            part.heard(asked, result)

    def _count_cash(self, asked: Asked, result: dict[str, Any]) -> None:
        if asked.method in ("ledger.deposit", "ledger.withdraw"):
            sign = 1 if asked.method == "ledger.deposit" else -1
            moved = result["currency"], sign * Decimal(result["amount"])
        elif asked.method == "ledger.reverse" and result["of"] in self.moved_cash:
            currency, amount = self.moved_cash[result["of"]]
            moved = currency, -amount
        else:
            return
        self.moved_cash[result["transfer"]] = moved
        self.cash[moved[0]] += int(moved[1] * 100)

    # What happens

    def _crash(self) -> None:
        """The power fails while the disk is at work; what had no answer, or none that arrived, is asked again."""
        self.world.disk_waits = True
        self.world.time.advance(0)
        for _ in range(self.chance.randrange(3)):
            if self.world.worker.jobs:
                self.world.worker.step()
                self.world.time.advance(0)
        for client in self.clients.values():
            if self.chance.random() < 0.5:
                # Its answers were on their way.
                client.received()
        self._hear()
        self.world.disk_waits = False
        self._restart(crash=True)

    def _restart(self, *, crash: bool) -> None:
        self.crashes += crash
        if not crash:
            self.listen()
        self.world.restart(crash=crash)
        self.clients = {TREASURER: self.world.operator()}
        for name in self.names:
            self.clients[name] = self.world.back(name)
        for number in self.asked:
            self._send(number)
        self.listen()
        self.check()

    # What has to be so

    def check(self) -> None:
        """The sums are zero; what was answered is there, and nothing else came in from outside; each account is right in itself."""
        assert set(self.sums().values()) <= {"0.00", "0"}, self.sums()
        at_once(self.world.hub.store.read(self._check))

    def _check(self, tx: ReadTransaction) -> None:
        accounts = dict(tx.scan(Account))
        for number in self.seen:
            assert tx.get(Transfer, transfer_key(number)) is not None, f"transfer {number} was answered, and is not there"
        for currency in CURRENCIES:
            outside = [account for account in accounts.values() if account.owner == "@cash" and account.currency == currency]
            units = sum(account.balance * 10 ** (2 - account.digits) for account in outside)
            assert -units == self.cash[currency], (currency, units, self.cash[currency])
        for number, account in accounts.items():
            if account.floor is not None:
                _check_account(tx, number, account)
        for part in self.parts:
            part.check(tx)


def _check_account(tx: ReadTransaction, number: str, account: Account) -> None:
    entries = [_own(transfer, number) for _, transfer in tx.beneath(Transfer, number)]
    assert [entry.number for entry in entries] == list(range(1, account.entries + 1)), number
    total = 0
    for entry in entries:
        total += entry.units
        assert entry.balance == total, (number, entry)
    assert account.balance == total, (number, account)
    held = sum(hold.units for _, hold in tx.beneath(Hold, number) if hold.source == number)
    assert account.held == held, (number, account, held)


def _own(transfer: Transfer, number: str) -> Entry:
    assert sum(entry.units for entry in transfer.entries) == 0, transfer
    (own,) = [entry for entry in transfer.entries if entry.account == number]
    return own


# What comes into members' heads


class Saying(NamedTuple):
    """Who says what."""

    who: str
    method: str
    params: dict[str, Any]


def say(play: Play, who: str, method: str, **params: Any) -> Saying:
    """Some commands are only tried."""
    if play.chance.random() < 0.05:
        params["try"] = True
    return Saying(who, method, params)


def someone(play: Play) -> str:
    return play.chance.choice(play.names)


def some_account(play: Play) -> str:
    return play.chance.choice(play.accounts[someone(play)])


def amount(play: Play) -> str:
    return play.chance.choice(("0.01", "1", "2.50", "7.2", "40", "400", "3", "0.001"))


def latest(play: Play, kind: str) -> int:
    """One that was made lately, mostly."""
    return play.chance.choice(play.known.get(kind) or [1])


def answerer(play: Play, kind: str, number: int) -> str:
    """Who may do something about it, mostly."""
    return play.answerers.get((kind, number), TREASURER) if play.chance.random() < 0.8 else someone(play)


def transfer(play: Play) -> Saying:
    return say(play, someone(play), "ledger.transfer", to=someone(play), amount=amount(play))


def transfer_between(play: Play) -> Saying:
    """From any account to any, in one currency mostly."""
    payer, place = someone(play), play.chance.randrange(len(CURRENCIES))
    to = play.accounts[someone(play)][place] if play.chance.random() < 0.9 else some_account(play)
    return say(play, payer, "ledger.transfer", to=to, amount=amount(play), from_=play.accounts[payer][place])


def deposit(play: Play) -> Saying:
    return say(play, TREASURER, "ledger.deposit", to=some_account(play), amount=amount(play))


def withdraw(play: Play) -> Saying:
    return say(play, TREASURER, "ledger.withdraw", from_=some_account(play), amount=amount(play))


def reverse(play: Play) -> Saying:
    return say(play, TREASURER, "ledger.reverse", transfer=latest(play, "transfer"), reason="a mistake")


def hold(play: Play) -> Saying:
    expires = play.chance.choice(("30s", "1h", "1d", None))
    return say(play, someone(play), "ledger.hold", to=someone(play), amount=amount(play), expires=expires)


def capture(play: Play) -> Saying:
    number, part = latest(play, "hold"), play.chance.choice((None, "1", "0.01"))
    return say(play, answerer(play, "hold", number), "ledger.capture", hold=number, amount=part)


def release(play: Play) -> Saying:
    number = latest(play, "hold")
    return Saying(answerer(play, "hold", number), "ledger.release", {"hold": number})


def request(play: Play) -> Saying:
    expires = play.chance.choice(("30s", "1h", None))
    return Saying(someone(play), "ledger.request", {"from": someone(play), "amount": amount(play), "expires": expires})


def accept(play: Play) -> Saying:
    number = latest(play, "request")
    return say(play, answerer(play, "request", number), "ledger.accept", request=number)


def refuse(play: Play) -> Saying:
    number = latest(play, "request")
    return Saying(answerer(play, "request", number), "ledger.refuse", {"request": number})


def recall(play: Play) -> Saying:
    number = latest(play, "request")
    return Saying(play.makers.get(("request", number), TREASURER), "ledger.recall", {"request": number})


def pay_many(play: Play) -> Saying:
    payments = [{"to": someone(play), "amount": amount(play)} for _ in range(play.chance.randint(1, 5))]
    return say(play, someone(play), "ledger.pay_many", payments=payments)


def schedule(play: Play) -> Saying:
    start = (play.world.now() + timedelta(days=play.chance.randrange(3))).date().isoformat()
    every = play.chance.choice(("once", "daily", "weekly", "monthly"))
    return Saying(someone(play), "ledger.schedule", {"to": someone(play), "amount": amount(play), "every": every, "start": start})


def unschedule(play: Play) -> Saying:
    number = latest(play, "schedule")
    return Saying(answerer(play, "schedule", number), "ledger.unschedule", {"schedule": number})


def set_limits(play: Play) -> Saying:
    name = play.chance.choice(("credit", "ceiling", "payment", "day"))
    bound = play.chance.choice(("none", "none", 100, 1000))
    return Saying(TREASURER, "ledger.set_limits", {"account": some_account(play), name: bound})


def set_role_limits(play: Play) -> Saying:
    bound = play.chance.choice(("none", 300, 1000))
    params = {"role": "member", "currency": play.chance.choice(CURRENCIES), "day": bound}
    return Saying(TREASURER, "ledger.set_role_limits", params)


def budget_rule(play: Play) -> Saying:
    """So some payments enter budgets, in the same transaction."""
    bucket = play.chance.choice(("wants", "income", "ignore"))
    return Saying(someone(play), "budget.rule_add", {"bucket": bucket, "payee": someone(play)})


CHOICES: dict[Callable[[Any], Saying], int] = {
    transfer: 20,
    transfer_between: 20,
    deposit: 8,
    withdraw: 5,
    reverse: 4,
    hold: 8,
    capture: 8,
    release: 3,
    request: 5,
    accept: 8,
    refuse: 1,
    recall: 1,
    pay_many: 5,
    schedule: 2,
    unschedule: 2,
    set_limits: 1,
    set_role_limits: 1,
    budget_rule: 1,
}


def main(*make_parts: Callable[[Play], Part]) -> None:
    """Play as many commands as the command line says, and tell what came of them."""
    count, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    began = time.monotonic()
    play = Play(seed, make_parts=make_parts)
    play.play(count)
    print(f"{play.done} commands of {MEMBERS} members, {play.crashes} crashes, in {time.monotonic() - began:.0f} s.")
    for method in sorted({method for method, _ in play.outcomes}):
        told = ", ".join(f"{code} {times}" for (each, code), times in sorted(play.outcomes.items()) if each == method)
        print(f"  {method}: {told}")
    for currency, total in play.sums().items():
        print(f"The sum over all accounts in {currency} is {total}.")


if __name__ == "__main__":
    main()
