"""What keeps a state: the heads of the gated delta rule (``GatedDeltaNetSpec``) and of Mamba-2 (``Mamba2Spec``), one
token of a sequence or many; and the short convolution before both.

On Metal a simdgroup has one column of one head's state of one sequence, in its registers, and goes through the
sequence's rows of the step: a state is read and written once, however many rows there are. On CUDA a block has a whole
head, and the states stay where they are. Sums have one order, whatever is beside.
"""

from __future__ import annotations

from mlxr.metal.gpu.kernel import Kernel, Launch
from mlxr.metal.specs import GatedDeltaNetSpec, Mamba2Spec

COLUMNS = 4
"""That a threadgroup has, one a simdgroup."""
THREADS = 256

CONVOLUTION = Kernel("recurrence/convolution", ("x", "taps", "bias", "starts", "states"), ("out", "histories"))
"""``x`` float32 ``[rows, channels]``; ``taps`` float32 ``[channels, count]``; ``bias`` float32 ``[channels]``;
``starts`` int32 ``[sequences + 1]``, each sequence's first row; ``states`` float32 ``[sequences, state_size]``, which
begin with ``[count - 1, channels]`` of the last inputs. ``out`` float32
``[rows, channels]``, behind SiLU; ``histories`` float32 ``[sequences, count - 1, channels]``: the inputs to keep."""

DELTA = Kernel(
    "recurrence/delta",
    ("mixed", "decays", "betas", "starts", "states", "histories"),
    ("out", "after"),
)
"""``mixed`` float32 ``[rows, channels]``, what the convolution gives: queries, keys, values; ``decays``, ``betas``
float32 ``[rows, value_heads]``: what a state is multiplied by, and how much it takes in; ``histories`` go to the
beginning of the states ``after``, as ``states``. ``out`` float32 ``[rows, value_heads, value_dim]``."""

MAMBA2 = Kernel(
    "recurrence/mamba2",
    ("mixed", "steps", "decay", "skip", "starts", "states", "histories"),
    ("out", "after"),
)
"""``mixed`` float32 ``[rows, channels]``: x, B, C; ``steps`` float32 ``[rows, heads]``, behind softplus and limits;
``decay``, ``skip`` float32 ``[heads]``. ``out`` float32 ``[rows, heads, head_dim]``."""

_STATES = "layout", "states", "before"
STEP_CONVOLUTION = Kernel(
    "recurrence/step_convolution", ("x", "taps", "bias", *_STATES), ("out",), ("recurrence/step",), writes=("states",)
)
"""``x`` float16 ``[rows, width]``, of which it takes the columns from ``at`` on; ``layout`` int32 ``[sequences, 4]``:
each sequence's first row and the one behind its last, and the pages that its state is read from and written to, below 0
for none; ``states`` float32 ``[pages, state_size]``, changed in place; ``before``: int32, of what wrote to them before.
``taps``, ``bias`` and ``out`` as of ``CONVOLUTION``."""

STEP_DELTA = Kernel(
    "recurrence/step_delta",
    ("mixed", "gates", "rates", "constants", *_STATES),
    ("out", "done"),
    ("recurrence/step",),
    writes=("states",),
)
"""``mixed`` as of ``DELTA``; ``gates`` and ``rates`` float16, with ``values`` and ``2 * value_heads`` numbers of each
row from a column of its own on: gates; alphas, then betas; ``constants`` float32: the norm's epsilon, three that are
not used, its weights ``[value_dim]``, what decays are multiplied by and what is added to alphas ``[value_heads]``.
``out`` float16 ``[rows, values]``, normed and gated; ``done`` int32 ``[4]``, of which the first is written: less MLX
would keep in the host's memory."""

STEP_MAMBA2 = Kernel(
    "recurrence/step_mamba2",
    ("mixed", "steps", "decay", "skip", *_STATES),
    ("out", "done"),
    ("recurrence/step",),
    writes=("states",),
)
"""As ``MAMBA2``, with ``layout``, ``states``, ``before`` and ``done`` as of ``STEP_DELTA``."""

PARTS = 4
"""Threads that share a column of a head's state on CUDA."""
MOST_THREADS = 512
"""Of a block on CUDA, which has 65,536 registers for all: 128 for a thread."""
MOST_KEPT = 64
"""Numbers of a state that such a thread has in registers: with as many ptxas gives it 117 for sm_90, with 80 132."""


def fits_step_delta(spec: GatedDeltaNetSpec) -> bool:
    """Whether CUDA's kernel computes such heads."""
    kept, over = divmod(spec.key_dim, PARTS)
    whole = spec.value_dim % 32 == 0 and not over
    return whole and 64 <= PARTS * spec.value_dim <= MOST_THREADS and kept <= MOST_KEPT


def fits_step_mamba2(spec: Mamba2Spec) -> bool:
    """Whether CUDA's kernel computes such heads."""
    kept, over = divmod(spec.state_size, PARTS)
    return PARTS * spec.head_dim <= MOST_THREADS and kept <= MOST_KEPT and not over


def step_convolution(rows: int, sequences: int, width: int, at: int, channels: int, taps: int, biased: bool) -> Launch:
    return Launch(
        template=(("CHANNELS", channels), ("TAPS", taps), ("WIDTH", width), ("AT", at), ("BIASED", biased)),
        grid=(THREADS * -(-channels // THREADS), sequences, 1),
        threadgroup=(THREADS, 1, 1),
        shapes=((rows, channels),),
        dtypes=("float32",),
    )


def step_delta(
    rows: int, sequences: int, spec: GatedDeltaNetSpec, gates: tuple[int, int], rates: tuple[int, int]
) -> Launch:
    """``gates``, ``rates``: how long their rows are, and the first column of their own."""
    threads = PARTS * spec.value_dim
    return Launch(
        template=(
            ("KEY_HEADS", spec.key_heads),
            ("VALUE_HEADS", spec.value_heads),
            ("KEY_DIM", spec.key_dim),
            ("VALUE_DIM", spec.value_dim),
            ("HISTORY", spec.history),
            ("GATES_WIDTH", gates[0]),
            ("GATES_AT", gates[1]),
            ("RATES_WIDTH", rates[0]),
            ("RATES_AT", rates[1]),
            ("TILED", spec.tiled),
        ),
        grid=(threads * spec.value_heads, sequences, 1),
        threadgroup=(threads, 1, 1),
        shapes=((rows, spec.values), (4,)),
        dtypes=("float16", "int32"),
    )


def step_mamba2(rows: int, sequences: int, spec: Mamba2Spec) -> Launch:
    threads = PARTS * spec.head_dim
    return Launch(
        template=(
            ("HEADS", spec.heads),
            ("HEAD_DIM", spec.head_dim),
            ("GROUPS", spec.groups),
            ("STATE", spec.state_size),
            ("HISTORY", (spec.taps - 1) * spec.channels),
        ),
        grid=(threads * spec.heads, sequences, 1),
        threadgroup=(threads, 1, 1),
        shapes=((rows, spec.heads, spec.head_dim), (4,)),
        dtypes=("float32", "int32"),
    )


def convolution(rows: int, sequences: int, channels: int, taps: int, state_size: int, biased: bool) -> Launch:
    return Launch(
        template=(("CHANNELS", channels), ("TAPS", taps), ("STATE_SIZE", state_size), ("BIASED", biased)),
        grid=(THREADS * -(-channels // THREADS), sequences, 1),
        threadgroup=(THREADS, 1, 1),
        shapes=((rows, channels), (sequences, taps - 1, channels)),
        dtypes=("float32", "float32"),
    )


def delta(rows: int, sequences: int, spec: GatedDeltaNetSpec) -> Launch:
    return Launch(
        template=(
            ("KEY_HEADS", spec.key_heads),
            ("VALUE_HEADS", spec.value_heads),
            ("KEY_DIM", spec.key_dim),
            ("VALUE_DIM", spec.value_dim),
            ("HISTORY", spec.history),
            ("TILED", spec.tiled),
        ),
        grid=(32 * COLUMNS * -(-spec.value_dim // COLUMNS), spec.value_heads, sequences),
        threadgroup=(32 * COLUMNS, 1, 1),
        shapes=((rows, spec.value_heads, spec.value_dim), (sequences, spec.state_size)),
        dtypes=("float32", "float32"),
    )


def mamba2(rows: int, sequences: int, spec: Mamba2Spec) -> Launch:
    history = (spec.taps - 1) * spec.channels
    return Launch(
        template=(
            ("HEADS", spec.heads),
            ("HEAD_DIM", spec.head_dim),
            ("GROUPS", spec.groups),
            ("STATE", spec.state_size),
            ("HISTORY", history),
        ),
        grid=(32 * COLUMNS * -(-spec.head_dim // COLUMNS), spec.heads, sequences),
        threadgroup=(32 * COLUMNS, 1, 1),
        shapes=((rows, spec.heads, spec.head_dim), (sequences, history + spec.inner * spec.state_size)),
        dtypes=("float32", "float32"),
    )
