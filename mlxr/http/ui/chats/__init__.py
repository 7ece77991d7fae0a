"""Chats: ``docs/ui-api.md`` has the protocol of their events."""

from __future__ import annotations

from typing import Any

from mlxr.api.chats import commands, views
from mlxr.http.services import Route
from mlxr.http.stream import SSE
from mlxr.http.ui.chats.handlers import FILE, asks, attachment, export, follow, take_file

_CHATS = "/api/ui/chats"
_CHAT = _CHATS + "/{chat}"
_MESSAGE = _CHAT + "/messages/{message}"

_TEXT = {"type": "string"}
_LIST_QUERY: dict[str, dict[str, Any]] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": 1000},
    "after": _TEXT,
    "folder": _TEXT,
    "archived": {"enum": ["true", "false", "any"]},
}
_SEARCH: dict[str, dict[str, Any]] = {"q": _TEXT, "limit": {"type": "integer", "minimum": 1, "maximum": 100}}
_FORMAT: dict[str, dict[str, Any]] = {"format": {"enum": ["json", "markdown"]}}
_FOLDERS, _PRESETS, _ATTACHMENTS = "/api/ui/folders", "/api/ui/presets", "/api/ui/attachments"
_PROMPTS = "/api/ui/prompts"
_NOW: dict[str, dict[str, Any]] = {"now": {"enum": ["true"]}}

ROUTES: tuple[Route, ...] = (
    Route("GET", _CHATS, asks("list"), "List chats", gives=views.ChatList, query=_LIST_QUERY, tag="ui"),
    Route("POST", _CHATS, asks("create"), "Begin a chat", takes=commands.CreateChat, gives=views.Chat, tag="ui"),
    Route("GET", _CHATS + "/events", follow, "Follow the list of chats", streams=SSE, tag="ui"),
    Route("GET", _CHATS + "/search", asks("search"), "Search titles and messages",
          gives=views.SearchResult, query=_SEARCH, tag="ui"),
    Route("GET", _CHATS + "/export", export, "Export all chats", streams=FILE, query=_FORMAT, tag="ui"),
    Route("POST", _CHATS + "/import", take_file("import"), "Import a file of chats, as it is",
          gives=views.ImportReport, query={"folder": _TEXT}, tag="ui"),
    Route("GET", _CHAT, asks("get"), "Show a chat and its messages", gives=views.ChatDetail, tag="ui"),
    Route("PATCH", _CHAT, asks("patch"), "Change a chat", takes=commands.PatchChat, gives=views.Chat, tag="ui"),
    Route("DELETE", _CHAT, asks("delete"), "Delete a chat", gives=views.Deleted, query=_NOW, tag="ui"),
    Route("GET", _CHAT + "/export", export, "Export a chat", streams=FILE, query=_FORMAT, tag="ui"),
    Route("GET", _CHAT + "/events", follow, "Follow a chat and its answers", streams=SSE, tag="ui"),
    Route("POST", _CHAT + "/restore", asks("restore"), "Undo a deletion",
          takes=commands.Empty, gives=views.Chat, tag="ui"),
    Route("POST", _CHAT + "/stop", asks("stop"), "Stop all answers of a chat",
          takes=commands.Empty, gives=views.Answers, tag="ui"),
    Route("POST", _CHAT + "/messages", asks("send"), "Send a message, and have it answered",
          takes=commands.SendMessage, gives=views.Answers, tag="ui"),
    Route("DELETE", _MESSAGE, asks("remove_message"), "Delete a message and what follows it",
          gives=views.Chat, tag="ui"),
    Route("POST", _MESSAGE + "/answers", asks("again"), "Answer again, as a branch",
          takes=commands.AnswerAgain, gives=views.Answers, tag="ui"),
    Route("POST", _MESSAGE + "/continue", asks("continue"), "Go on with an answer that was cut off",
          takes=commands.ContinueAnswer, gives=views.Answers, tag="ui"),
    Route("POST", _MESSAGE + "/stop", asks("stop"), "Stop an answer",
          takes=commands.Empty, gives=views.Answers, tag="ui"),
    Route("POST", _MESSAGE + "/tool_results", asks("tool_results"), "Bring results of tool calls",
          takes=commands.ToolResults, gives=views.Answers, tag="ui"),
    Route("PATCH", _MESSAGE + "/tool_calls/{call}", asks("patch_call"), "Say where a tool call stands",
          takes=commands.PatchCall, gives=views.ChatTurn, tag="ui"),
    Route("GET", _FOLDERS, asks("folders"), "List folders", gives=views.FolderList, tag="ui"),
    Route("POST", _FOLDERS, asks("create_folder"), "Make a folder",
          takes=commands.SaveFolder, gives=views.Folder, tag="ui"),
    Route("PUT", _FOLDERS + "/{folder}", asks("rename_folder"), "Rename a folder",
          takes=commands.SaveFolder, gives=views.Folder, tag="ui"),
    Route("DELETE", _FOLDERS + "/{folder}", asks("delete_folder"), "Delete a folder; its chats stay",
          gives=views.Nothing, tag="ui"),
    Route("GET", _PRESETS, asks("presets"), "List presets", gives=views.PresetList, tag="ui"),
    Route("POST", _PRESETS, asks("create_preset"), "Make a preset",
          takes=commands.SavePreset, gives=views.Preset, tag="ui"),
    Route("PUT", _PRESETS + "/{preset}", asks("change_preset"), "Change a preset",
          takes=commands.SavePreset, gives=views.Preset, tag="ui"),
    Route("DELETE", _PRESETS + "/{preset}", asks("delete_preset"), "Delete a preset",
          gives=views.Nothing, tag="ui"),
    Route("GET", _PROMPTS, asks("prompts"), "List saved prompts", gives=views.SavedPromptList, tag="ui"),
    Route("POST", _PROMPTS, asks("create_prompt"), "Save a prompt",
          takes=commands.SavePrompt, gives=views.SavedPrompt, tag="ui"),
    Route("PUT", _PROMPTS + "/{prompt}", asks("change_prompt"), "Change a saved prompt",
          takes=commands.SavePrompt, gives=views.SavedPrompt, tag="ui"),
    Route("DELETE", _PROMPTS + "/{prompt}", asks("delete_prompt"), "Delete a saved prompt",
          gives=views.Nothing, tag="ui"),
    Route("POST", _ATTACHMENTS, take_file("attach"), "Keep an attachment, as it is", gives=views.Attachment, tag="ui"),
    Route("GET", _ATTACHMENTS + "/{digest}", attachment, "Show an attachment", streams=FILE, tag="ui"),
)  # fmt: skip
