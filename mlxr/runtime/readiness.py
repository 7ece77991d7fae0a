"""Tells a service manager how far this process is, by systemd's protocol (sd_notify(3)): a datagram to a socket that it
names. Elsewhere it does nothing."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import suppress

READY = "READY=1"
STOPPING = "STOPPING=1"


def tell_manager(*states: str, environment: Mapping[str, str] = os.environ) -> None:
    """Sends ``states`` if a manager asked for them. One that does not read is not waited for."""
    address = environment.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        sender.sendto("\n".join(states).encode(), address.replace("@", "\0", 1) if address[0] == "@" else address)
