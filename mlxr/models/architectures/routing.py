"""Mixtures of experts as DeepSeek-V3 has them, in the families that took them over."""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import Activation, ExpertsSpec
from mlxr.models.architectures.sizes import MAX_HIDDEN, Sizes
from mlxr.models.architectures.spec import Experts
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.hyperparameters import Format, Hyperparameters

SOFTMAX, SIGMOID = 1, 2
"""GGUF's ``expert_gating_func``."""


def sigmoid_experts(
    parameters: Hyperparameters, sizes: Sizes, activation: Activation, hidden: int | None = None
) -> Experts:
    """Returns experts whose scores are sigmoids, with a bias where they are chosen, in groups, with some that every
    token uses. ``hidden``: as in ``Sizes.experts``. Raises ``UnsupportedModelError`` for other scores, and as
    ``in_groups``."""
    experts = sizes.experts(parameters, activation, normalized=True, hidden=hidden)
    if parameters.format is Format.GGUF:
        require_sigmoid(parameters)
    spec = replace(in_groups(parameters, experts.spec), sigmoid=True, scale=weights_scale(parameters))
    shared = parameters.integer("expert_shared_count", 0) * experts.hidden
    return replace(experts, spec=spec, shared_hidden=max(0, shared), choice_bias=True)


def weights_scale(parameters: Hyperparameters) -> float:
    """Returns what the weights of experts are multiplied by; files may have 0 for nothing."""
    if parameters.number("expert_weights_scale", 1.0) == 0:
        return 1.0
    return parameters.positive_number("expert_weights_scale", 1.0)


def with_shared(parameters: Hyperparameters, experts: Experts, usual: int | None = None) -> Experts:
    """Returns the mixture with a perceptron that every token uses besides, whose size the file tells by itself;
    ``usual``: where it does not, None for that of an expert."""
    size = parameters.positive("expert_shared_feed_forward_length", usual or experts.hidden, MAX_HIDDEN)
    return replace(experts, shared_hidden=size)


def in_groups(parameters: Hyperparameters, spec: ExpertsSpec, *, whole: bool = False) -> ExpertsSpec:
    """Returns a mixture whose tokens choose groups of experts first, then experts within those. ``whole``: all experts
    are one group, whatever is said. Raises ``ModelFileError`` for groups that do not fit."""
    groups = parameters.integer("expert_group_count", 0) or 1
    used = parameters.integer("expert_group_used_count", 0) or groups
    if whole:
        groups = used = 1
    fits = 0 < used <= groups and spec.experts % groups == 0
    if not fits or spec.used > spec.experts // groups * used:
        count = f"{spec.experts} experts in {groups} groups"
        reason = f"has {count}; of {used} groups each token would use {spec.used} experts"
        raise parameters.error(reason)
    return replace(spec, groups=groups, used_groups=used)


def require_sigmoid(parameters: Hyperparameters) -> None:
    """Raises ``UnsupportedModelError`` for a GGUF file whose experts' scores are no sigmoids (``expert_gating_func``),
    in families that have no others."""
    function = parameters.integer("expert_gating_func", 0) or SIGMOID
    if function != SIGMOID:
        reason = f"scores its experts by function {function}; mlxr knows {SIGMOID} (sigmoid) in this family"
        raise UnsupportedModelError(parameters.path, reason)


def numbered_sigmoid(parameters: Hyperparameters, usual: bool) -> bool:
    """Returns whether a GGUF file's experts have scores that are sigmoids, and no softmax (``expert_gating_func``).
    Raises ``UnsupportedModelError`` for other functions. ``usual``: what holds where it does not say."""
    function = parameters.integer("expert_gating_func", 0) or (SIGMOID if usual else SOFTMAX)
    if function not in (SOFTMAX, SIGMOID):
        reason = f"scores its experts by function {function}; mlxr knows {SOFTMAX} (softmax) and {SIGMOID} (sigmoid)"
        raise UnsupportedModelError(parameters.path, reason)
    return function == SIGMOID


def named_sigmoid(parameters: Hyperparameters, key: str, usual: str) -> bool:
    """Returns whether a ``config.json`` names sigmoids by ``key`` for its experts' scores, and no softmax. Raises
    ``UnsupportedModelError`` for other functions. ``usual``: the one where it names none."""
    scoring = parameters.text(key, usual)
    if scoring not in ("softmax", "sigmoid"):
        reason = f"scores its experts by {scoring[:60]!r}; mlxr knows softmax and sigmoid"
        raise UnsupportedModelError(parameters.path, reason)
    return scoring == "sigmoid"
