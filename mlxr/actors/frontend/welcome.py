"""What somebody who has just started a server on a terminal is told: where to chat at once."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from mlxr.actors.frontend.catalog import SERVING
from mlxr.runtime.messages.catalogue import EngineInfo

_EVERY = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}
"""Hosts that a server listens on for every address, with one that a browser here finds."""


def welcome(addresses: Iterable[str], engines: Iterable[EngineInfo]) -> str:
    """Returns one line with the web UI's address, and the command for a chat in a terminal."""
    loaded = next((engine.model for engine in engines if engine.state in SERVING), "MODEL")
    chat = f"`mlxr run {loaded}` in another terminal"
    page = next((_page(address) for address in addresses if address.startswith("http")), "")
    where = f"chat at {page} in a browser, or by {chat}" if page else f"chat by {chat}"
    return f"ready: {where}; Ctrl-C ends this server"


def _page(address: str) -> str:
    parts = urlsplit(address)
    host = parts.hostname or ""
    shown = _EVERY.get(host, f"[{host}]" if ":" in host else host)
    return f"{parts.scheme}://{shown}{f':{parts.port}' if parts.port else ''}/"
