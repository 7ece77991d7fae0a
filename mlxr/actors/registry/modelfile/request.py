"""What a Modelfile asks for: the fields of Ollama's create request, with files by their paths."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlxr.actors.registry.modelfile.errors import ModelfileError
from mlxr.actors.registry.modelfile.parameters import DEPRECATED, PARAMETERS, parsed
from mlxr.actors.registry.modelfile.parse import Instruction
from mlxr.models import names
from mlxr.models.chat.renderers import require_parser, require_renderer

_VERSION = re.compile(r"v?(\d+(\.\d+){0,2}(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?)")


@dataclass(slots=True)
class ModelfileRequest:
    """What to make a model of.

    Attributes:
        from_: the name of a model to start from; empty where files are.
        files: paths of files and folders to start from.
        adapters: paths of files and folders of adapters.
        fields: the other fields of a create request, by their names there.
        lines: where each field was given; a parameter's under ``parameters.NAME``.
        remarks: what was left out, and why.
    """

    from_: str = ""
    files: list[Path] = field(default_factory=list)
    adapters: list[Path] = field(default_factory=list)
    fields: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def interpreted(instructions: Sequence[Instruction], folder: Path, file: str) -> ModelfileRequest:
    """Returns the request. ``folder``: where relative paths begin. Looks for the files that are named, and raises
    ``ModelfileError`` for one that is not there, and for a value that its keyword does not take."""
    request = ModelfileRequest()
    for instruction in instructions:
        try:
            _take(request, instruction, folder, file)
        except ValueError as error:
            raise ModelfileError(file, instruction.line, str(error)) from None
    if "renderer" in request.fields and "template" in request.fields:
        request.remarks.append(f"{file}:{request.lines['template']}: TEMPLATE is not used where there is a RENDERER")
    return request


def _take(request: ModelfileRequest, instruction: Instruction, folder: Path, file: str) -> None:
    keyword, name, value, line = instruction
    field = keyword.lower()
    match keyword:
        case "FROM":
            _take_from(request, value, folder)
        case "ADAPTER":
            request.adapters.append(_require_path(keyword, value, folder))
            field = "adapters"
        case "DRAFT":
            # It is read where it lies, as a model that is named by its path is.
            path = _require_path(keyword, value, folder).resolve()
            request.fields.setdefault("parameters", {})["draft_model"] = str(path)
            field = "parameters.draft_model"
        case "PARAMETER":
            field = f"parameters.{name}"
            if name in DEPRECATED and name not in PARAMETERS:
                request.remarks.append(f"{file}:{line}: the parameter {name} is deprecated; it is left out")
            else:
                _take_parameter(request.fields.setdefault("parameters", {}), name, value)
        case "MESSAGE":
            request.fields.setdefault("messages", []).append({"role": name, "content": value})
            field = "messages"
        case "LICENSE":
            request.fields.setdefault("license", []).append(value)
        case "RENDERER":
            request.fields[field] = require_renderer(value)
        case "PARSER":
            request.fields[field] = require_parser(value)
        case "REQUIRES":
            request.fields[field] = _version(value)
        case _:
            request.fields[field] = value
    request.lines[field] = line


def _take_from(request: ModelfileRequest, value: str, folder: Path) -> None:
    path = _path(value, folder)
    if _is_path(value) or path.is_file() or _holds_model(path):
        request.files.append(_require_path("FROM", value, folder))
        if request.from_:
            raise ValueError(f"FROM names a file beside the model {request.from_!r}; a model has one beginning")
        return
    if request.files:
        raise ValueError(f"FROM names the model {value[:80]!r} beside files; a model has one beginning")
    if not names.plain(value):
        raise ValueError(f"FROM is neither a model's name nor a file: {names.quoted(value)}")
    request.from_ = value


def _take_parameter(parameters: dict[str, Any], name: str, value: str) -> None:
    made = parsed(name, value)
    if PARAMETERS[name].several:
        parameters.setdefault(name, []).append(made)
    else:
        parameters[name] = made


def _require_path(keyword: str, value: str, folder: Path) -> Path:
    path = _path(value, folder)
    if not path.exists():
        raise ValueError(f"{keyword}: there is no file or folder {names.quoted(value)}{_beside(value, path)}")
    if not os.access(path, os.R_OK):
        raise ValueError(f"{keyword}: {names.quoted(value)} can't be read; look at its permissions")
    if not (path.is_file() or path.is_dir()):
        raise ValueError(f"{keyword}: {names.quoted(value)} is neither a file nor a folder")
    return path


def _beside(value: str, path: Path) -> str:
    return "" if str(path) == value else f" ({names.escaped(str(path))})"


def _path(value: str, folder: Path) -> Path:
    try:
        path = Path(value).expanduser()
    except RuntimeError as error:  # of a user that is not there
        raise ValueError(f"{names.quoted(value)}: {error}") from None
    return path if path.is_absolute() else folder / path


def _is_path(value: str) -> bool:
    """Returns whether ``value`` is written as a path, and can be no name."""
    return names.local_file(value) is not None or value.startswith("~") or value.endswith(".safetensors")


def _holds_model(path: Path) -> bool:
    """Returns whether ``path`` is a folder with a model's files: others may have a model's name by chance."""
    try:
        return path.is_dir() and any(each.suffix in (".gguf", ".safetensors") for each in path.iterdir())
    except OSError:
        return False


def _version(value: str) -> str:
    matched = _VERSION.fullmatch(value)
    if matched is None:
        raise ValueError(f"REQUIRES is a version, such as 0.14.0, not {value[:40]!r}")
    return matched[1]
