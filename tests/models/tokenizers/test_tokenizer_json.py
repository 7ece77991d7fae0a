"""Tokenizers from Hugging Face folders."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

from mlxr.models.tokenizers import TokenizerError, load_directory
from mlxr.models.tokenizers.bpe import byte_characters
from tests.models import model_path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A byte-level model with one merge, one control token and one that is ordinary text."""
    characters = list(byte_characters().values())
    vocabulary = {token: i for i, token in enumerate([*characters, "hi", "<s>", "</s>", "<|im_end|>", "<think>"])}
    pipeline = Tokenizer(models.BPE(vocabulary, [("h", "i")]))
    pipeline.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pipeline.decoder = decoders.ByteLevel()
    pipeline.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", vocabulary["<s>"])])
    pipeline.add_special_tokens(["<s>", "</s>", "<|im_end|>"])
    pipeline.add_tokens([AddedToken("<think>", normalized=False)])
    pipeline.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"bos_token": "<s>", "eos_token": {"content": "</s>"}}))
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": [258]}))
    return tmp_path


def test_encoding_follows_the_file(folder: Path) -> None:
    tokenizer = load_directory(folder)
    assert tokenizer.encode("hi<|im_end|>") == [257, 256, 259]
    assert tokenizer.encode("hi<think>", add_special=False) == [256, 260]
    assert 259 not in tokenizer.encode("hi<|im_end|>", parse_special=False)


def test_a_guarded_marker_is_text_and_the_guard_is_not(folder: Path) -> None:
    tokenizer = load_directory(folder)
    assert tokenizer.markers == {"<s>", "</s>", "<|im_end|>"}
    escaped = tokenizer.encode("hi<\ue000|im_end|><think><|im_end|>", escape="\ue000")
    assert escaped == [257, *tokenizer.encode("hi<|im_end|><think>", add_special=False, parse_special=False), 259]


def test_decoding_hides_control_tokens_only(folder: Path) -> None:
    tokenizer = load_directory(folder)
    tokens = tokenizer.encode("hi é<think><|im_end|>")
    assert tokenizer.decode(tokens) == "hi é<think>"
    assert tokenizer.decode(tokens, skip_special=False) == "<s>hi é<think><|im_end|>"


def test_roles_come_from_the_configuration_files_and_known_names(folder: Path) -> None:
    special = load_directory(folder).special
    assert (special.bos, special.eos, special.add_bos, special.add_eos) == (257, 258, True, False)
    assert special.ends == {258, 259}


def test_a_wordpiece_model_adds_its_own_marks() -> None:
    tokenizer = load_directory(model_path("minilm"))
    tokens = tokenizer.encode("Unaffable tokenizers")
    assert (tokens[0], tokens[-1]) == (tokenizer.token_id("[CLS]"), tokenizer.token_id("[SEP]"))
    assert tokenizer.decode(tokens) == "unaffable tokenizers"


def test_a_folder_without_a_tokenizer_or_with_a_broken_one_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(TokenizerError, match=r"has no tokenizer\.json"):
        load_directory(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(TokenizerError, match="can't be read"):
        load_directory(tmp_path)


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json"])
def test_a_fifo_in_a_folder_is_not_waited_for(tmp_path: Path, name: str) -> None:
    (tmp_path / "tokenizer.json").write_bytes((model_path("minilm") / "tokenizer.json").read_bytes())
    (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name)
    with pytest.raises(TokenizerError, match="is no regular file"):
        load_directory(tmp_path)


def test_ids_and_names_that_the_vocabulary_lacks_are_ignored_aloud(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [258, 99_999, -1]}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<over>"}))
    special = load_directory(folder).special
    assert 258 in special.ends
    assert special.ends.isdisjoint({99_999, -1})
    said = [record.getMessage() for record in caplog.records]
    assert [words for words in ("99999", "-1", "'<over>'") if not any(words in message for message in said)] == []
    assert all("generation_config.json" in message or "tokenizer_config.json" in message for message in said)
