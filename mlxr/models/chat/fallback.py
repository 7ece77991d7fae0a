"""The template of a model: its own, or one for the turn markers in its vocabulary.

Fine-tunes and conversions lose templates; the vocabulary still tells the family, and each family's turns are published
with its first models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlxr.models.chat.families import FAMILIES
from mlxr.models.tokenizers import Tokenizer


@dataclass(frozen=True, slots=True)
class TemplateSource:
    """Template texts: ``tools`` where conversations with tools have a template of their own. ``builtin``: not the
    model's own."""

    text: str
    tools: str | None = None
    builtin: bool = False


def find_source(metadata: Mapping[str, Any], tokenizer: Tokenizer) -> TemplateSource | None:
    """The template in a GGUF's ``metadata``, else one that fits ``tokenizer``'s vocabulary, else None."""
    text = metadata.get("tokenizer.chat_template")
    if isinstance(text, str) and text.strip():
        tools = metadata.get("tokenizer.chat_template.tool_use")
        return TemplateSource(text, tools if isinstance(tools, str) and tools.strip() else None)
    return find_builtin(tokenizer)


def find_builtin(tokenizer: Tokenizer) -> TemplateSource | None:
    """The template of the family that ``tokenizer``'s vocabulary belongs to."""
    every = [fallback for family in FAMILIES for fallback in family.fallbacks]
    found = [fallback for fallback in every if tokenizer.token_id(fallback.marker) is not None]
    return TemplateSource(min(found, key=lambda each: each.rank).template, builtin=True) if found else None
