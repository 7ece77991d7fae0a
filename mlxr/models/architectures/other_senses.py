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

TIED = "tie_word_embeddings"
KEPT = ("quantization", "quantization_config")
"""Their settings that are also of the language model."""

OTHER_NAMES = {"exaone4_5_text": "exaone4", "granite4_vision_text": "granite"}
"""What some call a language model, and what others do."""

_SIZES = {"hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32}
USUAL: Mapping[str, Mapping[str, int]] = {
    "llama": {**_SIZES, "intermediate_size": 11008},
    "mistral": {**_SIZES, "intermediate_size": 11008},
    "qwen2": {**_SIZES, "intermediate_size": 22016},
}
"""What older folders leave out of a language model, as transformers has it."""

_TENSORS = "they look at images or listen, of which this model gets none"
_SETTINGS = "of what looks at images or listens"
BESIDE = Leftovers(
    {
        r"(model\.)?(vision|visual|audio|image|video|connector|patch_merger|mlp1)[^.]*(\..*)?": _TENSORS,
        r"(model\.)?((multi_modal|mm|audio)_projector|(layerwise|spatial)_projectors)\..*": _TENSORS,
        r"mtp\..*": "they draft tokens, which the model then checks",
        r"(model\.)?(aligner|vqmodel|generation_(embeddings|aligner|head))\..*": _TENSORS,
    },
    {
        r"rope_(parameters|scaling)\.(mrope_.*|type)": "of places in images; in text they are all one",
        r"(vision|audio)_.*|perceiver_config\..*|pixel_shuffle_factor|use_resampler": _SETTINGS,
        r"_num_mtp_layers|mtp_.*": "of layers that draft tokens",
        r"_flash_attn_.*|neftune_noise_alpha": "how its makers ran and trained it",
    },
    {"qk_layer_norms": (False,)},
)
"""What they hold besides."""


def language_model(model_type: str, config: Mapping[str, Any]) -> str | None:
    """Returns what ``text_config`` calls the language model; None where a model is none of these."""
    text = config.get("text_config")
    inner = text.get("model_type") if isinstance(text, Mapping) else None
    return OTHER_NAMES.get(inner, inner) if model_type in MODELS and isinstance(inner, str) else None


def alone(config: Mapping[str, Any], has_head: bool) -> dict[str, Any]:
    """Returns the settings of the language model. ``has_head``: whether there is an output projection. Folders say
    twice whether the embedding is one, and not always the same: unless all that they say is that it is not, the tensors
    tell."""
    text = config["text_config"]
    kept = {key: config[key] for key in KEPT if key in config}
    made = {**USUAL.get(language_model(config["model_type"], config) or "", {}), **kept, **text}
    said = [one[TIED] for one in (config, text) if one.get(TIED) is not None]
    made[TIED] = not has_head and (not said or any(said))
    kinds, layers = made.get("layer_types"), made.get("num_hidden_layers")
    if isinstance(kinds, list) and len(kinds) - 1 == layers:
        made["layer_types"] = kinds[:-1]  # EXAONE 4.5's last one is of the layer that drafts
    return made


def beside(leftovers: Leftovers) -> Leftovers:
    """Returns what may be left out of such a model, where ``leftovers`` is what may of the language model alone."""
    neutral = None if leftovers.neutral is None else {**leftovers.neutral, **(BESIDE.neutral or {})}
    return Leftovers({**leftovers.tensors, **BESIDE.tensors}, {**leftovers.settings, **BESIDE.settings}, neutral)
