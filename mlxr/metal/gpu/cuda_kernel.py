"""Our kernels for CUDA, launched by name where MLX finds their code (``kernel_cache.py``), and by source where not."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import mlx.core as mx

from mlxr.metal.gpu.kernel_cache import cached_kernel, launches_by_name

log = logging.getLogger("mlxr.metal")

INCLUDES = "#include <cuda_fp16.h>\n#include <cuda_bf16.h>\n"
SIZE = re.compile(r"\b(\w+)_(shape|strides)\[(\d+)\]")
"""What a body may ask about its inputs."""

TYPES = {
    mx.float16: "__half",
    mx.bfloat16: "__nv_bfloat16",
    mx.float32: "float",
    mx.int32: "int",
    mx.uint32: "unsigned",
    mx.uint8: "unsigned char",
    mx.bool_: "bool",
}

Launched = Callable[..., list[mx.array]]


class CudaKernel:
    """A kernel as ``mx.fast.cuda_kernel`` makes it, called like one."""

    def __init__(
        self,
        name: str,
        input_names: Sequence[str],
        output_names: Sequence[str],
        source: str,
        header: str = "",
        ensure_row_contiguous: bool = True,
    ) -> None:
        self._name, self._source, self._header = name, source, header
        self._inputs, self._outputs = list(input_names), list(output_names)
        self._sizes = [_Size(self._inputs.index(of), *how) for of, *how in dict.fromkeys(SIZE.findall(source))]
        # Strides are those of arrays without gaps here.
        self._contiguous = ensure_row_contiguous or any(size.stride for size in self._sizes)
        self._known: dict[tuple[object, ...], Launched] = {}
        make: Callable[..., Any] = mx.fast.cuda_kernel
        self._make = partial(
            make,
            name=name,
            input_names=input_names,
            output_names=output_names,
            source=source,
            header=header,
            ensure_row_contiguous=ensure_row_contiguous,
        )
        self._plain: Launched | None = None if launches_by_name() else self._make()

    def __call__(
        self, inputs: Sequence[mx.array], template: Sequence[tuple[str, Any]] = (), **launch: Any
    ) -> list[mx.array]:
        if self._plain is not None:
            return self._plain(inputs=inputs, template=template, **launch)
        by_name = self._by_name(inputs, template, launch["output_dtypes"])
        return by_name(inputs=inputs, scalars=self._scalars(inputs), **launch)

    def launching(self, fixed: Sequence[str] = (), **launch: Any) -> Launched:
        """Returns a function of ``inputs`` alone, whose types stay those of the first call, and the sizes of those that
        are ``fixed``."""
        if self._plain is not None:
            return partial(self._plain, **launch)
        varying = [(at, size) for at, size in enumerate(self._sizes) if self._inputs[size.input] not in fixed]
        bound: Launched | None = None
        scalars: list[int] = []

        def launched(inputs: Sequence[mx.array]) -> list[mx.array]:
            nonlocal bound, scalars
            if bound is None:
                scalars = self._scalars(inputs)
                bound = partial(self._by_name(inputs, (), launch["output_dtypes"]), scalars=scalars, **launch)
            for at, size in varying:
                scalars[at] = size.of(inputs)
            return bound(inputs=inputs)

        return launched

    def _scalars(self, inputs: Sequence[mx.array]) -> list[int]:
        return [size.of(inputs) for size in self._sizes]

    def _by_name(
        self, inputs: Sequence[mx.array], template: Sequence[tuple[str, Any]], output_dtypes: Sequence[mx.Dtype]
    ) -> Launched:
        known = *template, *output_dtypes, *(array.dtype for array in inputs)
        if known not in self._known:
            self._known[known] = self._compiled(inputs, template, output_dtypes)
        return self._known[known]

    def _compiled(
        self, inputs: Sequence[mx.array], template: Sequence[tuple[str, Any]], output_dtypes: Sequence[mx.Dtype]
    ) -> Launched:
        given = [f"const {TYPES[array.dtype]}* {name}" for name, array in zip(self._inputs, inputs, strict=True)]
        given += [f"{TYPES[dtype]}* {name}" for name, dtype in zip(self._outputs, output_dtypes, strict=True)]
        sizes = [(f"{self._inputs[size.input]}_{size.what}_{size.axis}", size.stride) for size in self._sizes]
        given += [f"int {name}{'_given' * wide}" for name, wide in sizes]
        body = SIZE.sub(r"\1_\2_\3", self._source)
        constants = "".join(_constant(name, value) for name, value in template)
        constants += "".join(f"const long long {name} = {name}_given;\n" for name, wide in sizes if wide)
        signature = f'extern "C" __global__ void {self._name}({", ".join(given)})'
        source = f"{INCLUDES}{self._header}\n{signature} {{\n{constants}{body}\n}}\n"
        try:
            name = cached_kernel(self._name, source)
        except OSError as error:  # the disk is full, say
            log.info("the kernel %s is compiled for this process alone: %s", self._name, error)
            return self._from_source(template)
        return partial(
            mx.fast.precompiled_cuda_kernel,
            name=name,
            compiled_source=b"",
            ensure_row_contiguous=self._contiguous,
        )

    def _from_source(self, template: Sequence[tuple[str, Any]]) -> Launched:
        made = self._make()
        return lambda scalars, **launch: made(template=template, **launch)  # MLX asks for the sizes itself


class _Size:
    """``input``: which one's. ``what``: ``shape`` or ``strides``."""

    __slots__ = ("axis", "input", "stride", "what")

    def __init__(self, input: int, what: str, axis: str) -> None:
        self.input, self.what, self.axis = input, what, int(axis)
        self.stride = what == "strides"

    def of(self, inputs: Sequence[mx.array]) -> int:
        shape = inputs[self.input].shape
        return math.prod(shape[self.axis + 1 :]) if self.stride else shape[self.axis]


def _constant(name: str, value: object) -> str:
    if isinstance(value, mx.Dtype):
        return f"using {name} = {TYPES[value]};\n"
    return f"constexpr {'bool' if isinstance(value, bool) else 'int'} {name} = {str(value).lower()};\n"
