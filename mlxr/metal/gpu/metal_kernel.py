"""MLX's Metal kernels under a name for each choice of address spaces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import mlx.core as mx

FEWEST_ON_DEVICE = 8
"""Elements of an input from which on MLX passes it as ``device``, and not as ``constant``."""


class MetalKernel:
    """A kernel as ``mx.fast.metal_kernel`` makes it, called like one.

    Which inputs are small is part of the source that MLX writes, and it compiles a kernel anew whenever the source of
    its name is another than at the call before: with one name, steps of one token and prompts that follow each other
    would compile it again and again.
    """

    def __init__(self, name: str, input_names: list[str], output_names: list[str], source: str, **more: Any) -> None:
        import mlx.core as mx

        self._name = name
        self._make: Callable[..., Any] = partial(
            mx.fast.metal_kernel, input_names=input_names, output_names=output_names, source=source, **more
        )
        self._made: dict[int, Callable[..., list[mx.array]]] = {}

    def __call__(self, inputs: list[mx.array], **launch: Any) -> list[mx.array]:
        small = sum(1 << at for at, array in enumerate(inputs) if array.size < FEWEST_ON_DEVICE)
        if small not in self._made:
            self._made[small] = self._make(name=f"{self._name}_{small:x}")
        return self._made[small](inputs=inputs, **launch)

    def launching(self, fixed: Sequence[str] = (), **launch: Any) -> Callable[..., list[mx.array]]:
        """Returns a function of ``inputs`` alone."""
        return partial(self, **launch)


def maker(device: str) -> Callable[..., Any]:
    """Returns what makes kernels for ``metal`` or ``cuda``, taking a name, inputs' and outputs' names and a source."""
    if device == "metal":
        return MetalKernel
    from mlxr.metal.gpu.cuda_kernel import CudaKernel

    return CudaKernel
