import { ChevronRight, Wrench } from "lucide-react";
import { type ReactNode, useState } from "react";
import { Badge, type Tone } from "@/components/Badge";
import { Button } from "@/components/Button";
import { CopyButton } from "@/components/CopyButton";
import { Spinner } from "@/components/Spinner";
import { useTexts } from "@/i18n/texts";
import { isOpen } from "../model";
import { panelTexts } from "../panels/texts";
import type { PartProps } from "../parts/registry";
import { ApprovalForm } from "./ApprovalForm";
import { MOST_ROUNDS } from "./runner";
import { useTools } from "./ToolsProvider";
import { toolTexts } from "./texts";
import { pretty } from "./tool";
import { useAsksForWord, useRounds } from "./useCalling";

/** A tool call of an answer: what is asked for, the person's word on it, and what came of it. */
export default function ToolCard({ part: { call }, message }: PartProps<"call">) {
  const texts = useTexts(toolTexts);
  const panel = useTexts(panelTexts);
  const { runner, all } = useTools();
  const asksForWord = useAsksForWord();
  const round = useRounds(message.id);
  const tool = all.find(({ id }) => id === call.name);
  const open = message.state === "tools";
  const state = call.state ?? "waiting";
  const here = runner.runsHere(message.id, call.id);
  const error = runner.error(message.id, call.id);
  const asks = asksForWord(message, call);
  return (
    <section
      aria-label={`${panel.tools}: ${call.name}`}
      className={`my-2 rounded-md border bg-surface ${asks ? "border-accent" : "border-line"}`}
    >
      <header className="flex min-h-10 flex-wrap items-center gap-x-2 gap-y-1 px-3 py-1.5">
        <Wrench aria-hidden className="size-4 shrink-0 text-muted" />
        <h3 className="min-w-0 flex-1 truncate text-sm">
          <span className="font-mono font-medium">{tool?.name ?? call.name}</span>
          {tool !== undefined && tool.server !== "" && <span className="text-muted"> · {tool.server}</span>}
        </h3>
        <StateBadge state={here ? "running" : state} open={open} asks={asks} writes={isOpen(message)} />
      </header>
      {asks ? (
        <ApprovalForm
          key={call.arguments}
          call={call}
          message={message.id}
          tool={tool}
          notice={
            error ?? (tool === undefined ? texts.missing : round > MOST_ROUNDS ? texts.tooMany(MOST_ROUNDS) : undefined)
          }
        />
      ) : (
        <>
          <Folded label={texts.arguments} text={pretty(call.arguments ?? "")} />
          {call.result != null && (
            <Folded label={texts.result} text={pretty(call.result)} failed={state === "failed"} />
          )}
        </>
      )}
      {here && (
        <Foot>
          <Button size="small" onClick={() => runner.cancel(message.id, call)}>
            {texts.stop}
          </Button>
        </Foot>
      )}
      {open && state === "running" && !here && (
        <Foot>
          <span className="flex-1 text-muted">{error ?? texts.runsElsewhere}</span>
          <Button size="small" onClick={() => runner.takeOver(message.id, call)}>
            {texts.runHere}
          </Button>
        </Foot>
      )}
    </section>
  );
}

const Foot = ({ children }: { children: ReactNode }) => (
  <div className="flex flex-wrap items-center justify-end gap-2 border-t border-line px-3 py-2 text-sm">{children}</div>
);

interface StateBadgeProps {
  state: string;
  open: boolean;
  asks: boolean;
  /** The answer is on its way. */
  writes: boolean;
}

function StateBadge({ state, open, asks, writes }: StateBadgeProps) {
  const texts = useTexts(toolTexts);
  if (state === "waiting" && !asks && !open && !writes) return <Badge>{texts.unfinished}</Badge>;
  const said: Record<string, [string, Tone]> = {
    done: [texts.done, "success"],
    failed: [texts.failedState, "danger"],
    denied: [texts.denied, "warning"],
    running: [texts.runs, "accent"],
    waiting: [asks ? texts.asks : open ? texts.runs : texts.writing, "accent"],
  };
  const [word, tone] = said[state] ?? [state, "neutral"];
  return (
    <Badge tone={tone}>
      {(state === "running" || (state === "waiting" && !asks)) && <Spinner className="size-3!" />}
      {word}
    </Badge>
  );
}

/** A long text behind its label and its first line. */
function Folded({ label, text, failed = false }: { label: string; text: string; failed?: boolean }) {
  const [open, setOpen] = useState(false);
  if (text === "") return null;
  return (
    <div className="border-t border-line">
      <div className="flex items-center pr-1">
        <button
          type="button"
          aria-expanded={open}
          onClick={() => setOpen(!open)}
          className="flex min-h-8 min-w-0 flex-1 items-center gap-2 px-3 text-left text-sm -outline-offset-2 hover:bg-hover pointer-coarse:min-h-11"
        >
          <ChevronRight
            aria-hidden
            className={`size-4 shrink-0 text-muted transition-transform ${open ? "rotate-90" : ""}`}
          />
          <span className="shrink-0 text-muted">{label}</span>
          {!open && (
            <span className={`truncate font-mono text-xs ${failed ? "text-danger" : ""}`}>
              {text.replace(/\s+/g, " ")}
            </span>
          )}
        </button>
        {open && <CopyButton text={text} />}
      </div>
      {open && (
        <pre
          tabIndex={0}
          className={`max-h-80 overflow-auto px-3 pt-1 pb-2 font-mono text-xs wrap-anywhere whitespace-pre-wrap ${failed ? "text-danger" : ""}`}
        >
          {text}
        </pre>
      )}
    </div>
  );
}
