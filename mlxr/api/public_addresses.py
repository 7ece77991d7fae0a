"""Which addresses are everybody's: who asks this machine to ask others must not reach those that only it can."""

from __future__ import annotations

import ipaddress
from typing import Final

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
"""Addresses of version 6 that a gateway takes to the address of version 4 in their last 32 bits (RFC 6052)."""


def is_public(address: str) -> bool:
    """Returns whether an IP address is reached over the public Internet. Raises ``ValueError`` for what is none."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if inner is None and found in _NAT64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(str(inner))
    return found.is_global and not found.is_multicast
