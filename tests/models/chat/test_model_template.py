"""The template of a model's file, where it can't be used."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mlxr.actors.registry.metadata.read_info import read_model_info
from mlxr.actors.tokenizer.settings import TokenizerSettings
from mlxr.actors.tokenizer.text import ModelText
from mlxr.models.chat import ChatError, ChatTemplate, folder_templates, load_model_template
from mlxr.models.formats.gguf.file import GGUFFile
from mlxr.models.tokenizers import load_gguf
from mlxr.runtime.engine_spec import EngineSpec
from mlxr.runtime.messages.tokenizer import ChatMessage, ChatPrompt, TextPrompt
from mlxr.runtime.model_info import ModelInfo
from tests.actors.registry.packages import safetensors
from tests.models import model_path
from tests.models.chat.conversations import HELLO
from tests.models.chat.test_templates import Vocabulary
from tests.models.rewrite import with_template

ENDLESS = "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}"
BROKEN = [
    ("ok\n{% if %}", r"does not parse: .*\(line 2\)"),
    ("{{ nothing.at.all }}", "renders no conversation: 'nothing' is undefined"),
    ("{{ raise_exception('never') }}", "renders no conversation: never"),
    ("{# empty #}", "renders no conversation: what it renders is empty"),
    ("{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}", "does not parse: it is nested too deeply"),
    ("".join(f"{{% for a{n} in messages %}}" for n in range(100)) + "{% endfor %}" * 100, "does not parse"),
    ("{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}", "renders no conversation: maximum recursion"),
    (ENDLESS, "does not come to an end"),
]


@pytest.mark.parametrize(("source", "fault"), BROKEN)
def test_a_template_that_cannot_be_used_gives_way_to_the_familys(source: str, fault: str) -> None:
    found = load_model_template({"tokenizer.chat_template": source}, Vocabulary("<|im_start|>"))
    assert re.search(fault, found.fault)
    assert found.template is not None
    assert found.template.render(ChatPrompt([HELLO])).text.startswith("<|im_start|>user\nHello?")
    assert re.search(fault, found.shown())
    # What is shown is a template itself.
    assert ChatTemplate(found.shown()).render(ChatPrompt([HELLO])).text.startswith("<|im_start|>user\nHello?")
    assert load_model_template({"tokenizer.chat_template": source}, Vocabulary("<odd>")).template is None


def test_a_template_for_tools_that_cannot_be_used_leaves_the_other() -> None:
    plain = "{% for m in messages %}{{ m.content }}{% endfor %}"
    metadata = {"tokenizer.chat_template": plain, "tokenizer.chat_template.tool_use": "{% if %}"}
    found = load_model_template(metadata, Vocabulary("<|im_start|>"))
    assert found.template is not None
    assert found.template.source == plain
    assert "for conversations with tools, the chat template does not parse" in found.fault


def test_a_template_that_can_be_used_is_the_models_own() -> None:
    metadata = GGUFFile.open(model_path("smollm2")).metadata
    found = load_model_template(metadata, load_gguf(metadata))
    assert found.fault == ""
    assert found.template is not None
    assert found.shown() == found.template.source


def test_a_request_may_bring_a_template_that_needs_its_arguments() -> None:
    template = ChatTemplate("{{ topic.name }}{{ messages[0].content }}")
    assert template.fault
    assert template.render(ChatPrompt([HELLO], template_args={"topic": {"name": "a"}})).text == "aHello?"
    with pytest.raises(ChatError, match="does not come to an end") as caught:
        ChatTemplate(ENDLESS, param="template", bounded=True)
    assert caught.value.info.param == "template"


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_template(model_path("smollm2"), "a\n{% if %}", tmp_path_factory.mktemp("broken") / "broken.gguf")


def test_a_model_whose_template_does_not_parse_completes_and_chats_by_its_familys(broken: Path) -> None:
    text = ModelText.load(TokenizerSettings(EngineSpec("m", "", str(broken), ModelInfo("gguf", "llama"))))
    assert text.encode(TextPrompt("Hi")).tokens
    assert text.encode(ChatPrompt([ChatMessage("user", "Hi")])).text.startswith("<|im_start|>user\nHi<|im_end|>")


def test_facts_of_a_model_say_that_its_template_does_not_parse(broken: Path) -> None:
    info = read_model_info(broken)
    assert info.capabilities == ["completion"]
    assert info.template.startswith("{# in the model's file, the chat template does not parse: ")
    assert "(line 2); it is not used #}" in info.template
    assert "<|im_start|>" in info.template


def test_a_chat_with_a_model_that_has_no_template_to_use_says_what_is_wrong_with_its_own(broken: Path) -> None:
    metadata = GGUFFile.open(broken).metadata
    found = load_model_template(metadata, Vocabulary("<odd>"))
    text = ModelText("tiny", load_gguf(metadata), found.template, 100, fault=found.fault)
    with pytest.raises(ChatError, match=r"'tiny' has no chat template that can be used \(.*does not parse.*line 2\)"):
        text.encode(ChatPrompt([HELLO]))
    assert text.encode(ChatPrompt([HELLO], template="{{ messages[0].content }}")).text == "Hello?"


def test_facts_of_a_folder_say_that_its_template_does_not_parse(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    (tmp_path / "model.safetensors").write_bytes(safetensors())
    (tmp_path / "chat_template.jinja").write_text("a\n{% if %}")
    assert "does not parse" in read_model_info(tmp_path).template
    (tmp_path / "chat_template.jinja").write_text("{{ messages[0].content }}")
    assert read_model_info(tmp_path).template == "{{ messages[0].content }}"


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"chat_template.jinja": "one", "tokenizer_config.json": '{"chat_template": "old"}'}, {"default": "one"}),
        ({"tokenizer_config.json": '{"chat_template": "old"}'}, {"default": "old"}),
        ({"chat_template.json": '{"chat_template": "of a processor"}'}, {"default": "of a processor"}),
        (
            {
                "tokenizer_config.json": '{"chat_template": [{"name": "default", "template": "a"}, '
                '{"name": "tool_use", "template": "b"}]}'
            },
            {"default": "a", "tool_use": "b"},
        ),
        ({"tokenizer_config.json": '{"chat_template": [3, {"name": "default"}]}'}, {}),
        ({}, {}),
    ],
)
def test_a_folder_s_templates_are_found_wherever_transformers_puts_them(
    files: dict[str, str], found: dict[str, str], tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert {name: text for name, text in folder_templates(tmp_path).items() if text} == found
