"""How a model's files say what stands behind its hidden states: the pooling and stages of an embedding, or those that
make the score of a query and a document."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import Any

from mlxr.models.architectures.pooling_head import Dense, Difference, LayerNorm, Pooling, PoolingHead, Stage
from mlxr.models.architectures.sizes import MAX_VOCABULARY
from mlxr.models.architectures.spec import DecoderSpec, EncoderSpec
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.errors import ModelFileError, UnsupportedModelError
from mlxr.models.hyperparameters import Hyperparameters
from mlxr.models.jsonfile import read_json
from mlxr.models.sentence_transformers import LogitScore, Modules
from mlxr.models.vocabulary_size import folder_token_ids
from mlxr.runtime.regular_files import open_regular

POOLINGS = {1: Pooling.MEAN, 2: Pooling.CLS, 3: Pooling.LAST}
"""GGUF's ``pooling_type``; 0 says "none", and 4 that the model ranks."""
RANKS = 4

CLASSIFIER = "cls.weight"
CLASSIFIER_NORM = "cls.norm.weight"
CLASSIFIER_OUTPUT = "cls.output.weight"
"""A GGUF file's tensors behind pooling that make a score."""

CLASSIFIES = "ForSequenceClassification"
"""How transformers' names of models end that have a classifier."""

PROMPT_KEY = "tokenizer.chat_template.rerank"
"""Where a GGUF file has the prompt by which its model ranks."""
QWEN3_PROMPT = (
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct "
    'provided. Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n'
    "<Instruct>: Given a web search query, retrieve relevant passages that answer the query\n"
    "<Query>: {query}\n<Document>: {document}<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
)
"""Qwen3-Reranker's (Zhang et al. 2025, "Qwen3 Embedding")."""
QWEN3 = "qwen3"

DECODER_CLASSIFIER = (("score", "identity"),)
"""transformers' of any causal model."""

README_RERANKER = "# qwen3-reranker"
"""What the model card begins with of text models that were trained to judge documents: their files are those of any
other. llama.cpp's converter tells them by that, too."""
README_BYTES = 1 << 16


def ranks_by_gguf(kind: object, encoder: bool, tensors: Weights | Container[str]) -> bool:
    """Returns whether a GGUF file is one of a model that ranks. ``kind``: its pooling type; ``encoder``: whether it is
    an encoder, whose files often have none."""
    return kind == RANKS or (encoder and (CLASSIFIER in tensors or CLASSIFIER_OUTPUT in tensors))


def ranks_by_config(config: Mapping[str, Any]) -> bool:
    """Returns whether a folder's configuration is that of a model with a classifier."""
    names = config.get("architectures")
    return isinstance(names, list) and any(isinstance(name, str) and name.endswith(CLASSIFIES) for name in names)


def folder_logit_score(folder: Path, modules: Modules) -> LogitScore | None:
    """Returns how a text model ranks by the tokens that it would answer with; None where it does not."""
    if modules.logit_score is not None:
        return modules.logit_score
    try:
        with open_regular(folder / "README.md") as file:
            card = file.read(README_BYTES).decode(errors="replace").lower()
    except OSError:
        return None
    if README_RERANKER not in card:
        return None
    yes, no = folder_token_ids(folder, ("yes", "no"))
    if yes is None or no is None:
        raise ModelFileError(folder / "tokenizer.json", "has no tokens 'yes' and 'no', by which its model ranks")
    return LogitScore(yes, no)


def gguf_prompt(metadata: Mapping[str, Any]) -> str | None:
    """Returns the prompt by which a GGUF file's model ranks, with ``{query}`` and ``{document}``; None for an encoder,
    which gets the two without one."""
    prompt = metadata.get(PROMPT_KEY)
    if isinstance(prompt, str) and "{query}" in prompt and "{document}" in prompt:
        return prompt
    return QWEN3_PROMPT if metadata.get("general.architecture") == QWEN3 else None


def folder_prompt(folder: Path) -> str | None:
    """Returns the same of a folder's model."""
    return QWEN3_PROMPT if read_json(folder / "config.json").get("model_type") == QWEN3 else None


def gguf_pooling_head(parameters: Hyperparameters, weights: Weights, spec: DecoderSpec | EncoderSpec) -> PoolingHead:
    """Returns the head of a GGUF file's model. Raises ``UnsupportedModelError`` for one that mlxr lacks."""
    decodes = isinstance(spec, DecoderSpec)
    usual = Pooling.LAST if decodes else Pooling.MEAN
    kind = parameters.integer("pooling_type", 0)
    if ranks_by_gguf(kind, not decodes, weights):
        pooled = parameters.integer("classifier.pooling_type", 0)
        way = POOLINGS.get(pooled, Pooling.LAST if decodes else Pooling.CLS)
        return _ranking((way,), _gguf_stages(parameters, weights, spec), parameters.path)
    if kind and kind not in POOLINGS:
        known = ", ".join(map(str, [0, *POOLINGS, RANKS]))
        raise UnsupportedModelError(parameters.path, f"pools by type {kind}; mlxr knows {known}")
    stages = [
        Dense(f"{name}.weight", weights.rows(f"{name}.weight", MAX_VOCABULARY), _columns(weights, f"{name}.weight"))
        for name in ("dense_2", "dense_3")
        if f"{name}.weight" in weights
    ]
    return PoolingHead((POOLINGS.get(kind, usual),), tuple(stages))


def _columns(weights: Weights, name: str) -> int:
    return weights.tensors[name].shape[-1]


def _gguf_stages(parameters: Hyperparameters, weights: Weights, spec: DecoderSpec | EncoderSpec) -> list[Stage]:
    stages: list[Stage] = []
    width = spec.width
    if CLASSIFIER in weights:
        outputs = weights.rows(CLASSIFIER, MAX_VOCABULARY)
        # With nothing behind it, it makes the score itself (jina-reranker-v1).
        last = CLASSIFIER_OUTPUT not in weights
        activation = "identity" if last else "gelu" if CLASSIFIER_NORM in weights else "tanh"
        stages.append(Dense(CLASSIFIER, outputs, width, _bias(weights, "cls"), activation))
    if CLASSIFIER_NORM in weights:
        assert isinstance(spec, EncoderSpec)
        stages.append(LayerNorm(CLASSIFIER_NORM, width, spec.norm_eps, _bias(weights, "cls.norm")))
    if CLASSIFIER_OUTPUT in weights:
        outputs = weights.rows(CLASSIFIER_OUTPUT, MAX_VOCABULARY)
        stages.append(Dense(CLASSIFIER_OUTPUT, outputs, width, _bias(weights, "cls.output")))
        labels = parameters.values.get(f"{parameters.prefix}classifier.output_labels")
        if outputs == 2 and isinstance(labels, Iterable) and list(labels) == ["yes", "no"]:
            stages.append(Difference())
    return stages


def folder_pooling_head(
    parameters: Hyperparameters,
    weights: Weights,
    table: FormatTable,
    spec: DecoderSpec | EncoderSpec,
    modules: Modules,
    score: LogitScore | None,
) -> PoolingHead:
    """Returns the head of a folder's model. ``score``: of ``folder_logit_score``. Raises ``UnsupportedModelError`` for
    one that mlxr lacks."""
    decodes = isinstance(spec, DecoderSpec)
    if score is not None:
        return _ranking((Pooling.LAST,), _logit_stages(parameters, weights, table, spec, score), parameters.path)
    if ranks_by_config(parameters.values):
        way = Pooling.LAST if decodes else Pooling(parameters.text("classifier_pooling", Pooling.CLS.value))
        return _ranking((way,), _classifier(parameters, weights, table, spec), parameters.path)
    return PoolingHead(modules.pooling or (Pooling.LAST if decodes else Pooling.MEAN,), modules.stages)


def _classifier(
    parameters: Hyperparameters, weights: Weights, table: FormatTable, spec: DecoderSpec | EncoderSpec
) -> list[Stage]:
    chains = table.classifiers or (DECODER_CLASSIFIER,)
    own = next((chain for chain in chains if f"{chain[-1][0]}.weight" in weights), None)
    if own is None:
        known = " or ".join(chain[-1][0] for chain in chains)
        raise UnsupportedModelError(parameters.path, f"has no classifier that mlxr's family knows ({known})")
    stages: list[Stage] = []
    for number, (stem, kind) in enumerate(own):
        name, bias = f"{stem}.weight", _bias(weights, stem)
        if kind == "norm":
            stages.append(LayerNorm(name, spec.width, spec.norm_eps, bias))
            continue
        if (found := parameters.text("classifier_activation", kind)) != kind and kind != "identity":
            reason = f"has a classifier with the activation {found[:60]!r}; mlxr knows {kind}"
            raise UnsupportedModelError(parameters.path, reason)
        last = number + 1 == len(own)
        outputs = weights.rows(name, MAX_VOCABULARY) if last else spec.width
        stages.append(Dense(name, outputs, spec.width, bias, kind))
    return stages


def _logit_stages(
    parameters: Hyperparameters,
    weights: Weights,
    table: FormatTable,
    spec: DecoderSpec | EncoderSpec,
    score: LogitScore,
) -> list[Stage]:
    if not isinstance(spec, DecoderSpec):
        raise UnsupportedModelError(parameters.path, "ranks by tokens, and makes no text")
    if parameters.text("model_type", "") != QWEN3:
        raise UnsupportedModelError(parameters.path, "ranks by tokens, in answer to a prompt that mlxr does not know")
    own = table.names.get("head", "")
    tied = own not in weights if spec.tied is None else spec.tied
    name = table.names["embedding"] if tied else own
    rows = (score.yes,) if score.no is None else (score.yes, score.no)
    return [Dense(name, len(rows), spec.width, rows=rows), *([Difference()] if score.no is not None else [])]


def _ranking(pooling: tuple[Pooling, ...], stages: list[Stage], path: Path) -> PoolingHead:
    head = PoolingHead(pooling, tuple(stages), ranks=True)
    if not stages or head.outputs(0) != 1:
        found = head.outputs(0) if stages else "no"
        raise UnsupportedModelError(path, f"has a classifier with {found} outputs; mlxr runs those that rank, with one")
    return head


def _bias(weights: Weights, stem: str) -> str | None:
    return f"{stem}.bias" if f"{stem}.bias" in weights else None
