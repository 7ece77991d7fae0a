"""What a model can do in a chat, as its template and vocabulary show."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec.structs import replace

from mlxr.models.chat.families import FAMILIES, reasons
from mlxr.models.chat.template import ChatTemplate
from mlxr.models.tokenizers import Tokenizer


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a model was made for.

    Attributes:
        tools: it was trained to call them.
        reasoning: it reasons in a section of its own.
        insert: it fills in the middle.
    """

    tools: bool = False
    reasoning: bool = False
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
    return Capabilities(
        tools=template.tools or any(name in sources for family in FAMILIES for name in family.trained),
        reasoning=reasons(replace(template.signs, source=sources)),
        insert=insert or template.fills,
    )
