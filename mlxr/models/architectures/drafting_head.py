"""Multi-token prediction: the layer behind a model's last that says which token comes after the next.

It reads a position's hidden state behind the final norm, and the embedding of the token that has come there since; both
are normed, put side by side and projected to the width. A layer of the model's own kind follows, with keys and values
of its own, and a norm. With the model's output projection that gives the token after; what the norm gives goes on as a
hidden state for the one behind that (DeepSeek-V3, GLM-4.5, Qwen3-Next and their successors; transformers' ``MtpModel``,
llama.cpp's ``graph_mtp``). Embedding and output projection are the model's, of which files may hold another copy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlxr.metal.backend import Backend
from mlxr.metal.batch import Batch
from mlxr.metal.cache import CacheGroup, cache_groups
from mlxr.metal.pool import Pool
from mlxr.metal.specs import AttentionSpec, LatentSpec, NormKind
from mlxr.models.architectures.decoder import Decoder, prepared_layer
from mlxr.models.architectures.feed_forward import feed_forward_weights
from mlxr.models.architectures.mixers import MIXERS
from mlxr.models.architectures.spec import DecoderSpec, LayerSpec
from mlxr.models.architectures.tensors import NamedTensors
from mlxr.models.errors import UnusableModelError

if TYPE_CHECKING:
    import mlx.core as mx

NUMBER = 0
"""Of the layer in the pool that is its own."""


class DraftingHead:
    """That layer on a backend, of a ``model`` of this ``spec``.

    ``groups``: what it keeps of a sequence.
    """

    def __init__(self, spec: DecoderSpec, model: Decoder, tensors: NamedTensors, backend: Backend) -> None:
        layer, own = drafting_layer(spec), tensors.drafting(len(spec.layers))
        assert layer is not None
        self.groups = groups_of(layer)
        self._backend = backend
        self._embed = model.embed
        self._token_norm = backend.rms_norm(own.norm("draft_token_norm", spec.width), spec.norm_eps)
        self._hidden_norm = backend.rms_norm(own.norm("draft_hidden_norm", spec.width), spec.norm_eps)
        self._projection = backend.linear(own.matrix("draft_projection", spec.width, 2 * spec.width))
        self._mix, self._feed_forward, _ = prepared_layer(layer, NUMBER, spec, own, backend)
        norm = own.norm("draft_norm", spec.width) if "draft_norm" in own else tensors.norm("norm", spec.width)
        self._norm = backend.rms_norm(norm, spec.norm_eps)
        self._head = backend.head(
            model.output_projection,
            norm if spec.logit_scale == 1.0 else norm * spec.logit_scale,
            spec.norm_eps,
            spec.softcap,
        )

    def __call__(self, tokens: mx.array, hidden: mx.array, batch: Batch, pool: Pool) -> mx.array:
        """Returns float32 ``[T, width]``, which ``logits`` takes: for each of ``tokens`` int32 ``[T]`` and the
        ``hidden`` state float32 ``[T, width]`` of the position before it, behind the final norm."""
        import mlx.core as mx

        step = self._backend.on_device(batch)
        both = mx.concatenate([self._token_norm(self._embed(tokens)), self._hidden_norm(hidden)], axis=1)
        x = self._projection(both)
        x = x if self._mix is None else self._mix(x, step, pool)
        return x if self._feed_forward is None else self._feed_forward(x, step)

    def logits(self, x: mx.array, rows: mx.array) -> mx.array:
        """Returns float32 ``[R, vocabulary]`` for rows, int32 ``[R]``, of what a call gave."""
        return self._head(x, rows)

    def hidden(self, x: mx.array) -> mx.array:
        """Returns what stands for the hidden states of the tokens that ``logits`` are of."""
        return self._norm(x)


def drafting_layer(spec: DecoderSpec) -> LayerSpec | None:
    """Returns what the layer behind the last is made of, which files do not say: as the last that sees all tokens. None
    where there is no such layer, or a hidden state is more than a vector."""
    if spec.alternating is not None or spec.per_layer is not None or spec.norm is not NormKind.RMS:
        return None
    for layer in reversed(spec.layers):
        whole = isinstance(layer.mixer, LatentSpec) or (
            isinstance(layer.mixer, AttentionSpec) and not layer.mixer.window and layer.mixer.kv_layer is None
        )
        if whole and not layer.parallel:
            return layer
    return None


def groups_of(layer: LayerSpec) -> tuple[CacheGroup, ...]:
    return cache_groups(layer.caches(NUMBER))


def has_drafting_head(spec: DecoderSpec, tensors: NamedTensors) -> bool:
    """Tells whether a file has all of such a layer. ``tensors``: of a header, that nobody else asks."""
    if drafting_layer(spec) is None or not tensors.drafts:
        return False
    try:
        ask_tensors(spec, tensors)
    except UnusableModelError:
        return False
    return True


def ask_tensors(spec: DecoderSpec, tensors: NamedTensors) -> None:
    """Asks for every tensor as ``DraftingHead`` does, and makes nothing of them."""
    layer, own = drafting_layer(spec), tensors.drafting(len(spec.layers))
    assert layer is not None
    for role in ("draft_token_norm", "draft_hidden_norm"):
        own.norm(role, spec.width)
    own.matrix("draft_projection", spec.width, 2 * spec.width)
    if layer.mixer is not None:
        MIXERS[type(layer.mixer)].weights(layer, layer.mixer, spec.width, own)
    if layer.feed_forward is not None:
        feed_forward_weights(layer, layer.feed_forward, spec.width, own)
    if "draft_norm" in own:
        own.norm("draft_norm", spec.width)
