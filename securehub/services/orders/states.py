"""
The states of an order, and who may take it from one to which other.

All of it stands in one table. Whatever wants to change a state asks L{refuse_step}.
"""

from __future__ import annotations

from securehub.refusals import Conflict

CUSTOMER = frozenset({"customer"})
SELLER = frozenset({"seller"})
EITHER = CUSTOMER | SELLER

STEPS: dict[str, dict[str, frozenset[str]]] = {
    "placed": {"accepted": SELLER, "preparing": SELLER, "delivering": SELLER, "delivered": SELLER, "cancelled": EITHER},
    "accepted": {"preparing": SELLER, "delivering": SELLER, "delivered": SELLER, "cancelled": EITHER},
    "preparing": {"delivering": SELLER, "delivered": SELLER, "cancelled": SELLER},
    "delivering": {"delivered": SELLER, "cancelled": SELLER},
    "delivered": {},
    "cancelled": {},
}
"""For each state, those that can follow, and who may bring that about."""

FIRST = "placed"
OVER = frozenset(status for status, following in STEPS.items() if not following)


def refuse_step(order: int, status: str, wanted: str, role: str) -> None:
    """
    @param role: C{customer} or C{seller}.

    @raise Conflict: the order is in no state from which this is possible for them.
    """
    if role not in STEPS[status].get(wanted, ()):
        raise Conflict(f"order {order} is {status}" + (" already" if status == wanted else f", so it cannot be {wanted}"))
