"""Headers that keep a page to itself: what it may load and ask, who may show it, and what browsers may make of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_POLICY = {
    "default-src": "'self'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data: blob:",
    "connect-src": "'self'",
    "object-src": "'none'",
    "frame-src": "'none'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
}

NOT_A_PAGE: Final[Mapping[str, str]] = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}
"""For what is no page, and must not be made one: whatever a chat's text or attachment says, it runs nothing."""

PAGE: Final[Mapping[str, str]] = {
    **NOT_A_PAGE,
    "Content-Security-Policy": "; ".join(f"{name} {sources}" for name, sources in _POLICY.items()),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=()",
}
"""For pages: everything comes from this server; nothing is inline, nothing is asked of others, nobody frames them."""
