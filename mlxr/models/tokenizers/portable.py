"""Tokenizers of short texts that may run beside streams, in the server's own process.

Others stay in a sandbox: a file's regular expressions may take any time for a text, and a vocabulary of Unigram 80 MB.
WordPiece with BERT's normalization takes time by a text's length alone, and 10 MB.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from mlxr.models.tokenizers.base import Tokenizer
from mlxr.models.tokenizers.huggingface import TokenizerJson, stage_steps
from mlxr.models.tokenizers.package_errors import loading
from mlxr.models.tokenizers.special import SpecialTokens
from mlxr.models.tokenizers.table import TokenTable

MOST_TOKENS = 1 << 17
MOST_CHARACTERS = 1 << 20
"""Of a tokenizer as the package writes it. Streams wait for as long as one is made of them: 31 ms for 463,000, which a
vocabulary of 30,000 English words has."""

LONGEST_WORD = 100
"""Characters of a word, beyond which it is not looked up: the time of one grows with the square of its length."""

LONGEST_PREFIX = 8
"""Characters that a word's later pieces are looked up with."""

KNOWN_STEPS = {  # once each: a text that a step has made longer another makes longer still
    "normalizer": {"BertNormalizer", "Lowercase"},
    "pre_tokenizer": {"BertPreTokenizer", "Whitespace", "WhitespaceSplit"},
    "post_processor": {"TemplateProcessing", "BertProcessing"},
}


class PortableTokenizer(Struct, frozen=True):
    """What another process makes the tokenizer of.

    Attributes:
        source: the pipeline, as the ``tokenizers`` package writes it.
        control: as in ``TokenizerJson``.
    """

    source: str
    control: dict[str, dict[str, Any]]


def portable(tokenizer: Tokenizer) -> PortableTokenizer | None:
    """Returns what makes ``tokenizer`` elsewhere; None for one that is to stay in its sandbox."""
    if not isinstance(tokenizer, TokenizerJson) or tokenizer.model != "WordPiece":
        return None
    source, control = tokenizer.source(), {text: dict(entry) for text, entry in tokenizer.control.items()}
    if len(source) + len(json.dumps(control)) > MOST_CHARACTERS or not _is_bounded(json.loads(source)):
        return None
    return PortableTokenizer(source, control)


def carried(made: PortableTokenizer, table: TokenTable, special: SpecialTokens, *, strips_space: bool) -> TokenizerJson:
    """Returns the tokenizer. Raises ``TokenizerError``."""
    from tokenizers import Tokenizer as Pipeline

    with loading("the tokenizer"):
        pipeline = Pipeline.from_str(made.source)
    return TokenizerJson(pipeline, table, special, control=made.control, strips_space=strips_space)


def _is_bounded(source: Mapping[str, Any]) -> bool:
    model = source["model"]
    stages = [(stage_steps(source.get(stage)), steps) for stage, steps in KNOWN_STEPS.items()]
    known = all(set(found) <= steps and len(set(found)) == len(found) for found, steps in stages)
    few = len(model["vocab"]) + len(source["added_tokens"]) <= MOST_TOKENS
    short = model["max_input_chars_per_word"] <= LONGEST_WORD
    return known and few and short and len(model["continuing_subword_prefix"]) <= LONGEST_PREFIX
