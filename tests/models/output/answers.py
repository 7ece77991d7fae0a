"""Answers in the form of each family, and what is in them. Templates are those under ``tests/data/templates``, or
a marker that stands for one."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any, NamedTuple

from msgspec import Raw

from mlxr.models.output import CallArguments, CallStart, Content, Event, Reasoning
from mlxr.models.output.events import append
from mlxr.runtime.messages.tokenizer import Tool
from tests.models.chat.conversations import DATA

SCHEMA = b"""{"type":"object","properties":{
    "city":{"type":"string"},"days":{"type":"integer"},"unit":{"enum":["C","F"]},"tags":{"type":["array","null"]},
    "note":{"anyOf":[{"type":"string"},{"type":"null"}]}}}"""
TOOLS = [Tool("get_weather", "Weather", Raw(SCHEMA)), Tool("now")]
PARIS = ("get_weather", {"city": "Paris", "days": 2})
NOW: tuple[str, dict[str, Any]] = ("now", {})


class Answer(NamedTuple):
    """``open``: the last call is cut off, and its arguments are not compared."""

    template: str
    text: str
    content: str = ""
    reasoning: str = ""
    calls: tuple[tuple[str, Any], ...] = ()
    in_reasoning: bool = False
    open: bool = False


@cache
def source(template: str) -> str:
    path = DATA / f"{template}.jinja"
    return path.read_text() if path.exists() else template


def merged(pieces: list[Event]) -> list[Event]:
    events: list[Event] = []
    for piece in pieces:
        append(events, piece)
    return events


def content(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Content))


def reasoning(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Reasoning))


def calls(events: list[Event]) -> list[tuple[str, str]]:
    """Name and argument text of every call."""
    found = [(event.name, "") for event in events if isinstance(event, CallStart)]
    for event in events:
        if isinstance(event, CallArguments):
            name, text = found[event.index]
            found[event.index] = (name, text + event.text)
    return found


HERMES = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris", "days": 2}}\n</tool_call>'
QWEN_XML = (
    "<tool_call>\n<function=get_weather>\n<parameter=city>\nParis\n</parameter>\n<parameter=days>\n2\n</parameter>\n"
    "</function>\n</tool_call>"
)
R1 = "<｜tool▁call▁begin｜>function<｜tool▁sep｜>{}\n```json\n{}\n```<｜tool▁call▁end｜>"
KIMI_CALL = "<|tool_call_begin|>functions.{}:{}<|tool_call_argument_begin|>{}<|tool_call_end|>"
GLM = "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Paris</arg_value>\n<arg_key>days</arg_key>\n"
SEED = QWEN_XML.replace("tool_call>", "seed:tool_call>")
MINIMAX = (
    '<minimax:tool_call>\n<invoke name="get_weather">\n<parameter name="city">Paris</parameter>\n'
    '<parameter name="days">2</parameter>\n</invoke>\n<invoke name="now">\n</invoke>\n</minimax:tool_call>'
)
COHERE = '{"tool_call_id": "0", "tool_name": "get_weather", "parameters": {"city": "Paris", "days": 2}}'
PARIS_JSON = '{"city": "Paris", "days": 2}'

ANSWERS = [
    # JSON between tags: Hermes, Qwen, SmolLM
    Answer("smollm2", "Paris is sunny. 1 < 2.", "Paris is sunny. 1 < 2."),
    Answer("smollm2", HERMES, calls=(PARIS,)),
    Answer("smollm2", f"Let me see.\n\n{HERMES}", "Let me see.", calls=(PARIS,)),
    Answer("smollm2", f'<tool_call>[{{"name": "get_weather", "arguments": {PARIS_JSON}}}, {{"name": "now"}}]'
           "</tool_call>", calls=(PARIS, NOW)),
    Answer("smollm3", f"<think>\nEasy.\n</think>\n\n{HERMES}", reasoning="Easy.", calls=(PARIS,)),
    Answer("qwen2.5", f'{HERMES}\n<tool_call>\n{{"name": "now", "arguments": {{}}}}\n</tool_call>', calls=(PARIS, NOW)),
    Answer("qwen2.5", '<tool_call>{"arguments": {"city": "Paris", "days": 2}, "name": "get_weather"}</tool_call>',
           calls=(PARIS,)),
    Answer("qwen2.5", '<tool_call>{"name": "now", "arguments": "{}"}</tool_call>', calls=(NOW,)),
    Answer("qwen2.5", '<tool_call>{"name": "now", "arguments": null}</tool_call>', calls=(NOW,)),
    Answer("qwen2.5", '<tool_call>{"type": "function", "function": {"name": "now", "arguments": {}}}</tool_call>',
           calls=(NOW,)),
    Answer("qwen2.5", '<tool_call>{"name": "now", "arguments": {}}}</tool_call>', calls=(NOW,)),
    Answer("qwen2.5", '<tool_call>{"name": "now", "arguments": {}}', calls=(NOW,)),
    Answer("qwen2.5", "<tool_call>{'name': 'get_weather', 'arguments': {'city': 'Paris', 'days': 2,}}</tool_call>",
           calls=(PARIS,)),
    Answer("qwen2.5", '<tool_call>get_weather(city="Paris", days=2)</tool_call>', calls=(PARIS,)),
    Answer("qwen2.5", "<tool_call>what now</tool_call> Sorry.", "what now Sorry."),
    Answer("qwen2.5", '<tool_call>{"name": 3}</tool_call>', '{"name": 3}'),
    Answer("qwen2.5", "</tool_call>Sorry.", "Sorry."),
    Answer("qwen2.5", '<tool_call>{"name": "get_weather", "arguments": {"city": "Pa', calls=(("get_weather", None),),
           open=True),
    Answer("qwen2.5", '<tool_call>{"name": "now", "arguments": {"a": [tru!]}}</tool_call> Done.', "Done.",
           calls=(("now", {"a": []}),)),
    Answer("qwen3", f"<think>\nI should look.\n</think>\n\n{HERMES}", reasoning="I should look.", calls=(PARIS,)),
    Answer("qwen3", "<think>\n\n</think>\n\nHello.", "Hello."),
    Answer("qwen3", "<think>\nNever ends", reasoning="Never ends"),
    # Tags all the way: Qwen3-Coder, GLM
    Answer("qwen3-coder", f"I'll look.\n{QWEN_XML}", "I'll look.", calls=(PARIS,)),
    Answer("qwen3-coder", f"{QWEN_XML}\n<tool_call>\n<function=now>\n</function>\n</tool_call>", calls=(PARIS, NOW)),
    Answer("qwen3-coder", QWEN_XML.removeprefix("<tool_call>\n"), calls=(PARIS,)),
    Answer("qwen3-coder", HERMES, calls=(PARIS,)),
    Answer("qwen3-coder", '<tool_call><function=get_weather><parameter=city>\na "b"\n\nc\n</parameter>'
           "<parameter=tags>\n['x', 1]\n</parameter><parameter=note>null</parameter>"
           "<parameter=unit>C</parameter></function></tool_call>",
           calls=(("get_weather", {"city": 'a "b"\n\nc', "tags": ["x", 1], "note": None, "unit": "C"}),)),
    Answer("qwen3-coder", "<tool_call>\n<function=get_weather>\n<parameter=city>\nPar", calls=(("get_weather", None),),
           open=True),
    Answer("qwen3-coder", QWEN_XML.replace("2\n</parameter>\n", "2\n"), calls=(PARIS,)),
    Answer("qwen3-coder", QWEN_XML.replace("Paris", "<b></function></b>"),
           calls=(("get_weather", {"city": "<b></function></b>", "days": 2}),)),
    Answer("<parameter=<seed:tool_call><seed:think>", f"<seed:think>Hm.</seed:think>I'll look.\n{SEED}", "I'll look.",
           reasoning="Hm.", calls=(PARIS,)),
    Answer("<parameter=<seed:tool_call>", SEED.replace("2\n</parameter>\n", "2\n"), calls=(PARIS,)),
    # A section of tagged calls: MiniMax M2
    Answer("<minimax:tool_call><think>", f"<think>Hm.</think>\n\nI'll look.\n{MINIMAX}", "I'll look.", reasoning="Hm.",
           calls=(PARIS, NOW)),
    Answer("<minimax:tool_call>", MINIMAX.removesuffix("\n</minimax:tool_call>"), calls=(PARIS, NOW)),
    Answer("<minimax:tool_call>", '<minimax:tool_call>\n<invoke name="get_weather">\n<parameter name="city">Par',
           calls=(("get_weather", None),), open=True),
    Answer("<minimax:tool_call>", "<minimax:tool_call>nothing</minimax:tool_call>", "nothing"),
    # A list of numbered calls: Command R7B
    Answer("<|START_ACTION|><|START_THINKING|>", "<|START_THINKING|>Hm.<|END_THINKING|>"
           f"<|START_ACTION|>[\n    {COHERE},\n"
           '    {"tool_call_id": "1", "tool_name": "now", "parameters": {}}\n]<|END_ACTION|>',
           reasoning="Hm.", calls=(PARIS, NOW)),
    Answer("<|START_ACTION|><|START_THINKING|>", "<|START_THINKING|>Hm.<|END_THINKING|><|START_RESPONSE|>Sunny."
           "<|END_RESPONSE|>", "Sunny.", reasoning="Hm."),
    Answer("<arg_key>", f"{GLM}<arg_value>2</arg_value>\n</tool_call>", calls=(PARIS,)),
    Answer("<arg_key>", "<tool_call>now\n</tool_call>", calls=(NOW,)),
    Answer("<arg_key>", "<tool_call>not a name</tool_call>", "not a name"),
    # Bare JSON: Llama 3
    Answer("llama-3", '{"name": "get_weather", "parameters": {"city": "Paris", "days": 2}}', calls=(PARIS,)),
    Answer("llama-3", '{"type": "function", "name": "now", "parameters": {}}', calls=(NOW,)),
    Answer("llama-3", '{"name": "now", "parameters": {}}; {"name": "now", "parameters": {}}', calls=(NOW, NOW)),
    Answer("llama-3", '<|python_tag|>{"name": "now", "parameters": {}}', calls=(NOW,)),
    Answer("llama-3", '<|python_tag|>get_weather(city="Paris", days=2)', calls=(PARIS,)),
    Answer("<|header_start|>", '<|python_start|>get_weather(city="Paris", days=2)<|python_end|>', calls=(PARIS,)),
    Answer("<|header_start|>", '{"name": "get_weather", "parameters": {"city": "Paris", "days": 2}}', calls=(PARIS,)),
    Answer("llama-3", f"<function=get_weather>{PARIS_JSON}</function>", calls=(PARIS,)),
    Answer("llama-3", '{"name": "Ada", "parameters": {}}', '{"name": "Ada", "parameters": {}}'),
    Answer("llama-3", '{"answer": 42}', '{"answer": 42}'),
    Answer("llama-3", "Plain words.", "Plain words."),
    # A name and JSON: Mistral, DeepSeek, Kimi
    Answer("mistral-nemo", f'[TOOL_CALLS][{{"name": "get_weather", "arguments": {PARIS_JSON}, "id": "abcdefghi"}}]',
           calls=(PARIS,)),
    Answer("mistral-small-3.2", f"[TOOL_CALLS]get_weather[ARGS]{PARIS_JSON}[TOOL_CALLS]now[CALL_ID]abcdefghi[ARGS]{{}}",
           calls=(PARIS, NOW)),
    Answer("mistral-small-3.2", "[TOOL_CALLS]get_weather" + PARIS_JSON, calls=(PARIS,)),
    Answer("mistral-small-3.2", "[TOOL_CALLS]I can't do that", "I can't do that"),
    Answer("mistral-small-3.2", "Ok. [TOOL_CALLS]get_wea", "Ok. "),
    Answer("mistral-small-3.2 [THINK][TOOL_CALLS]", "[THINK]Hm.[/THINK]Yes.", "Yes.", "Hm."),
    Answer("deepseek-r1-distill", f"Hm.\n</think>\n\n<｜tool▁calls▁begin｜>{R1.format('get_weather', PARIS_JSON)}\n"
           f"{R1.format('now', '{}')}<｜tool▁calls▁end｜>", reasoning="Hm.", calls=(PARIS, NOW), in_reasoning=True),
    Answer("deepseek-r1-distill", f"Hm.</think>{HERMES}", reasoning="Hm.", calls=(PARIS,), in_reasoning=True),
    Answer("deepseek-v3.1", "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>" + PARIS_JSON +
           "<｜tool▁call▁end｜><｜tool▁call▁begin｜>now<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
           calls=(PARIS, NOW)),
    Answer("<|tool_calls_section_begin|>", "Ok.<|tool_calls_section_begin|>"
           + KIMI_CALL.format("get_weather", 0, PARIS_JSON) + KIMI_CALL.format("now", 1, "{}")
           + "<|tool_calls_section_end|>", "Ok.", calls=(PARIS, NOW)),
    # JSON between the markers of an action: InternLM
    Answer("<|action_start|>", 'Ok.<|action_start|><|plugin|>\n{"name": "get_weather", "parameters": '
           + PARIS_JSON + "}\n<|action_end|>\n", "Ok.", calls=(PARIS,)),
    Answer("<|action_start|>", "<|action_start|><|plugin|>\n{\"name\": \"get_wea"),
    # Python between markers: LFM2
    Answer("<|tool_call_start|>", '<|tool_call_start|>[get_weather(city="Paris", days=2), now()]<|tool_call_end|>Wait.',
           "Wait.", calls=(PARIS, NOW)),
    # A list behind a marker: Phi-4
    Answer("phi-4-mini", f'<|tool_call|>[{{"name": "get_weather", "arguments": {PARIS_JSON}}}]<|/tool_call|>',
           calls=(PARIS,)),
    Answer("phi-4-mini", 'functools[{"name": "now", "arguments": {}}]', calls=(NOW,)),
    Answer("phi-4", HERMES, calls=(PARIS,)),
    Answer("phi-4", f'{HERMES}\n<tool_call>\n{{"name": "get_', calls=(PARIS,)),
    Answer("phi-4", "<tool_call>I need no tool", "I need no tool"),
    Answer("phi-4", "<function=get_wea"),
    Answer("<|tool_call_start|>", '<|tool_call_start|>[get_weather(city="Par'),
    # Gemma
    Answer("gemma-3", "<start_function_call>call:get_weather{city:<escape>Paris<escape>,days:2}<end_function_call>",
           calls=(PARIS,)),
    Answer("<|tool_call>", '<|tool_call>call:get_weather{city:<|"|>Paris<|"|>,days:2}<tool_call|>', calls=(PARIS,)),
    Answer("gemma-3", '<start_function_call>call:now{a:{b:[<escape>x, }<escape>,true,null]}}<end_function_call>',
           calls=(("now", {"a": {"b": ["x, }", True, None]}}),)),
    Answer("gemma-3", "<start_function_call>call:now{<escape>a b<escape>:1}<end_function_call>",
           calls=(("now", {"a b": 1}),)),
    Answer("gemma-3", "<start_function_call>call:now{a:-1e999}<end_function_call>",
           calls=(("now", {"a": -sys.float_info.max}),)),
    Answer("<|tool_call_start|>", '<|tool_call_start|>[{"name": "now", "arguments": {"a": 1e999}}]<|tool_call_end|>',
           calls=(("now", {"a": sys.float_info.max}),)),
    Answer("gemma-3", "<start_function_call>call:now{a:<escape>open<end_function_call>", "call:now{a:open"),
    Answer("gemma-3", '```tool_code\nprint(get_weather(city="Paris", days=2))\n```', calls=(PARIS,)),
    Answer("gemma-3", f'```json\n{{"name": "get_weather", "parameters": {PARIS_JSON}}}\n```', calls=(PARIS,)),
    Answer("gemma-3", 'See:\n```json\n{"a": 1}\n```\nEnd.', 'See:\n```json\n{"a": 1}\n```\nEnd.'),
    Answer("gemma-3", '[get_weather(city="Paris", days=2), now()]', calls=(PARIS, NOW)),
    Answer("gemma-3", "[1, 2]", "[1, 2]"),
    Answer("gemma-3", HERMES, calls=(PARIS,)),
    Answer("gemma-4", "<|channel>thought\nEasy.\n<channel|>Paris is sunny.", "Paris is sunny.", reasoning="Easy."),
    Answer("gemma-4", "<|channel>thought\n<channel|>Hello.", "Hello."),
    Answer("gemma-4", "<|channel>thought\nNever ends", reasoning="Never ends"),
    Answer("gemma-4", '<|channel>thought\nI should look.\n<channel|>'
           '<|tool_call>call:get_weather{city:<|"|>Paris<|"|>,days:2}<tool_call|><|tool_call>call:now{}<tool_call|>',
           reasoning="I should look.", calls=(PARIS, NOW)),
    # Harmony
    Answer("gpt-oss", "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Yes."
           "<|return|>", "Yes.", "Hm."),
    Answer("gpt-oss", "<|channel|>commentary<|message|>I'll look.<|end|><|start|>assistant<|channel|>commentary "
           f"to=functions.get_weather <|constrain|>json<|message|>{PARIS_JSON}<|call|>", "I'll look.", calls=(PARIS,)),
    Answer("gpt-oss", " to=functions.now<|channel|>commentary json<|message|>{}<|call|>", calls=(NOW,)),
    Answer("gpt-oss", "<|channel|>final<|message|>a<|message|>b<|channel|>analysis<|message|>c", "ab", "c"),
    Answer("gpt-oss", "Just text.", "Just text."),
]  # fmt: skip
