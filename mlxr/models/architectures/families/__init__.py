"""The families that mlxr runs, one file each. ``docs/adding/model-family.md`` says how to add one."""

from __future__ import annotations

from collections.abc import Sequence

from mlxr.models.architectures.families import (
    arcee,
    bert,
    cohere,
    deepseek2,
    dots1,
    ernie4_5,
    ernie4_5_moe,
    exaone4,
    falcon_h1,
    gemma,
    gemma2,
    gemma3,
    gemma3n,
    gemma4,
    gemma_embedding,
    glm4,
    glm4_moe,
    gpt_oss,
    granite,
    granite_hybrid,
    granite_moe,
    gte,
    hunyuan,
    jina_bert_v2,
    jina_bert_v3,
    lfm2,
    lfm2_moe,
    llama,
    llama4,
    minicpm3,
    minimax_m2,
    mistral3,
    mistral4,
    modern_bert,
    nemotron,
    nemotron_h,
    nomic_bert,
    olmo2,
    olmoe,
    phi2,
    phi3,
    qwen2,
    qwen2_moe,
    qwen3,
    qwen3_5,
    qwen3_5_moe,
    qwen3_moe,
    qwen3_next,
    seed_oss,
    smollm3,
    stablelm,
    starcoder2,
)
from mlxr.models.architectures.families.family import Family
from mlxr.models.hyperparameters import Format

FAMILIES: Sequence[Family] = (
    arcee.FAMILY,
    bert.FAMILY,
    cohere.FAMILY,
    cohere.WITH_WINDOWS,
    deepseek2.FAMILY,
    dots1.FAMILY,
    ernie4_5.FAMILY,
    ernie4_5_moe.FAMILY,
    exaone4.FAMILY,
    falcon_h1.FAMILY,
    gemma.FAMILY,
    gemma2.FAMILY,
    gemma3.FAMILY,
    gemma3n.FAMILY,
    gemma4.FAMILY,
    gemma_embedding.FAMILY,
    glm4.FAMILY,
    glm4_moe.FAMILY,
    gpt_oss.FAMILY,
    granite.FAMILY,
    granite_hybrid.FAMILY,
    granite_moe.FAMILY,
    gte.FAMILY,
    hunyuan.FAMILY,
    hunyuan.MIXTURES,
    jina_bert_v2.FAMILY,
    jina_bert_v3.FAMILY,
    lfm2.FAMILY,
    lfm2_moe.FAMILY,
    llama.FAMILY,
    llama4.FAMILY,
    minicpm3.FAMILY,
    minimax_m2.FAMILY,
    mistral3.FAMILY,
    mistral4.FAMILY,
    modern_bert.FAMILY,
    nemotron.FAMILY,
    nemotron_h.FAMILY,
    nomic_bert.FAMILY,
    olmo2.FAMILY,
    olmoe.FAMILY,
    phi2.FAMILY,
    phi3.FAMILY,
    qwen2.FAMILY,
    qwen2_moe.FAMILY,
    qwen3.FAMILY,
    qwen3_5.FAMILY,
    qwen3_5_moe.FAMILY,
    qwen3_moe.FAMILY,
    qwen3_next.FAMILY,
    seed_oss.FAMILY,
    smollm3.FAMILY,
    stablelm.FAMILY,
    starcoder2.FAMILY,
)


def by_architecture(format: Format, families: Sequence[Family] = FAMILIES) -> dict[str, Family]:
    """Returns the families that run from ``format``, by what its files call them."""
    return {
        name: family for family in families if format in family.tables for name in family.tables[format].architectures
    }


def encoder_family(format: Format, architecture: str, families: Sequence[Family] = FAMILIES) -> bool:
    """Returns whether files of that architecture hold an encoder, whatever else they say."""
    family = by_architecture(format, families).get(architecture)
    return family is not None and family.encodes
