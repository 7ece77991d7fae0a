"""Attention over pages: grouped queries, windows, soft caps, sinks.

- ``step``, one token of each sequence: all that is between a layer's projections and its output matrix.
- ``prefill``, tiles of 32 queries of one sequence, tokens times the heads of one head of keys, that go through the keys
  32 at a time with simdgroup matrices; latents too (``LatentSpec``), one head of keys whose first ``rank`` numbers are
  the values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlxr.metal.gpu.affine_matmul import Layout
from mlxr.metal.gpu.kernel import Kernel, Launch
from mlxr.metal.specs import AttentionSpec, RopeStyle

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIMDGROUPS = 4
TILE = 32
MOST_VALUES = 256
"""Numbers of a value that a threadgroup of ``prefill`` has: registers hold no more sums."""
STYLES = {RopeStyle.NORMAL: 1, RopeStyle.NEOX: 2}

PREFILL = Kernel(
    "attention/prefill",
    ("queries", "keys", "values", "tables", "sequences", "positions", "scaling", "sinks", "tiles"),
    ("out",),
    ("attention/pages",),
)
"""``queries`` float32 ``[rows, heads, key_dims]``; ``keys``, ``values`` pages ``[slots, kv_heads, width]``, 16-bit or
uint8; ``tables`` int32 ``[sequences, pages]``: of each sequence; ``sequences``, ``positions`` int32 ``[rows]``;
``scaling`` float32 ``[2]``: the scale and the soft cap; ``sinks`` float32 ``[heads]``, -inf for none; ``tiles`` int32
``[tiles, 2]``: the first row of each and how many it has, all of one sequence and at successive positions; between them
they have every row. ``out`` float32 ``[rows, heads, value_dims]``."""

STEP = Kernel(
    "attention/step",
    ("queries", "new_keys", "new_values", "layout", "constants", "keys", "values", "tickets", "before"),
    ("out", "scratch", "done"),
    ("affine_matmul/layout", "attention/step"),
    writes=("keys", "values", "tickets"),
    fixed=("queries", "new_keys", "new_values"),
)
"""Steps of one token a sequence: norms, rope, the write of the token's key and value, and attention.

``queries``, ``new_keys``, ``new_values`` float16 ``[rows, heads * dims]``, as they come out of their products, rows of
any stride; ``layout`` int32 ``[rows, 2 + 2 * pairs + pages]``: of each row its length with the token, the slot where
that is written, the bits of float32 cosines and then sines of its position, and its pages;
``constants`` float32: the norms' epsilon, the scale of scores, the soft cap, one that is not used, then the norms of
queries and keys ``[dims]`` and sinks ``[heads]`` as far as there are any; ``keys``, ``values`` float16 ``[slots,
kv_heads, dims]``, on CUDA also uint8 ``[slots, kv_heads, width]``, rows of codes and then scales; ``tickets`` uint32
``[at least rows * kv_heads]``, zeros before and after; ``before`` is computed when earlier writes are done, as ``done``
int32 ``[4]`` is when these are. ``out`` float16 ``[rows, heads * dims]``, on CUDA in whatever layout a product takes;
``scratch`` is for the kernel alone.

Its last threadgroup of a row and head to finish adds the splits up, so that there is no second kernel."""

LEAST_PAGE = 16
"""Tokens of a page are a multiple of it."""

MOST_GROUP = 8
"""Heads of queries that read one of keys: as many as tensor cores take at once."""
MOST_GROUP_NUMBERS = 2048
MOST_SPLITS = 512
"""Of one sequence: as many weights of splits as a threadgroup has room for."""


@dataclass(frozen=True)
class StepShape:
    """What ``STEP`` knows of a layer.

    Attributes:
        normed: whether queries and keys are, each head by itself.
        own_keys: whether the layer has keys and values of its own, else it reads another's.
        blocks: numbers that share a scale, of keys and of values in pages; 0 where these are 16-bit.
    """

    spec: AttentionSpec
    page_size: int
    normed: bool
    own_keys: bool
    sinks: bool
    blocks: tuple[int, int] = (0, 0)

    @property
    def group(self) -> int:
        return self.spec.heads // self.spec.kv_heads

    @property
    def fits(self) -> bool:
        """Whether the kernel computes such layers."""
        spec = self.spec
        return (
            spec.causal
            and not spec.alibi
            and spec.temperature is None
            and spec.head_dim % 64 == 0
            and self.page_size % 16 == 0
            and self.group <= MOST_GROUP
            and self.group * spec.head_dim <= MOST_GROUP_NUMBERS
        )

    @property
    def pairs(self) -> int:
        """How many pairs of a head's numbers the rope turns; one where there is no rope."""
        return len(self.spec.rope.inverse_frequencies) if self.spec.rope else 1

    def template(self, begins: tuple[int, int, int]) -> tuple[tuple[str, int | bool], ...]:
        """Returns what the kernel is told of the layer in each language. ``begins``: as of ``step``."""
        spec, rope = self.spec, self.spec.rope
        return (
            ("DIMS", spec.head_dim),
            ("KV_HEADS", spec.kv_heads),
            ("GROUP", self.group),
            ("PAIRS", self.pairs),
            ("STYLE", STYLES[rope.style] if rope else 0),
            ("PAGE_SIZE", self.page_size),
            ("WINDOW", spec.window),
            ("CHUNKED", spec.chunked),
            ("NORMED", self.normed),
            ("ROPE_FIRST", spec.rope_first),
            ("NORM_VALUES", spec.norm_values),
            ("OWN_KEYS", self.own_keys),
            ("SOFTCAP", bool(spec.softcap)),
            ("SINKS", self.sinks),
            *zip(("QUERIES_AT", "KEYS_AT", "VALUES_AT"), begins, strict=True),
        )

    def splits_each(self, lengths: NDArray[np.int32]) -> NDArray[np.int32]:
        """Returns how many splits each sequence has (``split_keys`` of the kernel)."""
        positions = lengths - 1
        first = self.spec.first_key(positions)
        each = np.where(lengths - first < 4096, 256, 512).astype(np.int32)
        return positions // each - first // each + 1

    def splits(self, lengths: NDArray[np.int32]) -> int:
        """Returns how many splits the sequence with most of them has."""
        return int(self.splits_each(lengths).max())


def step(
    rows: int,
    shape: StepShape,
    splits: int,
    begins: tuple[int, int, int] = (0, 0, 0),
    layout: Layout = Layout.BY_ROWS,
) -> Launch:
    """``begins``: the columns of the three inputs where queries, keys and values begin, which may be one array.
    ``layout``: of what heads give."""
    spec = shape.spec
    threads = 256 if shape.group * spec.head_dim <= MOST_GROUP_NUMBERS // 2 else 128
    return Launch(
        template=(
            *shape.template(begins),
            *zip(("KEY_BLOCK", "VALUE_BLOCK"), shape.blocks, strict=True),
            ("THREADS", threads),
            ("OUTPUT_LAYOUT", int(layout)),
        ),
        grid=(threads * spec.kv_heads, splits, rows),
        threadgroup=(threads, 1, 1),
        shapes=((rows, spec.heads * spec.head_dim), (rows * spec.heads * splits, spec.head_dim + 2), (4,)),
        dtypes=("float16", "float32", "int32"),
    )


@dataclass(frozen=True)
class Heads:
    """What kernels know of a layer.

    Attributes:
        dtype: of pages; "uint8" for rows of codes and then scales, as ``Vectors`` of the type ``int8`` have them.
        widths: elements of a row of keys and one of values.
        blocks: numbers that share a scale, of keys and of values.
        window: 0 for all keys.
        chunked: whether the window begins at its multiples.
    """

    heads: int
    kv_heads: int
    key_dims: int
    value_dims: int
    dtype: str
    widths: tuple[int, int]
    blocks: tuple[int, int] = (32, 32)
    window: int = 0
    chunked: bool = False
    softcap: bool = False

    @property
    def group(self) -> int:
        """Heads of queries that read one of keys."""
        return self.heads // self.kv_heads

    @property
    def tokens_at_once(self) -> int:
        """Tokens of a tile of ``prefill``."""
        return max(1, TILE // self.group)

    @property
    def template(self) -> tuple[tuple[str, str | int | bool], ...]:
        return (
            ("P", self.dtype),
            ("HEADS", self.heads),
            ("KV_HEADS", self.kv_heads),
            ("KEY_DIMS", self.key_dims),
            ("VALUE_DIMS", self.value_dims),
            ("KEY_WIDTH", self.widths[0]),
            ("VALUE_WIDTH", self.widths[1]),
            ("KEY_BLOCK", self.blocks[0]),
            ("VALUE_BLOCK", self.blocks[1]),
            ("WINDOW", self.window),
            ("CHUNKED", self.chunked),
            ("SOFTCAP", self.softcap),
        )


def of_attention(spec: AttentionSpec, dtype: str = "float16") -> Heads:
    """Of a layer with pages of 16-bit numbers."""
    dims = spec.head_dim
    shape = (spec.heads, spec.kv_heads, dims, dims)
    window, softcap = spec.window, bool(spec.softcap)
    return Heads(*shape, dtype, (dims, dims), window=window, chunked=spec.chunked, softcap=softcap)


def prefill(rows: int, heads: Heads, page_size: int, tiles: int) -> Launch:
    """For groups of at most ``TILE`` heads; more are launched in parts of their heads."""
    parts = heads.kv_heads * -(-heads.group // TILE)
    return Launch(
        template=(
            *heads.template,
            ("PAGE_SIZE", page_size),
            ("TOKENS", heads.tokens_at_once),
            ("VALUES_EACH", min(heads.value_dims, MOST_VALUES)),
        ),
        grid=(32 * SIMDGROUPS * parts, tiles, -(-heads.value_dims // MOST_VALUES)),
        threadgroup=(32 * SIMDGROUPS, 1, 1),
        shapes=((rows, heads.heads, heads.value_dims),),
        dtypes=("float32",),
    )
