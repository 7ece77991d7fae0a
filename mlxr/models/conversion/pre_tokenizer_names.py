"""How byte-level BPE cuts texts into words before it merges, by llama.cpp's name for it (``tokenizer.ggml.pre``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlxr.models.tokenizers.errors import TokenizerError
from mlxr.models.tokenizers.pretokenizers import GPT2, PRE_TOKENIZERS


def pre_tokenizer_of(source: Mapping[str, Any]) -> str:
    """Returns llama.cpp's name for how byte-level BPE cuts texts into words, by the patterns in a ``tokenizer.json``.
    Raises ``TokenizerError`` for patterns that no name stands for."""
    patterns = []
    for step in steps_of(source.get("pre_tokenizer")):
        match step:
            case {"type": "Split", "pattern": {"Regex": str(expression)}}:
                patterns.append(expression)
            case {"type": "Digits", "individual_digits": True}:
                patterns.append(r"\p{N}")
            case {"type": "Digits"}:
                patterns.append(r"\p{N}+")
            case {"type": "ByteLevel"} if step.get("use_regex", True):
                patterns.append(GPT2)
    whole_words = bool(source["model"].get("ignore_merges"))
    known = [(name, rules) for name, rules in PRE_TOKENIZERS.items() if rules.byte_level]
    wanted = [_plain(pattern) for pattern in patterns]
    same = [(name, rules) for name, rules in known if [_plain(pattern) for pattern in rules.patterns] == wanted]
    exact = [name for name, rules in same if rules.whole_words == whole_words]
    if not same:
        shown = " | ".join(patterns)[:200]
        raise TokenizerError(f"its tokenizer cuts texts by {shown!r}, for which GGUF has no name that mlxr knows")
    return (exact or [name for name, _ in same])[0]


def _plain(pattern: str) -> str:
    """An expression without what makes no difference in how it is written."""
    return pattern.replace(r"\r\n", "\r\n").replace(r"(?i:'s|'t|'re|'ve|'m|'ll|'d)", "(?i:'s|'t|'re|'ve|'m|'ll|'d)")


def steps_of(stage: Any) -> list[Mapping[str, Any]]:
    """The steps of a stage, one after another."""
    if not isinstance(stage, dict):
        return []
    for key in ("pretokenizers", "normalizers", "processors"):
        if isinstance(stage.get(key), list):
            return [step for inner in stage[key] for step in steps_of(inner)]
    return [stage]
