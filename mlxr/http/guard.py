"""Who gets in: keys, the Host header, other sites' pages, and how often."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import socket
import time
from collections.abc import Callable, Collection
from urllib.parse import urlsplit

from aiohttp import web

from mlxr.http.errors import HttpError, Problem
from mlxr.http.settings import ServerSettings, is_loopback

MOST_CALLERS = 10_000
"""Callers whose rate is remembered; beyond that the least recent are forgotten."""

WRONG_KEYS_PER_MINUTE = 30.0
"""What an address may send where no other rate is set."""

SAFE = ("GET", "HEAD", "OPTIONS")
"""Methods that change nothing, which pages elsewhere may use where they need not say who they are."""

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+)(:[0-9]{0,5})?")

_CORS_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
_CORS_AGE = "43200"


class Keys:
    """Compares keys in a time that does not depend on where they differ, nor on which matches."""

    def __init__(self, keys: Collection[str]) -> None:
        self._digests = [_digest(key) for key in keys]

    def admits(self, given: str) -> bool:
        digest = _digest(given)
        found = False
        for known in self._digests:
            found |= hmac.compare_digest(known, digest)
        return found


class TokenBuckets:
    """Keeps a token bucket for each caller: ``per_minute`` requests a minute, as many at once after a quiet minute."""

    def __init__(self, per_minute: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._buckets: dict[str | None, tuple[float, float]] = {}

    def look(self, caller: str | None) -> float:
        """Returns what ``wait`` would, and counts nothing."""
        level = self._level(caller, self._clock())
        return 0.0 if level >= 1 else (1 - level) * 60 / self._per_minute

    def _level(self, caller: str | None, now: float) -> float:
        most = max(1.0, self._per_minute)
        level, since = self._buckets.get(caller, (most, now))
        return min(most, level + (now - since) * self._per_minute / 60)

    def wait(self, caller: str | None) -> float:
        """Returns the seconds until the next request of ``caller`` may come; 0 lets this one through and counts it."""
        now = self._clock()
        level = self._level(caller, now)
        self._buckets.pop(caller, None)
        allowed = level >= 1
        self._buckets[caller] = (level - allowed, now)
        if len(self._buckets) > MOST_CALLERS:
            del self._buckets[next(iter(self._buckets))]
        return 0.0 if allowed else (1 - level) * 60 / self._per_minute


class Guard:
    """Checks a request before any handler sees it; each check raises ``HttpError``."""

    def __init__(self, settings: ServerSettings) -> None:
        self._keys = Keys(settings.api_keys) if settings.api_keys else None
        self._buckets = TokenBuckets(settings.requests_per_minute) if settings.requests_per_minute else None
        self._origins = settings.cors_origins
        self._wrong_keys = TokenBuckets(settings.requests_per_minute or WRONG_KEYS_PER_MINUTE)
        self._right: dict[tuple[str, bytes], None] = {}
        # A server on the network that asks for keys is protected by them, and reached by names that it can't know.
        self._check_hosts = is_loopback(settings.host) or not settings.api_keys
        self._open = not is_loopback(settings.host)
        self._hosts = frozenset(_bare(host) for host in settings.allowed_hosts)
        if self._open:
            name = _bare(socket.gethostname())
            self._hosts |= {name, name.partition(".")[0]}

    def check_host(self, request: web.Request) -> None:
        """Refuses names that a page elsewhere may have bound to this address (DNS rebinding)."""
        if not self._check_hosts or _is_unix(request):
            return
        # The target of a request may have a host of its own, which then counts (RFC 9112, 3.2.2).
        named = [request.host] if "://" in request.raw_path.partition("?")[0] else []
        for given in (*request.headers.getall("Host", []), *named):
            if given and not self._knows(given):
                message = f"the Host header {given[:200]!r} is not local; server.allowed_hosts lets more in"
                raise HttpError(Problem(403, message, "host"))

    def _knows(self, given: str) -> bool:
        host = _name(given)
        if host in self._hosts or host == "localhost" or host.endswith(".localhost"):
            return bool(host)
        # Nobody binds an address to another one.
        return is_loopback(host) or (self._open and _is_address(host))

    def check_key(self, request: web.Request) -> str | None:
        """Returns who calls: a digest of the key, or the address where none is needed. An address that has sent too
        many wrong keys is told nothing of others for a while; those that it has used before are let in all the same."""
        address = request.remote or ""
        if self._keys is None:
            return request.remote
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        given = token.strip() if scheme.lower() == "bearer" else request.headers.get("x-api-key", "")
        if not given:
            raise HttpError(Problem(401, "an API key is needed: Authorization: Bearer KEY, or x-api-key", "no_api_key"))
        caller = address, _digest(given)
        if caller not in self._right:
            if seconds := self._wrong_keys.look(address):
                message = "too many wrong keys came from this address"
                raise HttpError(Problem(429, message, "rate_limit_exceeded", retry_after=seconds))
            if not self._keys.admits(given):
                self._wrong_keys.wait(address)
                raise HttpError(Problem(401, "this API key is not known", "invalid_api_key"))
            self._right[caller] = None
            if len(self._right) > MOST_CALLERS:
                del self._right[next(iter(self._right))]
        return caller[1].hex()

    def check_rate(self, caller: str | None) -> None:
        if self._buckets is not None and (seconds := self._buckets.wait(caller)):
            message = "too many requests with this key; server.requests_per_minute is the limit"
            raise HttpError(Problem(429, message, "rate_limit_exceeded", retry_after=seconds))

    def allows_origin(self, origin: str) -> bool:
        return any(_matches(origin, allowed) for allowed in self._origins)

    def cors_headers(self, request: web.Request) -> dict[str, str]:
        """Returns the headers that let a page of an allowed origin read the answer; none for others."""
        origin = request.headers.get("Origin", "")
        if not origin or not self.allows_origin(origin):
            return {}
        # SDKs read whether and when to try again, and the request's id. ``*`` is all, as cookies are not let in.
        return {"Access-Control-Allow-Origin": origin, "Vary": "Origin", "Access-Control-Expose-Headers": "*"}

    def check_origin(self, request: web.Request) -> None:
        """Refuses pages of other sites: a browser sends a simple request before it asks whether it may."""
        origin = request.headers.get("Origin", "")
        if not origin and request.method not in SAFE and request.headers.get("Sec-Fetch-Site") == "cross-site":
            message = "pages of other sites are not let in; server.cors_origins lists those that are"
            raise HttpError(Problem(403, message, "origin"))
        if not origin or self.allows_origin(origin):
            return
        if origin.partition("://")[2] == request.headers.get("Host", ""):
            return
        message = f"pages of {origin} are not let in; server.cors_origins lists those that are"
        raise HttpError(Problem(403, message, "origin"))


def preflight(request: web.Request) -> web.Response:
    """Returns the answer to a browser that asks first."""
    wanted = request.headers.get("Access-Control-Request-Headers", "Authorization, Content-Type, x-api-key")
    return web.Response(
        status=204,
        headers={
            "Access-Control-Allow-Methods": _CORS_METHODS,
            "Access-Control-Allow-Headers": wanted,
            "Access-Control-Max-Age": _CORS_AGE,
        },
    )


def _matches(origin: str, allowed: str) -> bool:
    """Whether ``allowed`` stands for ``origin``: behind a colon its ``*`` stands for a port."""
    if not allowed.endswith("*"):
        return origin == allowed
    rest = origin.removeprefix(allowed[:-1])
    return rest != origin and (rest.isdecimal() or not allowed.endswith(":*"))


def _name(host: str) -> str:
    """The name in a Host header, without its port; "" for what is none."""
    if not _HOST.fullmatch(host):
        return ""
    try:
        return _bare(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return ""


def _bare(host: str) -> str:
    """A name without the dot that it may end with."""
    return host.lower().removesuffix(".")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _is_unix(request: web.Request) -> bool:
    transport = request.transport
    return transport is not None and isinstance(transport.get_extra_info("sockname"), str | bytes)
