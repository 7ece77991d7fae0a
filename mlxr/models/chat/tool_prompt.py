"""Tools for models whose template has none: described in words, called in the Hermes form; calls as text.

The form, JSON between ``<tool_call>`` tags, is what Qwen2.5, SmolLM2 and many fine-tunes were trained on, and the
``hermes`` family reads and writes it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

PastCall = Callable[[str, dict[str, Any] | str], str]
"""From a function's name and its arguments to the text of a call. Arguments that are text are JSON, or its beginning.
"""


def describe_tools(tools: Sequence[dict[str, Any]], *, parallel: bool) -> str:
    """Returns the system text that tells the model which tools there are and how to call them."""
    listed = "\n".join(json.dumps(tool["function"], ensure_ascii=False) for tool in tools)
    more = "Use one pair of tags for each call." if parallel else "Make one call at a time."
    return (
        "You can call functions to help with the task. These are the functions, as JSON schemas:\n"
        f"<tools>\n{listed}\n</tools>\n"
        "To call a function, answer with a JSON object that names it and gives its arguments, inside tags:\n"
        '<tool_call>\n{"name": "function name", "arguments": {"argument name": "value"}}\n</tool_call>\n'
        f"{more} If no function fits, answer in plain words."
    )


def call_text(name: str, arguments: dict[str, Any] | str) -> str:
    """Returns a past call, as the model itself would have written it. Arguments that are text are JSON, or its
    beginning."""
    written = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return f'<tool_call>\n{{"name": {json.dumps(name, ensure_ascii=False)}, "arguments": {written}}}\n</tool_call>'


def result_text(content: str) -> str:
    return f"<tool_response>\n{content}\n</tool_response>"
