"""A server that speaks as much of the Hub's protocol as a pull uses: lists of files, files, redirects of large ones to
another host, and its errors."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from tests.actors.registry.sources.web import Web, file_server, serving

COMMIT = "c" * 40
LARGE = (".gguf", ".safetensors", ".bin")
"""Endings of files that are kept by LFS, whatever their size here."""


@dataclass
class Repo:
    """A repository.

    files: by path.
    gated: whether only those with a token in ``members`` may read files.
    private: whether only those may see that it exists.
    revisions: commits by name.
    """

    files: dict[str, bytes]
    gated: bool = False
    private: bool = False
    disabled: bool = False
    members: set[str] = field(default_factory=set)
    revisions: dict[str, str] = field(default_factory=lambda: {"main": COMMIT})
    license: str = "apache-2.0"


@dataclass
class FakeHub:
    """The Hub, and the CDN that it sends on to.

    repos: by ORG/REPO.
    renamed: new names by old ones.
    tokens: those that it knows.
    asked: path and Authorization of every request.
    fault: is asked before each answer.
    """

    repos: dict[str, Repo] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    asked: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""
    cdn: Web = field(default_factory=Web)
    fault: Any = None

    def add(self, name: str, files: Mapping[str, bytes], **options: Any) -> Repo:
        self.repos[name] = Repo(dict(files), **options)
        return self.repos[name]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.asked.append((request.path, token))
        if self.fault and (response := await self.fault(request, len(self.asked) - 1)):
            return response
        if token and token not in self.tokens:
            return _error(401, "", "Invalid credentials in Authorization header")
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/revision/([^?]+)", request.raw_path.partition("?")[0]):
            return self._info(match[1], unquote(match[2]), token)
        if match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", request.path):
            return await self._file(request, match[1], match[2], match[3], token)
        return _error(404, "", "Not Found")

    def _seen(self, name: str, revision: str, token: str) -> tuple[Repo | None, web.Response | None]:
        repo = self.repos.get(name)
        if repo is None or (repo.private and token not in repo.members):
            return None, _error(404 if token else 401, "RepoNotFound", "Repository not found")
        if repo.disabled:
            return None, _error(403, "", "Access to this resource is disabled.")
        if revision not in repo.revisions and revision not in repo.revisions.values():
            return None, _error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return repo, None

    def _info(self, name: str, revision: str, token: str) -> web.Response:
        if new := self.renamed.get(name):
            return web.Response(status=307, headers={"Location": f"/api/models/{new}/revision/{revision}?blobs=true"})
        repo, refused = self._seen(name, revision, token)
        if repo is None:
            assert refused is not None
            return refused
        commit = repo.revisions.get(revision, revision)
        siblings = []
        for path, content in repo.files.items():
            entry: dict[str, Any] = {"rfilename": path, "size": len(content), "blobId": git(content)}
            if path.endswith(LARGE):
                entry["lfs"] = {"sha256": sha256(content), "size": len(content), "pointerSize": 134}
            siblings.append(entry)
        body = {"_id": "1", "id": name, "modelId": name, "sha": commit, "siblings": siblings, "tags": []}
        return web.json_response(
            body | {"gated": "auto" if repo.gated else False, "cardData": {"license": repo.license}},
            headers={"X-Repo-Commit": commit},
        )

    async def _file(self, request: web.Request, name: str, revision: str, path: str, token: str) -> web.StreamResponse:
        repo, refused = self._seen(name, revision, token)
        if repo is None:
            assert refused is not None
            return refused
        if repo.gated and token not in repo.members:
            return _error(403 if token else 401, "GatedRepo", f"Access to model {name} is restricted.")
        content = repo.files.get(path)
        if content is None:
            return _error(404, "EntryNotFound", "Entry not found")
        commit = repo.revisions.get(revision, revision)
        headers = {"X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        if not path.endswith(LARGE):
            return await Web(files={}).send(request, content)
        digest = sha256(content)
        self.cdn.files[f"/repos/{digest}"] = content
        headers |= {"X-Linked-Size": str(len(content)), "X-Linked-Etag": f'"{digest}"'}
        headers["Location"] = f"{self.cdn.url}/repos/{digest}?X-Amz-Signature=a%2Bb&response-content-disposition=x%22"
        return web.Response(status=302, headers=headers)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def git(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _error(status: int, code: str, message: str) -> web.Response:
    headers = {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {})
    return web.json_response({"error": message}, status=status, headers=headers)


@asynccontextmanager
async def hub_server() -> AsyncIterator[FakeHub]:
    hub = FakeHub()
    async with file_server() as cdn, serving(hub.answer) as url:
        # Another host to clients, which must not be told who asks.
        hub.cdn, hub.url = cdn, url
        cdn.url = cdn.url.replace("127.0.0.1", "localhost")
        yield hub
