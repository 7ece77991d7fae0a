"""Rope settings as they stand in a ``config.json``, of every kind that transformers has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DIMS = 16
CONTEXT = 4096

YARN = {"type": "yarn", "factor": 40, "original_max_position_embeddings": 256}
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
LONG = {
    "type": "longrope",
    "short_factor": [1.0 + 0.1 * i for i in range(8)],
    "long_factor": [1.5 + 0.5 * i for i in range(8)],
}

CASES: Mapping[str, Mapping[str, Any]] = {
    "default": {"rope_theta": 50000.0},
    "a base among the parameters": {"rope_parameters": {"rope_theta": 50000.0}},
    "linear": {"rope_theta": 10000.0, "rope_scaling": {"type": "linear", "factor": 8.0}},
    "dynamic": {"rope_theta": 10000.0, "rope_scaling": {"type": "dynamic", "factor": 4.0}},
    "llama3": {"rope_theta": 5e5, "rope_scaling": {**LLAMA3, "original_max_position_embeddings": 64}},
    "llama3 within its whole context": {"rope_theta": 5e5, "rope_scaling": LLAMA3},
    "yarn": {"rope_theta": 10000.0, "rope_scaling": YARN},
    "yarn with betas": {"rope_theta": 10000.0, "rope_scaling": {**YARN, "beta_fast": 16, "beta_slow": 2}},
    "yarn without a factor": {"rope_theta": 10000.0, "rope_scaling": {**YARN, "factor": None}},
    "yarn with an attention factor": {"rope_theta": 10000.0, "rope_scaling": {**YARN, "attention_factor": 0.7}},
    "yarn with one mscale": {"rope_theta": 10000.0, "rope_scaling": {**YARN, "mscale": 1.0, "mscale_all_dim": 1.0}},
    "yarn with two": {"rope_theta": 10000.0, "rope_scaling": {**YARN, "mscale": 0.707, "mscale_all_dim": 0.4}},
    "yarn with the second alone": {"rope_theta": 10000.0, "rope_scaling": {**YARN, "mscale_all_dim": 0.5}},
    "yarn with a ramp between pairs": {"rope_parameters": {**YARN, "rope_theta": 150000.0, "truncate": False}},
    "yarn with an outer original context": {
        "rope_theta": 10000.0,
        "original_max_position_embeddings": 128,
        "rope_scaling": YARN,
    },
    "longrope": {"rope_theta": 10000.0, "original_max_position_embeddings": 256, "rope_scaling": LONG},
    "longrope within": {"rope_theta": 10000.0, "original_max_position_embeddings": 4096, "rope_scaling": LONG},
    "longrope with a factor": {
        "rope_theta": 10000.0,
        "original_max_position_embeddings": 256,
        "rope_scaling": {**LONG, "factor": 32.0},
    },
    "proportional": {
        "rope_parameters": {"rope_type": "proportional", "rope_theta": 1e6, "partial_rotary_factor": 0.25}
    },
    "proportional with a factor": {
        "rope_parameters": {
            "rope_type": "proportional",
            "rope_theta": 1e6,
            "partial_rotary_factor": 0.5,
            "factor": 8.0,
        }
    },
}
