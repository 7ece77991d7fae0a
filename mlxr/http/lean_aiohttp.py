"""Imports aiohttp without its copy of the system's certificates.

Its client makes a context with all of them as it is imported, for connections that name no context: a tenth of a start,
and every connection of a server's names one (``api/certificates.py``). One that did not would trust nobody: what takes
aiohttp's own, as commands do, must not load this.
"""

from __future__ import annotations

import importlib
import ssl
from typing import Any


def import_aiohttp() -> None:
    make = ssl.create_default_context
    ssl.create_default_context = _trusting_nobody
    try:
        importlib.import_module("aiohttp")
    finally:
        ssl.create_default_context = make


def _trusting_nobody(*_: Any, **__: Any) -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
