"""The chat families, one file each; the first that recognises a template is its family."""

from __future__ import annotations

from mlxr.models.chat.families import (
    cohere,
    deepseek,
    gemma,
    glm,
    harmony,
    hermes,
    kimi,
    lfm,
    llama,
    minimax,
    mistral,
    phi,
    qwen_coder,
)
from mlxr.models.chat.families.family import THINK, Channels, Family, Section

FAMILIES: tuple[Family, ...] = (
    harmony.FAMILY,
    cohere.FAMILY,
    minimax.FAMILY,
    kimi.FAMILY,
    deepseek.FAMILY,
    lfm.FAMILY,
    mistral.FAMILY,
    qwen_coder.FAMILY,
    glm.FAMILY,
    gemma.FAMILY,
    phi.FAMILY,
    hermes.FAMILY,
    llama.FAMILY,
)
"""The more telling signs first: markers of Hermes and Llama stand in many templates beside others."""

DEFAULT = hermes.FAMILY
"""For templates of no family: tools are prompted for in its form."""

SECTIONS: tuple[Section, ...] = tuple(dict.fromkeys(section for family in FAMILIES for section in family.reasoning))
"""Markers of reasoning. Fine-tunes reason in other families' sections, so that all are looked for in every template."""


def family_of(source: str) -> Family:
    """Returns the family that the template ``source`` belongs to."""
    return next((family for family in FAMILIES if family.recognises(source)), DEFAULT)


def sections_of(source: str) -> tuple[Section, ...]:
    """Returns the reasoning sections that the template ``source`` mentions."""
    return tuple(section for section in SECTIONS if section[0] in source or section[1] in source)


def reasons(source: str) -> bool:
    """Tells whether models of the template ``source`` reason in a section of its own, or in a channel."""
    channels = [family.channels.reasoning_sign for family in FAMILIES if family.channels]
    return any(sign in source for sign in (*(end for _, end in SECTIONS), *channels))


__all__ = [
    "DEFAULT",
    "FAMILIES",
    "SECTIONS",
    "THINK",
    "Channels",
    "Family",
    "Section",
    "family_of",
    "reasons",
    "sections_of",
]
