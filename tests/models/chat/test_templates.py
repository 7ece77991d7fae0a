"""Chat templates of the model families, held against recorded renderings, and the rules around them."""

from __future__ import annotations

import json
import sys
from datetime import datetime

import msgspec
import pytest
from msgspec import Raw

from mlxr.models.chat import ChatError, ChatTemplate, find_source, no_template
from mlxr.models.chat.capabilities import capabilities
from mlxr.models.formats.gguf.file import GGUFFile
from mlxr.models.tokenizers import SpecialTokens, load_gguf
from mlxr.runtime.messages.common import ErrorCode
from mlxr.runtime.messages.tokenizer import ChatMessage, ChatPrompt, Tool, ToolCall
from tests.models import model_path
from tests.models.chat.conversations import (
    CALLS,
    CONVERSATIONS,
    DATA,
    HELLO,
    NAMES,
    SYSTEM,
    TOOL_TURNS,
    TOOLS,
    prompt_of,
    template,
)

CHATML = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


@pytest.mark.parametrize("name", NAMES)
def test_each_family_renders_what_transformers_renders(name: str) -> None:
    recorded = json.loads((DATA / f"{name}.json").read_text())
    conversations = json.loads((DATA / "conversations.json").read_text())
    assert len(recorded) >= len(conversations) - 3
    chat = template(name)
    for title, text in recorded.items():
        assert chat.render(prompt_of(conversations[title])).text == text, title


@pytest.mark.parametrize("name", NAMES)
def test_nothing_of_a_conversation_with_tools_gets_lost(name: str) -> None:
    turns = [*TOOL_TURNS, ChatMessage("assistant", "Wet and dry."), ChatMessage("user", "Thanks.")]
    text = template(name).render(ChatPrompt([SYSTEM, *turns], tools=TOOLS)).text
    for part in ("Be kind.", "Weather of a city", "Paris", "Rome", "rain", "sun", "Wet and dry.", "Thanks."):
        assert part in text, part


def test_a_prompt_that_opens_reasoning_says_so() -> None:
    assert template("deepseek-r1-distill").render(ChatPrompt([HELLO])).in_reasoning
    assert not template("qwen3").render(ChatPrompt([HELLO])).in_reasoning


def test_tools_stay_out_of_the_prompt_when_none_may_be_called() -> None:
    text = template("qwen3").render(ChatPrompt([HELLO], tools=TOOLS, tool_choice="none")).text
    assert "get_weather" not in text


def test_a_system_text_goes_into_the_first_turn_where_there_is_no_such_role() -> None:
    source = CHATML.replace(
        "{% for m", "{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif %}{% for m"
    )
    assert ChatTemplate(source).render(ChatPrompt([SYSTEM, HELLO])).text == "<user>Be kind.\n\nHello?<assistant>"


def test_a_system_text_is_not_dropped_by_a_template_that_ignores_the_role() -> None:
    source = CHATML.replace("in messages", "in messages if m.role != 'system'")
    assert "Be kind." in ChatTemplate(source).render(ChatPrompt([SYSTEM, HELLO])).text


def test_developer_is_system_to_a_template_that_does_not_know_it() -> None:
    prompt = ChatPrompt([ChatMessage("developer", "Be brief."), HELLO])
    assert ChatTemplate(CHATML).render(prompt).text == "<system>Be brief.<user>Hello?<assistant>"
    assert "# Instructions\n\nBe brief." in template("gpt-oss").render(prompt).text


def test_neighbours_of_one_role_are_merged_only_where_turns_must_alternate() -> None:
    prompt = ChatPrompt([HELLO, ChatMessage("user", "Anyone?")])
    assert "Hello?\n\nAnyone?" in template("gemma-3").render(prompt).text
    assert "<|im_end|>\n<|im_start|>user\nAnyone?" in template("qwen3").render(prompt).text


def test_content_is_given_as_parts_where_the_template_reads_only_those() -> None:
    source = "{% for m in messages %}{% for part in m.content %}{{ part.text }}{% endfor %}{% endfor %}"
    assert ChatTemplate(source).render(ChatPrompt([HELLO])).text == "Hello?"


def test_reasoning_of_past_turns_reaches_templates_that_keep_it() -> None:
    turns = [HELLO, ChatMessage("assistant", reasoning="Look it up.", tool_calls=CALLS[:1])]
    prompt = ChatPrompt([*turns, ChatMessage("tool", "rain", tool_call_id=CALLS[0].id)], tools=TOOLS)
    assert "<think>\nLook it up.\n</think>" in template("qwen3").render(prompt).text


def test_template_arguments_reach_the_template() -> None:
    source = "{{ greeting }} {{ messages[0].content }}"
    assert ChatTemplate(source).render(ChatPrompt([HELLO], template_args={"greeting": "Oi"})).text == "Oi Hello?"


def test_effort_reaches_templates_that_know_it() -> None:
    chat = template("gpt-oss")
    assert "Reasoning: high" in chat.render(ChatPrompt([HELLO], reasoning_effort="high")).text
    assert "Reasoning: low" in chat.render(ChatPrompt([HELLO], reasoning_effort="none")).text
    assert "Reasoning: medium" in chat.render(ChatPrompt([HELLO])).text


def test_calls_are_text_in_the_models_own_notation_where_the_template_shows_only_text() -> None:
    source = CHATML + "{% if tools %}<|tool_list_start|>{{ tools | tojson }}{% endif %}"
    text = ChatTemplate(source).render(ChatPrompt(TOOL_TURNS, tools=TOOLS)).text
    assert "<|tool_call_start|>[get_weather(city='Paris', days=2)]<|tool_call_end|>" in text


def test_the_conventions_of_hugging_face_templates_hold() -> None:
    source = (
        "{% generation %}{{ {'b': 'é<', 'a': 1} | tojson }}{% endgeneration %}"
        "{% for m in messages %}{% if loop.index > 1 %}{% break %}{% endif %}\n    {{ m.content }}{% endfor %}"
        "{{ strftime_now('%Y-%m-%d') }}{{ bos_token }}"
    )
    chat = ChatTemplate(source, bos="<s>", clock=lambda: datetime(2026, 1, 2))
    assert chat.render(ChatPrompt([HELLO, HELLO])).text == '{"b": "é<", "a": 1}    Hello?2026-01-02<s>'


def test_other_threads_have_their_turn_between_the_copies_that_an_expression_makes_of_a_text() -> None:
    template = ChatTemplate("{{ '<' + messages[0].content + '>' + '\n' }}")
    turns: list[str] = []
    sys.setprofile(lambda frame, event, argument: turns.append(frame.f_code.co_name) if event == "call" else None)
    try:
        template.render(ChatPrompt([ChatMessage("user", "text")]))
    finally:
        sys.setprofile(None)
    # The interpreter lets another thread in where a function of Python's is called, and between no two additions.
    assert turns.count("call_binop") == 3


def test_the_template_with_tools_is_used_for_tools_only() -> None:
    chat = ChatTemplate("plain{{ messages[0].content }}", tool_source="tools{{ tools[0].function.name }}")
    assert chat.render(ChatPrompt([HELLO])).text == "plainHello?"
    assert chat.render(ChatPrompt([HELLO], tools=TOOLS)).text == "toolsget_weather"


def test_a_continued_message_keeps_its_last_space() -> None:
    prompt = ChatPrompt([HELLO, ChatMessage("assistant", "Hello? I said ")], continue_final=True)
    assert template("qwen3").render(prompt).text.endswith("Hello? I said ")
    with pytest.raises(ChatError, match="not an assistant's"):
        template("qwen3").render(ChatPrompt([HELLO], continue_final=True))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("after", [ChatMessage("tool", "no JSON", tool_call_id="1"), ChatMessage("user", "Go on.")])
def test_a_call_whose_arguments_were_cut_off_is_shown_as_far_as_it_goes(name: str, after: ChatMessage) -> None:
    text = template(name).render(ChatPrompt([HELLO, calling('{"city": "Par'), after], tools=TOOLS)).text
    assert "Par" in text
    assert after.content in text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("qwen3", '"arguments": {"city": "Par}'),
        ("qwen3-coder", '<parameter=raw>\n{"city": "Par\n</parameter>'),
        ("gemma-3", '"arguments": {"city": "Par}'),
    ],
)
def test_arguments_that_were_cut_off_are_the_text_that_they_are_or_stand_in_an_object(name: str, shown: str) -> None:
    assert shown in template(name).render(ChatPrompt([HELLO, calling('{"city": "Par')], tools=TOOLS)).text


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ("", "rain"),
        ("null", "rain"),
        ('"null"', "rain"),
        ("[17]", "[17]"),
        ("1234567", "1234567"),
        ("true", "true"),
        (json.dumps(json.dumps({"city": "Par"})), "Par"),
        (json.dumps(json.dumps(json.dumps({"city": "Par"}))), "Par"),
        ("[" * 100_000, "[[[["),
    ],
)
def test_a_conversation_goes_on_after_a_call_whose_arguments_are_no_object(
    name: str, arguments: str, shown: str
) -> None:
    turns = [HELLO, calling(arguments), ChatMessage("tool", "rain", tool_call_id="1"), ChatMessage("user", "Go on.")]
    text = template(name).render(ChatPrompt(turns, tools=[*TOOLS, Tool("f")])).text
    for part in (shown, "rain", "Go on."):
        assert part in text
    assert '\\"city' not in text


def test_tools_are_text_to_a_template_that_calls_them_functions_and_the_day_is_given() -> None:
    """As in firefunction, which puts both into its system text whether there are tools or not."""
    source = (
        "{% for m in messages %}{% if loop.first %}<system>"
        "{{ 'Functions:\\n' + functions + '\\nToday is ' + datetime }}"
        "{% endif %}<{{ m.role }}>{{ m.content }}{% for c in m.tool_calls or [] %}"
        "{{ c.function.name }}{{ c.function.arguments | tojson }}{% endfor %}{% endfor %}"
    )
    chat = ChatTemplate(source, clock=lambda: datetime(2026, 1, 2))
    assert chat.capabilities.tools == "functions"
    assert chat.render(ChatPrompt([HELLO])).text == "<system>Functions:\n\nToday is Jan 02 2026<user>Hello?"
    text = chat.render(ChatPrompt(TOOL_TURNS, tools=TOOLS)).text
    listed = json.loads(text[text.index("\n") : text.index("\nToday")])
    assert [tool["function"]["name"] for tool in listed] == ["get_weather", "now"]
    assert 'get_weather{"city": "Paris", "days": 2}' in text


def test_the_date_is_known_to_templates_that_have_a_fixed_one_without() -> None:
    source = "{% if not date_string is defined %}{% set date_string = '26 Jul 2024' %}{% endif %}{{ date_string }}"
    chat = ChatTemplate(source + "{{ messages[0].content }}", clock=lambda: datetime(2026, 1, 2))
    assert chat.render(ChatPrompt([HELLO])).text == "02 Jan 2026Hello?"
    assert chat.render(ChatPrompt([HELLO], template_args={"date_string": "today"})).text == "todayHello?"


def test_a_template_that_is_only_for_tools_takes_a_conversation_without() -> None:
    source = "{% for t in tools %}{{ t.function.name }}{% endfor %}{% for m in messages %}{{ m.content }}{% endfor %}"
    assert ChatTemplate(source).render(ChatPrompt([HELLO])).text == "Hello?"


def test_tools_without_descriptions_have_empty_ones_where_a_template_insists() -> None:
    source = (
        "{% for t in tools or [] %}{% set f = t.function %}{{ f.name + f.description }}"
        "{% for n, p in f.parameters.properties.items() %}({{ n + ':' + p.description }}){% endfor %}{% endfor %}"
        "{% for m in messages %}{{ m.content }}{% endfor %}"
    )
    properties = {"type": {"type": "string"}, "x": {"type": "array", "items": {"type": "string"}}}
    schema = json.dumps({"type": "object", "properties": properties}).encode()
    text = ChatTemplate(source).render(ChatPrompt([HELLO], tools=[Tool("f", parameters=schema)])).text
    assert text == "f(type:)(x:)Hello?"


def test_calls_and_results_without_ids_belong_together_in_their_order() -> None:
    calls = [ToolCall(None, "f", '{"x": 1}'), ToolCall(None, "g", '{"y": 2}')]
    turns = [HELLO, ChatMessage("assistant", tool_calls=calls), ChatMessage("tool", "one"), ChatMessage("tool", "two")]
    text = template("llama-3").render(ChatPrompt(turns, tools=TOOLS)).text
    places = [text.index(part) for part in ('"x": 1', "one", '"y": 2', "two")]
    assert places == sorted(places)


def test_a_call_without_a_result_is_said_where_the_template_insists_on_one() -> None:
    text = template("mistral-nemo").render(ChatPrompt([HELLO, calling("{}"), ChatMessage("user", "Go on.")])).text
    assert '{"name": "f", "arguments": {}}' in text


def test_parts_of_neighbours_are_merged_where_the_template_reads_only_parts() -> None:
    source = (
        "{% for m in messages %}{% if loop.index > 1 %}{{ raise_exception('one turn') }}{% endif %}"
        "{% for part in m.content %}<{{ part.text }}>{% endfor %}{% endfor %}"
    )
    assert ChatTemplate(source).render(ChatPrompt([HELLO, HELLO])).text == "<Hello?><Hello?>"


def test_an_answer_is_not_opened_where_the_request_wants_none() -> None:
    prompt = ChatPrompt([HELLO], reasoning_effort="none")
    assert ChatTemplate(CHATML).render(msgspec.structs.replace(prompt, opens_answer=False)).text == "<user>Hello?"
    for name in ("qwen3", "deepseek-r1-distill"):
        opened, plain = (
            template(name).render(msgspec.structs.replace(prompt, opens_answer=opens)).text for opens in (True, False)
        )
        assert opened.startswith(plain)
        assert len(opened) > len(plain)


def calling(arguments: str) -> ChatMessage:
    return ChatMessage("assistant", tool_calls=[ToolCall("1", "f", arguments)])


@pytest.mark.parametrize(
    ("prompt", "message", "param"),
    [
        (ChatPrompt([]), "messages is empty", "messages"),
        (ChatPrompt([ChatMessage("assistant", "first")]), "turns must alternate", "messages"),
        (ChatPrompt([HELLO], tools=[Tool("f", parameters=Raw(b"[1]"))]), "not a JSON schema object", "tools"),
        (ChatPrompt([HELLO], tools=[Tool("f", parameters=Raw(b"{"))]), "'f' are not JSON", "tools"),
    ],
)
def test_a_conversation_that_cannot_be_rendered_is_a_bad_request(prompt: ChatPrompt, message: str, param: str) -> None:
    with pytest.raises(ChatError, match=message) as caught:
        template("gemma-3").render(prompt)
    assert caught.value.info.code == ErrorCode.INVALID
    assert caught.value.info.param == param


def test_a_template_that_does_not_parse_is_a_bad_request_with_the_line() -> None:
    with pytest.raises(ChatError, match=r"does not parse.*line 2") as caught:
        ChatTemplate("ok\n{% if %}", param="chat_template")
    assert caught.value.info.param == "chat_template"


def test_a_template_cannot_reach_out_of_its_sandbox() -> None:
    chat = ChatTemplate("{{ ''.__class__.__mro__ }}{{ messages[0].content }}")
    with pytest.raises(ChatError, match="refuses"):
        chat.render(ChatPrompt([HELLO]))


def test_a_model_without_a_template_gets_its_familys_by_its_vocabulary() -> None:
    tokenizer = load_gguf(GGUFFile.open(model_path("gemma3")).metadata)
    source = find_source({}, tokenizer)
    assert source is not None
    assert source.builtin
    text = ChatTemplate(source.text, bos="<bos>").render(ChatPrompt([SYSTEM, HELLO])).text
    assert text == "<bos><start_of_turn>user\nBe kind.\n\nHello?<end_of_turn>\n<start_of_turn>model\n"


@pytest.mark.parametrize(
    ("marker", "opening"),
    [
        ("<|im_start|>", "<|im_start|>user\nHello?<|im_end|>\n<|im_start|>assistant\n"),
        ("<|im_sep|>", "<|im_start|>user<|im_sep|>Hello?<|im_end|><|im_start|>assistant<|im_sep|>"),
        (
            "<|start_header_id|>",
            "<s><|start_header_id|>user<|end_header_id|>\n\nHello?<|eot_id|><|start_header_id|>assistant",
        ),
        ("[INST]", "<s>[INST] Hello?[/INST]"),
        ("<|header_start|>", "<s><|header_start|>user<|header_end|>\n\nHello?<|eot|><|header_start|>assistant"),
        ("<|observation|>", "[gMASK]<sop><|user|>\nHello?<|assistant|>\n"),
        ("<seed:bos>", "<seed:bos>user\nHello?<seed:eos><seed:bos>assistant\n"),
        ("[|endofturn|]", "[|user|]Hello?\n[|assistant|]"),
        ("<|CHATBOT_TOKEN|>", "<s><|START_OF_TURN_TOKEN|><|USER_TOKEN|>Hello?<|END_OF_TURN_TOKEN|>"),
        ("<｜Assistant｜>", "<s><｜User｜>Hello?<｜Assistant｜>"),
        ("<|assistant|>", "<|user|>\nHello?<|end|>\n<|assistant|>\n"),
    ],
)
def test_every_family_has_a_template_to_fall_back_on(marker: str, opening: str) -> None:
    source = find_source({}, Vocabulary(marker))
    assert source is not None
    assert ChatTemplate(source.text, bos="<s>").render(ChatPrompt([HELLO])).text.startswith(opening)
    assert ChatTemplate(source.text).render(CONVERSATIONS["plain"])


def test_a_model_of_no_known_family_has_no_template() -> None:
    assert find_source({}, Vocabulary("<odd>")) is None
    assert "/v1/completions" in str(no_template("tiny"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("smollm2", ["completion", "tools"]),
        ("smollm3", ["completion", "tools", "thinking"]),
        ("qwen3", ["completion", "tools", "thinking"]),
        ("qwen3-coder", ["completion", "tools"]),
        ("mistral-nemo", ["completion", "tools"]),
        ("gemma-3", ["completion"]),
        ("gemma-4", ["completion", "tools", "thinking"]),
        ("phi-4", ["completion"]),
        ("phi-4-mini", ["completion", "tools"]),
        ("deepseek-r1-distill", ["completion", "thinking"]),
        ("gpt-oss", ["completion", "tools", "thinking"]),
    ],
)
def test_capabilities_are_what_the_template_shows(name: str, expected: list[str]) -> None:
    assert capabilities(template(name), Vocabulary("")).names() == expected


def test_a_vocabulary_without_a_template_can_only_complete() -> None:
    found = capabilities(None, Vocabulary(""))
    assert found.names() == ["completion"]


class Vocabulary:
    """A tokenizer of which only the names of tokens matter."""

    special = SpecialTokens()
    vocab_size = 1
    strips_space = False
    markers = frozenset[str]()

    def __init__(self, token: str) -> None:
        self._token = token

    def token_id(self, text: str) -> int | None:
        return 0 if text == self._token else None

    def token_bytes(self, token: int) -> bytes:
        return self._token.encode()

    def encode(self, text: str, *, add_special: bool = True, parse_special: bool = True, escape: str = "") -> list[int]:
        return []

    def decode(self, tokens: object, *, skip_special: bool = True) -> str:
        return ""
