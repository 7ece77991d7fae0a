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


WITHIN = {"Mistral4ForCausalLM": "Mistral3ForConditionalGeneration"}
"""Models that the converter knows within others alone."""


KEPT = ("rotary_pct", "activation_function")
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
        return {**loaded(path, *arguments, **options), **{key: own[key] for key in KEPT if key in own}}

    ModelBase.load_hparams = staticmethod(with_all_settings)
    sys.argv = ["convert_hf_to_gguf.py", str(folder), "--outfile", str(target), "--outtype", "f32"]
    runpy.run_path(str(sources / "convert_hf_to_gguf.py"), run_name="__main__")


if __name__ == "__main__":
    main()
