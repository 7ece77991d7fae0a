"""The chat template of a model's file, or what stands in for one that can't be used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlxr.models.chat.errors import ChatError
from mlxr.models.chat.fallback import TemplateSource, find_builtin, find_folder_source, find_source
from mlxr.models.chat.template import ChatTemplate
from mlxr.models.tokenizers import Tokenizer


@dataclass(frozen=True, slots=True)
class ModelTemplate:
    """``template`` is None where there is none to use. ``fault``: why the file's own is not used, empty where it is or
    where the file has none."""

    template: ChatTemplate | None
    fault: str = ""

    def shown(self) -> str:
        """Returns the template as people are shown it, with the fault as a comment of its own."""
        source = self.template.source if self.template else ""
        return comment(self.fault) + source if self.fault else source


def comment(fault: str) -> str:
    """Returns ``fault`` as a comment in a template."""
    return f"{{# {fault.replace('#}', '# }')}; it is not used #}}\n"


def load_model_template(metadata: Mapping[str, Any], tokenizer: Tokenizer, family: str = "") -> ModelTemplate:
    """Returns the template in a GGUF's ``metadata`` if it can be used, else one that fits the vocabulary, else None.
    ``family``: as in ``ChatTemplate``."""
    return _model_template(find_source(metadata, tokenizer), tokenizer, family)


def load_folder_template(folder: Path, tokenizer: Tokenizer, family: str = "") -> ModelTemplate:
    """Returns the template in a Hugging Face ``folder``, chosen likewise. Raises ``ModelFileError`` for files of
    another form."""
    return _model_template(find_folder_source(folder, tokenizer), tokenizer, family)


def _model_template(source: TemplateSource | None, tokenizer: Tokenizer, family: str) -> ModelTemplate:
    if source is None:
        return ModelTemplate(None)
    try:
        template = make_template(source, tokenizer, bounded=True, family=family)
        fault = template.fault
    except ChatError as error:
        template, fault = None, str(error)
    if not fault:
        return ModelTemplate(template)
    # Of two templates the one for tools may be at fault alone.
    if source.tools is not None and (plain := _usable(TemplateSource(source.text), tokenizer, family)):
        return ModelTemplate(plain, f"for conversations with tools, {fault}")
    builtin = find_builtin(tokenizer)
    return ModelTemplate(
        make_template(builtin, tokenizer, family=family) if builtin else None, f"in the model's file, {fault}"
    )


def make_template(
    source: TemplateSource, tokenizer: Tokenizer, *, bounded: bool = False, family: str = ""
) -> ChatTemplate:
    """Returns a chat template with the model's own markers. ``family``: as in ``ChatTemplate``.

    Raises ``ChatError`` for one that does not parse, or that does not end where it is ``bounded``.
    """
    special = tokenizer.special
    bos, eos = (
        "" if token is None else tokenizer.token_bytes(token).decode("utf-8", "replace")
        for token in (special.bos, special.eos)
    )
    return ChatTemplate(
        source.text,
        bos=bos,
        eos=eos,
        tool_source=source.tools,
        markers=tokenizer.markers,
        param="chat_template",
        bounded=bounded,
        family=family,
    )


def _usable(source: TemplateSource, tokenizer: Tokenizer, family: str) -> ChatTemplate | None:
    try:
        template = make_template(source, tokenizer, bounded=True, family=family)
    except ChatError:
        return None
    return None if template.fault else template
