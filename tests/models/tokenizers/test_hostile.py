"""Vocabularies that make no sense: what is wrong is said of its place, and nothing else goes wrong."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from mlxr.models.gguf import GGUFFile
from mlxr.models.tokenizers import TokenizerError, load_directory, load_gguf
from mlxr.models.tokenizers.bpe import byte_characters
from mlxr.runtime.errors import MlxrError, RequestError
from tests.models import model_path

GGML = "tokenizer.ggml."
Change = Callable[[dict[str, Any]], None]


def small() -> dict[str, Any]:
    """A tokenizer.json of byte-level tokens."""
    characters = list(byte_characters().values())
    pipeline = Tokenizer(models.BPE({token: i for i, token in enumerate([*characters, "hi"])}, [("h", "i")]))
    pipeline.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pipeline.decoder = decoders.ByteLevel()
    pipeline.add_special_tokens(["<s>", "<|im_end|>"])
    source: dict[str, Any] = json.loads(pipeline.to_str())
    return source


def written(folder: Path, source: Any) -> Path:
    (folder / "tokenizer.json").write_text(source if isinstance(source, str) else json.dumps(source))
    return folder


def charsmap(value: Any) -> Change:
    return lambda source: source.update(normalizer={"type": "Precompiled", "precompiled_charsmap": value})


def post_processor(id: Any) -> Change:
    special = {"id": "<s>", "ids": [id], "tokens": ["<s>"]}
    step = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}], "pair": []}
    return lambda source: source.update(post_processor=step | {"special_tokens": {"<s>": special}})


def repeated(stage: str, key: str, step: dict[str, Any], count: int, depth: int = 0) -> Change:
    """A sequence of ``count`` times ``step``, the last of them ``depth`` sequences deep."""
    inner: list[Any] = [step] * (count - 1)
    last: dict[str, Any] = step
    for _ in range(depth):
        last = {"type": "Sequence", key: [last]}
    return lambda source: source.update({stage: {"type": "Sequence", key: [*inner, last]}})


BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
DIGITS = {"type": "Digits", "individual_digits": True}
NESTED = {"type": "Sequence", "pretokenizers": [DIGITS] * 17}
SPACES = {"type": "Metaspace", "replacement": "_", "prepend_scheme": "always", "split": True}
DOUBLED = {"type": "Replace", "pattern": {"String": "h"}, "content": "hh"}
BETWEEN = {"type": "Replace", "pattern": {"Regex": ""}, "content": "h"}
GROWING_MAP = {
    "type": "Precompiled",
    "precompiled_charsmap": base64.b64encode(b"\4\0\0\0" + bytes(4) + b"h" * 20 + b"\0").decode(),
}
TEXT, START = {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "<s>", "type_id": 0}}
TWICE = {"type": "TemplateProcessing", "single": [TEXT, TEXT], "pair": [], "special_tokens": {}}
MANY_AROUND = TWICE | {
    "single": [START] * 40 + [TEXT],
    "special_tokens": {"<s>": {"id": "<s>", "ids": [257] * 40, "tokens": ["<s>"] * 40}},
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (repeated("pre_tokenizer", "pretokenizers", BYTE_LEVEL, 300), "`pre_tokenizer` has steps.* 1024 times as long"),
        (repeated("pre_tokenizer", "pretokenizers", BYTE_LEVEL, 11), "`pre_tokenizer` has steps.* 1024 times as long"),
        (repeated("pre_tokenizer", "pretokenizers", SPACES, 11), "`pre_tokenizer` has steps.* 1024 times as long"),
        (repeated("normalizer", "normalizers", DOUBLED, 10), "`pre_tokenizer` has steps.* 1024 times as long"),
        (repeated("normalizer", "normalizers", BETWEEN, 11), "`normalizer` has steps.* 1024 times as long"),
        (repeated("normalizer", "normalizers", GROWING_MAP, 3), "`normalizer` has steps.* 1024 times as long"),
        (repeated("post_processor", "processors", TWICE, 11), "`post_processor` has steps.* 1024 times as long"),
        (lambda source: source.update(post_processor=MANY_AROUND), "puts more than 1024 tokens around"),
        (repeated("pre_tokenizer", "pretokenizers", NESTED, 2), "`pre_tokenizer` has more than 32 steps"),
        (repeated("pre_tokenizer", "pretokenizers", DIGITS, 33, 3), "`pre_tokenizer` has more than 32 steps"),
        (repeated("normalizer", "normalizers", {"type": "NFKD"}, 33), "`normalizer` has more than 32 steps"),
        (repeated("decoder", "decoders", {"type": "Fuse"}, 33), "`decoder` has more than 32 steps"),
        (repeated("post_processor", "processors", DIGITS, 33), "`post_processor` has more than 32 steps"),
        (charsmap("AAAA"), "normalizer.*precompiled_charsmap.* claims a trie of 0 bytes in 3"),
        (charsmap("/////w=="), "claims a trie of 4294967295 bytes in 4"),
        (charsmap("!"), "no base64"),
        (charsmap(5), "no text"),
        (charsmap(base64.b64encode(b"\x04\0\0\0aaaa\xff").decode()), "not UTF-8"),
        (
            lambda s: s.update(
                normalizer={"type": "Sequence", "normalizers": [charsmap("AAAA")(s) or s["normalizer"]]}
            ),
            "trie",
        ),
        (lambda s: s["model"]["vocab"].update(x=2**32 - 1), r"`model.vocab\['x'\]` is 4294967295"),
        (lambda s: s["model"]["vocab"].update(x=-1), "is -1"),
        (lambda s: s["model"]["vocab"].update(x=1.5), "is 1.5"),
        (lambda s: s["model"]["vocab"].update(x=True), "is True"),
        (lambda s: s["added_tokens"][0].update(id=2**32 - 1), r"`added_tokens\[0\]`.id is 4294967295"),
        (lambda s: s["added_tokens"][0].update(id=40_000), "has id 40000"),
        (lambda s: s["added_tokens"][0].pop("id"), "is None"),
        (lambda s: s["added_tokens"][0].update(content=None), "no content"),
        (lambda s: s.update(added_tokens=5), "no list"),
        (lambda s: s.update(model=None), "no object"),
        (lambda s: s["model"].update(vocab=5), "no object and no list"),
        (lambda s: s["model"].update(merges=5), "merges"),
        (lambda s: s["model"].update(merges=[["q", "nowhere"]]), "nowhere"),
        (lambda s: s.update(model={"type": "Unigram", "unk_id": 2**40, "vocab": [["a", 0.0]]}), "unk_id"),
        (lambda s: s.update(model={"type": "Unigram", "unk_id": 0, "vocab": [["a", float("nan")]]}), "score nan"),
        (post_processor(2**32 - 1), "special_tokens.*ids` is 4294967295|is 4294967295"),
        (
            lambda s: s.update(post_processor={"type": "RobertaProcessing", "sep": ["<s>", 2**31], "cls": ["<s>", 0]}),
            "sep",
        ),
    ],
)
def test_a_tokenizer_json_that_makes_no_sense_is_refused_naming_the_place(
    tmp_path: Path, change: Change, message: str
) -> None:
    source = small()
    change(source)
    with pytest.raises(TokenizerError, match=message) as caught:
        load_directory(written(tmp_path, source))
    assert "tokenizer.json" in str(caught.value)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"model":' * 100_000, "[]", "5", "null", "\udcff", "", '{"model": {}}']
)
def test_a_file_that_is_no_tokenizer_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "tokenizer.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(TokenizerError, match=r"tokenizer\.json"):
        load_directory(tmp_path)


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json", "generation_config.json"])
def test_a_folder_or_nonsense_in_a_files_place_is_refused_by_name(tmp_path: Path, name: str) -> None:
    written(tmp_path, small())
    (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / name).mkdir()
    with pytest.raises(TokenizerError, match=name):
        load_directory(tmp_path)
    (tmp_path / name).rmdir()
    (tmp_path / name).write_text("[" * 100_000)
    with pytest.raises(TokenizerError, match=name):
        load_directory(tmp_path)


def test_ids_in_a_configuration_that_are_none_end_nothing(tmp_path: Path) -> None:
    written(tmp_path, small())
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": ["a", null, true, 1.5, {}]}')
    (tmp_path / "tokenizer_config.json").write_text('{"eos_token": {"content": 5}, "bos_token": []}')
    assert load_directory(tmp_path).special.ends == {258}


def test_a_regex_that_the_package_fails_at_fails_only_its_text(tmp_path: Path) -> None:
    source = small()
    source["pre_tokenizer"] = {
        "type": "Split",
        "pattern": {"Regex": "(a+)+$"},
        "behavior": "Isolated",
        "invert": False,
    }
    tokenizer = load_directory(written(tmp_path, source))
    with pytest.raises(RequestError, match="can't encode this text"):
        tokenizer.encode("a" * 60 + "b")
    assert tokenizer.encode("hi", add_special=False) == [256]


def test_a_panic_at_load_is_an_error(tmp_path: Path) -> None:
    source = small()
    # A trie whose only word leads out of it.
    source["normalizer"] = {
        "type": "Precompiled",
        "precompiled_charsmap": base64.b64encode(b"\x04\0\0\0\xff\xff\xff\xff").decode(),
    }
    with suppress(MlxrError):
        load_directory(written(tmp_path, source)).encode("text")


def gguf(**changes: Any) -> dict[str, Any]:
    metadata = {
        "model": "llama",
        "tokens": ["<unk>", "<s>", "</s>", "▁", "a", "b", "ab", "▁ab"],
        "scores": [0.0, 0.0, 0.0, -1.0, -2.0, -3.0, -4.0, -5.0],
        "token_type": [2, 3, 3, 1, 1, 1, 1, 1],
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    return {GGML + key: value for key, value in (metadata | changes).items()}


def test_a_small_vocabulary_encodes() -> None:
    assert load_gguf(gguf()).encode("ab") == [1, 7]


def test_several_unknown_tokens_are_one_too_many_for_the_package_and_not_for_us() -> None:
    """As in the vocabulary of phi-3, where ``<unk>`` is 0 and a placeholder has its type as well."""
    tokens = ["<a>", "<s>", "</s>", "▁", "a", "b", "ab", "▁ab", "<unk>", "<|endoftext|>"]
    scores = [0.0] * 3 + [-1.0, -2.0, -3.0, -4.0, -5.0, 0.0, 0.0]
    for unknown in (0, 8):
        tokenizer = load_gguf(
            gguf(tokens=tokens, scores=scores, token_type=[2, 3, 3, 1, 1, 1, 1, 1, 2, 2], unknown_token_id=unknown)
        )
        assert tokenizer.encode("ab<unk>") == [1, 7, 8]
        plain = tokenizer.encode("ab", parse_special=False)
        assert plain == [1, 7]
        assert tokenizer.encode("z", add_special=False, parse_special=False)[-1] == unknown


@pytest.mark.parametrize("twin", ["ab", "", "<s>", "<unk>"])
def test_a_token_that_is_there_twice_or_empty_is_never_found(twin: str) -> None:
    metadata = gguf()
    tokens = [*metadata[GGML + "tokens"], twin, twin, "[8]"]
    metadata = gguf(
        tokens=tokens, scores=[*metadata[GGML + "scores"], -0.1, -0.2, -9.0], token_type=[2, 3, 3] + [1] * 8
    )
    tokenizer = load_gguf(metadata)
    assert tokenizer.encode("ab") == [1, 7]
    assert tokenizer.encode("aab", add_special=False)[-1] == 6
    assert tokenizer.token_bytes(8) == twin.encode()


@pytest.mark.parametrize("marker", ["<end_of_turn>", "<start_of_turn>", "[INST]", "<|im_start|>"])
@pytest.mark.parametrize("model", ["llama", "gpt2"])
def test_a_marker_of_turns_that_its_file_calls_user_defined_counts_where_control_tokens_do(
    marker: str, model: str
) -> None:
    metadata = gguf()
    tokens, scores = [*metadata[GGML + "tokens"], marker, "<think>"], [*metadata[GGML + "scores"], 0.0, 0.0]
    types = [2, 3, 3, 1, 1, 1, 1, 1, 4, 4]
    tokenizer = load_gguf(
        gguf(model=model, pre="gpt-2", merges=["a b"], tokens=tokens, scores=scores, token_type=types)
    )
    assert 8 in tokenizer.encode(f"ab{marker}")
    assert 8 not in tokenizer.encode(f"ab{marker}", parse_special=False)
    assert 9 in tokenizer.encode("ab<think>", parse_special=False)
    assert marker in tokenizer.markers
    assert "<think>" not in tokenizer.markers


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scores": [0.0] * 7 + [float("nan")]}, r"scores\[7\] is nan"),
        ({"scores": np.array([float("inf")] + [0.0] * 7, np.float32)}, r"scores\[0\] is inf"),
        ({"scores": ["a"] * 8}, "no list of numbers"),
        ({"scores": 5}, "no list of numbers"),
        ({"scores": [[0.0]] * 8}, "no list of numbers"),
        ({"scores": [0.0]}, "1 values for 8 tokens"),
        ({"token_type": [2, 3, 3, 1, 1, 1, 1, 9]}, r"token_type\[7\] is 9"),
        ({"token_type": [2, 3, 3, 1, 1, 1, 1, -1]}, r"token_type\[7\] is -1"),
        ({"token_type": [2.5] * 8}, "no list of integers"),
        ({"token_type": [1]}, "1 values for 8 tokens"),
        ({"token_type": [2, 3, 3, 1, 1, 1, 1, 6]}, r"tokens\[7\] is '▁ab', and of a byte's type"),
        ({"tokens": "abcdefgh"}, "no list of strings"),
        ({"tokens": 5}, "no list of strings"),
        ({"tokens": [1] * 8}, r"tokens\[0\] is no string"),
        ({"tokens": ["a" * 70_000] + ["b"] * 7}, r"tokens\[0\] has 70000 bytes"),
        ({"bos_token_id": 8}, "bos_token_id is 8, and there are 8 tokens"),
        ({"eos_token_id": "a"}, "eos_token_id is 'a'"),
        ({"unknown_token_id": 9}, "unknown_token_id is 9"),
        ({"unknown_token_id": [1]}, "unknown_token_id"),
        ({"add_bos_token": "yes"}, "neither true nor false"),
        ({"add_space_prefix": []}, "neither true nor false"),
        ({"model": ["llama"]}, "mlxr knows"),
        ({"model": "gpt2", "pre": ["a"], "merges": ["a b"]}, "pre-tokenizer this version does not know"),
        ({"model": "gpt2", "pre": "gpt-2", "merges": "a b"}, "merges is no list"),
        ({"model": "gpt2", "pre": "gpt-2", "merges": ["a nowhere"]}, "doesn't fit.*nowhere"),
        ({"model": "gpt2", "pre": "gpt-2", "merges": [5]}, r"merges\[0\] is no string"),
        ({"model": "gpt2", "pre": "gpt-2", "merges": [""]}, "not two parts"),
        ({"model": "gpt2", "pre": "gpt-2", "merges": [" "]}, "not two parts"),
    ],
)
def test_a_vocabulary_of_a_gguf_that_makes_no_sense_is_refused_naming_the_key(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(TokenizerError, match=message):
        load_gguf(gguf(**changes))


def test_roles_that_no_token_has_are_none_and_ids_that_are_none_are_said(caplog: pytest.LogCaptureFixture) -> None:
    special = load_gguf(gguf(bos_token_id=0xFFFFFFFF, eot_token_id=99)).special
    assert special.bos is None
    assert 99 not in special.ends
    (said,) = caplog.messages
    assert "tokenizer.ggml.eot_token_id is 99" in said


SCALAR = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**65), 2**65),
    st.floats(),
    st.text(max_size=8),
    st.lists(st.integers(-3, 3), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(-3, 3), max_size=2),
)


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in a JSON value, of long lists only the first."""
    found = [at]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in [*items][:12]:
        found += places(inner, (*at, key))
    return found


SMALL = small()
SMALL["normalizer"] = json.loads(Tokenizer(models.BPE()).to_str())["normalizer"]
RICH = copy.deepcopy(SMALL)
PLACES = [place for place in places(RICH) if place]


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_tokenizer_json_with_anything_anywhere_loads_or_is_refused(tmp_path: Path, data: st.DataObject) -> None:
    source = copy.deepcopy(RICH)
    for _ in range(data.draw(st.integers(1, 3))):
        *path, last = data.draw(st.sampled_from(PLACES))
        inner: Any = source
        try:
            for key in path:
                inner = inner[key]
            if data.draw(st.booleans()):
                inner[last] = data.draw(SCALAR)
            else:
                del inner[last]
        except (KeyError, IndexError, TypeError):
            continue
    with suppress(MlxrError):
        tokenizer = load_directory(written(tmp_path, source))
        tokens = tokenizer.encode("hi <s> é")
        tokenizer.decode(tokens)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_bytes_of_a_tokenizer_json_may_be_any(tmp_path: Path, data: st.DataObject) -> None:
    raw = bytearray(json.dumps(SMALL).encode())
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    (tmp_path / "tokenizer.json").write_bytes(raw)
    with suppress(MlxrError):
        load_directory(tmp_path).encode("hi <s>")


KEYS = [
    "tokens",
    "scores",
    "token_type",
    "merges",
    "pre",
    "model",
    "bos_token_id",
    "eos_token_id",
    "unknown_token_id",
    "padding_token_id",
    "add_bos_token",
    "add_eos_token",
    "add_space_prefix",
    "fim_pre_token_id",
    "eot_token_id",
]


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_the_keys_of_a_gguf_vocabulary_may_have_any_value(data: st.DataObject) -> None:
    model = data.draw(st.sampled_from(["llama", "gpt2", "gemma4"]))
    metadata = gguf(model=model, pre="gpt-2", merges=["a b"])
    for key in data.draw(st.lists(st.sampled_from(KEYS), min_size=1, max_size=3)):
        value = data.draw(st.one_of(SCALAR, st.lists(SCALAR, min_size=8, max_size=8)))
        metadata[GGML + key] = value
    for key in ("tokens", "scores", "token_type"):
        if metadata[GGML + key] and isinstance(metadata[GGML + key], list) and data.draw(st.booleans()):
            values = [*metadata[GGML + key]]
            values[data.draw(st.integers(0, len(values) - 1)) : 1] = [data.draw(SCALAR)]
            metadata[GGML + key] = values
    with suppress(MlxrError):
        tokenizer = load_gguf(metadata)
        tokenizer.decode(tokenizer.encode("ab<s>z"))


def test_the_real_vocabularies_still_load() -> None:
    for name in ("smollm2", "gemma3"):
        assert load_gguf(GGUFFile.open(model_path(name)).metadata).vocab_size > 1000
    assert load_directory(model_path("minilm")).vocab_size > 1000
