"""``mcp``: a server of that package, with sessions and without, reached by its own client through this one."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import uvicorn
from mcp import Client, MCPError
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from tests.clients.programs import URL


def notes() -> MCPServer:
    server = MCPServer("notes")

    @server.tool()
    async def find(word: str, context: Context) -> str:
        """Finds a note."""
        await context.report_progress(1, 2, "half of the drawer")
        return f"The note about {word} says: water the plants on Friday."

    @server.tool()
    def burn() -> str:
        """Burns all notes."""
        raise ToolError("there are no matches")

    return server


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[str]:
    """The address of ``app`` on a loopback port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        task = asyncio.create_task(server.serve([listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
        finally:
            server.should_exit = True
            await task


async def use(name: str, mode: Any, streams: bool) -> None:
    async with Client(f"{URL}/api/ui/mcp/{name}", mode=mode) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["find", "burn"]
        heard: list[float] = []

        async def progress(done: float, total: float | None, message: str | None) -> None:
            heard.append(done)

        found = await client.call_tool("find", {"word": "plants"}, progress_callback=progress)
        assert "water the plants" in found.content[0].text, found
        assert heard == ([1.0] if streams else []), heard
        failed = await client.call_tool("burn", {})
        assert failed.is_error, failed
        assert "there are no matches" in failed.content[0].text, failed


async def main() -> None:
    async with httpx.AsyncClient(base_url=URL) as http:
        for name, streams in [("sessions", True), ("stateless", False)]:
            app = notes().streamable_http_app(stateless_http=not streams, json_response=not streams)
            async with serving(app) as address:
                kept = await http.post("/api/ui/tools/servers", json={"name": name, "url": address})
                assert kept.status_code == 200, kept.text
                await use(name, "auto", streams)
                await use(name, "legacy", streams)
            try:
                await use(name, "legacy", streams)
                raise AssertionError("a server that is gone was reached")
            except (MCPError, ExceptionGroup, OSError, httpx.HTTPError):
                pass
            assert (await http.delete(f"/api/ui/tools/servers/{name}")).status_code == 200


asyncio.run(main())
