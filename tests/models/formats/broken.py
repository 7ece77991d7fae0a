"""Models that are broken, or of a kind that mlxr does not read, in every format; and what is to be said of each."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFWriter
from safetensors.numpy import load_file, save_file

from mlxr.models.formats.safetensors.index import INDEX
from tests.models.architectures.checkpoints import config_of, tensors_of
from tests.models.files import finish

SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
PARTS = ("m-00001-of-00002.gguf", "m-00002-of-00002.gguf")
CUT = "model.layers.1.mlp.up_proj.weight"
CONFIG = config_of("llama")


def folder(path: Path, **changes: Any) -> Path:
    """A sound folder of two files and an index, with other settings."""
    path.mkdir()
    (path / "config.json").write_text(json.dumps({**CONFIG, **changes}))
    names = sorted(tensors_of(CONFIG))
    places = {name: SHARDS[number >= len(names) // 2] for number, name in enumerate(names)}
    for shard in SHARDS:
        save_file({n: tensors_of(CONFIG)[n] for n in names if places[n] == shard}, path / shard)
    (path / INDEX).write_text(json.dumps({"weight_map": places}))
    return path


def indexed(path: Path, change: Callable[[dict[str, str]], object]) -> Path:
    """A folder whose index was changed."""
    index = json.loads((folder(path) / INDEX).read_text())
    change(index["weight_map"])
    (path / INDEX).write_text(json.dumps(index))
    return path


def cut(path: Path, count: int) -> None:
    path.write_bytes(path.read_bytes()[:-count])


def with_settings(text: str) -> Callable[[Path], Path]:
    """A folder whose settings are that text."""

    def make(path: Path) -> Path:
        (folder(path) / "config.json").write_text(text)
        return path

    return make


def changed(**settings: Any) -> Callable[[Path], Path]:
    return lambda path: folder(path, **settings)


def pointer_as_shard(path: Path) -> Path:
    (folder(path) / SHARDS[1]).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n")
    return path


def truncated_shard(path: Path) -> Path:
    cut(folder(path) / SHARDS[1], 8)
    return path


def missing_shard(path: Path) -> Path:
    (folder(path) / SHARDS[1]).unlink()
    return path


def missing_shard_and_index(path: Path) -> Path:
    (missing_shard(path) / INDEX).unlink()
    return path


def lacking_tensor(path: Path) -> Path:
    """One that neither a file nor the index has."""
    shard = next(shard for shard in SHARDS if CUT in load_file(folder(path) / shard))
    tensors = load_file(path / shard)
    del tensors[CUT]
    save_file(tensors, path / shard)
    (path / INDEX).unlink()
    return path


def index_with_a_tensor_that_is_nowhere(path: Path) -> Path:
    return indexed(path, lambda places: places.update({"model.layers.9.mlp.up_proj.weight": SHARDS[0]}))


def surplus_tensor(path: Path) -> Path:
    tensors = load_file(folder(path) / SHARDS[0])
    save_file({**tensors, "model.layers.0.mlp.extra.weight": np.ones(4, np.float32)}, path / SHARDS[0])
    return path


def pickles_alone(path: Path) -> Path:
    folder(path)
    for name in (*SHARDS, INDEX):
        (path / name).unlink()
    (path / "pytorch_model.bin").write_bytes(pickle.dumps({}))
    return path


def pickled(name: str) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        path.mkdir()
        (path / name).write_bytes(b"PK\x03\x04" + bytes(64) if name.endswith(".pt") else pickle.dumps({}))
        return path / name

    return make


def quantized_by(**settings: Any) -> Callable[[Path], Path]:
    return lambda path: folder(path, quantization_config=settings)


def split(path: Path) -> Path:
    path.mkdir()
    writer = GGUFWriter(path / "m.gguf", "llama", split_max_tensors=2)
    for number in range(4):
        writer.add_tensor(f"t{number}", np.ones(8, np.float32))
    finish(writer, path / "m.gguf")
    return path


def split_without(number: int, named: int) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        (split(path) / PARTS[number]).unlink()
        return path / PARTS[named]

    return make


def split_folder_without_its_second(path: Path) -> Path:
    (split(path) / PARTS[1]).unlink()
    return path


def split_cut(path: Path) -> Path:
    cut(split(path) / PARTS[1], 40)
    return path / PARTS[0]


def gptq_without_scales(path: Path) -> Path:
    folder(path, quantization_config={"quant_method": "gptq", "bits": 4, "group_size": 32})
    tensors = load_file(path / SHARDS[0])
    module = "model.layers.0.mlp.gate_proj"
    shard = next(shard for shard in SHARDS if f"{module}.weight" in load_file(path / shard))
    tensors = load_file(path / shard)
    del tensors[f"{module}.weight"]
    save_file({**tensors, f"{module}.qweight": np.zeros((8, 32), np.int32)}, path / shard)
    (path / INDEX).unlink()
    return path


def gptq_without_settings(path: Path) -> Path:
    gptq_without_scales(path)
    (path / "config.json").write_text(json.dumps(CONFIG))
    return path


@dataclass(frozen=True, slots=True)
class Broken:
    """``make``: writes the model to a new folder and returns the path that is named. ``says``: an expression for the
    file, the place and the way out."""

    make: Callable[[Path], Path]
    says: str


METHODS = (
    "auto-round, auto_round, awq, bitsandbytes, compressed-tensors, compressed_tensors, fbgemm_fp8, fp8, gptq, "
    "modelopt, modelopt_fp4, mxfp4, mxfp8"
)
PICKLE = r"is a pickle, which mlxr never reads .*; take the model's \*\.safetensors or GGUF files"

BROKEN: dict[str, Broken] = {
    "settings that are no JSON": Broken(
        with_settings("<html>"), r"config\.json:? is corrupt, no JSON: Expecting .*; fetch it again"
    ),
    "settings with a number of 5,000 digits": Broken(
        with_settings('{"hidden_size": ' + "9" * 5000 + "}"),
        r"config\.json:? is corrupt, no JSON: it holds a number of more digits than any has; fetch it again",
    ),
    "settings that are a list": Broken(
        with_settings("[1]"), r"config\.json:? is no JSON object: it holds an array; fetch it again"
    ),
    "settings without one": Broken(
        changed(hidden_size=None), r"config\.json:? lacks the key 'hidden_size', .*; fetch it again"
    ),
    "a setting of another kind": Broken(
        changed(num_hidden_layers="2"), r"config\.json:? has '2' for 'num_hidden_layers', which .*; fetch it again"
    ),
    "heads that can't share keys": Broken(
        changed(num_attention_heads=7), r"config\.json:? has 7 query heads, which 2 key heads .*; fetch it again"
    ),
    "a vocabulary of another size": Broken(
        changed(vocab_size=64), r"config\.json:? has the vocab_size 64, and .* has 100 tokens; fetch all"
    ),
    "a file that stands for another": Broken(
        pointer_as_shard, r"model-00002-of-00002\.safetensors.* stands for a file that Git LFS has; fetch that"
    ),
    "a truncated shard": Broken(
        truncated_shard, r"model-00002-of-00002\.safetensors.* is truncated: tensor '.*' needs bytes .*fetch it again"
    ),
    "a shard that is missing": Broken(
        missing_shard, rf"{INDEX}.* names the file 'model-00002-of-00002\.safetensors', which .*; fetch it into"
    ),
    "a shard that is missing as its index is": Broken(
        missing_shard_and_index, r"has 'model-00001-of-00002.*' without 'model-00002-of-00002.*'; fetch it into"
    ),
    "a tensor that is in no file": Broken(lacking_tensor, rf"lacks the tensor '{CUT}'.*; fetch"),
    "an index that names a tensor that is in no file": Broken(
        index_with_a_tensor_that_is_nowhere,
        rf"{INDEX}.* names the tensor 'model\.layers\.9\.mlp\.up_proj\.weight' in 'model-00001.*; fetch index and",
    ),
    "a tensor that the architecture lacks": Broken(
        surplus_tensor, r"has the tensor 'model\.layers\.0\.mlp\.extra\.weight', which mlxr's 'llama' does not use"
    ),
    "shapes that contradict the configuration": Broken(
        lambda path: folder(path, intermediate_size=2 * CONFIG["intermediate_size"]),
        r"\.safetensors.* has a tensor 'model\.layers\.0\.mlp\.\w+\.weight' of shape .*; its metadata asks for .*fetch",
    ),
    "a scheme of quantization that is unknown": Broken(
        quantized_by(quant_method="sparkle"),
        rf"config\.json.* has the quant_method 'sparkle' .*; mlxr reads {METHODS}, and MLX's own: take",
    ),
    "an AWQ layout that is unknown": Broken(
        quantized_by(quant_method="awq", version="gemv", bits=4, group_size=32), r"AWQ's version 'gemv'.*take that"
    ),
    "a GPTQ layout that is unknown": Broken(
        quantized_by(quant_method="gptq", checkpoint_format="marlin", bits=4), r"checkpoint_format 'marlin'.*take"
    ),
    "a format of compressed-tensors that is unknown": Broken(
        quantized_by(quant_method="compressed-tensors", format="marlin-24", config_groups={}),
        r"compressed-tensors' format 'marlin-24'; mlxr reads dense, pack-quantized",
    ),
    "quantized matrices of which nobody says how": Broken(
        gptq_without_settings, r"config\.json.* has '.*\.qweight', a part of a quantized matrix, and no .*; fetch all"
    ),
    "a quantized matrix without its scales": Broken(
        gptq_without_scales, r"lacks the tensor 'model\.layers\.0\.mlp\.gate_proj\.qzeros', a part of .*; fetch all"
    ),
    "a folder with a pickle alone": Broken(pickles_alone, rf"pytorch_model\.bin.*{PICKLE}"),
    "a pickle": Broken(pickled("pytorch_model.bin"), PICKLE),
    "a checkpoint": Broken(pickled("model.ckpt"), PICKLE),
    "an archive of PyTorch's": Broken(pickled("model.pt"), PICKLE),
    "a GGUF model without its second file": Broken(
        split_without(1, named=0), r"m-00001-of-00002\.gguf.* part 2, 'm-00002-of-00002\.gguf', is missing; put it into"
    ),
    "a GGUF model without its first file": Broken(
        split_without(0, named=1), r"m-00002-of-00002\.gguf.* part 1, 'm-00001-of-00002\.gguf', is missing; put it into"
    ),
    "a folder with one file of a GGUF model": Broken(
        split_folder_without_its_second, r"part 2, 'm-00002-of-00002\.gguf', is missing; put it into"
    ),
    "a GGUF model whose second file is cut": Broken(
        split_cut, r"m-00002-of-00002\.gguf.* is truncated: tensor 't2' needs bytes .*; fetch it again"
    ),
}
