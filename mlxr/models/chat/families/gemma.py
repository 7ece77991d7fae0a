"""Gemma: FunctionGemma's and Gemma 4's ``call:f{...}`` between markers, and what Gemma 3 writes when told to."""

from __future__ import annotations

from collections.abc import Collection

from mlxr.models.chat.call_forms.braces import BracesWriter
from mlxr.models.chat.call_forms.braces_reading import QUOTES, read_call
from mlxr.models.chat.call_forms.call_format import CallFormat
from mlxr.models.chat.call_forms.json_calls import bare, between
from mlxr.models.chat.families.family import Fallback, Family
from mlxr.models.chat.families.hermes import HERMES
from mlxr.models.json_schema import Schema
from mlxr.models.lark import LarkTerms
from mlxr.models.output.argument_types import ArgumentTypes
from mlxr.models.output.calls import loose_block, salvage
from mlxr.models.output.incremental_reader import Parse, Reader
from mlxr.models.output.markers import Markers
from mlxr.models.output.python_literals import dumps
from mlxr.models.output.syntax import Bare, Handler, OutputSyntax

THOUGHT = ("<|channel>thought", "<channel|>")
"""Gemma 4's, whose channels have names; it has no other so far."""
BLOCKS = {"<start_function_call>": "<end_function_call>", "<|tool_call>": "<tool_call|>"}
FENCE_END = Markers(("```",))

TEMPLATE = r"""
{{- bos_token -}}
{%- for message in messages -%}
{%- if message.role == 'system' -%}{{ raise_exception('no system turns') }}{%- endif -%}
{{ '<start_of_turn>' + ('model' if message.role == 'assistant' else message.role) + '\n' }}
{{- message.content | trim + '<end_of_turn>\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<start_of_turn>model\n' }}{%- endif -%}
"""


def calls(names: Collection[str], types: ArgumentTypes) -> OutputSyntax:
    readers: dict[str, Handler] = dict.fromkeys(BLOCKS, block)
    readers |= {"```tool_code": tool_code, "```json": json_fence(names), "<tool_call>": between("</tool_call>")}
    stray = (*BLOCKS.values(), *QUOTES, "</tool_call>", "<start_function_response>", "<end_function_response>")
    return OutputSyntax(calls=readers, stray=stray, bare=bare_or_python(names))


def block(reader: Reader, marker: str) -> Parse[None]:
    """``call:name{key:<escape>text<escape>, other:12}``, read once it is whole."""
    body, _ = yield from reader.collect(Markers((BLOCKS[marker],)))
    call = read_call(body)
    if call is None:
        found = salvage(body.strip().removeprefix("call:"))
        for name, arguments in found:
            reader.whole_call(name, arguments)
        if not found:
            reader.leftover(body)
        return
    name, values = call
    reader.whole_call(name, dumps(values))


def tool_code(reader: Reader, marker: str) -> Parse[None]:
    yield from loose_block(reader, FENCE_END)


def json_fence(names: Collection[str]) -> Handler:
    """Returns a reader: a fenced JSON block is a call if it names a known function, else part of the answer."""

    def read(reader: Reader, marker: str) -> Parse[None]:
        body, end = yield from reader.collect(FENCE_END)
        calls = salvage(body)
        if calls and all(name in names for name, _ in calls):
            for name, arguments in calls:
                reader.whole_call(name, arguments)
        else:
            reader.leftover(marker + body + end)

    return read


def bare_or_python(names: Collection[str]) -> Bare:
    """As ``bare``, and ``[f(a=1)]`` where ``f`` is a known function."""
    read_json = bare(names)
    openings = tuple(f"[{name}(" for name in sorted(names, key=len, reverse=True))

    def read(reader: Reader) -> Parse[bool]:
        reader.mark()
        yield from reader.skip_space()
        if not (yield from reader.accept(*openings)):
            if reader.cut_within(*openings):
                yield from reader.drop_rest()
                return False
            reader.rewind()
            return (yield from read_json(reader))
        reader.rewind()
        yield from loose_block(reader, Markers(("\n\n",)))
        return True

    return read


def writer(opening: str, quote: str) -> CallFormat:
    """Returns the form whose calls stand between ``opening`` and its end, with ``quote`` around strings."""

    def write(lark: LarkTerms, name: str, rule: str, schema: Schema) -> tuple[str, list[str]]:
        braces = BracesWriter(lark, rule, schema, quote, (BLOCKS[opening],))
        arguments = braces.arguments(schema)
        return f"{lark.terms(opening, f'call:{name}')} {arguments} {lark.terms(BLOCKS[opening])}", braces.rules

    return CallFormat(write, sign=opening)


FUNCTION_GEMMA = writer("<start_function_call>", "<escape>")
GEMMA4 = writer("<|tool_call>", '<|"|>')

FAMILY = Family(
    name="gemma",
    signs=(("<start_of_turn>",), ("<start_function_call>",), ("<|tool_call>",)),
    # A template without either form knows no tools: they are prompted for.
    formats=((("<start_function_call>",), FUNCTION_GEMMA), (("<|tool_call>",), GEMMA4), ((), HERMES)),
    calls=calls,
    reasoning=(THOUGHT,),
    fallbacks=(Fallback("<start_of_turn>", TEMPLATE, 0),),
)
