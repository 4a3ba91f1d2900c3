"""
Who is at the other end of a connection, as far as a certificate tells.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple


class PeerCertificate(NamedTuple):
    """
    What is known of a client's certificate. The handshake has shown that the peer holds its key; who signed it was not checked.

    @ivar fingerprint: SHA-256 of its DER form, as openssl shows it: pairs of digits in capitals with colons.
    @ivar begins: from then on it is good.
    @ivar ends: from then on it is no longer good.
    """

    fingerprint: str
    begins: datetime
    ends: datetime
