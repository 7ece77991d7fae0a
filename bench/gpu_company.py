"""Whether texts, greedy or seeded, are the same alone and in a batch, on the device that MLX computes on.

    python -m bench.gpu_company [--types Q4_K Q8_0 BF16] [--sequences 32] [--tokens 64]
        [--pages int8] [--temperature 1] [--mixture]

A small Llama of random weights, or a mixture of Qwen3's kind. Prompts of different lengths are read one a step, as one
sequence's are in a server that has nothing else to read; then all run a token a step together, and each by itself.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from pathlib import Path

import numpy as np

from bench.gpu import GREEDY, PAGE, engine_of
from bench.gpu_shapes import LLAMA, UNTIED
from bench.random_model import RandomModel
from mlxr.actors.executor.model_runner import ModelRunner
from mlxr.metal.cache import NumberType
from mlxr.metal.mlx.backend import MlxBackend
from mlxr.metal.mlx.device import WAYS, described, kind
from mlxr.metal.tensors import TensorType
from mlxr.models.loading import load_model
from mlxr.runtime.messages.common import Sampling
from mlxr.runtime.messages.executor import GroupSize, Step
from mlxr.runtime.messages.kv import PlanRow, RowSetup, TableEntries
from mlxr.runtime.messages.token_ids import TokenIds

VOCABULARY = 4096
SETTINGS = {
    **LLAMA,
    "block_count": 4,
    "embedding_length": 1024,
    "feed_forward_length": 4096,
    "attention.head_count": 8,
    "attention.head_count_kv": 2,
}
MIXTURE = {
    **SETTINGS,
    "expert_feed_forward_length": 512,
    "expert_count": 32,
    "expert_used_count": 4,
    "attention.head_count_kv": 1,
}
ROOMY = 16_384
"""Tokens of a pool for all."""

SHORTEST, LONGEST = 20, 330
"""Prompts' lengths, below and beyond a split of 256 keys."""


class Texts:
    """What an engine continues prompts with."""

    def __init__(self, engine: ModelRunner, temperature: float = 0.0) -> None:
        self._engine, self._steps, self._temperature = engine, itertools.count(), temperature

    def of(self, prompts: list[list[int]], count: int) -> list[list[int]]:
        """``count`` tokens behind each, all sequences together."""
        texts: list[list[int]] = []
        pages = iter(np.random.default_rng(len(prompts)).permutation(ROOMY // PAGE).tolist())
        for id, prompt in enumerate(prompts):
            own = [next(pages) for _ in range(-(-(len(prompt) + count) // PAGE))]
            setup = RowSetup(self._sampling(prompt), TokenIds.of(prompt), len(prompt))
            row = PlanRow(id, 0, len(prompt), TokenIds.of(prompt), [id], setup, tables=[TableEntries(0, own)])
            texts.append(self._run([row], reset=id == 0))
        for done in range(count - 1):
            rows = [
                PlanRow(id, len(prompt) + done, 1, TokenIds.of([text[-1]]), [id])
                for id, (prompt, text) in enumerate(zip(prompts, texts, strict=True))
            ]
            for text, token in zip(texts, self._run(rows), strict=True):
                text.append(token)
        return texts

    def _sampling(self, prompt: list[int]) -> Sampling:
        """With a seed of the prompt's own."""
        if not self._temperature:
            return GREEDY
        return Sampling(temperature=self._temperature, top_k=40, top_p=0.95, min_p=0.02, seed=sum(prompt))

    def _run(self, rows: list[PlanRow], reset: bool = False) -> list[int]:
        number = next(self._steps)
        # The pool is a part of what it may become, until it is told.
        sizes = [GroupSize(ROOMY // PAGE, ROOMY // PAGE)] if reset else []
        launched = self._engine.launch(Step(1, number, rows, reset=reset, sizes=sizes), 0)
        self._engine.sample(launched)
        return [sampled.token for sampled in self._engine.finish(launched).sampled]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--types", nargs="+", default=["Q4_K", "Q8_0", "BF16"])
    parser.add_argument("--sequences", type=int, default=32)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--pages", type=NumberType, default=NumberType.HALF, choices=list(NumberType))
    parser.add_argument("--temperature", type=float, default=0.0)
    parser.add_argument("--mixture", action="store_true", help="a mixture of experts instead of a Llama")
    parser.add_argument("--without", nargs="+", default=[], help="ways of the backend that are not taken")
    arguments = parser.parse_args()
    print(described())
    rng = np.random.default_rng(3)
    lengths = rng.integers(SHORTEST, LONGEST, arguments.sequences)
    prompts = [rng.integers(0, VOCABULARY, length).tolist() for length in lengths]
    shape = ("qwen3moe", MIXTURE) if arguments.mixture else ("llama", SETTINGS)
    for type in arguments.types:
        with tempfile.TemporaryDirectory() as folder:
            backend = MlxBackend(WAYS[kind()].without(frozenset(arguments.without)))
            written = RandomModel(*shape, VOCABULARY, lambda *_, of=type: TensorType(of), UNTIED, VOCABULARY)
            model = load_model(written.write(Path(folder) / "model.gguf"), backend)
        texts = Texts(engine_of(model, backend, ROOMY, arguments.pages)[0], arguments.temperature)
        together = texts.of(prompts, arguments.tokens)
        alone = [texts.of([prompt], arguments.tokens)[0] for prompt in prompts]
        same = sum(own == other for own, other in zip(alone, together, strict=True))
        print(f"{type:6} {same} of {len(prompts)} texts of {arguments.tokens} tokens the same", flush=True)


if __name__ == "__main__":
    main()
