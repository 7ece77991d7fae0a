"""The shapes of models that people run, with random weights: ours against llama.cpp on the same file."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.bounds import Bounds
from bench.measure import REPEAT, progress
from bench.models import THREADS, Case, beside_file
from bench.peers.worker import importable
from bench.random_model import QWEN3_30B_A3B, RandomModel, iq2_m, mxfp4_experts, q4_k_m, tied_q4_k_m
from bench.report import Report
from tests.models import CACHE


@dataclass(frozen=True, slots=True)
class Shape:
    """``wanted``: how many times llama.cpp's tokens a second in decoding, in prefill and with 16 sequences."""

    name: str
    model: RandomModel
    wanted: tuple[float, float, float]


SHAPES = (
    Shape(
        "Qwen3-0.6B, Q4_K_M",
        RandomModel(
            "qwen3",
            {
                "block_count": 28,
                "context_length": 40960,
                "embedding_length": 1024,
                "feed_forward_length": 3072,
                "attention.head_count": 16,
                "attention.head_count_kv": 8,
                "attention.key_length": 128,
                "attention.value_length": 128,
                "attention.layer_norm_rms_epsilon": 1e-6,
                "rope.freq_base": 1e6,
            },
            151_936,
            tied_q4_k_m,
        ),
        (1.75, 3.0, 3.0),
    ),
    Shape(
        "Qwen3-30B-A3B, 12 of 48 layers, Q4_K_M",
        RandomModel(
            "qwen3moe",
            {**QWEN3_30B_A3B, "block_count": 12},
            151_936,
            q4_k_m,
            frozenset({"output.weight"}),
        ),
        (1.5, 2.5, 2.5),
    ),
    Shape(
        "Qwen3.5-0.8B, Q4_K_M",
        RandomModel(
            "qwen35",
            {
                "block_count": 24,
                "context_length": 262_144,
                "embedding_length": 1024,
                "feed_forward_length": 3584,
                "attention.head_count": 8,
                "attention.head_count_kv": 2,
                "attention.key_length": 256,
                "attention.value_length": 256,
                "attention.layer_norm_rms_epsilon": 1e-6,
                "full_attention_interval": 4,
                "rope.dimension_count": 64,
                "rope.dimension_sections": [11, 11, 10, 0],
                "rope.freq_base": 1e7,
                "ssm.conv_kernel": 4,
                "ssm.state_size": 128,
                "ssm.group_count": 16,
                "ssm.time_step_rank": 16,
                "ssm.inner_size": 2048,
            },
            248_320,
            tied_q4_k_m,
        ),
        (1.5, 2.5, 3.0),
    ),
    Shape(
        "Gemma 4 E2B, Q4_K_M",
        RandomModel(
            "gemma4",
            {
                "block_count": 35,
                "context_length": 131_072,
                "embedding_length": 1536,
                "feed_forward_length": [6144] * 15 + [12_288] * 20,
                "embedding_length_per_layer_input": 256,
                "attention.head_count": 8,
                "attention.head_count_kv": 1,
                "attention.key_length": 512,
                "attention.value_length": 512,
                "attention.key_length_swa": 256,
                "attention.value_length_swa": 256,
                "attention.sliding_window": 512,
                "attention.sliding_window_pattern": [layer % 5 != 4 for layer in range(35)],
                "attention.shared_kv_layers": 20,
                "attention.layer_norm_rms_epsilon": 1e-6,
                "rope.dimension_count": 512,
                "rope.dimension_count_swa": 256,
                "rope.freq_base": 1e6,
                "rope.freq_base_swa": 1e4,
                "final_logit_softcapping": 30.0,
            },
            262_144,
            tied_q4_k_m,
            frozenset(
                {
                    "rope_freqs.weight",
                    *(f"blk.{layer}.attn_v.weight" for layer in range(15)),
                    *(f"blk.{layer}.layer_output_scale.weight" for layer in range(35)),
                }
            ),
        ),
        (1.5, 2.5, 3.0),
    ),
    Shape(
        "gpt-oss-20b, 8 of 24 layers, MXFP4 experts",
        RandomModel(
            "gpt-oss",
            {
                "block_count": 8,
                "context_length": 131_072,
                "embedding_length": 2880,
                "feed_forward_length": 2880,
                "expert_feed_forward_length": 2880,
                "expert_count": 32,
                "expert_used_count": 4,
                "attention.head_count": 64,
                "attention.head_count_kv": 8,
                "attention.key_length": 64,
                "attention.value_length": 64,
                "attention.sliding_window": 128,
                "attention.layer_norm_rms_epsilon": 1e-5,
                "rope.freq_base": 150_000.0,
                "rope.scaling.type": "yarn",
                "rope.scaling.factor": 32.0,
                "rope.scaling.original_context_length": 4096,
            },
            201_088,
            mxfp4_experts,
            frozenset({"output.weight"}),
        ),
        (1.5, 2.0, 2.5),
    ),
    Shape(
        "Llama-3.2-1B, IQ2_M",
        RandomModel(
            "llama",
            {
                "block_count": 16,
                "context_length": 131_072,
                "embedding_length": 2048,
                "feed_forward_length": 8192,
                "attention.head_count": 32,
                "attention.head_count_kv": 8,
                "attention.key_length": 64,
                "attention.value_length": 64,
                "attention.layer_norm_rms_epsilon": 1e-5,
                "rope.dimension_count": 64,
                "rope.freq_base": 500_000.0,
            },
            128_256,
            iq2_m,
        ),
        (1.0, 2.0, 2.0),
    ),
)


def benchmark(repeat: int = REPEAT) -> Report:
    report = Report(f"Tokens a second in published shapes, random weights, {THREADS} threads: ours and llama.cpp's")
    if not importable("llama_cpp"):
        report.notes.append("llama.cpp is not installed (pip install llama-cpp-python)")
        return report
    CACHE.mkdir(parents=True, exist_ok=True)
    for shape in SHAPES:
        # A file at a time: together they are larger than many a disk has room for.
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            progress(f"writing {shape.name}")
            path = shape.model.write(Path(folder) / "model.gguf")
            settings = shape.model.settings
            used = (settings.get("expert_used_count", 1), settings.get("expert_count", 1))
            report.figures += beside_file(
                "bench.peers.llama_cpp", "llama.cpp", shape.name, path, cases(shape), repeat, Bounds(path, used)
            )
    return report


def cases(shape: Shape) -> tuple[Case, ...]:
    decode, prefill, many = shape.wanted
    return (
        Case("decode, one sequence", ("decode", 1, 64, 32), decode),
        Case("prefill of 512", ("prefill", 512), prefill),
        Case("16 sequences decoding", ("decode", 16, 64, 8), many),
    )
