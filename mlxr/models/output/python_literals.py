"""Python notation in model output: literals and calls, read without running anything."""

from __future__ import annotations

import ast
import json
import re
import sys
import warnings
from typing import Any

MAX_LENGTH = 100_000
_ESCAPE = re.compile(r"\\.", re.DOTALL)
UNREADABLE = (ValueError, SyntaxError, TypeError, KeyError, MemoryError, RecursionError)
"""What reading text as JSON or Python can raise."""


def literal(text: str) -> Any:
    """Returns the value of a Python literal. Raises one of ``UNREADABLE``."""
    return ast.literal_eval(_parse(text))


def calls(text: str) -> list[tuple[str, dict[str, Any]]]:
    """``f(a=1)``, ``[f(a=1), g()]`` or ``print(f(a=1))``: names and arguments, which must be named literals.

    Raises one of ``UNREADABLE`` for anything else.
    """
    tree = _parse(text)
    found = []
    for call in tree.elts if isinstance(tree, ast.List) else [tree]:
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "print" and call.args:
            call = call.args[0]
        if not isinstance(call, ast.Call) or call.args or any(word.arg is None for word in call.keywords):
            raise TypeError("not a call with named arguments")
        arguments = {str(word.arg): ast.literal_eval(word.value) for word in call.keywords}
        found.append((ast.unparse(call.func), arguments))
    return found


def from_json(text: str, *, strict: bool = True) -> Any:
    """Returns the value of JSON text; strings may have line breaks where it is not ``strict``.

    A number beyond what a float can hold is the largest that it can: JSON has no way to write infinity. Raises
    ``ValueError`` or ``RecursionError``.
    """
    return json.loads(text, strict=strict, parse_float=_finite, parse_constant=_no_constant)


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no JSON")


def _finite(text: str) -> float:
    return max(-sys.float_info.max, min(float(text), sys.float_info.max))


def dumps(value: Any) -> str:
    """JSON that can leave the server as UTF-8. Raises ``ValueError`` or ``TypeError`` for what JSON can't say."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    # Python reads an escaped character beyond 16 bits as the two halves that it is written in.
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _parse(text: str) -> ast.expr:
    if len(text) > MAX_LENGTH:
        raise ValueError("too long to be a call")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        return ast.parse(_ESCAPE.sub(_plain_slash, text.strip()), mode="eval").body


def _plain_slash(escape: re.Match[str]) -> str:
    """JSON may escape a slash; to Python that is a backslash as well."""
    return "/" if escape[0] == r"\/" else escape[0]
