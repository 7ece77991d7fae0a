"""The sizes that every encoder's file tells, each held to what a model could have before anything is made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlxr.metal.specs import Activation, AttentionSpec, MLPSpec, NormKind, Rope
from mlxr.models.architectures.sizes import MAX_HEAD_DIM, MAX_HEADS, MAX_HIDDEN, MAX_LAYERS, MAX_VOCABULARY, MAX_WIDTH
from mlxr.models.architectures.spec import MLP, EncoderSpec, LayerSpec
from mlxr.models.architectures.weights import Weights
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.hyperparameters import Format, Hyperparameters

MAX_POSITIONS = 1 << 20

ACTIVATIONS: Mapping[str, Activation] = {
    "gelu": Activation.GELU,
    "gelu_new": Activation.GELU_TANH,
    "gelu_pytorch_tanh": Activation.GELU_TANH,
    "silu": Activation.SILU,
}


@dataclass(frozen=True, slots=True)
class EncoderSizes:
    """What most encoders say, and parts of a spec made of it.

    ``hidden``: numbers within the feed-forward.
    ``context_length``: as the file has it, no longer than sentence-transformers' limit.
    ``norm_eps``: of all norms.
    ``vocabulary``: as in ``EncoderSpec``.
    """

    layers: int
    width: int
    hidden: int
    heads: int
    head_dim: int
    context_length: int
    norm_eps: float
    vocabulary: int | None

    @classmethod
    def read(cls, parameters: Hyperparameters, norm_eps: float = 1e-12) -> EncoderSizes:
        """Reads them by GGUF's keys. ``norm_eps``: what it is where a folder does not say.

        Raises ``ModelFileError`` where the heads can't share the width, ``UnsupportedModelError`` for a model that is
        no encoder.
        """
        gguf = parameters.format is Format.GGUF
        for key in () if gguf else ("is_decoder", "add_cross_attention"):
            if parameters.flag(key, False):
                reason = f"sets {key}; mlxr runs encoders, which see the whole input"
                raise UnsupportedModelError(parameters.path, reason)
        if gguf and parameters.flag("attention.causal", False):
            raise UnsupportedModelError(parameters.path, "sees only what is before; mlxr runs encoders, which see all")
        width = parameters.positive("embedding_length", most=MAX_WIDTH)
        heads = parameters.positive("attention.head_count", most=MAX_HEADS)
        if "attention.key_length" not in parameters and width % heads:
            raise parameters.error(f"is {width} wide, which {heads} heads can't share evenly")
        head_dim = parameters.positive("attention.key_length", max(1, width // heads), MAX_HEAD_DIM)
        if (values := parameters.positive("attention.value_length", head_dim)) != head_dim:
            reason = f"has values of {values} numbers a head and keys of {head_dim}; mlxr runs equal ones"
            raise UnsupportedModelError(parameters.path, reason)
        positions = parameters.positive("context_length", most=MAX_POSITIONS)
        return cls(
            layers=parameters.positive("block_count", most=MAX_LAYERS),
            width=width,
            hidden=parameters.positive("feed_forward_length", most=MAX_HIDDEN),
            heads=heads,
            head_dim=head_dim,
            context_length=min(positions, parameters.positive("max_seq_length", positions)),
            norm_eps=parameters.epsilon("attention.layer_norm_epsilon", None if gguf else norm_eps),
            vocabulary=None if gguf else parameters.positive("vocab_size", most=MAX_VOCABULARY),
        )

    def attention(
        self, rope: Rope | None = None, window: int = 0, alibi: tuple[float, ...] = (), norm: NormKind = NormKind.RMS
    ) -> AttentionSpec:
        """Returns attention without order. ``window``: as in ``AttentionSpec``. ``norm``: the kind of that before."""
        return AttentionSpec(
            self.heads,
            self.heads,
            self.head_dim,
            self.head_dim**-0.5,
            rope,
            self.norm_eps,
            window,
            causal=False,
            alibi=alibi,
            norm=norm,
        )

    def mlp(self, activation: Activation, gated: bool, norm: NormKind = NormKind.RMS) -> MLP:
        return MLP(self.hidden, MLPSpec(activation, self.norm_eps, norm), gated)

    def encoder(self, layers: Sequence[LayerSpec], segments: int = 0) -> EncoderSpec:
        return EncoderSpec(
            width=self.width,
            context_length=self.context_length,
            layers=tuple(layers),
            norm_eps=self.norm_eps,
            vocabulary=self.vocabulary,
            segments=segments,
        )


def half_window(size: int) -> int:
    """Returns, as ``AttentionSpec`` has it, a window of ``size`` that reaches as far ahead as back: half of it each
    way, and the token itself."""
    return size // 2 + 1


def activation_of(parameters: Hyperparameters, usual: str = "gelu") -> Activation:
    """Returns the activation that a file names. Raises ``UnsupportedModelError`` for one that mlxr lacks."""
    name = parameters.text("hidden_activation" if parameters.format is Format.GGUF else "hidden_act", usual)
    if name not in ACTIVATIONS:
        known = ", ".join(ACTIVATIONS)
        raise UnsupportedModelError(parameters.path, f"uses the activation {name[:60]!r}; mlxr knows {known}")
    return ACTIVATIONS[name]


def segments_of(parameters: Hyperparameters, weights: Weights, usual: int, name: str) -> int:
    """Returns the rows of the table of segments, ``name`` in GGUF files; ``usual``: where a folder does not say."""
    if parameters.format is Format.GGUF:
        return weights.rows(name, MAX_VOCABULARY) if name in weights else 0
    return parameters.integer("type_vocab_size", usual) and parameters.positive(
        "type_vocab_size", usual, MAX_VOCABULARY
    )


def require_settings(parameters: Hyperparameters, usual: Mapping[str, object]) -> None:
    """Raises ``UnsupportedModelError`` for a folder that sets one of these otherwise."""
    for key, value in usual.items():
        found = parameters.values.get(key, value)
        if found is not None and found != value:
            reason = f"sets {key} to {str(found)[:60]!r}; mlxr's family knows {value!r}"
            raise UnsupportedModelError(parameters.path, reason)
