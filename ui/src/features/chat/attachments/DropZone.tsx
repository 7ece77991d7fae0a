import { type DragEvent, type ReactNode, useRef, useState } from "react";
import { useTexts } from "@/i18n/texts";
import { attachmentLabels } from "./labels";

const hasFiles = (event: DragEvent) => event.dataTransfer.types.includes("Files");

/** Takes files that are dropped anywhere on it. */
export function DropZone({ onFiles, children }: { onFiles: (files: Iterable<File>) => void; children: ReactNode }) {
  const texts = useTexts(attachmentLabels);
  // Elements within tell of entering and leaving, too.
  const depth = useRef(0);
  const [over, setOver] = useState(false);
  const count = (change: number) => {
    depth.current = Math.max(0, depth.current + change);
    setOver(depth.current > 0);
  };
  return (
    <div
      className="relative flex min-w-0 flex-1 flex-col"
      onDragEnter={(event) => hasFiles(event) && count(1)}
      onDragLeave={(event) => hasFiles(event) && count(-1)}
      onDragOver={(event) => hasFiles(event) && event.preventDefault()}
      onDrop={(event) => {
        if (!hasFiles(event)) return;
        event.preventDefault();
        count(-depth.current);
        onFiles(event.dataTransfer.files);
      }}
    >
      {children}
      {over && (
        <div className="pointer-events-none absolute inset-2 z-20 flex items-center justify-center rounded-lg border-2 border-dashed border-accent bg-accent-soft/90 text-lg font-medium text-accent-ink">
          {texts.drop}
        </div>
      )}
    </div>
  );
}
