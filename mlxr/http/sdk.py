"""Which provider's client library sent a request, on routes that several of them call."""

from __future__ import annotations

from aiohttp import web

ANTHROPIC_VERSION = "anthropic-version"
"""A header that only Anthropic's clients send."""


def asked_by_anthropic(request: web.BaseRequest) -> bool:
    return ANTHROPIC_VERSION in request.headers
