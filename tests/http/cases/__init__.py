"""For every field that requests have and mlxr honours: a request in which it makes a difference.

A field is given by its struct and its name on the wire. A case is what to add to the route's plainest request, and, for
fields of parts, what to compare with: the same part without the field.
"""

from __future__ import annotations

from tests.http.cases.anthropic import ANTHROPIC
from tests.http.cases.llamacpp import LLAMACPP
from tests.http.cases.ollama import OLLAMA
from tests.http.cases.openai import OPENAI
from tests.http.cases.others import OTHERS
from tests.http.cases.responses import RESPONSE
from tests.http.cases.ui import UI
from tests.http.cases.ui_models import UI_MODELS

HONOURED = {**OPENAI, **RESPONSE, **ANTHROPIC, **OLLAMA, **LLAMACPP, **OTHERS, **UI, **UI_MODELS}
