"""The sizes that every decoder's file tells, each held to what a model could have before anything is made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mlxr.metal.specs import Activation, AttentionSpec, ExpertsSpec, MLPSpec, NormKind, Rope, Temperature
from mlxr.models.architectures.heads import require_equal_values, require_even_heads, rope_share, turned_dims
from mlxr.models.architectures.leftovers import drafting_layers
from mlxr.models.architectures.spec import MLP, DecoderSpec, Experts, LayerSpec
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.hyperparameters import Format, Hyperparameters

MAX_LAYERS = 1 << 10
MAX_WIDTH = 1 << 17
MAX_HIDDEN = 1 << 20
MAX_HEADS = 1 << 12
MAX_HEAD_DIM = 1 << 12
MAX_VOCABULARY = 1 << 22
MAX_EXPERTS = 1 << 12
"""What no model comes near. Files are held to it before anything is made of their numbers."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """What most decoders say, and parts of a spec made of it.

    ``hidden``: numbers within the feed-forward.
    ``rope_dims``: of a head, how many the rope turns.
    ``norm_eps``: of all norms.
    ``tied``, ``norm``: as in ``DecoderSpec``.
    """

    layers: int
    width: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    rope_dims: int
    context_length: int
    norm_eps: float
    tied: bool | None
    norm: NormKind = NormKind.RMS

    @classmethod
    def read(
        cls,
        parameters: Hyperparameters,
        head_dim: int | None = None,
        experts: bool = False,
        usual_heads: bool = True,
        hidden: int | None = None,
        usual_hidden: bool = True,
        norm: NormKind = NormKind.RMS,
        norm_eps: float | None = None,
        layers: int | None = None,
        heads: int | None = None,
        kv_heads: int | None = None,
    ) -> Sizes:
        """Reads them by GGUF's keys. ``head_dim``: what it is where the file does not say; None for an even share of
        the width. ``experts``: whether the family has mixtures of experts. ``usual_heads``: False where the family
        reads what heads are made of by itself: then ``kv_heads``, ``head_dim`` and ``rope_dims`` are 0. ``heads``: the
        most of a layer, where the family reads them by itself. ``kv_heads``, ``hidden``, ``norm_eps``, ``layers``: what
        they are where the file does not say. ``usual_hidden``: False where it may differ by layer, and the family reads
        it by itself: then it is 0. ``norm``: the kind of all norms of the hidden state.

        Raises ``ModelFileError`` where query heads can't share the key heads or the rope does not fit a head,
        ``UnsupportedModelError`` for a mixture of experts and where values are not as long as keys.
        """
        if not experts and routed_experts(parameters):
            raise UnsupportedModelError(parameters.path, "is a mixture of experts, which mlxr's family has not")
        width = parameters.positive("embedding_length", most=MAX_WIDTH)
        if heads is None:
            heads = parameters.positive("attention.head_count", most=MAX_HEADS)
        kv_heads, head_size, dims = (
            _usual_heads(parameters, heads, kv_heads or heads, head_dim or max(1, width // heads))
            if usual_heads
            else (0, 0, 0)
        )
        context = parameters.positive("context_length")
        if norm_eps is None and parameters.format is not Format.GGUF:
            # transformers leaves out of a config.json what is its own default.
            norm_eps = 1e-6 if norm is NormKind.RMS else 1e-5
        return cls(
            layers=_layers(parameters, layers),
            width=width,
            hidden=parameters.shared("feed_forward_length", hidden, MAX_HIDDEN) if usual_hidden else 0,
            heads=heads,
            kv_heads=kv_heads,
            head_dim=head_size,
            rope_dims=dims,
            context_length=min(context, parameters.positive("max_seq_length", context)),
            norm_eps=parameters.epsilon(_epsilon(parameters, norm), norm_eps),
            tied=parameters.flag("tie_word_embeddings", False) if "tie_word_embeddings" in parameters else None,
            norm=norm,
        )

    def attention(self, rope: Rope | None, scale: float, window: int = 0, softcap: float = 0.0) -> AttentionSpec:
        return AttentionSpec(
            self.heads, self.kv_heads, self.head_dim, scale, rope, self.norm_eps, window, softcap, norm=self.norm
        )

    def mlp(self, activation: Activation, gated: bool = True) -> MLP:
        return MLP(self.hidden, MLPSpec(activation, self.norm_eps, self.norm), gated)

    def experts(
        self, parameters: Hyperparameters, activation: Activation, *, normalized: bool, hidden: int | None = None
    ) -> Experts:
        """Returns the mixture that a file's numbers describe. ``normalized``: whether weights add up to 1 where it does
        not say; ``hidden``: numbers within an expert where it does not say, None where it must."""
        count, used = expert_counts(parameters)
        normalized = parameters.flag("expert_weights_norm", parameters.flag("norm_topk_prob", normalized))
        spec = ExpertsSpec(activation, count, used, self.norm_eps, normalized=normalized, norm=self.norm)
        return Experts(parameters.shared("expert_feed_forward_length", hidden, MAX_HIDDEN), spec)

    def decoder(self, layers: Sequence[LayerSpec], embedding_scale: float = 1.0, softcap: float = 0.0) -> DecoderSpec:
        return DecoderSpec(
            self.width,
            self.context_length,
            tuple(layers),
            self.norm_eps,
            embedding_scale,
            softcap,
            self.tied,
            norm=self.norm,
        )


def _epsilon(parameters: Hyperparameters, norm: NormKind) -> str:
    """Returns the key of what norms add to keep from dividing by zero: folders have several names for layer norms'."""
    if norm is NormKind.RMS:
        return "attention.layer_norm_rms_epsilon"
    if parameters.format is Format.GGUF:
        return "attention.layer_norm_epsilon"
    names = "layer_norm_eps", "norm_eps", "norm_epsilon", "layer_norm_epsilon"
    return next((name for name in names if name in parameters), names[0])


def _other_counts(parameters: Hyperparameters) -> int:
    """Returns how many experts a ``config.json`` has by one of the other names for it; 0 for none."""
    return parameters.integer("num_experts", parameters.integer("n_routed_experts", 0))


def temperature_of(parameters: Hyperparameters) -> Temperature | None:
    """Returns how queries grow with their position, None where they don't (Mistral's since Ministral 3)."""
    if parameters.format is Format.GGUF:
        scale, length = parameters.number("attention.temperature_scale", 0.0), "rope.scaling.original_context_length"
        if parameters.integer("attention.temperature_length", 0):
            length = "attention.temperature_length"
    else:
        at = "rope_parameters" if "rope_parameters.llama_4_scaling_beta" in parameters else "rope_scaling"
        scale, length = parameters.number(f"{at}.llama_4_scaling_beta", 0.0), f"{at}.original_max_position_embeddings"
    return Temperature(scale, parameters.positive(length)) if scale else None


def expert_counts(parameters: Hyperparameters) -> tuple[int, int]:
    """Returns how many experts a layer has, and how many of them a token uses. Raises ``ModelFileError`` for more."""
    count = parameters.positive("expert_count", _other_counts(parameters), MAX_EXPERTS)
    used = parameters.positive("expert_used_count")
    if used > count:
        raise parameters.error(f"has {count} experts, of which each token would use {used}")
    return count, used


def routed_experts(parameters: Hyperparameters) -> int:
    """Returns how many experts a layer has to choose from; 0 where the model is none of these."""
    return parameters.integer("expert_count", _other_counts(parameters))


def scale_of(parameters: Hyperparameters, size: float) -> float:
    """Returns what scores are multiplied by: the file's number, else one over the root of ``size``. Raises
    ``ModelFileError`` for heads of no size."""
    if size <= 0:
        raise parameters.error("has more heads than numbers in a hidden state, so none is left for each")
    return parameters.number("attention.scale", 0.0) or float(size**-0.5)


def partial_rope(parameters: Hyperparameters, sizes: Sizes, usual: float = 1.0) -> int:
    """Returns how many of a head's numbers the rope turns, in families where a ``config.json`` says so as a share,
    ``usual`` where it does not."""
    if parameters.format is Format.GGUF:
        return sizes.rope_dims
    return turned_dims(parameters, sizes.head_dim, rope_share(parameters, usual))


def require_activation(parameters: Hyperparameters, *wanted: str, key: str = "hidden_act") -> None:
    """Raises ``UnsupportedModelError`` for a ``config.json`` that names another activation than the family's."""
    found = parameters.text(key, wanted[0])
    if found not in wanted:
        raise UnsupportedModelError(
            parameters.path, f"uses the activation {found[:60]!r}; mlxr knows {', '.join(wanted)}"
        )


def _usual_heads(parameters: Hyperparameters, heads: int, usual_keys: int, usual_size: int) -> tuple[int, int, int]:
    """Returns how many key heads there are, how long heads are, and how much of that the rope turns."""
    kv_heads = parameters.shared("attention.head_count_kv", usual_keys, MAX_HEADS)
    head_dim = parameters.positive("attention.key_length", usual_size, MAX_HEAD_DIM)
    require_even_heads(parameters, heads, kv_heads)
    require_equal_values(parameters, head_dim)
    dims = parameters.positive("rope.dimension_count", head_dim, MAX_HEAD_DIM)
    if dims % 2 or dims > head_dim:
        reason = f"turns {dims} dimensions by its rope; a head has {head_dim}, in pairs"
        raise parameters.error(reason)
    return kv_heads, head_dim, dims


def _layers(parameters: Hyperparameters, default: int | None) -> int:
    """GGUF counts the layers that draft tokens among all."""
    layers = parameters.positive("block_count", default, MAX_LAYERS)
    if parameters.format is not Format.GGUF:
        return layers
    if layers <= (drafting := drafting_layers(parameters)):
        raise parameters.error(f"has {layers} layers, of which {drafting} would draft tokens alone")
    return layers - drafting
