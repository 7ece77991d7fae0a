"""The twins for CUDA, as ``cases.py`` has Metal's bodies."""

from __future__ import annotations

from tests.metal.gpu.affine_cases import few_rows_cases_of_cuda
from tests.metal.gpu.case import Case
from tests.metal.gpu.experts_cases import experts_cases
from tests.metal.gpu.recurrence_step_cases import recurrence_step_cases
from tests.metal.gpu.table_cases import table_cases


def cuda_cases() -> list[Case]:
    return [*few_rows_cases_of_cuda(), *experts_cases(), *recurrence_step_cases(), *table_cases()]
