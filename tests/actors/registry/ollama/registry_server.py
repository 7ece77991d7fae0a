"""A registry on a loopback port: manifests, blobs by ranges, uploads in pieces, tokens; wrong where a test asks for it.

It answers as Docker's registry (distribution specification 1.0) does.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from mlxr.actors.registry.ollama.manifest import CONFIG_TYPE, MANIFEST_TYPE, MODEL
from tests.actors.registry.sources.web import Web, serving

MEDIA = "application/vnd.ollama.image."
REPOSITORY = r"/v2/(?P<repository>[^/]+/[^/]+)"


class Registry(Web):
    """What was pushed, by repository.

    manifests: by ``NAMESPACE/MODEL:TAG``.
    blobs: by ``sha256:HEX``, of all repositories.
    uploads: what has come of each.
    realm: where tokens are got; '' for where it is, None for no tokens.
    tokens: those given out, each good for one scope; none of them is taken where ``forever``.
    login: ``NAME:PASSWORD`` without which there is no token.
    elsewhere: another server's address that blobs are redirected to.
    """

    def __init__(self) -> None:
        super().__init__()
        self.manifests: dict[str, bytes] = {}
        self.blobs: dict[str, bytes] = {}
        self.uploads: dict[str, bytearray] = {}
        self.realm: str | None = None
        self.tokens: dict[str, str] = {}
        self.scopes: list[list[str]] = []
        self.forever = False
        self.login = ""
        self.elsewhere = ""
        self.received = 0

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")

    def blob(self, data: bytes) -> dict[str, Any]:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.blobs[digest] = data
        return {"digest": digest, "size": len(data)}

    def add(
        self,
        name: str,
        model: bytes,
        layers: Sequence[tuple[str, bytes]] = (),
        config: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """A model, as ``NAMESPACE/MODEL:TAG``; its manifest."""
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": {"mediaType": CONFIG_TYPE, **self.blob(json.dumps(config or {"model_format": "gguf"}).encode())},
            "layers": [
                {"mediaType": MODEL, **self.blob(model)},
                *({"mediaType": f"{MEDIA}{kind}", **self.blob(text)} for kind, text in layers),
            ],
        }
        self.manifests[name] = json.dumps(manifest).encode()
        return manifest

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/token":
            return self._token(request)
        if self.realm is not None and not self._let_in(request):
            return self._challenge(request)
        for pattern, answer in (
            (rf"{REPOSITORY}/manifests/(?P<tag>[^/]+)", self._manifest),
            (rf"{REPOSITORY}/blobs/(?P<digest>sha256:[0-9a-f]+)", self._blob),
            (rf"{REPOSITORY}/blobs/uploads/", self._begin),
            (rf"{REPOSITORY}/blobs/uploads/(?P<upload>[^/]+)", self._upload),
        ):
            if match := re.fullmatch(pattern, request.path):
                return await answer(request, **match.groupdict())
        return _error(404, "UNKNOWN")

    def _token(self, request: web.Request) -> web.Response:
        if self.login and request.headers.get("Authorization") != _basic(self.login):
            return _error(401, "UNAUTHORIZED")
        self.scopes.append(request.query.getall("scope", []))
        token = secrets.token_urlsafe(8)
        self.tokens[token] = " ".join(self.scopes[-1])
        return web.json_response({"token": token, "expires_in": 300})

    def _let_in(self, request: web.Request) -> bool:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        writes = request.method not in ("GET", "HEAD")
        return not self.forever and token in self.tokens and (not writes or "push" in self.tokens[token])

    def _challenge(self, request: web.Request) -> web.Response:
        repository = "/".join(request.path.split("/")[2:4])
        actions = "pull" if request.method in ("GET", "HEAD") else "pull,push"
        realm = self.realm or f"{self.url}/token"
        asked = f'Bearer realm="{realm}",service="test",scope="repository:{repository}:{actions}"'
        return _error(401, "UNAUTHORIZED", {"WWW-Authenticate": asked})

    async def _manifest(self, request: web.Request, repository: str, tag: str) -> web.StreamResponse:
        name = f"{repository}:{tag}"
        if request.method == "PUT":
            body = await request.read()
            listed = json.loads(body)
            wanted = [*listed["layers"], listed["config"]]
            missing = [layer["digest"] for layer in wanted if layer["digest"] not in self.blobs]
            if missing:
                return _error(400, "MANIFEST_BLOB_UNKNOWN")
            self.manifests[name] = body
            return web.Response(status=201)
        if name not in self.manifests:
            return _error(404, "MANIFEST_UNKNOWN")
        return web.Response(body=self.manifests[name], content_type=MANIFEST_TYPE)

    async def _blob(self, request: web.Request, repository: str, digest: str) -> web.StreamResponse:
        content = self.blobs.get(digest)
        if content is None:
            return _error(404, "BLOB_UNKNOWN")
        if request.method == "HEAD":
            return web.Response(headers={"Content-Length": str(len(content))})
        if self.elsewhere:
            return web.Response(status=307, headers={"Location": f"{self.elsewhere}/{digest}"})
        return await self.send(request, content)

    async def _begin(self, request: web.Request, repository: str) -> web.StreamResponse:
        number = secrets.token_hex(4)
        self.uploads[number] = bytearray()
        return self._location(repository, number, 202)

    async def _upload(self, request: web.Request, repository: str, upload: str) -> web.StreamResponse:
        come = self.uploads.get(upload)
        if come is None:
            return _error(404, "BLOB_UPLOAD_UNKNOWN")
        if request.method == "GET":
            return self._location(repository, upload, 204)
        span = re.fullmatch(r"(?:bytes )?(\d+)-(\d+)(?:/.*)?", request.headers.get("Content-Range", ""))
        if span and int(span[1]) != len(come):
            return self._location(repository, upload, 416)
        async for piece in request.content.iter_any():
            come += piece
            self.received += len(piece)
        if request.method == "PATCH":
            return self._location(repository, upload, 202)
        digest = request.query["digest"]
        if digest != f"sha256:{hashlib.sha256(come).hexdigest()}":
            return _error(400, "DIGEST_INVALID")
        self.blobs[digest] = bytes(come)
        del self.uploads[upload]
        return web.Response(status=201)

    def _location(self, repository: str, upload: str, status: int) -> web.Response:
        """Relative, as some registries have it, and with a query of its own."""
        headers = {"Location": f"/v2/{repository}/blobs/uploads/{upload}?state={secrets.token_hex(4)}"}
        if come := len(self.uploads[upload]):
            headers["Range"] = f"0-{come - 1}"
        return web.Response(status=status, headers=headers)


def _basic(login: str) -> str:
    import base64

    return f"Basic {base64.b64encode(login.encode()).decode()}"


def _error(status: int, code: str, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.json_response({"errors": [{"code": code, "message": code.lower()}]}, status=status, headers=headers)


@asynccontextmanager
async def registry_server() -> AsyncIterator[Registry]:
    server = Registry()
    async with serving(server.answer) as url:
        server.url = url
        yield server
