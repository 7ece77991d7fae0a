"""Conversations to prompt text, by the chat templates that models bring along."""

from mlxr.models.chat.capabilities import Capabilities, capabilities, capabilities_with
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
    "capabilities",
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
