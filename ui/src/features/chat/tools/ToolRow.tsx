import { Select } from "@/components/Field";
import { Switch } from "@/components/Switch";
import { useTexts } from "@/i18n/texts";
import { modeOf, useToolSettings } from "./settings";
import { toolTexts } from "./texts";
import type { Approval, Tool } from "./tool";

/** One tool: whether models are told of it, and whether its calls need a word. */
export function ToolRow({ tool }: { tool: Tool }) {
  const texts = useTexts(toolTexts);
  const { settings, setMode } = useToolSettings();
  const mode = modeOf(settings, tool);
  const [name, about] = (tool.server === "" ? texts.names[tool.name] : undefined) ?? [tool.name, tool.description];
  return (
    <div className="flex flex-col gap-1 border-b border-line py-1 last:border-0">
      <Switch
        label={name}
        hint={setMode.error?.message ?? about}
        checked={mode.enabled}
        disabled={settings === undefined}
        onChange={(enabled) => setMode.mutate({ tool, mode: { ...mode, enabled } })}
      />
      {mode.enabled && (
        <Select
          label={texts.approvalOf(name)}
          labelHidden
          value={mode.approval}
          options={(["ask", "always", "never"] as const).map((value) => ({ value, label: texts.approvals[value] }))}
          onChange={(event) => setMode.mutate({ tool, mode: { ...mode, approval: event.target.value as Approval } })}
          fieldClassName="mb-1 w-40"
        />
      )}
    </div>
  );
}
