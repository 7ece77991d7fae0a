"""Speculation changes no byte of any answer."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mlxr.actors.scheduler.speculation import Speculation
from mlxr.actors.scheduler.speculation.engine import speculation
from mlxr.actors.scheduler.speculation_section import SpeculationSection
from mlxr.metal.cpu.backend import CpuBackend
from mlxr.metal.tensors import TensorType
from mlxr.models.loading import load_model
from mlxr.runtime.messages.common import Sampling
from mlxr.runtime.messages.scheduler import Submit
from mlxr.runtime.messages.token_ids import TokenIds
from tests.actors.scheduler.drafters import AnyDeviceDrafts, NoDrafts, WholeDrafts
from tests.actors.speculation.comparison import compare, loaded
from tests.actors.speculation.drafters import informed
from tests.actors.speculation.engine import Loaded, TextEngine
from tests.models import model_path
from tests.models.architectures import checkpoints_hybrid
from tests.models.files import Sizes, write_model


@pytest.fixture(scope="module")
def smollm2() -> Iterator[Loaded]:
    made = loaded(CpuBackend(2))
    made.compiler.start()
    yield made
    made.compiler.stop()


def drafting(loaded: Loaded, draft: Path) -> Loaded:
    return replace(loaded, draft=load_model(draft, loaded.backend))


def of_random_weights(path: Path, vocabulary: int) -> Path:
    sizes = Sizes(1, 64, 64, heads=1, kv_heads=1, vocabulary=vocabulary, tied=True, context=2048)
    return write_model(path / "random.gguf", "llama", TensorType.Q8_0, sizes)


@pytest.mark.parametrize("seed", range(2))
def test_random_requests_over_many_streams_get_the_same_with_drafts_of_every_kind(smollm2: Loaded, seed: int) -> None:
    """Greedy and seeded, with penalties, log-probabilities, grammars, tools, reasoning, stop strings, several choices,
    shared prompts; with sequences preempted and executors killed meanwhile."""
    result = compare(smollm2, count=40, seed=seed, crash_every=20)
    assert result.differing == []
    assert result.invalid == []
    counters = result.speculating.counters
    assert counters.preemptions > 0
    assert result.speculating.crashes > 0
    assert 0 < counters.accepted_tokens < counters.drafted_tokens


def test_random_requests_get_the_same_with_the_drafts_that_an_engine_makes(smollm2: Loaded) -> None:
    result = compare(smollm2, count=40, seed=2, crash_every=20, speculation=speculation(SpeculationSection()))
    assert result.differing == []
    assert result.invalid == []
    counters = result.speculating.counters
    assert 0 < counters.accepted_tokens <= counters.drafted_tokens


@pytest.mark.parametrize("right", [True, False])
def test_random_requests_get_the_same_with_drafts_of_a_draft_model(
    smollm2: Loaded, right: bool, tmp_path: Path
) -> None:
    """The model as its own draft model is mostly right, one with random weights hardly ever."""
    choose, vocabulary = random.Random(3), smollm2.model.vocab_size
    draft = smollm2.model.path if right else of_random_weights(tmp_path, vocabulary)
    parts = informed({}, vocabulary, 3)
    parts = replace(parts, device=AnyDeviceDrafts(choose.randrange))
    result = compare(drafting(smollm2, draft), count=12, seed=3, crash_every=6, speculation=parts)
    assert result.differing == []
    assert result.invalid == []
    counters = result.speculating.counters
    assert result.speculating.crashes > 0
    assert counters.drafted_tokens > 0
    assert (counters.accepted_tokens > counters.drafted_tokens // 2) == right


def test_random_requests_get_the_same_with_drafts_of_a_head_of_the_model_s_own(smollm2: Loaded, tmp_path: Path) -> None:
    """Of a model with states, which a draft that is wrong sends back to where they were."""
    config = {**checkpoints_hybrid.config_of("qwen3_5"), "vocab_size": smollm2.model.vocab_size}
    config |= {"num_hidden_layers": 2, "layer_types": ["linear_attention", "full_attention"]}
    path = checkpoints_hybrid.write_gguf(tmp_path / "model.gguf", config, True, model_path("smollm2"))
    hybrid = replace(smollm2, model=load_model(path, smollm2.backend, drafts=True))
    parts = informed({}, smollm2.model.vocab_size, 4)
    parts = replace(parts, device=AnyDeviceDrafts(random.Random(4).randrange))
    result = compare(hybrid, count=6, seed=4, crash_every=3, speculation=parts)
    assert result.differing == []
    assert result.invalid == []
    assert result.speculating.crashes > 0
    assert result.speculating.counters.drafted_tokens > 0


def test_a_model_that_drafts_for_itself_is_always_right_whether_greedy_or_seeded(smollm2: Loaded) -> None:
    device = AnyDeviceDrafts(lambda most: most - 1)
    parts = Speculation(NoDrafts(), WholeDrafts(), device)
    engine = TextEngine(drafting(smollm2, smollm2.model.path), random.Random(1).randrange, parts)
    prompt = TokenIds.of(smollm2.tokenizer.encode("The history of the lighthouse begins"))
    for request, temperature in ((1, 0.0), (2, 0.9)):
        submit = Submit(request, prompt, max_tokens=40, sampling=Sampling(temperature, seed=request))
        assert engine.scheduler.submit(submit) is None
    engine.pump()
    engine.settle()
    counters = engine.scheduler.counters
    assert counters.accepted_tokens == counters.drafted_tokens > 60
    assert counters.steps < 20
