"""Conversations to prompt text, by the chat templates that models bring along.

Importing one of these names loads what that needs alone: an error or a renderer's name loads no family.
"""

from typing import TYPE_CHECKING

from mlxr.runtime.lazy_names import lazy_names

if TYPE_CHECKING:
    from mlxr.models.chat.capabilities import Capabilities, capabilities_with
    from mlxr.models.chat.errors import ChatError, no_template
    from mlxr.models.chat.fallback import find_source, folder_templates
    from mlxr.models.chat.language import template_signs
    from mlxr.models.chat.model_template import (
        ModelTemplate,
        comment,
        load_folder_template,
        load_model_template,
        make_template,
    )
    from mlxr.models.chat.parser import choose_parser
    from mlxr.models.chat.template import ChatTemplate, Rendered

__all__ = [
    "Capabilities",
    "ChatError",
    "ChatTemplate",
    "ModelTemplate",
    "Rendered",
    "capabilities_with",
    "choose_parser",
    "comment",
    "find_source",
    "folder_templates",
    "load_folder_template",
    "load_model_template",
    "make_template",
    "no_template",
    "template_signs",
]

__getattr__ = lazy_names(
    __name__,
    {
        "Capabilities": "capabilities",
        "ChatError": "errors",
        "ChatTemplate": "template",
        "ModelTemplate": "model_template",
        "Rendered": "template",
        "capabilities_with": "capabilities",
        "choose_parser": "parser",
        "comment": "model_template",
        "find_source": "fallback",
        "folder_templates": "fallback",
        "load_folder_template": "model_template",
        "load_model_template": "model_template",
        "make_template": "model_template",
        "no_template": "errors",
        "template_signs": "language",
    },
)
