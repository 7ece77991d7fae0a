"""Models have one vocabulary where every id means the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFWriter

from mlxr.models.shared_vocabulary import MOST_APART, difference

WORDS = [*(chr(33 + at) for at in range(89)), "ab", *(f"word{at}" for at in range(400))]


def written(path: Path, words: list[str]) -> Path:
    writer = GGUFWriter(path, "llama")
    writer.add_block_count(1)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(words)
    writer.add_token_types([1] * len(words))
    writer.add_token_merges(["a b"])
    writer.add_tensor("token_embd.weight", np.zeros((2, 2), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda words: words, ""),
        (lambda words: words[:-MOST_APART], ""),
        (lambda words: words[: -MOST_APART - 1], "they have 490 and 361 tokens"),
        (
            lambda words: [*words[:100], "x", *words[101:]],
            "token 100 is 'word10' of the one and 'x' of the other",
        ),
    ],
)
def test_vocabularies_may_differ_in_a_few_tokens_at_their_ends(
    tmp_path: Path, change: Callable[[list[str]], list[str]], found: str
) -> None:
    one, other = written(tmp_path / "one.gguf", WORDS), written(tmp_path / "other.gguf", change(WORDS))
    assert difference(one, other) == found
