"""Clients on this machine, told from those on others."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from aiohttp import web

FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")
"""What proxies add: the client is somewhere behind one, wherever that runs."""


def is_local(request: web.BaseRequest) -> bool:
    """Returns whether the client is on this machine: at the other end of a Unix socket or a loopback address, with no
    proxy in between that says so."""
    transport = request.transport
    if transport is None or any(header in request.headers for header in FORWARDED):
        return False
    if isinstance(transport.get_extra_info("sockname"), str | bytes):
        return True
    peer = transport.get_extra_info("peername")
    try:
        return _is_loopback(str(peer[0]))
    except (TypeError, IndexError):
        return False


@lru_cache(64)
def _is_loopback(peer: str) -> bool:
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
