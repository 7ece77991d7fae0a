import { FileText } from "lucide-react";
import type { PartProps } from "./registry";

/** A file whose text was attached. */
export function FilePart({ part: { file } }: PartProps<"file">) {
  return (
    <details className="max-w-full rounded-md border border-line bg-sunken px-3 py-2 text-sm">
      <summary className="flex items-center gap-2">
        <FileText aria-hidden className="size-4 shrink-0 text-muted" />
        <span className="truncate">{file.name}</span>
      </summary>
      <pre tabIndex={0} className="mt-2 max-h-80 overflow-auto font-mono text-xs whitespace-pre-wrap">
        {file.text}
      </pre>
    </details>
  );
}
