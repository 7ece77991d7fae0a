"""Modelfiles are read as Ollama's own parser reads them; most cases are its published tests'."""

from __future__ import annotations

import codecs

import pytest

from mlxr.actors.registry.modelfile.errors import ModelfileError
from mlxr.actors.registry.modelfile.parse import Instruction, parse
from mlxr.actors.registry.modelfile.text import decoded


def read(text: str) -> list[tuple[str, ...]]:
    """Keyword, name where there is one, and value of each instruction."""
    return [(*filter(None, each[:2]), each.value) for each in parse(text, "Modelfile")]


LLAMA = (
    "{{ if .System }}<|start_header_id|>system<|end_header_id|>\n\n{{ .System }}<|eot_id|>{{ end }}"
    "{{ if .Prompt }}<|start_header_id|>user<|end_header_id|>\n\n{{ .Prompt }}<|eot_id|>{{ end }}"
    "<|start_header_id|>assistant<|end_header_id|>\n\n{{ .Response }}<|eot_id|>"
)


def test_every_keyword_is_read() -> None:
    text = f"""
FROM model1
ADAPTER adapter1
LICENSE MIT
PARAMETER param1 value1
PARAMETER param2 value2
TEMPLATE \"\"\"{LLAMA}\"\"\"    
RENDERER renderer1
PARSER parser1
REQUIRES 0.14.0
DRAFT ./assistant
SYSTEM Be kind.
MESSAGE user Hey there!
"""  # noqa: W291
    assert read(text) == [
        ("FROM", "model1"),
        ("ADAPTER", "adapter1"),
        ("LICENSE", "MIT"),
        ("PARAMETER", "param1", "value1"),
        ("PARAMETER", "param2", "value2"),
        ("TEMPLATE", LLAMA),
        ("RENDERER", "renderer1"),
        ("PARSER", "parser1"),
        ("REQUIRES", "0.14.0"),
        ("DRAFT", "./assistant"),
        ("SYSTEM", "Be kind."),
        ("MESSAGE", "user", "Hey there!"),
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('FROM "FOO  BAR  "', "FOO  BAR  "),
        ("FROM     FOOO BAR    ", "FOOO BAR"),
        ("FROM /what/is/the path ", "/what/is/the path"),
        ("from foo", "foo"),
        ("From\tfoo", "foo"),
        ("FROM llama3:7b-instruct-q4_K_M", "llama3:7b-instruct-q4_K_M"),
        ("  # a comment\n\n\t FROM foo", "foo"),
        ("FROM foo # no comment", "foo # no comment"),
        ('FROM "     model 1"', "     model 1"),
    ],
)
def test_a_value_is_the_rest_of_its_line_without_space_around_it(text: str, value: str) -> None:
    assert read(text) == [("FROM", value)]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ('"""\nThis is a\nmultiline system.\n"""', "\nThis is a\nmultiline system.\n"),
        ('"""\nThis is a\nmultiline system."""', "\nThis is a\nmultiline system."),
        ('"""This is a multiline system."""', "This is a multiline system."),
        ('"""This is a multiline system.""" ', "This is a multiline system."),
        ('"""This is a multiline "system"."""', 'This is a multiline "system".'),
        ('"""\nThis is a multiline "system"."""', '\nThis is a multiline "system".'),
        ('""""This is a multiline "system"."""', '"This is a multiline "system".'),
        ('""""This is a "multiline" system.""""', '"This is a "multiline" system."'),
        ('"This is a\nmultiline" system"', 'This is a\nmultiline" system'),
        ('"a "b" c"', 'a "b" c'),
        ('""', ""),
        ('""""""', ""),
        ("'single'", "'single'"),
        ('"""# no comment\n\tFROM nothing"""', "# no comment\n\tFROM nothing"),
        ('"""a""" b"""', 'a""" b'),
    ],
)
def test_a_quoted_value_goes_on_to_the_line_that_ends_with_its_quote(written: str, value: str) -> None:
    text = f"FROM foo\nSYSTEM {written}\nLICENSE MIT"
    assert read(text) == [("FROM", "foo"), ("SYSTEM", value), ("LICENSE", "MIT")]


def test_instructions_know_their_lines() -> None:
    text = '# one\nFROM foo\nSYSTEM """a\nb\nc"""\n\nMESSAGE user """x\n"""\nLICENSE MIT'
    assert [each.line for each in parse(text, "f")] == [2, 3, 7, 9]
    assert parse(text, "f")[2] == Instruction("MESSAGE", "user", "x\n", 7)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Modelfile: has no FROM line"),
        ("PARAMETER param1 value1", "Modelfile: has no FROM line"),
        ("FROM foo\nBADCOMMAND param1 value1", "Modelfile:2: unknown keyword 'BADCOMMAND'; it may be FROM"),
        ("FROM foo\nSYSTM x", "Modelfile:2: unknown keyword 'SYSTM'; did you mean SYSTEM?"),
        ("FROM foo\nPARAMETER param1", "Modelfile:2: PARAMETER param1 has no value"),
        ("FROM foo\nPARAMETER param1  ", "Modelfile:2: PARAMETER param1 has no value"),
        ("FROM foo\nPARAMETER", "Modelfile:2: PARAMETER has no value"),
        ("FROM foo\nPARAMETER ; x", "Modelfile:2: PARAMETER begins with no name of a parameter: '; x'"),
        ("FROM foo\nMESSAGE badguy I'm a bad guy!", "Modelfile:2: the role 'badguy' is none"),
        ("FROM foo\nMESSAGE system", "Modelfile:2: MESSAGE system has no value"),
        ('FROM foo\nSYSTEM """\nThis is', "Modelfile:2: the quote that SYSTEM's value begins with is not closed"),
        ('FROM foo\nSYSTEM "open', "Modelfile:2: the quote that SYSTEM's value begins with is not closed"),
        ("FROM foo\n\n# x\n{{ .Prompt }}", "Modelfile:4: begins with no keyword: '{{ .Prompt }}'"),
        ("FROM: foo", "Modelfile:1: there is no space behind FROM"),
    ],
)
def test_what_is_wrong_is_one_line_with_file_and_line(text: str, said: str) -> None:
    with pytest.raises(ModelfileError) as wrong:
        parse(text, "Modelfile")
    assert str(wrong.value).startswith(said)
    assert "\n" not in str(wrong.value)


@pytest.mark.parametrize(
    "encoded",
    [
        "FROM bob\nSYSTEM é".encode(),
        codecs.BOM_UTF8 + "FROM bob\nSYSTEM é".encode(),
        codecs.BOM_UTF16_LE + "FROM bob\nSYSTEM é".encode("utf-16-le"),
        codecs.BOM_UTF16_BE + "FROM bob\nSYSTEM é".encode("utf-16-be"),
        "FROM bob\r\nSYSTEM é\r\n".encode(),
        "FROM bob\rSYSTEM é".encode(),
    ],
)
def test_any_encoding_with_a_mark_and_any_line_end_is_read(encoded: bytes) -> None:
    assert read(decoded(encoded, "Modelfile")) == [("FROM", "bob"), ("SYSTEM", "é")]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"FROM a\n\nSYSTEM \xff\xfe", "Modelfile:3: is not UTF-8"),
        (codecs.BOM_UTF16_LE + b"F", "is not UTF-16-LE"),
        (b"GGUF\x03\0\0\0", "is a model, no Modelfile"),
        (b"# " + b"x" * (16 << 20), "more than 16 MiB"),
    ],
)
def test_bytes_that_are_no_text_are_refused(data: bytes, said: str) -> None:
    with pytest.raises(ModelfileError, match=said):
        decoded(data, "Modelfile")
