"""The twins for CUDA, as ``cases.py`` has Metal's bodies."""

from __future__ import annotations

from tests.metal.gpu.affine_cases import few_rows_cases_of_cuda
from tests.metal.gpu.case import Case
from tests.metal.gpu.decoder_layer_cases import decoder_layer_cases
from tests.metal.gpu.experts_cases import experts_cases
from tests.metal.gpu.recurrence_step_cases import recurrence_step_cases
from tests.metal.gpu.step_cases import step_cases_of_cuda
from tests.metal.gpu.table_cases import table_cases


def cuda_cases() -> list[Case]:
    cases = few_rows_cases_of_cuda, experts_cases, recurrence_step_cases, table_cases, step_cases_of_cuda
    return [case for of in (*cases, decoder_layer_cases) for case in of()]
