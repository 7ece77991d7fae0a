"""Documents and search results of a conversation, as the text that a model reads.

Their text stays as it is, between tags that it can't end: one with such an end in it gets tags of another name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import quoteattr

from mlxr.api.errors import invalid, unsupported
from mlxr.http.anthropic.schema import AnthropicBlock, ResultBlock, Source, TextBlock

KINDS = frozenset({"document", "search_result"})
"""Blocks whose text this module makes."""

_ENDS = {kind: re.compile(rf"<\s*/\s*{kind}(?:-([0-9]{{1,9}}))?(?![\w-])", re.IGNORECASE) for kind in KINDS}
"""What may end a block's text, with the number of its tags, if they have one."""


def document_text(block: AnthropicBlock | ResultBlock, place: str) -> str:
    """Returns the text of a block of one of ``KINDS``, between tags that say what it is. Raises ``RequestError`` naming
    the field for one that is no text, and for one that is to be cited."""
    if isinstance(block.citations, dict) and block.citations.get("enabled"):
        reason = "citations are not made here; leave them out, or send false"
        raise unsupported(f"{place}.citations.enabled", reason)
    if block.type == "document":
        about = {"title": block.title, "context": block.context}
        return _tagged(block.type, about, _source_text(block.source, f"{place}.source"))
    if not isinstance(block.source, str | None):
        raise invalid(f"`{place}.source`: expected `str`, got `object`", f"{place}.source")
    text = joined_text(block.content, f"{place}.content")
    return _tagged(block.type, {"title": block.title, "source": block.source}, text)


def joined_text(
    given: str | Sequence[TextBlock | ResultBlock | AnthropicBlock] | dict[str, Any] | None, place: str
) -> str:
    """Returns blocks of text as one. Raises ``RequestError`` naming what is none."""
    if isinstance(given, dict):
        raise no_blocks(place)
    if given is None or isinstance(given, str):
        return given or ""
    for index, block in enumerate(given):
        if block.type != "text":
            raise no_text(block.type, f"{place}[{index}].type")
    return "\n".join(block.text for block in given)


def no_blocks(place: str) -> Exception:
    """Returns the refusal of an object at ``place``, which only results of Anthropic's own tools have."""
    return invalid(f"`{place}`: expected `str | array`, got `object`", place)


def no_text(kind: str, field: str) -> Exception:
    """Returns the refusal of a block that is no text, as ``field`` says."""
    if kind in KINDS:
        return unsupported(field, f"{kind!r} blocks stand in messages and tools' results; here only text can")
    return unsupported(field, f"{kind!r} blocks need a model that takes them")


def _source_text(source: str | Source | None, place: str) -> str:
    if not isinstance(source, Source):
        raise invalid(f"`{place}`: expected `object`", place)
    match source.type:
        case "text":
            return source.data
        case "content":
            return joined_text(source.content, f"{place}.content")
        case "base64" | "url":
            raise unsupported(
                f"{place}.type", "no model here reads PDF files; send their text, as a source of type text"
            )
        case "file":
            raise unsupported(f"{place}.type", "no files are kept here; send their text, as a source of type text")
    raise unsupported(f"{place}.type", f"sources of type {source.type!r} are not known; send type text or content")


def _tagged(tag: str, about: dict[str, str | None], text: str) -> str:
    attributes = "".join(f" {name}={quoteattr(value)}" for name, value in about.items() if value)
    name = _free_name(tag, text)
    return f"<{name}{attributes}>\n{text}\n</{name}>"


def _free_name(tag: str, text: str) -> str:
    """Returns ``tag``, with a number where ``text`` could end it: the least that has no end in it."""
    taken = {int(number or 1) for number in _ENDS[tag].findall(text)}
    if 1 not in taken:
        return tag
    return f"{tag}-{next(number for number in range(2, len(taken) + 2) if number not in taken)}"
