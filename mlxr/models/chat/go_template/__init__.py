"""Go templates, as Ollama's models have them: read, and executed on a conversation within bounds."""

from mlxr.models.chat.go_template.errors import GoTemplateError, GoTemplateLimitError
from mlxr.models.chat.go_template.recognise import is_go
from mlxr.models.chat.go_template.structure import TemplateMarkers
from mlxr.models.chat.go_template.template import GoTemplate

__all__ = ["GoTemplate", "GoTemplateError", "GoTemplateLimitError", "TemplateMarkers", "is_go"]
