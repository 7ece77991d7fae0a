import { useState } from "react";
import { Button } from "@/components/Button";
import { TextAreaField } from "@/components/Field";
import { useTexts } from "@/i18n/texts";
import type { Call } from "./runner";
import { modeOf, useToolSettings } from "./settings";
import { useTools } from "./ToolsProvider";
import { toolTexts } from "./texts";
import { parsedArguments, pretty, type Tool } from "./tool";

interface ApprovalFormProps {
  message: string;
  call: Call;
  /** Undefined where there is no such tool here. */
  tool: Tool | undefined;
  notice?: string | undefined;
}

/** Asks whether a call may run, and with what. */
export function ApprovalForm({ message, call, tool, notice }: ApprovalFormProps) {
  const texts = useTexts(toolTexts);
  const { runner } = useTools();
  const { settings, setMode } = useToolSettings();
  const written = pretty(call.arguments ?? "");
  const [typed, setTyped] = useState(written);
  const valid = isObject(typed);
  const run = () => runner.approve(message, call, typed === written ? call.arguments : typed);
  const runAlways = (known: Tool) =>
    setMode.mutate({ tool: known, mode: { ...modeOf(settings, known), approval: "always" } }, { onSuccess: run });
  return (
    <form
      className="flex flex-col gap-2 border-t border-line px-3 py-2"
      onSubmit={(event) => {
        event.preventDefault();
        if (valid && tool !== undefined) run();
      }}
    >
      <p className="text-sm text-muted">{notice ?? texts.asksText}</p>
      <TextAreaField
        label={texts.arguments}
        rows={Math.min(12, typed.split("\n").length)}
        value={typed}
        spellCheck={false}
        error={valid ? undefined : texts.noJson}
        onChange={(event) => setTyped(event.target.value)}
        className="field-sizing-content max-h-80 font-mono text-sm!"
      />
      <div className="flex flex-wrap gap-2">
        {tool !== undefined && (
          <>
            <Button look="primary" type="submit" disabled={!valid}>
              {texts.runOnce}
            </Button>
            <Button disabled={!valid} busy={setMode.isPending} onClick={() => runAlways(tool)}>
              {texts.runAlways}
            </Button>
          </>
        )}
        <Button onClick={() => runner.deny(message, call)}>{texts.deny}</Button>
      </div>
      {setMode.error !== null && <p className="text-sm text-danger">{setMode.error.message}</p>}
    </form>
  );
}

function isObject(text: string): boolean {
  try {
    parsedArguments(text);
    return true;
  } catch {
    return false;
  }
}
