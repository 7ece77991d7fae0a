"""Names and durations have a length that is looked at before anything is made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.http.cases.plain import PLAIN
from tests.http.rig import rig

LONG = 200_000


@pytest.mark.parametrize(
    ("path", "field", "value"),
    [
        *[(path, "model", "m" * LONG) for path, body in PLAIN.items() if "model" in body],
        *[("/api/copy", field, "m" * LONG) for field in ("source", "destination")],
        ("/api/create", "from", "m" * LONG),
        ("/api/show", "name", "m" * LONG),
        *[
            (path, "keep_alive", "1h" * LONG)
            for path in ("/api/chat", "/api/generate", "/api/embed", "/api/embeddings", "/v1/chat/completions")
        ],
    ],
)
async def test_one_that_is_too_long_is_refused_by_its_name(tmp_path: Path, path: str, field: str, value: Any) -> None:
    async with rig(tmp_path) as r, aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(60)) as session:
        async with session.post(r.url + path, json={**PLAIN[path], field: value}) as response:
            text = await response.text()
        assert response.status == 400, text[:200]
        assert f"`{field}`" in text
        assert "length <= " in text
