"""Cases of the web application's surface."""

from __future__ import annotations

from mlxr.http.fields import Fields
from mlxr.http.ui.fetch import handlers as fetch
from mlxr.http.ui.tools import schema as tools
from tests.http.cases.plain import Case, simple

UI: dict[type[Fields], dict[str, Case]] = {
    tools.ToolModeRequest: simple("/api/ui/tools/mode", tool="fetch", server="none", enabled=False, approval="always"),
    tools.PrivateFetchRequest: simple("/api/ui/tools/private-fetch", allowed=True),
    tools.SaveServerRequest: simple(
        "/api/ui/tools/servers",
        name="files",
        url="http://127.0.0.1:9/other",
        headers={"Authorization": "Bearer x"},
        enabled=False,
    ),
    fetch.FetchRequest: simple("/api/ui/fetch", url="http://127.0.0.2:9/"),
}
