"""docs/adding/model-family.md, followed with a family of its own: norms behind each half only, biases on keys."""

from __future__ import annotations

from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
from gguf import GGUFWriter

from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.specs import Activation, RopeStyle
from mlxr.models.architectures import names
from mlxr.models.architectures.families import FAMILIES
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.sizes import Sizes, scale_of
from mlxr.models.architectures.spec import DecoderSpec, LayerSpec, Norms
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.errors import ModelFileError, UnsupportedModelError
from mlxr.models.hyperparameters import Format, Hyperparameters
from mlxr.models.loading import check_model, load_model
from tests.models.architectures.checkpoints import TOKENS
from tests.models.files import finish
from tests.oracle.fidelity import run_chunks
from tests.oracle.formulas import attention, rms_norm, rope_angles, rope_halves, silu

WIDTH, HIDDEN, HEADS, HEAD_DIM, LAYERS = 32, 48, 2, 16, 2


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters)
    rope = model_rope(parameters, sizes.rope_dims, RopeStyle.NEOX)
    layer = LayerSpec(
        sizes.attention(rope, scale_of(parameters, sizes.head_dim)),
        sizes.mlp(Activation.SILU),
        Norms(before=False, after=True),
        frozenset({"key_bias"}),
    )
    return sizes.decoder([layer] * sizes.layers)


NOVA = Family(
    "nova",
    read,
    {
        Format.GGUF: FormatTable(
            ("nova",),
            {
                **names.GGUF,
                "key_bias": "blk.{layer}.attn_k.bias",
                "attention_post_norm": "blk.{layer}.attn_post_norm.weight",
                "feed_forward_post_norm": "blk.{layer}.ffn_post_norm.weight",
            },
            GGUF,
        )
    },
)


def tensors() -> dict[str, np.ndarray]:
    random = np.random.RandomState(3)
    found = {"token_embd.weight": random.standard_normal((100, WIDTH)), "output_norm.weight": np.ones(WIDTH) * 2}
    for layer in range(LAYERS):
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            found[f"blk.{layer}.{part}.weight"] = random.standard_normal((WIDTH, WIDTH)) / WIDTH**0.5
        found[f"blk.{layer}.attn_k.bias"] = random.standard_normal(WIDTH)
        for part, shape in (("gate", (HIDDEN, WIDTH)), ("up", (HIDDEN, WIDTH)), ("down", (WIDTH, HIDDEN))):
            found[f"blk.{layer}.ffn_{part}.weight"] = random.standard_normal(shape) / WIDTH**0.5
        for norm in ("attn_post_norm", "ffn_post_norm"):
            found[f"blk.{layer}.{norm}.weight"] = random.uniform(0.5, 1.5, WIDTH)
    return {name: values.astype(np.float32) for name, values in found.items()}


def write(path: Path, without: str = "", **more: np.ndarray) -> Path:
    writer = GGUFWriter(path, "nova")
    writer.add_block_count(LAYERS)
    writer.add_context_length(64)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    for name, values in (tensors() | more).items():
        if name != without:
            writer.add_tensor(name, values)
    return finish(writer, path)


def expected() -> np.ndarray:
    given, x = tensors(), tensors()["token_embd.weight"][TOKENS]
    angles = rope_angles(len(TOKENS), HEAD_DIM, 10000.0)
    for layer in range(LAYERS):
        of = {name.removeprefix(f"blk.{layer}."): values for name, values in given.items()}
        queries, keys, values = (
            (x @ of[f"attn_{part}.weight"].T + of.get(f"attn_{part}.bias", 0)).reshape(-1, HEADS, HEAD_DIM)
            for part in "qkv"
        )
        queries, keys = rope_halves(queries, angles), rope_halves(keys, angles)
        out = attention(queries, keys, values, HEAD_DIM**-0.5, lambda query, key: key <= query)
        x = x + rms_norm(out @ of["attn_output.weight"].T, of["attn_post_norm.weight"], 1e-5)
        hidden = silu(x @ of["ffn_gate.weight"].T) * (x @ of["ffn_up.weight"].T)
        x = x + rms_norm(hidden @ of["ffn_down.weight"].T, of["ffn_post_norm.weight"], 1e-5)
    return rms_norm(x, given["output_norm.weight"], 1e-5) @ given["token_embd.weight"].T


def test_a_family_of_one_file_runs_as_its_formulas_say(tmp_path: Path) -> None:
    backend = ReferenceBackend()
    model = load_model(write(tmp_path / "m.gguf"), backend, families=(*FAMILIES, NOVA))
    hidden = run_chunks(model, backend, TOKENS, chunk=13, page_size=16)
    logits = np.array(model.logits(hidden, mx.arange(len(TOKENS))))
    assert np.abs(logits - expected()).max() < 1e-4 * np.abs(logits).max()


def test_its_files_are_held_to_what_it_says(tmp_path: Path) -> None:
    families = (*FAMILIES, NOVA)
    check_model(write(tmp_path / "m.gguf"), families)
    with pytest.raises(ModelFileError, match=r"lacks the tensor 'blk\.1\.attn_k\.bias'"):
        check_model(write(tmp_path / "m.gguf", without="blk.1.attn_k.bias"), families)
    more = {"blk.0.attn_q.bias": np.ones(WIDTH, np.float32)}
    with pytest.raises(UnsupportedModelError, match=r"has the tensor 'blk\.0\.attn_q\.bias', which mlxr's 'nova'"):
        check_model(write(tmp_path / "m.gguf", **more), families)
    with pytest.raises(UnsupportedModelError, match=r"'nova', which mlxr lacks; .* it runs .*llama, .*qwen2, .*qwen3"):
        check_model(write(tmp_path / "m.gguf"))


def test_no_two_families_claim_the_same_files() -> None:
    for format in Format:
        claimed = [name for each in FAMILIES if format in each.tables for name in each.tables[format].architectures]
        assert len(claimed) == len(set(claimed))
