"""Kernels of our own for CUDA compute what their specifications say: in whatever order their threads run, and without
reading or writing what is not theirs."""

from __future__ import annotations

import pytest

from mlxr.metal.gpu.kernel import Language
from tests.metal.gpu import emulated
from tests.metal.gpu.case import Case
from tests.metal.gpu.cuda_cases import cuda_cases
from tests.metal.gpu.emulated import Checked

CASES = cuda_cases()
FIRST = list({case.kernel.name: case for case in reversed(CASES)}.values())
"""The first case of each kernel."""
WATCHED = [(case, Checked.ADDRESS) for case in FIRST]
WATCHED += [(case, Checked.THREAD) for case in FIRST if case.kernel.bounds is None]
"""What sanitizers look at: threads of the system are too few for a grid that is on the device as a whole, whose fences
the emulator looks at itself."""


def name_of(case: Case) -> str:
    return case.name


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_a_kernel_computes_what_it_should(case: Case) -> None:
    for seed in range(3):
        case.check(emulated.run(case.kernel, case.launch, case.inputs, seed=seed, language=Language.CUDA))


@pytest.mark.parametrize(("case", "checked"), WATCHED, ids=lambda part: getattr(part, "name", ""))
def test_sanitizers_find_nothing(case: Case, checked: Checked) -> None:
    # They look at what is read and written, not at results, and see all there is in a few threadgroups.
    most = 2 if case.kernel.bounds is None else 1 << 31
    emulated.run_and_measure(case.kernel, case.launch, case.inputs, checked, most_groups=most, language=Language.CUDA)
