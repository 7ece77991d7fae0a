"""The harness finds faults in kernels for CUDA: each of these is caught by the kernel's own cases."""

from __future__ import annotations

import pytest

from mlxr.metal.gpu.kernel import Language
from tests.metal.gpu.case import Case
from tests.metal.gpu.cuda_cases import cuda_cases
from tests.metal.gpu.emulated import Checked, KernelError, run
from tests.metal.gpu.test_mutations import Fault

THREADS = Checked.THREAD
ROUTER, GATES, MIXTURE = "experts/router", "experts/gates", "experts/mixture"
FEW_ROWS, LAYERS, OF_SEVERAL = "affine_matmul/few_rows", "decoder_layer/layers", "of several,"
CONVOLUTION, DELTA, MAMBA2 = "recurrence/step_convolution", "recurrence/step_delta", "recurrence/step_mamba2"
CASES = cuda_cases()
FAULTS = [
    Fault(ROUTER, "a choice before all blocks are there", "ticket != blocks - 1", "ticket != 0"),
    Fault(ROUTER, "a counter that is left as it is", "atomicInc(tickets, blocks - 1)", "atomicInc(tickets, blocks)"),
    Fault(ROUTER, "an expert twice", "score = scores[i], taken |= 1u << i;", "score = scores[i];"),
    Fault(ROUTER, "scores that the bias is in", "score = scores[i], taken", "score = wanted[i], taken"),
    Fault(ROUTER, "squares of one warp", "sum += parts[w][EACH][row]", "sum = parts[w][EACH][row]"),
    Fault(ROUTER, "a lost barrier", "if (lane == 0) parts[warp][i][row] = sum;\n        }\n    __syncthreads();", "}"),
    Fault(GATES, "a choice that is not the first", "- 1 < own) return 0;", "- 1 < 0) return 0;", THREADS),
    Fault(GATES, "up for gate", "(strip / OWN * EXPERTS + expert)", "((1 - strip / OWN) * EXPERTS + expert)"),
    Fault(GATES, "another expert's bias", "constants + 4 + expert * UNITS", "constants + 4", case="of 8 bits"),
    Fault(GATES, "a row for each choice", "members[tile * 8 + quad] / SHARING", "members[tile * 8 + quad]"),
    Fault(GATES, "members of the first tile alone", "(count + 7) / 8, row_of", "1, row_of"),
    Fault(GATES, "members that are read too early", "member, 0);\n        __syncthreads();", "member, 0);"),
    Fault(MIXTURE, "one run left out", "RUNS; run += SHARES", "RUNS; run += 2 * SHARES", case="2112"),
    Fault(GATES, "codes in another order", "0x5410), __byte_perm(inputs.x", "0x7632), __byte_perm(inputs.x"),
    Fault(GATES, "beyond a row's end", "COLUMNS % 256 && pair >= COLUMNS / 64", "false", Checked.ADDRESS),
    Fault(MIXTURE, "a sum before all blocks are there", "ticket != gridDim.y - 1", "ticket != 0"),
    Fault(MIXTURE, "one expert left out", "i < USED; ++i) sum", "i < USED - 1; ++i) sum"),
    Fault(MIXTURE, "a residual that is lost", "out[to] = residual[to] + sum", "out[to] = sum"),
    Fault(MIXTURE, "shares of another choice", "sum * shares[choice]", "sum * shares[0]"),
    Fault(CONVOLUTION, "a state where a sequence begins", "sequence.from < 0 ? 0.0f : before[tap", "before[tap"),
    Fault(CONVOLUTION, "a state that nobody keeps", "if (sequence.to < 0) return;", ""),
    Fault(DELTA, "a change that is not scaled", "* key_factor) * key_factor", "* key_factor)"),
    Fault(DELTA, "a part of the keys", "p < PARTS; ++p) read", "p < PARTS - 1; ++p) read"),
    Fault(DELTA, "another key head", "TILED ? head % KEY_HEADS", "TILED ? head / KEY_HEADS", case="True"),
    Fault(
        DELTA,
        "sums that are read too early",
        "= sum;\n            __syncthreads();\n            if (part == 0) {  //",
        "= sum;\n            if (part == 0) {  //",
        THREADS,
    ),
    Fault(DELTA, "a state written where it was read", "states + size_t(sequence.to)", "states + size_t(sequence.from)"),
    Fault(MAMBA2, "a state that does not decay", "keeps * state[i]", "state[i]"),
    Fault(LAYERS, "a barrier that nobody waits at", "grid.wait();\n        __half *keys", "__half *keys"),
    Fault(
        LAYERS,
        "an arrival that nothing is behind",
        "emulator::add_release",
        "emulator::add_relaxed",
        case="of one",
    ),
    Fault(
        LAYERS,
        "a wait without a fence",
        "{\n            }\n            hear();",
        "{\n            }",
        case="of one",
    ),
    Fault(LAYERS, "a block that is not counted", "ROUND - (gridDim.x - 1)", "ROUND - gridDim.x", case="of one"),
    Fault(LAYERS, "the first norm for the second", "== unsigned(odd)", "== 0", case=OF_SEVERAL),
    Fault(
        LAYERS,
        "a choice that nobody waits for",
        "EACH;\n            if (int(blockIdx.x) >= BLOCKS) return;\n            grid.wait();",
        "EACH;\n            if (int(blockIdx.x) >= BLOCKS) return;",
        case="halves",
    ),
    Fault(
        LAYERS,
        "a counter that rows leave changed",
        "(int(blockIdx.x) < rows) grid.arrive",
        "(false) grid.arrive",
        case="halves",
    ),
    Fault(LAYERS, "a run that is multiplied again", "part = behind;", ";", case="of one row, by runs"),
    Fault(FEW_ROWS, "rows that lie elsewhere", "at / 32 * 8 + at % 8", "at / 32 * 8 + at % 4", case="3x512"),
    Fault(LAYERS, "an item's strips again", "held(next).load", "held(item).load", case="of one"),
]


def caught(case: Case, fault: Fault) -> bool:
    planted = fault.text, fault.planted
    try:
        for seed in range(2):
            case.check(run(case.kernel, case.launch, case.inputs, fault.checked, seed, planted, Language.CUDA))
    except (AssertionError, KernelError):
        return True
    return False


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.kernel}: {fault.name}")
def test_a_planted_fault_is_caught(fault: Fault) -> None:
    cases = [case for case in CASES if case.kernel.name == fault.kernel and fault.case in case.name]
    assert any(caught(case, fault) for case in cases)
