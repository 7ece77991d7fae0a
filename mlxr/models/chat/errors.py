"""What can be wrong with a conversation or its template: always the request's fault, so a 400."""

from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo


class ChatError(RequestError):
    """``param`` names the request field at fault."""

    def __init__(self, message: str, param: str = "messages", code: ErrorCode = ErrorCode.INVALID) -> None:
        super().__init__(ErrorInfo(code, message, param))


def no_template(model: str, fault: str = "") -> ChatError:
    """For a chat request to a model that has no template and whose vocabulary points to none. ``fault``: why the one in
    its file can't be used."""
    own = f" that can be used ({fault})" if fault else ""
    message = f"the model {model!r} has no chat template{own}; use /v1/completions, or pass a chat_template"
    return ChatError(message, code=ErrorCode.UNSUPPORTED)
