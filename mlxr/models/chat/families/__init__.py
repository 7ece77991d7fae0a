"""The chat families, one file each; the first that recognises a template is its family."""

from __future__ import annotations

from mlxr.models.chat.families import (
    cohere,
    deepseek,
    gemma,
    glm,
    harmony,
    hermes,
    internlm,
    kimi,
    lfm,
    llama,
    minimax,
    mistral,
    phi,
    qwen_coder,
)
from mlxr.models.chat.families.family import THINK, Channels, Family, Section
from mlxr.models.chat.families.signs import NO_SIGNS, Signs, TemplateSigns, signs_of

FAMILIES: tuple[Family, ...] = (
    harmony.FAMILY,
    cohere.FAMILY,
    minimax.FAMILY,
    internlm.FAMILY,
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


def family_named(name: str) -> Family | None:
    """Returns the family of that name."""
    return next((family for family in FAMILIES if family.name == name), None)


def family_of(template: Signs) -> Family:
    """Returns the family that ``template`` belongs to: the one that it is said to be of, else the one that it shows."""
    signs = signs_of(template)
    told = family_named(signs.family) if signs.family else None
    return told or next((family for family in FAMILIES if family.recognises(signs.source)), DEFAULT)


def sections_of(template: Signs) -> tuple[Section, ...]:
    """Returns the reasoning sections that ``template`` mentions, and those that it shows or is said to have."""
    signs = signs_of(template)
    source = signs.source
    found = [section for section in SECTIONS if section[0] in source or section[1] in source]
    told = family_named(signs.family) if signs.family else None
    own = (signs.reasoning,) if all(signs.reasoning) else ()
    return tuple(dict.fromkeys([*own, *found, *(told.reasoning if told else ())]))


def reasons(template: Signs) -> bool:
    """Tells whether models of ``template`` reason in a section of its own, or in a channel."""
    signs = signs_of(template)
    channels = [family.channels.reasoning_sign for family in FAMILIES if family.channels]
    shown = any(sign in signs.source for sign in (*(end for _, end in SECTIONS), *channels))
    return shown or all(signs.reasoning)


__all__ = [
    "DEFAULT",
    "FAMILIES",
    "NO_SIGNS",
    "SECTIONS",
    "THINK",
    "Channels",
    "Family",
    "Section",
    "Signs",
    "TemplateSigns",
    "family_named",
    "family_of",
    "reasons",
    "sections_of",
    "signs_of",
]
