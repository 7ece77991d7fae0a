"""Prompts far beyond what a model takes: refused, or cut, before anybody encodes them."""

from __future__ import annotations

from msgspec.structs import replace

from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo
from mlxr.runtime.messages.tokenizer import (
    Asked,
    ChatPrompt,
    Detokenize,
    Embed,
    FillPrompt,
    Generate,
    PairPrompt,
    TextPrompt,
)

LONGEST_TOKEN = 128
"""Characters: vocabularies have tokens as long for spaces, and no text is made of nothing else."""

SLACK = 4096
"""Characters that are always taken."""


def fit_to_context(command: Asked, context: int | None) -> Asked:
    """Returns ``command``, an input to embed that may be cut being cut to what counts. ``context``: the model's, in
    tokens, None where it is not known. Raises ``RequestError`` for a prompt that can't fit."""
    if context is None or isinstance(command, Detokenize):
        return command
    most = context * LONGEST_TOKEN + SLACK
    match command.prompt:
        case TextPrompt(text=text):
            length, field = len(text), "input" if isinstance(command, Embed) else "prompt"
        case PairPrompt(query=query, document=document):
            length, field = len(query) + len(document), "documents"
            if len(query) > most:
                length, field = len(query), "query"
        case FillPrompt(prefix=prefix, suffix=suffix):
            length, field = len(prefix) + len(suffix), "prompt"
        case ChatPrompt(messages=messages):
            length = sum(len(message.content) + len(message.reasoning) for message in messages)
            field = "messages"
        case _:
            return command
    if length <= most:
        return command
    if isinstance(command, Embed) and command.truncate and isinstance(command.prompt, TextPrompt):
        return replace(command, prompt=replace(command.prompt, text=command.prompt.text[:most]))
    if isinstance(command, Embed) and command.truncate and field == "documents":
        assert isinstance(command.prompt, PairPrompt)
        return replace(command, prompt=replace(command.prompt, document=command.prompt.document[:most]))
    if isinstance(command, Generate) and command.truncate_keep is not None:
        return command
    limit = f"this model's maximum context length is {context} tokens"
    message = f"the prompt exceeds the context length: {length} characters, and {limit}; shorten the prompt"
    raise RequestError(ErrorInfo(ErrorCode.CONTEXT_LENGTH, message, field))
