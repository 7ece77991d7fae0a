"""What stands behind a folder's hidden states as a GGUF file has it: a way to pool, and the tensors of what makes an
embedding or a score of the pooled vector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mlxr.models.architectures.pooling_head import Dense, Difference, LayerNorm, Normalize, Pooling, PoolingHead, Stage
from mlxr.models.architectures.spec import DecoderSpec, EncoderSpec
from mlxr.models.conversion import transforms
from mlxr.models.conversion.settings import Added
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.modelfile import StoredTensor
from mlxr.models.pooling_heads import CLASSIFIER, CLASSIFIER_NORM, CLASSIFIER_OUTPUT, QWEN3_PROMPT, RANKS
from mlxr.models.quantization.encoding import Source

POOLINGS = {Pooling.MEAN: 1, Pooling.CLS: 2, Pooling.LAST: 3}
"""GGUF's numbers for ways to pool."""
DENSE = ("dense_2", "dense_3")
"""GGUF's names for what an embedding goes through."""


@dataclass(slots=True)
class Head:
    """``settings``: what the writer is told. ``tensors``: by GGUF's names. ``text``: whether the model makes text, and
    keeps its output projection."""

    settings: list[Added] = field(default_factory=list)
    tensors: dict[str, Source] = field(default_factory=dict)
    text: bool = True


def head_of(
    path: Path,
    head: PoolingHead,
    spec: DecoderSpec | EncoderSpec,
    stored: Mapping[str, StoredTensor],
    config: Mapping[str, Any],
    pooled: bool,
) -> Head:
    """Returns what a GGUF file has of a model's head. ``pooled``: whether the folder says how it pools.

    Raises ``UnsupportedModelError`` for one that GGUF files have no names for.
    """
    made = Head()
    if head.ranks:
        _rank(path, head, spec, stored, config, made)
        return made
    if not pooled:
        return made
    if len(head.pooling) > 1 or head.pooling[0] not in POOLINGS:
        raise UnsupportedModelError(path, f"pools by {', '.join(head.pooling)}, for which GGUF files have no name")
    made.settings.append(Added("pooling_type", POOLINGS[head.pooling[0]]))
    stages = [stage for stage in head.stages if not isinstance(stage, Normalize)]
    plain = [
        stage for stage in stages if isinstance(stage, Dense) and not stage.bias and stage.activation == "identity"
    ]
    if len(plain) < len(stages) or len(plain) > len(DENSE):
        known = "at most two products without bias or activation"
        raise UnsupportedModelError(path, f"embeds through stages that no GGUF file has; those have {known}")
    for name, stage in zip(DENSE, plain, strict=False):
        made.tensors[f"{name}.weight"] = stored[stage.weight]
        made.settings.append(Added(f".{name}_feat_in", stage.inputs))
        made.settings.append(Added(f".{name}_feat_out", stage.outputs))
    return made


def _rank(
    path: Path,
    head: PoolingHead,
    spec: DecoderSpec | EncoderSpec,
    stored: Mapping[str, StoredTensor],
    config: Mapping[str, Any],
    made: Head,
) -> None:
    """What makes the score of a query and a document: products, of which the last one makes it."""
    decodes = isinstance(spec, DecoderSpec)
    stages: list[Stage] = list(head.stages)
    answers = isinstance(stages[-1], Difference)
    if answers:
        stages.pop()
    for number, stage in enumerate(stages):
        last = number + 1 == len(stages)
        match stage:
            case Dense():
                name = CLASSIFIER_OUTPUT if last else CLASSIFIER
                made.tensors[name] = _rows(stored[stage.weight], stage.rows)
            case LayerNorm():
                name = CLASSIFIER_NORM
                made.tensors[name] = stored[stage.weight]
            case _:
                raise UnsupportedModelError(path, "ranks through a stage that no GGUF file has")
        if stage.bias is not None:
            made.tensors[name.removesuffix("weight") + "bias"] = stored[stage.bias]
    if decodes:
        made.text = False
        made.settings.append(Added("pooling_type", RANKS))
    if answers:
        made.settings.append(Added("classifier_output_labels", ["yes", "no"]))
        made.settings.append(Added("chat_template", [{"name": "rerank", "template": QWEN3_PROMPT}]))
    elif labels := config.get("id2label"):
        made.settings.append(Added("classifier_output_labels", [label for _, label in sorted(labels.items())]))


def _rows(tensor: StoredTensor, rows: tuple[int, ...] | None) -> Source:
    return tensor if rows is None else transforms.in_order(tensor, np.array(rows, np.intp))
