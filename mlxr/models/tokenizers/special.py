"""Which tokens mean something beyond their text: begin, end of generation, fill in the middle.

Sources: GGUF's ``tokenizer.ggml.*`` keys (the format's own documentation), and the token names that published models
use, where a file leaves a role out.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlxr.models.tokenizers.token_types import TokenType, Types
from mlxr.models.tokenizers.vocabulary import NONE, flag, token_of

log = logging.getLogger("mlxr.tokenizer")

END_NAMES = (
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|calls|>",
    "<|flush|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|eom_id|>",
    "<EOT>",
    "[EOT]",
    "[EOS]",
    "<end_of_utterance>",
    "<eos>",
    "<turn|>",
    "<|tool_response>",
    "<｜end▁of▁sentence｜>",
    "<|user|>",
    "<|observation|>",
    "[e~[",
)
"""Token names that end a turn. ``</s>`` is not here: Gemma's vocabulary has it as an HTML tag."""

TURN_ENDS = ("<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<turn|>", "<|eom_id|>", "[EOT]", "<EOT>")

TURN_STARTS = frozenset(
    (
        *("<|im_start|>", "<|im_sep|>", "<start_of_turn>", "<|start_header_id|>", "<|end_header_id|>", "<|start|>"),
        *("<|message|>", "<|channel|>", "<|system|>", "<|user|>", "<|assistant|>", "<|tool|>", "<|observation|>"),
        *(
            "<｜User｜>",
            "<｜Assistant｜>",
            "[INST]",
            "[/INST]",
            "[SYSTEM_PROMPT]",
            "[/SYSTEM_PROMPT]",
            "[TOOL_RESULTS]",
        ),
        *("<|turn>", "<|START_OF_TURN_TOKEN|>", "<|role_start|>", "<|startoftext|>"),
    )
)
"""Tokens that begin a turn, or its text. Some files have them as user-defined, and any text would become them."""

FILL_NAMES = {
    "prefix": (
        "<|fim_prefix|>",
        "<fim-prefix>",
        "<fim_prefix>",
        "<｜fim▁begin｜>",
        "<PRE>",
        "▁<PRE>",
        "<|code_prefix|>",
    ),
    "suffix": (
        "<|fim_suffix|>",
        "<fim-suffix>",
        "<fim_suffix>",
        "<｜fim▁hole｜>",
        "<SUF>",
        "▁<SUF>",
        "<|code_suffix|>",
    ),
    "middle": ("<|fim_middle|>", "<fim-middle>", "<fim_middle>", "<｜fim▁end｜>", "<MID>", "▁<MID>", "<|code_middle|>"),
    "pad": ("<|fim_pad|>", "<fim-pad>", "<fim_pad>"),
    "separator": ("<|file_sep|>",),
    "repository": ("<|fim_repo|>", "<|repo_name|>", "<fim-repo>"),
}
FILL_KEYS = {
    "prefix": ("fim_pre_token_id", "prefix_token_id"),
    "suffix": ("fim_suf_token_id", "suffix_token_id"),
    "middle": ("fim_mid_token_id", "middle_token_id"),
    "pad": ("fim_pad_token_id",),
    "separator": ("fim_sep_token_id",),
    "repository": ("fim_rep_token_id",),
}


@dataclass(frozen=True, slots=True)
class FillTokens:
    """Ids for fill in the middle: ``prefix`` text-before ``suffix`` text-after ``middle``, then the model writes."""

    prefix: int
    suffix: int
    middle: int


@dataclass(frozen=True, slots=True)
class SpecialTokens:
    """Roles of token ids.

    Attributes:
        bos, eos: the tokens that begin and end a text.
        ends: every id that ends generation.
        control: ids that are not part of the text.
        fill: tokens for filling in the middle.
        add_bos, add_eos: whether ``encode(add_special=True)`` puts them around the text.
    """

    bos: int | None = None
    eos: int | None = None
    ends: frozenset[int] = frozenset()
    control: frozenset[int] = frozenset()
    fill: FillTokens | None = None
    add_bos: bool = False
    add_eos: bool = False


Lookup = Callable[[str], int | None]


def tokens_of(types: Types, *kinds: TokenType) -> list[int]:
    """Returns the ids of the tokens whose type is one of ``kinds``."""
    found: list[int] = np.flatnonzero(np.isin(types, kinds)).tolist()
    return found


def gguf_special(
    metadata: Mapping[str, Any], types: Types, lookup: Lookup, *, add_bos: bool, add_eos: bool = False
) -> SpecialTokens:
    """Roles by a GGUF's metadata. ``add_bos`` and ``add_eos`` are what the tokenizer does when the file doesn't say."""

    def declared(*names: str) -> int | None:
        for name in names:
            key = f"tokenizer.ggml.{name}"
            value = metadata.get(key)
            if value is None or value in (NONE, -1):
                continue
            if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(types):
                return value
            # No error: converters have written ids that the vocabulary does not reach.
            log.warning("%s is %r, and there are %d tokens; it is ignored", key, value, len(types))
        return None

    bos, eos = (token_of(metadata, name, len(types)) for name in ("bos_token_id", "eos_token_id"))
    fill = {role: _first(declared(*FILL_KEYS[role]), names, lookup) for role, names in FILL_NAMES.items()}
    eot = _first(declared("eot_token_id"), TURN_ENDS, lookup)
    ends = {eos, eot, declared("eom_token_id"), fill["pad"], fill["separator"], fill["repository"]}
    ends |= {lookup(name) for name in END_NAMES}
    ends |= {token for token in (lookup("</s>"),) if token is not None and types[token] == TokenType.CONTROL}
    known_ends = _turn_ends({token for token in ends if token is not None}, lookup)
    control = {*tokens_of(types, TokenType.CONTROL, TokenType.UNKNOWN), *known_ends}
    return SpecialTokens(
        bos=bos,
        eos=eos,
        ends=frozenset(known_ends),
        control=frozenset(control),
        fill=fill_tokens(fill["prefix"], fill["suffix"], fill["middle"]),
        add_bos=flag(metadata, "add_bos_token", add_bos),
        add_eos=flag(metadata, "add_eos_token", add_eos),
    )


def turn_tokens(tokens: Sequence[str], types: Types, special: SpecialTokens) -> list[int]:
    """Returns the ids of the tokens that begin or end turns and that the file calls user-defined."""
    defined = tokens_of(types, TokenType.USER_DEFINED)
    return [token for token in defined if token in special.control or tokens[token] in TURN_STARTS]


def fill_tokens(prefix: int | None, suffix: int | None, middle: int | None) -> FillTokens | None:
    if prefix is None or suffix is None or middle is None:
        return None
    return FillTokens(prefix, suffix, middle)


def named_ends(lookup: Lookup) -> set[int]:
    """Returns the ids of the tokens whose names end a turn."""
    return _turn_ends({token for token in map(lookup, END_NAMES) if token is not None}, lookup)


def named_fill(lookup: Lookup) -> FillTokens | None:
    return fill_tokens(*(_first(None, FILL_NAMES[role], lookup) for role in ("prefix", "suffix", "middle")))


def _turn_ends(ends: set[int], lookup: Lookup) -> set[int]:
    """Returns ``ends`` without ``<|end|>`` where that closes one message of a turn (gpt-oss), not the turn."""
    if lookup("<|call|>") is not None and lookup("<|return|>") is not None:
        return ends - {lookup("<|end|>")}
    return ends


def _first(declared: int | None, names: Sequence[str], lookup: Lookup) -> int | None:
    if declared is not None:
        return declared
    return next((token for token in map(lookup, names) if token is not None), None)
