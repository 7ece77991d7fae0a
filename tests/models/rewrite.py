"""A model's file with another chat template: the same weights, byte for byte, behind changed metadata."""

from __future__ import annotations

import struct
from pathlib import Path

from gguf import GGUFReader, GGUFValueType

KEY = "tokenizer.chat_template"


def with_template(model: Path, template: str, target: Path) -> Path:
    """Write ``model`` with ``template`` to ``target``."""
    reader = GGUFReader(model)
    raw, field, last = model.read_bytes(), reader.fields[KEY], reader.tensors[-1].field
    begin, end = field.offset, field.offset + sum(part.nbytes for part in field.parts)
    infos_end = last.offset + sum(part.nbytes for part in last.parts)
    metadata = raw[:begin] + _string(KEY) + struct.pack("<I", GGUFValueType.STRING) + _string(template)
    metadata += raw[end:infos_end]
    metadata += bytes(-len(metadata) % reader.alignment)
    target.write_bytes(metadata + raw[reader.data_offset :])
    return target


def _string(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<Q", len(encoded)) + encoded
