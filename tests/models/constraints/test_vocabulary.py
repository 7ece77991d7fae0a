from __future__ import annotations

from typing import Any

from mlxr.models.constraints.vocabulary import Vocabulary


class WithoutBreaks:
    """A tokenizer that drops line breaks, as those of encoders do."""

    class special:  # noqa: N801  (a field of tokenizers)
        bos = None
        ends = frozenset([0])
        control = frozenset([0])

    def token_bytes(self, token: int) -> bytes:
        return [b"</s>", b"a"][token]

    def encode(self, text: str, **settings: Any) -> list[int]:
        return [1] * text.count("a")

    def __len__(self) -> int:
        return 2


def test_a_tokenizer_that_has_no_line_breaks_makes_a_vocabulary_without() -> None:
    assert Vocabulary(WithoutBreaks(), 2).breaks == frozenset()  # type: ignore[arg-type]
