import { type ReactNode, useEffect, useEffectEvent, useRef, useState } from "react";
import { hasFiles } from "@/components/hasFiles";
import { useTexts } from "@/i18n/texts";
import { attachmentLabels } from "./labels";

/** Takes files that are dropped anywhere on the page, as long as it is shown, and says so within its place. Behind a
 * dialog it takes none: nobody would see where they went. */
export function DropZone({ onFiles, children }: { onFiles: (files: Iterable<File>) => void; children: ReactNode }) {
  const texts = useTexts(attachmentLabels);
  const [over, setOver] = useState(false);
  const place = useRef<HTMLDivElement>(null);
  const take = useEffectEvent(onFiles);
  useEffect(() => {
    const shown = new AbortController();
    const listen = (type: "dragenter" | "dragleave" | "dragover" | "drop", on: (event: DragEvent) => unknown) =>
      window.addEventListener(type, (event) => hasFiles(event) && on(event), { signal: shown.signal });
    // Elements within tell of entering and leaving, too.
    let depth = 0;
    const count = (change: number) => {
      depth = Math.max(0, depth + change);
      setOver(depth > 0);
    };
    // Dialogs hide what is behind them from screen readers.
    const isBehind = () => place.current?.closest("[aria-hidden=true]") != null;
    listen("dragenter", () => isBehind() || count(1));
    listen("dragleave", () => count(-1));
    listen("dragover", (event) => {
      if (isBehind()) return;
      event.preventDefault();
      if (event.dataTransfer !== null) event.dataTransfer.dropEffect = "copy";
    });
    listen("drop", (event) => {
      count(-depth);
      if (isBehind()) return;
      event.preventDefault();
      take(event.dataTransfer?.files ?? []);
    });
    return () => shown.abort();
  }, []);
  return (
    <div ref={place} className="relative flex min-w-0 flex-1 flex-col">
      {children}
      {over && (
        <div className="pointer-events-none absolute inset-2 z-20 flex items-center justify-center rounded-lg border-2 border-dashed border-accent bg-accent-soft/90 text-lg font-medium text-accent-ink">
          {texts.drop}
        </div>
      )}
    </div>
  );
}
