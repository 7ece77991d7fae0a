"""Access to one model at a registry: the token that it asks for, and what its refusals mean."""

from __future__ import annotations

import base64
import binascii
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path

import anyio
import msgspec
from msgspec import Struct
from yarl import URL

from mlxr.actors.registry.ollama.challenge import Challenge, parse_challenge, token_url
from mlxr.actors.registry.ollama.name import OllamaName
from mlxr.actors.registry.sources.transfer.access import Anybody
from mlxr.actors.registry.sources.transfer.http_client import Denied, HttpClient, read_short
from mlxr.models import names
from mlxr.runtime.errors import ModelError, ModelNotFound, PullError
from mlxr.runtime.regular_files import read_regular

PULL, PUSH = "pull", "pull,push"
_MOST_TOKEN = 1 << 16
_FRESH_SECONDS = 5.0
"""A token that is no older was got for another request of the same moment."""


class _Token(Struct):
    token: str = ""
    access_token: str = ""


class RegistryAccess:
    """Implements ``Access`` for one repository. Owns its token, which is got anew when the registry says so.

    client: gets tokens.
    name: the model.
    host: of the registry, for messages.
    actions: ``PULL`` or ``PUSH``.
    login: the user's name and password at that host, as ``NAME:PASSWORD``; '' for nobody in particular.
    """

    def __init__(self, client: HttpClient, name: OllamaName, host: str, actions: str = PULL, login: str = "") -> None:
        self._client = client
        self._name = name
        self._host = host
        self._actions = actions
        self._login = login
        self._sent: dict[str, str] = {}
        self._answered: Challenge | None = None
        self._got_at = 0.0
        self._lock = anyio.Lock()

    async def headers(self, url: str) -> Mapping[str, str]:
        return self._sent

    async def renew(self, url: str, headers: Mapping[str, str]) -> bool:
        """Raises ``PullError`` for a realm at another host, and where there is no token to be had."""
        async with self._lock:
            challenge = parse_challenge(headers.get("WWW-Authenticate", ""))
            if challenge == self._answered and time.monotonic() - self._got_at < _FRESH_SECONDS:
                return True
            if challenge.scheme == "basic" and self._login:
                self._sent = _basic(self._login)
            elif challenge.scheme == "bearer":
                self._sent = {"Authorization": f"Bearer {await self._token(challenge, URL(url))}"}
            else:
                return False
            self._answered, self._got_at = challenge, time.monotonic()
            return True

    def refusal(self, status: int, headers: Mapping[str, str]) -> ModelError | None:
        if status in (401, 403):
            return self._denied(status)
        what = names.quoted(self._name.shortest)
        if status in (404, 405) and self._actions == PUSH:
            return PullError(f"{self._host} has no place for {what} ({status}); is it a registry of Ollama's kind?")
        if status == 404:
            return ModelNotFound(
                f"there is no model {what} at {self._host}; look at its spelling, and its tag behind the :"
            )
        return None

    def _denied(self, status: int) -> Denied:
        does = "take" if self._actions == PUSH else "give"
        return Denied(
            f"{self._host} does not {does} {names.quoted(self._name.shortest)} ({status}): it is private or not there; "
            f"`docker login {self._host}` notes a name and password that mlxr uses, too"
        )

    async def _token(self, challenge: Challenge, asked: URL) -> str:
        url = token_url(challenge, asked, self._name.repository, self._actions)
        try:
            async with self._client.get(str(url), access=_ByLogin(self._login)) as response:
                if response.url.origin() != url.origin():
                    raise PullError(
                        f"{asked.host} sends on to {response.url.host} for a token; mlxr takes none of there"
                    )
                data = await read_short(response, _MOST_TOKEN, self._client.limits)
        except Denied:
            raise self._denied(401) from None
        try:
            given = msgspec.json.decode(data, type=_Token)
        except (msgspec.DecodeError, RecursionError):
            given = _Token()
        token = given.token or given.access_token
        if not token or not token.isascii() or not names.plain(token):
            raise PullError(f"{asked.host} asks for a token and gives none at {url.with_query(None)}")
        return token


class _ByLogin(Anybody):
    """Access by a name and password, which hosts that the registry's own sends on to hear nothing of."""

    def __init__(self, login: str) -> None:
        self._login = login

    async def headers(self, url: str) -> Mapping[str, str]:
        return _basic(self._login) if self._login else {}


def _basic(login: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}


def known_login(host: str, environment: Mapping[str, str] = os.environ) -> str:
    """Returns ``NAME:PASSWORD`` that ``docker login HOST`` noted, '' where there is none: in ``DOCKER_CONFIG``, else
    ``~/.docker``, as far as it stands in the file itself."""
    folder = environment.get("DOCKER_CONFIG") or os.path.join(environment.get("HOME") or "~", ".docker")
    try:
        config = json.loads(read_regular(Path(folder).expanduser() / "config.json", 1 << 20))
        given = config["auths"]
        auth = next(given[key]["auth"] for key in (host, f"https://{host}", f"http://{host}") if key in given)
        return base64.b64decode(auth, validate=True).decode()
    except (OSError, ValueError, LookupError, TypeError, StopIteration, binascii.Error, RecursionError):
        return ""
