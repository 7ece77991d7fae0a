"""Runs a kernel's body on this machine, Metal's or its twin for CUDA: compiled by clang with ``emulator/``, the
signature written as MLX writes it, over whole grids with their threads, barriers and simdgroups.

Outputs, threadgroup memory and what is around buffers are poisoned: what a kernel leaves out, reads too early or beyond
an end shows in its results; what Metal leaves undefined ends the run.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlxr.metal.gpu.kernel import Kernel, Language, Launch
from mlxr.metal.gpu.metal_kernel import FEWEST_ON_DEVICE
from tests.metal.gpu.cuda_source import cuda_source_of

SOURCES = Path(__file__).parent / "emulator"
BUILD = Path(__file__).parents[3] / "build" / "metal-emulator"

TYPES = {
    "float32": "float",
    "float16": "half",
    "bfloat16": "bfloat",
    "int32": "int",
    "uint32": "uint",
    "int8": "char",
    "uint8": "uchar",
    "int16": "short",
    "uint16": "ushort",
    "bool": "bool",
}
ATTRIBUTES = (
    ("uint3", "thread_position_in_grid"),
    ("uint3", "threadgroup_position_in_grid"),
    ("uint3", "thread_position_in_threadgroup"),
    ("uint3", "threads_per_threadgroup"),
    ("uint3", "threadgroups_per_grid"),
    ("uint3", "threads_per_grid"),
    ("uint", "thread_index_in_threadgroup"),
    ("uint", "thread_index_in_simdgroup"),
    ("uint", "simdgroup_index_in_threadgroup"),
    ("uint", "simdgroups_per_threadgroup"),
    ("uint", "threads_per_simdgroup"),
)
"""As MLX has them in a kernel's signature, where its body names them."""

ENVIRONMENT = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0", "TSAN_OPTIONS": "halt_on_error=1"}

DECLARATION = re.compile(r"\bthreadgroup\s+(?:alignas\(\d+\)\s+)?([\w:<>, ]+?)\s+(\w+)((?:\[[^\]]+\])*)\s*;")


class Checked(Enum):
    """How a kernel is compiled: as it is, or watched by one of clang's sanitizers."""

    PLAIN = ("-O1",)
    ADDRESS = ("-O1", "-g", "-fsanitize=address,alignment,bounds,shift", "-fno-sanitize-recover=all", "-DEMULATOR_ASAN")
    THREAD = ("-O1", "-g", "-fsanitize=thread", "-DEMULATOR_OS_THREADS", "-pthread")


class KernelError(Exception):
    """The kernel did something that is undefined; the message is what was found."""


class CompileError(Exception):
    """The message is the compiler's."""


@dataclass(frozen=True)
class Array:
    """An array of the device. ``bits`` has the values of a bfloat16 as uint16, of all others as they are."""

    bits: NDArray[np.generic]
    dtype: str

    @classmethod
    def of(cls, values: NDArray[np.generic], dtype: str | None = None) -> Array:
        if dtype == "bfloat16":
            return cls(to_bfloat16(values.astype(np.float32)), dtype)
        name = dtype or str(values.dtype)
        return cls(np.ascontiguousarray(values.astype(name)), name)

    def numpy(self) -> NDArray[np.generic]:
        """Its values; float32 for a bfloat16."""
        if self.dtype != "bfloat16":
            return self.bits
        return (self.bits.astype(np.uint32) << 16).view(np.float32)


def to_bfloat16(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    bits = np.ascontiguousarray(values).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)


def compiler() -> str:
    """Returns clang's path. Raises ``RuntimeError`` that says how to get it."""
    found = shutil.which("clang++")
    if found is None:
        raise RuntimeError("there is no clang++: Metal kernels are run by it here; on Debian, apt-get install clang")
    return found


def compiler_flags() -> list[str]:
    machine = ["-mf16c"] if os.uname().machine == "x86_64" else []
    machine += ["-fuse-ld=gold"] if shutil.which("ld.gold") else []  # links twice as fast
    return [
        "-std=c++17",
        "-ffp-contract=off",
        "-fno-strict-aliasing",
        "-ftrivial-auto-var-init=pattern",
        "-Werror=return-type",
        "-w",
        *machine,
    ]


def run(
    kernel: Kernel,
    launch: Launch,
    inputs: list[Array],
    checked: Checked = Checked.PLAIN,
    seed: int = 0,
    planted: tuple[str, str] | None = None,
    language: Language = Language.METAL,
) -> list[Array]:
    """Returns the kernel's outputs, and behind them the inputs that it changes. ``seed``: of the order in which threads
    run; ``planted``: a text of the kernel, and what to put in its place, once. Raises ``KernelError``."""
    outputs, _ = run_and_measure(kernel, launch, inputs, checked, seed, planted, language=language)
    return outputs


def run_and_measure(
    kernel: Kernel,
    launch: Launch,
    inputs: list[Array],
    checked: Checked = Checked.PLAIN,
    seed: int = 0,
    planted: tuple[str, str] | None = None,
    most_groups: int = 1 << 31,
    language: Language = Language.METAL,
) -> tuple[list[Array], int]:
    """As ``run``, and with the outputs the bytes of threadgroup memory that a group takes. ``most_groups``: how many of
    all threadgroups run."""
    cuda = language is Language.CUDA
    source = cuda_source_of(kernel, launch, _described(inputs)) if cuda else source_of(kernel, launch, inputs)
    if planted is not None:
        if planted[0] not in source:  # no AssertionError, which tests of faults take for a caught one
            raise ValueError(f"{kernel.name} has no {planted[0]!r}")
        source = source.replace(*planted, 1)
    program = compiled(source, checked)
    sizes = [
        int(np.prod(shape)) * numpy_type(dtype).itemsize
        for shape, dtype in zip(launch.shapes, launch.dtypes, strict=True)
    ]
    together = kernel.bounds is not None  # they may wait for each other
    job = struct.pack("<Q8I", seed, *launch.grid, *launch.threadgroup, most_groups, together)
    job += struct.pack("<I", len(inputs))
    for name, array in zip(kernel.inputs, inputs, strict=True):
        raw = array.bits.tobytes()
        job += struct.pack("<IQ", name in kernel.writes, len(raw)) + raw
    job += struct.pack("<I", len(sizes)) + b"".join(struct.pack("<Q", size) for size in sizes)
    given, made = _scratch(program, "in"), _scratch(program, "out")
    try:
        given.write_bytes(job)
        ended = subprocess.run([program, given, made], capture_output=True, text=True, check=False, env=ENVIRONMENT)
        if ended.returncode:
            raise KernelError(f"{kernel.name} ended with {ended.returncode}: {ended.stderr[:4000]}")
        raw = made.read_bytes()
    finally:
        given.unlink(missing_ok=True)
        made.unlink(missing_ok=True)
    arrays: list[Array] = []
    written = [inputs[kernel.inputs.index(name)] for name in kernel.writes]
    shapes = [*launch.shapes, *(array.bits.shape for array in written)]
    dtypes = [*launch.dtypes, *(array.dtype for array in written)]
    sizes += [array.bits.nbytes for array in written]
    for shape, dtype, size in zip(shapes, dtypes, sizes, strict=True):
        arrays.append(Array(np.frombuffer(raw[:size], numpy_type(dtype)).reshape(shape), dtype))
        raw = raw[size:]
    return arrays, int(ended.stdout)


def _described(inputs: list[Array]) -> list[tuple[str, tuple[int, ...]]]:
    return [(TYPES[array.dtype], array.bits.shape) for array in inputs]


def numpy_type(dtype: str) -> np.dtype[np.generic]:
    return np.dtype("uint16" if dtype == "bfloat16" else dtype)


def source_of(kernel: Kernel, launch: Launch, inputs: list[Array]) -> str:
    """Returns the program that runs the kernel with these template arguments and types."""
    text = kernel.body(Language.METAL)
    number = iter(range(1000))

    def declared(found: re.Match[str]) -> str:
        whole = f"emulator::threadgroup_memory<{found[1]}{found[3]}>({next(number)})"
        return f"auto& {found[2]} = {whole};"

    text = DECLARATION.sub(declared, text)
    parameters: list[str] = []
    arguments: list[str] = []
    statics: list[str] = []
    spoken = re.sub(r"//[^\n]*", "", text)
    for index, (name, array) in enumerate(zip(kernel.inputs, inputs, strict=True)):
        small = array.bits.ndim > 0 and array.bits.size < FEWEST_ON_DEVICE
        if small and re.search(rf"\b{name}\b(?!\[)", spoken):
            raise CompileError(f"{name} may be indexed alone: MLX gives small arrays as `constant`, others as `device`")
        written = TYPES[array.dtype]
        shape = ", ".join(map(str, array.bits.shape))
        if array.bits.ndim == 0:
            parameters.append(f"const {written}& {name}")
            arguments.append(f"*reinterpret_cast<const {written}*>(inputs[{index}])")
        else:
            parameters.append(f"const {written}* {name}")
            arguments.append(f"reinterpret_cast<const {written}*>(inputs[{index}])")
        if re.search(rf"\b{name}_shape\b", text):
            parameters.append(f"const int* {name}_shape")
            arguments.append(f"{name}_shape")
            statics.append(f"static const int {name}_shape[] = {{{shape or 1}}};")
        if re.search(rf"\b{name}_strides\b", text):
            parameters.append(f"const long* {name}_strides")
            arguments.append(f"{name}_strides")
            strides = ", ".join(str(stride // array.bits.itemsize) for stride in array.bits.strides)
            statics.append(f"static const long {name}_strides[] = {{{strides or 1}}};")
        if re.search(rf"\b{name}_ndim\b", text):
            parameters.append(f"const int& {name}_ndim")
            arguments.append(str(array.bits.ndim))
    for index, (name, dtype) in enumerate(zip(kernel.outputs, launch.dtypes, strict=True)):
        parameters.append(f"{TYPES[dtype]}* {name}")
        arguments.append(f"reinterpret_cast<{TYPES[dtype]}*>(outputs[{index}])")
    for written, name in ATTRIBUTES:
        if re.search(rf"\b{name}\b", text):
            parameters.append(f"{written} {name}")
            arguments.append(f"attributes.{name}")
    return "\n".join(
        [
            '#include "kernel.h"',
            kernel.header(Language.METAL),
            f"void kernel({', '.join(parameters)}) {{",
            *(Language.METAL.constant(name, value) for name, value in launch.template),
            f'#line 1 "{kernel.name}.metal"',
            text,
            "}",
            *statics,
            "void emulator::run_thread(",
            "    unsigned char* const* inputs, unsigned char* const* outputs, const Attributes& attributes) {",
            f"  kernel({', '.join(arguments)});",
            "}\n",
        ]
    )


def compiled(source: str, checked: Checked) -> Path:
    """Returns the program of ``source``, which is compiled where no equal one is there. Raises
    ``CompileError``."""
    runtime = [_object(SOURCES / name, checked) for name in ("threads.cpp", "runner.cpp")]
    program = BUILD / _key(source, checked)

    def compile() -> list[str]:
        written = _scratch(program, "cpp")
        written.write_text(source)
        return [*checked.value, str(written), *map(str, runtime)]

    return _made(program, compile)


def _object(path: Path, checked: Checked) -> Path:
    """Returns what a file of the emulator is compiled to."""
    made = BUILD / f"{_key(path.read_text(), checked)}.o"
    return _made(made, lambda: [*checked.value, "-c", str(path)])


def _key(source: str, checked: Checked) -> str:
    return hashlib.sha256(b"\0".join([_emulator(), source.encode(), repr(checked.value).encode()])).hexdigest()[:24]


@cache
def _emulator() -> bytes:
    return b"".join(path.read_bytes() for path in sorted(SOURCES.iterdir()))


def _scratch(program: Path, kind: str) -> Path:
    """Returns a name of this process's own: others compile and run the same program at the same time."""
    return program.with_name(f"{program.name}.{os.getpid()}.{kind}")


def _made(target: Path, arguments: Callable[[], list[str]]) -> Path:
    """Returns ``target``, which the compiler makes of ``arguments`` where it is not there."""
    if target.exists():
        return target
    BUILD.mkdir(parents=True, exist_ok=True)
    draft = _scratch(target, "draft")
    command = [compiler(), *compiler_flags(), f"-I{SOURCES}", *arguments(), "-o", str(draft)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    _scratch(target, "cpp").unlink(missing_ok=True)
    if ended.returncode:
        raise CompileError(ended.stderr[:4000])
    draft.replace(target)
    return target
