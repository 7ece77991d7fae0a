"""dots.llm1 (rednote 2025): Qwen3's attention, some dense layers, then experts whose scores are sigmoids, with some
that every token uses."""

from __future__ import annotations

from mlxr.metal.specs import Activation, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.layer_kinds import dense_first, windows
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.routing import sigmoid_experts
from mlxr.models.architectures.sizes import Sizes, require_activation, scale_of
from mlxr.models.architectures.spec import DecoderSpec, LayerSpec, Norms
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters, experts=True)
    require_activation(parameters, "silu")
    rope = model_rope(parameters, sizes.rope_dims, RopeStyle.NEOX)
    scale, norms = scale_of(parameters, sizes.head_dim), Norms(heads=True)
    mlp, experts = sizes.mlp(Activation.SILU), sigmoid_experts(parameters, sizes, Activation.SILU)
    back = windows(parameters, sizes, used="layer_types" in parameters)
    return sizes.decoder(
        [
            LayerSpec(sizes.attention(rope, scale, window), experts if sparse else mlp, norms)
            for sparse, window in zip(dense_first(parameters, sizes.layers, 0), back, strict=True)
        ]
    )


MLX_EXPERTS = {
    **names.experts("model.layers.{layer}.mlp.experts"),
}
"""mlx-lm's, all of a layer in one tensor."""

IN_GGUF = FormatTable(
    ("dots1",),
    {
        **names.GGUF,
        **names.GGUF_HEAD_NORMS,
        **names.GGUF_DEEPSEEK_EXPERTS,
    },
    GGUF,
)
IN_FOLDERS = FormatTable(
    ("dots1",),
    {
        **names.HUGGING_FACE,
        **names.HUGGING_FACE_HEAD_NORMS,
        **names.HUGGING_FACE_DEEPSEEK_EXPERTS,
        **{f"{role}_together": name for role, name in MLX_EXPERTS.items()},
    },
    config_json.LEFTOVERS,
)
FAMILY = Family("dots1", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS})
