"""What an unfinished task of the sandbox's is to its client."""

from __future__ import annotations

from typing import Any

import pytest

from mlxr.actors.tokenizer.encoder import Encoder
from mlxr.actors.tokenizer.incoming import Incoming
from mlxr.actors.tokenizer.settings import TokenizerSettings
from mlxr.runtime.engine_spec import EngineSpec
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import ErrorCode
from mlxr.runtime.messages.tokenizer import ChatMessage, ChatPrompt, Generate
from mlxr.runtime.model_info import ModelInfo
from mlxr.runtime.sandbox import Sandbox, SandboxKilled


@pytest.mark.parametrize(
    ("reason", "code", "tries"),
    [
        ("stalled", ErrorCode.QUEUE_FULL, 2),
        ("killed", ErrorCode.QUEUE_FULL, 2),
        ("time", ErrorCode.INVALID, 1),
        ("memory", ErrorCode.INVALID, 1),
    ],
)
async def test_what_was_not_the_templates_fault_is_to_be_sent_again_and_is_not_remembered(
    monkeypatch: pytest.MonkeyPatch, reason: str, code: ErrorCode, tries: int
) -> None:
    tried: list[str] = []

    async def run(self: Sandbox, function: str, *arguments: Any, **options: Any) -> Any:
        tried.append(function)
        raise SandboxKilled(reason, "did not come to its end")

    monkeypatch.setattr(Sandbox, "run", run)
    encoder = Encoder(TokenizerSettings(EngineSpec("m", "", "m.gguf", ModelInfo("gguf", "llama"))))
    command = Generate(1, ChatPrompt([ChatMessage("user", "Hello")], template="{{ 1 }}"))
    for _ in range(2):
        with pytest.raises(RequestError) as refused:
            await encoder.prepare(Incoming.of(command))
        assert refused.value.info.code is code
        assert (refused.value.info.retry_after is not None) is (tries == 2)
    assert len(tried) == tries
    await encoder.close()
