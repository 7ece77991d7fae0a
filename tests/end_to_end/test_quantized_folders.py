"""Models made for other programs, from pull to chat: a folder of AWQ's, one of MLX's, and GGUF in several files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from gguf import GGUFReader, GGUFValueType, GGUFWriter

from tests.models import model_path
from tests.models.exported import export_llama
from tests.models.files import finish
from tests.models.formats.quantized.writers import SCHEMES, Scheme, mlx, quantized_folder
from tests.server import Server, serving

QUESTION = "What is the capital of France?"
EIGHT_BITS = Scheme(
    mlx("affine", 64, 8), {"group_size": 64, "bits": 8, "mode": "affine"}, "quantization", embedding=True
)


def eight_bits(name: str) -> Scheme | None:
    """All but the feed-forward halves have 8 bits: a model this small says little with 4 alone."""
    return None if ".mlp." in name else EIGHT_BITS


def split(model: Path, target: Path, tensors: int) -> Path:
    """The model in files of so many tensors each."""
    reader = GGUFReader(model)
    architecture = str(reader.fields["general.architecture"].contents())
    writer = GGUFWriter(target, architecture, split_max_tensors=tensors)
    for name, field in reader.fields.items():
        if not name.startswith("GGUF.") and name != "general.architecture":
            kind = field.types[0]
            inner = field.types[-1] if kind == GGUFValueType.ARRAY else None
            writer.add_key_value(name, field.contents(), kind, sub_type=inner)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    return finish(writer, target)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = tmp_path_factory.mktemp("made")
    plain = export_llama(model_path("smollm2"), made / "plain")
    awq = quantized_folder(plain, made / "awq", SCHEMES["AWQ"])
    mxfp4 = quantized_folder(plain, made / "mxfp4", SCHEMES["MLX mxfp4"], own=eight_bits)
    for folder in (awq, mxfp4):
        shutil.rmtree(folder / "means")
    (made / "split").mkdir()
    split(model_path("smollm2"), made / "split" / "smol.gguf", 100)
    home = tmp_path_factory.mktemp("home")
    folders = (awq, mxfp4, made / "split")
    with serving(home, "awq", "--set", "kv.pool_tokens=4096", folders=folders) as running:
        yield running


@pytest.mark.parametrize(
    ("model", "format", "quantization"),
    [("awq", "safetensors", "AWQ 4-bit"), ("mxfp4", "safetensors", "MXFP4"), ("split", "gguf", "Q4_1")],
)
def test_a_model_quantized_elsewhere_is_pulled_and_chatted_with(
    server: Server, model: str, format: str, quantization: str
) -> None:
    details = server.request("/api/show", {"model": model})[1]["details"]
    assert (details["format"], details["quantization_level"]) == (format, quantization)
    assert details["parameter_size"] == "134.52M"
    answer = server.chat(QUESTION, model=model, max_tokens=16)
    assert "Paris" in answer["choices"][0]["message"]["content"]


def test_the_log_says_what_was_repacked(server: Server) -> None:
    server.chat(QUESTION, model="awq", max_tokens=1)
    assert "210 matrices of 4-bit codes are held as" in server.log.read_text()
