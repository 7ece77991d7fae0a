"""How far a backend's next-token distributions are from float32 NumPy's, by storage type.

    python -m bench.type_fidelity [--backend mlx] [--positions 60]

For the types that the ``gguf`` package can make, SmolLM2's weights stored anew in each; for K-quants, which need rows
of 256 values, and the others a small Llama of random weights, whose figures compare with each other only roughly.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import gguf
import mlx.core as mx
import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter

from mlxr.metal.backend import Backend
from mlxr.metal.reference.dequantize import dequantize
from mlxr.metal.select import select_backend
from mlxr.metal.tensors import TensorType
from mlxr.models.formats.gguf.file import GGUFFile
from mlxr.models.loading import load_model
from tests.models import model_path
from tests.models.files import SCALES, Sizes, finish, write_model
from tests.oracle.fidelity import divergence, run_chunks, text_tokens
from tests.oracle.models import oracle

MADE = (TensorType.F16, TensorType.BF16, *(TensorType(name) for name in ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0")))
RANDOM = tuple(type for type in SCALES if type not in MADE)
SIZES = Sizes(layers=4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", default="mlx")
    parser.add_argument("--positions", type=int, default=60)
    arguments = parser.parse_args()
    backend, choice = select_backend(arguments.backend)
    print(f"{choice.name}: {choice.reason}")
    for type, path, tokens in models(arguments.positions):
        mean, worst = measured(path, backend, tokens)
        kind = "SmolLM2" if type in MADE else "random"
        print(f"{type:8} {kind:8} mean {mean:.1e}  worst {worst:.1e}", flush=True)


def models(positions: int) -> Iterator[tuple[TensorType, Path, list[int]]]:
    tokens = text_tokens(model_path("smollm2"), positions)
    for type in (*MADE, *RANDOM):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.gguf"
            if type in MADE:
                yield type, stored_as(path, type), tokens
            else:
                random = np.random.default_rng(5).integers(0, SIZES.vocabulary, positions).tolist()
                yield type, write_model(path, "llama", type, SIZES), random


def stored_as(path: Path, type: TensorType) -> Path:
    """SmolLM2 with all matrices of ``type``."""
    source = model_path("smollm2")
    writer, kind = GGUFWriter(path, "llama"), GGMLQuantizationType[type.value]
    for name, field in GGUFReader(source).fields.items():
        if name.startswith("llama."):
            writer.add_key_value(name, field.contents(), field.types[0])
    for name, tensor in GGUFFile.open(source).tensors.items():
        values = dequantize(tensor.read())
        writer.add_tensor(name, values) if values.ndim == 1 else writer.add_tensor(
            name, gguf.quantize(values, kind), raw_dtype=kind
        )
    return finish(writer, path)


def measured(path: Path, backend: Backend, tokens: list[int]) -> tuple[float, float]:
    """Mean and worst divergence in nats."""
    truth, model = oracle(path), load_model(path, backend)
    hidden = run_chunks(model, backend, tokens, chunk=20, page_size=32)
    ours = np.array(model.logits(hidden, mx.arange(len(tokens))))
    found = divergence(truth.logits(truth.hidden(tokens)), ours)
    return float(found.mean()), float(found.max())


if __name__ == "__main__":
    main()
