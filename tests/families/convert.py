"""Runs llama.cpp's own converter on a folder: ``python convert.py SOURCES FOLDER TARGET``.

SOURCES is llama.cpp's source tree, as llama-cpp-python's source distribution holds it. A tiny checkpoint has no
tokenizer that the converter knows, so the file gets a vocabulary of made-up words; hyperparameters and tensors are what
matters here.
"""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def set_vocab(converter: Any) -> None:
    words = ["<unk>", "<s>", "</s>"]
    words += [f"word{number}" for number in range(len(words), converter.hparams["vocab_size"])]
    converter.gguf_writer.add_tokenizer_model("llama")
    converter.gguf_writer.add_tokenizer_pre("default")
    converter.gguf_writer.add_token_list(words)
    converter.gguf_writer.add_token_scores([0.0] * len(words))
    converter.gguf_writer.add_token_types([2, 3, 3] + [1] * (len(words) - 3))
    if "type_vocab_size" in converter.hparams:  # an encoder's, without which llama.cpp opens none
        converter.gguf_writer.add_token_type_count(converter.hparams["type_vocab_size"])


WITHIN = {
    "Mistral4ForCausalLM": "Mistral3ForConditionalGeneration",
    "PhimoeForCausalLM": "PhiMoEForCausalLM",
}
"""Models that the converter knows within others alone, or by other letters."""


BY_TYPE = {"sarvam_moe": "SarvamMoEForCausalLM"}
"""Models that transformers runs by the class of others, and names by it."""


OWN_ROPES = ("mimo_v2_flash",)
"""Models whose ropes the converter reads as their folders have them alone."""


KEPT = (
    *("rotary_pct", "activation_function", "num_shared_experts", "num_experts", "score_function"),
    *("first_k_dense_replace", "linear_attn_config", "num_experts_per_token", "moe_renormalize"),
    *("layernorm_epsilon", "hybrid_layer_pattern", "topk_method", "swa_head_dim", "swa_v_head_dim"),
    *("swa_num_attention_heads", "swa_num_key_value_heads", "router_scaling_factor", "partial_rotary_factor"),
)
"""Settings that the converter reads by older names."""


def every(kind: type) -> Iterator[type]:
    """Yields the classes that are made of one."""
    for inner in kind.__subclasses__():
        yield inner
        yield from every(inner)


def main() -> None:
    sources, folder, target = map(Path, sys.argv[1:4])
    sys.path[:0] = [str(sources), str(sources / "gguf-py")]
    import conversion
    from conversion.base import ModelBase, TextModel

    load = conversion.get_model_class

    def with_made_up_words(name: str, *arguments: object, **options: object) -> type:
        name = BY_TYPE.get(json.loads((folder / "config.json").read_text())["model_type"], name)
        family: type = load(WITHIN.get(name, name), *arguments, **options)
        for kind in (TextModel, *every(TextModel)):
            if "set_vocab" in vars(kind):
                kind.set_vocab = set_vocab
        if getattr(family, "supports_mtp_export", False):
            family.no_mtp = True  # type: ignore[attr-defined]  # transformers makes no layers that draft tokens
        return family

    conversion.get_model_class = with_made_up_words
    loaded = ModelBase.load_hparams

    def with_all_settings(path: Path, *arguments: object, **options: object) -> dict[str, Any]:
        # transformers reads these into settings of other names; the converter asks for the older ones.
        own = json.loads((path / "config.json").read_text())
        settings = {**loaded(path, *arguments, **options), **{key: own[key] for key in KEPT if key in own}}
        if own["model_type"] in OWN_ROPES:
            settings |= {"rope_parameters": None, **{key: own[key] for key in own if "rope_theta" in key}}
        return settings

    ModelBase.load_hparams = staticmethod(with_all_settings)
    sys.argv = ["convert_hf_to_gguf.py", str(folder), "--outfile", str(target), "--outtype", "f32"]
    runpy.run_path(str(sources / "convert_hf_to_gguf.py"), run_name="__main__")


if __name__ == "__main__":
    main()
