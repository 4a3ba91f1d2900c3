"""
The OpenRPC document, as a program reads it that knows nothing else of the hub.
"""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from tests.world import World


class PositionTests(SynchronousTestCase):
    """Which parameters may be given by position."""

    def test_every_method(self) -> None:
        """Those that are not marked, which come first, and not one more."""
        operator = World().operator()
        for method in operator.call("rpc.discover")["result"]["methods"]:
            marked = [each.get("x-by-name", False) for each in method["params"]]
            count = marked.count(False)
            self.assertEqual(marked, sorted(marked), method["name"])
            request = {"jsonrpc": "2.0", "id": 1, "method": method["name"], "params": [None] * (count + 1)}
            (answer,) = operator.ask(json.dumps(request))
            self.assertIn(f" takes at most {count} arguments", json.loads(answer)["error"]["message"])


class NullTests(SynchronousTestCase):
    """Which parameters may be null."""

    def test_every_parameter(self) -> None:
        """Those that may be left out, and no others; so the answer is about the first that may not."""
        operator = World().operator()
        for method in operator.call("rpc.discover")["result"]["methods"]:
            required = [each["name"] for each in method["params"] if each["required"]]
            nullable = [each["name"] for each in method["params"] if "null" in each["schema"]["type"]]
            self.assertEqual(nullable, [each["name"] for each in method["params"] if not each["required"]], method["name"])
            if required:
                answer = operator.call(method["name"], **dict.fromkeys(nullable))
                self.assertIn(f"{required[0]} is missing", answer["error"]["message"])
