"""
Settings.
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from securehub import config
from securehub.config import BadSetting

EXAMPLE = Path(__file__).parent.parent / "etc" / "securehub.ini"


class ConfigTests(SynchronousTestCase):
    """Options win over the file, the file over the defaults; what is wrong is named."""

    def file(self, content: str) -> Path:
        path = Path(self.mktemp())
        path.write_text(content, encoding="utf-8")
        return path

    def test_defaults(self) -> None:
        """Those that the protocol promises."""
        settings = config.settings()
        promised = {
            "port": 5555,
            "interface": "127.0.0.1",
            "line_bytes": 16384,
            "memo_characters": 256,
            "name_characters": 64,
            "sessions_per_member": 16,
            "waiting_requests": 100,
            "outbound_bytes": 1024 * 1024,
            "connections": 10_000,
            "handshake_seconds": 10,
            "first_request_seconds": 30,
            "bank": "999",
            "branch": "000",
        }
        self.assertEqual({name: settings[name] for name in promised}, promised)

    def test_who_wins(self) -> None:
        file = self.file("[hub]\nport = 6000\ninterface = 0.0.0.0\n")
        settings = config.settings(file, {"port": "7000", "interface": None})
        self.assertEqual((settings["port"], settings["interface"], settings["bank"]), (7000, "0.0.0.0", "999"))

    def test_names(self) -> None:
        """Host names in small letters, addresses in their shortest form."""
        names = config.settings(options={"names": "Hub.Example.ORG 192.0.2.1  2001:DB8:0::1 xn--hb-xka.example"})["names"]
        self.assertEqual(names, ("hub.example.org", "192.0.2.1", "2001:db8::1", "xn--hb-xka.example"))

    def test_amounts(self) -> None:
        """By currency, those that the hub does not know among them; of the others, with as many decimals as they have."""
        allowed = config.settings(options={"agent_act": "usd:12.50 XYZ:1.2345", "agent_day": ""})
        self.assertEqual({code: str(amount) for code, amount in allowed["agent_act"].items()}, {"USD": "12.50", "XYZ": "1.2345"})
        self.assertEqual(allowed["agent_day"], {})
        for wrong, told in (("JPY:0.5", "agent_act = JPY:0.5: amount: JPY has 0"), ("USD", "such as USD:50"), ("USD:0", "more than zero")):
            self.assertIn(told, str(self.assertRaises(BadSetting, config.settings, options={"agent_act": wrong})))

    def test_one_of_several(self) -> None:
        """In any case; another word is told what there is."""
        self.assertEqual(config.settings(self.file("[members]\nregistration = Closed\n"))["registration"], "closed")
        raised = self.assertRaises(BadSetting, config.settings, self.file("[members]\nregistration = maybe\n"))
        self.assertIn("open, invitation, closed", str(raised))

    def test_where(self) -> None:
        """What is wrong in a file is told with the file; an option was just typed."""
        for content in ("[hub]\nport = abc\n", "[money]\ncurrency = XYZ\n", "[support]\nagent_day = USD\n"):
            file = self.file(content)
            name = content.split()[1]
            told = str(self.assertRaises(BadSetting, config.settings, file))
            self.assertTrue(told.startswith(f"{file}: {name} = "), told)
        told = str(self.assertRaises(BadSetting, config.settings, self.file("[hub]\nport = 1\n"), {"port": "abc"}))
        self.assertTrue(told.startswith("port = abc: "), told)

    def test_where_of_two(self) -> None:
        """Of two that do not fit, the one that is in the file."""
        told = str(self.assertRaises(BadSetting, config.settings, self.file("[money]\ncurrencies = EUR:2\n")))
        self.assertIn(": currencies = EUR:2: ", told)

    def test_a_mark_in_front(self) -> None:
        """As some editors leave it."""
        self.assertEqual(config.settings(self.file("\ufeff[hub]\nport = 6000\n"))["port"], 6000)

    def test_a_percent_sign_is_one(self) -> None:
        self.assertEqual(config.settings(self.file("[hub]\nstate = /a%b\n"))["state"], Path("/a%b"))

    def test_the_example_is_the_defaults(self) -> None:
        """Each setting is in it, and with the comments taken off it changes nothing."""
        example = config.example()
        uncommented = "\n".join(line.removeprefix(";") for line in example.split("\n"))
        self.assertEqual(config.settings(self.file(uncommented)), config.settings())
        self.assertEqual(config.settings(self.file(example)), config.settings())
        for setting in config.SETTINGS:
            self.assertIn(setting.meaning, example)

    def test_the_example_that_is_shipped(self) -> None:
        """It is up to date."""
        self.assertEqual(EXAMPLE.read_text(encoding="utf-8"), config.example())

    def test_bad_settings(self) -> None:
        """The text names the setting."""
        bad = {
            "interface": ["", "a b", "h\u00fcb..x", "[::1]"],
            "port": ["-1", "65536", "x", "", "1.5", "+1", "5_555", " 1"],
            "trust_loopback": ["", "yes", "true", "0"],
            "bank": ["99", "9999", "x99", "٩٩٩"],
            "currency": ["XXX"],
            "currencies": ["", "USD", "USD:9", "USD:2 USD:3", "USD:2 USD:2"],
            "agent_act": ["USD:5 usd:6"],
            "line_bytes": ["1023"],
            "handshake_seconds": ["0", "-1", "nan", "inf", "x"],
            "connections": ["0"],
            "names": [
                *("a_b", "-a.example", "a..example", "hub.example.org.", "a" * 64, "a." * 127, "*.example.org"),
                *("h\u00fcb.example", "fe80::1%eth0"),
            ],
            "state": ["a\0b", "~nobody-of-this-name/securehub"],
            "backups": ["~nobody-of-this-name/backups"],
            "certificate": ["/somewhere/certificate.pem", "~nobody-of-this-name/certificate.pem"],
            "key": ["/somewhere/key.pem"],
            "log_format": ["", "jsonl", "xml"],
        }
        bad["names"].append("a." * 126 + "aa")
        for name, texts in bad.items():
            for text in texts:
                error = self.assertRaises(BadSetting, config.settings, None, {name: text})
                self.assertIn(name, str(error), text)

    def test_too_much_of_a_member(self) -> None:
        """Each may be much, but not all of them."""
        most = {"accounts_per_member": "200", "sessions_per_member": "16", "certificates_per_member": "14"}
        self.assertEqual(config.settings(None, most)["accounts_per_member"], 200)
        error = self.assertRaises(BadSetting, config.settings, None, most | {"sessions_per_member": "17"})
        self.assertEqual(
            str(error),
            "accounts_per_member, certificates_per_member, sessions_per_member: 231 together; 230 are allowed, as one step ends all",
        )

    def test_bad_files(self) -> None:
        twice, lost = "[hub]\nport = 1\nport = 2\n", "[DEFAULT]\nport = 1\n"
        for content in ("port = 1\n", "[hub]\nprot = 1\n", "[limits]\nport = 1\n", twice, "[hub\n", lost):
            self.assertRaises(BadSetting, config.settings, self.file(content))
        self.assertRaises(BadSetting, config.settings, Path(self.mktemp()))
        latin = Path(self.mktemp())
        latin.write_bytes(b"[hub]\nstate = \xe9\n")
        self.assertRaises(BadSetting, config.settings, latin)
