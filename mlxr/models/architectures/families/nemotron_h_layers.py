"""Which half each of Nemotron-H's layers is, as files of either format tell."""

from __future__ import annotations

from mlxr.models.architectures.layer_kinds import listed_layers
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
