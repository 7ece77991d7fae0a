"""What a file holds beyond what its architecture uses: nothing, or the model would quietly answer as another one.

An architecture lists what it may leave out, and why that changes no number.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from mlxr.models.architectures.weights import Weights
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.hyperparameters import Hyperparameters

SHOWN = 4


@dataclass(frozen=True, slots=True)
class Leftovers:
    """``tensors`` and ``settings``: regular expressions of whole names that may be left out, each with the reason why
    that changes no number. ``neutral``: values with which a setting says nothing; None where any setting may be left
    out (``config.json`` has notes of all kinds)."""

    tensors: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    neutral: Mapping[str, tuple[object, ...]] | None = None

    def extended(
        self,
        tensors: Mapping[str, str] | None = None,
        settings: Mapping[str, str] | None = None,
        neutral: Mapping[str, tuple[object, ...]] | None = None,
    ) -> Leftovers:
        """Returns these and more."""
        neutrals = self.neutral if neutral is None else {**(self.neutral or {}), **neutral}
        return Leftovers({**self.tensors, **(tensors or {})}, {**self.settings, **(settings or {})}, neutrals)

    def check(self, architecture: str, parameters: Hyperparameters, weights: Weights, layers: int = 0) -> None:
        """Call it once the model has taken what it uses. Raises ``UnsupportedModelError`` naming what is left.

        ``layers``: how many a decoder has. Those behind them that a file counts as ``nextn_predict_layers`` draft
        tokens that the decoder then checks, and are left out.
        """
        drafting = range(layers, layers + drafting_layers(parameters))
        names = [
            name for name in weights.unasked() if not _listed(name, self.tensors) and _layer_of(name) not in drafting
        ]
        names = [name for name in names if not weights.adds_nothing(name)]
        if names:
            reason = f"has {_shown('tensor', names)}, which mlxr's {architecture!r} does not use"
            raise UnsupportedModelError(weights.path, f"{reason}: it would answer as if they were not there")
        if self.neutral is None:
            return
        keys = [
            key
            for key, value in parameters.unasked().items()
            if not _listed(key, self.settings) and not _says_nothing(value, self.neutral.get(key, ()))
        ]
        if keys:
            shown = _shown("setting", [f"{parameters.prefix}{key}" for key in keys])
            reason = f"has {shown}, which mlxr's {architecture!r} does not know"
            raise UnsupportedModelError(weights.path, f"{reason}: it would answer as if they were not there")

    def left_out(self, weights: Weights) -> list[str]:
        """Returns a sentence for each reason why tensors were not taken, once the model has taken what it uses."""
        reasons = Counter(
            reason
            for name in weights.unasked()
            for reason in [next((why for what, why in self.tensors.items() if re.fullmatch(what, name)), "")]
            if reason
        )
        return [f"{_counted(count)} left out: {reason}" for reason, count in reasons.items()]


GGUF_SETTINGS: Mapping[str, str] = {
    r"vocab_size": "the embedding tells",
    r"classifier\.output_labels": "names of what comes out",
    r"tensor_data_layout": "a note of the converter's: all layouts come out in one",
    r"rope\.scaling\.finetuned": "a note on how the model was trained",
    r"rope\.scaling\.(original_context_length|yarn_.*)": "only YaRN reads it, and asks for it where it scales",
    r"attention\.layer_norm(_rms)?_epsilon": "of a kind of norm that the architecture does not have",
}
"""Settings under the architecture's prefix, as regular expressions, and why they change no number."""

GGUF_NEUTRAL: Mapping[str, tuple[object, ...]] = {
    "attention.causal": (True,),
    "attention.clamp_kqv": (0,),
    "attention.max_alibi_bias": (0,),
    "attention.shared_kv_layers": (0,),
    "attention.temperature_length": (0,),
    "attention.temperature_scale": (0,),
    "attn_logit_softcapping": (0,),
    "embedding_scale": (0, 1),
    "expert_count": (0,),
    "expert_feed_forward_length": (0,),
    "expert_group_count": (0,),
    "expert_group_used_count": (0,),
    "expert_shared_count": (0,),
    "expert_used_count": (0,),
    "final_logit_softcapping": (0,),
    "leading_dense_block_count": (0,),
    "logit_scale": (0, 1),
    "residual_scale": (0, 1),
    "router_logit_softcapping": (0,),
    "swin_norm": (False,),
    "use_parallel_residual": (False,),
}
"""Values of GGUF's settings (llama.cpp's ``llama-arch.cpp``) that say what is the case without them."""

GGUF = Leftovers({}, GGUF_SETTINGS, GGUF_NEUTRAL)
"""What any GGUF file may hold besides."""


NO_ROPE: Mapping[str, str] = {r"rope\..*": "its attention has no rope"}
"""Settings of families whose attention has no rope."""

GGUF_LANGUAGE = GGUF.extended(
    tensors={r"(v|a|mm)\..*": "they look at images or listen, of which this model gets none"},
    settings={r"(vision|audio|mm)\..*": "of what looks at images or listens"},
)
"""What files of families may hold that look at images or listen, too."""


GGUF_ENCODER = Leftovers(
    {},
    {
        **GGUF_SETTINGS,
        r"classifier\.output_labels": "names of what comes out",
        r"classifier\.pooling_type": "of a classifier that the file does not have",
        r"dense_[23]_feat_(in|out)": "tensors tell",
    },
    {**GGUF_NEUTRAL, "attention.causal": (False,)},
)
"""The same of an encoder's."""

FOLDER_ENCODER = Leftovers(
    {
        r"embeddings\.(position_ids|token_type_ids)": "buffers that hold 0, 1, 2 and so on, or zeros",
        r"pooler\.dense\.(weight|bias)": "comes after the hidden states, from which embeddings are made",
        r"(cls|lm_head)\..*": "heads of the pre-training's tasks, after the hidden states",
    }
)
"""What folders of BERT's kin may hold besides."""


def drafting_layers(parameters: Hyperparameters) -> int:
    """Returns how many layers a file has behind those of the model, which draft tokens ahead."""
    return parameters.positive("nextn_predict_layers") if parameters.integer("nextn_predict_layers", 0) else 0


def _layer_of(tensor: str) -> int | None:
    found = re.match(r"(?:blk|model\.layers)\.(\d+)\.", tensor)
    return int(found[1]) if found else None


def _counted(tensors: int) -> str:
    return f"{tensors} tensors are" if tensors > 1 else "a tensor is"


def _listed(name: str, expressions: Mapping[str, str]) -> bool:
    return any(re.fullmatch(expression, name) for expression in expressions)


def _says_nothing(value: object, neutral: tuple[object, ...]) -> bool:
    """Texts are notes: what changes numbers is a number, a flag or an array, or a text that somebody asks for."""
    if isinstance(value, str):
        return True
    return isinstance(value, bool | int | float) and any(
        isinstance(value, bool) == isinstance(one, bool) and math.isclose(value, one)
        for one in neutral
        if isinstance(one, bool | int | float)
    )


def _shown(kind: str, names: list[str]) -> str:
    shown = ", ".join(repr(name[:100]) for name in names[:SHOWN])
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"the {kind}{'s' if len(names) > 1 else ''} {shown}{more}"
