"""What a request goes through before it runs: the tokenizer's sandbox, then the executor's compiler and masks."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np

from mlxr.actors.executor.compiler import Compiler
from mlxr.actors.executor.constraints import vocabulary_of
from mlxr.actors.tokenizer.encoder import Encoder
from mlxr.actors.tokenizer.incoming import Incoming
from mlxr.actors.tokenizer.settings import TokenizerSettings
from mlxr.models.constraints import ConstraintError
from mlxr.runtime.engine_spec import EngineSpec
from mlxr.runtime.errors import MlxrError, RequestError
from mlxr.runtime.messages.common import Constraint, ConstraintKind
from mlxr.runtime.messages.tokenizer import ChatMessage, ChatPrompt, Generate, Prompt, TextPrompt, Tool
from mlxr.runtime.model_info import ModelInfo
from mlxr.runtime.sandbox import SandboxKilled
from tests.fuzz.kind import Kind
from tests.models import model_path

TEMPLATES = Path(__file__).parents[1] / "data" / "templates"
HELLO = [ChatMessage("user", "Hello")]
STEPS = 3
"""Tokens that are drawn under a constraint."""


class Asked:
    """The parts of a server that a prompt and its constraint pass through, for SmolLM2, without a server around them.

    ``ended``: requests that broke a limit of the sandbox's, rather than one that was checked before.
    """

    def __init__(self) -> None:
        path = str(model_path("smollm2"))
        spec = EngineSpec("smollm2", "", path, ModelInfo("gguf", "llama", context_length=8192))
        names = ("smollm2", "llama-3", "qwen3", "qwen3-coder", "gpt-oss", "mistral-nemo", "gemma-3", "deepseek-v3.1")
        self.families = {name: (TEMPLATES / f"{name}.jinja").read_text() for name in names}
        self.ended = 0
        self._loop = asyncio.new_event_loop()
        self._encoder = self._loop.run_until_complete(_started(TokenizerSettings(spec)))
        self._vocabulary = vocabulary_of(Path(path), 49152)
        self._compiler = Compiler(lambda: self._vocabulary)
        self._compiler.start()

    def answer(self, kind: str, source: str) -> None:
        """A completion held to a format."""
        self._ask(TextPrompt("Hello"), Constraint(ConstraintKind(kind), source, field="format"))

    def tools(self, family: str, parameters: bytes) -> None:
        """``parameters`` as a tool's, which the model has to call in its ``family``'s way; then as one it may call."""
        tools = [Tool("f", "d", parameters), Tool("g", "d", b'{"type":"object"}', strict=True)]
        template = None if family == "smollm2" else self.families[family]
        prompt = ChatPrompt(HELLO, tools=tools, template=template, tool_choice="f")
        try:
            self._ask(prompt)
        finally:
            self._ask(ChatPrompt(HELLO, tools=tools, template=template))

    def render(self, template: str, tools: bool) -> None:
        """A conversation by a request's own template."""
        listed = [Tool("f", "d", b'{"type":"object","properties":{"a":{"type":"string"}}}')] if tools else []
        self._ask(ChatPrompt([ChatMessage("system", "Be kind."), *HELLO], tools=listed, template=template))

    def _ask(self, prompt: Prompt, constraint: Constraint | None = None) -> None:
        command = Generate(1, prompt, constraint=constraint)
        try:
            _, held = self._loop.run_until_complete(self._encoder.prepare(Incoming.of(command)))
        except RequestError as error:
            self.ended += isinstance(error.__cause__, SandboxKilled)
            raise
        if held is not None:
            self._draw(held)

    def _draw(self, constraint: Constraint) -> None:
        matcher = self._compiler.matcher(constraint)
        row = np.zeros(self._vocabulary.mask_words, np.int32)
        for _ in range(STEPS):
            matcher.mask_into(row)
            allowed = np.flatnonzero(np.unpackbits(row.view(np.uint8), bitorder="little"))
            if not len(allowed) or matcher.stopped:
                return
            matcher.consume(int(allowed[len(allowed) // 2]))

    def close(self) -> None:
        self._compiler.stop()
        self._loop.run_until_complete(self._encoder.close())
        self._loop.close()


class AskedKind(Kind):
    """A kind whose cases are asked of those parts."""

    BATCH = 2_500
    REFUSALS = (MlxrError, ConstraintError)
    SMALL_STACK = False

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.asked = Asked()

    @property
    def ended(self) -> int:  # type: ignore[override]
        return self.asked.ended

    def close(self) -> None:
        self.asked.close()


async def _started(settings: TokenizerSettings) -> Encoder:
    encoder = Encoder(settings)
    await encoder.start()
    return encoder
