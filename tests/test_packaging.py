"""
What an installation needs, as far as it can be seen without one; C{tests/integration/installs.py} tries the rest.
"""

from __future__ import annotations

import configparser
from pathlib import Path

from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins
from twisted.python.reflect import namedModule
from twisted.trial.unittest import SynchronousTestCase

import securehub
from securehub import service

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path(securehub.__file__).parent


class SetupTests(SynchronousTestCase):
    """setup.cfg."""

    def setUp(self) -> None:
        self.setup = configparser.ConfigParser()
        self.setup.read(ROOT / "setup.cfg")

    def test_packages(self) -> None:
        """Every package is listed, as an unlisted one is left out of the wheel without a word."""
        listed = set(self.setup["options"]["packages"].split())
        found = {".".join(path.parent.relative_to(PACKAGE.parent).parts) for path in PACKAGE.rglob("*.py")}
        self.assertEqual(listed, found | {"twisted.plugins"})

    def test_data(self) -> None:
        """Every file in a package that is not a module is listed, for the same reason."""
        listed = {
            str(Path(*package.split("."), name)) for package, names in self.setup["options.package_data"].items() for name in names.split()
        }
        beside = {path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
        found = {str(path.relative_to(PACKAGE.parent)) for path in beside if path.name != "dropin.cache"}
        self.assertEqual(listed, found)

    def test_not_twisteds(self) -> None:
        """Twisted's own packages stay Twisted's: listing them, or an __init__.py in them, would hide the real ones."""
        self.assertNotIn("twisted", self.setup["options"]["packages"].split())
        for place in ("twisted", "twisted/plugins"):
            if (ROOT / place / "plugins").exists():
                self.assertFalse((ROOT / place / "__init__.py").exists(), place)

    def test_editable(self) -> None:
        """The line without which an editable install has no plugins is there."""
        self.assertEqual(self.setup["options"]["package_dir"].split(), ["=", "."])

    def test_programs(self) -> None:
        """The console scripts name functions that are there."""
        for line in self.setup["options.entry_points"]["console_scripts"].strip().splitlines():
            module, _, function = line.partition("=")[2].strip().partition(":")
            self.assertTrue(callable(getattr(namedModule(module), function)), line)


class PluginTests(SynchronousTestCase):
    """What is found by twisted.plugin."""

    def test_twistd(self) -> None:
        """twistd and twist know C{securehub}, and it can be loaded."""
        (maker,) = (each for each in getPlugins(IServiceMaker) if each.tapname == "securehub")
        self.assertEqual(maker.module, "securehub.tap")
        self.assertTrue(callable(maker.makeService))
        self.assertIn("--state", maker.options().getUsage())

    def test_services(self) -> None:
        """The services that come with SecureHub are found."""
        self.assertGreaterEqual({factory.name for factory in service.find()}, {"admin", "auth", "hub", "ledger", "rpc"})
