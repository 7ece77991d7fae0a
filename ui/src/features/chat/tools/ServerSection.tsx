import { ChevronRight, Ellipsis } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { Badge } from "@/components/Badge";
import { IconButton } from "@/components/Button";
import { ConfirmDialog } from "@/components/Dialog";
import { Menu } from "@/components/Menu";
import { Spinner } from "@/components/Spinner";
import { Switch } from "@/components/Switch";
import { useTexts } from "@/i18n/texts";
import { type McpServer, useToolSettings } from "./settings";
import { ToolRow } from "./ToolRow";
import { useTools } from "./ToolsProvider";
import { toolTexts } from "./texts";

const ServerDialog = lazy(() => import("./ServerDialog"));

/** An MCP server: how it stands with it, what it brings, and what can be done with it. */
export function ServerSection({ server }: { server: McpServer }) {
  const texts = useTexts(toolTexts);
  const { connections, reconnect } = useTools();
  const { saveServer, deleteServer } = useToolSettings();
  const [shown, setShown] = useState<"edit" | "remove" | null>(null);
  const [open, setOpen] = useState(false);
  const { name, url, headers } = server;
  const connection = connections.get(name);
  const kept = Object.fromEntries(headers.map((header) => [header, null]));
  const close = () => setShown(null);
  return (
    <div className="rounded-md border border-line px-3 py-1">
      <div className="flex items-center gap-1">
        <div className="min-w-0 flex-1">
          <Switch
            label={name}
            checked={server.enabled}
            onChange={(enabled) => saveServer.mutate({ name, url, headers: kept, enabled })}
          />
        </div>
        <Menu
          trigger={
            <IconButton label={texts.options(name)} size="small">
              <Ellipsis />
            </IconButton>
          }
          entries={[
            { label: texts.edit, onSelect: () => setShown("edit") },
            { label: texts.reconnect, onSelect: () => reconnect(name), disabled: !server.enabled },
            { label: texts.remove, danger: true, onSelect: () => setShown("remove") },
          ]}
        />
      </div>
      <p className="truncate pb-1 font-mono text-xs text-muted" title={url}>
        {url}
      </p>
      <div className="pb-1" aria-live="polite">
        {connection === undefined && <Badge>{texts.off}</Badge>}
        {connection?.state === "connecting" && (
          <Badge>
            <Spinner className="size-3!" /> {texts.connecting}
          </Badge>
        )}
        {connection?.state === "failed" && (
          <>
            <Badge tone="danger">{texts.failed}</Badge>
            <p className="mt-1 text-sm wrap-anywhere text-danger">{connection.error}</p>
          </>
        )}
        {connection?.state === "open" && (
          <button
            type="button"
            aria-expanded={open}
            onClick={() => setOpen(!open)}
            className="-ml-1 flex min-h-7 items-center gap-1 rounded-sm px-1 text-sm hover:bg-hover pointer-coarse:min-h-11"
          >
            <ChevronRight aria-hidden className={`size-4 transition-transform ${open ? "rotate-90" : ""}`} />
            <Badge tone="success">{texts.connected(connection.tools.length)}</Badge>
          </button>
        )}
      </div>
      {saveServer.error !== null && <p className="pb-1 text-sm text-danger">{saveServer.error.message}</p>}
      {connection?.state === "open" && open && connection.tools.map((tool) => <ToolRow key={tool.id} tool={tool} />)}
      <Suspense>{shown === "edit" && <ServerDialog server={server} onClose={close} />}</Suspense>
      <ConfirmDialog
        open={shown === "remove"}
        onClose={close}
        onConfirm={() => deleteServer.mutate(name, { onSuccess: close })}
        title={texts.removeTitle(name)}
        description={deleteServer.error?.message ?? texts.removeText}
        action={texts.remove}
        busy={deleteServer.isPending}
      />
    </div>
  );
}
