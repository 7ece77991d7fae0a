"""Which addresses are everybody's: who asks this machine to ask others must not reach those that only it can."""

from __future__ import annotations

import ipaddress
from typing import Final

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
"""Addresses of version 6 that a gateway takes to the address of version 4 in their last 32 bits (RFC 6052)."""

_UNICAST: Final = ipaddress.ip_network("2000::/3")
"""All that is given out of version 6. What lies beside it is of this network, whatever a Python's list says of it:
site-local (fec0::/10), translated here (64:ff9b:1::/48), compatible with version 4 (::/96)."""


def is_public(address: str) -> bool:
    """Returns whether an IP address is reached over the public Internet. Raises ``ValueError`` for what is none."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if inner is None and found in _NAT64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(str(inner))
        if found not in _UNICAST:
            return False
    return found.is_global and not found.is_multicast
