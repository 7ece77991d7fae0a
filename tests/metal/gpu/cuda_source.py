"""The program that runs a kernel's twin for CUDA in the emulator (``emulator/cuda.h``)."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from mlxr.metal.gpu.kernel import Kernel, Language, Launch

SHARED = re.compile(r"__shared__\s+([\w:<>, ]+?)\s+(\w+)((?:\[[^\]]+\])*)\s*;")
ASSEMBLER = re.compile(r"asm volatile\((?P<text>.*?)\)\s*;", re.DOTALL)
OPERAND = re.compile(r'"[+=]?[frl]"\(((?:[^()]|\([^()]*\))*)\)')
INSTRUCTIONS = {
    "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32": "mma",
    "ld.global.nc": "load_global",
    "ld.relaxed.gpu.global.u32": "load_relaxed",
    "atom.add.release.gpu.global.u32": "add_release",
    "fence.acq_rel.gpu": "fence",
    "trap": "trap",
}
"""What kernels write in assembler, and the emulator's function of the same operands."""


def cuda_source_of(kernel: Kernel, launch: Launch, inputs: list[tuple[str, tuple[int, ...]]]) -> str:
    """Returns the program for these template arguments. ``inputs``: each one's type, in C, and shape."""
    number = iter(range(1000))

    def shared(found: re.Match[str]) -> str:
        return f"auto& {found[2]} = emulator::threadgroup_memory<{found[1]}{found[3]}>({next(number)});"

    def translated(text: str) -> str:
        return ASSEMBLER.sub(_instruction, SHARED.sub(shared, text.replace("#pragma once", "")))

    outputs = [_type(Language.CUDA.numbers[dtype]) for dtype in launch.dtypes]
    types = [_type(type) for type, _ in inputs]
    parameters = [
        f"const {of}* {name}, const int* {name}_shape, const long* {name}_strides"
        for of, name in zip(types, kernel.inputs, strict=True)
    ]
    parameters += [f"{of}* {name}" for of, name in zip(outputs, kernel.outputs, strict=True)]
    arguments = [
        f"reinterpret_cast<const {of}*>(inputs[{index}]), shape_{index}, strides_{index}"
        for index, of in enumerate(types)
    ]
    arguments += [f"reinterpret_cast<{of}*>(outputs[{index}])" for index, of in enumerate(outputs)]
    shapes = (_listed(shape) for _, shape in inputs)
    strides = (_listed([math.prod(shape[axis + 1 :]) for axis in range(len(shape))]) for _, shape in inputs)
    return "\n".join(
        [
            '#include "cuda.h"',
            translated(kernel.header(Language.CUDA)),
            f"void kernel({', '.join(parameters)}) {{",
            *(Language.CUDA.constant(name, value) for name, value in launch.template),
            translated(kernel.body(Language.CUDA)),
            "}",
            *(f"static const int shape_{index}[] = {{{shape}}};" for index, shape in enumerate(shapes)),
            *(f"static const long strides_{index}[] = {{{each}}};" for index, each in enumerate(strides)),
            "void emulator::run_thread(",
            "    unsigned char* const* inputs, unsigned char* const* outputs, const Attributes& attributes) {",
            "  begin_thread(attributes);",
            f"  kernel({', '.join(arguments)});",
            "}\n",
        ]
    )


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers)) or "1"


def _instruction(found: re.Match[str]) -> str:
    if found["text"].startswith('""'):
        return ""  # it tells the compiler alone something
    (name,) = (of for written, of in INSTRUCTIONS.items() if written in found["text"])
    return f"emulator::{name}({', '.join(OPERAND.findall(found['text']))});"


def _type(name: str) -> str:
    return "__half" if name == "half" else name
