"""
The time at which tests begin, whatever they are about: what one has made is good in the world of another.
"""

from __future__ import annotations

from datetime import UTC, datetime

BEGIN = datetime(2026, 11, 19, 18, 2, tzinfo=UTC)
