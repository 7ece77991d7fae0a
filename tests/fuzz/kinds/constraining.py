"""What the server does with a stranger's constraint: it is judged, compiled, and asked about tokens."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mlxr.models.constraints import ConstraintError, Matcher, Thinking, Vocabulary, check, force_tools, offer_tools
from mlxr.runtime.errors import MlxrError
from mlxr.runtime.messages.common import Constraint, ConstraintKind
from mlxr.runtime.messages.tokenizer import Tool
from tests.models.constraints.vocabulary import ByteTokenizer

REFUSALS = (MlxrError, ConstraintError)
TEMPLATES = Path(__file__).parents[2] / "data" / "templates"
STEPS = 8
"""Tokens that are drawn under a constraint."""


class Constraining:
    def __init__(self) -> None:
        names = ("smollm2", "llama-3", "qwen3", "qwen3-coder", "gpt-oss", "mistral-nemo", "gemma-3", "deepseek-v3.1")
        self.families = {name: (TEMPLATES / f"{name}.jinja").read_text() for name in names}
        self._tokenizer = ByteTokenizer(["<tool_call>", "</tool_call>", "<|channel|>", "<|message|>", "[TOOL_CALLS]"])
        self._vocabulary = Vocabulary(self._tokenizer, self._tokenizer.vocab_size)

    def answer(self, kind: str, source: str) -> None:
        self._use(Constraint(ConstraintKind(kind), source))

    def tools(self, family: object, parameters: bytes) -> None:
        """``parameters`` as a tool's, forced and offered."""
        source = self.families.get(str(family), "")
        tools = [Tool("f", "d", parameters), Tool("g", "d", b'{"type":"object"}')]
        self._use(force_tools(source, tools, self._tokenizer, choice="f", thinking=Thinking.OFF))
        self._use(offer_tools(source, tools, self._tokenizer))

    def _use(self, constraint: Constraint) -> None:
        if reason := check(constraint):
            raise ConstraintError(reason)
        matcher = Matcher(self._vocabulary, constraint)
        row = np.zeros(self._vocabulary.mask_words, np.int32)
        for _ in range(STEPS):
            matcher.mask_into(row)
            allowed = np.flatnonzero(np.unpackbits(row.view(np.uint8), bitorder="little"))
            if not len(allowed) or matcher.stopped:
                return
            matcher.consume(int(allowed[len(allowed) // 2]))

    def close(self) -> None:
        """Nothing is kept."""
