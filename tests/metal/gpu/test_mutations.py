"""The harness finds faults: each of these, planted into a kernel, is caught by the kernel's own cases."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.metal.gpu.case import Case
from tests.metal.gpu.cases import cases
from tests.metal.gpu.emulated import Checked, KernelError, run


@dataclass(frozen=True)
class Fault:
    """``text`` of a kernel becomes ``planted``, once. What is read and not used changes nothing; a sanitizer tells."""

    kernel: str
    name: str
    text: str
    planted: str
    checked: Checked = Checked.PLAIN


BARRIER = "threadgroup_barrier(mem_flags::mem_threadgroup);"
NORM, VECTOR, TILED, GROUPED = "rms_norm/rms_norm", "matmul/vector", "matmul/tiled", "matmul/grouped"
ROPE, DECODE, COMBINE, PREFILL = "rope/rope", "attention/decode", "attention/combine", "attention/prefill"
DELTA, MAMBA2, SAMPLING = "recurrence/delta", "recurrence/mamba2", "sampling/sampling"
CASES = cases()
DECODED, MULTIPLIED = "    " + BARRIER + "\n    for (uint k", BARRIER + "\n  }\n  for (uint i"
FAULTS = [
    Fault(NORM, "a lost barrier", BARRIER, ""),
    Fault(NORM, "a barrier that not all threads reach", BARRIER, f"if (thread_index > 0) {BARRIER}"),
    Fault(NORM, "a part nobody writes", "thread_index_in_simdgroup == 0", "thread_index_in_simdgroup == 32"),
    Fault(NORM, "one simdgroup left out", "i < SIMDGROUPS", "i < SIMDGROUPS - 1"),
    Fault(NORM, "one read too many", "i < SIMDGROUPS", "i <= SIMDGROUPS"),
    Fault(NORM, "a write beyond the end", "sum[begin + i] = value", "sum[begin + i + 1] = value"),
    Fault(NORM, "a sum in 16 bits", "float squares = 0", "half squares = 0"),
    Fault(VECTOR, "one lane left out", "run += 32", "run += 33"),
    Fault(VECTOR, "lanes that are not added up", "simd_sum(sums[n][m])", "sums[n][m]"),
    Fault(VECTOR, "lanes of one half alone", "simd_sum(sums[n][m])", "simd_shuffle_down(sums[n][m], 16) + sums[n][m]"),
    Fault(VECTOR, "a neighbour's row", "size_t(m) * K + run * 32", "size_t(M - 1 - m) * K + run * 32"),
    Fault(VECTOR, "rows beyond the matrix", "if (first + n >= N) break;", "", Checked.ADDRESS),
    Fault(VECTOR, "writes beyond the matrix", "&& first + n < N) out", ") out"),
    Fault(VECTOR, "another part of the block", "run % PARTS, values", "(run + 1) % PARTS, values"),
    Fault(TILED, "a tile that is read before it is there", DECODED, DECODED.replace(BARRIER, "")),
    Fault(TILED, "a tile that is written while it is read", MULTIPLIED, MULTIPLIED.replace(BARRIER, "")),
    Fault(TILED, "a tile not transposed", "64, 0, true", "64, 0, false"),
    Fault(TILED, "a tile in the wrong place", "(side + 8 * i) * 64", "(top + 8 * i) * 64"),
    Fault(TILED, "tiles of 16 bits", "threadgroup_memory<float[32 * 64]>(1)", "threadgroup_memory<float[32 * 32]>(1)"),
    Fault(TILED, "rows beyond the last", "row < rows && column < outputs", "column < outputs"),
    Fault(TILED, "columns beyond the last", "row < rows && column < K", "row < rows"),
    Fault(GROUPED, "rows of the next expert", "uint(starts[expert + 1]) - row", "uint(starts[EXPERTS]) - row"),
    Fault(GROUPED, "tiles rounded down", "+ 31) / 32", "+ 0) / 32"),
    Fault(GROUPED, "weights of the first expert", "(size_t(expert) * N + column)", "column"),
    Fault(ROPE, "numbers that are turned before they are there", BARRIER, "", Checked.THREAD),
    Fault(ROPE, "halves instead of neighbours", "STYLE == 1 ? 2 * pair : pair", "pair"),
    Fault(ROPE, "a rope that turns the other way", "a * cosine - b * sine", "a * cosine + b * sine"),
    Fault(ROPE, "a row written that is not kept", "slots[row] >= 0", "slots[row] >= -1"),
    Fault(ROPE, "values in the place of keys", "is_value ? values : keys", "is_value ? keys : values"),
    Fault(ROPE, "queries' norm for keys", "is_query ? query_norm[i] : key_norm[i]", "query_norm[i]"),
    Fault(DECODE, "a key of the future", "position + 1);", "position + 2);"),
    Fault(DECODE, "simdgroups that add at once", "simdgroup == turn", "turn < 4"),
    Fault(DECODE, "weights that are not rescaled", "total[q] * kept + weight", "total[q] + weight"),
    Fault(
        COMBINE,
        "the first split's sum for all",
        "total += states[2 * (first + split) + 1]",
        "total += states[2 * first + 1]",
    ),
    Fault(COMBINE, "a sink left out", "total += metal::precise::exp(sinks[head] - top)", "total += 0"),
    Fault(PREFILL, "keys not transposed", "PART, 0, true", "PART, 0, false"),
    Fault(PREFILL, "no causal mask", "key <= position &&", ""),
    Fault(PREFILL, "sums that are not rescaled", "thread_elements()[1] *= factor", "thread_elements()[1] *= 1.0f"),
    Fault(DELTA, "one decay for all heads", "VALUE_HEADS + head], read", "VALUE_HEADS], read"),
    Fault(MAMBA2, "a lane's part alone", "simd_sum(sum) + skip", "sum + skip"),
    Fault(SAMPLING, "a simdgroup's sum lost", "s < SIMDGROUPS; ++s) mass", "s < SIMDGROUPS - 1; ++s) mass"),
    Fault(SAMPLING, "a token too early", "before + own <= kept_equal", "before + own < kept_equal"),
]


def caught(case: Case, fault: Fault) -> bool:
    try:
        for seed in range(2):
            planted = (fault.text, fault.planted)
            case.check(run(case.kernel, case.launch, case.inputs, fault.checked, seed, planted))
    except (AssertionError, KernelError):
        return True
    return False


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.kernel}: {fault.name}")
def test_a_planted_fault_is_caught(fault: Fault) -> None:
    # The sizes that are awkward come last.
    awkward = [case for case in reversed(CASES) if case.kernel.name == fault.kernel][:6]
    assert any(caught(case, fault) for case in awkward)
