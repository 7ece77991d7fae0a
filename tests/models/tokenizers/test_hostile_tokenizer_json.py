"""A tokenizer.json that makes no sense: what is wrong is said of its place, and nothing else goes wrong."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from mlxr.models.tokenizers import TokenizerError, load_directory
from mlxr.models.tokenizers.bpe import byte_characters
from mlxr.runtime.errors import MlxrError, RequestError

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
