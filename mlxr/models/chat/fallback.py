"""The template of a model: its own, or one for the turn markers in its vocabulary.

Fine-tunes and conversions lose templates; the vocabulary still tells the family, and each family's turns are published
with its first models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlxr.models.chat.families import FAMILIES
from mlxr.models.jsonfile import optional_json, read_text
from mlxr.models.tokenizers import Tokenizer


@dataclass(frozen=True, slots=True)
class TemplateSource:
    """Template texts: ``tools`` where conversations with tools have a template of their own. ``builtin``: not the
    model's own."""

    text: str
    tools: str | None = None
    builtin: bool = False


def find_source(metadata: Mapping[str, Any], tokenizer: Tokenizer) -> TemplateSource | None:
    """Returns the template in a GGUF's ``metadata``, else one that fits ``tokenizer``'s vocabulary, else None."""
    text = metadata.get("tokenizer.chat_template")
    if isinstance(text, str) and text.strip():
        tools = metadata.get("tokenizer.chat_template.tool_use")
        return TemplateSource(text, tools if isinstance(tools, str) and tools.strip() else None)
    return find_builtin(tokenizer)


def find_folder_source(folder: Path, tokenizer: Tokenizer) -> TemplateSource | None:
    """Returns the template in a Hugging Face ``folder``, else one that fits ``tokenizer``'s vocabulary, else None.

    transformers writes ``chat_template.jinja``, with others in ``additional_chat_templates``; older folders have a text
    in ``tokenizer_config.json``, or a list of named ones. Raises ``ModelFileError`` for files of another form.
    """
    named = folder_templates(folder)
    text = named.get("default", "")
    if text.strip():
        return TemplateSource(text, named.get("tool_use") or None)
    return find_builtin(tokenizer)


def folder_templates(folder: Path) -> dict[str, str]:
    """Returns the folder's own templates by name, ``default`` the one for all conversations."""
    loose, others = folder / "chat_template.jinja", folder / "additional_chat_templates" / "tool_use.jinja"
    if loose.exists():
        return {"default": read_text(loose), "tool_use": read_text(others) if others.exists() else ""}
    given = optional_json(folder / "tokenizer_config.json").get("chat_template")
    if given is None:
        given = optional_json(folder / "chat_template.json").get("chat_template")
    if isinstance(given, str):
        return {"default": given}
    found: dict[str, str] = {}
    for each in given if isinstance(given, list) else []:
        match each:
            case {"name": str(name), "template": str(text)}:
                found[name] = text
    return found


def find_builtin(tokenizer: Tokenizer) -> TemplateSource | None:
    """Returns the template of the family that ``tokenizer``'s vocabulary belongs to."""
    every = [fallback for family in FAMILIES for fallback in family.fallbacks]
    found = [fallback for fallback in every if tokenizer.token_id(fallback.marker) is not None]
    return TemplateSource(min(found, key=lambda each: each.rank).template, builtin=True) if found else None
