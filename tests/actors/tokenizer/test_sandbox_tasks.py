"""What sandboxes say of prompts that can't be run, over the real SmolLM2 tokenizer."""

from __future__ import annotations

import pytest

from mlxr.actors.tokenizer import sandbox_tasks
from mlxr.actors.tokenizer.settings import TokenizerSettings
from mlxr.runtime.engine_spec import EngineSpec
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.tokenizer import ChatMessage, ChatPrompt, Embed, Generate, Prompt, TextPrompt, TokenPrompt
from mlxr.runtime.model_info import ModelInfo
from tests.models import model_path

WORDS = "words " * 90
STRANGE = [1_000_000]


@pytest.fixture(scope="module", autouse=True)
def loaded() -> None:
    spec = EngineSpec("smollm2", "", str(model_path("smollm2")), ModelInfo("gguf", "llama", context_length=8192))
    sandbox_tasks.load(TokenizerSettings(spec, context_length=64))


@pytest.mark.parametrize(
    ("prompt", "field"),
    [
        (ChatPrompt([ChatMessage("user", WORDS)]), "messages"),
        (ChatPrompt([ChatMessage("user", "Hi")], template="{{ '' }}"), "messages"),
        (TextPrompt(WORDS), "prompt"),
        (TextPrompt(""), "prompt"),
        (TokenPrompt([5] * 64), "prompt"),
        (TokenPrompt(STRANGE), "prompt"),
    ],
)
def test_a_prompt_is_refused_by_the_name_that_its_request_has_for_it(prompt: Prompt, field: str) -> None:
    with pytest.raises(RequestError) as refused:
        sandbox_tasks.prepare(Generate(1, prompt))
    assert refused.value.info.param == field


@pytest.mark.parametrize("prompt", [TextPrompt(WORDS), TokenPrompt([5] * 65), TokenPrompt([]), TokenPrompt(STRANGE)])
def test_a_text_to_embed_is_refused_as_the_input(prompt: TextPrompt | TokenPrompt) -> None:
    with pytest.raises(RequestError) as refused:
        sandbox_tasks.embed(Embed(1, prompt, truncate=False))
    assert refused.value.info.param == "input"
