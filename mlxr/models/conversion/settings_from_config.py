"""Settings of a GGUF file that follow from several in ``config.json``, as llama.cpp's converter computes them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import NormalDist
from typing import Any

from mlxr.models.conversion.settings import GATING, Added, Computed, Config, head_size, rope_settings


def rope_dimensions(config: Config) -> Iterable[Added]:
    """Yields how many of a head's dimensions turn: all."""
    yield Added("rope_dimension_count", head_size(config))


def llama_heads(config: Config) -> Iterable[Added]:
    """Yields the size of heads, which Llama's and Mistral's files may leave out; and that a vocabulary of 49,152 tokens
    (SmolLM's, Granite's small ones) begins with no BOS."""
    if config.get("model_type") in ("llama", "mistral"):
        yield Added("key_length", head_size(config))
        yield Added("value_length", head_size(config))
    if config.get("vocab_size") == 49152:
        yield Added("add_bos_token", False)


def rotary_share(default: float) -> Computed:
    """Returns what yields how many of a head's dimensions turn: a share of them."""

    def computed(config: Config) -> Iterable[Added]:
        share = rope_settings(config).get("partial_rotary_factor", default)
        yield Added("rope_dimension_count", int(share * head_size(config)))

    return computed


def no_scaling(config: Config) -> Iterable[Added]:
    yield Added("rope_scaling_type", "none")


def window_by_layer(config: Config) -> Iterable[Added]:
    """Yields a window, and which layers have it."""
    if config.get("sliding_window") is None:
        return
    yield Added("sliding_window", config["sliding_window"])
    kinds, every = config.get("layer_types"), config.get("sliding_window_pattern")
    layers = config["num_hidden_layers"]
    if kinds:
        yield Added("sliding_window_pattern", [kind == "sliding_attention" for kind in kinds])
    elif isinstance(every, str):
        yield Added("sliding_window_pattern", [every[layer % len(every)] == "L" for layer in range(layers)])
    elif isinstance(every, int):
        yield Added("sliding_window_pattern", [(layer + 1) % every != 0 for layer in range(layers)])


def olmo_window(config: Config) -> Iterable[Added]:
    """Yields OLMo 3's, whose files may leave out that each fourth layer has none."""
    if "sliding_window" in config:
        yield from window_by_layer({"sliding_window_pattern": 4, **config})
        yield Added("rope_freq_base_swa", rope_settings(config).get("rope_theta"))


def gemma3_window(config: Config) -> Iterable[Added]:
    if config.get("sliding_window_pattern") != 1:
        yield Added("sliding_window", config["sliding_window"])


def phi3_rope(config: Config) -> Iterable[Added]:
    """Yields Phi-3's, whose files name the context that it was first trained with; and a window of 0 for those that
    have none."""
    inner = rope_settings(config)
    share = inner.get("partial_rotary_factor", 1.0)
    width, heads = config["hidden_size"], config["num_attention_heads"]
    yield Added("rope_dimension_count", int(share * width) // heads)
    original = inner.get("original_max_position_embeddings", 4096)
    yield Added("rope_scaling_orig_ctx_len", original)
    if inner.get("long_factor"):
        scale = config["max_position_embeddings"] / original
        longer = math.sqrt(1 + math.log(scale) / math.log(original)) if scale > 1 else 1.0
        yield Added("rope_scaling_attn_factors", longer)
    yield Added("sliding_window", config.get("sliding_window") or 0)


def normalized(config: Config) -> Iterable[Added]:
    """Yields that experts' weights add up to 1, where they do."""
    if config.get("norm_topk_prob", config.get("model_type") in ("deepseek_v3", "glm4_moe_lite", "mistral4")):
        yield Added("expert_weights_norm", True)


def latent_yarn(config: Config) -> Iterable[Added]:
    """Yields by how much YaRN's scores grow, a tenth of what folders have (llama.cpp's DeepSeek is older than YaRN's
    own setting there)."""
    if (scale := rope_settings(config).get("mscale_all_dim")) is not None:
        yield Added("rope_scaling_yarn_log_mul", 0.1 * scale)


def expert_hidden_or_usual(config: Config) -> Iterable[Added]:
    """Yields how wide an expert is, which loaders ask of models without experts, too."""
    yield Added("expert_feed_forward_length", config.get("moe_intermediate_size", config["intermediate_size"]))


def image_sections(config: Config) -> Iterable[Added]:
    """Yields into which parts of a head an image's place goes, where a file does not say."""
    if "mrope_section" not in rope_settings(config):
        yield Added("rope_dimension_sections", [11, 11, 10, 0])


def sparsity(config: Config) -> Iterable[Added]:
    """Yields how far above its mean a number must be that a layer keeps, in standard deviations, from the share of
    those that it drops (Gemma 3n)."""
    shares = config["activation_sparsity_pattern"]
    if not isinstance(shares, list):
        shares = [shares] * config["num_hidden_layers"]
    usual = NormalDist()
    yield Added("activation_sparsity_scale", [usual.inv_cdf(share) if share > 0 else -math.inf for share in shares])


def nemotron_rope(config: Config) -> Iterable[Added]:
    inner = rope_settings(config)
    share = inner.get("partial_rotary_factor", 0.5)
    yield Added("rope_dimension_count", int(share * config["hidden_size"]) // config["num_attention_heads"])
    if (factor := config.get("factor") or inner.get("factor")) is None:
        yield Added("rope_scaling_type", "none")
    else:
        yield Added("rope_scaling_type", "linear")
        yield Added("rope_scaling_factor", factor)


def growing_queries(config: Config) -> Iterable[Added]:
    """Yields Ministral 3's: by how much scores and queries grow with their place."""
    inner = rope_settings(config)
    yield Added("rope_scaling_yarn_log_mul", inner.get("mscale_all_dim"))
    yield Added("attn_temperature_scale", inner.get("llama_4_scaling_beta"))


def growing_queries_of_latents(config: Config) -> Iterable[Added]:
    """Yields Mistral 4's, which llama.cpp reads and its converter leaves out."""
    inner = rope_settings(config)
    if (scale := inner.get("llama_4_scaling_beta")) is not None:
        yield Added("attn_temperature_scale", scale)
        yield Added("attn_temperature_length", inner.get("original_max_position_embeddings"))


def ntk(config: Config) -> Iterable[Added]:
    """Yields Hunyuan's way to longer texts: a larger base."""
    inner = rope_settings(config)
    if inner.get("rope_type") != "dynamic" or not inner.get("alpha"):
        return
    size = head_size(config)
    yield Added("rope_freq_base", inner.get("rope_theta", 10000.0) * inner["alpha"] ** (size / (size - 2)))
    yield Added("rope_scaling_type", "none")
    yield Added("rope_scaling_factor", 1)
    yield Added("rope_scaling_orig_ctx_len", NTK_CONTEXT)
    yield Added("context_length", NTK_CONTEXT)


NTK_CONTEXT = 1 << 18
"""Tokens that Hunyuan's models are made for, whatever their files say."""


def hunyuan_experts(config: Config) -> Iterable[Added]:
    yield Added("expert_used_count", _first(config["moe_topk"]))
    yield Added("expert_shared_count", _first(config.get("num_shared_expert", 1)))
    yield Added("expert_count", _first(config["num_experts"]))


def _first(value: Any) -> Any:
    """A number that may be listed for each layer."""
    return value[0] if isinstance(value, list) else value


def glm_rope(config: Config) -> Iterable[Added]:
    """Yields GLM-4-9B's, whose converter takes settings by ChatGLM's names."""
    share = rope_settings(config).get("partial_rotary_factor", 0.5)
    yield Added("rope_dimension_count", int(head_size(config) * share))
    yield Added("rope_freq_base", rope_settings(config).get("rope_theta", 10000.0))


def bailing_experts(config: Config) -> Iterable[Added]:
    """Yields how Ling scores its experts, and how wide a shared one is: llama.cpp multiplies that by their count."""
    usual = config["moe_intermediate_size"] * config["n_shared_experts"]
    yield Added("expert_shared_feed_forward_length", config.get("shared_expert_intermediate_size") or usual)
    yield Added("expert_gating_func", GATING[config.get("score_function", "sigmoid")])


def neox_rope(config: Config) -> Iterable[Added]:
    share: float = rope_settings(config).get("partial_rotary_factor") or config.get("rotary_pct") or 0.25
    yield Added("rope_dimension_count", int(share * head_size(config)))


def falcon_sizes(config: Config) -> Iterable[Added]:
    yield Added("feed_forward_length", config.get("ffn_hidden_size") or 4 * config["hidden_size"])


def phi2_sizes(config: Config) -> Iterable[Added]:
    width, heads = config["hidden_size"], config["num_attention_heads"]
    share = rope_settings(config).get("partial_rotary_factor", 0.5)
    yield Added("feed_forward_length", config.get("intermediate_size", 4 * width))
    yield Added("head_count_kv", heads)
    yield Added("rope_dimension_count", int(share * width) // heads)


def minicpm3_heads(config: Config) -> Iterable[Added]:
    yield Added("key_length", config["qk_nope_head_dim"] + config["qk_rope_head_dim"])
    yield Added("rope_dimension_count", config["qk_rope_head_dim"])


def whole_width(config: Config) -> Iterable[Added]:
    """Yields how many dimensions of a head turn, as if heads had the width among them (Granite's converter)."""
    yield Added("rope_dimension_count", config["hidden_size"] // config["num_attention_heads"])


def granite_state_spaces(config: Config) -> Iterable[Added]:
    """Yields the sizes of Mamba-2 layers, in files of models without any, too."""
    heads = config["mamba_n_heads"]
    size = config.get("mamba_d_head", "auto")
    if size == "auto":
        size = config.get("mamba_expand", 2) * config["hidden_size"] // heads
    yield Added("ssm_conv_kernel", config.get("mamba_d_conv", 4))
    yield Added("ssm_state_size", config.get("mamba_d_state", 256))
    yield Added("ssm_group_count", config.get("mamba_n_groups", 1))
    yield Added("ssm_inner_size", heads * size)
    yield Added("ssm_time_step_rank", heads)


def pooled_before_classes(config: Config) -> Iterable[Added]:
    """Yields how ModernBERT's states become one in front of a classifier."""
    pooling = config.get("classifier_pooling", "cls")
    yield Added(".classifier.pooling_type", {"mean": 1, "cls": 2}[pooling])
