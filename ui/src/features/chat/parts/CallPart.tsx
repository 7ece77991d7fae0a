import { Wrench } from "lucide-react";
import type { PartProps } from "./registry";

/** A tool call of an answer: what was called with what, and what came of it. */
export function CallPart({ part: { call } }: PartProps<"call">) {
  return (
    <details className="my-1.5 rounded-md border border-line px-3 py-2 text-sm">
      <summary className="flex items-center gap-2">
        <Wrench aria-hidden className="size-4 text-muted" />
        <span className="font-mono">{call.name}</span>
      </summary>
      <pre className="mt-2 overflow-x-auto font-mono text-xs whitespace-pre-wrap">{call.arguments}</pre>
      {call.result != null && (
        <pre className="mt-2 overflow-x-auto border-t border-line pt-2 font-mono text-xs whitespace-pre-wrap">
          {call.result}
        </pre>
      )}
    </details>
  );
}
