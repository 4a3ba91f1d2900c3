"""
The OpenRPC document, as a program reads it that knows nothing else of the hub.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from securehub import arguments
from securehub.command import ANYONE, ROLES, command, optional
from securehub.reply import Listing, Reply, Row
from tests.world import Client, World, installed


def everything() -> Iterator[tuple[Client, dict[str, Any]]]:
    """All methods, each with somebody who may use it: the operator, or a member with all roles."""
    world = World()
    operator, alice = world.operator(), world.member("alice")
    for role in ROLES:
        operator.ask(f"admin.grant alice {role}")
    for client in (operator, alice):
        for method in client.call("rpc.discover")["result"]["methods"]:
            yield client, method


class PositionTests(SynchronousTestCase):
    """Which parameters may be given by position."""

    def test_every_method(self) -> None:
        """Those that are not marked, which come first, and not one more."""
        for client, method in everything():
            marked = [each.get("x-by-name", False) for each in method["params"]]
            count = marked.count(False)
            self.assertEqual(marked, sorted(marked), method["name"])
            request = {"jsonrpc": "2.0", "id": 1, "method": method["name"], "params": [None] * (count + 1)}
            (answer,) = client.ask(json.dumps(request))
            self.assertIn(f" takes at most {count} arguments", json.loads(answer)["error"]["message"])


class NullTests(SynchronousTestCase):
    """Which parameters may be null."""

    def test_every_method(self) -> None:
        """Those that are optional, as the document says, and no other one."""
        for client, method in everything():
            for parameter in method["params"]:
                told = "null" in parameter["schema"]["type"]
                self.assertEqual(told, not parameter["required"], (method["name"], parameter["name"]))
                # Nothing is carried out, as the other one is refused, if this one is not.
                given = {parameter["name"]: None, "no such": None}
                message = client.call(method["name"], **given)["error"]["message"]
                self.assertEqual(f"{method['name']} has no parameter 'no such'" in message, told, message)


class ToldTests(SynchronousTestCase):
    """What is said of answers and their fields."""

    def setUp(self) -> None:
        self.schemas = World().operator().call("rpc.discover")["result"]["components"]["schemas"]

    def test_fields(self) -> None:
        """Each has what its class says of it, or the one from which it is inherited, under the name that it has on the wire."""
        self.assertEqual(self.schemas["Booking"]["description"], "Money that a treasurer has booked against `@cash`, or booked back.")
        self.assertEqual(self.schemas["Booking"]["properties"]["with"]["description"], "the member.")
        self.assertIn("give it as `after`", self.schemas["Sanctions"]["properties"]["next"]["description"])

    def test_no_markup(self) -> None:
        """Nothing of the docstrings' own markup is left over."""
        self.assertNotRegex(json.dumps(self.schemas), r"[CLB]\{|@[ci]var|@param")


class Found(Reply, frozen=True):
    """Something."""

    what: str


class Place(Row, frozen=True):
    """Where it is."""

    where: str


class Finder:
    """A service that answers in several ways."""

    name = "finder"

    def __init__(self, hub: object) -> None:
        pass

    @command("FIND", access=ANYONE, what=optional(arguments.word))
    def find(self, session: object, what: str = "") -> Found | Listing[Place] | None:
        """Find something, or where it is, or nothing."""
        return Found(what) if len(what) > 1 else Listing([Place(what)]) if what else None


class SeveralTests(SynchronousTestCase):
    """A reply that is one of several."""

    def test_each(self) -> None:
        """All are declared, the one without fields as the object that it is."""
        client = World(factories=[*installed(), Finder]).connect()
        document = client.call("rpc.discover")["result"]
        (method,) = (each for each in document["methods"] if each["name"] == "finder.find")
        refer = "#/components/schemas/"
        kinds = [{"$ref": f"{refer}Found"}, {"$ref": f"{refer}Listing_Place_"}, {"type": "object"}]
        self.assertEqual(method["result"]["schema"], {"anyOf": kinds})
        for what, result in (("ab", {"what": "ab"}), ("a", {"items": [{"where": "a"}]}), (None, {})):
            self.assertEqual(client.call("finder.find", what=what)["result"], result)
