from __future__ import annotations

import pytest

from mlxr.actors.registry.sources.huggingface.folder_files import listed_weights
from mlxr.actors.registry.sources.huggingface.repository_model import RepositoryModel, choose, label
from mlxr.runtime.errors import ModelNotFound, PullError

MANY = [
    "README.md",
    "Model-7B-Q2_K.gguf",
    "Model-7B-Q4_0.gguf",
    "Model-7B-Q4_K_M.gguf",
    "Model-7B-Q8_0.gguf",
    "Model-7B-UD-Q5_K_XL.gguf",
    "BF16/Model-7B-BF16-00001-of-00002.gguf",
    "BF16/Model-7B-BF16-00002-of-00002.gguf",
    "mmproj-Model-7B-F16.gguf",
    "Model-7B.imatrix.gguf",
]
FOLDER = ["README.md", "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "vocab.txt"]


@pytest.mark.parametrize(
    ("name", "quantization"),
    [
        ("Model-7B-Q4_K_M.gguf", "Q4_K_M"),
        ("model.q4_k_s.gguf", "Q4_K_S"),
        ("model-f16.gguf", "F16"),
        ("Model-UD-IQ2_XXS.gguf", "UD-IQ2_XXS"),
        ("gpt-oss-20b-MXFP4.gguf", "MXFP4"),
        ("Model-BF16-00001-of-00002.gguf", "BF16"),
        ("UD-Q4_K_XL/Model-00001-of-00003.gguf", "UD-Q4_K_XL"),
        ("Model.TQ1_0.gguf", "TQ1_0"),
        ("qwen2.5-7b-instruct.gguf", ""),
        ("Q4_0.gguf", "Q4_0"),
        ("IQ4_XS-model-Q6_K.gguf", "Q6_K"),
    ],
)
def test_a_files_name_says_its_quantization(name: str, quantization: str) -> None:
    assert label(name) == quantization


@pytest.mark.parametrize("tag", ["Q8_0", "q8_0", "Model-7B-Q8_0", "model-7b-q8_0"])
def test_a_quantization_is_chosen_in_any_case(tag: str) -> None:
    assert choose("o/r", MANY, tag) == RepositoryModel(("Model-7B-Q8_0.gguf",), tag="Q8_0", default=False)


def test_without_a_name_the_quantization_is_the_one_that_others_choose() -> None:
    assert choose("o/r", MANY) == RepositoryModel(("Model-7B-Q4_K_M.gguf",), tag="Q4_K_M")
    less = [path for path in MANY if "Q4_K_M" not in path]
    assert choose("o/r", less).tag == "Q4_0"
    assert choose("o/r", [path for path in less if "Q4" not in path]).tag == "UD-Q5_K_XL"
    assert choose("o/r", ["x.gguf"]) == RepositoryModel(("x.gguf",))


def test_a_quantization_in_parts_is_all_of_them() -> None:
    parts = ("BF16/Model-7B-BF16-00001-of-00002.gguf", "BF16/Model-7B-BF16-00002-of-00002.gguf")
    assert choose("o/r", MANY, "bf16").paths == parts
    for part in parts:
        assert choose("o/r", MANY, path=part).paths == parts
        assert choose("o/r", MANY, path=part.rpartition("/")[2]).paths == parts
    assert choose("o/r", MANY, path="BF16").paths == parts


def test_a_dynamic_quantization_needs_no_prefix_where_it_is_alone() -> None:
    assert choose("o/r", MANY, "q5_k_xl").tag == "UD-Q5_K_XL"


def test_a_model_that_guesses_ahead_is_meant_where_it_is_alone() -> None:
    assert choose("o/r", ["big-Q4_K_M.gguf", "big-draft-Q4_K_M.gguf"]).paths == ("big-Q4_K_M.gguf",)
    assert choose("o/r", ["big-draft-Q4_K_M.gguf"]).paths == ("big-draft-Q4_K_M.gguf",)


def test_what_is_not_there_is_refused_with_what_is() -> None:
    listing = "it has BF16, Q2_K, Q4_0, Q4_K_M, Q8_0, UD-Q5_K_XL: give one behind a colon, as hf.co/o/r:Q4_K_M"
    with pytest.raises(ModelNotFound, match=f"o/r has no 'Q3_K_M'; {listing}"):
        choose("o/r", MANY, "Q3_K_M")
    with pytest.raises(ModelNotFound, match=r"o/r has no file 'none\.gguf'; it has BF16"):
        choose("o/r", MANY, path="none.gguf")


def test_several_models_of_one_quantization_must_be_told_apart() -> None:
    sizes = ["small-Q4_K_M.gguf", "large-Q4_K_M.gguf", "large-Q8_0.gguf"]
    for tag in ("", "Q4_K_M"):
        with pytest.raises(ModelNotFound, match=r"several models.*'large-Q4_K_M\.gguf', 'small-Q4_K_M\.gguf'; give"):
            choose("o/r", sizes, tag)
    assert choose("o/r", sizes, path="small-Q4_K_M.gguf") == RepositoryModel(
        ("small-Q4_K_M.gguf",), tag="small-Q4_K_M", default=False
    )
    assert choose("o/r", sizes, "small-Q4_K_M").paths == ("small-Q4_K_M.gguf",)


def test_a_part_that_is_missing_does_not_make_a_model_of_the_rest() -> None:
    with pytest.raises(PullError, match="no whole model among its GGUF files"):
        choose("o/r", ["x-00002-of-00002.gguf"])


def test_a_folder_of_safetensors_is_its_settings_tokenizer_and_weights() -> None:
    choice = choose("o/r", [*FOLDER, "onnx/model.onnx", "pytorch_model.bin", "tf_model.h5", "train.py", "a.png"])
    assert choice == RepositoryModel(
        ("config.json", "generation_config.json", "tokenizer.json", "vocab.txt", "model.safetensors"), folder=True
    )


def test_sharded_weights_are_those_of_their_index() -> None:
    shards = [f"model-{number:05}-of-00002.safetensors" for number in (1, 2)]
    paths = ["config.json", "model.safetensors.index.json", *shards, "consolidated.safetensors", "other.safetensors"]
    choice = choose("o/r", paths)
    assert listed_weights(choice.paths, "", shards) == ("config.json", "model.safetensors.index.json", *shards)
    with pytest.raises(PullError, match=r"gone\.safetensors, which model\.safetensors\.index\.json lists, is not in"):
        listed_weights(choice.paths, "", ["gone.safetensors"])


def test_modules_of_sentence_transformers_come_along() -> None:
    modules = ["modules.json", "1_Pooling/config.json", "2_Dense/config.json", "2_Dense/model.safetensors"]
    choice = choose("o/r", [*FOLDER, *modules, "openvino/x.json", "2_Dense/pytorch_model.bin"])
    assert set(modules) < set(choice.paths)
    assert not any("openvino" in path or path.endswith(".bin") for path in choice.paths)


def test_an_adapter_is_its_settings_and_weights() -> None:
    assert choose(
        "o/r", ["README.md", "adapter_config.json", "adapter_model.safetensors", "optimizer.pt"]
    ) == RepositoryModel(("adapter_config.json", "adapter_model.safetensors"), folder=True)
    assert choose("o/r", ["adapter_config.json", "adapters.safetensors"]).paths[-1] == "adapters.safetensors"


def test_a_folder_in_a_repository_is_named_by_its_path() -> None:
    choice = choose("o/r", [f"4bit/{path}" for path in FOLDER], path="4bit")
    assert choice == choose("o/r", [*FOLDER, *[f"4bit/{path}" for path in FOLDER]], "4bit")
    assert (choice.root, choice.folder, choice.tag, choice.paths[0]) == ("4bit/", True, "4bit", "4bit/config.json")
    with pytest.raises(ModelNotFound, match="o/r has no model at '8bit'"):
        choose("o/r", [f"4bit/{path}" for path in FOLDER], path="8bit")


def test_where_there_are_both_gguf_is_meant_unless_the_folder_is_named() -> None:
    assert choose("o/r", [*MANY, *FOLDER]).tag == "Q4_K_M"
    assert choose("o/r", [*MANY, *FOLDER], "safetensors").folder


def test_pickles_are_refused_by_name() -> None:
    with pytest.raises(PullError, match=r"o/r has no model that mlxr reads: pytorch_model\.bin is a pickle"):
        choose("o/r", ["config.json", "pytorch_model.bin"])
    with pytest.raises(PullError, match=r"x\.bin of o/r is a pickle"):
        choose("o/r", [*FOLDER, "x.bin"], path="x.bin")
    with pytest.raises(PullError, match=r"adapter_model\.bin is a pickle"):
        choose("o/r", ["adapter_config.json", "adapter_model.bin"])


def test_a_repository_without_a_model_says_what_it_has() -> None:
    with pytest.raises(PullError, match=r"holds no model that mlxr reads .*: it has files in \.onnx, \.py"):
        choose("o/r", ["README.md", "a.onnx", "b.py"])
    with pytest.raises(PullError, match="it has no files"):
        choose("o/r", [])


def test_a_quantization_of_a_folder_is_refused_with_the_way_out() -> None:
    with pytest.raises(ModelNotFound, match=r"o/r has no 'Q4_K_M': it has one model, in safetensors; give hf\.co/o/r"):
        choose("o/r", FOLDER, "Q4_K_M")
