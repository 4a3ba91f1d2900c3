"""
Times as commands are given them, and which instant is meant.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from securehub.refusals import BadArgument
from securehub.services.times import LAST, LONGEST, When, beginning, expiry, future, meant, moment
from tests.times import BEGIN
from tests.tools import ParsingTestCase

NOON = datetime(2026, 11, 19, 12, tzinfo=UTC)

ZONES = ("America/Havana", "America/Sao_Paulo", "Asia/Beirut", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia", "UTC")
"""
Of midnights that there are twice (Havana), or not at all (São Paulo until 2018, Beirut), and of a day that there never was (Apia, the
30th of December 2011).
"""


class WordTests(ParsingTestCase):
    """What words say."""

    def test_instants(self) -> None:
        """As RFC 3339 has them, in UTC: a fraction has as many digits as its writer has, and microseconds count."""
        for parse in (moment, expiry):
            self.takes(parse, {f"2026-11-19{between}12:00:00{end}": NOON for between in "Tt" for end in ("Z", "z", "+00:00", "-00:00")})
            self.takes(parse, {"2026-11-19T17:45:00+05:45": NOON, "2026-11-18T12:01:00-23:59": NOON, "2026-11-19": NOON.date()})
            self.takes(parse, {"2026-11-19T12:00:00.5Z": NOON.replace(microsecond=500_000)})
            self.takes(parse, {"2026-11-19T12:00:00.123456789Z": NOON.replace(microsecond=123_456)})
            self.takes(parse, {"2026-11-19T12:00:00." + "9" * 40 + "Z": NOON.replace(microsecond=999_999)})
            self.refuses(parse, "", "2026-11-19T12:00:00", "2026-11-19T12:00Z", "2026-11-19T12:00:00.Z", "2026-11-19T12:00:00,5Z")
            self.refuses(parse, "2026-11-19 12:00:00Z", "2026-11-19T12:00:00+24:00", "2026-W47-4", "2026-02-29", "٢٠٢٦-11-19")
            # In UTC there is no such year.
            self.refuses(parse, "0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-01:00")

    def test_how_long(self) -> None:
        """Seconds, if nothing else is said; and where an end is asked for alone."""
        lengths = {"90": 90, "90s": 90, "15m": 900, "2h": 7200, "30d": 30 * 86_400, "0": 0, "999999999d": 999_999_999 * 86_400}
        self.takes(expiry, {word: timedelta(seconds=seconds) for word, seconds in lengths.items()})
        self.refuses(expiry, "-1", "1.5h", "1w", "30D", " 1d", "1d ", "1 d", "1h30m", "1000000000", "d", "٩", "20261119T")
        self.refuses(moment, *lengths)


class MeantTests(SynchronousTestCase):
    """The instant that is meant."""

    def test_each(self) -> None:
        """As it is, the beginning of a day of the zone, and so long from now; what no year could be written for is the last instant."""
        tokyo = ZoneInfo("Asia/Tokyo")
        for said, instant in (
            (NOON, NOON),
            (date(2026, 12, 24), datetime(2026, 12, 23, 15, tzinfo=UTC)),
            (timedelta(days=30), BEGIN + timedelta(days=30)),
            (LAST - BEGIN - timedelta.resolution, LAST - timedelta.resolution),
            (LAST - BEGIN, LAST),
            (timedelta.max, LAST),
        ):
            self.assertEqual(meant(said, at=BEGIN, zone=tokyo), instant)

    def test_days(self) -> None:
        """A day begins at its midnight, which is another moment in each zone; where there is no midnight, right after it."""
        self.assertEqual(beginning(date(2026, 11, 19), ZoneInfo("America/Mexico_City")), datetime(2026, 11, 19, 6, tzinfo=UTC))
        self.assertEqual(beginning(date(2018, 11, 4), ZoneInfo("America/Sao_Paulo")), datetime(2018, 11, 4, 3, tzinfo=UTC))

    @given(st.sampled_from(ZONES), st.dates(date(2008, 1, 1), date(2037, 12, 31)), st.timedeltas(timedelta(0), timedelta(days=2)))
    def test_days_follow_each_other(self, name: str, day: date, passed: timedelta) -> None:
        """No instant before its beginning is of a day, and none from then on of one before it, whatever is done to the clocks."""
        zone = ZoneInfo(name)
        begun = beginning(day, zone)
        self.assertGreaterEqual((begun + passed).astimezone(zone).date(), day)
        self.assertLess((begun - timedelta.resolution - passed).astimezone(zone).date(), day)

    def test_to_come(self) -> None:
        """From the next instant on, for ten years."""
        for said, instant in (
            (timedelta.resolution, BEGIN + timedelta.resolution),
            (LONGEST, BEGIN + LONGEST),
            (BEGIN + LONGEST, BEGIN + LONGEST),
        ):
            self.assertEqual(future("until", said, at=BEGIN, zone=UTC), instant)
        refused: tuple[When, ...] = (timedelta(0), BEGIN, BEGIN.date(), LONGEST + timedelta.resolution, timedelta.max, LAST, date.max)
        for each in refused:
            refusal = self.assertRaises(BadArgument, future, "until", each, at=BEGIN, zone=UTC)
            self.assertEqual(str(refusal), "until: that is not a time within the next ten years")
