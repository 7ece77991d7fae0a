"""Finds what the server says to people in its own sources: the templates of its sentences, ``{}`` for what differs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]

ROOMS = [
    *("actors/chats", "actors/executor", "actors/frontend", "actors/monitor", "actors/registry", "actors/scheduler"),
    *("actors/tokenizer", "api", "http", "models/constraints", "models/conversion", "models/header.py"),
    *("models/loading.py", "models/modelfile.py", "models/near_names.py", "models/shared_vocabulary.py"),
    *("models/vocabulary_size.py", "models/chat/conversation.py", "models/chat/environment.py"),
    *("models/chat/errors.py", "models/chat/model_template.py", "models/chat/template.py", "runtime/actor_process.py"),
    *("runtime/regular_files.py", "runtime/sandbox", "runtime/supervisor.py"),
]
"""Where sentences begin that the web application shows. What is wrong within a file of a model (``models/formats`` and
the like) is said in the format's own words, and quoted."""

ELSEWHERE = re.compile(
    r"/(__init__|migrations|openapi|openapi_document|page_headers|prometheus|pull_log|request_tracker|settings"
    r"|startup|welcome|write)\.py$|/http/(anthropic|listeners|llamacpp|ollama|responses)/|/registry/modelfile/"
    r"|/executor/pool_files/"
)
"""Files in them whose texts are for other clients, the command line, the log or the API's document."""

NO_SENTENCE = re.compile(
    r"max-age=|;q=0|^\(updated, id\)|^(answer|start): |call\)\*|answer\)$|^pages (in|out)$|^page memory$"
)
"""Texts in them that are said to nobody: headers, parts of grammars and of SQL, names of figures and threads."""

WORDS = re.compile(r"[a-z]{2,}\W*\s\W*[a-z]{2,}|[a-z]{2,} \{\}|\{\} [a-z]{2,}")
_SAYS_NOTHING = ("AssertionError", "Literal", "Meta", "log.", "re.")


def templates() -> dict[str, str]:
    """Returns each template with the file that it is in."""
    found: dict[str, str] = {}
    for room in ROOMS:
        path = ROOT / "mlxr" / room
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            if not ELSEWHERE.search(file.as_posix()):
                for said in _said(ast.parse(file.read_text("utf-8"))):
                    found.setdefault(said, file.relative_to(ROOT).as_posix())
    return found


def template_of(text: str) -> str:
    """Returns ``text`` with ``{}`` for each of its fields."""
    return re.sub(r"\{[a-z!]*\}", "{}", text)


def _said(tree: ast.Module) -> Iterator[str]:
    passed_over: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            passed_over.add(node.value)
        elif isinstance(node, ast.JoinedStr):
            passed_over.update(part for part in node.values if isinstance(part, ast.Constant))
        elif isinstance(node, ast.Dict):
            passed_over.update(value for key, value in zip(node.keys, node.values, strict=True) if _describes(key))
        elif isinstance(node, ast.Assert | ast.Compare) or (
            isinstance(node, ast.Call) and ast.unparse(node.func).startswith(_SAYS_NOTHING)
        ):
            passed_over.update(ast.walk(node))
    for node in ast.walk(tree):
        text = None if node in passed_over else _template(node)
        if text and _is_sentence(text):
            yield text


def _describes(key: ast.expr | None) -> bool:
    """Whether the value of ``key`` is for the API's document."""
    return isinstance(key, ast.Constant) and key.value == "description"


def _template(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return template_of(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return None


def _is_sentence(text: str) -> bool:
    """Whether a person may be told ``text``: small letters and more than one word, and no code."""
    if not re.match(r"[ a-z{'\"`(;,.]", text) or re.search(r"[\n\\^]|%s|%d|\[\w-|=\"", text):
        return False
    return WORDS.search(text.replace("`", "")) is not None and not NO_SENTENCE.search(text)
