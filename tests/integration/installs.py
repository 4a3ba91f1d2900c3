"""
Every way to install SecureHub, each in a new environment: C{python -m twisted.trial tests.integration.installs}, in a checkout.

Not among the tests that C{trial tests} runs, as it takes a minute. It needs the C{build} package, and whatever pip needs to find packages.
"""

from __future__ import annotations

import atexit
import configparser
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from functools import cache
from pathlib import Path
from typing import NamedTuple

from twisted.trial.unittest import SynchronousTestCase

CHECKOUT = Path(__file__).resolve().parents[2]
SERVICE = CHECKOUT / "docs" / "examples" / "dice"
MINUTES = 10 * 60
DATA = {
    "securehub/py.typed",
    "securehub/services/auth/common-passwords.txt",
    "securehub/services/auth/common-passwords.LICENSE.txt",
    *(f"securehub/page/{path.name}" for path in (CHECKOUT / "securehub" / "page").iterdir() if path.suffix in (".html", ".css", ".js")),
}
"""What is installed beside the modules."""

SHARED = {"securehub.ini", "securehub.service", "securehub.socket"}
"""What an operator finds in share/securehub."""


def run(*command: object, cwd: Path) -> str:
    """
    Run a program with nothing of this environment on its path.

    @return: what it said.
    """
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
    done = subprocess.run(list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True, timeout=MINUTES)
    if done.returncode:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done.stdout


class Environment:
    """A new virtual environment, which takes packages out of a directory of wheels."""

    def __init__(self, path: Path, wheels: Path) -> None:
        self.path = path
        self.wheels = wheels
        venv.create(path, with_pip=True, symlinks=True)

    def install(self, *what: object) -> None:
        run(self.path / "bin" / "pip", "install", "--quiet", "--no-index", "--find-links", self.wheels, *what, cwd=self.path)

    def run(self, program: str, *arguments: object) -> str:
        """Run one of its programs, in a directory that has nothing to do with the checkout."""
        return run(self.path / "bin" / program, *arguments, cwd=self.path)

    def help(self) -> str:
        """What a hub that is started here says to HELP, before a login."""
        code = (
            "import sys; from tests.integration.real import Daemon, Program; from pathlib import Path;"
            "daemon = Daemon(Path(sys.argv[1])).started(); program = Program(daemon.port);"
            "print([each['usage'] for each in program.call('hub.help')['commands']]); program.close(); daemon.end()"
        )
        with tempfile.TemporaryDirectory(prefix="securehub-") as directory:
            shutil.copytree(CHECKOUT / "tests", Path(directory, "tests"))
            return run(self.path / "bin" / "python", "-c", code, Path(directory, "state"), cwd=Path(directory))


class Built(NamedTuple):
    """
    What is built once for all tests here.

    @ivar base: a directory for all that they make.
    @ivar source: a copy of the checkout.
    @ivar wheels: all that is needed to install SecureHub, and to build it; from here on no index is asked.
    """

    base: Path
    source: Path
    wheel: Path
    sdist: Path
    wheels: Path


@cache
def built() -> Built:
    base = Path(tempfile.mkdtemp(prefix="securehub-installs-"))
    atexit.register(shutil.rmtree, base, ignore_errors=True)
    source, wheels = base / "source", base / "wheels"
    # A copy, so that nothing which an earlier build left behind gets in.
    ignored = shutil.ignore_patterns(
        ".git", ".tox", ".venv", ".*_cache", ".hypothesis", "*.egg-info", "__pycache__", "dropin.cache", "_trial_temp*", "build", "dist"
    )
    shutil.copytree(CHECKOUT, source, ignore=ignored)
    run(sys.executable, "-m", "build", "--outdir", base / "dist", source, cwd=base)
    (wheel,) = (base / "dist").glob("*.whl")
    (sdist,) = (base / "dist").glob("*.tar.gz")
    Environment(base / "fetch", wheels).run("pip", "wheel", "--quiet", "--wheel-dir", wheels, f"{wheel}[web]", "setuptools", "wheel")
    return Built(base, source, wheel, sdist, wheels)


class InstallTests(SynchronousTestCase):
    """Each way to install gives the commands, from any directory."""

    def setUp(self) -> None:
        self.base, self.source, self.wheel, self.sdist, self.wheels = built()

    def environment(self, *what: object) -> Environment:
        made = Environment(self.base / self.id().rpartition(".")[2], self.wheels)
        made.install(*what)
        return made

    def assert_commands(self, environment: Environment) -> None:
        for program in ("twistd", "twist"):
            self.assertIn("securehub", environment.run(program, "--help"), program)
            self.assertIn("--state", environment.run(program, "securehub", "--help"), program)
        self.assertIn("--fingerprint", environment.run("securehub-client", "--help"))

    def dice(self) -> Path:
        """A copy of the example service's distribution."""
        copy = self.base / f"dice-{self.id().rpartition('.')[2]}"
        shutil.copytree(SERVICE, copy)
        return copy

    def test_wheel(self) -> None:
        """A wheel, and beside it another distribution's service, both installed as wheels."""
        environment = self.environment(self.wheel)
        self.assert_commands(environment)
        self.assertTrue((environment.path / "share" / "securehub" / "securehub.service").exists())
        self.assertNotIn("ROLL", environment.help())
        environment.install(self.dice())
        self.assertIn("ROLL", environment.help())

    def test_sdist(self) -> None:
        """An sdist, and beside it another distribution's service, installed editable."""
        environment = self.environment(self.sdist)
        self.assert_commands(environment)
        self.assertTrue((environment.path / "share" / "securehub" / "securehub.service").exists())
        environment.install("--editable", self.dice())
        self.assertIn("ROLL", environment.help())

    def test_editable(self) -> None:
        """An editable install, and beside it another distribution's service, installed editable too."""
        environment = self.environment("--editable", self.source)
        self.assert_commands(environment)
        environment.install("--editable", self.dice())
        self.assertIn("ROLL", environment.help())

    def test_page(self) -> None:
        """The page is there with the extra, and only with it."""
        code = "from securehub import tap; print(tap._site({'page': True}) is not None)"
        for what, there in ((self.wheel, False), (f"{self.wheel}[web]", True)):
            environment = Environment(self.base / f"page-{there}", self.wheels)
            environment.install(what)
            self.assertEqual(environment.run("python", "-c", code).splitlines()[-1], str(there))

    def test_content(self) -> None:
        """The wheel has all modules and nothing else; the sdist has what it takes to test and to read."""
        wheel = set(zipfile.ZipFile(self.wheel).namelist())
        modules = {str(path.relative_to(self.source)) for top in ("securehub", "twisted") for path in (self.source / top).rglob("*.py")}
        code = {name for name in wheel if ".dist-info/" not in name and ".data/" not in name}
        self.assertEqual(code, modules | DATA)
        shared = {name.partition(".data/")[2] for name in wheel if ".data/" in name}
        self.assertEqual(shared, {f"data/share/securehub/{name}" for name in SHARED})
        self.assertTrue([name for name in wheel if name.endswith("LICENSE")])
        with tarfile.open(self.sdist) as archive:
            names = {name.partition("/")[2] for name in archive.getnames()}
        wanted = {
            ".ci/run",
            "tox.ini",
            "LICENSE",
            "etc/securehub.ini",
            "etc/securehub.service",
            "etc/securehub.socket",
            "tests/__init__.py",
            "docs/index.md",
            "news/README.md",
            "tools/verify_chain.py",
        } | DATA
        self.assertEqual(wanted - names, set())

    def test_requirements(self) -> None:
        """No more is installed to run SecureHub than docs/dependencies.md explains."""
        setup = configparser.ConfigParser()
        setup.read(CHECKOUT / "setup.cfg")
        told = (CHECKOUT / "docs" / "dependencies.md").read_text()
        for line in (setup["options"]["install_requires"] + setup["options.extras_require"]["web"]).split():
            self.assertIn(f"**{line.partition('>')[0]}**", told)
