"""mlx-lm on MLX's GPU: ``python -m bench.peers.mlx_lm_gpu SHAPE LAYERS``, with the shapes of ``bench.gpu_shapes``.

Its own model of the shape, random weights, a plain cache for sequences of one length side by side, and the next step
queued before the one before is read, as its ``generate`` does.
"""

from __future__ import annotations

import importlib
import os
import statistics
import sys
import time

import mlx.core as mx
from mlx.nn.layers.quantized import quantize
from mlx.utils import tree_flatten
from mlx_lm.models.cache import make_prompt_cache

from bench.gpu_shapes import SHAPES
from bench.peers.worker import serve
from mlxr.metal.mlx.device import SETTINGS

GROUP = 64
CHUNK = 2048
"""Tokens of a prompt at once, as its ``generate`` has it."""


class MlxLmGpu:
    def __init__(self, name: str, layers: int) -> None:
        shape = SHAPES[name]
        module = importlib.import_module(f"mlx_lm.models.{shape.theirs['model_type']}")
        settings = {**shape.theirs, "num_hidden_layers": layers}
        nested = {"model_type": settings["model_type"], "text_config": settings}
        arguments = getattr(module, "TextModelArgs", None)
        given = nested if arguments else settings
        self._model = module.Model(module.ModelArgs.from_dict(given))
        self._model.set_dtype(mx.bfloat16)
        if shape.bits < 16:
            quantize(self._model, GROUP, shape.bits)
        for parameter in tree_flatten(self._model.parameters()):  # one by one: what they are made of is let go
            mx.eval(parameter[1])

    def decode(self, sequences: int, before: int, steps: int) -> float:
        """Milliseconds a step of ``sequences`` with ``before`` tokens of context each, and more: the median of 3 runs
        after a first."""
        taken = []
        cache = make_prompt_cache(self._model)
        token = self._step(self._prompted(mx.zeros((sequences, before), mx.int32), cache), cache)
        following = self._step(token, cache)
        mx.eval(token)
        for _ in range(4):
            began = time.perf_counter()
            for _ in range(steps):
                token, following = following, self._step(following, cache)
                mx.eval(token)
            taken.append(time.perf_counter() - began)
        mx.eval(following)
        return 1000 * statistics.median(taken[1:]) / steps

    def prefill(self, length: int) -> float:
        """Tokens a second of one prompt, the better of 2 after a first."""
        taken = []
        for _ in range(3):
            began = time.perf_counter()
            mx.eval(self._prompted(mx.zeros((1, length), mx.int32), make_prompt_cache(self._model)))
            taken.append(time.perf_counter() - began)
        return length / min(taken[1:])

    def _prompted(self, tokens: mx.array, cache: list[object]) -> mx.array:
        """Reads all but the last token for the cache alone: logits that nobody looks at are not computed."""
        count, length = tokens.shape
        chunk = max(1, CHUNK // count)  # more at once outgrow a grid of MLX's, or the card
        for begin in range(0, length - 1, chunk):
            self._model(tokens[:, begin : min(begin + chunk, length - 1)], cache=cache)
            mx.eval([part.state for part in cache])  # type: ignore[attr-defined]
        return self._step(tokens[:, -1:], cache)

    def _step(self, tokens: mx.array, cache: list[object]) -> mx.array:
        following = mx.argmax(self._model(tokens, cache=cache)[:, -1:], axis=-1)
        mx.async_eval(following)
        return following


def main() -> None:
    for setting in SETTINGS:  # as mlx-lm runs, whatever our own engine has set before
        os.environ.pop(setting, None)
    peer = MlxLmGpu(sys.argv[1], int(sys.argv[2]))
    serve({"decode": peer.decode, "prefill": peer.prefill})


if __name__ == "__main__":
    main()
