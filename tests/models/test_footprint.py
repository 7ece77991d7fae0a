"""What headers say that a model will hold is what a load of it then holds, for every family."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlxr.metal.backend import Backend
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.sizes import MatrixForm
from mlxr.metal.tensors import TensorType
from mlxr.models.formats.safetensors.folder import ModelFolder
from mlxr.models.loading import load_model, read_footprint
from tests.metal.backends import BACKENDS
from tests.models.architectures import (
    checkpoints,
    checkpoints_decoders,
    checkpoints_encoders,
    checkpoints_gemma,
    checkpoints_hybrid,
    checkpoints_latent,
    checkpoints_recurrent,
)
from tests.models.architectures.test_encoder import IN_FOLDERS, folder_of, gguf_of
from tests.models.files import SCALES, Sizes, write_model
from tests.models.formats.quantized.test_packages import SETTINGS, write_case

DECODERS = {
    f"{module.__name__.rpartition('.')[2]}: {case}": (module, case)
    for module in (
        checkpoints,
        checkpoints_decoders,
        checkpoints_gemma,
        checkpoints_hybrid,
        checkpoints_latent,
        checkpoints_recurrent,
    )
    for case in module.CASES
}
ONE_OF_EACH: list[Backend] = list({backend.name: backend for backend in BACKENDS}.values())


def require_true(model: Path, backends: list[Backend] = ONE_OF_EACH) -> None:
    for backend in backends:
        told, held = read_footprint(model, backend.sizes), load_model(model, backend)
        assert told.weights == held.nbytes
        assert told.groups == held.cache_groups
        assert told.context_length == held.context_length
        assert told.vocabulary == held.vocab_size
        assert 0 < told.read <= told.weights


@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_in_a_folder_holds_what_its_header_tells(name: str, tmp_path: Path) -> None:
    module, case = DECODERS[name]
    require_true(module.write_folder(tmp_path / "model", module.config_of(case)))


@pytest.mark.parametrize("case", IN_FOLDERS)
def test_an_encoder_in_a_folder_holds_what_its_header_tells(case: str, tmp_path: Path) -> None:
    require_true(folder_of(case, tmp_path / "model"))


@pytest.mark.parametrize("case", checkpoints_encoders.IN_GGUF)
def test_an_encoder_in_a_gguf_file_holds_what_its_header_tells(case: str, tmp_path: Path) -> None:
    require_true(gguf_of(case, tmp_path / "model.gguf"))


@pytest.mark.parametrize("case", SETTINGS)
def test_a_matrix_that_a_package_quantized_holds_what_its_header_tells(case: str, tmp_path: Path) -> None:
    stored = ModelFolder.open(write_case(tmp_path, case, SETTINGS[case][0])).tensors["m.weight"]
    form = MatrixForm(stored.require_type(), *stored.shape, stored.nbytes, stored.scales)
    for backend in BACKENDS:
        assert backend.sizes.matrix(form) == backend.weight(stored.read()).nbytes


@pytest.mark.parametrize("type", SCALES)
@pytest.mark.parametrize("architecture", ["llama", "gemma3"])
def test_a_gguf_file_of_any_type_holds_what_its_header_tells(
    architecture: str, type: TensorType, tmp_path: Path
) -> None:
    settings: dict[str, int] = {"attention.sliding_window": 64} if architecture == "gemma3" else {}
    sizes = Sizes(tied=architecture == "gemma3", settings=settings)
    require_true(write_model(tmp_path / "model.gguf", architecture, type, sizes))


def test_of_experts_a_token_reads_those_that_it_is_given_to(tmp_path: Path) -> None:
    config = checkpoints.config_of("qwen3_moe")
    sizes = ReferenceBackend.sizes
    told = read_footprint(checkpoints.write_folder(tmp_path / "model", config), sizes)
    used = config["num_experts_per_tok"] / config["num_experts"]
    assert told.experts > 0
    apart = 4 * told.numbers - told.experts
    embedding = 0 if config["tie_word_embeddings"] else 4 * config["vocab_size"] * config["hidden_size"]
    assert told.read == pytest.approx(apart - embedding + told.experts * used, abs=1)
    assert told.read_numbers == pytest.approx(told.read / 4, abs=1)
