"""What sentence-transformers keeps beside a model: what its hidden states go through, how long an input may be, and
what is put before texts.

``modules.json`` lists the stages, each stage's folder has its ``config.json`` and its weights;
``sentence_bert_config.json`` has the longest input, ``config_sentence_transformers.json`` the prompts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from mlxr.models.architectures.pooling_head import Dense, LayerNorm, Normalize, Pooling, Stage
from mlxr.models.errors import ModelFileError, UnsupportedModelError
from mlxr.models.formats.safetensors.folder import ModelFolder, read_tensors
from mlxr.models.hyperparameters import Hyperparameters
from mlxr.models.jsonfile import optional_json, read_json, read_value
from mlxr.models.modelfile import StoredTensor

MODULES_FILE = "modules.json"
PROMPT_FILE = "config_sentence_transformers.json"
LIMITS_FILE = "sentence_bert_config.json"

STAGES = ("Transformer", "Pooling", "Dense", "LayerNorm", "Normalize", "Dropout", "LogitScore")
"""``Dropout`` does nothing but in training."""

FLAGS = {
    "pooling_mode_cls_token": Pooling.CLS,
    "pooling_mode_max_tokens": Pooling.MAX,
    "pooling_mode_mean_tokens": Pooling.MEAN,
    "pooling_mode_mean_sqrt_len_tokens": Pooling.MEAN_SQRT,
    "pooling_mode_weightedmean_tokens": Pooling.WEIGHTED_MEAN,
    "pooling_mode_lasttoken": Pooling.LAST,
}
"""Older files have a flag for each way of pooling, newer ones its name as ``pooling_mode``. Of several, the vectors
stand one after another in this order."""

ACTIVATIONS = {
    "Identity": "identity",
    "Tanh": "tanh",
    "GELU": "gelu",
    "ReLU": "relu",
    "SiLU": "silu",
    "Sigmoid": "sigmoid",
}
"""By the names of torch's classes."""

MAX_FEATURES = 1 << 20


@dataclass(frozen=True, slots=True)
class LogitScore:
    """A text model ranks by the logit of one token, less that of another where there is one."""

    yes: int
    no: int | None


@dataclass(frozen=True, slots=True)
class Modules:
    """``pooling``: empty where the files have no such stage. ``tensors``: of the stages, by the names they ask for.
    ``logit_score``: how a text model ranks; None where it does not."""

    pooling: tuple[Pooling, ...] = ()
    stages: tuple[Stage, ...] = ()
    tensors: Mapping[str, StoredTensor] = field(default_factory=dict)
    logit_score: LogitScore | None = None


@dataclass(frozen=True, slots=True)
class Prompts:
    """``texts``: what is put before a text, by the name of the prompt. ``default``: the name of the one that is, where
    nobody asks for another; None for none."""

    texts: Mapping[str, str] = field(default_factory=dict)
    default: str | None = None


def folder_settings(folder: ModelFolder) -> dict[str, Any]:
    """Returns the folder's configuration, with ``max_seq_length`` added where given. Raises ``UnsupportedModelError``
    for a preparation of texts that mlxr lacks."""
    settings = dict(folder.config)
    limits = folder.optional_json(LIMITS_FILE)
    if limits.get("max_seq_length") is not None:
        settings["max_seq_length"] = Hyperparameters(folder.path / LIMITS_FILE, limits).positive("max_seq_length")
    if limits.get("do_lower_case") and not folder.optional_json("tokenizer_config.json").get("do_lower_case"):
        raise UnsupportedModelError(folder.path / LIMITS_FILE, "lowers the case of texts, which its tokenizer does not")
    return settings


def read_prompts(folder: Path) -> Prompts:
    """Returns the prompts of a folder, none where it has no file of them. Raises ``ModelFileError`` for a malformed
    one."""
    path = folder / PROMPT_FILE
    config = optional_json(path)
    texts, default = config.get("prompts") or {}, config.get("default_prompt_name")
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        raise ModelFileError(path, "has prompts that are no texts by their names")
    if default is not None and default not in texts:
        raise ModelFileError(
            path, f"puts the prompt {str(default)[:60]!r} before every text, and has none of that name"
        )
    return Prompts(texts, default)


def read_modules(folder: Path) -> Modules:
    """Returns what the stages of a folder are; nothing where it is not sentence-transformers'.

    Raises ``ModelFileError`` for malformed files, ``UnsupportedModelError`` for a stage, or a setting of one, that mlxr
    lacks.
    """
    pooling: tuple[Pooling, ...] = ()
    stages: list[Stage] = []
    tensors: dict[str, StoredTensor] = {}
    score: LogitScore | None = None
    for number, (stage, place) in enumerate(_stages(folder)):
        if stage not in STAGES:
            known = ", ".join(STAGES)
            raise UnsupportedModelError(folder, f"embeds through a stage {stage[:60]!r}; mlxr knows {known}")
        if stage == "Transformer" and number:
            raise UnsupportedModelError(folder / MODULES_FILE, "has a stage 'Transformer' behind others")
        if stage in ("Dense", "LayerNorm", "Normalize") and not pooling:
            reason = f"has the stage {stage!r} before the stage 'Pooling'; mlxr runs it behind that"
            raise UnsupportedModelError(folder / MODULES_FILE, reason)
        config = folder / place / "config.json"
        match stage:
            case "Pooling":
                pooling = _pooling(config)
            case "Dense":
                stages.append(_dense(config, place))
            case "LayerNorm":
                size = Hyperparameters(config, read_json(config)).positive("dimension", most=MAX_FEATURES)
                stages.append(LayerNorm(_named(place, "norm.weight"), size, 1e-5, _named(place, "norm.bias")))
            case "Normalize":
                stages.append(Normalize())
            case "LogitScore":
                settings = Hyperparameters(config, read_json(config))
                no = settings.integer("false_token_id") if "false_token_id" in settings else None
                score = LogitScore(settings.integer("true_token_id"), no)
        if stage in ("Dense", "LayerNorm"):
            own = read_tensors(folder / place / "model.safetensors")
            tensors |= {_named(place, name): tensor for name, tensor in own.items()}
    return Modules(pooling, tuple(stages), tensors, score)


def _named(place: str, name: str) -> str:
    """Returns the name of a stage's tensor among those of the model."""
    return f"{place}/{name}"


def _stages(path: Path) -> Iterator[tuple[str, str]]:
    """Yields (class name, folder) of each stage; none where the folder is not sentence-transformers'."""
    modules = path / MODULES_FILE
    if not modules.exists():
        return
    entries = read_value(modules)
    if not isinstance(entries, list):
        raise ModelFileError(modules, "is no list of stages")
    yield from (_stage(modules, entry) for entry in entries)


def _stage(modules: Path, entry: Any) -> tuple[str, str]:
    match entry:
        case {"type": str(kind), "path": str(place)}:
            parts = PurePosixPath(place)
            if "\0" not in place and not parts.is_absolute() and ".." not in parts.parts:
                return kind.rpartition(".")[2], place
    raise ModelFileError(modules, "is no list of stages: each has a type, and a path within the folder")


def _pooling(path: Path) -> tuple[Pooling, ...]:
    config = read_json(path)
    if config.get("include_prompt") is False and read_prompts(path.parent.parent).texts:
        raise UnsupportedModelError(path, "leaves prompts out when it pools (include_prompt), which mlxr does not")
    flags = {key: value for key, value in config.items() if key.startswith("pooling_mode_") and value is True}
    named = config.get("pooling_mode")
    names = [key for key in FLAGS if key in flags] + sorted(flags.keys() - FLAGS.keys())
    chosen = [str(name) for name in (named if isinstance(named, list) else [named])] if named else names
    ways = {**FLAGS, **{way.value: way for way in Pooling}}
    if chosen and all(name in ways for name in chosen):
        return tuple(ways[name] for name in chosen)
    shown = ", ".join(chosen)[:200] or "nothing"
    raise UnsupportedModelError(path, f"pools by {shown}; mlxr knows {', '.join(FLAGS)}")


def _dense(path: Path, place: str) -> Dense:
    config = read_json(path)
    settings = Hyperparameters(path, config)
    for key, usual in (("module_input_name", "sentence_embedding"), ("module_output_name", "sentence_embedding")):
        if settings.text(key, usual) != usual:
            raise UnsupportedModelError(path, f"has {key} {config[key]!r}; mlxr knows {usual!r}")
    if settings.flag("use_residual", False):
        raise UnsupportedModelError(path, "adds its input to its output (use_residual), which mlxr does not")
    kind = settings.text("activation_function", "torch.nn.modules.activation.Tanh").rpartition(".")[2]
    if kind not in ACTIVATIONS:
        raise UnsupportedModelError(path, f"uses the activation {kind[:60]!r}; mlxr knows {', '.join(ACTIVATIONS)}")
    return Dense(
        weight=_named(place, "linear.weight"),
        outputs=settings.positive("out_features", most=MAX_FEATURES),
        inputs=settings.positive("in_features", most=MAX_FEATURES),
        bias=_named(place, "linear.bias") if settings.flag("bias", True) else None,
        activation=ACTIVATIONS[kind],
    )
