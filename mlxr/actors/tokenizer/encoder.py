"""The tokenizer's way into its sandbox: which limits a request's work gets, and what its failure is to its client."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from mlxr.actors.tokenizer.prepared import Prepared, TextSide
from mlxr.actors.tokenizer.settings import TokenizerSettings
from mlxr.actors.tokenizer.verdicts import Verdicts
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo
from mlxr.runtime.messages.frontend import Tokenized
from mlxr.runtime.messages.tokenizer import Asked, ChatPrompt, Detokenize, Embed, Generate, PromptPart, Tokenize
from mlxr.runtime.sandbox import Limits, Sandbox, SandboxKilled

_WORK = "mlxr.actors.tokenizer.sandboxed"

OWN = Limits(cpu_seconds=30, seconds=120.0, memory=1 << 30)
"""For a prompt that the model's own template renders: an honest one of many megabytes takes seconds."""
STRANGERS = Limits(cpu_seconds=2, seconds=30.0, memory=256 << 20, nice=10)
"""For templates and constraints that a request brings. Others' prompts and the device go first."""
WORKERS = 4
"""Tasks of one kind at once. Fewer than cores would let a few endless ones hold up the rest until they are ended."""


class Encoder:
    """Owns the sandbox in which one model's prompts are rendered and encoded, and the verdicts on constraints."""

    def __init__(self, settings: TokenizerSettings) -> None:
        self._sandbox = Sandbox(f"{_WORK}:load", {"settings": msgspec.to_builtins(settings)}, workers=WORKERS)
        self._verdicts = Verdicts()

    async def start(self) -> TextSide:
        """Load the model's text side. Raises ``ModelError`` for files that can't be used, or ``SandboxKilled``."""
        await self._sandbox.start()
        side: TextSide = await self._sandbox.run(f"{_WORK}:text_side", returns=TextSide, limits=OWN)
        return side

    async def close(self) -> None:
        await self._sandbox.close()

    async def prepare(self, command: Generate, parts: Sequence[PromptPart]) -> Prepared:
        """Raises ``RequestError``."""
        if _is_held(command):
            await self._judge(_without_messages(command))
        prepared: Prepared = await self._run("prepare", command, parts, Prepared)
        return prepared

    async def embed(self, command: Embed, parts: Sequence[PromptPart]) -> list[int]:
        """Token ids. Raises ``RequestError``."""
        tokens: list[int] = await self._run("embed", command, parts, list[int])
        return tokens

    async def tokenize(self, command: Tokenize | Detokenize, parts: Sequence[PromptPart]) -> Tokenized:
        """Raises ``RequestError``."""
        function = "tokenize" if isinstance(command, Tokenize) else "detokenize"
        tokenized: Tokenized = await self._run(function, command, parts, Tokenized)
        return tokenized

    async def _judge(self, command: Generate) -> None:
        """Raises ``RequestError`` for a constraint that can't be had, remembered by its content."""
        content = _digest(command)
        if content in self._verdicts:
            self._verdicts.raise_if_bad(content)
            return
        try:
            await self._sandbox.run(f"{_WORK}:judge", command, returns=None, limits=STRANGERS)
        except RequestError as error:
            self._verdicts.add(content, error.info)
            raise
        except SandboxKilled as killed:
            field = command.constraint.field if command.constraint else "tools"
            info = ErrorInfo(ErrorCode.INVALID, f"`{field}` {killed}; simplify it", field)
            self._verdicts.add(content, info)
            raise RequestError(info) from killed
        self._verdicts.add(content, None)

    async def _run(self, function: str, command: Asked, parts: Sequence[PromptPart], returns: Any) -> Any:
        own = _template_of(command) is None
        content = b"" if own else _digest(command, *parts)
        if content in self._verdicts:
            self._verdicts.raise_if_bad(content)
        try:
            limits = OWN if own else STRANGERS
            return await self._sandbox.run(f"{_WORK}:{function}", command, *parts, returns=returns, limits=limits)
        except SandboxKilled as killed:
            if own:
                info = ErrorInfo(ErrorCode.INVALID, f"the prompt {killed}; shorten it")
            else:
                info = ErrorInfo(ErrorCode.INVALID, f"`chat_template` {killed}; simplify it", "chat_template")
                self._verdicts.add(content, info)
            raise RequestError(info) from killed


def _is_held(command: Generate) -> bool:
    """Whether a grammar may hold the answer, which is made of what a stranger wrote."""
    prompt = command.prompt
    tools = isinstance(prompt, ChatPrompt) and (prompt.forces_tools or any(tool.strict for tool in prompt.tools))
    return command.constraint is not None or tools


def _without_messages(command: Generate) -> Generate:
    """What of ``command`` its constraint is made of, and nothing else."""
    prompt = command.prompt
    if isinstance(prompt, ChatPrompt):
        return Generate(0, replace(prompt, messages=[], template_args={}), constraint=command.constraint)
    return Generate(0, replace(prompt, text="") if hasattr(prompt, "text") else prompt, constraint=command.constraint)


def _template_of(command: Asked) -> str | None:
    return command.prompt.template if isinstance(command.prompt, ChatPrompt) else None


def _digest(command: Asked, *parts: PromptPart) -> bytes:
    """What identifies the content of a command, whichever request it is of."""
    digest = hashlib.sha256(msgspec.msgpack.encode(replace(command, request=0)))
    for part in parts:
        digest.update(msgspec.msgpack.encode(replace(part, request=0)))
    return digest.digest()
