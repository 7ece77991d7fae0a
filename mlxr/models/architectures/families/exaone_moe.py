"""K-EXAONE (LG AI Research 2025): EXAONE 4's windows and norms of heads, norms before each half, and behind some dense
layers experts whose scores are sigmoids, with some that every token uses."""

from __future__ import annotations

from mlxr.metal.specs import Activation, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.layer_kinds import patterned_windows, sparse_layers
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.routing import sigmoid_experts
from mlxr.models.architectures.sizes import Sizes, require_activation, scale_of
from mlxr.models.architectures.spec import DecoderSpec, LayerSpec, Norms
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters

PATTERN = 4
"""Every so many-th layer sees everything, where a folder does not list layers."""

NORMS = Norms(heads=True)


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters, experts=True)
    require_activation(parameters, "silu")
    factors = weights.optional_values("rope_freqs.weight", sizes.rope_dims // 2)
    rope = model_rope(parameters, sizes.rope_dims, RopeStyle.NEOX, factors)
    scale, mlp = scale_of(parameters, sizes.head_dim), sizes.mlp(Activation.SILU)
    experts = sigmoid_experts(parameters, sizes, Activation.SILU)
    windows = patterned_windows(parameters, sizes, PATTERN)
    sparse = sparse_layers(parameters, sizes.layers, 1)
    return sizes.decoder(
        [
            LayerSpec(
                sizes.attention(rope if window or not any(windows) else None, scale, window),
                experts if has else mlp,
                NORMS,
            )
            for window, has in zip(windows, sparse, strict=True)
        ]
    )


IN_GGUF = FormatTable(
    ("exaone-moe",),
    {
        **names.GGUF,
        **names.GGUF_HEAD_NORMS,
        **names.GGUF_DEEPSEEK_EXPERTS,
    },
    GGUF.extended(settings={r"expert_shared_feed_forward_length": "follows from how many there are"}),
)
IN_FOLDERS = FormatTable(
    ("exaone_moe",),
    {
        **names.HUGGING_FACE,
        **names.HUGGING_FACE_HEAD_NORMS,
        **names.HUGGING_FACE_EXPERTS,
        **names.HUGGING_FACE_SHARED_EXPERT,
        **names.MLX_EXPERTS,
        "choice_bias": "model.layers.{layer}.mlp.e_score_correction_bias",
    },
    config_json.DRAFTING_LEFTOVERS.extended(settings={r"is_moe_layer": "what other settings say"}),
    keys={"num_shared_experts": "n_shared_experts", "first_last_k_dense_replace": "first_k_dense_replace"},
    renamed={r"\.mlp\.gate\.e_score_correction_bias$": ".mlp.e_score_correction_bias"},
)
FAMILY = Family("exaone-moe", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS})
