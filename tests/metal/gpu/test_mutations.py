"""The harness finds faults: each of these, planted into a kernel, is caught by the kernel's own cases."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.metal.gpu.case import Case
from tests.metal.gpu.cases import cases
from tests.metal.gpu.emulated import Checked, KernelError, run


@dataclass(frozen=True)
class Fault:
    """``text`` of a kernel becomes ``planted``, once. What is read and not used changes nothing; a sanitizer tells.
    ``case``: part of the name of the cases that it shows in, where not among the last."""

    kernel: str
    name: str
    text: str
    planted: str
    checked: Checked = Checked.PLAIN
    case: str = ""


THREADS = Checked.THREAD
BARRIER = "threadgroup_barrier(mem_flags::mem_threadgroup);"
FEW_ROWS, STEP = "affine_matmul/few_rows", "attention/step"
VECTOR, TILED, GROUPED = "matmul/vector", "matmul/tiled", "matmul/grouped"
PREFILL, DELTA, MAMBA2 = "attention/prefill", "recurrence/delta", "recurrence/mamba2"
SAMPLING = "sampling/sampling"
CASES = cases()
DECODED, MULTIPLIED = "    " + BARRIER + "\n    for (uint k", BARRIER + "\n  }\n  for (uint i"
FAULTS = [
    Fault(FEW_ROWS, "a lost barrier", BARRIER, "", THREADS, "1x256"),
    Fault(FEW_ROWS, "a barrier that not all threads reach", BARRIER, f"if (lane > 0) {BARRIER}"),
    Fault(FEW_ROWS, "one lane left out", "run += 32 * SHARES", "run += 33 * SHARES"),
    Fault(FEW_ROWS, "one share of the columns left out", " + sums[QUADS * OWN * ROWS + at], up", ", up"),
    Fault(FEW_ROWS, "lanes that are not added up", "simd_sum(found[r][m])", "found[r][m]"),
    Fault(FEW_ROWS, "a part nobody writes", "if (lane == 0) sums", "if (lane == 32) sums"),
    Fault(FEW_ROWS, "a neighbour's row", "size_t(min(m, rows - 1))", "size_t(rows - 1 - min(m, rows - 1))"),
    Fault(FEW_ROWS, "rows beyond the last", "m >= rows || unit", "unit", case="3x64"),
    Fault(FEW_ROWS, "outputs beyond the last", "unit >= units) continue", "false) continue", case="2176"),
    Fault(FEW_ROWS, "a sum in 16 bits", "float found[OWN][ROWS]", "half found[OWN][ROWS]"),
    Fault(FEW_ROWS, "squares of one share", "squares[m] + squares[ROWS + m]", "squares[m]"),
    Fault(FEW_ROWS, "a norm without its weight", "four[m] = four[m] * by", "four[m] = four[m]"),
    Fault(FEW_ROWS, "up for gate", "r < PER ? unit : units + unit", "r < PER ? units + unit : unit"),
    Fault(
        FEW_ROWS,
        "a scale of another group",
        "scales[at[r] / (GROUP / 32)]",
        "scales[(at[r] + 1) / (GROUP / 32)]",
        case="2176",
    ),
    Fault(FEW_ROWS, "codes without their place", "1.0f / float(1u << begin)", "1.0f"),
    Fault(FEW_ROWS, "half of a code that lies in two words", "<< (32 - begin)", "<< (31 - begin)", case="of 5 bits"),
    Fault(FEW_ROWS, "a residual that is lost", "if (EPILOGUE == 1) sum", "if (EPILOGUE == 3) sum", case="RESIDUAL"),
    Fault(
        STEP,
        "a lost barrier before queries are read",
        BARRIER + "\n    if (has_own",
        "if (has_own",
        THREADS,
        "two splits",
    ),
    Fault(
        STEP, "threadgroups without a fence between them", "thread_scope_device", "thread_scope_threadgroup", THREADS
    ),
    Fault(STEP, "a sum before all threadgroups are there", "came[0] != splits - 1", "false", THREADS, "two splits"),
    Fault(
        STEP,
        "a counter that is left as it is",
        "atomic_store_explicit(counter, 0u",
        "atomic_store_explicit(counter, 1u",
    ),
    Fault(STEP, "the first split's sum for all", "all_states[2 * (from + s) + 1]", "all_states[2 * from + 1]"),
    Fault(STEP, "a key of the future", "split_keys, position + 1)", "split_keys, position + 2)"),
    Fault(STEP, "a key before the window", "* split_keys, seen)", "* split_keys, 0u)"),
    Fault(STEP, "the page's old key", "has_own && key == position", "false"),
    Fault(STEP, "scores that are not scaled", "own[i] * unit", "own[i]"),
    Fault(STEP, "a page that every group writes", "has_own && head % GROUP == 0", "has_own", THREADS, "two parts"),
    Fault(STEP, "a row written that is not kept", "slot_of_own >= 0", "slot_of_own >= -1", case="ragged"),
    Fault(STEP, "values in the place of keys", "i < DIMS ? keys : values", "i < DIMS ? values : keys"),
    Fault(STEP, "queries' norm for keys", "is_query ? i : DIMS + i", "i"),
    Fault(STEP, "halves instead of neighbours", "STYLE == 1 ? 2 * pair : pair", "pair"),
    Fault(STEP, "a rope that turns the other way", "own[one] = a * cosine -", "own[one] = a * cosine +"),
    Fault(STEP, "simdgroups that add at once", "simdgroup == s", "s < 4"),
    Fault(STEP, "weights that are not rescaled", "total[q] * kept + weight", "total[q] + weight"),
    Fault(STEP, "lanes of another key", "step < LANES; step", "step < 32; step", case="ragged"),
    Fault(STEP, "a sink left out", "whole = metal::exp2(sink - top)", "whole = 0"),
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
    Fault(PREFILL, "keys not transposed", "PART, 0, true", "PART, 0, false"),
    Fault(
        PREFILL,
        "pages that a window has left",
        "if (key >= seen && key < end && at < VALUE",
        "if (key < end && at < VALUE",
    ),
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
    cases = [case for case in CASES if case.kernel.name == fault.kernel and fault.case in case.name]
    awkward = cases[-7:][::-1]
    assert any(caught(case, fault) for case in awkward)
