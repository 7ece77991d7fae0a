"""Answers as JSON."""

from __future__ import annotations

import asyncio
import base64

import msgspec
from aiohttp import web

from mlxr.api.embeddings import Vector

AT_A_TIME = 32
"""Vectors encoded in one go: a few milliseconds at 1,024 dimensions."""


def json_response(value: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(value), status=status, headers=headers, content_type="application/json"
    )


async def encoded_vectors(vectors: list[Vector], as_base64: bool = False) -> list[msgspec.Raw]:
    """Returns each vector as JSON: an array of numbers, or little-endian float32 in base64, as OpenAI's clients ask for
    by default. A long list lets other work of the loop in between."""
    made: list[msgspec.Raw] = []
    for index, vector in enumerate(vectors):
        if index % AT_A_TIME == AT_A_TIME - 1:
            await asyncio.sleep(0)
        value = base64.b64encode(vector.astype("<f4").tobytes()).decode() if as_base64 else vector.tolist()
        made.append(msgspec.Raw(msgspec.json.encode(value)))
    return made
