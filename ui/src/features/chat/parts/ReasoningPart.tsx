import { Brain, ChevronRight } from "lucide-react";
import { useState, useSyncExternalStore } from "react";
import { useFormat } from "@/i18n/format";
import { useTexts } from "@/i18n/texts";
import { segmentsOf } from "../markdown/blocks";
import { SegmentView } from "../markdown/Markdown";
import { isOpen } from "../model";
import { chatTexts } from "../texts";
import type { PartProps } from "./registry";

const never = () => () => {};

/** What a model thought before it answered, folded away, with how long it took. */
export function ReasoningPart({ part, message }: PartProps<"reasoning">) {
  const texts = useTexts(chatTexts);
  const format = useFormat();
  const [open, setOpen] = useState(false);
  const { live, seconds } = part;
  const thinks = isOpen(message) && seconds === null && message.parts.at(-1) === part;
  return (
    <div className="my-1.5">
      <button
        type="button"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
        className="flex h-8 items-center gap-2 rounded-md px-2 -ml-2 text-muted hover:bg-hover hover:text-ink pointer-coarse:h-11"
      >
        <Brain aria-hidden className={`size-4 ${thinks ? "animate-pulse" : ""}`} />
        {thinks ? texts.thinking : seconds === null ? texts.thought : texts.thoughtFor(format.duration(seconds))}
        <ChevronRight aria-hidden className={`size-4 transition-transform ${open ? "rotate-90" : ""}`} />
      </button>
      {open && (
        <div className="markdown mt-1 border-l-2 border-line pl-4 text-base! leading-6! text-muted">
          <Thought text={part.text} live={live} />
        </div>
      )}
    </div>
  );
}

function Thought({ text, live }: { text: string; live: PartProps<"reasoning">["part"]["live"] }) {
  const [settled] = useState(() => (live === undefined ? segmentsOf(text) : []));
  const segments = useSyncExternalStore(live?.subscribe ?? never, live?.segments ?? (() => settled));
  return segments.map((segment) => (
    <SegmentView key={segment.key} segment={segment} growing={live !== undefined && segment === segments.at(-1)} />
  ));
}
