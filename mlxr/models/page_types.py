"""How a model's pages keep numbers: the one place that says where 8 bits are safe, and why."""

from __future__ import annotations

from mlxr.metal.cache import CacheGroup, NumberType
from mlxr.models.page_type_setting import PageType
from mlxr.runtime.messages.kv import CacheKind

KEYS_STAY = frozenset({"gpt-oss"})
"""Architectures whose keys stay 16-bit whatever is asked for. gpt-oss: a head's learned sink competes with its scores,
so that an error of keys moves weight between the sink and all that is seen."""


def typed_groups(groups: tuple[CacheGroup, ...], wanted: PageType, architecture: str) -> tuple[CacheGroup, ...]:
    """Returns a model's cache groups with the types that their pages have. ``architecture``: as its file calls it."""
    if wanted != "int8":
        return groups
    keys = NumberType.HALF if architecture.replace("_", "-") in KEYS_STAY else NumberType.INT8
    return tuple(group.typed(keys, NumberType.INT8) for group in groups)


def described(groups: tuple[CacheGroup, ...]) -> str:
    """Returns the type of the pages in a word or three; empty where there are none but of states."""
    kept = [group for group in groups if group.kind is not CacheKind.STATE]
    types = {vectors.type for group in kept for vectors in group.vectors}
    if len(types) < 2:
        return "".join(types)
    keys, values = kept[0].keys, kept[0].values
    return f"keys {keys}, values {values}"
