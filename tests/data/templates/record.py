"""Records what transformers' renderer makes of the templates here, for the tests to hold ours against.

A development step, in an environment of its own: ``pip install transformers==5.24.0``, then ``python record.py``. It
writes ``<name>.json`` beside each template: for each conversation in ``conversations.json`` the text, or nothing where
the template does not take it as it is. Left out is what mlxr writes in another way on purpose (``differs.json``).
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import transformers.utils.chat_template_utils as chat

HERE = Path(__file__).parent


class Clock(datetime):
    """The day that the tests have."""

    @classmethod
    def now(cls, tz: Any = None) -> datetime:
        return datetime(2026, 1, 2)


def rendered(source: str, conversation: dict[str, Any]) -> str | None:
    """The text, or None where the template refuses."""
    try:
        texts, _ = chat.render_jinja_template(
            conversations=[conversation["messages"]],
            tools=conversation.get("tools"),
            chat_template=source,
            add_generation_prompt=not conversation.get("continue_final", False),
            continue_final_message=conversation.get("continue_final", False),
            bos_token="<BOS>",
            eos_token="<EOS>",
            **conversation.get("arguments", {}),
        )
    except Exception:
        return None
    return texts[0]


def main() -> None:
    chat.datetime = Clock
    conversations = json.loads((HERE / "conversations.json").read_text())
    differs = json.loads((HERE / "differs.json").read_text())
    for path in sorted(HERE.glob("*.jinja")):
        source, left_out = path.read_text(), differs.get(path.stem, ())
        texts = {
            title: text
            for title, conversation in conversations.items()
            if title not in left_out and (text := rendered(source, conversation)) is not None
        }
        path.with_suffix(".json").write_text(json.dumps(texts, ensure_ascii=False, indent=1) + "\n")
        print(path.stem, *texts)


if __name__ == "__main__":
    main()
