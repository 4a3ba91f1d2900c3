"""
Where a connection comes from: the network that an address is in, as limits count it.

Somebody who has one address of a network can have as many as they like: an IPv6 connection is given 2**64 of them. So limits count the /64
of an IPv6 address, and the /24 of an IPv4 address.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import NamedTuple

IPV4_BITS = 24
IPV6_BITS = 64


class Origin(NamedTuple):
    """
    @ivar network: as C{192.0.2.0/24} or C{2001:db8::/64}.
    @ivar place: the part of it that one household has: an IPv4 address, or all of an IPv6 network, in which devices change their address
        every day.
    @ivar loopback: whether it is this machine.
    """

    network: str
    place: str
    loopback: bool


@lru_cache(maxsize=1024)
def origin(address: str) -> Origin:
    """
    Where an address belongs.

    @param address: as text; anything but an IP address, such as that of a UNIX socket, is a network of its own.
    """
    try:
        ip = _unmapped(address)
    except ValueError:
        return Origin(address, address, False)
    if isinstance(ip, IPv4Address):
        return Origin(str(ip_network((ip, IPV4_BITS), strict=False)), str(ip), ip.is_loopback)
    network = str(ip_network((int(ip), IPV6_BITS), strict=False))
    return Origin(network, network, ip.is_loopback)


def _unmapped(address: str) -> IPv4Address | IPv6Address:
    """A socket for both families shows IPv4 peers as C{::ffff:192.0.2.1}: all of them would be in one /64."""
    ip = ip_address(address)
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    return ip
