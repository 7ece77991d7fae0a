"""Configuration: a TOML file, ``MLXR_*`` variables and flags, each overriding the one before, all validated by name.

A configuration is a frozen struct whose fields are sections, each a frozen struct of its own; this module fills any
such struct. Keys live in sections (``[scheduler] token_budget``); the variable of a key is
``MLXR_SCHEDULER_TOKEN_BUDGET``; which flags there are is the command's affair.
"""

from __future__ import annotations

import difflib
import math
import re
import tomllib
import typing
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar, get_type_hints

import msgspec
from msgspec import Meta, Struct

from mlxr.runtime.durations import FORMS, duration_seconds, is_duration
from mlxr.runtime.errors import ConfigError

RESERVED = ("MLXR_HOME", "MLXR_CONFIG", "MLXR_HOST", "MLXR_API_KEY", "MLXR_API_KEY_FILE")
"""Variables that are no configuration keys."""

C = TypeVar("C", bound=Struct)

Positive = Annotated[int, Meta(ge=1)]
NotNegative = Annotated[int, Meta(ge=0)]


class Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of the sections. Each is declared, with its defaults and bounds, by the room that it is for, and is part of
    that room's settings; ``about`` says what each key means."""


Tree = dict[str, dict[str, Any]]
Sections = dict[str, type[Struct]]


class Flag(NamedTuple):
    """A flag as it is spelled, the ``section.key`` that it sets, and its value or the text of one; None: not given."""

    name: str
    key: str
    value: object


def load(
    kind: type[C],
    file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Iterable[Flag] = (),
) -> C:
    """Returns a ``kind`` from all sources, weakest first: its defaults, ``file``, ``environment``, ``flags`` in their
    order.

    Raises ``ConfigError`` naming the source, the key and what is accepted.
    """
    config = kind()
    if file is not None:
        config = from_file(config, file)
    for name, value in sorted((environment or {}).items()):
        if name.startswith("MLXR_") and name not in RESERVED:
            section, key = key_of_variable(sections_of(kind), name)
            config = _apply(config, {section: {key: value}}, name, text=True)
    for flag in flags:
        if flag.value is not None:
            section, _, key = flag.key.partition(".")
            config = _apply(config, {section: {key: flag.value}}, flag.name, text=isinstance(flag.value, str))
    return config


def about(text: str) -> msgspec.Meta:
    """Returns what a section or a key is for, in a few words, to be put into its ``Annotated`` type."""
    return msgspec.Meta(description=text)


def as_toml(kind: type[Struct]) -> str:
    """Returns every key of ``kind`` with its default, and what it is for, as TOML."""
    defaults = kind()
    lines: list[str] = []
    for name, section in sections_of(kind).items():
        lines += ["", _line(f"[{name}]", description(kind, name))]
        for key, value in msgspec.to_builtins(getattr(defaults, name)).items():
            lines.append(_line(f"{key} = {toml_value(value)}", description(section, key)))
    return "\n".join([*lines[1:], ""])


def description(kind: type[Struct], field: str) -> str | None:
    metas = getattr(get_type_hints(kind, include_extras=True)[field], "__metadata__", ())
    return next((meta.description for meta in metas if isinstance(meta, msgspec.Meta) and meta.description), None)


def _line(text: str, comment: str | None) -> str:
    return f"{text:<29} # {comment}" if comment else text


def toml_value(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(toml_value, value))}]"
    # What JSON writes of texts, numbers and truth is TOML, too.
    return msgspec.json.encode(value).decode()


def sections_of(kind: type[Struct]) -> Sections:
    """Returns the type of every section, by name."""
    return get_type_hints(kind)


def from_file(config: C, file: Path) -> C:
    """Returns ``config`` with what ``file`` gives. Raises ``ConfigError`` naming the file and the line."""
    return from_text(config, read_file(file), str(file))


def from_text(config: C, text: str, file: str) -> C:
    """Returns ``config`` with what the text of ``file`` gives."""
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file} is not TOML: {error}") from error
    return _apply(config, tree, lambda section, key: f"{file}{line_of(text, section, key)}")


def read_file(file: Path) -> str:
    """Returns the text of a configuration file. Raises ``ConfigError``."""
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"can't read the configuration {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not TOML: {error}") from error


def line_of(text: str, section: str, key: str) -> str:
    """Returns ``:12`` for what stands in line 12 of a TOML text; an empty key is for the section's head, and an empty
    text is returned for what is written in a way that this does not find."""
    current = ""
    for number, line in enumerate(text.splitlines(), 1):
        if head := re.match(r"\s*\[\s*[\"']?([\w-]+)[\"']?\s*[].]", line):
            current = head[1]
            if current == section and not key:
                return f":{number}"
        elif found := re.match(r"\s*[\"']?([\w-]+)[\"']?\s*(\.\s*[\"']?([\w-]+)[\"']?\s*)?=", line):
            names = (found[1], found[3] or "") if not current else (current, found[1])
            if names == (section, key) or (not current and not key and found[1] == section):
                return f":{number}"
    return ""


Place = Callable[[str, str], str]
"""Says where a section and a key of it were set, the key being empty for the whole."""


def _apply(config: C, tree: Tree, source: str | Place, *, text: bool = False) -> C:
    """Returns ``config`` with what ``tree`` gives. ``text``: values are texts of what their keys take."""
    place: Place = source if callable(source) else lambda section, key: source
    sections = sections_of(type(config))
    changed: dict[str, Struct] = {}
    for name, values in tree.items():
        if name not in sections:
            known = did_you_mean(name, sections, "[{}]") or f"there are {', '.join(sections)}"
            raise ConfigError(f"{place(name, '')}: there is no section [{name}]; {known}")
        if not isinstance(values, dict):
            raise ConfigError(f"{place(name, '')}: [{name}] is a section, not a value")
        if text:
            expected = get_type_hints(sections[name])
            values = {key: from_argument(expected.get(key), value) for key, value in values.items()}
        changed[name] = _section(sections[name], name, getattr(config, name), values, place)
    return msgspec.structs.replace(config, **changed)


def _section(kind: type[Struct], name: str, current: Struct, values: dict[str, Any], place: Place) -> Struct:
    values = {key: _in_seconds(kind, key, value) if isinstance(value, str) else value for key, value in values.items()}
    for key in values:
        if key not in kind.__struct_fields__:
            fields = kind.__struct_fields__
            known = did_you_mean(key, fields, f"{name}.{{}}") or f"it has {', '.join(fields)}"
            raise ConfigError(f"{place(name, key)}: [{name}] has no key {key}; {known}")
        if odd := _odd_text(values[key]):
            why = f"{key} is one plain line, and {odd!r} has control characters"
            raise ConfigError(_placed(place(name, key), name, why))
        if isinstance(values[key], float) and not math.isfinite(values[key]):
            raise ConfigError(_placed(place(name, key), name, f"{key} takes a number with an end, not {values[key]}"))
    try:
        return msgspec.convert({**msgspec.to_builtins(current), **values}, kind)
    except msgspec.ValidationError as error:
        key = str(error).partition(" - at `$.")[2].rstrip("`").split("[")[0]
        raise ConfigError(_placed(place(name, key), name, _explain(kind, error, values.get(key)))) from error


def _in_seconds(kind: type[Struct], key: str, text: str) -> object:
    """Returns the seconds that a duration's text says. What is none stays text, and so does what is for another
    kind of key."""
    if is_duration(get_type_hints(kind, include_extras=True).get(key)):
        try:
            return duration_seconds(text)
        except ValueError:
            pass
    return text


def _placed(place: str, section: str, why: str) -> str:
    """Returns an error about a key, which ``why`` begins with, and where it was set: that may be its very name."""
    return f"{section}.{why}" if place == f"{section}.{re.match('[a-z_]*', why)[0]}" else f"{place}: [{section}] {why}"  # type: ignore[index]


def _odd_text(value: object) -> str:
    """Returns the text in ``value`` that is more than one line, or would give orders to a terminal; '' for none."""
    texts = value if isinstance(value, list) else [value]
    return next((text for text in texts if isinstance(text, str) and not text.isprintable()), "")


_KINDS = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "a text"}


def _explain(kind: type[Struct], error: msgspec.ValidationError, value: object) -> str:
    """msgspec's message behind the key's name, with the accepted values where they can be counted; of a ``value`` of
    another type what is wanted in its place."""
    text, _, place = str(error).partition(" - at `$.")
    key = place.rstrip("`").split("[")[0]
    expected = get_type_hints(kind).get(key)
    if (wanted := re.fullmatch(r"Expected `(\w+)`, got `\w+`", text)) and wanted[1] in _KINDS and "[" not in place:
        what = description(kind, key)
        is_time = is_duration(get_type_hints(kind, include_extras=True).get(key))
        return f"{key} takes {FORMS if is_time else _KINDS[wanted[1]]}, not {value!r}{f'; {what}' if what else ''}"
    if (bound := re.fullmatch(r"Expected `(\w+)` ([<>]=) (\S+)", text)) and bound[1] in _KINDS and "[" not in place:
        return f"{key} takes {_KINDS[bound[1]]}, {bound[3]} or {'less' if bound[2] == '<=' else 'more'}, not {value!r}"
    if text.startswith("Expected `str` matching regex"):
        return f"{key} can't be {value!r}; {description(kind, key) or text}"
    choices = typing.get_args(expected) if typing.get_origin(expected) is typing.Literal else ()
    good = f"; good values are {', '.join(map(str, choices))}" if choices else ""
    return f"{key}: {text}{good}" if key else text


def key_of_variable(sections: Sections, name: str) -> tuple[str, str]:
    """Returns the section and key that a variable sets. Raises ``ConfigError``."""
    section, _, key = name.removeprefix("MLXR_").lower().partition("_")
    if section not in sections or key not in sections[section].__struct_fields__:
        every = [f"{part}_{known}".upper() for part in sections for known in sections[part].__struct_fields__]
        short = name.removeprefix("MLXR_")
        there_are = (
            f"[{section}] has {', '.join(sections[section].__struct_fields__)}"
            if section in sections
            else f"the sections are {', '.join(sections)}"
        )
        known = did_you_mean(short, every, "MLXR_{}") or f"variables are MLXR_SECTION_KEY, and {there_are}"
        raise ConfigError(f"{name} sets nothing; {known}")
    return section, key


def did_you_mean(name: str, known: Iterable[str], spelled: str) -> str:
    """Returns a question that names what is nearest to ``name``, '' if nothing is near."""
    known = list(known)
    # A section that was left out is no matter of letters.
    near = [full for full in known if full.endswith(f"_{name}")] or difflib.get_close_matches(name, known, 1)
    return f"did you mean {spelled.format(near[0])}?" if near else ""


def from_argument(expected: object, text: str) -> object:
    """Returns a text as its key takes it; lists are separated by commas. What does not fit stays text, to be
    refused."""
    flags = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    if expected is bool:
        return flags.get(text.strip().lower(), text)
    if expected == list[str]:
        return [part.strip() for part in text.split(",") if part.strip()]
    if expected is str:
        return text
    return _number(text)


def _number(text: str) -> object:
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return text
