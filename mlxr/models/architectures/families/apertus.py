"""Apertus (Swiss AI Initiative 2025): Llama's attention with norms on every head, and perceptrons without a gate, whose
activation is xIELU with numbers of each layer's own."""

from __future__ import annotations

import math
from dataclasses import replace

from mlxr.metal.specs import Activation, RopeStyle, Xielu
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.sizes import Sizes, require_activation, scale_of
from mlxr.models.architectures.spec import DecoderSpec, LayerSpec, Norms
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters

OF_ACTIVATION = "model.layers.{layer}.mlp.act_fn."
USUAL = {"alpha_p": 0.0, "alpha_n": 0.0, "beta": 0.5, "eps": -1e-6}
"""xIELU's numbers where a model that is only looked at has none."""


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters)
    require_activation(parameters, "xielu")
    factors = weights.optional_values("rope_freqs.weight", sizes.rope_dims // 2)
    rope = model_rope(parameters, sizes.rope_dims, RopeStyle.NEOX, factors, default_base=12_000_000.0)
    attention, mlp = (
        sizes.attention(rope, scale_of(parameters, sizes.head_dim)),
        sizes.mlp(Activation.SILU, gated=False),
    )
    return sizes.decoder(
        [
            LayerSpec(attention, replace(mlp, spec=replace(mlp.spec, xielu=numbers)), Norms(heads=True))
            for numbers in _numbers(parameters, weights, sizes.layers)
        ]
    )


def _numbers(parameters: Hyperparameters, weights: Weights, layers: int) -> list[Xielu]:
    """Returns each layer's numbers, of which files keep what softplus makes two of them of."""
    if parameters.format is Format.GGUF:
        file = Hyperparameters(parameters.path, parameters.values)  # without the architecture before them
        columns = [file.numbers(f"xielu.{name}", layers) for name in USUAL]
        missing = next((name for name, column in zip(USUAL, columns, strict=True) if column is None), None)
        if missing is not None:
            raise parameters.error(f"lacks the setting 'xielu.{missing}'")
        rows = list(zip(*(column or () for column in columns), strict=True))
    else:
        rows = [_of_folder(weights, layer) for layer in range(layers)]
    return [Xielu(_softplus(rise), beta + _softplus(fall), beta, eps) for rise, fall, beta, eps in rows]


def _of_folder(weights: Weights, layer: int) -> tuple[float, ...]:
    found: list[float] = []
    for name, usual in USUAL.items():
        values = weights.optional_values((OF_ACTIVATION + name).format(layer=layer), 1)
        found.append(usual if values is None else float(values[0]))
    return tuple(found)


def _softplus(x: float) -> float:
    return x if x > 20 else math.log1p(math.exp(x))


IN_GGUF = FormatTable(("apertus",), {**names.GGUF, **names.GGUF_HEAD_NORMS}, GGUF)
IN_FOLDERS = FormatTable(
    ("apertus",),
    {
        **names.HUGGING_FACE,
        **names.HUGGING_FACE_HEAD_NORMS,
        "attention_norm": "model.layers.{layer}.attention_layernorm.weight",
        "feed_forward_norm": "model.layers.{layer}.feedforward_layernorm.weight",
        **{f"xielu_{name}": OF_ACTIVATION + name for name in USUAL},
    },
    config_json.LEFTOVERS.extended(neutral={"post_norm": (False,), "qk_norm": (True,)}),
)
FAMILY = Family("apertus", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS})
