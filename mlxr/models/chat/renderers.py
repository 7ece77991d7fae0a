"""Ollama's built-in renderers and parsers, as ``RENDERER`` and ``PARSER`` name them, and the chat families they are.

A renderer writes prompts by code where others have a template; here the model's own template does, or that of its
vocabulary's family. A parser reads answers; here its family does. Source: Ollama's ``model/renderers/renderer.go`` and
``model/parsers/parsers.go``.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import NamedTuple

RENDERERS: Mapping[str, str] = {
    "qwen3-coder": "qwen_coder",
    "qwen3-vl-instruct": "hermes",
    "qwen3-vl-thinking": "hermes",
    "qwen3.5": "qwen_coder",
    "qwen3.8": "qwen_coder",
    "ornith": "qwen_coder",
    "cogito": "deepseek",
    "deepseek3.1": "deepseek",
    "olmo3": "",
    "olmo3.1": "",
    "olmo3-think": "",
    "olmo3-32b-think": "",
    "nemotron-3-nano": "qwen_coder",
    "nemotron-3.5-nano": "qwen_coder",
    "gemma4": "gemma",
    "gemma4-small": "gemma",
    "gemma4-large": "gemma",
    "functiongemma": "gemma",
    "glm-4.6": "glm",
    "glm-4.7": "glm",
    "glm-ocr": "glm",
    "lfm2": "lfm",
    "lfm2-thinking": "lfm",
    "laguna": "glm",
    "poolside-v1": "glm",
    "cohere": "cohere",
    "glimmer": "",
    "harmony": "harmony",
}
"""Names of renderers to names of families; empty for those whose calls no family here writes: the model's own template
tells what there is to tell."""


class Parser(NamedTuple):
    """What a parser reads: answers of ``family`` (empty: the template tells), ``tools`` and ``thinking`` in them."""

    family: str
    tools: bool = True
    thinking: bool = False


PARSERS: Mapping[str, Parser] = {
    "qwen3": Parser("hermes"),
    "qwen3-thinking": Parser("hermes", thinking=True),
    "qwen3.5": Parser("qwen_coder", thinking=True),
    "ornith": Parser("qwen_coder", thinking=True),
    "qwen3-coder": Parser("qwen_coder"),
    "qwen3-vl-instruct": Parser("hermes"),
    "qwen3-vl-thinking": Parser("hermes", thinking=True),
    "ministral": Parser("mistral"),
    "passthrough": Parser("", tools=False),
    "harmony": Parser("harmony", thinking=True),
    "cogito": Parser("deepseek", thinking=True),
    "deepseek3": Parser("deepseek", thinking=True),
    "olmo3": Parser(""),
    "olmo3-think": Parser("", tools=False, thinking=True),
    "nemotron-3-nano": Parser("qwen_coder", thinking=True),
    "nemotron-3.5-nano": Parser("qwen_coder", thinking=True),
    "functiongemma": Parser("gemma"),
    "glm-4.6": Parser("glm", thinking=True),
    "glm-4.7": Parser("glm", thinking=True),
    "gemma4": Parser("gemma", thinking=True),
    "gemma4-no-thinking": Parser("gemma"),
    "glm-ocr": Parser("glm"),
    "lfm2": Parser("lfm"),
    "lfm2-thinking": Parser("lfm", thinking=True),
    "laguna": Parser("glm", thinking=True),
    "poolside-v1": Parser("glm", thinking=True),
    "cohere": Parser("cohere", thinking=True),
    "glimmer": Parser("", thinking=True),
}


def require_renderer(name: str) -> str:
    """Returns ``name``; raises ``ValueError`` for one that is no renderer, with the nearest."""
    return _require("RENDERER", name, RENDERERS)


def require_parser(name: str) -> str:
    """Returns ``name``; raises ``ValueError`` for one that is no parser, with the nearest."""
    return _require("PARSER", name, PARSERS)


def family_for(renderer: str, parser: str) -> str:
    """Returns the family that reads a model's answers; empty where neither name says it."""
    return (PARSERS[parser].family if parser in PARSERS else "") or RENDERERS.get(renderer, "")


def added_capabilities(parser: str) -> list[str]:
    """Returns what a model can by its parser, by Ollama's names."""
    known = PARSERS.get(parser, Parser("", tools=False))
    return [name for name, has in (("tools", known.tools), ("thinking", known.thinking)) if has]


def _require(keyword: str, name: str, known: Mapping[str, object]) -> str:
    if name in known:
        return name
    near = difflib.get_close_matches(name, known, 1, 0.4)
    way_out = f"did you mean {near[0]}?" if near else f"it may be {', '.join(known)}"
    raise ValueError(f"unknown {keyword} {name[:40]!r}; {way_out}")
