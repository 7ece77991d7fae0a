"""Writes ``tests/data/encoders.json``: the tensors of transformers' encoders and what comes out of them, in float32.

    python tests/models/architectures/record_encoders.py

Run it where torch, transformers (5 or later), numpy and gguf are installed; mlxr need not be.
"""

from __future__ import annotations

import json
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import torch
import transformers
from checkpoints_encoders import (
    CASES,
    DENSE,
    NO,
    RANKERS,
    SECOND,
    TOKENS,
    YES,
    Config,
    tensors_of,
    values_of,
    write_encoder,
)
from safetensors import safe_open

TARGET = Path(__file__).parents[2] / "data" / "encoders.json"
SEGMENTS = [int(position >= SECOND) for position in range(len(TOKENS))]


def main() -> None:
    recorded: dict[str, object] = {"made by": f"transformers {transformers.__version__}, torch {torch.__version__}"}
    for case, config in CASES.items():
        with tempfile.TemporaryDirectory() as folder, torch.no_grad():
            own = OWN.get(case)
            shapes = own[0](config) if own else shapes_of(config, Path(folder) / "empty")
            tensors = tensors_of(shapes)
            path = write_encoder(Path(folder) / "model", config, tensors)
            if own:
                out = own[1]({name: torch.tensor(values) for name, values in tensors.items()}, config)
            else:
                out = run(case, config, path)
        recorded[case] = {"tensors": shapes, **out}
    lines = [f"{json.dumps(case)}: {json.dumps(rows)}" for case, rows in recorded.items()]
    TARGET.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def model_class(config: Config) -> Any:
    return getattr(transformers, config["architectures"][0])


def shapes_of(config: Config, empty: Path) -> dict[str, list[int]]:
    """The tensors that transformers saves for a model of this configuration."""
    model = model_class(config)(transformers.AutoConfig.for_model(**config))
    model.save_pretrained(empty)
    with safe_open(empty / "model.safetensors", "pt") as file:
        return {name: file.get_slice(name).get_shape() for name in sorted(file.keys())}


def run(case: str, config: Config, path: Path) -> dict[str, object]:
    kind = model_class(config)
    model = kind.from_pretrained(path, dtype=torch.float32, attn_implementation="eager").eval()
    tokens = torch.tensor([TOKENS])
    segments = {"token_type_ids": torch.tensor([SEGMENTS])} if config.get("type_vocab_size", 0) > 1 else {}
    if case == "qwen3 reranker":
        logits = model(tokens).logits[0, -1]
        return {"score": round(float(logits[YES] - logits[NO]), 6)}
    if case in RANKERS:
        return {"score": round(float(model(tokens, **segments).logits[0, 0]), 6)}
    hidden = model(tokens).last_hidden_state[0]
    out: dict[str, object] = {"hidden": rounded(hidden[::6])}
    if segments:
        out["segments"] = rounded(model(tokens, **segments).last_hidden_state[0, ::6])
    if case == "embedding gemma":
        vector = hidden.mean(dim=0)
        for place, shape in DENSE.items():
            vector = torch.tensor(values_of(f"{place}/linear.weight", shape)) @ vector
        out["embedding"] = [round(value, 7) for value in (vector / vector.norm()).tolist()]
    return out


def rounded(rows: torch.Tensor) -> list[list[float]]:
    return [[round(value, 6) for value in row] for row in rows.tolist()]


def jina_shapes(config: Config) -> dict[str, list[int]]:
    width, hidden, vocabulary = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    shapes = {
        "embeddings.word_embeddings.weight": [vocabulary, width],
        "embeddings.token_type_embeddings.weight": [config["type_vocab_size"], width],
        "embeddings.LayerNorm.weight": [width],
        "embeddings.LayerNorm.bias": [width],
        "pooler.dense.weight": [width, width],
        "pooler.dense.bias": [width],
    }
    for layer in range(config["num_hidden_layers"]):
        at = f"encoder.layer.{layer}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            shapes |= {f"{at}.attention.{part}.weight": [width, width], f"{at}.attention.{part}.bias": [width]}
        for part in ("attention.output.LayerNorm", "mlp.layernorm"):
            shapes |= {f"{at}.{part}.weight": [width], f"{at}.{part}.bias": [width]}
        shapes |= {f"{at}.mlp.gated_layers.weight": [2 * hidden, width], f"{at}.mlp.wo.weight": [width, hidden]}
        shapes[f"{at}.mlp.wo.bias"] = [width]
    return shapes


def jina_bert_v2(tensors: dict[str, torch.Tensor], config: Config) -> dict[str, object]:
    """The model by its paper (Günther et al. 2023) and its published code, which transformers has not."""
    heads, count = config["num_attention_heads"], len(TOKENS)
    linear, norm = partial(_linear, tensors), partial(_norm, tensors, config["layer_norm_eps"])
    # Six heads: the slopes of four, then every other one of eight.
    slopes = torch.tensor([2.0**-2, 2.0**-4, 2.0**-6, 2.0**-8, 2.0**-1, 2.0**-3])
    at = torch.arange(count)
    distances = -slopes[:, None, None] * (at[:, None] - at).abs()

    def hidden(segments: list[int]) -> torch.Tensor:
        x = tensors["embeddings.word_embeddings.weight"][TOKENS]
        x = norm(x + tensors["embeddings.token_type_embeddings.weight"][segments], "embeddings.LayerNorm")
        for layer in range(config["num_hidden_layers"]):
            name = f"encoder.layer.{layer}"
            parts = [linear(x, f"{name}.attention.self.{part}") for part in ("query", "key", "value")]
            query, key, value = (part.reshape(count, heads, -1).transpose(0, 1) for part in parts)
            scores = query @ key.transpose(1, 2) / query.shape[-1] ** 0.5 + distances
            mixed = (scores.softmax(dim=-1) @ value).transpose(0, 1).reshape(count, -1)
            x = norm(x + linear(mixed, f"{name}.attention.output.dense"), f"{name}.attention.output.LayerNorm")
            gate, up = linear(x, f"{name}.mlp.gated_layers").chunk(2, dim=-1)
            x = norm(x + linear(torch.nn.functional.gelu(gate) * up, f"{name}.mlp.wo"), f"{name}.mlp.layernorm")
        return x

    return {"hidden": rounded(hidden([0] * count)[::6]), "segments": rounded(hidden(SEGMENTS)[::6])}


def _linear(tensors: dict[str, torch.Tensor], x: torch.Tensor, name: str) -> torch.Tensor:
    return torch.nn.functional.linear(x, tensors[f"{name}.weight"], tensors.get(f"{name}.bias"))


def _norm(tensors: dict[str, torch.Tensor], eps: float, x: torch.Tensor, name: str) -> torch.Tensor:
    weight, bias = tensors[f"{name}.weight"], tensors[f"{name}.bias"]
    return torch.nn.functional.layer_norm(x, weight.shape, weight, bias, eps)


def nomic_shapes(config: Config) -> dict[str, list[int]]:
    width, hidden, count = config["hidden_size"], config["intermediate_size"], config["num_experts"]
    shapes = {
        "embeddings.word_embeddings.weight": [config["vocab_size"], width],
        "embeddings.token_type_embeddings.weight": [config["type_vocab_size"], width],
        "emb_ln.weight": [width],
        "emb_ln.bias": [width],
    }
    for layer in range(config["num_hidden_layers"]):
        at = f"encoder.layers.{layer}"
        shapes |= {f"{at}.attn.Wqkv.weight": [3 * width, width], f"{at}.attn.Wqkv.bias": [3 * width]}
        shapes |= {f"{at}.attn.out_proj.weight": [width, width], f"{at}.attn.out_proj.bias": [width]}
        for part in ("norm1", "norm2"):
            shapes |= {f"{at}.{part}.weight": [width], f"{at}.{part}.bias": [width]}
        if layer % config["moe_every_n_layers"] == 1:
            shapes[f"{at}.mlp.router.layer.weight"] = [count, width]
            shapes |= {f"{at}.mlp.experts.mlp.{part}": [count * hidden, width] for part in ("w1", "w2")}
        else:
            shapes |= {f"{at}.mlp.fc1.weight": [hidden, width], f"{at}.mlp.fc1.bias": [hidden]}
            shapes |= {f"{at}.mlp.fc2.weight": [width, hidden], f"{at}.mlp.fc2.bias": [width]}
    return shapes


def nomic_bert_moe(tensors: dict[str, torch.Tensor], config: Config) -> dict[str, object]:
    """The model by its published code: rotary positions, and of its experts the best two by a softmax over all, whose
    weights are left as they are."""
    heads, count, gelu = config["num_attention_heads"], len(TOKENS), torch.nn.functional.gelu
    linear, norm = partial(_linear, tensors), partial(_norm, tensors, config["layer_norm_eps"])
    dims = config["hidden_size"] // heads
    angles = torch.outer(torch.arange(count), config["rope_theta"] ** (-torch.arange(0, dims, 2) / dims))
    cosine, sine = angles.cos(), angles.sin()

    def turned(x: torch.Tensor) -> torch.Tensor:
        left, right = x.chunk(2, dim=-1)
        return torch.cat((left * cosine - right * sine, right * cosine + left * sine), dim=-1)

    def experts(x: torch.Tensor, name: str) -> torch.Tensor:
        shape = config["num_experts"], config["intermediate_size"], -1
        up, down = (tensors[f"{name}.experts.mlp.{part}"].reshape(shape) for part in ("w1", "w2"))
        weights, chosen = linear(x, f"{name}.router.layer").softmax(dim=-1).topk(config["moe_top_k"])
        rows = [
            sum(weight * (gelu(up[one] @ row) @ down[one]) for weight, one in zip(*picks, strict=True))
            for row, *picks in zip(x, weights, chosen, strict=True)
        ]
        return torch.stack(rows)  # type: ignore[arg-type]

    def hidden(segments: list[int]) -> torch.Tensor:
        x = tensors["embeddings.word_embeddings.weight"][TOKENS]
        x = norm(x + tensors["embeddings.token_type_embeddings.weight"][segments], "emb_ln")
        for layer in range(config["num_hidden_layers"]):
            name = f"encoder.layers.{layer}"
            parts = linear(x, f"{name}.attn.Wqkv").chunk(3, dim=-1)
            query, key, value = (part.reshape(count, heads, -1).transpose(0, 1) for part in parts)
            scores = turned(query) @ turned(key).transpose(1, 2) / dims**0.5
            mixed = (scores.softmax(dim=-1) @ value).transpose(0, 1).reshape(count, -1)
            x = norm(x + linear(mixed, f"{name}.attn.out_proj"), f"{name}.norm1")
            mixture = layer % config["moe_every_n_layers"] == 1
            plain = linear(gelu(linear(x, f"{name}.mlp.fc1")), f"{name}.mlp.fc2") if not mixture else None
            x = norm(x + (experts(x, f"{name}.mlp") if plain is None else plain), f"{name}.norm2")
        return x

    return {"hidden": rounded(hidden([0] * count)[::6]), "segments": rounded(hidden(SEGMENTS)[::6])}


OWN = {"jina-bert-v2": (jina_shapes, jina_bert_v2), "nomic-bert-moe": (nomic_shapes, nomic_bert_moe)}
"""Models that transformers has not: their tensors, and what comes out of them."""


if __name__ == "__main__":
    main()
