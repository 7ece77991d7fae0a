"""Tokenizers of short texts that may run beside streams, in the server's own process.

Others stay in a sandbox: a file's regular expressions may take any time for a text, and a vocabulary of Unigram 80 MB.
WordPiece with BERT's normalization takes time by a text's length alone, and 10 MB.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from mlxr.models.tokenizers.base import Tokenizer
from mlxr.models.tokenizers.huggingface import TokenizerJson, stage_steps
from mlxr.models.tokenizers.package_errors import loading
from mlxr.models.tokenizers.special import SpecialTokens
from mlxr.models.tokenizers.table import TokenTable

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Pipeline

MOST_TOKENS = 1 << 17
MOST_CHARACTERS = 1 << 20
"""Of a tokenizer as the package writes it. Streams wait while one is made of its vocabulary: 10 ms for 500,000, which
30,000 English words have."""

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
        source: the pipeline without its words, as the ``tokenizers`` package writes it.
        vocabulary: ids by words, in MessagePack: the package takes a third of the time for words that it is given so.
        added: tokens beside the vocabulary, as in ``tokenizer.json``, in the order of their ids.
        control: as in ``TokenizerJson``.
    """

    source: str
    vocabulary: bytes
    added: list[dict[str, Any]]
    control: dict[str, dict[str, Any]]


def portable(tokenizer: Tokenizer) -> PortableTokenizer | None:
    """Returns what makes ``tokenizer`` elsewhere; None for one that is to stay in its sandbox."""
    if not isinstance(tokenizer, TokenizerJson) or tokenizer.model != "WordPiece":
        return None
    text, control = tokenizer.source(), {text: dict(entry) for text, entry in tokenizer.control.items()}
    if len(text) + len(json.dumps(control)) > MOST_CHARACTERS:
        return None
    source = json.loads(text)
    if not _is_bounded(source):
        return None
    bare = json.dumps(source | {"added_tokens": [], "model": source["model"] | {"vocab": {}}})
    made = PortableTokenizer(bare, msgspec.msgpack.encode(source["model"]["vocab"]), source["added_tokens"], control)
    return made if _pipeline(made).to_str() == text else None


def carried(made: PortableTokenizer, table: TokenTable, special: SpecialTokens, *, strips_space: bool) -> TokenizerJson:
    """Returns the tokenizer. Raises ``TokenizerError``."""
    with loading("the tokenizer"):
        pipeline = _pipeline(made)
    return TokenizerJson(pipeline, table, special, control=made.control, strips_space=strips_space)


def _pipeline(made: PortableTokenizer) -> Pipeline:
    from tokenizers import AddedToken
    from tokenizers import Tokenizer as Pipeline
    from tokenizers.models import WordPiece

    pipeline = Pipeline.from_str(made.source)
    bare = pipeline.model
    pipeline.model = WordPiece(
        msgspec.msgpack.decode(made.vocabulary, type=dict[str, int]),
        unk_token=bare.unk_token,
        max_input_chars_per_word=bare.max_input_chars_per_word,
        continuing_subword_prefix=bare.continuing_subword_prefix,
    )
    for entry in made.added:
        flags = {name: entry[name] for name in ("single_word", "lstrip", "rstrip", "normalized", "special")}
        add = pipeline.add_special_tokens if entry["special"] else pipeline.add_tokens
        add([AddedToken(entry["content"], **flags)])
    return pipeline


def _is_bounded(source: Mapping[str, Any]) -> bool:
    model = source["model"]
    stages = [(stage_steps(source.get(stage)), steps) for stage, steps in KNOWN_STEPS.items()]
    known = all(set(found) <= steps and len(set(found)) == len(found) for found, steps in stages)
    few = len(model["vocab"]) + len(source["added_tokens"]) <= MOST_TOKENS
    short = model["max_input_chars_per_word"] <= LONGEST_WORD
    return known and few and short and len(model["continuing_subword_prefix"]) <= LONGEST_PREFIX
