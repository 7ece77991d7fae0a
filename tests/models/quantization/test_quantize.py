from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFReader

from mlxr.models.errors import ModelFileError, UnsupportedModelError
from mlxr.models.quantization.encoding import SLAB_VALUES, slabs, write_model
from mlxr.models.quantization.file_types import file_type
from mlxr.models.quantization.importance import Importance
from mlxr.models.quantization.quantize import Model, describe, plan
from tests.models.quantization.models import small_model, types_in, values_in


def quantized(source: Path, target: Path, type: str, importance: Importance | None = None, **options: bool) -> Path:
    made = plan(Model.of_gguf(source), file_type(type), importance, **options)
    with target.open("wb") as file:
        digest = write_model(file, made.pairs, made.outputs, 2, lambda done, total: None)
    assert digest == hashlib.sha256(target.read_bytes()).hexdigest()
    assert made.nbytes == target.stat().st_size
    return target


def uniform(path: Path, columns: dict[str, int]) -> Importance:
    return Importance(path, {name: np.ones(size, np.float32) for name, size in columns.items()})


def test_a_file_is_written_whose_tensors_are_close_to_the_source(tmp_path: Path) -> None:
    source = small_model(tmp_path / "f32.gguf")
    made = quantized(source, tmp_path / "q4.gguf", "Q4_K_M")
    before, after = values_in(source), values_in(made)
    assert before.keys() == after.keys()
    for name, values in before.items():
        assert np.abs(after[name] - values).mean() <= 0.08 * np.abs(values).mean(), name
    assert types_in(made)["blk.0.attn_v.weight"] == "Q6_K"
    assert made.stat().st_size < 0.2 * source.stat().st_size


def test_the_metadata_are_the_source_s_but_for_the_file_type(tmp_path: Path) -> None:
    source = small_model(tmp_path / "f32.gguf")
    made = quantized(source, tmp_path / "q8.gguf", "Q8_0")
    old, new = (
        {key: field.contents() for key, field in GGUFReader(path).fields.items() if not key.startswith("GGUF.")}
        for path in (source, made)
    )
    assert new.pop("general.file_type") == 7
    assert new.pop("general.quantization_version") == 2
    assert new == {key: value for key, value in old.items() if key not in ("general.file_type",)}


def test_a_quantized_source_is_refused_unless_it_is_asked_for(tmp_path: Path) -> None:
    source = small_model(tmp_path / "q8.gguf", type=GGMLQuantizationType.Q8_0)
    with pytest.raises(UnsupportedModelError, match=r"is quantized already .* --requantize"):
        plan(Model.of_gguf(source), file_type("Q4_0"))
    assert set(types_in(quantized(source, tmp_path / "q4.gguf", "Q4_0", requantize=True)).values()) == {
        "F32",
        "Q4_0",
        "Q6_K",
    }


def test_the_fewest_bits_need_importances(tmp_path: Path) -> None:
    source = small_model(tmp_path / "f32.gguf", layers=1)
    with pytest.raises(UnsupportedModelError, match=r"garbage as IQ2_XS without importances: .*--imatrix"):
        plan(Model.of_gguf(source), file_type("IQ2_XS"))
    sizes = {name: values.shape[-1] for name, values in values_in(source).items() if values.ndim > 1}
    made = quantized(source, tmp_path / "iq2.gguf", "IQ2_XS", uniform(tmp_path / "im.gguf", sizes))
    assert types_in(made)["blk.0.ffn_up.weight"] == "IQ2_XS"
    fields = GGUFReader(made).fields
    assert fields["quantize.imatrix.file"].contents() == "im.gguf"
    assert fields["quantize.imatrix.entries_count"].contents() == len(sizes)
    del sizes["blk.0.ffn_up.weight"]
    with pytest.raises(ModelFileError, match=r"nothing on 'blk\.0\.ffn_up\.weight'"):
        plan(Model.of_gguf(source), file_type("IQ2_XS"), uniform(tmp_path / "im.gguf", sizes))


def test_importances_of_another_model_are_refused(tmp_path: Path) -> None:
    source = small_model(tmp_path / "f32.gguf", layers=1)
    wrong = uniform(tmp_path / "other.gguf", {"blk.0.ffn_up.weight": 512})
    with pytest.raises(ModelFileError, match="another model's"):
        plan(Model.of_gguf(source), file_type("Q4_0"), wrong)


def test_each_expert_has_importances_of_its_own(tmp_path: Path) -> None:
    source = small_model(tmp_path / "moe.gguf", layers=1, experts=4)
    name, rng = "blk.0.ffn_up_exps.weight", np.random.default_rng(1)
    weights = rng.uniform(0.01, 1, (4, 256)).astype(np.float32)
    whole = quantized(source, tmp_path / "a.gguf", "Q4_K_S", Importance(tmp_path, {name: weights}))
    swapped = quantized(source, tmp_path / "b.gguf", "Q4_K_S", Importance(tmp_path, {name: weights[[0, 2, 1, 3]]}))
    one, other = values_in(whole)[name], values_in(swapped)[name]
    assert [np.array_equal(one[expert], other[expert]) for expert in range(4)] == [True, False, False, True]


def test_a_tensor_that_is_no_numbers_is_named(tmp_path: Path) -> None:
    source = small_model(tmp_path / "f32.gguf", layers=1)
    tensor = next(each for each in GGUFReader(source).tensors if each.name == "blk.0.ffn_up.weight")
    with source.open("r+b") as file:
        file.seek(tensor.data_offset)
        file.write(np.float32(np.inf).tobytes())
    with pytest.raises(ModelFileError, match=r"tensor 'blk\.0\.ffn_up\.weight' that can't be stored as Q4_K"):
        quantized(source, tmp_path / "q.gguf", "Q4_K_S")


def test_slabs_cover_all_rows_and_cross_no_expert() -> None:
    columns = SLAB_VALUES // 3
    covered = list(slabs((2, 5, columns), 10))
    assert [(first, count) for first, count, _ in covered] == [(0, 3), (3, 2), (5, 3), (8, 2)]
    assert [last for *_, last in covered] == [False, False, False, True]
    assert list(slabs((7,), 1)) == [(0, 1, True)]


def test_what_a_model_is_now_is_said_by_its_file_type_or_its_tensors(tmp_path: Path) -> None:
    assert describe(Model.of_gguf(small_model(tmp_path / "a.gguf", layers=1))) == "F32"
    halves = small_model(tmp_path / "b.gguf", layers=1, type=GGMLQuantizationType.F16)
    assert describe(Model.of_gguf(halves)) == "F16"
