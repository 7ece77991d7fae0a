"""Safetensors files: the header's length, its JSON, and the tensors it places."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

from mlxr.actors.registry.metadata.read_info import read_model_info
from mlxr.models.formats.safetensors.folder import read_tensors
from tests.fuzz.kind import Kind
from tests.fuzz.mutations import EXTREMES, TEXTS, mutated_bytes, mutated_json, written_json

TYPES = ("F32", "F16", "BF16", "F8_E4M3", "I64", "U8", "BOOL", "F64", "", "I" * 400)
VALID: dict[str, Any] = {
    "__metadata__": {"format": "pt"},
    "embeddings.word_embeddings.weight": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
    "position_ids": {"dtype": "I64", "shape": [1], "data_offsets": [24, 32]},
    "scale": {"dtype": "F16", "shape": [], "data_offsets": [32, 34]},
}
DATA = bytes(34)


def written(header: bytes, data: bytes = DATA, length: int | None = None) -> bytes:
    return ((len(header) if length is None else length) % 2**64).to_bytes(8, "little") + header + data


class Safetensors(Kind):
    BATCH = 5_000

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._path = folder / "model.safetensors"
        (folder / "config.json").write_text('{"model_type": "bert"}')

    def make(self, random: Random) -> bytes:
        if random.random() < 0.3:
            return mutated_bytes(random, written(json.dumps(VALID).encode()))
        header = written_json(random, mutated_json(random, VALID, (shape, entry))).encode()
        length = random.choice((*EXTREMES, len(header) - 1)) if random.random() < 0.1 else None
        return written(header, DATA if random.random() < 0.9 else b"", length)

    def read(self, data: bytes) -> None:
        self._path.write_bytes(data)
        self.each(lambda: read_model_info(self.folder), lambda: read_tensors(self._path))


def shape(random: Random) -> list[Any]:
    return [random.choice((*EXTREMES, -1, 1.5, "2", None)) for _ in range(random.choice((0, 1, 2, 9, 2000)))]


def entry(random: Random) -> dict[str, Any]:
    begin, end = random.choice(((0, 24), (24, 0), (-8, 16), (2**63, 2**63 + 24), (0, 2**64)))
    named = {random.choice(TEXTS): 1} if random.random() < 0.3 else {}
    return {"dtype": random.choice(TYPES), "shape": shape(random), "data_offsets": [begin, end], **named}
