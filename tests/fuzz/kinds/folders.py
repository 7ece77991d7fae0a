"""Model folders: their configuration files, and files of kinds that have no business there."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from random import Random
from typing import Any

from mlxr.actors.registry.metadata.read_info import read_model_info
from mlxr.models.formats.safetensors.folder import ModelFolder
from mlxr.models.loading import check_model
from mlxr.models.sentence_transformers import folder_settings
from mlxr.models.tokenizers import load_directory
from mlxr.runtime.errors import MlxrError
from tests.fuzz.kind import Kind
from tests.fuzz.kinds.safetensors import VALID, written
from tests.fuzz.kinds.tokenizer_json import valid
from tests.fuzz.mutations import EXTREMES, mutated_json, written_json

FILES: dict[str, Any] = {
    "config.json": {"model_type": "bert", "architectures": ["BertModel"], "hidden_size": 32, "num_hidden_layers": 1,
                    "num_attention_heads": 2, "intermediate_size": 64, "vocab_size": 20, "max_position_embeddings": 64,
                    "type_vocab_size": 2, "layer_norm_eps": 1e-12, "hidden_act": "gelu"},
    "sentence_bert_config.json": {"max_seq_length": 32, "do_lower_case": False},
    "modules.json": [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
                     {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}],
    "tokenizer_config.json": {"bos_token": "<s>", "chat_template": "{{ messages }}", "model_max_length": 64},
    "generation_config.json": {"eos_token_id": [1]},
    "1_Pooling/config.json": {"pooling_mode_mean_tokens": True, "word_embedding_dimension": 32},
}  # fmt: skip
OTHERS = ("fifo", "folder", "link out", "link to itself", "empty", "none", "deep", "pickle", "not UTF-8")


class Folders(Kind):
    """A case is a JSON object: texts of files by name, and one name whose file is made into something else."""

    REFUSALS = (MlxrError, OSError)
    """Files that can't be opened are the system's to refuse; the registry hands its words on with the path."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._model = folder / "model"

    def make(self, random: Random) -> bytes:
        files = {name: json.dumps(value) for name, value in FILES.items() if random.random() < 0.95}
        files["tokenizer.json"] = json.dumps(random.choice(valid()))
        for name in random.sample(sorted(FILES), random.choice((0, 1, 1, 2))):
            files[name] = written_json(random, mutated_json(random, FILES[name], (count,)))
        odd = random.choice((*files, "chat_template.jinja", "model.safetensors")) if random.random() < 0.3 else ""
        return json.dumps({"files": files, "odd": odd, "how": random.choice(OTHERS)}).encode()

    def read(self, data: bytes) -> None:
        case = json.loads(data)
        shutil.rmtree(self._model, ignore_errors=True)
        (self._model / "1_Pooling").mkdir(parents=True)
        (self._model / "model.safetensors").write_bytes(written(json.dumps(VALID).encode()))
        for name, text in case["files"].items():
            (self._model / name).write_text(text)
        if case["odd"]:
            spoil(self._model / case["odd"], case["how"])
        folder = self._model
        self.each(
            lambda: read_model_info(folder),
            lambda: open_folder(folder),
            lambda: load_directory(folder),
            lambda: check_model(folder),
        )


def open_folder(path: Path) -> None:
    folder_settings(ModelFolder.open(path))


def count(random: Random) -> Any:
    return random.choice(EXTREMES)


def spoil(path: Path, how: str) -> None:
    path.unlink(missing_ok=True)
    match how:
        case "fifo":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "link out":
            path.symlink_to("/etc/hostname")
        case "link to itself":
            path.symlink_to(path.name)
        case "empty":
            path.write_bytes(b"")
        case "deep":
            path.write_text("[" * 100_000)
        case "pickle":
            path.write_bytes(b"\x80\x04cposix\nsystem\n.")
        case "not UTF-8":
            path.write_bytes(b'{"a": "\xff\xfe"}')
