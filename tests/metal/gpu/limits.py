"""What each kernel takes of what an Apple GPU has, as a table: ``python -m tests.metal.gpu.limits``.

Apple's limits for a threadgroup are 1,024 threads and 32 KB of memory (Metal feature set tables). Registers are
estimated from above: the bytes of all variables of the body and its functions, as clang lays them out before it
optimises, over the 4 of a register; not those of its parameters, which a GPU has once for all threads. A GPU of Apple's
has up to 256 for a thread; fewer are needed than this says, for variables that do not live at the same time share one.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass

from mlxr.metal.gpu.kernel import Language
from tests.metal.gpu.case import Case
from tests.metal.gpu.cases import cases
from tests.metal.gpu.emulated import SOURCES, compiler, compiler_flags, run_and_measure, source_of

MOST_THREADS = 1024
MOST_MEMORY = 32 * 1024
MOST_REGISTERS = 256

UNNAMED = re.compile(r"(ref\.tmp|agg\.tmp|tmp|\w+\.addr$|\w+\.coerce|undef)")
"""What clang calls variables that the body does not have: what lies between two operations, and parameters."""

OWN = r"_Z(?!NK?(?:5metal|8emulator))"
"""How names of the kernel's own functions begin."""

SIZES = {"float": 4, "double": 8, "i64": 8, "i32": 4, "i16": 2, "i8": 1, "i1": 1}


@dataclass(frozen=True)
class Use:
    """What one kernel takes at the most."""

    kernel: str
    threads: int
    memory: int
    registers: int
    doubles: bool


def uses() -> list[Use]:
    """Returns one line a kernel, over all of its cases."""
    found: dict[str, Use] = {}
    for case in cases():
        _, memory = run_and_measure(case.kernel, case.launch, case.inputs, most_groups=1)
        width, height, depth = case.launch.threadgroup
        before = found.get(case.kernel.name)
        registers = _registers(case)
        found[case.kernel.name] = Use(
            case.kernel.name,
            max(width * height * depth, before.threads if before else 0),
            max(memory, before.memory if before else 0),
            max(registers, before.registers if before else 0),
            _has_doubles(case) or bool(before and before.doubles),
        )
    return list(found.values())


def table(found: list[Use]) -> str:
    lines = [
        "| kernel | threads a group (1,024) | threadgroup memory (32,768) | registers, at most (256) | doubles |",
        "|---|---|---|---|---|",
    ]
    for use in found:
        doubles = "yes" if use.doubles else "none"
        lines.append(f"| {use.kernel} | {use.threads:,} | {use.memory:,} | {use.registers:,} | {doubles} |")
    return "\n".join(lines)


def _has_doubles(case: Case) -> bool:
    """Metal has no numbers of 64 bits with a point: neither by name, nor as a constant that lacks its `f`."""
    text = re.sub(r"//[^\n]*", "", case.kernel.header(Language.METAL) + case.kernel.body(Language.METAL))
    return bool(re.search(r"\bdouble\b|(?<![\w.])\d+\.\d*(?:e[-+]?\d+)?(?![\w.])", text))


def _registers(case: Case) -> int:
    source = source_of(case.kernel, case.launch, case.inputs)
    options = ["-O0", "-S", "-emit-llvm", "-fno-discard-value-names", f"-I{SOURCES}", "-x", "c++", "-", "-o", "-"]
    command = [compiler(), *compiler_flags(), *options]
    ir = subprocess.run(command, input=source, capture_output=True, text=True, check=True).stdout
    bodies = re.findall(rf"^define [^\n]*@{OWN}.*?^}}", ir, re.MULTILINE | re.DOTALL)
    types = dict(re.findall(r"^(%\S+) = type (.*)$", ir, re.MULTILINE))
    allocated = re.findall(r"%(\S+) = alloca (.+?), align", "\n".join(bodies))
    return sum(_size(type, types) for name, type in allocated if not UNNAMED.match(name)) // 4


def _size(type: str, types: dict[str, str]) -> int:
    type = type.strip()
    if type in types:
        return _size(types[type], types)
    if array := re.fullmatch(r"\[(\d+) x (.+)\]", type):
        return int(array[1]) * _size(array[2], types)
    if type.startswith("{"):
        return sum(_size(part, types) for part in _parts(type.strip("{} ")))
    return 8 if type.endswith("*") else SIZES[type]


def _parts(text: str) -> list[str]:
    """Returns what commas part, but those within brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "[{") - (character in "]}")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


if __name__ == "__main__":
    print(table(uses()))
