"""
Help, as somebody reads it on a terminal.
"""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from securehub.service import NEEDED, chosen
from tests.world import World, installed


class WidthTests(SynchronousTestCase):
    """How long its lines are."""

    def test_fits_a_terminal(self) -> None:
        """No line has more than eighty characters, of whichever command, and nothing of what is to be said is lost by that."""
        operator = World().operator()
        commands = operator.call("hub.help")["result"]["commands"]
        services = {each["name"].partition(".")[0] for each in commands}
        for asked in ("", *(f" {service}.*" for service in services), *(f" {each['name']}" for each in commands)):
            *lines, status = operator.ask(f"HELP{asked}")
            self.assertTrue(status.startswith("OK"), asked)
            self.assertEqual([line for line in lines if len(line) > 80], [], asked)
        for each in commands:
            told = operator.call("hub.help", command=each["name"])["result"]
            words = " ".join(" ".join(operator.ask(f"HELP {each['name']}")).split())
            for text in (told["usage"], told["summary"], told["manual"], *(one["expected"] for one in told["parameters"])):
                self.assertIn(" ".join(text.split()), words)


class SmallestTests(SynchronousTestCase):
    """A hub with as few services as there can be."""

    def test_what_is_named(self) -> None:
        """What the hint and the manuals of commands tell one to ask, there is."""
        world = World(factories=chosen(installed(), NEEDED))
        guest = world.connect()
        *_, hint = guest.ask("HELP")
        asked = re.findall(r"HELP [a-z]+\.\*|HELP [A-Z]+", hint)
        manuals = " ".join(f"{each.summary} {each.manual}" for each in world.hub.commands)
        asked += [f"HELP {name}" for name in re.findall(r"\b(?:{})\.[a-z_]+".format("|".join(each.name for each in installed())), manuals)]
        self.assertIn("HELP HELP", asked)
        for each in asked:
            self.assertTrue(guest.ask(each)[-1].startswith("OK"), each)
