"""HTTP as transfers need it: redirects, who hears of tokens, and which answers are worth another try."""

from __future__ import annotations

import email.utils
import re
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

import aiohttp
import anyio
from yarl import URL

import mlxr
from mlxr.actors.registry.sources.transfer.access import Access, Anybody
from mlxr.actors.registry.sources.transfer.limits import KIB, TransferLimits
from mlxr.actors.registry.sources.transfer.public_hosts import require_public_literal
from mlxr.actors.registry.sources.transfer.public_resolver import PublicResolver
from mlxr.actors.registry.sources.transfer.retries import Interrupted
from mlxr.api.certificates import system_certificates
from mlxr.runtime.errors import ModelNotFound, PullError, system_reason

T = TypeVar("T")

_REDIRECTS = (301, 302, 303, 307, 308)
_PASSING = (408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529)
"""What a later try may do better at; those from 520 are what CDNs say where the host behind them has trouble."""
_NO_TLS = ("WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE")
"""What OpenSSL and LibreSSL say of an answer that is none of TLS, most often plain HTTP."""
_RESET_IN = re.compile(r"\bt=(\d+)")

ANYBODY = Anybody()


class HttpClient:
    """Owns the connections of one pull, and closes them with it.

    session: sends requests.
    """

    def __init__(self, session: aiohttp.ClientSession, limits: TransferLimits) -> None:
        self._session = session
        self.limits = limits

    @classmethod
    @asynccontextmanager
    async def open(cls, limits: TransferLimits) -> AsyncIterator[HttpClient]:
        """A client that knows the proxies of the environment, and the system's certificates."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=limits.connect_seconds, sock_read=limits.stall_seconds)
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                ssl=system_certificates(), resolver=PublicResolver() if limits.public_only else None
            ),
            timeout=timeout,
            headers={"User-Agent": f"mlxr/{mlxr.__version__}", "Accept-Encoding": "identity"},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            read_bufsize=256 * KIB,
        ) as session:
            yield cls(session, limits)

    @asynccontextmanager
    async def get(
        self, url: str, headers: Mapping[str, str] | None = None, access: Access = ANYBODY
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer to a GET, after redirects, with a status of 200 to 299, or 416.

        Raises ``Interrupted`` where another try may do better; ``PullError`` and ``ModelNotFound`` where not.
        """
        async with self.send("GET", url, headers, access) as response:
            yield response

    @asynccontextmanager
    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        access: Access = ANYBODY,
        body: Callable[[], Any] | None = None,
        taken: Collection[int] = (),
        patience: float = 0.0,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """As ``get``, by any method. ``body``: makes what aiohttp sends, anew for each request. ``taken``: further
        statuses that are an answer and no error. ``patience``: seconds that the answer may take, where that is not what
        others may."""
        try:
            response = await self._follow(method, url, dict(headers or {}), access, body, taken, patience)
        except (aiohttp.InvalidURL, ValueError):
            # What a redirect names may be no host at all, which only shows when it is looked for.
            raise PullError(f"{shown(url)} is no address of the web") from None
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise interruption(_url(url).host or url, error, self.limits) from error
        try:
            yield response
        finally:
            response.close()

    async def _follow(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        access: Access,
        body: Callable[[], Any] | None,
        taken: Collection[int],
        patience: float,
    ) -> aiohttp.ClientResponse:
        """Sends requests until an answer is no redirect."""
        origin = at = _url(url)
        renewed = False
        for _ in range(self.limits.redirects + 1):
            if self.limits.public_only:
                require_public_literal(at.host or "")
            sent = {**headers, **await access.headers(url)} if at.origin() == origin.origin() else headers
            data = body() if body else None
            connect, read = self.limits.connect_seconds, patience or self.limits.stall_seconds
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect, sock_read=read)
            asked = partial(
                self._session.request,
                method,
                at,
                headers=sent,
                data=data,
                allow_redirects=False,
                proxy=_proxy(at),
                timeout=timeout,
            )
            # What is sent takes as long as it takes.
            response = await asked() if data or patience else await _in_time(asked, at.host, self.limits)
            # What has a body is sent again where the redirect keeps the method, and only there.
            followed = _REDIRECTS if body is None else (307, 308)
            if response.status in followed and "Location" in response.headers:
                response.close()
                at = _next(at, response.headers["Location"])
                continue
            if response.status == 401 and at.origin() == origin.origin() and not renewed:
                renewed = True
                response.close()
                if await access.renew(url, response.headers):
                    continue
            if response.status < 300 or response.status == 416 or response.status in taken:
                return response
            response.close()
            raise _failure(url, at, response, access)
        raise PullError(f"{shown(url)} sends from one address to the next without an end; give the final one")


async def read_short(response: aiohttp.ClientResponse, most: int, limits: TransferLimits) -> bytes:
    """Returns the body of ``response``, however many pieces it comes in: all of it, or its first ``most`` + 1 bytes.
    Raises as ``HttpClient.send``."""
    host = response.url.host or "the server"

    async def read() -> bytes:
        data = bytearray()
        async for piece in response.content.iter_any():
            data += piece
            if len(data) > most:
                break
        return bytes(data[: most + 1])

    try:
        return await _in_time(read, host, limits)
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        raise interruption(host, error, limits) from error


async def _in_time(work: Callable[[], Awaitable[T]], host: str | None, limits: TransferLimits) -> T:
    """What ``work`` returns. Raises ``PullError`` where a server sends so little at a time that it would never end."""
    with anyio.move_on_after(limits.answer_seconds):
        return await work()
    raise PullError(
        f"{host} did not finish a short answer in {limits.answer_seconds:.0f} s; try again when it has less to do"
    )


def interruption(host: str, error: Exception, limits: TransferLimits) -> Exception:
    """Returns what went wrong with a connection to ``host``, in the user's words: ``Interrupted`` where another try may
    do better."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return PullError(
                f"{host} shows a certificate that is not trusted here ({error.certificate_error}); SSL_CERT_FILE names "
                "a file of those that are"
            )
        case aiohttp.ClientSSLError():
            # The system's number would read as "Operation not permitted".
            why = getattr(error.os_error, "reason", None) or error.os_error
            if why not in _NO_TLS:
                return Interrupted(f"there is no TLS with {host}:{error.port} at present ({why})")
            return PullError(
                f"{host}:{error.port} does not speak TLS ({why}); where it needs none, put http:// before it or give "
                "--insecure"
            )
        case aiohttp.ClientConnectorDNSError():
            return Interrupted(f"the host {host} can't be found (is it spelled right, are you online?)")
        case aiohttp.ConnectionTimeoutError():
            return Interrupted(f"{host} does not answer")
        case TimeoutError():
            return Interrupted(f"{host} sent nothing for {limits.stall_seconds:.0f} s")
        case aiohttp.ClientConnectorError():
            return Interrupted(f"can't connect to {host}:{error.port} ({system_reason(error.os_error)})")
        case aiohttp.ClientPayloadError() | aiohttp.ServerDisconnectedError() | ConnectionError():
            return Interrupted(f"{host} cut the connection")
        case aiohttp.ClientResponseError():
            return Interrupted(f"{host} does not speak HTTP ({error.message})")
    return Interrupted(f"the connection to {host} failed ({error or type(error).__name__})")


def _failure(url: str, at: URL, response: aiohttp.ClientResponse, access: Access) -> Exception:
    """What an answer that is no file means."""
    status, host = response.status, at.host
    if status in _PASSING:
        asked = "; it has been asked too often" if status == 429 else ""
        return Interrupted(f"{host} answers {status} {response.reason}{asked}", retry_after(response.headers))
    if known := access.refusal(status, response.headers):
        return known
    what = shown(url)
    if status in (404, 410):
        return ModelNotFound(f"there is nothing at {what} ({status}); look at its spelling")
    if status in (401, 403, 407):
        return Denied(f"{host} does not let you have {what} ({status} {response.reason}); it may need a login")
    return PullError(f"{host} answers {status} {response.reason} for {what}")


class Denied(PullError):  # noqa: N818  (reads as what happened)
    """The host knows the file and keeps it, or no longer knows who asks."""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Returns the seconds that a server asks to wait: ``Retry-After`` (RFC 9110 10.2.3: seconds or a date), else the
    reset time of ``RateLimit`` (``"name";r=0;t=SECONDS``); None where it says nothing of use."""
    said = headers.get("Retry-After", "").strip()
    if said.isdecimal() and len(said) < 10:
        return float(said)
    if said:
        try:
            return max(email.utils.parsedate_to_datetime(said).timestamp() - time.time(), 0.0)
        except ValueError:
            return None
    reset = _RESET_IN.search(headers.get("RateLimit", ""))
    return float(reset[1]) if reset else None


def _next(at: URL, location: str) -> URL:
    """Where a redirect leads; raises ``PullError`` where nobody should follow it."""
    try:
        target = at.join(_url(location))
    except ValueError:
        target = URL()
    if target.scheme not in ("http", "https") or not target.host:
        raise PullError(f"{at.host} sends on to {location[:200]!r}, which is no address of the web")
    if at.scheme == "https" and target.scheme == "http":
        raise PullError(f"{at.host} sends on from https to http://{target.host}, where anybody may change the file")
    return target


def _url(text: str) -> URL:
    """``text`` as it is, since an address that was signed must not be quoted anew."""
    return URL(text, encoded=text.isascii() and " " not in text)


def _proxy(url: URL) -> str | None:
    """The proxy that the environment (or macOS) names for ``url``. Not left to aiohttp, which would add the logins of a
    netrc file and then fails where there is a token, too."""
    if url.host is None or urllib.request.proxy_bypass(url.host):
        return None
    proxies = urllib.request.getproxies()
    return proxies.get(url.scheme) or proxies.get("all")


def shown(url: str) -> str:
    """``url`` for a message, without what may be secret in it."""
    return str(_url(url).with_user(None).with_query(None).with_fragment(None))
