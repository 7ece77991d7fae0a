import { Plus, X } from "lucide-react";
import { useState } from "react";
import { Button, IconButton } from "@/components/Button";
import { Dialog } from "@/components/Dialog";
import { ErrorNotice } from "@/components/ErrorNotice";
import { TextField } from "@/components/Field";
import { commonTexts } from "@/i18n/common";
import { useTexts } from "@/i18n/texts";
import { type McpServer, useToolSettings } from "./settings";
import { useTools } from "./ToolsProvider";
import { toolTexts } from "./texts";

interface Header {
  id: number;
  name: string;
  value: string;
  /** The server has a value for it, which nobody sees. */
  kept: boolean;
}

/** Adds an MCP server, or changes one. */
export default function ServerDialog({ server, onClose }: { server?: McpServer; onClose: () => void }) {
  const texts = useTexts(toolTexts);
  const common = useTexts(commonTexts);
  const { saveServer } = useToolSettings();
  const { reconnect } = useTools();
  const [name, setName] = useState(server?.name ?? "");
  const [url, setUrl] = useState(server?.url ?? "");
  const [headers, setHeaders] = useState<readonly Header[]>(
    () => server?.headers.map((header, id) => ({ id, name: header, value: "", kept: true })) ?? [],
  );
  const change = (id: number, changed: Partial<Header>) =>
    setHeaders((now) => now.map((header) => (header.id === id ? { ...header, ...changed } : header)));
  const save = () => {
    const given = headers.filter((header) => header.name.trim() !== "");
    const values = given.map(({ name: header, value, kept }) => [header.trim(), kept && value === "" ? null : value]);
    saveServer.mutate(
      { name: name.trim(), url: url.trim(), headers: Object.fromEntries(values), enabled: server?.enabled ?? true },
      {
        onSuccess: () => {
          if (server !== undefined) reconnect(server.name);
          onClose();
        },
      },
    );
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title={server === undefined ? texts.add : server.name}
      description={texts.serversText}
      actions={
        <>
          <Button onClick={onClose}>{common.cancel}</Button>
          <Button
            look="primary"
            busy={saveServer.isPending}
            onClick={save}
            disabled={name.trim() === "" || url.trim() === ""}
          >
            {common.save}
          </Button>
        </>
      }
    >
      <form
        className="flex flex-col gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          save();
        }}
      >
        {server === undefined && (
          <TextField
            label={texts.name}
            hint={texts.nameHint}
            value={name}
            placeholder="notes"
            autoComplete="off"
            onChange={(event) => setName(event.target.value)}
          />
        )}
        <TextField
          label={texts.url}
          type="url"
          value={url}
          placeholder="http://127.0.0.1:3000/mcp"
          autoComplete="off"
          onChange={(event) => setUrl(event.target.value)}
        />
        <fieldset className="flex flex-col gap-2">
          <legend className="text-sm font-medium">{texts.headers}</legend>
          <p className="text-sm text-muted">{texts.headersHint}</p>
          {headers.map((header) => (
            <div key={header.id} className="flex items-end gap-2">
              <TextField
                label={texts.headerName}
                fieldClassName="w-2/5"
                value={header.name}
                placeholder="Authorization"
                autoComplete="off"
                onChange={(event) => change(header.id, { name: event.target.value, kept: false })}
              />
              <TextField
                label={texts.headerValue}
                fieldClassName="flex-1"
                type="password"
                value={header.value}
                placeholder={header.kept ? texts.headerKept : "Bearer …"}
                autoComplete="off"
                onChange={(event) => change(header.id, { value: event.target.value })}
              />
              <IconButton
                label={texts.removeHeader}
                onClick={() => setHeaders((now) => now.filter((h) => h !== header))}
              >
                <X />
              </IconButton>
            </div>
          ))}
          <div>
            <Button
              size="small"
              icon={<Plus className="size-4" />}
              onClick={() => setHeaders((now) => [...now, { id: Date.now(), name: "", value: "", kept: false }])}
            >
              {texts.addHeader}
            </Button>
          </div>
        </fieldset>
        {saveServer.error !== null && <ErrorNotice error={saveServer.error} />}
        <button type="submit" hidden />
      </form>
    </Dialog>
  );
}
