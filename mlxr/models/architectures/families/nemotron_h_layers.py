"""Nemotron-H's layers: which half each is, as files of either format tell, and what such a half consists of."""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import Activation
from mlxr.models.architectures import state_spaces
from mlxr.models.architectures.layer_kinds import listed_layers
from mlxr.models.architectures.routing import sigmoid_experts, with_shared
from mlxr.models.architectures.sizes import MAX_WIDTH, Sizes, scale_of
from mlxr.models.architectures.spec import Experts, LayerSpec
from mlxr.models.hyperparameters import Hyperparameters

KINDS = {
    "M": "mamba",
    "*": "attention",
    "-": "mlp",
    "E": "moe",
    "mamba": "mamba",
    "attention": "attention",
    "mlp": "mlp",
    "moe": "moe",
    "linear_attention": "mamba",
    "full_attention": "attention",
}
"""Of layers, by the letters of ``hybrid_override_pattern`` and by the words of ``layers_block_type``."""

MAMBA_KEYS = {
    "head_size": "mamba_head_dim",
    "time_step_rank": "mamba_num_heads",
    "group_count": "n_groups",
    "state_size": "ssm_state_size",
    "conv_kernel": "conv_kernel",
}

SETTINGS_OF_HALVES = dict.fromkeys(
    (
        r"mamba_hidden_act|moe_.*|n_(routed_experts|group)|topk_group|routed_scaling_factor|norm_topk_prob",
        r"(ssm|mamba)_.*|n_groups|conv_kernel|use_(conv_)?bias|time_step_limit|num_experts_per_tok|mlp_bias",
        r"(shared_expert_)?intermediate_size",
    ),
    "of one kind of layers, which is asked where there are any",
)
"""A folder's."""


def kinds_of(parameters: Hyperparameters, listed: list[str] | None, layers: int) -> list[str]:
    """Returns which half each layer is: ``mamba``, ``attention``, ``mlp`` or ``moe``. ``listed``: what a folder lists.

    Raises ``ModelFileError`` for a list of another length, ``UnsupportedModelError`` for a kind that is not known.
    """
    found = listed_layers(parameters, listed, layers, KINDS, "kinds of layers")
    return _counted(parameters, layers) if found is None else found


def listed_kinds(parameters: Hyperparameters) -> list[str]:
    """Returns what each layer is, as a folder lists it."""
    pattern = parameters.text("hybrid_override_pattern", "")
    kinds = parameters.texts("layers_block_type") or parameters.texts("layer_types") or list(pattern)
    if not kinds:
        raise parameters.error("has neither a hybrid_override_pattern nor layers_block_type")
    return kinds


def _counted(parameters: Hyperparameters, layers: int) -> list[str]:
    """Returns what each layer is, as a GGUF file says by how many key heads and how long a perceptron it has."""
    keys, hidden = (parameters.each(key, layers) for key in ("attention.head_count_kv", "feed_forward_length"))
    sparse = "moe" if parameters.integer("expert_count", 0) else "mlp"
    return [sparse if long else "attention" if count else "mamba" for count, long in zip(keys, hidden, strict=True)]


def half_of(kind: str, parameters: Hyperparameters, sizes: Sizes) -> LayerSpec:
    """Returns a layer that is the half of that ``kind``."""
    match kind:
        case "mamba":
            projected = "use_bias" if "use_bias" in parameters else "mamba_proj_bias"
            spec = state_spaces.mamba2_spec(parameters, MAMBA_KEYS, sizes.norm_eps, sizes.norm_eps)
            return LayerSpec(spec, None, biases=state_spaces.biases(parameters, projected, "use_conv_bias"))
        case "attention":
            return LayerSpec(sizes.attention(None, scale_of(parameters, sizes.head_dim)), None)
        case "mlp":
            biases = frozenset({"up_bias", "down_bias"} if parameters.flag("mlp_bias", False) else ())
            return LayerSpec(None, sizes.mlp(Activation.RELU_SQUARED, gated=False), biases=biases)
        case _:
            return LayerSpec(None, _experts(parameters, sizes))


def _experts(parameters: Hyperparameters, sizes: Sizes) -> Experts:
    experts = sigmoid_experts(parameters, sizes, Activation.RELU_SQUARED, sizes.hidden)
    if parameters.integer("expert_shared_count", 1):
        experts = with_shared(parameters, experts)
    latent = parameters.integer("moe_latent_size", 0)
    if not 0 <= latent <= MAX_WIDTH:
        raise parameters.error(f"has experts on vectors of {latent} numbers")
    return replace(experts, gated=False, latent=latent)
