from __future__ import annotations

import pytest

from mlxr.actors.registry.catalogue.entry import Overrides
from mlxr.actors.registry.catalogue.usable_overrides import laid_over
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.actors.registry.progress import Progress
from mlxr.runtime.model_info import ModelInfo

TEXT = ModelInfo("gguf", "llama", capabilities=["completion", "tools"])
GO = "{{ if .System }}{{ .System }} {{ end }}{{ .Prompt }}"


async def used(overrides: Overrides, info: ModelInfo = TEXT) -> tuple[Overrides, list[str]]:
    heard: list[Progress] = []
    laid = await laid_over(overrides, info, MetadataReader(), heard.append)
    return laid, [progress.status for progress in heard]


async def test_what_can_be_used_stands_with_what_its_template_can_do() -> None:
    given = Overrides(GO, "Be brief.", {"top_k": 3, "stop": "x"}, [{"role": "user", "content": "Hi"}], renderer="lfm2")
    laid, said = await used(given)
    assert (laid.template, laid.system, laid.options) == (GO, "Be brief.", {"top_k": 3, "stop": ["x"]})
    assert (laid.messages, laid.renderer, laid.capabilities) == (given.messages, "lfm2", ["completion"])
    assert said == []


@pytest.mark.parametrize(
    ("given", "left", "said"),
    [
        (Overrides(options={"temperature": "hot", "top_k": 3}), Overrides(options={"top_k": 3}), "temperature"),
        (Overrides(options={"mirostat": 1, "seed": None}), Overrides(), "no parameter any more"),
        (Overrides(options={"nope": 1}), Overrides(), "unknown parameter"),
        (Overrides(messages=[{"role": "ghost", "content": "x"}, {"content": 5}]), Overrides(), "opening message"),
        (Overrides(renderer="nope"), Overrides(), "the renderer 'nope'"),
        (Overrides(parser="nope"), Overrides(), "the parser 'nope'"),
        (Overrides(template="{{ if"), Overrides(), "the chat template"),
    ],
)
async def test_what_cannot_be_used_is_left_out_and_said(given: Overrides, left: Overrides, said: str) -> None:
    laid, lines = await used(given)
    assert laid == left
    assert said in lines[0]
    assert lines[0].startswith("leaving out ")


async def test_an_embedding_model_writes_no_text_whatever_template_comes_with_it() -> None:
    laid, _ = await used(Overrides(template="{{ .Prompt }}"), ModelInfo("gguf", "bert", capabilities=["embedding"]))
    assert laid.capabilities == []
