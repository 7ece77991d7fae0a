"""Every answer names its request."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest

from tests.http.rig import rig

anthropic = pytest.importorskip("anthropic")
openai = pytest.importorskip("openai")

HI = [{"role": "user", "content": "Hi"}]


async def test_openais_client_finds_the_name_of_an_answer_and_of_an_error(tmp_path: Path) -> None:
    async with rig(tmp_path) as r, openai.AsyncOpenAI(base_url=r.url + "/v1", api_key="none", max_retries=0) as client:
        first = await client.chat.completions.create(model="tiny", messages=HI)
        second = await client.chat.completions.create(model="tiny", messages=HI)
        assert first._request_id is not None
        assert first._request_id != second._request_id
        with pytest.raises(openai.NotFoundError) as refused:
            await client.models.retrieve("nope")
        assert refused.value.request_id is not None


async def test_anthropics_client_finds_it_in_a_header_of_its_own(tmp_path: Path) -> None:
    async with rig(tmp_path) as r, anthropic.AsyncAnthropic(base_url=r.url, api_key="none", max_retries=0) as client:
        made = await client.messages.create(model="tiny", max_tokens=9, messages=HI)
        assert made._request_id is not None
        with pytest.raises(anthropic.NotFoundError) as refused:
            await client.messages.create(model="nope", max_tokens=9, messages=HI)
        assert refused.value.request_id is not None


@pytest.mark.parametrize(("given", "kept"), [("mine-1", True), ("x" * 200, False)])
async def test_a_name_that_the_client_gives_is_kept_if_it_is_short(tmp_path: Path, given: str, kept: bool) -> None:
    async with rig(tmp_path) as r, aiohttp.ClientSession(r.url) as session:
        answer = await session.get("/v1/models", headers={"X-Request-Id": given})
        assert (answer.headers["X-Request-Id"] == given) is kept
