"""The template of a model: its own, or one for the turn markers in its vocabulary.

Fine-tunes and conversions lose templates; the vocabulary still tells the family, and each family's turns are published
with its first models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlxr.models.tokenizers import Tokenizer

CHATML = r"""
{%- for message in messages -%}
{{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\n' }}{%- endif -%}
"""

PHI4 = r"""
{%- for message in messages -%}
{{ '<|im_start|>' + message.role + '<|im_sep|>' + message.content + '<|im_end|>' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|im_start|>assistant<|im_sep|>' }}{%- endif -%}
"""

GEMMA = r"""
{{- bos_token -}}
{%- for message in messages -%}
{%- if message.role == 'system' -%}{{ raise_exception('no system turns') }}{%- endif -%}
{{ '<start_of_turn>' + ('model' if message.role == 'assistant' else message.role) + '\n' }}
{{- message.content | trim + '<end_of_turn>\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<start_of_turn>model\n' }}{%- endif -%}
"""

LLAMA3 = r"""
{{- bos_token -}}
{%- for message in messages -%}
{{ '<|start_header_id|>' + message.role + '<|end_header_id|>\n\n' + message.content | trim + '<|eot_id|>' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{%- endif -%}
"""

PHI = r"""
{%- for message in messages -%}
{{ '<|' + message.role + '|>\n' + message.content + '<|end|>\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|assistant|>\n' }}{%- endif -%}
"""

MISTRAL = r"""
{{- bos_token -}}
{%- for message in messages -%}
{%- if message.role == 'user' -%}{{ '[INST] ' + message.content + '[/INST]' }}
{%- elif message.role == 'assistant' -%}{{ ' ' + message.content | trim + eos_token }}
{%- else -%}{{ raise_exception('only user and assistant turns') }}
{%- endif -%}
{%- endfor -%}
"""

DEEPSEEK = r"""
{{- bos_token -}}
{%- for message in messages -%}
{%- if message.role == 'user' -%}{{ '<｜User｜>' + message.content }}
{%- elif message.role == 'assistant' -%}{{ '<｜Assistant｜>' + message.content + eos_token }}
{%- else -%}{{ message.content }}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<｜Assistant｜>' }}{%- endif -%}
"""

BY_MARKER = (
    ("<start_of_turn>", GEMMA),
    ("<|im_sep|>", PHI4),
    ("<|im_start|>", CHATML),
    ("<|start_header_id|>", LLAMA3),
    ("<｜Assistant｜>", DEEPSEEK),
    ("[INST]", MISTRAL),
    ("<|assistant|>", PHI),
)


@dataclass(frozen=True, slots=True)
class Source:
    """Template texts: ``tools`` where conversations with tools have a template of their own. ``builtin``: not the
    model's own."""

    text: str
    tools: str | None = None
    builtin: bool = False


def find_source(metadata: Mapping[str, Any], tokenizer: Tokenizer) -> Source | None:
    """The template in a GGUF's ``metadata``, else one that fits ``tokenizer``'s vocabulary, else None."""
    text = metadata.get("tokenizer.chat_template")
    if isinstance(text, str) and text.strip():
        tools = metadata.get("tokenizer.chat_template.tool_use")
        return Source(text, tools if isinstance(tools, str) and tools.strip() else None)
    return find_builtin(tokenizer)


def find_builtin(tokenizer: Tokenizer) -> Source | None:
    """The template of the family that ``tokenizer``'s vocabulary belongs to."""
    for marker, template in BY_MARKER:
        if tokenizer.token_id(marker) is not None:
            return Source(template, builtin=True)
    return None
