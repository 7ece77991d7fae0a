"""A GPU kernel as MLX makes one: a body, whose signature MLX writes (``mx.fast.metal_kernel``, ``cuda_kernel``), and
how it is launched."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlxr.metal.gpu.metal_kernel import maker

if TYPE_CHECKING:
    import mlx.core as mx

FOLDER = Path(__file__).parent


class Language(Enum):
    """The value is how files with a body end, and files of functions."""

    METAL = (".metal", ".metal.h")
    CUDA = (".cu", ".cuh")

    @property
    def numbers(self) -> Mapping[str, str]:
        """The language's types of numbers, by NumPy's names."""
        return {**_NUMBERS, "float16": "half", "bfloat16": "bfloat" if self is Language.METAL else "__nv_bfloat16"}

    def constant(self, name: str, value: str | int | bool) -> str:
        """Returns a template argument as it stands in a body."""
        if isinstance(value, str):
            return f"using {name} = {self.numbers[value]};\n"
        return f"constexpr {'bool' if isinstance(value, bool) else 'int'} {name} = {str(value).lower()};\n"


_NUMBERS = {"float32": "float", "int32": "int", "uint32": "unsigned", "uint8": "unsigned char"}


def digest_of_kernels() -> str:
    """Returns a digest of all kernels' files: what was found of them holds for these alone."""
    found = hashlib.sha256()
    for path in sorted(path for path in FOLDER.rglob("*") if path.is_file() and path.suffix != ".pyc"):
        found.update(path.name.encode() + path.read_bytes())
    return found.hexdigest()[:16]


@dataclass(frozen=True)
class Kernel:
    """One kernel of an operation.

    Attributes:
        name: ``FOLDER/NAME``: its body is ``NAME.metal`` or ``NAME.cu`` in that folder of the operation.
        inputs: their names in the body, in order; row-contiguous arrays.
        outputs: likewise; the body writes every element of each that is looked at.
        fixed: inputs whose sizes a launch has once and for all.
        writes: the inputs that the body changes in place, casting their const away.
        headers: files of functions that stand before it, as ``FOLDER/NAME`` without ending; a ``.h`` serves both
            languages, ``.cuh`` is CUDA's and ``.metal.h`` Metal's; a language may lack some.
        bounds: on CUDA, the threads of a block and how many of its blocks must have a place on a processor at once;
            None where the compiler may do as it likes.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    headers: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    bounds: tuple[int, int] | None = None

    def body(self, language: Language) -> str:
        return (FOLDER / f"{self.name}{language.value[0]}").read_text()

    def header(self, language: Language) -> str:
        return "\n".join(path.read_text() for path in self.header_files(language))

    def header_files(self, language: Language) -> list[Path]:
        files = [FOLDER / f"{name}{ending}" for name in self.headers for ending in (".h", language.value[1])]
        return [path for path in files if path.exists()]


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

    def __init__(self, kernel: Kernel, language: Language, contiguous: bool = True) -> None:
        """``contiguous``: inputs with other strides are copied first."""
        self._kernel = kernel
        self._language = language
        self._contiguous = contiguous
        self._made: dict[tuple[tuple[str, str | int | bool], ...], Any] = {}

    def __call__(self, inputs: list[mx.array], launch: Launch) -> list[mx.array]:
        return self.launching(launch)(inputs=inputs)

    def launching(self, launch: Launch) -> Callable[..., list[mx.array]]:
        """Returns a function of ``inputs`` alone, so that what a launch needs is put together once."""
        import mlx.core as mx

        launching: Callable[..., list[mx.array]] = self._of(launch.template).launching(
            grid=launch.grid,
            threadgroup=launch.threadgroup,
            output_shapes=[list(shape) for shape in launch.shapes],
            output_dtypes=[getattr(mx, dtype) for dtype in launch.dtypes],
            fixed=self._kernel.fixed,
        )
        return launching

    def _of(self, template: tuple[tuple[str, str | int | bool], ...]) -> Any:
        if template not in self._made:
            self._made[template] = self._with(template)
        return self._made[template]

    def _with(self, template: tuple[tuple[str, str | int | bool], ...]) -> Any:
        """The kernel for some template arguments, which stand in its source: MLX would write them there at every
        call. Where it goes through the whole source at every call, CUDA's headers are better included."""
        make = maker("metal" if self._language is Language.METAL else "cuda")
        kernel, constants = self._kernel, "".join(self._language.constant(*argument) for argument in template)
        body, header = kernel.body(self._language), kernel.header(self._language)
        digest = hashlib.sha256((header + constants + body + repr(kernel.bounds)).encode()).hexdigest()[:16]
        if self._language is Language.CUDA:
            header = "".join(f'#include "{path}"\n' for path in kernel.header_files(self._language))
        name = f"{kernel.name.replace('/', '_')}_{digest}"
        if kernel.bounds is not None:
            # MLX or ``CudaKernel`` write the signature: in it the function's name, as either has it, is a macro
            # that puts them before itself.
            threads, blocks = kernel.bounds
            for function in (name, f"custom_kernel_{name}"):
                header += f"#define {function} __launch_bounds__({threads}, {blocks}) {function}\n"
                body = f"#undef {function}\n{body}"
        return make(
            name=name,
            input_names=list(kernel.inputs),
            output_names=list(kernel.outputs),
            source=constants + body,
            header=header,
            ensure_row_contiguous=self._contiguous,
        )
