"""What a model can do in a chat, as its template and vocabulary show."""

from __future__ import annotations

from dataclasses import dataclass

from mlxr.models.chat.families import FAMILIES, reasons
from mlxr.models.chat.template import ChatTemplate
from mlxr.models.tokenizers import Tokenizer


@dataclass(frozen=True, slots=True)
class Capabilities:
    """``chat``: has a template. ``tools``: trained to call them. ``reasoning``: reasons in a section of its own.
    ``efforts``: takes low, medium and high for it. ``insert``: fills in the middle."""

    chat: bool = False
    tools: bool = False
    reasoning: bool = False
    efforts: bool = False
    insert: bool = False

    def names(self) -> list[str]:
        """As ``ModelEntry.capabilities`` and Ollama list them."""
        found = {"tools": self.tools, "thinking": self.reasoning, "insert": self.insert}
        return ["completion", *(name for name, has in found.items() if has)]


def capabilities(template: ChatTemplate | None, tokenizer: Tokenizer) -> Capabilities:
    return capabilities_with(template, insert=tokenizer.special.fill is not None)


def capabilities_with(template: ChatTemplate | None, *, insert: bool) -> Capabilities:
    """Returns what ``capabilities`` does, where only this is known of the vocabulary."""
    if template is None:
        return Capabilities(insert=insert)
    sources = template.source + (template.with_tools.source if template.with_tools else "")
    native = bool(template.capabilities.tools) or template.with_tools is not None
    return Capabilities(
        chat=True,
        tools=native or any(name in sources for family in FAMILIES for name in family.trained),
        reasoning=reasons(sources),
        efforts=template.capabilities.effort,
        insert=insert,
    )
