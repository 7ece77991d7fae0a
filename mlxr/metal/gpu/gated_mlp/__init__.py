"""The middle of a gated MLP: ``out = activation(gate) * up``, of the two halves of one product, in one kernel."""

from __future__ import annotations

from mlxr.metal.gpu.kernel import Kernel, Launch
from mlxr.metal.specs.feed_forward import Activation

THREADS = 256
ACTIVATIONS = {
    Activation.SILU: 0,
    Activation.GELU: 1,
    Activation.GELU_TANH: 2,
    Activation.RELU_SQUARED: 3,
    Activation.SWIGLU_OAI: 4,
}

KERNEL = Kernel("gated_mlp/gated_mlp", ("x",), ("out",))
"""``x`` float32 ``[rows, 2 * width]``, a row's gate and then its up. ``out`` ``T`` ``[rows, width]``."""


def launch(rows: int, width: int, activation: Activation, dtype: str) -> Launch:
    groups = -(-rows * width // THREADS)
    return Launch(
        template=(("T", dtype), ("ROWS", rows), ("WIDTH", width), ("ACTIVATION", ACTIVATIONS[activation])),
        grid=(THREADS * groups, 1, 1),
        threadgroup=(THREADS, 1, 1),
        shapes=((rows, width),),
        dtypes=(dtype,),
    )
