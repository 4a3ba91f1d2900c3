"""
What is there at the end of a soak, as the members see it: all histories, accounts and orders, read to their ends and held against what was
acknowledged.
"""

from collections.abc import Callable, Iterator
from typing import Any

from devices import Device, Member, Request, units
from witness import Witness, between

AT_ONCE = 50
PAGE = 1000


def inspect(witness: Witness, members: list[Member], opening: dict[str, int]) -> Callable[[], bool]:
    """
    Let members look through all that they have, a few at a time.

    @param opening: what each had at the beginning, in units.

    @return: tells whether they are done.
    """
    waiting = list(_checks(witness, members, opening))
    running = 0

    def over() -> None:
        nonlocal running
        running -= 1
        go_on()

    def go_on() -> None:
        nonlocal running
        while waiting and running < AT_ONCE:
            running += 1
            waiting.pop()(over)

    go_on()
    return lambda: not waiting and not running


def _checks(witness: Witness, members: list[Member], opening: dict[str, int]) -> Iterator[Callable[[Callable[[], None]], None]]:
    """What is to be looked at; each calls what it is given when it is done."""
    in_rooms: dict[str, Device] = {room: member.devices[0] for member in members for room in member.rooms}
    for room, device in in_rooms.items():
        yield lambda over, room=room, device=device: _check_history(witness, device, room, room, over)
    for member in members:
        friend, device = member.friends[1], member.devices[0]
        place = between(member.username, friend)
        yield lambda over, place=place, friend=friend, device=device: _check_history(witness, device, place, f"@{friend}", over)
        yield lambda over, device=device: _check_account(witness, opening[device.member.username], device, over)
        yield lambda over, device=device: _check_orders(witness, device, over)


def _pages(device: Device, method: str, params: dict[str, Any], number: str, done: Callable[[list[dict[str, Any]]], None]) -> None:
    """Ask for a list to its end."""
    rows: list[dict[str, Any]] = []

    def page(result: dict[str, Any], _: Request) -> None:
        rows.extend(result["items"])
        if result.get("more"):
            ask({"before": rows[-1][number]})
        else:
            done(rows)

    def ask(further: dict[str, Any]) -> None:
        device.ask(Request("check", method, params | {"limit": PAGE} | further, device.crowd.loop.now, page))

    ask({})


def _check_history(witness: Witness, device: Device, place: str, name: str, over: Callable[[], None]) -> None:
    def done(rows: list[dict[str, Any]]) -> None:
        witness.check_history(place, {row["seq"]: (row["from"], row["text"]) for row in rows})
        over()

    _pages(device, "chat.log", {"room": name}, "seq", done)


def _check_account(witness: Witness, opening: int, device: Device, over: Callable[[], None]) -> None:
    username = device.member.username

    def done(rows: list[dict[str, Any]]) -> None:
        payments = []
        for row in rows:
            amount = units(row["amount"])
            payer, payee = (row["with"], username) if amount > 0 else (username, row["with"])
            if row["kind"] == "transfer":
                payments.append((payer, payee, abs(amount), row["memo"]))
                witness.show_payment(row["transfer"], payer, payee, abs(amount), row["memo"])
        closing = units(rows[0]["balance"])
        witness.check_account(username, opening, closing, payments)
        over()

    _pages(device, "ledger.history", {}, "transfer", done)


def _check_orders(witness: Witness, device: Device, over: Callable[[], None]) -> None:
    def done(rows: list[dict[str, Any]]) -> None:
        witness.check_orders(device.member.username, [row["order"] for row in rows])
        over()

    _pages(device, "orders.list", {}, "order", done)
