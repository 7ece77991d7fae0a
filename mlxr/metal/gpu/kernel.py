"""A GPU kernel as MLX makes one: a body, whose signature MLX writes (``mx.fast.metal_kernel``, ``cuda_kernel``), and
how it is launched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import mlx.core as mx

FOLDER = Path(__file__).parent


class Language(Enum):
    """The value is how files with a body end."""

    METAL = ".metal"
    CUDA = ".cu"


@dataclass(frozen=True)
class Kernel:
    """One kernel of an operation.

    Attributes:
        name: ``FOLDER/NAME``: its body is ``NAME.metal`` or ``NAME.cu`` in that folder of the operation.
        inputs: their names in the body, in order; row-contiguous arrays.
        outputs: likewise; the body writes every element of each.
        writes: the inputs that the body changes in place, casting their const away.
        headers: files of functions that stand before it, as ``FOLDER/NAME`` without ending; a ``.h`` serves both
            languages.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    headers: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()

    def body(self, language: Language) -> str:
        return (FOLDER / f"{self.name}{language.value}").read_text()

    def header(self, language: Language) -> str:
        return "\n".join(_header(name, language) for name in self.headers)


def _header(name: str, language: Language) -> str:
    shared = FOLDER / f"{name}.h"
    return (shared if shared.exists() else FOLDER / f"{name}{language.value}").read_text()


@dataclass(frozen=True)
class Launch:
    """How often a kernel runs, and what it gives.

    Attributes:
        template: its template arguments: a type by NumPy's name (``bfloat16`` too), a number or a flag.
        grid: threads in each direction, as in Metal's ``dispatchThreads``.
        threadgroup: threads of one group in each direction; a divisor of ``grid``'s.
        shapes: of the outputs.
        dtypes: of the outputs, by NumPy's names.
    """

    template: tuple[tuple[str, str | int | bool], ...]
    grid: tuple[int, int, int]
    threadgroup: tuple[int, int, int]
    shapes: tuple[tuple[int, ...], ...]
    dtypes: tuple[str, ...]


class MadeKernel:
    """A kernel as MLX has it, made once. Raises ``RuntimeError`` at the first call where it does not compile."""

    def __init__(self, kernel: Kernel, language: Language) -> None:
        self._kernel = kernel
        self._language = language

    @cached_property
    def _function(self) -> Callable[..., list[mx.array]]:
        import mlx.core as mx

        make: Callable[..., Any] = mx.fast.metal_kernel if self._language is Language.METAL else mx.fast.cuda_kernel
        kernel = self._kernel
        made: Callable[..., list[mx.array]] = make(
            name=kernel.name.replace("/", "_"),
            input_names=list(kernel.inputs),
            output_names=list(kernel.outputs),
            source=kernel.body(self._language),
            header=kernel.header(self._language),
        )
        return made

    def __call__(self, inputs: list[mx.array], launch: Launch) -> list[mx.array]:
        return self.launching(launch)(inputs=inputs)

    def launching(self, launch: Launch) -> Callable[..., list[mx.array]]:
        """Returns a function of ``inputs`` alone, so that what a launch needs is put together once."""
        import mlx.core as mx

        return partial(
            self._function,
            template=[
                (name, getattr(mx, value) if isinstance(value, str) else value) for name, value in launch.template
            ],
            grid=launch.grid,
            threadgroup=launch.threadgroup,
            output_shapes=[list(shape) for shape in launch.shapes],
            output_dtypes=[getattr(mx, dtype) for dtype in launch.dtypes],
        )
