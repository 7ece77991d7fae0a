"""How a model's pages keep numbers: the one place that says where 8 bits are safe, and why."""

from __future__ import annotations

from typing import Literal

from mlxr.metal.cache import CacheGroup, NumberType
from mlxr.runtime.messages.kv import CacheKind

PageType = Literal["auto", "16bit", "int8"]
"""What ``kv.page_type`` may say. ``auto``: as is safe for the model where it computes."""

MEASURED: dict[str, frozenset[str]] = {}
"""Architectures whose pages are codes of 8 bits where nothing else is asked for, by backend: those whose divergence
from float32 was measured to be at most 1.5 times that of 16-bit pages (``docs/precision.md``)."""

KEYS_STAY = frozenset({"gpt-oss"})
"""Architectures whose keys stay 16-bit whatever is asked for. gpt-oss: a head's learned sink competes with its scores,
which are large where one channel of its keys is, so that an error of the keys moves weight between the sink and all
that is seen."""


def typed_groups(
    groups: tuple[CacheGroup, ...], wanted: PageType, architecture: str, backend: str
) -> tuple[CacheGroup, ...]:
    """Returns a model's cache groups with the types that their pages have. ``architecture``: as its file calls it."""
    family = architecture.replace("_", "-")
    if wanted == "auto":
        wanted = "int8" if family in MEASURED.get(backend, frozenset()) else "16bit"
    if wanted == "16bit":
        return groups
    keys = NumberType.HALF if family in KEYS_STAY else NumberType.INT8
    return tuple(group.typed(keys, NumberType.INT8) for group in groups)


def described(groups: tuple[CacheGroup, ...]) -> str:
    """Returns the type of the pages in a word or three; empty where there are none but of states."""
    kept = [group for group in groups if group.kind is not CacheKind.STATE]
    types = {vectors.type for group in kept for vectors in group.vectors}
    if len(types) < 2:
        return "".join(types)
    keys, values = kept[0].keys, kept[0].values
    return f"keys {keys}, values {values}"
