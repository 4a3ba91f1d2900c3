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
