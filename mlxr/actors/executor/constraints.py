"""Constrained sequences of the executor: which tokens each may take next."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence as Rows
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlxr.actors.executor.sequences import Sequence
from mlxr.models.constraints import ConstraintError, Matcher, Vocabulary
from mlxr.models.gguf import GGUFFile
from mlxr.models.tokenizers import Tokenizer, load_directory, load_gguf

WORD_BITS = 32


def tokenizer_of(path: Path) -> Tokenizer:
    """The tokenizer of a model's file or folder."""
    return load_directory(path) if path.is_dir() else load_gguf(GGUFFile.open(path).metadata)


class ConstraintTable:
    """One matcher for each constrained sequence. The tokenizer is loaded when the first one comes."""

    def __init__(self, load_tokenizer: Callable[[], Tokenizer], vocab_size: int) -> None:
        self._load_tokenizer = load_tokenizer
        self._vocab_size = vocab_size
        self._vocabulary: Vocabulary | None = None
        self._matchers: dict[int, Matcher] = {}
        self._errors: dict[int, str] = {}

    def open(self, sequence: Sequence) -> None:
        """Begin to follow a sequence; one that was computed before goes on where its output stands."""
        if sequence.constraint is None:
            return
        try:
            if self._vocabulary is None:
                self._vocabulary = Vocabulary(self._load_tokenizer(), self._vocab_size)
            matcher = Matcher(self._vocabulary, sequence.constraint)
        except ConstraintError as error:
            self._errors[sequence.id] = f"the output format can't be kept to: {error}"
            return
        for token in sequence.tokens[sequence.prompt_length :]:
            matcher.consume(token)
        self._matchers[sequence.id] = matcher

    def close(self, id: int) -> None:
        self._matchers.pop(id, None)
        self._errors.pop(id, None)

    def mask(self, rows: Rows[Sequence]) -> NDArray[np.int32] | None:
        """Allowed tokens as bits, int32 ``[R, ceil(vocab_size / 32)]``; None when no row is constrained."""
        matchers = [self._matchers.get(row.id) for row in rows]
        if not any(matchers):
            return None
        mask = np.full((len(rows), -(-self._vocab_size // WORD_BITS)), -1, np.int32)
        for bits, matcher in zip(mask, matchers, strict=True):
            if matcher is not None and not matcher.error:
                matcher.mask_into(bits)
        return mask

    def consume(self, sequence: Sequence, token: int) -> tuple[str, bool]:
        """Take a sampled token in; returns an error, and whether nothing but the end can follow."""
        if error := self._errors.get(sequence.id):
            return error, False
        matcher = self._matchers.get(sequence.id)
        if matcher is None:
            return "", False
        if not matcher.consume(token):
            return f"the output left its format: {matcher.error or 'a token that it forbids'}", False
        return "", matcher.stopped
