"""Which hosts are everybody's: a client on another machine must not have this one ask those that only it can reach."""

from __future__ import annotations

import socket

from mlxr.api.public_addresses import is_public
from mlxr.models import names
from mlxr.runtime.errors import PullError


def require_public_literal(host: str) -> None:
    """Raises ``PullError`` for a host that is itself an address, and none of the public Internet."""
    try:
        public = is_public(host)
    except ValueError:
        return
    if not public:
        raise not_public(host)


def require_public(host: str) -> None:
    """Raises ``PullError`` for a host with an address that is none of the public Internet. Asks the system: for a
    worker thread. One that has no address is somebody else's to report."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return
    if not all(is_public(str(address[4][0])) for address in found):
        raise not_public(host)


def not_public(host: str) -> PullError:
    return PullError(
        f"{names.quoted(host)} is no host of the public Internet, and clients on other machines may have this one ask "
        "no other; pull it at the server's command line"
    )
