"""What is written as a Modelfile is read as the same again."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlxr.actors.registry.catalogue.entry import Blob, CatalogueEntry, Overrides
from mlxr.actors.registry.modelfile.parse import parse
from mlxr.actors.registry.modelfile.request import interpreted
from mlxr.actors.registry.modelfile.write import modelfile, parameters, quoted
from mlxr.runtime.model_info import ModelInfo

PIECES = ["a", '"', '"""', "\n", " ", "#", "{{ .X }}", "\t", "é", "'"]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


def entry(overrides: Overrides) -> CatalogueEntry:
    return CatalogueEntry("m", Blob("ab", Path("/x.gguf"), 1, ModelInfo("gguf", "llama")), 0.0, overrides=overrides)


def test_a_model_is_written_with_all_that_was_laid_over_it(tmp_path: Path) -> None:
    overrides = Overrides(
        template="{{ .Prompt }}\n",
        system='Say "arr".\nTwice.',
        options={"temperature": 0.5, "stop": ["a b", "\n", '"'], "num_ctx": 4096, "use_mmap": False},
        messages=[{"role": "user", "content": "hi"}, {"role": "assistant", "content": "a\nb"}],
        license="MIT\nin full",
        renderer="glm-4.7",
        parser="glm-4.7",
        requires="0.14.0",
    )
    text = modelfile(entry(overrides), "base")
    read = interpreted(parse(text, "Modelfile"), tmp_path, "Modelfile")
    assert read.from_ == "base"
    assert read.fields == {
        "template": overrides.template,
        "system": overrides.system,
        "parameters": overrides.options,
        "messages": overrides.messages,
        "license": [overrides.license],
        "renderer": "glm-4.7",
        "parser": "glm-4.7",
        "requires": "0.14.0",
    }


@given(text=TEXTS)
@example(text='"')
@example(text='""')
@example(text='a"""')
@example(text='x"\ny')
def test_any_text_that_a_quote_can_hold_is_read_as_itself(text: str) -> None:
    lines = text.split("\n")[:-1]
    if any(line.rstrip().endswith('"""') for line in lines):
        return
    for always in (False, True):
        (_, made) = parse(f"FROM a\nSYSTEM {quoted(text, always=always)}\n", "f")
        assert made.value == text


@pytest.mark.parametrize("text", ['a\n"""\nb', '"""\n', 'def f():\n    """x"""\n    return 1'])
def test_a_text_with_three_quotes_in_it_comes_in_one_where_that_holds_it(text: str) -> None:
    if any(line.rstrip().endswith('"') for line in text.split("\n")[:-1]):
        assert quoted(text, always=True) == f'"""{text}"""'
        return
    (_, made) = parse(f"FROM a\nSYSTEM {quoted(text, always=True)}\n", "f")
    assert made.value == text


def test_parameters_are_in_columns() -> None:
    assert parameters({"stop": ["a", "b"], "top_k": 4}).splitlines() == [
        f'{"stop":<30} "a"',
        f'{"stop":<30} "b"',
        f"{'top_k':<30} 4",
    ]
