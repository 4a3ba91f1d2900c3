"""
Every setting there is, with its default and its meaning; C{etc/securehub.ini} is made from this.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from configparser import ConfigParser
from configparser import Error as ConfigParserError
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, tzinfo
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from platformdirs import user_data_path

from securehub.money import Currencies, amounts

Settings = Mapping[str, Any]


_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


class BadSetting(Exception):
    """The configuration cannot be used; the text says which setting, and what is expected."""


@dataclass(frozen=True)
class Setting:
    """
    @ivar section: of the configuration file.
    @ivar default: as it would be written there.
    @ivar parse: text to value; raises ValueError with what is expected.
    @ivar live: whether a reload takes it from the file; code that uses it looks it up each time. The others become part of something when
        the hub starts (the store, the threads, the declarations of commands), or must not change in the middle of a day, like the time
        zone.
    """

    section: str
    name: str
    default: str
    parse: Callable[[str], Any]
    meaning: str
    live: bool = False


def _whole(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise ValueError(f"expected a whole number from {least} to {most}")
        return int(text)

    return parse


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds < 1e9:
        raise ValueError("expected a number of seconds")
    return seconds


def _switch(text: str) -> bool:
    if text not in ("on", "off"):
        raise ValueError("expected on or off")
    return text == "on"


def _address(text: str) -> str:
    try:
        # Twisted would take an empty one for all addresses.
        return _host(text)
    except ValueError:
        raise ValueError("expected an address; 0.0.0.0 or :: for all") from None


def _digits(count: int) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if len(text) != count or not text.isdecimal() or not text.isascii():
            raise ValueError(f"expected {count} digits")
        return text

    return parse


def _path(text: str) -> Path:
    if "\0" in text:
        raise ValueError("expected a path")
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError:
        raise ValueError("expected a path; nobody's home directory begins so") from None


def _directory(text: str) -> Path:
    return _path(text) if text else user_data_path("securehub")


def _file(text: str) -> Path | None:
    return _path(text) if text else None


def _backups(text: str) -> str:
    """A directory that depends on another setting, if it is empty."""
    _file(text)
    return text


def _names(text: str) -> tuple[str, ...]:
    if "%" in text:
        # A link-local address with its link: no certificate names a link, so the certificate would be made anew at each look.
        raise ValueError("expected addresses without a link such as %eth0")
    return tuple(map(_host, text.split()))


def _host(word: str) -> str:
    with suppress(ValueError):
        return str(ip_address(word))
    # RFC 1123, section 2.1; names in other scripts are written as in the DNS (xn--...).
    if len(word) > 253 or not all(_LABEL.fullmatch(label) for label in word.split(".")):
        raise ValueError("expected host names and IP addresses, separated by blanks")
    return word.lower()


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in choices:
            raise ValueError(f"expected one of {', '.join(choices)}")
        return text.lower()

    return parse


def _zone(text: str) -> tzinfo:
    if text == "UTC":
        # Known without the system's tables, too.
        return UTC
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("expected a time zone such as Europe/Berlin") from None


def _currencies(text: str) -> str:
    Currencies.parse(text, text.split(":")[0].strip())
    return text


SETTINGS = (
    Setting("hub", "state", "", _directory, "The state directory; empty for securehub in the user's data directory."),
    Setting("hub", "port", "5555", _whole(0, 65535), "The TCP port to listen on, with TLS; 0 for any that is free."),
    Setting("hub", "interface", "127.0.0.1", _address, "The address to listen on; 0.0.0.0 or :: for all."),
    Setting(
        "hub",
        "services",
        "",
        str.split,
        "The services to run, separated by blanks, auth, hub and ledger among them; empty for all that are installed.",
    ),
    Setting("hub", "time_zone", "UTC", _zone, "The time zone whose days and months count, such as America/Mexico_City."),
    Setting("hub", "log_format", "text", _one_of("text", "json"), "How the log is written: text, or json (an object a line)."),
    Setting(
        "tls",
        "names",
        "",
        _names,
        "Host names and IP addresses under which clients reach the hub, separated by blanks, for the certificate that it makes; those of "
        "this machine alone (localhost) are always among them.",
        live=True,
    ),
    Setting("tls", "certificate", "", _file, "A file with a certificate chain (PEM), to use instead of one that the hub makes.", live=True),
    Setting("tls", "key", "", _file, "The file with that certificate's key (PEM, without a passphrase).", live=True),
    Setting(
        "members",
        "registration",
        "open",
        _one_of("open", "invitation", "closed"),
        "Who may become a member: open, invitation, closed.",
        live=True,
    ),
    Setting(
        "members", "invitation_days", "14", _whole(1, 3650), "Days for which an invitation is good, unless it says otherwise.", live=True
    ),
    Setting("members", "session_idle_days", "30", _whole(2, 3650), "Days after which an unused login ends.", live=True),
    Setting("members", "session_days", "90", _whole(2, 3650), "Days after which every login ends, used or not.", live=True),
    Setting(
        "members",
        "password_again_minutes",
        "0",
        _whole(0, 129600),
        "Minutes after a login from which one-time codes and certificates are set up only with the password; 0 for never.",
        live=True,
    ),
    Setting(
        "members",
        "archive_days",
        "365",
        _whole(0, 36500),
        "Days for which the journal's archive is kept, with the texts of erased members.",
        live=True,
    ),
    Setting("store", "segment_mib", "64", _whole(1, 4096), "MiB after which a file of the journal is closed and the next one begins."),
    Setting(
        "store",
        "fold_percent",
        "50",
        _whole(10, 1000),
        "The journal's closed files are folded into a snapshot at this percentage of the last one's size, or after a day.",
    ),
    Setting(
        "store",
        "seal_key",
        "",
        str,
        "The key that seals journal, snapshots and backups: file:PATH, env:NAME or credential:NAME; empty to leave them plain.",
    ),
    Setting("store", "backups", "", _backups, "The directory for backups, best on another disk; empty for backups in the state directory."),
    Setting("store", "backup_hours", "0", _whole(0, 8760), "Hours between backups that the hub makes and drills by itself; 0 for none."),
    Setting("store", "backups_kept", "7", _whole(1, 10000), "Backups to keep when the hub has made another one."),
    Setting(
        "web",
        "page",
        "on",
        _switch,
        "Whether there is a web page on the hub's port, for browsers; it needs the extra web (pip install 'securehub[web]').",
    ),
    Setting("money", "currency", "USD", str.upper, "The currency of new members' accounts."),
    Setting(
        "money",
        "currencies",
        "USD:2 MXN:2 EUR:2 JPY:0 HOURS:2",
        _currencies,
        "The currencies that accounts may have, each with its decimals, which stay as they are once there are accounts.",
    ),
    Setting("money", "bank", "999", _digits(3), "The bank in account numbers; 999 is no real bank's."),
    Setting("money", "branch", "000", _digits(3), "The branch in account numbers."),
    Setting("money", "hold_days", "7", _whole(1, 366), "Days after which a hold ends, unless it says otherwise."),
    Setting("money", "request_days", "30", _whole(1, 366), "Days after which a payment request ends, unless it says otherwise."),
    Setting("orders", "quote_minutes", "15", _whole(1, 1440), "Minutes for which a quote reserves goods."),
    Setting(
        "chat",
        "told_members",
        "100",
        _whole(0, 10000),
        "Rooms with more members than this are not told who joins, leaves, comes or goes.",
    ),
    Setting("chat", "presence_seconds", "2", _seconds, "Seconds for which comings and goings are gathered before others are told."),
    Setting(
        "chat",
        "report_days",
        "730",
        _whole(0, 36500),
        "Days for which reports are kept that a moderator has seen to; 0 for ever.",
        live=True,
    ),
    Setting("support", "case_days", "730", _whole(0, 36500), "Days for which closed cases of the support desk are kept; 0 for ever."),
    Setting(
        "support",
        "agent_act",
        "USD:50 MXN:1000 EUR:50 JPY:7000 HOURS:4",
        amounts,
        "What an agent may give a customer at once, in each currency; nothing in those that are not named.",
    ),
    Setting(
        "support",
        "agent_day",
        "USD:200 MXN:4000 EUR:200 JPY:28000 HOURS:16",
        amounts,
        "What an agent may give customers in a day, likewise.",
    ),
    Setting("support", "agent_act_points", "500", _whole(0, 1000000), "Points that an agent may give a customer at once."),
    Setting("support", "agent_day_points", "2000", _whole(0, 1000000), "Points that an agent may give customers in a day."),
    Setting("limits", "line_bytes", "16384", _whole(1024, 1048576), "Bytes of a request with its line end.", live=True),
    # A message that shows a payment has the memo, and what was paid to whom.
    Setting("limits", "memo_characters", "256", _whole(1, 3000), "Characters of a memo."),
    # As an event has at most 16 KiB, and a character up to four bytes.
    Setting("limits", "message_characters", "4000", _whole(1, 4000), "Characters of a message."),
    Setting("limits", "topic_characters", "256", _whole(1, 1000), "Characters of a room's topic."),
    Setting("limits", "name_characters", "64", _whole(1, 256), "Characters of a name."),
    Setting("limits", "sessions_per_member", "16", _whole(1, 200), "Sessions that a member may have open.", live=True),
    Setting("limits", "certificates_per_member", "16", _whole(1, 100), "Client certificates that a member may register.", live=True),
    Setting("limits", "accounts_per_member", "100", _whole(1, 200), "Accounts that a member may have.", live=True),
    Setting("limits", "open_per_member", "100", _whole(1, 1000), "Holds, payment requests and schedules (each) that a member may have."),
    Setting("limits", "items_per_seller", "1000", _whole(1, 100000), "Items that a seller may offer."),
    Setting("limits", "rooms_per_member", "100", _whole(1, 1000), "Rooms that a member may be in."),
    Setting("limits", "cases_per_member", "10", _whole(1, 50), "Cases of the support desk that a member may have open."),
    Setting(
        "limits",
        "waiting_requests",
        "100",
        _whole(1, 10000),
        "Requests that may wait on a connection before the hub stops reading it.",
        live=True,
    ),
    Setting(
        "limits",
        "outbound_bytes",
        "1048576",
        _whole(65536, 1 << 30),
        "Bytes of events that may wait for a client that does not read.",
        live=True,
    ),
    Setting("limits", "connections", "10000", _whole(1, 1000000), "Connections that may be open.", live=True),
    Setting(
        "limits",
        "trust_loopback",
        "on",
        _switch,
        "Whether this machine is exempt from limits for addresses and networks; turn it off behind a proxy on it.",
        live=True,
    ),
    Setting(
        "limits",
        "handshakes_per_address",
        "20",
        _whole(1, 100000),
        "Handshakes of one address (or IPv6 /64) that may be unfinished.",
        live=True,
    ),
    Setting(
        "limits",
        "stranger_requests",
        "100",
        _whole(1, 1000000),
        "Requests that all strangers at one address may make at once; connections and KiB count, too, and a login gives back its share.",
        live=True,
    ),
    Setting(
        "limits",
        "stranger_requests_per_second",
        "20",
        _whole(1, 1000000),
        "How many of these come back in a second.",
        live=True,
    ),
    Setting("limits", "handshake_seconds", "10", _seconds, "Seconds to finish the TLS handshake.", live=True),
    Setting(
        "limits",
        "first_request_seconds",
        "30",
        _seconds,
        "Seconds to send a first request; idle connections are kept after that.",
        live=True,
    ),
    Setting("limits", "hashing_threads", "2", _whole(1, 64), "Threads that hash passwords; each takes 19 MiB while it works."),
    Setting("limits", "hashing_waiting", "500", _whole(1, 100000), "Passwords that may wait to be hashed."),
    Setting("limits", "account_failures", "10", _whole(1, 1000), "Failed logins for one account before the next have to wait.", live=True),
    Setting(
        "limits", "account_failure_seconds", "3600", _seconds, "Seconds after which a failure is forgotten; no wait is longer.", live=True
    ),
    Setting(
        "limits",
        "network_failures",
        "30",
        _whole(1, 100000),
        "Failed logins from one network (/24, /64) before the next have to wait.",
        live=True,
    ),
    Setting(
        "limits", "network_failure_seconds", "120", _seconds, "Seconds after which a failure is forgotten; no wait is longer.", live=True
    ),
    Setting(
        "limits",
        "network_newcomers",
        "200",
        _whole(1, 100000),
        "New members without an invitation from one network (/24, /64) before the next have to wait.",
        live=True,
    ),
    Setting(
        "limits", "network_newcomer_seconds", "60", _seconds, "Seconds after which a new member is forgotten; no wait is longer.", live=True
    ),
)

MOST_OF_A_MEMBER = 230
"""
Accounts, certificates and sessions of one member, together: one transaction, of at most 256 records, erases the member. It looks at all
accounts, and ends everything that lets the member in.
"""

_OF_A_MEMBER = ("accounts_per_member", "certificates_per_member", "sessions_per_member")


def settings(file: Path | None = None, options: Mapping[str, str | None] | None = None, own: Iterable[Setting] = ()) -> dict[str, Any]:
    """
    All settings: the options, or else the file, or else the defaults.

    @param own: those that services bring.

    @raise BadSetting: the file cannot be read, or a setting is unknown or malformed.
    """
    known = {setting.name: setting for setting in (*SETTINGS, *own)}
    texts = {name: setting.default for name, setting in known.items()}
    read = {} if file is None else dict(_read(file, known))
    chosen = {name: text for name, text in (options or {}).items() if text is not None}
    texts |= read | chosen

    def bad(name: str, error: ValueError) -> BadSetting:
        where = f"{file}: " if name in read and name not in chosen else ""
        return BadSetting(f"{where}{name} = {texts[name]}: {error}")

    values = {}
    for name, text in texts.items():
        try:
            values[name] = known[name].parse(text)
        except ValueError as error:
            raise bad(name, error) from None
    try:
        currencies = Currencies.parse(values["currencies"], values["currency"])
    except ValueError as error:
        raise bad("currencies" if "currencies" in read and "currency" not in read else "currency", error) from None
    for name in ("agent_act", "agent_day"):
        try:
            currencies.units(values[name])
        except ValueError as error:
            raise bad(name, error) from None
    together = sum(values[name] for name in _OF_A_MEMBER)
    if together > MOST_OF_A_MEMBER:
        raise BadSetting(f"{', '.join(_OF_A_MEMBER)}: {together} together; {MOST_OF_A_MEMBER} are allowed, as one step ends all")
    if (values["certificate"] is None) != (values["key"] is None):
        raise BadSetting("certificate and key: give both, or none")
    return values


def admin_socket(state: Path) -> Path:
    """The socket of the admin door, in a state directory."""
    return state / "admin.sock"


def backups(values: Settings) -> Path:
    """Where backups are kept."""
    return _path(values["backups"]) if values["backups"] else Path(values["state"]) / "backups"


def example() -> str:
    """The configuration file with every setting at its default, as a comment."""
    return "\n".join(_example_lines())


def _example_lines() -> Iterator[str]:
    yield "# SecureHub's settings, each with its default and meaning. Remove the ; in front of those you change."
    section = None
    for setting in SETTINGS:
        if setting.section != section:
            section = setting.section
            yield ""
            yield f"[{section}]"
        yield f"# {setting.meaning}"
        yield f";{setting.name} = {setting.default}".rstrip()
    yield ""


def _read(file: Path, known: Mapping[str, Setting]) -> Iterator[tuple[str, str]]:
    parser = ConfigParser(interpolation=None, default_section="")
    try:
        # Some editors put a byte order mark in front, which is not part of the text.
        with open(file, encoding="utf-8-sig") as opened:
            parser.read_file(opened)
    except (OSError, UnicodeDecodeError, ConfigParserError) as error:
        raise BadSetting(f"{file} cannot be read: {error}") from None
    for section in parser.sections():
        for name, text in parser[section].items():
            setting = known.get(name)
            if setting is None or setting.section != section:
                raise BadSetting(f"{file}: there is no setting {name} in section [{section}]")
            yield name, text
