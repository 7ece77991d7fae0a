"""Requests to a server, by aiohttp: JSON, and streams of lines. What goes wrong is a ``ServerError`` or ``ServerGone``,
in words for whoever typed the command.
"""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import anyio

from mlxr.cli import interruptible
from mlxr.cli.client.background import started
from mlxr.cli.client.endpoint import API_KEY, Endpoint, named, running
from mlxr.cli.printing import remark
from mlxr.runtime.errors import MlxrError
from mlxr.runtime.paths import Home

T = TypeVar("T")

CONNECT_SECONDS = 10.0
_PIECE = 1 << 20
MOST_LINE = 64 << 20
"""Bytes of one line of a stream."""

_LOST = (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError, ConnectionError)


class ServerError(MlxrError):
    """The server refused a request, or failed in its midst.

    status: of HTTP; 200 where the answer had begun.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class ServerGone(MlxrError):  # noqa: N818  (a state of the world)
    """Nothing answers where the server is, or it ended in the midst of an answer."""


class Client:
    """Sends requests to one server. Use within ``connected``."""

    def __init__(self, endpoint: Endpoint, session: aiohttp.ClientSession) -> None:
        self.endpoint = endpoint
        self._session = session

    async def get(self, path: str) -> Any:
        """The JSON that ``path`` answers with. Raises ``ServerError`` and ``ServerGone``."""
        return await self.request("GET", path)

    async def post(self, path: str, body: object) -> Any:
        """The JSON that ``path`` answers ``body`` with; None where that is empty."""
        return await self.request("POST", path, body)

    async def request(self, method: str, path: str, body: object = None) -> Any:
        async with self._response(method, path, body) as response:
            try:
                text = await response.text()
            except _LOST as error:
                raise self._gone(error) from None
            return _json(text) if text else None

    async def lines(self, path: str, body: object, method: str = "POST") -> AsyncGenerator[dict[str, Any], None]:
        """The objects of a stream of JSON lines, as they come; one that is an error is raised as ``ServerError``.
        Whoever stops reading early closes the iterator (``contextlib.aclosing``), which ends the request."""
        async with self._response(method, path, body) as response:
            try:
                async for raw in response.content:
                    line = _json(raw.decode(errors="replace"))
                    if isinstance(line, dict) and "error" in line:
                        raise ServerError(str(line["error"]), response.status)
                    yield line
            except _LOST as error:
                raise self._gone(error) from None

    async def events(self, path: str, body: object) -> AsyncGenerator[dict[str, Any], None]:
        """The objects of a stream of server-sent events, as they come, to the end or ``[DONE]``; one that is an error
        is raised as ``ServerError``."""
        async with self._response("POST", path, body) as response:
            try:
                async for raw in response.content:
                    if not raw.startswith(b"data: ") or raw.startswith(b"data: [DONE]"):
                        continue
                    event = _json(raw[6:].decode(errors="replace"))
                    if isinstance(event, dict) and "error" in event:
                        raise ServerError(_message(raw[6:].decode(errors="replace")), response.status)
                    yield event
            except _LOST as error:
                raise self._gone(error) from None

    async def text(self, path: str) -> str:
        """What ``path`` answers with, whatever it is."""
        async with self._response("GET", path, None) as response:
            try:
                return await response.text()
            except _LOST as error:
                raise self._gone(error) from None

    async def has(self, path: str) -> bool:
        """Whether there is something at ``path``."""
        try:
            async with self._response("HEAD", path, None):
                return True
        except ServerError as error:
            if error.status == 404:
                return False
            raise

    async def upload(self, path: str, file: Path, report: Callable[[int], None]) -> None:
        """Sends a file's bytes. ``report`` is told how many of them are gone."""

        async def pieces() -> AsyncIterator[bytes]:
            done = 0
            async with await anyio.open_file(file, "rb") as opened:
                while piece := await opened.read(_PIECE):
                    yield piece
                    done += len(piece)
                    report(done)

        try:
            headers = {"Content-Length": str(os.stat(file).st_size)}
            response = await self._session.post(f"{self.endpoint.url}{path}", data=pieces(), headers=headers)
        except _LOST as error:
            raise self._gone(error) from None
        try:
            if response.status >= 400:
                raise await self._refusal(response)
        finally:
            response.close()

    @asynccontextmanager
    async def _response(self, method: str, path: str, body: object) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            request = self._session.request(method, f"{self.endpoint.url}{path}", json=body)
            response = await request
        except _LOST as error:
            raise self._gone(error) from None
        except aiohttp.ClientError as error:
            raise ServerGone(f"what answers at {self.endpoint.shown} is no mlxr server: {error}") from None
        try:
            if response.status >= 400:
                raise await self._refusal(response, body)
            yield response
        finally:
            response.close()

    async def _refusal(self, response: aiohttp.ClientResponse, body: object = None) -> ServerError:
        try:
            text = await response.text(errors="replace")
        except _LOST as error:
            raise self._gone(error) from None
        said = _message(text) or f"{response.status} {response.reason}"
        if response.status == 404 and self.endpoint.process and isinstance(body, dict):
            # Clients are not told what lies at a path; whoever has typed it here may know.
            said = await anyio.to_thread.run_sync(_unreadable, str(body.get("model", ""))) or said
        if response.status == 401:
            said = f"{said}; put the server's key into {API_KEY}"
        return ServerError(said, response.status)

    def _gone(self, error: BaseException) -> ServerGone:
        if isinstance(error, aiohttp.ClientConnectorError | ConnectionRefusedError):
            return ServerGone(
                f"no server answers at {self.endpoint.shown} ({_reason(error)}); `mlxr up` starts one here"
            )
        if isinstance(error, aiohttp.ClientPayloadError | aiohttp.ServerDisconnectedError):
            return ServerGone(f"the server at {self.endpoint.shown} has ended in the midst of an answer")
        return ServerGone(f"the server at {self.endpoint.shown} is gone ({_reason(error)})")


@asynccontextmanager
async def connected(endpoint: Endpoint) -> AsyncIterator[Client]:
    """A client of that server. Requests may take as long as they do; connecting may not."""
    connector: aiohttp.BaseConnector
    if endpoint.socket:
        connector = aiohttp.UnixConnector(endpoint.socket)
    else:
        connector = aiohttp.TCPConnector(ssl=_trusted(endpoint), limit=0)
    headers = {"Authorization": f"Bearer {endpoint.key}"} if endpoint.key else {}
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
    async with aiohttp.ClientSession(
        connector=connector,
        headers=headers,
        timeout=timeout,
        trust_env=not endpoint.process,
        read_bufsize=MOST_LINE,
    ) as session:
        yield Client(endpoint, session)


def asked(endpoint: Endpoint, method: str, path: str, body: object = None) -> Any:
    """The JSON that one request to that server is answered with."""

    async def run() -> Any:
        async with connected(endpoint) as client:
            return await client.request(method, path, body)

    return interruptible.run(run)


async def choose(endpoint: str | None = None, *, start: bool = True) -> Endpoint:
    """The server to talk to. Raises ``ServerGone`` where none runs and none is to be started, ``StartError`` where it
    doesn't start, ``ConfigError`` for an endpoint that is none."""
    home = Home.find()
    if (chosen := named(endpoint)) is not None:
        return chosen
    if found := running(home):
        others = [server.shown for server in found[1:] if not server.background]
        if others:
            remark(
                f"several servers run here; this asks {found[0].shown}, --endpoint names another: {', '.join(others)}"
            )
        return found[0]
    if not start:
        raise ServerGone("no server is running under this MLXR_HOME; `mlxr up` starts one, --endpoint names another")
    return await anyio.to_thread.run_sync(started, home)


def _trusted(endpoint: Endpoint) -> ssl.SSLContext | bool:
    """A server of this user's own run directory is known by that; its certificate is made out to other names."""
    return not endpoint.process


def _unreadable(name: str) -> str:
    """Why no model can be read at the path ``name``, as far as its first bytes tell; '' for other names."""
    # What looks at model files, which most commands do without.
    from mlxr.actors.registry.catalogue.local_files import NoModelAtPath, stat_model
    from mlxr.models.names import local_file

    path = local_file(name)
    try:
        if path is not None:
            stat_model(path)
    except NoModelAtPath as error:
        return error.why
    return ""


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise ServerError(f"the server answered with something other than JSON: {text[:80]!r}", 200) from None


def _message(text: str) -> str:
    """What an error's body says, in any surface's form."""
    try:
        body = json.loads(text)
    except ValueError:
        return ""
    error = body.get("error") if isinstance(body, dict) else None
    return str(error.get("message", "")) if isinstance(error, dict) else str(error or "")


def _reason(error: BaseException) -> str:
    system = getattr(error, "os_error", error)
    return getattr(system, "strerror", None) or str(error) or type(error).__name__
