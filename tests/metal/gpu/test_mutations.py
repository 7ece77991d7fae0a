"""The harness finds faults: each of these, planted into a kernel, is caught by the kernel's own cases."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from mlxr.metal.gpu.kernel import Language
from tests.metal.gpu.cases import Case, cases
from tests.metal.gpu.emulated import KernelError, run


@dataclass(frozen=True)
class Fault:
    """``text`` of a kernel becomes ``planted``, once."""

    kernel: str
    name: str
    text: str
    planted: str


BARRIER = "threadgroup_barrier(mem_flags::mem_threadgroup);"
FAULTS = [
    Fault("rms_norm/rms_norm", "a lost barrier", BARRIER, ""),
    Fault("rms_norm/rms_norm", "a barrier that not all threads reach", BARRIER, f"if (thread_index > 0) {BARRIER}"),
    Fault(
        "rms_norm/rms_norm", "a part nobody writes", "thread_index_in_simdgroup == 0", "thread_index_in_simdgroup == 32"
    ),
    Fault("rms_norm/rms_norm", "one simdgroup left out", "i < SIMDGROUPS", "i < SIMDGROUPS - 1"),
    Fault("rms_norm/rms_norm", "one read too many", "i < SIMDGROUPS", "i <= SIMDGROUPS"),
    Fault("rms_norm/rms_norm", "a write beyond the end", "sum[begin + i] = value", "sum[begin + i + 1] = value"),
    Fault("rms_norm/rms_norm", "a sum in 16 bits", "float squares = 0", "half squares = 0"),
]


def caught(case: Case, body: str) -> bool:
    try:
        for seed in range(2):
            case.check(run(case.kernel, case.launch, case.inputs, seed=seed, body=body))
    except (AssertionError, KernelError):
        return True
    return False


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.kernel}: {fault.name}")
def test_a_planted_fault_is_caught(fault: Fault) -> None:
    own = [case for case in cases() if case.kernel.name == fault.kernel]
    body = own[0].kernel.body(Language.METAL)
    assert fault.text in body
    planted = body.replace(fault.text, fault.planted, 1)
    assert any(caught(case, planted) for case in own)
