"""The ``openai`` package on embeddings, against a scripted runtime."""

from __future__ import annotations

from pathlib import Path

import openai
import pytest

from tests.http.openai.test_package import client
from tests.http.rig import embedded


async def test_embeddings_come_as_base64_by_default_and_as_numbers_on_request(tmp_path: Path) -> None:
    async with client(tmp_path) as (r, c):
        r.on_other = embedded
        packed = await c.embeddings.create(model="tiny", input=["ab", "c"])
        plain = await c.embeddings.create(model="tiny", input=["ab", "c"], encoding_format="float")
        assert [item.index for item in packed.data] == [0, 1]
        for one, other in zip(packed.data, plain.data, strict=True):
            assert one.embedding == pytest.approx(other.embedding)
        assert packed.usage.prompt_tokens == 4


async def test_fewer_dimensions_are_of_unit_length_again(tmp_path: Path) -> None:
    async with client(tmp_path) as (r, c):
        r.on_other = embedded
        made = await c.embeddings.create(model="tiny", input=[3, 4, 12], dimensions=2)
        assert made.data[0].embedding == pytest.approx([0.6, 0.8])
        with pytest.raises(openai.BadRequestError, match="dimensions"):
            await c.embeddings.create(model="tiny", input="a", dimensions=4)


@pytest.mark.parametrize("fields", [{"input": []}, {"input": ["a"] * 2049}, {"input": "a", "encoding_format": "hex"}])
async def test_inputs_that_cant_be_embedded_are_refused(tmp_path: Path, fields: dict) -> None:
    async with client(tmp_path) as (_, c):
        with pytest.raises(openai.BadRequestError):
            await c.embeddings.create(model="tiny", **fields)
