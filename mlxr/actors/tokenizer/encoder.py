"""The tokenizer's way into its sandbox: which limits a request's work gets, and what its failure is to its client."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from mlxr.actors.tokenizer.embed_batches import EmbedBatches
from mlxr.actors.tokenizer.incoming import Incoming
from mlxr.actors.tokenizer.sandbox_results import EncodedInput, EncodedPrompt, TokenizerInfo, TriedInput
from mlxr.actors.tokenizer.settings import TokenizerSettings
from mlxr.actors.tokenizer.validation_cache import ValidationCache
from mlxr.models.chat.truncation import size_of
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import Constraint, ErrorCode, ErrorInfo
from mlxr.runtime.messages.frontend import Tokenized
from mlxr.runtime.messages.tokenizer import (
    Asked,
    ChatPrompt,
    Detokenize,
    Embed,
    Generate,
    PairPrompt,
    TextPrompt,
    Tokenize,
    TokenPrompt,
)
from mlxr.runtime.sandbox import Nursery, Sandbox, SandboxKilled, TaskLimits

_WORK = "mlxr.actors.tokenizer.sandbox_tasks"

SHORT = TaskLimits(cpu_seconds=5, seconds=60.0, memory=512 << 20)
"""For a prompt of ordinary length that the model's own template renders."""
LONG = TaskLimits(cpu_seconds=30, seconds=120.0, memory=1 << 30, nice=5)
"""For one of many megabytes, which takes an honest sender seconds. Short ones never wait for these."""
SHORT_CHARACTERS = 1 << 18
STRANGERS = TaskLimits(cpu_seconds=2, seconds=120.0, memory=256 << 20, nice=10)
"""For templates and constraints that a request brings. Others' prompts and the device go first."""
WORKERS = 4
SHARE = 3
"""Tasks of one kind at once, and how many of them may be one client's. Clients take turns: a queue full of endless ones
holds up who sent them, until they are ended, and nobody else."""

BUSY = ErrorInfo(ErrorCode.QUEUE_FULL, "the server is too busy for this prompt; send it again", retry_after=1)
"""For work that came to no end for reasons of the machine's."""


class Encoder:
    """Owns the sandbox that renders and encodes one model's prompts, and the results of validating what requests bring:
    templates and constraints."""

    def __init__(self, settings: TokenizerSettings, run_directory: str = "", nursery: Nursery | None = None) -> None:
        self._sandbox = Sandbox(
            f"{_WORK}:load",
            {"settings": msgspec.to_builtins(settings)},
            workers=WORKERS,
            share=SHARE,
            run_directory=run_directory,
            nursery=nursery,
        )
        self._constraints: ValidationCache[Constraint | None] = ValidationCache()
        self._templates: ValidationCache[None] = ValidationCache()
        self._embeds = EmbedBatches(self._embed_together, self._embed_alone, SHARE, SHORT_CHARACTERS)

    @property
    def process(self) -> int:
        """The process that holds the model's text side, 0 for none."""
        return self._sandbox.process

    async def start(self) -> TokenizerInfo:
        """Loads the model's text side. Raises ``ModelError`` for files that can't be used, or ``SandboxKilled``."""
        await self._sandbox.start()
        info: TokenizerInfo = await self._sandbox.run(f"{_WORK}:tokenizer_info", returns=TokenizerInfo, limits=LONG)
        return info

    async def close(self) -> None:
        await self._sandbox.close()

    async def prepare(self, incoming: Incoming[Generate]) -> tuple[EncodedPrompt, Constraint | None]:
        """Returns the encoded prompt, and what its answer is held to. Raises ``RequestError``."""
        command, client = incoming.command, incoming.command.client
        held = _without_messages(command) if _is_held(command) else None
        try:
            prepared: EncodedPrompt = await self._run("prepare", incoming, EncodedPrompt)
        except RequestError:
            # Tools that can't be had may be why the prompt can't: then that is what its sender should hear.
            if held is not None:
                await self._constrain(held, client, in_reasoning=False)
            raise
        constraint = None
        if held is not None:
            constraint = await self._constrain(held, client, in_reasoning=prepared.in_reasoning)
        return prepared, constraint

    async def embed(self, incoming: Incoming[Embed]) -> EncodedInput:
        """Returns the token ids of a text to embed, or a pair to score. Raises ``RequestError``."""
        if not incoming.parts and (size := _size_of(incoming)) <= SHORT_CHARACTERS:
            return await self._embeds.encode(incoming, size)
        return await self._embed_alone(incoming)

    async def _embed_alone(self, incoming: Incoming[Embed]) -> EncodedInput:
        encoded: EncodedInput = await self._run("embed", incoming, EncodedInput)
        return encoded

    async def _embed_together(self, batch: Sequence[Incoming[Embed]]) -> list[TriedInput]:
        tried: list[TriedInput] = await self._sandbox.run(
            f"{_WORK}:embed_each",
            *(incoming.raw for incoming in batch),
            returns=list[TriedInput],
            limits=SHORT,
            client=batch[0].command.client,
        )
        return tried

    async def tokenize(self, incoming: Incoming[Tokenize | Detokenize]) -> Tokenized:
        """Returns the answer of either command. Raises ``RequestError``."""
        function = "tokenize" if isinstance(incoming.command, Tokenize) else "detokenize"
        tokenized: Tokenized = await self._run(function, incoming, Tokenized)
        return tokenized

    async def _constrain(self, command: Generate, client: str | None, *, in_reasoning: bool) -> Constraint | None:
        """Returns what the answer is held to, made and tried once for each content. Raises ``RequestError``."""
        content = Incoming.of(command).content() + bytes([in_reasoning])
        if content in self._constraints:
            return self._constraints.get(content)
        try:
            await self._sandbox.extend(f"{_WORK}:load_vocabulary")
            made: Constraint | None = await self._sandbox.run(
                f"{_WORK}:constrain",
                command,
                in_reasoning,
                returns=Constraint | None,
                limits=STRANGERS,
                client=client,
            )
        except RequestError as error:
            self._constraints.add(content, error.info)
            raise
        except SandboxKilled as killed:
            if not killed.deserved:
                raise RequestError(BUSY) from killed
            field = (command.constraint.field if command.constraint else None) or "tools"
            info = ErrorInfo(ErrorCode.INVALID, f"`{field}` {killed}; simplify it", field)
            self._constraints.add(content, info)
            raise RequestError(info) from killed
        self._constraints.add(content, made, len(made.source) if made is not None else 0)
        return made

    async def _run(self, function: str, incoming: Incoming[Asked], returns: Any) -> Any:
        own = _template_of(incoming.command) is None
        content = b"" if own else incoming.content()
        if content in self._templates:
            self._templates.get(content)
        try:
            limits = STRANGERS if not own else SHORT if _is_short(incoming) else LONG
            encoded = incoming.raw, *incoming.parts
            client = _client_of(incoming.command)
            return await self._sandbox.run(
                f"{_WORK}:{function}", *encoded, returns=returns, limits=limits, client=client
            )
        except SandboxKilled as killed:
            if not killed.deserved:
                raise RequestError(BUSY) from killed
            if own:
                info = ErrorInfo(ErrorCode.INVALID, f"the prompt {killed}; shorten it")
            else:
                info = ErrorInfo(ErrorCode.INVALID, f"`chat_template` {killed}; simplify it", "chat_template")
                self._templates.add(content, info)
            raise RequestError(info) from killed


def _client_of(command: Asked) -> str | None:
    return command.client if isinstance(command, Generate | Embed) else None


def _is_held(command: Generate) -> bool:
    """Tells whether something may hold the answer. What is made of it depends on no message."""
    prompt = command.prompt
    if not isinstance(prompt, ChatPrompt):
        return command.constraint is not None
    strict = prompt.forces_tools or any(tool.strict for tool in prompt.tools)
    return command.constraint is not None or strict or prompt.reasoning_budget is not None


def _without_messages(command: Generate) -> Generate:
    """Returns what of ``command`` its constraint is made of, and nothing else."""
    prompt = command.prompt
    if isinstance(prompt, ChatPrompt):
        return Generate(0, replace(prompt, messages=[], template_args={}), constraint=command.constraint)
    return Generate(0, replace(prompt, text="") if hasattr(prompt, "text") else prompt, constraint=command.constraint)


def _is_short(incoming: Incoming[Asked]) -> bool:
    """Tells whether it is quickly done, judging by its length. Only long prompts come in parts."""
    return len(incoming.parts) <= 1 and _size_of(incoming) <= SHORT_CHARACTERS


def _size_of(incoming: Incoming[Asked]) -> int:
    """Returns the characters of a prompt, or its tokens, parts that came before it aside."""
    prompt = incoming.command.prompt
    match prompt:
        case ChatPrompt():
            return size_of(prompt) + sum(len(tool.parameters) + len(tool.description) for tool in prompt.tools)
        case TextPrompt():
            return len(prompt.text)
        case TokenPrompt():
            return len(prompt.tokens)
        case PairPrompt():
            return len(prompt.query) + len(prompt.document)
        case _:
            return len(prompt.prefix) + len(prompt.suffix)


def _template_of(command: Asked) -> str | None:
    return command.prompt.template if isinstance(command.prompt, ChatPrompt) else None
