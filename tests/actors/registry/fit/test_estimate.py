"""The estimate's arithmetic."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mlxr.actors.executor.settings import ExecutorSection, ExecutorSettings, KVSection
from mlxr.actors.registry.fit.estimate import Room, estimate, memory_estimate, speed_estimate
from mlxr.actors.registry.metadata.header_findings import HeaderFindings
from mlxr.api.estimate import DiskEstimate
from mlxr.metal.cache import attention_group, cache_groups, latent_group, state_group
from mlxr.metal.machine import Machine
from mlxr.metal.tensors import TensorType
from mlxr.models.footprint import Footprint
from mlxr.runtime.model_info import ModelInfo

GB = 10**9
MACHINE = Machine("cpu", "", 512, rates={"F16": 50e9, "Q4_K": 40e9, "Q6_K": 30e9}, begin_seconds=2e-6)
GROUPS = cache_groups(
    [
        *(attention_group(layer, 4, 128) for layer in range(2)),
        *(attention_group(layer, 4, 128, 1024) for layer in range(2, 12)),
        latent_group(12, 576),
        state_group(13, 1_000_000),
    ]
)
MODEL = Footprint(
    weights=9 * GB,
    experts=8 * GB,
    reads={TensorType.Q4_K: GB, TensorType.F16: GB // 2},
    numbers=16 * GB,
    read_numbers=3 * GB,
    loading=9 * GB,
    width=2048,
    hidden=6144,
    vocabulary=150_000,
    operations=28,
    context_length=40_960,
    groups=GROUPS,
)
SETTINGS = ExecutorSettings("")


def test_each_kind_of_layers_is_told_by_what_it_keeps() -> None:
    memory = memory_estimate(MODEL, MACHINE, SETTINGS, Room(64 * GB))
    full, window, latent, state = memory.groups
    assert (full.kind, full.layers, full.token_bytes, full.window) == ("full", 2, 2 * 2 * 4 * 128 * 2, None)
    assert (window.kind, window.token_bytes, window.window) == ("window", 10 * 2 * 4 * 128 * 2, 1024)
    assert (latent.kind, latent.token_bytes) == ("latent", 576 * 2)
    assert (state.kind, state.token_bytes, state.sequence_bytes) == ("state", 0, 4_000_000)


def test_pages_of_codes_are_told_and_take_half() -> None:
    settings = ExecutorSettings("", kv=KVSection(page_type="int8"))
    full, _, latent, state = memory_estimate(MODEL, MACHINE, settings, Room(64 * GB)).groups
    key, value = 128 + 4 * 2, 128 + 2
    assert (full.page_type, full.token_bytes) == ("int8", 2 * 4 * (key + value))
    assert (latent.page_type, latent.token_bytes) == ("int8", 576 + 18 * 2)
    assert (state.page_type, state.sequence_bytes) == ("", 4_000_000)
    halves = memory_estimate(MODEL, MACHINE, SETTINGS, Room(64 * GB))
    assert halves.groups[0].page_type == "16bit"


def test_the_context_is_the_one_asked_for_else_the_one_that_is_set_else_a_usual_one() -> None:
    settings = ExecutorSettings("", executor=ExecutorSection(context_length=16_384))
    assert memory_estimate(MODEL, MACHINE, SETTINGS, Room(64 * GB), 4096).context == 4096
    assert memory_estimate(MODEL, MACHINE, settings, Room(64 * GB), 4096).context == 4096
    assert memory_estimate(MODEL, MACHINE, settings, Room(64 * GB)).context == 16_384
    assert memory_estimate(MODEL, MACHINE, SETTINGS, Room(64 * GB)).context == 8192
    assert memory_estimate(MODEL, MACHINE, SETTINGS, Room(64 * GB), 10**9).context == 40_960


def test_what_fits_is_what_a_load_lets_in() -> None:
    memory = memory_estimate(MODEL, MACHINE, SETTINGS, Room(64 * GB), 32_768)
    assert memory.fits
    assert memory.fitting_context == 40_960
    assert memory.needed == memory.weights + memory.cache + memory.working + memory.process
    tight = memory_estimate(MODEL, MACHINE, SETTINGS, Room(memory.needed - 1), 32_768)
    assert not tight.fits
    assert 0 < tight.fitting_context < 32_768
    assert memory_estimate(MODEL, MACHINE, SETTINGS, Room(memory.needed - 1), tight.fitting_context).fits


def test_a_token_takes_what_reading_its_weights_and_its_context_takes() -> None:
    memory = memory_estimate(MODEL, MACHINE, SETTINGS, Room(64 * GB), 32_768)
    speed = speed_estimate(MODEL, MACHINE, memory)
    assert speed is not None
    seconds = 1 / 40 + 0.5 / 50
    assert 1 / speed.tokens_per_second == pytest.approx(seconds, rel=0.05)
    full, window, latent, state = memory.groups
    kept = (full.token_bytes + latent.token_bytes) * 32_768 + window.token_bytes * 1024 + 2 * state.sequence_bytes
    assert 1 / speed.at_context - 1 / speed.tokens_per_second == pytest.approx(kept / 50e9)
    assert speed.read == GB + GB // 2
    assert speed.bandwidth == 50e9


def test_what_makes_no_text_and_what_was_not_measured_has_no_speed() -> None:
    memory = memory_estimate(MODEL, MACHINE, SETTINGS, Room(64 * GB))
    assert speed_estimate(replace(MODEL, groups=()), MACHINE, memory) is None
    assert speed_estimate(MODEL, Machine("cpu", "", 512), memory) is None


@pytest.mark.parametrize("unusable", ["", "is of an architecture that nobody knows"])
def test_of_a_model_that_does_not_run_only_what_it_is_is_told(unusable: str) -> None:
    info = ModelInfo(
        "gguf", "x", parameters=16 * GB + 7, quantization="Q4_K_M", context_length=40_960, unusable=unusable
    )
    looked = HeaderFindings(info, None if unusable else MODEL, nearest="y" if unusable else "")
    told = estimate(
        looked,
        MACHINE,
        SETTINGS,
        Room(64 * GB),
        DiskEstimate(9 * GB, 10 * GB, True),
        model="m",
        source="s",
        size=9 * GB,
    )
    assert (told.runs, told.why, told.nearest) == (not unusable, unusable, looked.nearest)
    assert (told.memory is None) == (told.speed is None) == bool(unusable)
    assert told.active_parameters == (told.parameters if unusable else 3 * GB + 7)


def test_what_other_models_would_give_back_counts_as_there_within_the_limit() -> None:
    needed = memory_estimate(MODEL, MACHINE, SETTINGS, Room(64 * GB)).needed
    assert not memory_estimate(MODEL, MACHINE, SETTINGS, Room(needed - GB)).fits
    memory = memory_estimate(MODEL, MACHINE, SETTINGS, Room(needed - GB, 2 * GB))
    assert (memory.fits, memory.available, memory.reclaimable) == (True, needed + GB, 2 * GB)
    limited = memory_estimate(MODEL, MACHINE, SETTINGS, Room(64 * GB, 2 * GB, needed - GB))
    assert (limited.fits, limited.available, limited.limit) == (False, needed - GB, needed - GB)


def test_a_head_that_drafts_is_left_out_of_what_fits_only_without_it() -> None:
    model, settings = replace(MODEL, drafting=GB), ExecutorSettings("", mtp=True)
    plain, with_it = (memory_estimate(each, MACHINE, settings, Room(64 * GB)) for each in (MODEL, model))
    assert with_it.needed >= plain.needed + GB
    assert memory_estimate(model, MACHINE, settings, Room(with_it.needed)).draft == with_it.draft
    without = memory_estimate(model, MACHINE, settings, Room(with_it.needed - 1))
    assert (without.fits, without.draft, without.needed) == (True, 0, plain.needed)
