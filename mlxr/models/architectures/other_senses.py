"""Folders of models that look at images or listen, too, and in which text is read as the language model within reads it
alone: they run as that one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlxr.models.architectures.leftovers import Leftovers

MODELS = (
    *(
        "aya_vision",
        "cohere2_vision",
        "deepseek_vl",
        "exaone4_5",
        "fast_vlm",
        "glm46v",
        "glm4v",
        "glm4v_moe",
        "glm_ocr",
    ),
    *("got_ocr2", "granite4_vision", "idefics3", "internvl", "janus", "kimi_k25", "kimi_vl", "lfm2_vl", "lfm3_vl"),
    *("lighton_ocr", "llava", "llava_next", "llava_next_video", "llava_onevision", "ovis2", "perception_lm"),
    *("qwen2_audio", "smolvlm", "vipllava", "voxtral"),
)
"""What folders call them. ``text_config`` tells what the language model is; PaliGemma is none of these, whose prompts
see what is behind them."""

KEPT = ("tie_word_embeddings", "quantization", "quantization_config")
"""Their settings that are also of the language model."""

USUAL = {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32}
"""What older folders leave out, as transformers has it for the language models in ``WITH_USUAL``."""

WITH_USUAL = ("llama", "mistral")

_TENSORS = "they look at images or listen, of which this model gets none"
_SETTINGS = "of what looks at images or listens"
BESIDE = Leftovers(
    {
        r"(model\.)?(vision|visual|audio|image|video|connector|patch_merger|mlp1)[^.]*(\..*)?": _TENSORS,
        r"(model\.)?(multi_modal|mm|audio)_projector\..*": _TENSORS,
        r"(model\.)?(aligner|vqmodel|generation_(embeddings|aligner|head))\..*": _TENSORS,
    },
    {
        r"rope_(parameters|scaling)\.(mrope_.*|type)": "of places in images; in text they are all one",
        r"(vision|audio)_.*|perceiver_config\..*|pixel_shuffle_factor|use_resampler": _SETTINGS,
        r"_flash_attn_.*|neftune_noise_alpha": "how its makers ran and trained it",
    },
    {"qk_layer_norms": (False,)},
)
"""What they hold besides."""


def language_model(model_type: str, config: Mapping[str, Any]) -> str | None:
    """Returns what ``text_config`` calls the language model; None where a model is none of these."""
    text = config.get("text_config")
    inner = text.get("model_type") if isinstance(text, Mapping) else None
    return inner if model_type in MODELS and isinstance(inner, str) else None


def alone(config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings of the language model."""
    text = config["text_config"]
    kept = {key: config[key] for key in KEPT if key in config}
    return {**(USUAL if text["model_type"] in WITH_USUAL else {}), **kept, **text}


def beside(leftovers: Leftovers) -> Leftovers:
    """Returns what may be left out of such a model, where ``leftovers`` is what may of the language model alone."""
    neutral = None if leftovers.neutral is None else {**leftovers.neutral, **(BESIDE.neutral or {})}
    return Leftovers({**leftovers.tensors, **BESIDE.tensors}, {**leftovers.settings, **BESIDE.settings}, neutral)
