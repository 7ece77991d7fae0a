"""Models as the ``anthropic`` package lists them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from mlxr.runtime.messages.frontend import Catalog
from tests.http.rig import ENGINE, ENTRY, rig

anthropic = pytest.importorskip("anthropic")

NAMES = ["a", "b", "c"]
CATALOG = Catalog([msgspec.structs.replace(ENTRY, name=name, aliases=[f"alias-{name}"]) for name in NAMES], [ENGINE])


async def test_one_model_has_what_anthropics_have(tmp_path: Path) -> None:
    async with rig(tmp_path, CATALOG) as r, anthropic.AsyncAnthropic(base_url=r.url, api_key="none") as client:
        made = await client.models.retrieve("alias-b")
        assert (made.type, made.id, made.display_name, made.lifecycle) == ("model", "alias-b", "b", "active")
        assert (made.created_at.year, made.max_input_tokens, made.max_tokens) == (2023, 2048, 2048)


@pytest.mark.parametrize(
    ("fields", "expected", "more"),
    [
        ({}, "abc", False),
        ({"limit": 2}, "ab", True),
        ({"limit": 2, "after_id": "a"}, "bc", False),
        ({"limit": 1, "before_id": "c"}, "b", True),
        ({"lifecycle": ["retired"]}, "", False),
    ],
    ids=["all", "limit", "after", "before", "retired"],
)
async def test_a_list_comes_in_pages(tmp_path: Path, fields: dict[str, Any], expected: str, more: bool) -> None:
    async with rig(tmp_path, CATALOG) as r, anthropic.AsyncAnthropic(base_url=r.url, api_key="none") as client:
        page = await client.models.list(**fields)
        assert ("".join(model.id for model in page.data), page.has_more) == (expected, more)


async def test_all_pages_are_every_model_once(tmp_path: Path) -> None:
    async with rig(tmp_path, CATALOG) as r, anthropic.AsyncAnthropic(base_url=r.url, api_key="none") as client:
        assert [model.id async for model in client.models.list(limit=1)] == NAMES


@pytest.mark.parametrize("fields", [{"limit": 0}, {"after_id": "nobody"}])
async def test_a_page_that_isnt_is_refused(tmp_path: Path, fields: dict[str, Any]) -> None:
    async with rig(tmp_path, CATALOG) as r, anthropic.AsyncAnthropic(base_url=r.url, api_key="none") as client:
        with pytest.raises(anthropic.BadRequestError, match=next(iter(fields))):
            await client.models.list(**fields)
