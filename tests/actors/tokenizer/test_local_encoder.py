"""Short texts to embed, encoded on the loop: as the sandbox would, and a few at a time."""

from __future__ import annotations

import asyncio
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from mlxr.actors.tokenizer import sandbox_tasks
from mlxr.actors.tokenizer.local_encoder import LOCAL_FROM, TURN_CHARACTERS, LocalEncoder, Turns
from mlxr.actors.tokenizer.settings import TokenizerSettings
from mlxr.models.tokenizers import TokenTable
from mlxr.runtime.engine_spec import EngineSpec
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.scheduler import Submit
from mlxr.runtime.messages.tokenizer import Embed, PairPrompt, TextPrompt
from mlxr.runtime.model_info import ModelInfo
from mlxr.runtime.sandbox import Sandbox
from tests.actors.tokenizer.rig import tokenizer
from tests.models import model_path

CONTEXT = 12
INFO = ModelInfo("safetensors", "bert", context_length=CONTEXT, capabilities=["embedding"])
SETTINGS = TokenizerSettings(EngineSpec("minilm", "", str(model_path("minilm")), INFO))


@pytest.fixture
def local() -> LocalEncoder:
    sandbox_tasks.load(SETTINGS)
    info = sandbox_tasks.tokenizer_info()
    made = LocalEncoder.load(info, TokenTable.unpack(info.blob, info.offsets))
    assert made is not None
    return made


@pytest.mark.parametrize("text", ["a short sample", "", "Überlänge, naïve [SEP] text", "漢字 two", "word " * 40])
def test_a_text_is_what_the_sandbox_makes_of_it(local: LocalEncoder, text: str) -> None:
    for special in (True, False):
        command = Embed(1, TextPrompt(text, parse_special=special), truncate=True)
        assert local.size(command) is not None
        assert local.encode(command) == sandbox_tasks.embed(command)


def test_a_text_that_does_not_fit_is_refused_as_by_the_sandbox(local: LocalEncoder) -> None:
    command = Embed(1, TextPrompt("word " * 40), truncate=False)
    with pytest.raises(RequestError) as here:
        local.encode(command)
    with pytest.raises(RequestError) as there:
        sandbox_tasks.embed(command)
    assert here.value.info == there.value.info


def test_long_texts_pairs_and_named_prompts_are_the_sandboxs(local: LocalEncoder) -> None:
    assert local.size(Embed(1, TextPrompt("a" * TURN_CHARACTERS))) == TURN_CHARACTERS
    assert local.size(Embed(1, TextPrompt("a" * (TURN_CHARACTERS + 1)))) is None
    assert local.size(Embed(1, TextPrompt("é" * (TURN_CHARACTERS // 2)))) is None
    assert local.size(Embed(1, PairPrompt("a", "b"))) is None
    assert local.size(Embed(1, TextPrompt("a"), prompt_name="query")) is None


async def test_others_of_the_loop_get_their_turn_between_texts() -> None:
    done: list[str] = []
    turns = Turns(lambda command: done.append(str(command.request)))
    for request in range(5):
        turns.add(TURN_CHARACTERS // 2, Embed(request, TextPrompt("")))
    for _ in range(4):
        await asyncio.sleep(0)
        done.append("turn")
    assert " ".join(done) == "0 1 2 turn 3 4 turn turn turn"


async def test_short_texts_are_submitted_without_the_sandbox_once_there_were_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, tasks = Sandbox.run, list[str]()

    async def noted(self: Sandbox, function: str, *arguments: Any, **options: Any) -> Any:
        tasks.append(function.partition(":")[2])
        return await run(self, function, *arguments, **options)

    monkeypatch.setattr(Sandbox, "run", noted)
    sandbox_tasks.load(SETTINGS)
    requests = count(1)
    async with tokenizer(tmp_path, spec=SETTINGS.spec) as rig:

        async def sandboxed(text: str) -> bool:
            before, command = len(tasks), Embed(next(requests), TextPrompt(text), truncate=True)
            rig.tell(command)
            submitted = await rig.outcome(command.request)
            assert isinstance(submitted, Submit)
            assert submitted.tokens == sandbox_tasks.embed(command).tokens
            return len(tasks) > before

        await rig.first(lambda said: type(said).__name__ == "TokenizerUp")
        assert all([await sandboxed("a short sample") for _ in range(LOCAL_FROM)])
        while await sandboxed("a short sample"):  # its tokenizer is being made
            pass
        assert await sandboxed("word " * 400)
        assert not await sandboxed("another")
