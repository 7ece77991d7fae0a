"""What stands between the projection of queries, keys and values and attention, in one kernel: norms of queries, keys
and values, the rope in both of its styles, temperatures of queries, and the write of keys and values to their pages.

A simdgroup has one head of one row. Angles come from the host in float64's precision (``reference/rope.py`` says why).
"""

from __future__ import annotations

from mlxr.metal.gpu.kernel import Kernel, Launch
from mlxr.metal.specs import AttentionSpec, RopeStyle

KERNEL = Kernel(
    "rope/rope",
    ("x", "query_norm", "key_norm", "angles", "temperatures", "slots", "eps", "keys", "values"),
    ("queries",),
    writes=("keys", "values"),
)
"""``x`` float32 ``[rows, (heads + 2 * kv_heads) * head_dim]``, without values where these are the keys; norms float32
``[head_dim]``; ``angles`` float32 ``[rows, 2, pairs]``, cosines and then sines, at least one pair;
``temperatures`` float32 ``[rows]``; ``slots`` int32 ``[rows]``, -1 for a row that is not kept; ``eps`` float32 ``[1]``;
``keys``, ``values`` ``P`` ``[slots, kv_heads, head_dim]``. ``queries`` float32 ``[rows, heads, head_dim]``."""

STYLES = {RopeStyle.NORMAL: 1, RopeStyle.NEOX: 2}


def launch(rows: int, spec: AttentionSpec, normed: bool, dtype: str) -> Launch:
    """``normed``: whether queries and keys are; ``dtype``: of pages."""
    rope = spec.rope
    return Launch(
        template=(
            ("P", dtype),
            ("HEADS", spec.heads),
            ("KV_HEADS", spec.kv_heads),
            ("DIMS", spec.head_dim),
            ("PAIRS", len(rope.inverse_frequencies) if rope else 1),
            ("STYLE", STYLES[rope.style] if rope else 0),
            ("NORMED", normed),
            ("ROPE_FIRST", spec.rope_first),
            ("NORM_VALUES", spec.norm_values),
            ("VALUES_ARE_KEYS", spec.values_are_keys),
        ),
        grid=(32 * (spec.heads + 2 * spec.kv_heads), rows, 1),
        threadgroup=(32, 1, 1),
        shapes=((rows, spec.heads, spec.head_dim),),
        dtypes=("float32",),
    )
