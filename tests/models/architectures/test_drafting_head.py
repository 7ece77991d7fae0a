"""The layer that drafts computes what a model of that layer alone does of what it reads.

That model's embeddings are what tokens and hidden states become for the layer, computed here; its layers, norm and
output projection have been held against transformers' by other tests.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from numpy.typing import NDArray

from mlxr.metal.backend import Backend
from mlxr.metal.batch import Batch, GroupTables
from mlxr.metal.cpu.backend import CpuBackend
from mlxr.metal.pool import Pool, PoolSpec
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.models.loading import LoadedModel, load_model, read_footprint
from tests.models.architectures import checkpoints_decoders, checkpoints_hybrid, checkpoints_latent
from tests.models.architectures.checkpoints import safetensors
from tests.models.architectures.checkpoints_hybrid import drafting_parts

Array = NDArray[np.float32]
Tensors = dict[str, Array]
LAYERS, PAGE, TOKENS = 2, 8, 20


def config_of(case: str) -> tuple[dict[str, Any], Callable[[dict[str, Any]], Tensors]]:
    """The model's configuration, and what makes tensors of one."""
    if case == "glm4_moe":
        return checkpoints_decoders.config_of(case), checkpoints_decoders.tensors_of
    if case == "deepseek_v3":
        return checkpoints_latent.config_of(case), checkpoints_latent.tensors_of
    return checkpoints_hybrid.config_of(case), checkpoints_hybrid.tensors_of


QWEN = {"qwen3_next", "qwen3_5", "qwen3_5_moe"}
CASES = ["glm4_moe", "deepseek_v3", *sorted(QWEN)]
QWEN_PARTS = {
    "eh_proj": "mtp.fc",
    "enorm": "mtp.pre_fc_norm_embedding",
    "hnorm": "mtp.pre_fc_norm_hidden",
    "shared_head_norm": "mtp.norm",
}


def resized(config: dict[str, Any], layers: int, kinds: list[str]) -> dict[str, Any]:
    """With so many layers, those of a hybrid of these ``kinds``, all others with experts where there are any."""
    config = {**config, "num_hidden_layers": layers, "tie_word_embeddings": False}
    config |= {"first_k_dense_replace": 0} if "first_k_dense_replace" in config else {}
    return config | ({"layer_types": kinds} if "layer_types" in config else {})


def written(folder: Path, config: dict[str, Any], tensors: Tensors) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    dense = {name: np.ascontiguousarray(values, np.float32) for name, values in tensors.items()}
    (folder / "model.safetensors").write_bytes(safetensors(dense))
    return folder


def parts_of(case: str, width: int) -> Tensors:
    return drafting_parts(width, 1.0 if case in QWEN else 0.0)


def with_head(folder: Path, case: str) -> tuple[Path, Tensors, dict[str, Any]]:
    """A model with a layer that drafts; all of its tensors, that layer's by the number behind the last; and its
    configuration with that layer counted."""
    config, make = config_of(case)
    kinds = ["linear_attention", "full_attention", "full_attention"]
    whole = resized(config, LAYERS + 1, kinds)
    own = {**resized(config, LAYERS, kinds[:LAYERS]), "num_nextn_predict_layers": 1}
    place = f"model.layers.{LAYERS}."
    tensors = {**{name: values for name, values in make(whole).items() if name.startswith(place)}, **make(own)}
    stored = dict(tensors)
    for name, values in parts_of(case, config["hidden_size"]).items():
        part = name.replace("shared_head_norm", "shared_head.norm")
        stored[f"{QWEN_PARTS[name]}.weight" if case in QWEN else f"model.layers.{LAYERS}.{part}.weight"] = values
    if case in QWEN:
        stored = {name.replace(place, "mtp.layers.0."): values for name, values in stored.items()}
    return written(folder, own, stored), tensors, whole


def alone(folder: Path, case: str, tensors: Tensors, whole: dict[str, Any], inputs: Array) -> Path:
    """A model of the layer that drafts alone, whose embeddings are its ``inputs``."""
    place = f"model.layers.{LAYERS}."
    own = {name.replace(place, "model.layers.0."): values for name, values in tensors.items() if place in name}
    table = np.zeros_like(tensors["model.embed_tokens.weight"])
    table[: len(inputs)] = inputs
    own |= {"model.embed_tokens.weight": table, "lm_head.weight": tensors["lm_head.weight"]}
    own["model.norm.weight"] = parts_of(case, table.shape[1])["shared_head_norm"]
    return written(folder, resized(whole, 1, ["full_attention"]), own)


def normed(x: Array, weight: Array, eps: float, case: str) -> Array:
    scaled = x / np.sqrt((x * x).mean(-1, keepdims=True) + eps)
    return (scaled * (weight + (case in QWEN))).astype(np.float32)


def batch_of(start: int, length: int, groups: int) -> Batch:
    at = np.arange(start, start + length, dtype=np.int32)
    tables = GroupTables(at, np.arange(-(-TOKENS // PAGE), dtype=np.int32)[None], PAGE)
    return Batch(np.array([0, length], np.int32), np.array([start + length], np.int32), at, (tables,) * groups)


def pool_of(backend: Backend, groups: Any) -> Pool:
    return backend.pool(PoolSpec.even(groups, -(-TOKENS // PAGE), PAGE))


def rows(count: int) -> mx.array:
    return mx.array(np.arange(count, dtype=np.int32))


def expected(model: LoadedModel, backend: Backend) -> Array:
    pool = pool_of(backend, model.cache_groups)
    hidden = model.forward(rows(TOKENS), batch_of(0, TOKENS, len(model.cache_groups)), pool)
    return np.array(model.logits(hidden, rows(TOKENS)))


def drafted(model: LoadedModel, backend: Backend, tokens: list[int], hidden: Array) -> Array:
    """In two passes."""
    head = model.drafting_head
    assert head is not None
    pool, cut, found = pool_of(backend, head.groups), TOKENS // 3, []
    for start, end in ((0, cut), (cut, TOKENS)):
        batch = batch_of(start, end - start, len(head.groups))
        x = head(mx.array(np.array(tokens[start:end], np.int32)), mx.array(hidden[start:end]), batch, pool)
        found.append(np.array(head.logits(x, rows(end - start))))
    return np.concatenate(found)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("backend", [ReferenceBackend(), CpuBackend(2)], ids=["reference", "cpu"])
def test_it_computes_its_layer_of_tokens_and_hidden_states(tmp_path: Path, case: str, backend: Backend) -> None:
    path, tensors, whole = with_head(tmp_path / "model", case)
    model = load_model(path, backend, drafts=True)
    random = np.random.RandomState(3)
    tokens = random.randint(0, model.vocab_size, TOKENS).tolist()
    hidden = random.standard_normal((TOKENS, model.spec.width)).astype(np.float32)
    parts, eps = parts_of(case, model.spec.width), whole["rms_norm_eps"]
    embedded = tensors["model.embed_tokens.weight"][tokens]
    joined = [normed(embedded, parts["enorm"], eps, case), normed(hidden, parts["hnorm"], eps, case)]
    inputs = np.concatenate(joined, 1) @ parts["eh_proj"].T
    other = load_model(alone(tmp_path / "alone", case, tensors, whole, inputs), ReferenceBackend())
    wanted = expected(other, ReferenceBackend())
    found = drafted(model, backend, tokens, hidden)
    assert np.abs(found - wanted).max() < (2e-2 if backend.name == "cpu" else 1e-3) * np.abs(wanted).max()


def test_a_gguf_file_s_is_the_same(tmp_path: Path) -> None:
    config = resized(config_of("qwen3_5")[0], LAYERS, ["linear_attention", "full_attention"])
    path = checkpoints_hybrid.write_gguf(tmp_path / "model.gguf", config, drafting=True)
    backend, random = ReferenceBackend(), np.random.RandomState(3)
    hidden = random.standard_normal((TOKENS, config["hidden_size"])).astype(np.float32)
    in_gguf, in_folder = (
        load_model(each, backend, drafts=True) for each in (path, with_head(tmp_path / "model", "qwen3_5")[0])
    )
    tokens = list(range(TOKENS))
    found, wanted = (drafted(model, backend, tokens, hidden) for model in (in_gguf, in_folder))
    assert np.abs(found - wanted).max() < 1e-4 * np.abs(wanted).max()


def test_it_is_left_out_where_nobody_asks_for_it_and_counted_apart(tmp_path: Path) -> None:
    path, _, _ = with_head(tmp_path / "model", "glm4_moe")
    backend = CpuBackend(1)
    plain, drafting = (load_model(path, backend, drafts=drafts) for drafts in (False, True))
    footprint = read_footprint(path, backend.sizes)
    assert plain.drafting_head is None
    assert footprint.weights == plain.nbytes
    assert footprint.drafting == drafting.nbytes - plain.nbytes > 0


def test_a_file_that_lacks_a_part_of_it_has_none(tmp_path: Path) -> None:
    config, make = config_of("glm4_moe")
    whole = resized(config, LAYERS + 1, [])
    own = {**resized(config, LAYERS, []), "num_nextn_predict_layers": 1}
    path = written(tmp_path / "model", own, make(whole))
    assert load_model(path, CpuBackend(1), drafts=True).drafting_head is None
    assert read_footprint(path, CpuBackend(1).sizes).drafting == 0
