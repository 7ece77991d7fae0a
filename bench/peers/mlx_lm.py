"""mlx-lm on MLX's CPU backend: ``python -m bench.peers.mlx_lm MODEL.gguf THREADS``.

mlx-lm reads no GGUF, so it runs its own Llama with the file's dimensions and random 4-bit weights, as it would
serve this model; MLX's CPU backend has no setting for threads.
"""

from __future__ import annotations

import sys
import time

import mlx.core as mx
from mlx.nn.layers.quantized import quantize
from mlx_lm.models import llama
from mlx_lm.models.cache import make_prompt_cache

from bench.peers.worker import serve
from mlxr.models.formats.gguf.file import GGUFFile
from mlxr.models.hyperparameters import Hyperparameters

BITS, GROUP = 4, 64


class MlxLm:
    def __init__(self, path: str) -> None:
        file = GGUFFile.open(path)
        given = Hyperparameters(file.path, file.metadata, "llama.")
        vocabulary = file.tensors["token_embd.weight"].shape[0]
        self._model = llama.Model(
            llama.ModelArgs(
                model_type="llama",
                hidden_size=given.positive("embedding_length"),
                num_hidden_layers=given.positive("block_count"),
                intermediate_size=given.positive("feed_forward_length"),
                num_attention_heads=given.positive("attention.head_count"),
                num_key_value_heads=given.positive("attention.head_count_kv"),
                rms_norm_eps=given.number("attention.layer_norm_rms_epsilon"),
                vocab_size=vocabulary,
                tie_word_embeddings="output.weight" not in file.tensors,
            )
        )
        quantize(self._model, GROUP, BITS)
        mx.eval(self._model.parameters())

    def decode(self, sequences: int, before: int, steps: int) -> float:
        """Tokens a second of one sequence with ``before`` tokens of context."""
        cache = make_prompt_cache(self._model)
        token = self._step(mx.zeros((sequences, before), mx.int32), cache)
        began = time.perf_counter()
        for _ in range(steps):
            token = self._step(token, cache)
        return sequences * steps / (time.perf_counter() - began)

    def prefill(self, length: int) -> float:
        """Tokens a second of one prompt."""
        began = time.perf_counter()
        self._step(mx.zeros((1, length), mx.int32), make_prompt_cache(self._model))
        return length / (time.perf_counter() - began)

    def _step(self, tokens: mx.array, cache: list[object]) -> mx.array:
        following = mx.argmax(self._model(tokens, cache=cache)[:, -1:], axis=-1)
        mx.eval(following)
        return following


def main() -> None:
    peer = MlxLm(sys.argv[1])
    serve({"decode": peer.decode, "prefill": peer.prefill})


if __name__ == "__main__":
    main()
