"""What heads of attention must be like for mlxr to run them, whoever reads how many and how long they are."""

from __future__ import annotations

from mlxr.models.errors import UnsupportedModelError
from mlxr.models.hyperparameters import Hyperparameters


def require_even_heads(parameters: Hyperparameters, heads: int, kv_heads: int) -> None:
    """Raises ``ModelFileError`` where query heads can't share the key heads evenly."""
    if heads % kv_heads:
        reason = f"has {heads} query heads, which {kv_heads} key heads can't share evenly"
        raise parameters.error(reason)


def require_equal_values(parameters: Hyperparameters, head_dim: int, key: str = "attention.value_length") -> None:
    """Raises ``UnsupportedModelError`` where a head's values, by ``key``, are not as long as its keys."""
    if (values := parameters.positive(key, head_dim)) != head_dim:
        reason = f"has values of {values} numbers a head and keys of {head_dim}; mlxr runs equal ones"
        raise UnsupportedModelError(parameters.path, reason)


def require_all_turned(parameters: Hyperparameters, head_dim: int, dims: int) -> None:
    """Raises ``UnsupportedModelError`` for a rope that does not turn all of a head."""
    if dims != head_dim:
        raise UnsupportedModelError(parameters.path, f"turns {dims} of {head_dim} dimensions; mlxr turns all")


def rope_share(parameters: Hyperparameters, usual: float, layers: str = "") -> float:
    """Returns how much of a head the rope of a ``config.json`` turns, ``usual`` where it does not say. ``layers``: the
    kind of layers whose rope it is, where the file may have one for each (``full_attention``)."""
    share = parameters.number("partial_rotary_factor", usual)
    share = parameters.number("rope_parameters.partial_rotary_factor", share)
    return parameters.number(f"rope_parameters.{layers}.partial_rotary_factor", share) if layers else share


def turned_dims(parameters: Hyperparameters, head_dim: int, share: float) -> int:
    """Returns how many of a head's numbers a rope turns that turns such a ``share``. Raises ``ModelFileError`` for none
    and for more than there are."""
    dims = int(head_dim * share)
    if dims < 2 or dims % 2 or dims > head_dim:
        raise parameters.error(f"turns {share} of the {head_dim} dimensions of a head by its rope")
    return dims
