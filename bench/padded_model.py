"""A model with further layers that add nothing: it says what the model says, and takes as long as a larger one.

What a draft model gives depends on how much cheaper it is and how often it is right. Where no large model is at hand,
this one has the first, and its own weights in fewer bits, as the draft model, have the second.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from gguf import GGUFReader, GGUFWriter

ADDS = ("attn_output.weight", "ffn_down.weight")
"""What makes a layer's halves add to the hidden state; zeros of these add nothing."""


def padded(source: Path, target: Path, times: int) -> Path:
    """Writes the model in ``source``, of Llama's shape, with ``times`` as many layers."""
    reader = GGUFReader(source)
    fields = reader.fields
    architecture = str(fields["general.architecture"].contents())
    layers = int(fields[f"{architecture}.block_count"].contents())
    writer = GGUFWriter(target, architecture)
    for name, field in fields.items():
        if name.startswith("GGUF.") or name == "general.architecture":
            continue
        value = layers * times if name == f"{architecture}.block_count" else field.contents()
        kind = {"sub_type": field.types[1]} if len(field.types) > 1 else {}
        writer.add_key_value(name, value, field.types[0], **kind)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    for tensor in reader.tensors:
        _, _, rest = tensor.name.partition("blk.")
        number, _, part = rest.partition(".")
        for copy in range(1, times) if number else ():
            data = np.zeros_like(tensor.data) if part in ADDS else tensor.data
            writer.add_tensor(f"blk.{int(number) + copy * layers}.{part}", data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target
